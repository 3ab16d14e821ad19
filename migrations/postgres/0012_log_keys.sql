-- The public keys that sign the checkpoints of each log, as C2SP signed-note writes them: those of today, and all that ever
-- did. `first_size` is how many entries the log had when the key was first ready to sign.
CREATE TABLE log_keys (
    log          TEXT COLLATE "C" NOT NULL,
    verifier_key TEXT COLLATE "C" NOT NULL,
    first_size   BIGINT NOT NULL CHECK (first_size >= 0),
    first_ms     BIGINT NOT NULL,
    PRIMARY KEY (log, verifier_key)
);

CREATE TRIGGER log_keys_stay_as_written BEFORE UPDATE ON log_keys FOR EACH ROW
EXECUTE FUNCTION refuse_rewrite('the key of a log is never changed');
CREATE TRIGGER log_keys_stay BEFORE DELETE ON log_keys FOR EACH ROW
EXECUTE FUNCTION refuse_rewrite('the key of a log is never deleted');
CREATE TRIGGER log_keys_kept BEFORE TRUNCATE ON log_keys
EXECUTE FUNCTION refuse_rewrite('the key of a log is never deleted');
