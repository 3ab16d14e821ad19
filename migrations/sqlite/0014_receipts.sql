-- Where the journal entry of each check is, so that its receipt is found by its id. Everything in it is told by the journals, and
-- `kyodaku rebuild` writes it anew from them.
CREATE TABLE checks (
    check_id  TEXT NOT NULL PRIMARY KEY,
    log       TEXT NOT NULL,
    idx       INTEGER NOT NULL CHECK (idx >= 0),
    developer TEXT NOT NULL,
    asked_by  TEXT,
    at_ms     INTEGER NOT NULL,
    items     INTEGER NOT NULL,
    permitted INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX checks_place ON checks (log, idx);
CREATE INDEX checks_developer ON checks (developer, check_id);
CREATE INDEX checks_asked_by ON checks (asked_by, check_id) WHERE asked_by IS NOT NULL;

INSERT INTO checks (check_id, log, idx, developer, asked_by, at_ms, items, permitted)
SELECT entry ->> '$.check', log, idx, entry ->> '$.developer', entry ->> '$.asked_by', entry ->> '$.at_ms',
    entry ->> '$.items', entry ->> '$.permitted'
FROM (SELECT log, idx, CAST(bytes AS TEXT) AS entry FROM entries WHERE log <> 'acts')
WHERE entry ->> '$.type' = 'check';

-- So that the seals of a journal are found by its name.
INSERT INTO catalog_history (subject, idx, type, at_ms, party)
SELECT entry ->> '$.act.journal', idx, 'journal.sealed', at_ms, entry ->> '$.party'
FROM (SELECT idx, at_ms, CAST(bytes AS TEXT) AS entry FROM entries WHERE log = 'acts')
WHERE entry ->> '$.act.type' = 'journal.sealed'
ON CONFLICT (subject, idx) DO NOTHING;

-- The public keys that sign receipts: those of today, and all that ever did.
CREATE TABLE receipt_keys (
    kid      TEXT NOT NULL PRIMARY KEY,
    public   BLOB NOT NULL CHECK (length(public) = 32),
    first_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER receipt_keys_stay_as_written BEFORE UPDATE ON receipt_keys
BEGIN SELECT RAISE(ABORT, 'append-only: the key of receipts is never changed'); END;

CREATE TRIGGER receipt_keys_stay BEFORE DELETE ON receipt_keys
BEGIN SELECT RAISE(ABORT, 'append-only: the key of receipts is never deleted'); END;
