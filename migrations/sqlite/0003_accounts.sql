-- People, keys, and what waits for a second person. None of it is in the log; none of it is read by a decision.

CREATE TABLE people (
    person     TEXT NOT NULL PRIMARY KEY,
    org        TEXT NOT NULL,
    label      TEXT NOT NULL,
    role       TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    removed_ms INTEGER
) STRICT;

CREATE INDEX people_org ON people (org, person);

-- `secret_hash` is SHA-256 of the whole key; `prefix` is its first characters, shown in lists.
CREATE TABLE api_keys (
    id           TEXT NOT NULL PRIMARY KEY,
    org          TEXT NOT NULL,
    person       TEXT NOT NULL REFERENCES people (person),
    secret_hash  BLOB NOT NULL UNIQUE CHECK (length(secret_hash) = 32),
    prefix       TEXT NOT NULL,
    scopes       TEXT NOT NULL,
    label        TEXT NOT NULL,
    created_ms   INTEGER NOT NULL,
    expires_ms   INTEGER,
    last_used_ms INTEGER,
    revoked_ms   INTEGER
) STRICT;

CREATE INDEX api_keys_org ON api_keys (org, id);
CREATE INDEX api_keys_person ON api_keys (person, id);

-- A command that waits for a second person. `body_digest` is SHA-256 of `command`.
CREATE TABLE proposals (
    id          TEXT NOT NULL PRIMARY KEY,
    org         TEXT NOT NULL,
    proposed_by TEXT NOT NULL,
    operation   TEXT NOT NULL,
    command     TEXT NOT NULL,
    body_digest BLOB NOT NULL CHECK (length(body_digest) = 32),
    created_ms  INTEGER NOT NULL,
    expires_ms  INTEGER NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('waiting', 'approved', 'rejected', 'withdrawn')),
    decided_by  TEXT,
    decided_ms  INTEGER,
    response    TEXT,
    CHECK (decided_by IS NULL OR state <> 'approved' OR decided_by <> proposed_by),
    CHECK ((state = 'waiting') = (decided_ms IS NULL))
) STRICT;

CREATE INDEX proposals_org ON proposals (org, state, id);

-- A host that an organization wants to prove its control of: a DNS record or a well-known file holds the token.
CREATE TABLE control_challenges (
    id         TEXT NOT NULL PRIMARY KEY,
    org        TEXT NOT NULL,
    host       TEXT NOT NULL,
    method     TEXT NOT NULL CHECK (method IN ('dns', 'well_known')),
    token      TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    proved_idx INTEGER
) STRICT;

CREATE INDEX control_challenges_org ON control_challenges (org, id);
