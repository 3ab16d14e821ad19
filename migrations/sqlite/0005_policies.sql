-- What an organization asks of its own people. `asked_by` wants to switch it off, which needs another person.
CREATE TABLE org_policies (
    org           TEXT NOT NULL PRIMARY KEY,
    second_person INTEGER NOT NULL CHECK (second_person IN (0, 1)),
    changed_ms    INTEGER NOT NULL,
    asked_by      TEXT,
    asked_ms      INTEGER,
    CHECK ((asked_by IS NULL) = (asked_ms IS NULL))
) STRICT;

-- Approving has a scope of its own; who could approve so far still can.
UPDATE api_keys SET scopes = scopes || ' approve' WHERE scopes LIKE '%register%';
