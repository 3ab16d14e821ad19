-- The append-only logs: one row per log for its head, its entries, its hash tiles, its signed checkpoints.
-- A log is `acts` (everything that a decision rests on) or `checks/<node>` (what was asked and answered).
-- Keys are COLLATE "C": cursors and order must not depend on the database's language.

CREATE TABLE logs (
    log        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    origin     TEXT NOT NULL,
    size       BIGINT NOT NULL CHECK (size >= 0),
    root       BYTEA NOT NULL CHECK (length(root) = 32),
    frontier   BYTEA NOT NULL CHECK (length(frontier) % 32 = 8),
    at_ms      BIGINT NOT NULL,
    checkpoint TEXT NOT NULL
);

CREATE TABLE entries (
    log   TEXT COLLATE "C" NOT NULL,
    idx   BIGINT NOT NULL CHECK (idx >= 0),
    at_ms BIGINT NOT NULL,
    bytes BYTEA NOT NULL CHECK (length(bytes) BETWEEN 1 AND 65535),
    PRIMARY KEY (log, idx)
);

CREATE TABLE tiles (
    log   TEXT COLLATE "C" NOT NULL,
    level BIGINT NOT NULL CHECK (level BETWEEN 0 AND 7),
    idx   BIGINT NOT NULL CHECK (idx >= 0),
    data  BYTEA NOT NULL CHECK (length(data) % 32 = 0 AND length(data) BETWEEN 32 AND 8192),
    PRIMARY KEY (log, level, idx)
);

-- Hashes do not compress.
ALTER TABLE tiles ALTER COLUMN data SET STORAGE EXTERNAL;

CREATE TABLE checkpoints (
    log   TEXT COLLATE "C" NOT NULL,
    size  BIGINT NOT NULL CHECK (size >= 0),
    root  BYTEA NOT NULL CHECK (length(root) = 32),
    note  TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (log, size)
);

-- What people typed, outside the log and erasable; the log holds only a salted digest. `idx` counts in `acts`.
CREATE TABLE payloads (
    idx       BIGINT NOT NULL PRIMARY KEY,
    salt      BYTEA,
    body      TEXT,
    erased_ms BIGINT,
    CHECK ((salt IS NULL) = (body IS NULL) AND (body IS NULL) = (erased_ms IS NOT NULL))
);

-- The answers given to a command's Idempotency-Key, kept for 30 days.
CREATE TABLE idempotency (
    org         TEXT COLLATE "C" NOT NULL,
    key         TEXT COLLATE "C" NOT NULL,
    operation   TEXT NOT NULL,
    body_digest BYTEA NOT NULL,
    status      BIGINT NOT NULL,
    response    TEXT NOT NULL,
    at_ms       BIGINT NOT NULL,
    PRIMARY KEY (org, key)
);

CREATE INDEX idempotency_at ON idempotency (at_ms);

-- KY001 is this registry's own error code: the history may not be rewritten.
CREATE FUNCTION refuse_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'KY001', MESSAGE = 'append-only: ' || TG_ARGV[0];
END $$;

CREATE TRIGGER logs_only_grow BEFORE UPDATE ON logs FOR EACH ROW
WHEN (NEW.log IS DISTINCT FROM OLD.log OR NEW.origin IS DISTINCT FROM OLD.origin OR NEW.size < OLD.size
    OR NEW.at_ms < OLD.at_ms OR (NEW.size = OLD.size AND NEW.root IS DISTINCT FROM OLD.root))
EXECUTE FUNCTION refuse_rewrite('a log only grows');
CREATE TRIGGER logs_stay BEFORE DELETE ON logs FOR EACH ROW
EXECUTE FUNCTION refuse_rewrite('a log is never deleted');
CREATE TRIGGER logs_kept BEFORE TRUNCATE ON logs
EXECUTE FUNCTION refuse_rewrite('a log is never deleted');

CREATE TRIGGER entries_stay_as_written BEFORE UPDATE ON entries FOR EACH ROW
EXECUTE FUNCTION refuse_rewrite('an entry is never changed');
CREATE TRIGGER entries_stay BEFORE DELETE ON entries FOR EACH ROW
EXECUTE FUNCTION refuse_rewrite('an entry is never deleted');
CREATE TRIGGER entries_kept BEFORE TRUNCATE ON entries
EXECUTE FUNCTION refuse_rewrite('an entry is never deleted');

CREATE TRIGGER tiles_only_grow BEFORE UPDATE ON tiles FOR EACH ROW
WHEN (NEW.log IS DISTINCT FROM OLD.log OR NEW.level IS DISTINCT FROM OLD.level OR NEW.idx IS DISTINCT FROM OLD.idx
    OR substr(NEW.data, 1, length(OLD.data)) IS DISTINCT FROM OLD.data)
EXECUTE FUNCTION refuse_rewrite('a tile only grows');
CREATE TRIGGER tiles_stay BEFORE DELETE ON tiles FOR EACH ROW
EXECUTE FUNCTION refuse_rewrite('a tile is never deleted');
CREATE TRIGGER tiles_kept BEFORE TRUNCATE ON tiles
EXECUTE FUNCTION refuse_rewrite('a tile is never deleted');

CREATE TRIGGER checkpoints_stay_as_written BEFORE UPDATE ON checkpoints FOR EACH ROW
EXECUTE FUNCTION refuse_rewrite('a checkpoint is never changed');
CREATE TRIGGER checkpoints_stay BEFORE DELETE ON checkpoints FOR EACH ROW
EXECUTE FUNCTION refuse_rewrite('a checkpoint is never deleted');
CREATE TRIGGER checkpoints_kept BEFORE TRUNCATE ON checkpoints
EXECUTE FUNCTION refuse_rewrite('a checkpoint is never deleted');

CREATE TRIGGER payloads_only_erased BEFORE UPDATE ON payloads FOR EACH ROW
WHEN (NEW.idx IS DISTINCT FROM OLD.idx OR OLD.erased_ms IS NOT NULL OR NEW.erased_ms IS NULL)
EXECUTE FUNCTION refuse_rewrite('a payload is erased or left alone');
CREATE TRIGGER payloads_stay BEFORE DELETE ON payloads FOR EACH ROW
EXECUTE FUNCTION refuse_rewrite('a payload is erased, not deleted');
CREATE TRIGGER payloads_kept BEFORE TRUNCATE ON payloads
EXECUTE FUNCTION refuse_rewrite('a payload is erased, not deleted');
