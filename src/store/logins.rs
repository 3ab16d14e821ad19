//! How people sign in: addresses and passwords, and what was mailed to set one.

use super::db::{Db, Tx, on_db, on_tx};
use super::error::StoreError;
use super::sql::texts;

texts! {
    LOGIN_BY_EMAIL = "SELECT l.person, p.org, l.email, l.password, l.changed_ms FROM logins l \
        JOIN people p ON p.person = l.person WHERE l.email_key = $1 AND p.removed_ms IS NULL";
    LOGIN = "SELECT l.person, p.org, l.email, l.password, l.changed_ms FROM logins l \
        JOIN people p ON p.person = l.person WHERE l.person = $1 AND p.removed_ms IS NULL";
    PUT_LOGIN = "INSERT INTO logins (person, email, email_key, password, changed_ms) VALUES ($1, $2, $3, $4, $5) \
        ON CONFLICT (person) DO UPDATE SET email = excluded.email, email_key = excluded.email_key, \
        password = excluded.password, changed_ms = excluded.changed_ms";
    EMAIL_TAKEN = "SELECT person FROM logins WHERE email_key = $1 AND person <> $2";
    DELETE_LOGIN = "DELETE FROM logins WHERE person = $1";
    /// The password as it was when it was compared. Nobody else changes it until the transaction ends.
    HOLD_LOGIN = "UPDATE logins SET changed_ms = changed_ms WHERE person = $1 AND password = $2 \
        AND person IN (SELECT person FROM people WHERE removed_ms IS NULL)";
    INSERT_LINK = "INSERT INTO mail_links (token_hash, person, purpose, email, created_ms, expires_ms) \
        VALUES ($1, $2, $3, $4, $5, $6)";
    LINK = "SELECT m.person, p.org, m.email FROM mail_links m JOIN people p ON p.person = m.person \
        WHERE m.token_hash = $1 AND m.spent_ms IS NULL AND m.expires_ms > $2 AND p.removed_ms IS NULL";
    COUNT_LINKS = "SELECT count(*) FROM mail_links WHERE person = $1 AND purpose = $2 AND spent_ms IS NULL \
        AND expires_ms > $3";
    /// Changes nothing; it keeps others from mailing to the person until the transaction ends.
    HOLD_PERSON = "UPDATE people SET label = label WHERE person = $1 AND removed_ms IS NULL";
    HAS_LOGIN = "SELECT count(*) FROM logins WHERE person = $1";
    SPEND_LINK = "UPDATE mail_links SET spent_ms = $1 WHERE token_hash = $2 AND spent_ms IS NULL AND expires_ms > $1 \
        AND person IN (SELECT person FROM people WHERE removed_ms IS NULL)";
    SPEND_LINKS_OF = "UPDATE mail_links SET spent_ms = $1 WHERE person = $2 AND spent_ms IS NULL";
    PURGE_LINKS = "DELETE FROM mail_links WHERE expires_ms <= $1";
}

/// A person who can sign in.
#[derive(Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Login {
    /// Who.
    pub person: String,
    /// The organization.
    pub org: String,
    /// The address, as it was written.
    pub email: String,
    /// The PHC string of the password.
    pub password: String,
    /// When the password was set.
    pub changed_ms: i64,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("person", &self.person).finish_non_exhaustive()
    }
}

/// What a mailed link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The first password.
    Invitation,
    /// Another password in place of a forgotten one.
    Reset,
}

impl Purpose {
    /// The word in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::Reset => "reset",
        }
    }
}

/// What is kept of a link that was mailed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailLink {
    /// SHA-256 of its token.
    pub token_hash: [u8; 32],
    /// For whom.
    pub person: String,
    /// What for.
    pub purpose: Purpose,
    /// To where.
    pub email: String,
    /// When.
    pub created_ms: i64,
    /// From when on it is refused.
    pub expires_ms: i64,
}

/// A link that can be spent.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct LiveLink {
    /// For whom it is.
    pub person: String,
    /// The organization.
    pub org: String,
    /// To where it was mailed.
    pub email: String,
}

/// The form of an address by which it is found.
pub fn email_key(email: &str) -> String {
    email.to_lowercase()
}

/// Who signs in with this address.
pub async fn by_email(db: &Db, email: &str) -> Result<Option<Login>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(LOGIN_BY_EMAIL).bind(email_key(email)).fetch_optional(pool).await)?)
}

/// How a person signs in.
pub async fn of_person(db: &Db, person: &str) -> Result<Option<Login>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(LOGIN).bind(person).fetch_optional(pool).await)?)
}

