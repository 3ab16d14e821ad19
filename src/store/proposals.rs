//! Commands that wait for a second person.

use super::db::{Db, Tx, on_db, on_tx};
use super::error::StoreError;
use super::sql::texts;

texts! {
    INSERT = "INSERT INTO proposals (id, org, proposed_by, operation, command, body_digest, created_ms, expires_ms, \
        state) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'waiting')";
    FIND = "SELECT id, org, proposed_by, operation, command, body_digest, created_ms, expires_ms, state, decided_by, \
        decided_ms, response FROM proposals WHERE id = $1";
    LIST = "SELECT id, org, proposed_by, operation, command, body_digest, created_ms, expires_ms, state, decided_by, \
        decided_ms, response FROM proposals WHERE org = $1 AND state = $2 AND id > $3 ORDER BY id LIMIT $4";
    CARRIED_OUT = "SELECT id, org, proposed_by, operation, command, body_digest, created_ms, expires_ms, state, decided_by, \
        decided_ms, response FROM proposals WHERE org = $1 AND state = 'approved' AND decided_ms = $2 ORDER BY id";
    REWRITE = "UPDATE proposals SET command = $1, body_digest = $2 WHERE id = $3";
    /// Changes nothing; it keeps others from deciding until the transaction ends.
    HOLD = "UPDATE proposals SET state = state WHERE id = $1 AND state = 'waiting' AND expires_ms > $2 \
        AND proposed_by <> $3";
    DECIDE = "UPDATE proposals SET state = $1, decided_by = $2, decided_ms = $3, response = $4 \
        WHERE id = $5 AND state = 'waiting' AND expires_ms > $3 AND (proposed_by <> $2 OR $1 = 'withdrawn')";
}

/// What became of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProposalState {
    /// Nobody has decided yet; after its time it waits in vain.
    Waiting,
    /// A second person approved, and it was carried out.
    Approved,
    /// A second person rejected it.
    Rejected,
    /// The one who proposed it, or a colleague, took it back.
    Withdrawn,
}

impl ProposalState {
    /// The word in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl TryFrom<String> for ProposalState {
    type Error = StoreError;

    fn try_from(word: String) -> Result<Self, StoreError> {
        [Self::Waiting, Self::Approved, Self::Rejected, Self::Withdrawn]
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or_else(|| StoreError::Corrupt(format!("a proposal is `{word}`")))
    }
}

/// A command that waits, or waited, for a second person.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Proposal {
    /// Its id.
    pub id: String,
    /// The organization whose people decide.
    pub org: String,
    /// The person who proposed it.
    pub proposed_by: String,
    /// Which operation.
    pub operation: String,
    /// The command, as JSON.
    pub command: String,
    /// SHA-256 of the command: what the second person approves.
    pub body_digest: Vec<u8>,
    /// When it was proposed.
    pub created_ms: i64,
    /// From when on nobody can approve it.
    pub expires_ms: i64,
    /// What became of it.
    #[sqlx(try_from = "String")]
    pub state: ProposalState,
    /// The person who decided.
    pub decided_by: Option<String>,
    /// When.
    pub decided_ms: Option<i64>,
    /// What the command answered when it was carried out.
    pub response: Option<String>,
}

/// Adds a proposal, waiting whatever its fields say.
pub async fn insert(tx: &mut Tx, proposal: &Proposal) -> Result<(), StoreError> {
    on_tx!(tx, conn => sqlx::query(INSERT)
        .bind(&proposal.id)
        .bind(&proposal.org)
        .bind(&proposal.proposed_by)
        .bind(&proposal.operation)
        .bind(&proposal.command)
        .bind(&proposal.body_digest)
        .bind(proposal.created_ms)
        .bind(proposal.expires_ms)
        .execute(conn)
        .await
        .map(drop))?;
    Ok(())
}

/// The proposal `id`.
pub async fn find(db: &Db, id: &str) -> Result<Option<Proposal>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(FIND).bind(id).fetch_optional(pool).await)?)
}

/// The proposals of an organization in one state, by id.
pub async fn list(
    db: &Db,
    org: &str,
    state: ProposalState,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Proposal>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(LIST)
        .bind(org)
        .bind(state.as_str())
        .bind(after.unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await)?)
}

/// What an organization carried out at this moment.
pub async fn carried_out(tx: &mut Tx, org: &str, decided_ms: i64) -> Result<Vec<Proposal>, StoreError> {
    Ok(on_tx!(tx, conn => sqlx::query_as(CARRIED_OUT).bind(org).bind(decided_ms).fetch_all(conn).await)?)
}

/// Writes another command, which was carried out, in the place of the one that stands there.
pub async fn rewrite(tx: &mut Tx, id: &str, command: &str, body_digest: &[u8]) -> Result<(), StoreError> {
    on_tx!(tx, conn => sqlx::query(REWRITE)
        .bind(command)
        .bind(body_digest)
        .bind(id)
        .execute(conn)
        .await
        .map(drop))?;
    Ok(())
}

/// Whether `person` can approve it now; if so, nobody else decides it until the transaction ends.
pub async fn hold(tx: &mut Tx, id: &str, person: &str, now_ms: i64) -> Result<bool, StoreError> {
    let held = on_tx!(tx, conn => sqlx::query(HOLD)
        .bind(id)
        .bind(now_ms)
        .bind(person)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(held == 1)
}

/// Decides a proposal, in the transaction that carries it out. False, and nothing changes, if it is decided already,
/// its time is up, or `person` proposed it and does not withdraw it.
pub async fn decide(
    tx: &mut Tx,
    id: &str,
    person: &str,
    state: ProposalState,
    response: Option<&str>,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let decided = on_tx!(tx, conn => sqlx::query(DECIDE)
        .bind(state.as_str())
        .bind(person)
        .bind(now_ms)
        .bind(response)
        .bind(id)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(decided == 1)
}
