//! Sign-ins, and the refresh tokens that keep them.

use super::db::{Db, Tx, on_db, on_tx};
use super::error::StoreError;
use super::sql::texts;

texts! {
    INSERT = "INSERT INTO sessions (id, person, org, family_hash, refresh_hash, client, factor_ms, created_ms, \
        refreshed_ms, expires_ms) VALUES ($1, $2, $3, $4, $5, $6, $9, $7, $7, $8)";
    LIVE = "SELECT s.id, s.person, s.org, s.client, s.created_ms, s.refreshed_ms, s.expires_ms, s.ended_ms, s.factor_ms, p.role \
        FROM sessions s JOIN people p ON p.person = s.person \
        WHERE s.id = $1 AND s.ended_ms IS NULL AND s.expires_ms > $2 AND p.removed_ms IS NULL";
    /// Changes nothing; it keeps others from refreshing until the transaction ends.
    FAMILY = "UPDATE sessions SET refreshed_ms = refreshed_ms \
        WHERE family_hash = $1 AND ended_ms IS NULL AND expires_ms > $2 \
        RETURNING id, person, org, refresh_hash, created_ms";
    ROTATE = "UPDATE sessions SET refresh_hash = $1, refreshed_ms = $2, expires_ms = $3 WHERE id = $4";
    LIST = "SELECT s.id, s.person, s.org, s.client, s.created_ms, s.refreshed_ms, s.expires_ms, s.ended_ms, s.factor_ms, p.role \
        FROM sessions s JOIN people p ON p.person = s.person \
        WHERE s.person = $1 AND s.ended_ms IS NULL AND s.expires_ms > $2 ORDER BY s.created_ms, s.id LIMIT $3";
    END = "UPDATE sessions SET ended_ms = $1, ended_why = $2 WHERE id = $3 AND person = $4 AND ended_ms IS NULL";
    SET_FACTOR = "UPDATE sessions SET factor_ms = $1 WHERE id = $2";
    FORGET_FACTOR = "UPDATE sessions SET factor_ms = NULL WHERE person = $1";
    IS_OF = "SELECT count(*) FROM sessions WHERE id = $1 AND person = $2";
    END_OF_PERSON = "UPDATE sessions SET ended_ms = $1, ended_why = $2 WHERE person = $3 AND id <> $4 \
        AND ended_ms IS NULL";
    END_OF_ORG = "UPDATE sessions SET ended_ms = $1, ended_why = $2 WHERE org = $3 AND ended_ms IS NULL";
    COUNT_LIVE = "SELECT count(*) FROM sessions WHERE person = $1 AND ended_ms IS NULL AND expires_ms > $2";
    END_OLDEST = "UPDATE sessions SET ended_ms = $1, ended_why = 'signed_out' WHERE id IN (SELECT id FROM sessions \
        WHERE person = $2 AND ended_ms IS NULL AND expires_ms > $1 ORDER BY refreshed_ms, id LIMIT $3)";
    PURGE = "DELETE FROM sessions WHERE expires_ms <= $1";
}

/// The most sign-ins of one person that are live at a time; one more ends the one that was used the longest ago.
pub const MAX_LIVE: i64 = 20;

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The person signed out, here or there.
    SignedOut,
    /// A refresh token was used twice: one of the two who did so stole it.
    Reused,
    /// The password was changed.
    Password,
    /// A second factor was set up or taken off.
    Factor,
    /// The person was removed.
    Removed,
    /// The organization was suspended.
    Suspended,
}

impl Ended {
    /// The word in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::Reused => "reused",
            Self::Password => "password",
            Self::Factor => "factor",
            Self::Removed => "removed",
            Self::Suspended => "suspended",
        }
    }
}

/// A session to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// Its id.
    pub id: String,
    /// Who signed in.
    pub person: String,
    /// The organization.
    pub org: String,
    /// SHA-256 of what all refresh tokens of the session share.
    pub family_hash: [u8; 32],
    /// SHA-256 of what the first one has alone.
    pub refresh_hash: [u8; 32],
    /// What the client called itself.
    pub client: String,
    /// Whether a second factor was shown.
    pub factor: bool,
    /// When.
    pub created_ms: i64,
    /// From when on it is over, unless it is refreshed.
    pub expires_ms: i64,
}

/// A live session.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// Who signed in.
    pub person: String,
    /// The organization.
    pub org: String,
    /// What the client called itself.
    pub client: String,
    /// When it began.
    pub created_ms: i64,
    /// When it was last refreshed.
    pub refreshed_ms: i64,
    /// From when on it is over, unless it is refreshed.
    pub expires_ms: i64,
    /// When it ended.
    pub ended_ms: Option<i64>,
    /// When a second factor was shown, if one was.
    pub factor_ms: Option<i64>,
    /// What the person may do within the organization.
    pub role: String,
}

/// A live session as its refresh token names it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Family {
    /// Its id.
    pub id: String,
    /// Who signed in.
    pub person: String,
    /// The organization.
    pub org: String,
    /// SHA-256 of what the last refresh token has alone.
    pub refresh_hash: Vec<u8>,
    /// When it began.
    pub created_ms: i64,
}

