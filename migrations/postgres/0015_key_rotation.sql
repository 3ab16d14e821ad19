-- Where a key of a log ended: how many entries the log had when another key signed alone for the first time.
CREATE TABLE log_key_ends (
    log          TEXT COLLATE "C" NOT NULL,
    verifier_key TEXT COLLATE "C" NOT NULL,
    last_size    BIGINT NOT NULL CHECK (last_size >= 0),
    last_ms      BIGINT NOT NULL,
    PRIMARY KEY (log, verifier_key)
);

CREATE TRIGGER log_key_ends_stay_as_written BEFORE UPDATE ON log_key_ends FOR EACH ROW
EXECUTE FUNCTION refuse_rewrite('the end of a key is never changed');
CREATE TRIGGER log_key_ends_stay BEFORE DELETE ON log_key_ends FOR EACH ROW
EXECUTE FUNCTION refuse_rewrite('the end of a key is never deleted');
CREATE TRIGGER log_key_ends_kept BEFORE TRUNCATE ON log_key_ends
EXECUTE FUNCTION refuse_rewrite('the end of a key is never deleted');

-- The public keys that sign access tokens: those of today, the next one, and all that ever did.
CREATE TABLE token_keys (
    kid      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    public   BYTEA NOT NULL CHECK (length(public) = 32),
    first_ms BIGINT NOT NULL
);
