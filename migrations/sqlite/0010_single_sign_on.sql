-- Single sign-on through a provider of OpenID Connect.

-- Who began and did not come back yet, for ten minutes: SHA-256 of the secret that the program keeps which began, and of the
-- state that went to the provider. `taken_ms` is when somebody came back: that is possible once. `subject` and `email` are then
-- what the provider said, where a second factor is waited for.
CREATE TABLE sign_ins (
    token_hash BLOB NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32),
    state_hash BLOB NOT NULL CHECK (length(state_hash) = 32),
    nonce      TEXT NOT NULL,
    verifier   TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    taken_ms   INTEGER,
    subject    TEXT,
    email      TEXT,
    CHECK (subject IS NULL OR taken_ms IS NOT NULL)
) STRICT;

CREATE INDEX sign_ins_expires ON sign_ins (expires_ms);

-- Who a person is to a provider. Personal data. One that was removed stays, so that no address brings it back.
CREATE TABLE identities (
    id         TEXT NOT NULL PRIMARY KEY,
    person     TEXT NOT NULL REFERENCES people (person),
    issuer     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    email      TEXT,
    created_ms INTEGER NOT NULL,
    used_ms    INTEGER NOT NULL,
    removed_ms INTEGER,
    UNIQUE (issuer, subject),
    UNIQUE (person, issuer)
) STRICT;
