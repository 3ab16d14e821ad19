-- Programs that sign in: with an API key as their secret, or with a key of their own of which only the public half is here.

-- A credential with a public key (32 bytes, Ed25519) has no secret; `secret_hash` is then SHA-256 over the words
-- `kyodaku public key`, the credential's id and the key, which no secret has.
ALTER TABLE api_keys ADD COLUMN public_key BYTEA CHECK (public_key IS NULL OR length(public_key) = 32);

-- Access tokens that were revoked before their time was up, by their `jti`.
CREATE TABLE revoked_tokens (
    jti        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    expires_ms BIGINT NOT NULL
);

-- Signed statements of clients are good once: SHA-256 over the client and the statement's `jti`.
CREATE TABLE used_assertions (
    digest     BYTEA NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    expires_ms BIGINT NOT NULL
);
