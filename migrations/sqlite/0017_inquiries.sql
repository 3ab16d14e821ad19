-- Under which inquiry somebody read what is others'.
ALTER TABLE security_events ADD COLUMN inquiry TEXT;

-- Opening inquiries has a scope of its own; the registrar's keys have it. Auditors make keys that have it.
UPDATE api_keys SET scopes = scopes || ' inquire' WHERE scopes LIKE '%register%';
