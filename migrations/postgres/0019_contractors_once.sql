-- Two requests at once could name the same contractor twice; ending one left the other, so that the contractor went on asking.
-- Of those that are live at the same time the one that lasts the longest stays; the others, which gave nothing beside it, end as they
-- began.

UPDATE contractors SET ended_ms = created_ms WHERE ended_ms IS NULL AND EXISTS (
    SELECT 1 FROM contractors other
    WHERE other.developer = contractors.developer AND other.organization = contractors.organization
        AND other.id <> contractors.id AND other.ended_ms IS NULL
        AND (contractors.expires_ms IS NULL OR other.created_ms < contractors.expires_ms)
        AND (other.expires_ms IS NULL OR contractors.created_ms < other.expires_ms)
        AND (
            (other.expires_ms IS NULL AND contractors.expires_ms IS NOT NULL)
            OR other.expires_ms > contractors.expires_ms
            OR (other.id < contractors.id AND (
                other.expires_ms = contractors.expires_ms
                OR (other.expires_ms IS NULL AND contractors.expires_ms IS NULL)
            ))
        )
);
