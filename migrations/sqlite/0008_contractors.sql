-- Who asks for a developer: its pipelines may be run by others. It opens nothing; the answers are those of the developer.

CREATE TABLE contractors (
    id           TEXT NOT NULL PRIMARY KEY,
    developer    TEXT NOT NULL,
    organization TEXT NOT NULL,
    created_ms   INTEGER NOT NULL,
    expires_ms   INTEGER,
    ended_ms     INTEGER
) STRICT;

CREATE INDEX contractors_developer ON contractors (developer, id);
CREATE INDEX contractors_organization ON contractors (organization, id);
