-- Organizations that enter themselves, until the mailed token comes back; then, or when it is over, the row is deleted. Each address has
-- few slots, so that requests at the same moment can't get more letters than that.

CREATE TABLE registrations (
    token_hash BLOB NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32),
    email      TEXT NOT NULL,
    email_key  TEXT NOT NULL,
    slot       INTEGER NOT NULL,
    name       TEXT NOT NULL,
    roles      TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    UNIQUE (email_key, slot)
) STRICT;
