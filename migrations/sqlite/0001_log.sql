-- The append-only logs: one row per log for its head, its entries, its hash tiles, its signed checkpoints.
-- A log is `acts` (everything that a decision rests on) or `checks/<node>` (what was asked and answered).

CREATE TABLE logs (
    log        TEXT NOT NULL PRIMARY KEY,
    origin     TEXT NOT NULL,
    size       INTEGER NOT NULL CHECK (size >= 0),
    root       BLOB NOT NULL CHECK (length(root) = 32),
    frontier   BLOB NOT NULL CHECK (length(frontier) % 32 = 8),
    at_ms      INTEGER NOT NULL,
    checkpoint TEXT NOT NULL
) STRICT;

CREATE TRIGGER logs_only_grow BEFORE UPDATE ON logs
WHEN NEW.log IS NOT OLD.log OR NEW.origin IS NOT OLD.origin OR NEW.size < OLD.size OR NEW.at_ms < OLD.at_ms
    OR (NEW.size = OLD.size AND NEW.root IS NOT OLD.root)
BEGIN SELECT RAISE(ABORT, 'append-only: a log only grows'); END;

CREATE TRIGGER logs_stay BEFORE DELETE ON logs
BEGIN SELECT RAISE(ABORT, 'append-only: a log is never deleted'); END;

CREATE TABLE entries (
    log   TEXT NOT NULL,
    idx   INTEGER NOT NULL CHECK (idx >= 0),
    at_ms INTEGER NOT NULL,
    bytes BLOB NOT NULL CHECK (length(bytes) BETWEEN 1 AND 65535),
    PRIMARY KEY (log, idx)
) STRICT;

CREATE TRIGGER entries_stay_as_written BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'append-only: an entry is never changed'); END;

CREATE TRIGGER entries_stay BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'append-only: an entry is never deleted'); END;

CREATE TABLE tiles (
    log   TEXT NOT NULL,
    level INTEGER NOT NULL CHECK (level BETWEEN 0 AND 7),
    idx   INTEGER NOT NULL CHECK (idx >= 0),
    data  BLOB NOT NULL CHECK (length(data) % 32 = 0 AND length(data) BETWEEN 32 AND 8192),
    PRIMARY KEY (log, level, idx)
) STRICT;

CREATE TRIGGER tiles_only_grow BEFORE UPDATE ON tiles
WHEN NEW.log IS NOT OLD.log OR NEW.level IS NOT OLD.level OR NEW.idx IS NOT OLD.idx
    OR substr(NEW.data, 1, length(OLD.data)) IS NOT OLD.data
BEGIN SELECT RAISE(ABORT, 'append-only: a tile only grows'); END;

CREATE TRIGGER tiles_stay BEFORE DELETE ON tiles
BEGIN SELECT RAISE(ABORT, 'append-only: a tile is never deleted'); END;

CREATE TABLE checkpoints (
    log   TEXT NOT NULL,
    size  INTEGER NOT NULL CHECK (size >= 0),
    root  BLOB NOT NULL CHECK (length(root) = 32),
    note  TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (log, size)
) STRICT;

CREATE TRIGGER checkpoints_stay_as_written BEFORE UPDATE ON checkpoints
BEGIN SELECT RAISE(ABORT, 'append-only: a checkpoint is never changed'); END;

CREATE TRIGGER checkpoints_stay BEFORE DELETE ON checkpoints
BEGIN SELECT RAISE(ABORT, 'append-only: a checkpoint is never deleted'); END;

-- `INSERT OR REPLACE` deletes without asking the triggers above, so an existing key is refused before that.
CREATE TRIGGER entries_once BEFORE INSERT ON entries
WHEN EXISTS (SELECT 1 FROM entries WHERE log = NEW.log AND idx = NEW.idx)
BEGIN SELECT RAISE(ABORT, 'append-only: this entry is written'); END;

CREATE TRIGGER checkpoints_once BEFORE INSERT ON checkpoints
WHEN EXISTS (SELECT 1 FROM checkpoints WHERE log = NEW.log AND size = NEW.size)
BEGIN SELECT RAISE(ABORT, 'append-only: this checkpoint is written'); END;

-- What people typed, outside the log and erasable; the log holds only a salted digest. `idx` counts in `acts`.
CREATE TABLE payloads (
    idx       INTEGER NOT NULL PRIMARY KEY,
    salt      BLOB,
    body      TEXT,
    erased_ms INTEGER,
    CHECK ((salt IS NULL) = (body IS NULL) AND (body IS NULL) = (erased_ms IS NOT NULL))
) STRICT;

CREATE TRIGGER payloads_only_erased BEFORE UPDATE ON payloads
WHEN NEW.idx IS NOT OLD.idx OR OLD.erased_ms IS NOT NULL OR NEW.erased_ms IS NULL
BEGIN SELECT RAISE(ABORT, 'append-only: a payload is erased or left alone'); END;

CREATE TRIGGER payloads_stay BEFORE DELETE ON payloads
BEGIN SELECT RAISE(ABORT, 'append-only: a payload is erased, not deleted'); END;

CREATE TRIGGER payloads_once BEFORE INSERT ON payloads
WHEN EXISTS (SELECT 1 FROM payloads WHERE idx = NEW.idx)
BEGIN SELECT RAISE(ABORT, 'append-only: this payload is written'); END;

-- The answers given to a command's Idempotency-Key, kept for 30 days.
CREATE TABLE idempotency (
    org         TEXT NOT NULL,
    key         TEXT NOT NULL,
    operation   TEXT NOT NULL,
    body_digest BLOB NOT NULL,
    status      INTEGER NOT NULL,
    response    TEXT NOT NULL,
    at_ms       INTEGER NOT NULL,
    PRIMARY KEY (org, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_at ON idempotency (at_ms);
