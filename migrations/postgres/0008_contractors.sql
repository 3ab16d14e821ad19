-- Who asks for a developer: its pipelines may be run by others. It opens nothing; the answers are those of the developer.

CREATE TABLE contractors (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    developer    TEXT COLLATE "C" NOT NULL,
    organization TEXT COLLATE "C" NOT NULL,
    created_ms   BIGINT NOT NULL,
    expires_ms   BIGINT,
    ended_ms     BIGINT
);

CREATE INDEX contractors_developer ON contractors (developer, id);
CREATE INDEX contractors_organization ON contractors (organization, id);
