//! People and their keys. A person is an opaque id to the log; what stands here can be removed without touching it.

use super::db::{Db, Tx, on_db, on_tx};
use super::error::StoreError;
use super::heads;
use super::sql::texts;
use crate::log::merkle::TreeHead;

/// How many keys a person may have that are neither revoked nor expired: one in use, and its successor.
pub const MAX_LIVE_KEYS: i64 = 2;

/// The last use of a key is noted at most this often.
pub const TOUCH_INTERVAL_MS: i64 = 60_000;

texts! {
    INSERT_PERSON = "INSERT INTO people (person, org, label, role, created_ms, removed_ms) \
        VALUES ($1, $2, $3, $4, $5, $6)";
    PERSON = "SELECT person, org, label, role, created_ms, removed_ms FROM people WHERE person = $1";
    PEOPLE = "SELECT person, org, label, role, created_ms, removed_ms FROM people \
        WHERE org = $1 AND person > $2 ORDER BY person LIMIT $3";
    HAD_PEOPLE = "SELECT count(*) FROM people WHERE org = $1";
    /// What gave anybody access to an organization besides the first person as such.
    HAD_ACCESS = "SELECT (SELECT count(*) FROM people WHERE org = $1) - 1 + (SELECT count(*) FROM api_keys WHERE org = $1)";
    COUNT_ADMINS = "SELECT count(*) FROM people WHERE org = $1 AND role = 'admin' AND removed_ms IS NULL";
    REMOVE_PERSON = "UPDATE people SET removed_ms = $1 WHERE person = $2 AND org = $3 AND removed_ms IS NULL";
    /// Two keys made at once must see each other, so each locks the person first.
    LOCK_PERSON = "SELECT org FROM people WHERE person = $1 AND removed_ms IS NULL",
        "SELECT org FROM people WHERE person = $1 AND removed_ms IS NULL FOR UPDATE";
    COUNT_LIVE_KEYS = "SELECT count(*) FROM api_keys WHERE person = $1 AND revoked_ms IS NULL \
        AND (expires_ms IS NULL OR expires_ms > $2)";
    INSERT_KEY = "INSERT INTO api_keys (id, org, person, secret_hash, prefix, scopes, label, created_ms, expires_ms, public_key) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    FIND_KEY = "SELECT k.id, k.org, k.person, k.prefix, k.scopes, k.label, k.created_ms, k.expires_ms, \
        k.last_used_ms, k.revoked_ms, k.public_key, p.role, \
        (SELECT size FROM logs WHERE log = $3) AS acts_size, (SELECT root FROM logs WHERE log = $3) AS acts_root \
        FROM api_keys k JOIN people p ON p.person = k.person \
        WHERE k.secret_hash = $1 AND k.public_key IS NULL AND k.revoked_ms IS NULL AND p.removed_ms IS NULL \
        AND (k.expires_ms IS NULL OR k.expires_ms > $2)";
    LIVE_KEY = "SELECT k.id, k.org, k.person, k.prefix, k.scopes, k.label, k.created_ms, k.expires_ms, \
        k.last_used_ms, k.revoked_ms, k.public_key, p.role, \
        (SELECT size FROM logs WHERE log = $4) AS acts_size, (SELECT root FROM logs WHERE log = $4) AS acts_root \
        FROM api_keys k JOIN people p ON p.person = k.person \
        WHERE k.id = $1 AND k.revoked_ms IS NULL AND p.removed_ms IS NULL \
        AND (k.expires_ms IS NULL OR k.expires_ms > $2) \
        AND NOT EXISTS (SELECT 1 FROM revoked_tokens r WHERE r.jti = $3)";
    KEY = "SELECT id, org, person, prefix, scopes, label, created_ms, expires_ms, last_used_ms, revoked_ms, public_key \
        FROM api_keys WHERE id = $1";
    KEYS = "SELECT id, org, person, prefix, scopes, label, created_ms, expires_ms, last_used_ms, revoked_ms, public_key \
        FROM api_keys WHERE org = $1 AND id > $2 ORDER BY id LIMIT $3";
    KEYS_OF_PERSON = "SELECT id, org, person, prefix, scopes, label, created_ms, expires_ms, last_used_ms, revoked_ms, public_key \
        FROM api_keys WHERE person = $1 AND id > $2 ORDER BY id LIMIT $3";
    TOUCH_KEY = "UPDATE api_keys SET last_used_ms = $1 WHERE id = $2 \
        AND (last_used_ms IS NULL OR last_used_ms <= $3)";
    REVOKE_KEY = "UPDATE api_keys SET revoked_ms = $1 WHERE id = $2 AND org = $3 AND revoked_ms IS NULL";
    REVOKE_KEYS_OF = "UPDATE api_keys SET revoked_ms = $1 WHERE person = $2 AND revoked_ms IS NULL";
}

