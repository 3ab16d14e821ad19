-- People, keys, and what waits for a second person. None of it is in the log; none of it is read by a decision.

CREATE TABLE people (
    person     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    org        TEXT COLLATE "C" NOT NULL,
    label      TEXT NOT NULL,
    role       TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    removed_ms BIGINT
);

CREATE INDEX people_org ON people (org, person);

-- `secret_hash` is SHA-256 of the whole key; `prefix` is its first characters, shown in lists.
CREATE TABLE api_keys (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    org          TEXT COLLATE "C" NOT NULL,
    person       TEXT COLLATE "C" NOT NULL REFERENCES people (person),
    secret_hash  BYTEA NOT NULL UNIQUE CHECK (length(secret_hash) = 32),
    prefix       TEXT NOT NULL,
    scopes       TEXT NOT NULL,
    label        TEXT NOT NULL,
    created_ms   BIGINT NOT NULL,
    expires_ms   BIGINT,
    last_used_ms BIGINT,
    revoked_ms   BIGINT
);

CREATE INDEX api_keys_org ON api_keys (org, id);
CREATE INDEX api_keys_person ON api_keys (person, id);

-- A command that waits for a second person. `body_digest` is SHA-256 of `command`.
CREATE TABLE proposals (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    org         TEXT COLLATE "C" NOT NULL,
    proposed_by TEXT NOT NULL,
    operation   TEXT NOT NULL,
    command     TEXT NOT NULL,
    body_digest BYTEA NOT NULL CHECK (length(body_digest) = 32),
    created_ms  BIGINT NOT NULL,
    expires_ms  BIGINT NOT NULL,
    state       TEXT COLLATE "C" NOT NULL CHECK (state IN ('waiting', 'approved', 'rejected', 'withdrawn')),
    decided_by  TEXT,
    decided_ms  BIGINT,
    response    TEXT,
    CHECK (decided_by IS NULL OR state <> 'approved' OR decided_by <> proposed_by),
    CHECK ((state = 'waiting') = (decided_ms IS NULL))
);

CREATE INDEX proposals_org ON proposals (org, state, id);

-- A host that an organization wants to prove its control of: a DNS record or a well-known file holds the token.
CREATE TABLE control_challenges (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    org        TEXT COLLATE "C" NOT NULL,
    host       TEXT COLLATE "C" NOT NULL,
    method     TEXT NOT NULL CHECK (method IN ('dns', 'well_known')),
    token      TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    proved_idx BIGINT
);

CREATE INDEX control_challenges_org ON control_challenges (org, id);
