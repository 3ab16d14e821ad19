-- Who signed in, was refused, made and revoked keys, and what the registrar and auditors looked at. Not the act log: it holds
-- addresses of networks, which are personal data, and is deleted in time.

CREATE TABLE security_events (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    at_ms      BIGINT NOT NULL,
    operation  TEXT NOT NULL,
    status     BIGINT NOT NULL,
    org        TEXT COLLATE "C",
    person     TEXT,
    credential TEXT,
    peer       TEXT,
    request    TEXT,
    lost       BIGINT
);

CREATE INDEX security_events_org ON security_events (org, id);
