-- Where a key of a log ended: how many entries the log had when another key signed alone for the first time.
CREATE TABLE log_key_ends (
    log          TEXT NOT NULL,
    verifier_key TEXT NOT NULL,
    last_size    INTEGER NOT NULL CHECK (last_size >= 0),
    last_ms      INTEGER NOT NULL,
    PRIMARY KEY (log, verifier_key)
) STRICT;

CREATE TRIGGER log_key_ends_stay_as_written BEFORE UPDATE ON log_key_ends
BEGIN SELECT RAISE(ABORT, 'append-only: the end of a key is never changed'); END;

CREATE TRIGGER log_key_ends_stay BEFORE DELETE ON log_key_ends
BEGIN SELECT RAISE(ABORT, 'append-only: the end of a key is never deleted'); END;

-- The public keys that sign access tokens: those of today, the next one, and all that ever did.
CREATE TABLE token_keys (
    kid      TEXT NOT NULL PRIMARY KEY,
    public   BLOB NOT NULL CHECK (length(public) = 32),
    first_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
