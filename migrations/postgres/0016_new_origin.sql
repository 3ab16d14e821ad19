-- A log whose key was lost or stolen goes on under another name: with an entry that says so, and never without one.
DROP TRIGGER logs_only_grow ON logs;
CREATE TRIGGER logs_only_grow BEFORE UPDATE ON logs FOR EACH ROW
WHEN (NEW.log IS DISTINCT FROM OLD.log
    OR (NEW.origin IS DISTINCT FROM OLD.origin AND (NEW.log IS DISTINCT FROM 'acts' OR NEW.size <= OLD.size))
    OR NEW.size < OLD.size OR NEW.at_ms < OLD.at_ms OR (NEW.size = OLD.size AND NEW.root IS DISTINCT FROM OLD.root))
EXECUTE FUNCTION refuse_rewrite('a log only grows');