/// Sets the address and the password of a person; false, and nothing changes, if another person has the address.
pub async fn put(
    tx: &mut Tx,
    person: &str,
    email: &str,
    password: &str,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let key = email_key(email);
    on_tx!(tx, conn => {
        let taken: Option<String> =
            sqlx::query_scalar(EMAIL_TAKEN).bind(&key).bind(person).fetch_optional(&mut *conn).await?;
        if taken.is_some() {
            return Ok(false);
        }
        sqlx::query(PUT_LOGIN)
            .bind(person)
            .bind(email)
            .bind(key)
            .bind(password)
            .bind(now_ms)
            .execute(&mut *conn)
            .await?;
        Ok(true)
    })
}

/// Forgets how a person signed in, and spends what was mailed.
pub async fn delete(tx: &mut Tx, person: &str, now_ms: i64) -> Result<(), StoreError> {
    on_tx!(tx, conn => {
        sqlx::query(DELETE_LOGIN).bind(person).execute(&mut *conn).await?;
        sqlx::query(SPEND_LINKS_OF).bind(now_ms).bind(person).execute(&mut *conn).await?;
    });
    Ok(())
}

/// Whether the person stands and the password is still this one; if so, it stays so until the transaction ends.
pub async fn hold(tx: &mut Tx, person: &str, password: &str) -> Result<bool, StoreError> {
    let held = on_tx!(tx, conn => sqlx::query(HOLD_LOGIN)
        .bind(person)
        .bind(password)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(held == 1)
}

/// Adds an invitation in the place of earlier ones; false, and nothing changes, if the person has a password.
pub async fn invite(tx: &mut Tx, link: &MailLink) -> Result<bool, StoreError> {
    let is_there = hold_person(tx, &link.person).await?;
    let logins: i64 =
        on_tx!(tx, conn => sqlx::query_scalar(HAS_LOGIN).bind(&link.person).fetch_one(conn).await)?;
    if !is_there || logins > 0 {
        return Ok(false);
    }
    spend_links_of(tx, &link.person, link.created_ms).await?;
    insert_link(tx, link).await?;
    Ok(true)
}

/// Adds a reset beside earlier ones, which stay good: whoever asks in another's name does no harm. False, and nothing
/// changes, if `most` are live.
pub async fn ask_reset(tx: &mut Tx, link: &MailLink, most: i64) -> Result<bool, StoreError> {
    let is_there = hold_person(tx, &link.person).await?;
    let live: i64 = on_tx!(tx, conn => sqlx::query_scalar(COUNT_LINKS)
        .bind(&link.person)
        .bind(link.purpose.as_str())
        .bind(link.created_ms)
        .fetch_one(conn)
        .await)?;
    if !is_there || live >= most {
        return Ok(false);
    }
    insert_link(tx, link).await?;
    Ok(true)
}

async fn hold_person(tx: &mut Tx, person: &str) -> Result<bool, StoreError> {
    let held = on_tx!(tx, conn => sqlx::query(HOLD_PERSON)
        .bind(person)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(held == 1)
}

async fn insert_link(tx: &mut Tx, link: &MailLink) -> Result<(), StoreError> {
    on_tx!(tx, conn => sqlx::query(INSERT_LINK)
        .bind(link.token_hash.as_slice())
        .bind(&link.person)
        .bind(link.purpose.as_str())
        .bind(&link.email)
        .bind(link.created_ms)
        .bind(link.expires_ms)
        .execute(conn)
        .await
        .map(drop))?;
    Ok(())
}

/// A link that can be spent at `now_ms`; none if it is unknown, spent, over, or of somebody who was removed.
pub async fn link(db: &Db, token_hash: &[u8; 32], now_ms: i64) -> Result<Option<LiveLink>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(LINK)
        .bind(token_hash.as_slice())
        .bind(now_ms)
        .fetch_optional(pool)
        .await)?)
}

/// Spends a link; false if it can't be spent.
pub async fn spend_link(tx: &mut Tx, token_hash: &[u8; 32], now_ms: i64) -> Result<bool, StoreError> {
    let spent = on_tx!(tx, conn => sqlx::query(SPEND_LINK)
        .bind(now_ms)
        .bind(token_hash.as_slice())
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(spent == 1)
}

/// Spends all links of a person.
pub async fn spend_links_of(tx: &mut Tx, person: &str, now_ms: i64) -> Result<(), StoreError> {
    on_tx!(tx, conn => sqlx::query(SPEND_LINKS_OF).bind(now_ms).bind(person).execute(conn).await.map(drop))?;
    Ok(())
}

/// Deletes links whose time is up; how many.
pub async fn purge_links(tx: &mut Tx, now_ms: i64) -> Result<u64, StoreError> {
    Ok(on_tx!(tx, conn => sqlx::query(PURGE_LINKS)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?)
}
