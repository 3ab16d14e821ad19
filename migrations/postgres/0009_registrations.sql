-- Organizations that enter themselves, until the mailed token comes back; then, or when it is over, the row is deleted.

CREATE TABLE registrations (
    token_hash BYTEA NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32),
    email      TEXT NOT NULL,
    email_key  TEXT NOT NULL,
    name       TEXT NOT NULL,
    roles      TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL
);

CREATE INDEX registrations_email ON registrations (email_key);
