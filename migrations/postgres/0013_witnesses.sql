-- Witnesses: what others cosigned of our logs, and what this program, run as a witness, cosigned of the logs of others.

-- `line` is the signature line as it is served with the checkpoint, `witness` the key that made it.
CREATE TABLE cosignatures (
    log     TEXT COLLATE "C" NOT NULL,
    size    BIGINT NOT NULL CHECK (size >= 0),
    witness TEXT COLLATE "C" NOT NULL,
    line    TEXT NOT NULL,
    at_s    BIGINT NOT NULL,
    PRIMARY KEY (log, size, witness)
);

CREATE INDEX cosignatures_of_witness ON cosignatures (log, witness, size);

-- The largest checkpoint of each log that was cosigned here, with the cosignature.
CREATE TABLE witnessed (
    origin TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    size   BIGINT NOT NULL CHECK (size >= 0),
    root   BYTEA NOT NULL CHECK (length(root) = 32),
    note   TEXT NOT NULL,
    at_ms  BIGINT NOT NULL
);

CREATE TRIGGER witnessed_only_grows BEFORE UPDATE ON witnessed FOR EACH ROW
WHEN (NEW.origin IS DISTINCT FROM OLD.origin OR NEW.size < OLD.size OR (NEW.size = OLD.size AND NEW.root IS DISTINCT FROM OLD.root))
EXECUTE FUNCTION refuse_rewrite('a log that is witnessed only grows');
CREATE TRIGGER witnessed_stays BEFORE DELETE ON witnessed FOR EACH ROW
EXECUTE FUNCTION refuse_rewrite('what was witnessed is never forgotten');
CREATE TRIGGER witnessed_kept BEFORE TRUNCATE ON witnessed
EXECUTE FUNCTION refuse_rewrite('what was witnessed is never forgotten');
