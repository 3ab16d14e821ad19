-- Who signed in, was refused, made and revoked keys, and what the registrar and auditors looked at. Not the act log: it holds
-- addresses of networks, which are personal data, and is deleted in time.

CREATE TABLE security_events (
    id         TEXT NOT NULL PRIMARY KEY,
    at_ms      INTEGER NOT NULL,
    operation  TEXT NOT NULL,
    status     INTEGER NOT NULL,
    org        TEXT,
    person     TEXT,
    credential TEXT,
    peer       TEXT,
    request    TEXT,
    lost       INTEGER
) STRICT;

CREATE INDEX security_events_org ON security_events (org, id);
