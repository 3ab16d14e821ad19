-- The public keys that sign the checkpoints of each log, as C2SP signed-note writes them: those of today, and all that ever
-- did. `first_size` is how many entries the log had when the key was first ready to sign.
CREATE TABLE log_keys (
    log          TEXT NOT NULL,
    verifier_key TEXT NOT NULL,
    first_size   INTEGER NOT NULL CHECK (first_size >= 0),
    first_ms     INTEGER NOT NULL,
    PRIMARY KEY (log, verifier_key)
) STRICT;

CREATE TRIGGER log_keys_stay_as_written BEFORE UPDATE ON log_keys
BEGIN SELECT RAISE(ABORT, 'append-only: the key of a log is never changed'); END;

CREATE TRIGGER log_keys_stay BEFORE DELETE ON log_keys
BEGIN SELECT RAISE(ABORT, 'append-only: the key of a log is never deleted'); END;
