-- How people sign in. Personal data: none of it is in the log, all of it goes when a person is erased.

UPDATE people SET role = 'editor' WHERE role = 'member';

-- `email_key` is the address in lower case, by which it is found. `password` is a PHC string of argon2id.
CREATE TABLE logins (
    person     TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES people (person),
    email      TEXT NOT NULL,
    email_key  TEXT COLLATE "C" NOT NULL UNIQUE,
    password   TEXT NOT NULL,
    changed_ms BIGINT NOT NULL
);

-- What was mailed to let somebody set a password: SHA-256 of the token, spent once.
CREATE TABLE mail_links (
    token_hash BYTEA NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32),
    person     TEXT COLLATE "C" NOT NULL REFERENCES people (person),
    purpose    TEXT NOT NULL CHECK (purpose IN ('invitation', 'reset')),
    email      TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    spent_ms   BIGINT
);

CREATE INDEX mail_links_person ON mail_links (person, created_ms);

-- One sign-in: a family of refresh tokens of which the last one is good. `family_hash` is SHA-256 of the part that all of
-- them share, `refresh_hash` of the part that the last one has alone. `factor_ms` is when a
-- second factor was shown, if one was.
CREATE TABLE sessions (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    person       TEXT COLLATE "C" NOT NULL REFERENCES people (person),
    org          TEXT COLLATE "C" NOT NULL,
    family_hash  BYTEA NOT NULL UNIQUE CHECK (length(family_hash) = 32),
    refresh_hash BYTEA NOT NULL CHECK (length(refresh_hash) = 32),
    client       TEXT NOT NULL,
    factor_ms    BIGINT,
    created_ms   BIGINT NOT NULL,
    refreshed_ms BIGINT NOT NULL,
    expires_ms   BIGINT NOT NULL,
    ended_ms     BIGINT,
    ended_why    TEXT CHECK (ended_why IN ('signed_out', 'reused', 'password', 'factor', 'removed', 'suspended')),
    CHECK ((ended_ms IS NULL) = (ended_why IS NULL))
);

CREATE INDEX sessions_person ON sessions (person, id);
CREATE INDEX sessions_org ON sessions (org, id);

-- The second factor of a person: a secret that the person's device has too, sealed with a key of the data folder. `last_step` is
-- the last step of 30 seconds whose code was used: each is good once.
CREATE TABLE second_factors (
    person       TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES people (person),
    secret       BYTEA NOT NULL,
    created_ms   BIGINT NOT NULL,
    confirmed_ms BIGINT,
    last_step    BIGINT NOT NULL
);

-- For a day without the device: SHA-256 of each code, good once.
CREATE TABLE recovery_codes (
    person    TEXT COLLATE "C" NOT NULL REFERENCES people (person),
    code_hash BYTEA NOT NULL CHECK (length(code_hash) = 32),
    spent_ms  BIGINT,
    PRIMARY KEY (person, code_hash)
);