/// Begins a session.
pub async fn insert(tx: &mut Tx, session: &NewSession) -> Result<(), StoreError> {
    on_tx!(tx, conn => {
        let live: i64 = sqlx::query_scalar(COUNT_LIVE)
            .bind(&session.person)
            .bind(session.created_ms)
            .fetch_one(&mut *conn)
            .await?;
        if live >= MAX_LIVE {
            sqlx::query(END_OLDEST)
                .bind(session.created_ms)
                .bind(&session.person)
                .bind(live - MAX_LIVE + 1)
                .execute(&mut *conn)
                .await?;
        }
        sqlx::query(INSERT)
            .bind(&session.id)
            .bind(&session.person)
            .bind(&session.org)
            .bind(session.family_hash.as_slice())
            .bind(session.refresh_hash.as_slice())
            .bind(&session.client)
            .bind(session.created_ms)
            .bind(session.expires_ms)
            .bind(session.factor.then_some(session.created_ms))
            .execute(&mut *conn)
            .await?;
    });
    Ok(())
}

/// The session `id`, if it is neither ended nor over at `now_ms` and its person was not removed.
pub async fn live(db: &Db, id: &str, now_ms: i64) -> Result<Option<Session>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(LIVE).bind(id).bind(now_ms).fetch_optional(pool).await)?)
}

/// The live session of a family; nobody else refreshes it until the transaction ends.
pub async fn family(tx: &mut Tx, family_hash: &[u8; 32], now_ms: i64) -> Result<Option<Family>, StoreError> {
    Ok(on_tx!(tx, conn => sqlx::query_as(FAMILY)
        .bind(family_hash.as_slice())
        .bind(now_ms)
        .fetch_optional(conn)
        .await)?)
}

/// Puts another refresh token in the place of the last one.
pub async fn rotate(
    tx: &mut Tx,
    id: &str,
    refresh_hash: &[u8; 32],
    now_ms: i64,
    expires_ms: i64,
) -> Result<(), StoreError> {
    on_tx!(tx, conn => sqlx::query(ROTATE)
        .bind(refresh_hash.as_slice())
        .bind(now_ms)
        .bind(expires_ms)
        .bind(id)
        .execute(conn)
        .await
        .map(drop))?;
    Ok(())
}

/// The live sessions of a person, by id; there are at most [`MAX_LIVE`].
pub async fn list(db: &Db, person: &str, now_ms: i64) -> Result<Vec<Session>, StoreError> {
    Ok(
        on_db!(db, pool => sqlx::query_as(LIST).bind(person).bind(now_ms).bind(MAX_LIVE).fetch_all(pool).await)?,
    )
}

/// Ends a session of a person; false if there is none that is live.
pub async fn end(tx: &mut Tx, id: &str, person: &str, why: Ended, now_ms: i64) -> Result<bool, StoreError> {
    let ended = on_tx!(tx, conn => sqlx::query(END)
        .bind(now_ms)
        .bind(why.as_str())
        .bind(id)
        .bind(person)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(ended == 1)
}

/// Notes that a second factor was shown in a session.
pub async fn set_factor(tx: &mut Tx, id: &str, now_ms: i64) -> Result<(), StoreError> {
    on_tx!(tx, conn => sqlx::query(SET_FACTOR).bind(now_ms).bind(id).execute(conn).await.map(drop))?;
    Ok(())
}

/// Forgets in all sessions of a person that a second factor was shown: there is none any more.
pub async fn forget_factor(tx: &mut Tx, person: &str) -> Result<(), StoreError> {
    on_tx!(tx, conn => sqlx::query(FORGET_FACTOR).bind(person).execute(conn).await.map(drop))?;
    Ok(())
}

/// Whether the session, live or not, is one of this person.
pub async fn is_of(tx: &mut Tx, id: &str, person: &str) -> Result<bool, StoreError> {
    let found: i64 =
        on_tx!(tx, conn => sqlx::query_scalar(IS_OF).bind(id).bind(person).fetch_one(conn).await)?;
    Ok(found == 1)
}

/// Ends all sessions of a person but `except`; how many.
pub async fn end_of_person(
    tx: &mut Tx,
    person: &str,
    except: Option<&str>,
    why: Ended,
    now_ms: i64,
) -> Result<u64, StoreError> {
    Ok(on_tx!(tx, conn => sqlx::query(END_OF_PERSON)
        .bind(now_ms)
        .bind(why.as_str())
        .bind(person)
        .bind(except.unwrap_or_default())
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?)
}

/// Ends all sessions of an organization; how many.
pub async fn end_of_org(tx: &mut Tx, org: &str, why: Ended, now_ms: i64) -> Result<u64, StoreError> {
    Ok(on_tx!(tx, conn => sqlx::query(END_OF_ORG)
        .bind(now_ms)
        .bind(why.as_str())
        .bind(org)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?)
}

/// Deletes sessions whose time was up before `before_ms`; how many.
pub async fn purge(tx: &mut Tx, before_ms: i64) -> Result<u64, StoreError> {
    Ok(on_tx!(tx, conn => sqlx::query(PURGE)
        .bind(before_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?)
}