/// A person of an organization.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Person {
    /// The opaque id, the only thing about the person that the log knows.
    pub person: String,
    /// The organization.
    pub org: String,
    /// What colleagues call the person.
    pub label: String,
    /// What the person may do within the organization: `admin`, `editor` or `viewer`.
    pub role: String,
    /// When the person was added.
    pub created_ms: i64,
    /// When the person was removed.
    pub removed_ms: Option<i64>,
}

/// A key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ApiKey {
    /// Its id.
    pub id: String,
    /// The organization it speaks for.
    pub org: String,
    /// The person it belongs to.
    pub person: String,
    /// The first characters of the secret, for lists.
    pub prefix: String,
    /// What it may be used for, with a blank between the words.
    pub scopes: String,
    /// What its owner calls it.
    pub label: String,
    /// When it was made.
    pub created_ms: i64,
    /// From when on it is refused.
    pub expires_ms: Option<i64>,
    /// When it was last used, to the minute.
    pub last_used_ms: Option<i64>,
    /// When it was revoked.
    pub revoked_ms: Option<i64>,
    /// The 32 bytes of an Ed25519 key, where the owner proves itself by signing and there is no secret.
    pub public_key: Option<Vec<u8>>,
}

/// A live key, and the role of the person it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct LiveKey {
    /// The key.
    #[sqlx(flatten)]
    pub key: ApiKey,
    /// [`Person::role`].
    pub role: String,
}

/// A live key, and the head of the act log at the same moment, where there is any.
#[derive(sqlx::FromRow)]
struct KeyAndHead {
    #[sqlx(flatten)]
    key: LiveKey,
    acts_size: Option<i64>,
    acts_root: Option<Vec<u8>>,
}

impl KeyAndHead {
    fn read(self) -> Result<(LiveKey, TreeHead), StoreError> {
        let head = match self.acts_size.zip(self.acts_root) {
            Some((size, root)) => heads::tree(heads::ACTS, size, &root)?,
            None => TreeHead::EMPTY,
        };
        Ok((self.key, head))
    }
}

/// Adds a person.
pub async fn insert_person(tx: &mut Tx, person: &Person) -> Result<(), StoreError> {
    on_tx!(tx, conn => sqlx::query(INSERT_PERSON)
        .bind(&person.person)
        .bind(&person.org)
        .bind(&person.label)
        .bind(&person.role)
        .bind(person.created_ms)
        .bind(person.removed_ms)
        .execute(conn)
        .await
        .map(drop))?;
    Ok(())
}

/// The person `id`, removed or not.
pub async fn person(db: &Db, id: &str) -> Result<Option<Person>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(PERSON).bind(id).fetch_optional(pool).await)?)
}

/// The people of an organization, removed ones too, by id.
pub async fn people(db: &Db, org: &str, after: Option<&str>, limit: u32) -> Result<Vec<Person>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(PEOPLE)
        .bind(org)
        .bind(after.unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await)?)
}

/// Whether anybody stands, or ever stood, for the organization.
pub async fn had_people(tx: &mut Tx, org: &str) -> Result<bool, StoreError> {
    let found: i64 = on_tx!(tx, conn => sqlx::query_scalar(HAD_PEOPLE).bind(org).fetch_one(conn).await)?;
    Ok(found > 0)
}

/// Whether anybody but a first person, or any key, ever gave access to the organization.
pub async fn had_access(tx: &mut Tx, org: &str) -> Result<bool, StoreError> {
    let found: i64 = on_tx!(tx, conn => sqlx::query_scalar(HAD_ACCESS).bind(org).fetch_one(conn).await)?;
    Ok(found > 0)
}

/// How many admins stand for the organization.
pub async fn admins(tx: &mut Tx, org: &str) -> Result<i64, StoreError> {
    Ok(on_tx!(tx, conn => sqlx::query_scalar(COUNT_ADMINS).bind(org).fetch_one(conn).await)?)
}

/// Removes a person of `org` and revokes all keys of the person; false if there is no such person.
pub async fn remove_person(tx: &mut Tx, org: &str, id: &str, now_ms: i64) -> Result<bool, StoreError> {
    on_tx!(tx, conn => {
        let removed = sqlx::query(REMOVE_PERSON).bind(now_ms).bind(id).bind(org).execute(&mut *conn).await?;
        if removed.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query(REVOKE_KEYS_OF).bind(now_ms).bind(id).execute(&mut *conn).await?;
        Ok(true)
    })
}

