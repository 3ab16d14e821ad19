-- What an organization asks of its own people. `asked_by` wants to switch it off, which needs another person.
CREATE TABLE org_policies (
    org           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    second_person BIGINT NOT NULL CHECK (second_person IN (0, 1)),
    changed_ms    BIGINT NOT NULL,
    asked_by      TEXT COLLATE "C",
    asked_ms      BIGINT,
    CHECK ((asked_by IS NULL) = (asked_ms IS NULL))
);

-- Approving has a scope of its own; who could approve so far still can.
UPDATE api_keys SET scopes = scopes || ' approve' WHERE scopes LIKE '%register%';
