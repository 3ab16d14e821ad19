//! Every table, with how all of its rows are read and written again.

use crate::store::sql::texts;

/// One table. The order of [`TABLES`] is that in which they can be filled: no row comes before one that it refers to.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// One letter a column: an integer, a text or bytes.
    pub(super) kinds: &'static str,
    pub(super) read: &'static str,
    pub(super) write: &'static str,
}

impl Table {
    /// Its columns, each with a letter for its type: an integer, a text or bytes.
    pub fn columns(&self) -> Vec<(&'static str, char)> {
        let names = self.read.strip_prefix("SELECT ").and_then(|rest| rest.split_once(" FROM "));
        let names = names.map_or("", |(names, _)| names).split(',').map(str::trim);
        names.zip(self.kinds.chars()).collect()
    }
}

const fn table(name: &'static str, kinds: &'static str, read: &'static str, write: &'static str) -> Table {
    Table { name, kinds, read, write }
}

texts! {
    /// A whole table may take longer than a statement usually may, and one end waits for the other.
    NO_HURRY = "SELECT '0', '0'",
        "SELECT set_config('statement_timeout', '0', true), \
            set_config('idle_in_transaction_session_timeout', '0', true)";
    READ_LOGS = "SELECT log, origin, size, root, frontier, at_ms, checkpoint FROM logs ORDER BY log";
    WRITE_LOGS = "INSERT INTO logs (log, origin, size, root, frontier, at_ms, checkpoint) VALUES ($1, $2, $3, $4, \
        $5, $6, $7)";
    READ_ENTRIES = "SELECT log, idx, at_ms, bytes FROM entries ORDER BY log, idx";
    WRITE_ENTRIES = "INSERT INTO entries (log, idx, at_ms, bytes) VALUES ($1, $2, $3, $4)";
    READ_TILES = "SELECT log, level, idx, data FROM tiles ORDER BY log, level, idx";
    WRITE_TILES = "INSERT INTO tiles (log, level, idx, data) VALUES ($1, $2, $3, $4)";
    READ_CHECKPOINTS = "SELECT log, size, root, note, at_ms FROM checkpoints ORDER BY log, size";
    WRITE_CHECKPOINTS = "INSERT INTO checkpoints (log, size, root, note, at_ms) VALUES ($1, $2, $3, $4, $5)";
    READ_LOG_KEYS = "SELECT log, verifier_key, first_size, first_ms FROM log_keys ORDER BY log, verifier_key";
    WRITE_LOG_KEYS = "INSERT INTO log_keys (log, verifier_key, first_size, first_ms) VALUES ($1, $2, $3, $4)";
    READ_COSIGNATURES = "SELECT log, size, witness, line, at_s FROM cosignatures ORDER BY log, size, witness";
    WRITE_COSIGNATURES = "INSERT INTO cosignatures (log, size, witness, line, at_s) VALUES ($1, $2, $3, $4, $5)";
    READ_WITNESSED = "SELECT origin, size, root, note, at_ms FROM witnessed ORDER BY origin";
    WRITE_WITNESSED = "INSERT INTO witnessed (origin, size, root, note, at_ms) VALUES ($1, $2, $3, $4, $5)";
    READ_CHECKS = "SELECT check_id, log, idx, developer, asked_by, at_ms, items, permitted FROM checks ORDER BY check_id";
    WRITE_CHECKS = "INSERT INTO checks (check_id, log, idx, developer, asked_by, at_ms, items, permitted) VALUES ($1, $2, \
        $3, $4, $5, $6, $7, $8)";
    READ_RECEIPT_KEYS = "SELECT kid, public, first_ms FROM receipt_keys ORDER BY kid";
    WRITE_RECEIPT_KEYS = "INSERT INTO receipt_keys (kid, public, first_ms) VALUES ($1, $2, $3)";
    READ_LOG_KEY_ENDS = "SELECT log, verifier_key, last_size, last_ms FROM log_key_ends ORDER BY log, verifier_key";
    WRITE_LOG_KEY_ENDS = "INSERT INTO log_key_ends (log, verifier_key, last_size, last_ms) VALUES ($1, $2, $3, $4)";
    READ_TOKEN_KEYS = "SELECT kid, public, first_ms FROM token_keys ORDER BY kid";
    WRITE_TOKEN_KEYS = "INSERT INTO token_keys (kid, public, first_ms) VALUES ($1, $2, $3)";
    READ_PREPARED_KEYS = "SELECT key_use, kid, node, seen_ms FROM prepared_keys ORDER BY key_use, kid, node";
    WRITE_PREPARED_KEYS = "INSERT INTO prepared_keys (key_use, kid, node, seen_ms) VALUES ($1, $2, $3, $4)";
    READ_PAYLOADS = "SELECT idx, salt, body, erased_ms FROM payloads ORDER BY idx";
    WRITE_PAYLOADS = "INSERT INTO payloads (idx, salt, body, erased_ms) VALUES ($1, $2, $3, $4)";
    READ_IDEMPOTENCY = "SELECT org, key, operation, body_digest, status, response, at_ms FROM idempotency ORDER BY org, \
        key";
    WRITE_IDEMPOTENCY = "INSERT INTO idempotency (org, key, operation, body_digest, status, response, at_ms) VALUES ($1, \
        $2, $3, $4, $5, $6, $7)";
    READ_CATALOG_WORKS = "SELECT work, kind, title, title_lang, reading, registrant, state, registered_idx, registered_ms, \
        updated_idx FROM catalog_works ORDER BY work";
    WRITE_CATALOG_WORKS = "INSERT INTO catalog_works (work, kind, title, title_lang, reading, registrant, state, \
        registered_idx, registered_ms, updated_idx) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    READ_CATALOG_TITLES = "SELECT work, seq, text, lang, reading, search_key FROM catalog_titles ORDER BY work, seq";
    WRITE_CATALOG_TITLES = "INSERT INTO catalog_titles (work, seq, text, lang, reading, search_key) VALUES ($1, $2, $3, $4, \
        $5, $6)";
    READ_CATALOG_PARTY_WORKS = "SELECT party, work, relation, idx FROM catalog_party_works ORDER BY party, work, relation";
    WRITE_CATALOG_PARTY_WORKS = "INSERT INTO catalog_party_works (party, work, relation, idx) VALUES ($1, $2, $3, $4)";
    READ_CATALOG_ORGS = "SELECT org, name, roles, state, registered_idx, registered_ms, updated_idx FROM catalog_orgs ORDER \
        BY org";
    WRITE_CATALOG_ORGS = "INSERT INTO catalog_orgs (org, name, roles, state, registered_idx, registered_ms, updated_idx) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    READ_CATALOG_MODELS = "SELECT model, developer, name, state, registered_idx, registered_ms, updated_idx FROM \
        catalog_models ORDER BY model";
    WRITE_CATALOG_MODELS = "INSERT INTO catalog_models (model, developer, name, state, registered_idx, registered_ms, \
        updated_idx) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    READ_CATALOG_HISTORY = "SELECT subject, idx, type, at_ms, party FROM catalog_history ORDER BY subject, idx";
    WRITE_CATALOG_HISTORY = "INSERT INTO catalog_history (subject, idx, type, at_ms, party) VALUES ($1, $2, $3, $4, $5)";
    READ_META = "SELECT name, value FROM meta ORDER BY name";
    WRITE_META = "INSERT INTO meta (name, value) VALUES ($1, $2)";
    READ_PEOPLE = "SELECT person, org, label, role, created_ms, removed_ms FROM people ORDER BY person";
    WRITE_PEOPLE = "INSERT INTO people (person, org, label, role, created_ms, removed_ms) VALUES ($1, $2, $3, $4, $5, \
        $6)";
    READ_API_KEYS = "SELECT id, org, person, secret_hash, prefix, scopes, label, created_ms, expires_ms, last_used_ms, \
        revoked_ms, public_key FROM api_keys ORDER BY id";
    WRITE_API_KEYS = "INSERT INTO api_keys (id, org, person, secret_hash, prefix, scopes, label, created_ms, expires_ms, \
        last_used_ms, revoked_ms, public_key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    READ_PROPOSALS = "SELECT id, org, proposed_by, operation, command, body_digest, created_ms, expires_ms, state, \
        decided_by, decided_ms, response FROM proposals ORDER BY id";
    WRITE_PROPOSALS = "INSERT INTO proposals (id, org, proposed_by, operation, command, body_digest, created_ms, \
        expires_ms, state, decided_by, decided_ms, response) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, \
        $10, $11, $12)";
    READ_CONTROL_CHALLENGES = "SELECT id, org, host, method, token, created_ms, expires_ms, proved_idx FROM control_challenges \
        ORDER BY id";
    WRITE_CONTROL_CHALLENGES = "INSERT INTO control_challenges (id, org, host, method, token, created_ms, expires_ms, proved_idx) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    READ_LOGINS = "SELECT person, email, email_key, password, changed_ms FROM logins ORDER BY person";
    WRITE_LOGINS = "INSERT INTO logins (person, email, email_key, password, changed_ms) VALUES ($1, $2, $3, $4, $5)";
    READ_MAIL_LINKS = "SELECT token_hash, person, purpose, email, created_ms, expires_ms, spent_ms FROM mail_links ORDER \
        BY token_hash";
    WRITE_MAIL_LINKS = "INSERT INTO mail_links (token_hash, person, purpose, email, created_ms, expires_ms, spent_ms) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    READ_SESSIONS = "SELECT id, person, org, family_hash, refresh_hash, client, factor_ms, created_ms, refreshed_ms, \
        expires_ms, ended_ms, ended_why FROM sessions ORDER BY id";
    WRITE_SESSIONS = "INSERT INTO sessions (id, person, org, family_hash, refresh_hash, client, factor_ms, created_ms, \
        refreshed_ms, expires_ms, ended_ms, ended_why) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, \
        $11, $12)";
    READ_SECOND_FACTORS = "SELECT person, secret, created_ms, confirmed_ms, last_step FROM second_factors ORDER BY person";
    WRITE_SECOND_FACTORS = "INSERT INTO second_factors (person, secret, created_ms, confirmed_ms, last_step) VALUES ($1, $2, \
        $3, $4, $5)";
    READ_RECOVERY_CODES = "SELECT person, code_hash, spent_ms FROM recovery_codes ORDER BY person, code_hash";
    WRITE_RECOVERY_CODES = "INSERT INTO recovery_codes (person, code_hash, spent_ms) VALUES ($1, $2, $3)";
    READ_ORG_POLICIES = "SELECT org, second_person, changed_ms, asked_by, asked_ms FROM org_policies ORDER BY org";
    WRITE_ORG_POLICIES = "INSERT INTO org_policies (org, second_person, changed_ms, asked_by, asked_ms) VALUES ($1, $2, $3, \
        $4, $5)";
    READ_REVOKED_TOKENS = "SELECT jti, expires_ms FROM revoked_tokens ORDER BY jti";
    WRITE_REVOKED_TOKENS = "INSERT INTO revoked_tokens (jti, expires_ms) VALUES ($1, $2)";
    READ_USED_ASSERTIONS = "SELECT digest, expires_ms FROM used_assertions ORDER BY digest";
    WRITE_USED_ASSERTIONS = "INSERT INTO used_assertions (digest, expires_ms) VALUES ($1, $2)";
    READ_SECURITY_EVENTS = "SELECT id, at_ms, operation, status, org, person, credential, peer, request, lost, inquiry \
        FROM security_events ORDER BY id";
    WRITE_SECURITY_EVENTS = "INSERT INTO security_events (id, at_ms, operation, status, org, person, credential, peer, \
        request, lost, inquiry) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    READ_CONTRACTORS = "SELECT id, developer, organization, created_ms, expires_ms, ended_ms FROM contractors ORDER BY id";
    WRITE_CONTRACTORS = "INSERT INTO contractors (id, developer, organization, created_ms, expires_ms, ended_ms) VALUES \
        ($1, $2, $3, $4, $5, $6)";
    READ_REGISTRATIONS = "SELECT token_hash, email, email_key, slot, name, roles, created_ms, expires_ms FROM registrations \
        ORDER BY token_hash";
    WRITE_REGISTRATIONS = "INSERT INTO registrations (token_hash, email, email_key, slot, name, roles, created_ms, \
        expires_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    READ_SIGN_INS = "SELECT token_hash, state_hash, nonce, verifier, created_ms, expires_ms, taken_ms, subject, email \
        FROM sign_ins ORDER BY token_hash";
    WRITE_SIGN_INS = "INSERT INTO sign_ins (token_hash, state_hash, nonce, verifier, created_ms, expires_ms, taken_ms, \
        subject, email) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    READ_IDENTITIES = "SELECT id, person, issuer, subject, email, created_ms, used_ms, removed_ms FROM identities \
        ORDER BY id";
    WRITE_IDENTITIES = "INSERT INTO identities (id, person, issuer, subject, email, created_ms, used_ms, removed_ms) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
}