/// Adds a key whose whole secret has the SHA-256 `secret_hash`. [`ApiKey::last_used_ms`] and
/// [`ApiKey::revoked_ms`] are not stored.
///
/// # Errors
/// [`StoreError::Limit`] when the person has two live keys; [`StoreError::Conflict`] when the person is not one of
/// the organization, or was removed.
pub async fn insert_key(tx: &mut Tx, key: &ApiKey, secret_hash: &[u8; 32]) -> Result<(), StoreError> {
    let lock = LOCK_PERSON.of(tx.engine());
    on_tx!(tx, conn => {
        let org: Option<String> = sqlx::query_scalar(lock).bind(&key.person).fetch_optional(&mut *conn).await?;
        if org.as_ref() != Some(&key.org) {
            let (person, org) = (&key.person, &key.org);
            return Err(StoreError::Conflict(format!("`{person}` is not a person of `{org}`")));
        }
        let live: i64 = sqlx::query_scalar(COUNT_LIVE_KEYS)
            .bind(&key.person)
            .bind(key.created_ms)
            .fetch_one(&mut *conn)
            .await?;
        if live >= MAX_LIVE_KEYS {
            return Err(StoreError::Limit(format!(
                "`{}` has {live} live keys, and {MAX_LIVE_KEYS} are allowed: revoke one first",
                key.person
            )));
        }
        sqlx::query(INSERT_KEY)
            .bind(&key.id)
            .bind(&key.org)
            .bind(&key.person)
            .bind(secret_hash.as_slice())
            .bind(&key.prefix)
            .bind(&key.scopes)
            .bind(&key.label)
            .bind(key.created_ms)
            .bind(key.expires_ms)
            .bind(key.public_key.as_deref())
            .execute(&mut *conn)
            .await?;
    });
    Ok(())
}

/// The live key with this hash: not revoked, not expired at `now_ms`, of a person who was not removed; and the head of the
/// act log at the same moment.
pub async fn find_key(
    db: &Db,
    secret_hash: &[u8; 32],
    now_ms: i64,
) -> Result<Option<(LiveKey, TreeHead)>, StoreError> {
    let found: Option<KeyAndHead> = on_db!(db, pool => sqlx::query_as(FIND_KEY)
        .bind(secret_hash.as_slice())
        .bind(now_ms)
        .bind(heads::ACTS)
        .fetch_optional(pool)
        .await)?;
    found.map(KeyAndHead::read).transpose()
}

/// The live key `id`, unless the token `jti` that was issued to it is revoked; and the head of the act log at the same moment.
pub async fn live_key(
    db: &Db,
    id: &str,
    jti: &str,
    now_ms: i64,
) -> Result<Option<(LiveKey, TreeHead)>, StoreError> {
    let found: Option<KeyAndHead> = on_db!(db, pool => sqlx::query_as(LIVE_KEY)
        .bind(id)
        .bind(now_ms)
        .bind(jti)
        .bind(heads::ACTS)
        .fetch_optional(pool)
        .await)?;
    found.map(KeyAndHead::read).transpose()
}

/// The key `id`, live or not.
pub async fn key(db: &Db, id: &str) -> Result<Option<ApiKey>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(KEY).bind(id).fetch_optional(pool).await)?)
}

/// The keys of an organization, dead ones too, by id.
pub async fn keys(db: &Db, org: &str, after: Option<&str>, limit: u32) -> Result<Vec<ApiKey>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(KEYS)
        .bind(org)
        .bind(after.unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await)?)
}

/// The keys of a person, dead ones too, by id.
pub async fn keys_of_person(
    db: &Db,
    person: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<ApiKey>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(KEYS_OF_PERSON)
        .bind(person)
        .bind(after.unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await)?)
}

/// Notes that a key was used; false if that was noted within the minute before.
pub async fn touch_key(tx: &mut Tx, id: &str, now_ms: i64) -> Result<bool, StoreError> {
    let touched = on_tx!(tx, conn => sqlx::query(TOUCH_KEY)
        .bind(now_ms)
        .bind(id)
        .bind(now_ms.saturating_sub(TOUCH_INTERVAL_MS))
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(touched == 1)
}

/// Revokes a key of `org`; false if it has no such key, or revoked it before.
pub async fn revoke_key(tx: &mut Tx, org: &str, id: &str, now_ms: i64) -> Result<bool, StoreError> {
    let revoked = on_tx!(tx, conn => sqlx::query(REVOKE_KEY)
        .bind(now_ms)
        .bind(id)
        .bind(org)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(revoked == 1)
}
