-- A log whose key was lost or stolen goes on under another name: with an entry that says so, and never without one.
DROP TRIGGER logs_only_grow;
CREATE TRIGGER logs_only_grow BEFORE UPDATE ON logs
WHEN NEW.log IS NOT OLD.log OR (NEW.origin IS NOT OLD.origin AND (NEW.log IS NOT 'acts' OR NEW.size <= OLD.size))
    OR NEW.size < OLD.size OR NEW.at_ms < OLD.at_ms OR (NEW.size = OLD.size AND NEW.root IS NOT OLD.root)
BEGIN SELECT RAISE(ABORT, 'append-only: a log only grows'); END;
