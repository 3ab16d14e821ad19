-- Witnesses: what others cosigned of our logs, and what this program, run as a witness, cosigned of the logs of others.

-- `line` is the signature line as it is served with the checkpoint, `witness` the key that made it.
CREATE TABLE cosignatures (
    log     TEXT NOT NULL,
    size    INTEGER NOT NULL CHECK (size >= 0),
    witness TEXT NOT NULL,
    line    TEXT NOT NULL,
    at_s    INTEGER NOT NULL,
    PRIMARY KEY (log, size, witness)
) STRICT;

CREATE INDEX cosignatures_of_witness ON cosignatures (log, witness, size);

-- The largest checkpoint of each log that was cosigned here, with the cosignature.
CREATE TABLE witnessed (
    origin TEXT NOT NULL PRIMARY KEY,
    size   INTEGER NOT NULL CHECK (size >= 0),
    root   BLOB NOT NULL CHECK (length(root) = 32),
    note   TEXT NOT NULL,
    at_ms  INTEGER NOT NULL
) STRICT;

CREATE TRIGGER witnessed_only_grows BEFORE UPDATE ON witnessed
WHEN NEW.origin IS NOT OLD.origin OR NEW.size < OLD.size OR (NEW.size = OLD.size AND NEW.root IS NOT OLD.root)
BEGIN SELECT RAISE(ABORT, 'append-only: a log that is witnessed only grows'); END;

CREATE TRIGGER witnessed_stays BEFORE DELETE ON witnessed
BEGIN SELECT RAISE(ABORT, 'append-only: what was witnessed is never forgotten'); END;
