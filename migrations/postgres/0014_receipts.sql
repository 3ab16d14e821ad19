-- Where the journal entry of each check is, so that its receipt is found by its id. Everything in it is told by the journals, and
-- `kyodaku rebuild` writes it anew from them.
CREATE TABLE checks (
    check_id  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    log       TEXT COLLATE "C" NOT NULL,
    idx       BIGINT NOT NULL CHECK (idx >= 0),
    developer TEXT COLLATE "C" NOT NULL,
    asked_by  TEXT COLLATE "C",
    at_ms     BIGINT NOT NULL,
    items     BIGINT NOT NULL,
    permitted BIGINT NOT NULL
);

CREATE UNIQUE INDEX checks_place ON checks (log, idx);
CREATE INDEX checks_developer ON checks (developer, check_id);
CREATE INDEX checks_asked_by ON checks (asked_by, check_id) WHERE asked_by IS NOT NULL;

INSERT INTO checks (check_id, log, idx, developer, asked_by, at_ms, items, permitted)
SELECT entry ->> 'check', log, idx, entry ->> 'developer', entry ->> 'asked_by', CAST(entry ->> 'at_ms' AS BIGINT),
    CAST(entry ->> 'items' AS BIGINT), CAST(entry ->> 'permitted' AS BIGINT)
FROM (SELECT log, idx, CAST(convert_from(bytes, 'UTF8') AS json) AS entry FROM entries WHERE log <> 'acts') AS journal
WHERE entry ->> 'type' = 'check';

-- So that the seals of a journal are found by its name.
INSERT INTO catalog_history (subject, idx, type, at_ms, party)
SELECT entry -> 'act' ->> 'journal', idx, 'journal.sealed', at_ms, entry ->> 'party'
FROM (SELECT idx, at_ms, CAST(convert_from(bytes, 'UTF8') AS json) AS entry FROM entries WHERE log = 'acts') AS acts
WHERE entry -> 'act' ->> 'type' = 'journal.sealed'
ON CONFLICT (subject, idx) DO NOTHING;

-- The public keys that sign receipts: those of today, and all that ever did.
CREATE TABLE receipt_keys (
    kid      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    public   BYTEA NOT NULL CHECK (length(public) = 32),
    first_ms BIGINT NOT NULL
);

CREATE TRIGGER receipt_keys_stay_as_written BEFORE UPDATE ON receipt_keys FOR EACH ROW
EXECUTE FUNCTION refuse_rewrite('the key of receipts is never changed');
CREATE TRIGGER receipt_keys_stay BEFORE DELETE ON receipt_keys FOR EACH ROW
EXECUTE FUNCTION refuse_rewrite('the key of receipts is never deleted');
CREATE TRIGGER receipt_keys_kept BEFORE TRUNCATE ON receipt_keys
EXECUTE FUNCTION refuse_rewrite('the key of receipts is never deleted');