/// How long a statement may take, without a limit, to the end of the transaction.
pub(super) const UNHURRIED: crate::store::sql::Pair = NO_HURRY;

/// Every table of the database but that of its migrations.
pub const TABLES: &[Table] = &[
    table("logs", "ttibbit", READ_LOGS, WRITE_LOGS),
    table("entries", "tiib", READ_ENTRIES, WRITE_ENTRIES),
    table("tiles", "tiib", READ_TILES, WRITE_TILES),
    table("checkpoints", "tibti", READ_CHECKPOINTS, WRITE_CHECKPOINTS),
    table("log_keys", "ttii", READ_LOG_KEYS, WRITE_LOG_KEYS),
    table("cosignatures", "titti", READ_COSIGNATURES, WRITE_COSIGNATURES),
    table("witnessed", "tibti", READ_WITNESSED, WRITE_WITNESSED),
    table("checks", "ttittiii", READ_CHECKS, WRITE_CHECKS),
    table("receipt_keys", "tbi", READ_RECEIPT_KEYS, WRITE_RECEIPT_KEYS),
    table("log_key_ends", "ttii", READ_LOG_KEY_ENDS, WRITE_LOG_KEY_ENDS),
    table("token_keys", "tbi", READ_TOKEN_KEYS, WRITE_TOKEN_KEYS),
    table("prepared_keys", "ttti", READ_PREPARED_KEYS, WRITE_PREPARED_KEYS),
    table("payloads", "ibti", READ_PAYLOADS, WRITE_PAYLOADS),
    table("idempotency", "tttbiti", READ_IDEMPOTENCY, WRITE_IDEMPOTENCY),
    table("catalog_works", "tttttttiii", READ_CATALOG_WORKS, WRITE_CATALOG_WORKS),
    table("catalog_titles", "titttt", READ_CATALOG_TITLES, WRITE_CATALOG_TITLES),
    table("catalog_party_works", "ttti", READ_CATALOG_PARTY_WORKS, WRITE_CATALOG_PARTY_WORKS),
    table("catalog_orgs", "ttttiii", READ_CATALOG_ORGS, WRITE_CATALOG_ORGS),
    table("catalog_models", "ttttiii", READ_CATALOG_MODELS, WRITE_CATALOG_MODELS),
    table("catalog_history", "titit", READ_CATALOG_HISTORY, WRITE_CATALOG_HISTORY),
    table("meta", "tt", READ_META, WRITE_META),
    table("people", "ttttii", READ_PEOPLE, WRITE_PEOPLE),
    table("api_keys", "tttbtttiiiib", READ_API_KEYS, WRITE_API_KEYS),
    table("proposals", "tttttbiittit", READ_PROPOSALS, WRITE_PROPOSALS),
    table("control_challenges", "tttttiii", READ_CONTROL_CHALLENGES, WRITE_CONTROL_CHALLENGES),
    table("logins", "tttti", READ_LOGINS, WRITE_LOGINS),
    table("mail_links", "btttiii", READ_MAIL_LINKS, WRITE_MAIL_LINKS),
    table("sessions", "tttbbtiiiiit", READ_SESSIONS, WRITE_SESSIONS),
    table("second_factors", "tbiii", READ_SECOND_FACTORS, WRITE_SECOND_FACTORS),
    table("recovery_codes", "tbi", READ_RECOVERY_CODES, WRITE_RECOVERY_CODES),
    table("org_policies", "tiiti", READ_ORG_POLICIES, WRITE_ORG_POLICIES),
    table("revoked_tokens", "ti", READ_REVOKED_TOKENS, WRITE_REVOKED_TOKENS),
    table("used_assertions", "bi", READ_USED_ASSERTIONS, WRITE_USED_ASSERTIONS),
    table("security_events", "tititttttit", READ_SECURITY_EVENTS, WRITE_SECURITY_EVENTS),
    table("contractors", "tttiii", READ_CONTRACTORS, WRITE_CONTRACTORS),
    table("registrations", "bttittii", READ_REGISTRATIONS, WRITE_REGISTRATIONS),
    table("sign_ins", "bbttiiitt", READ_SIGN_INS, WRITE_SIGN_INS),
    table("identities", "tttttiii", READ_IDENTITIES, WRITE_IDENTITIES),
];
