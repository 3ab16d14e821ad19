-- What people browse. Nothing here is read by a decision; all of it can be rebuilt from the log and the payloads.

CREATE TABLE catalog_works (
    work           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind           TEXT NOT NULL,
    title          TEXT,
    title_lang     TEXT,
    reading        TEXT,
    registrant     TEXT NOT NULL,
    state          TEXT COLLATE "C" NOT NULL,
    registered_idx BIGINT NOT NULL,
    registered_ms  BIGINT NOT NULL,
    updated_idx    BIGINT NOT NULL
);

CREATE TABLE catalog_titles (
    work       TEXT COLLATE "C" NOT NULL REFERENCES catalog_works (work) ON DELETE CASCADE,
    seq        BIGINT NOT NULL,
    text       TEXT NOT NULL,
    lang       TEXT,
    reading    TEXT,
    search_key TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (work, seq)
);

CREATE INDEX catalog_titles_search ON catalog_titles (search_key, work);

-- The works of a party, one row for each way in which it stands to the work (registrant, holder, agent, …).
CREATE TABLE catalog_party_works (
    party    TEXT COLLATE "C" NOT NULL,
    work     TEXT COLLATE "C" NOT NULL REFERENCES catalog_works (work) ON DELETE CASCADE,
    relation TEXT COLLATE "C" NOT NULL,
    idx      BIGINT NOT NULL,
    PRIMARY KEY (party, work, relation)
);

CREATE INDEX catalog_party_works_work ON catalog_party_works (work);

CREATE TABLE catalog_orgs (
    org            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name           TEXT,
    roles          TEXT NOT NULL,
    state          TEXT COLLATE "C" NOT NULL,
    registered_idx BIGINT NOT NULL,
    registered_ms  BIGINT NOT NULL,
    updated_idx    BIGINT NOT NULL
);

CREATE INDEX catalog_orgs_state ON catalog_orgs (state, org);

CREATE TABLE catalog_models (
    model          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    developer      TEXT COLLATE "C" NOT NULL,
    name           TEXT,
    state          TEXT COLLATE "C" NOT NULL,
    registered_idx BIGINT NOT NULL,
    registered_ms  BIGINT NOT NULL,
    updated_idx    BIGINT NOT NULL
);

CREATE INDEX catalog_models_developer ON catalog_models (developer, model);

-- What happened to a work or an organization (`subject`), one row for each entry that touched it.
CREATE TABLE catalog_history (
    subject TEXT COLLATE "C" NOT NULL,
    idx     BIGINT NOT NULL,
    type    TEXT NOT NULL,
    at_ms   BIGINT NOT NULL,
    party   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (subject, idx)
);

CREATE INDEX catalog_history_party ON catalog_history (party, idx);

CREATE TABLE meta (
    name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
