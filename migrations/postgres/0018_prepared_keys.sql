-- Which node has which key that is to come after that of today: one that no node has any more, and that never was that of today, is
-- told no more. `seen_ms` is when the node last said that it has it; 0 once it said that it has not.
CREATE TABLE prepared_keys (
    key_use TEXT COLLATE "C" NOT NULL,
    kid     TEXT COLLATE "C" NOT NULL,
    node    TEXT COLLATE "C" NOT NULL,
    seen_ms BIGINT NOT NULL,
    PRIMARY KEY (key_use, kid, node)
);
