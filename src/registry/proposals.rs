//! Commands that wait for a second person: of the registrar (R6), and of organizations that ask for it.
//!
//! A command that would be admitted but for a second person is kept, not recorded: 202, and a proposal. Another
//! person of the same organization approves it, and only then it is admitted again and recorded, with both persons in
//! it. Nobody approves what the same person proposed, whatever key is used; of two who approve at once, one record
//! comes about.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::accounts::{AccountChange, NOT_WAITING, before, detached};
use super::answer::{Answer, Kept, keep, moment};
use super::authority::{Actor, Proof, Verified, submission};
use super::failure::Failure;
use super::node::Registry;
use super::sequencer::{Once, Submission, SubmitError, Submitted};
use crate::domain::act::Act;
use crate::domain::admit::Refusal;
use crate::domain::ids::{OrgId, PersonId, ProposalId};
use crate::domain::key::Sha256;
use crate::domain::payload::Payload;
use crate::store::proposals::{self as tables, Proposal, ProposalState};
use crate::store::{StoreError, Tx, idempotency};

/// How long a proposal waits: 14 days.
pub const WAIT_MS: i64 = 14 * 24 * 60 * 60 * 1_000;

/// A command as it waits.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Waiting {
    on_behalf_of: Option<OrgId>,
    acts: Vec<WaitingAct>,
    answer: Answer,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WaitingAct {
    act: Act,
    payload: Option<Payload>,
    /// Whether the payload was erased since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    erased: bool,
}

/// What is shown of a waiting command: everything that would be recorded.
#[derive(Serialize)]
struct Shown<'a> {
    on_behalf_of: Option<OrgId>,
    acts: &'a [WaitingAct],
}

/// A proposal as the people of its organization see it.
#[derive(Clone, Debug, Serialize)]
pub struct ProposalView {
    /// Its id.
    pub proposal: String,
    /// The operation that it would carry out.
    pub operation: String,
    /// `waiting`, `approved`, `rejected`, `withdrawn` or `expired`.
    pub state: &'static str,
    /// Who proposed it.
    pub proposed_by: String,
    /// When.
    pub created: String,
    /// From when on it can't be approved.
    pub expires: String,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When.
    pub decided: Option<String>,
    /// The SHA-256 of the command.
    pub digest: String,
    /// What would be recorded.
    pub command: Box<RawValue>,
}

/// Records a submission; or, where a second person is all that it lacks, keeps it as a proposal and
/// answers 202 with `proposal` and `expires_at`. The answer is `answer` once it is recorded, now or by the approval.
pub(super) async fn submit_or_propose(
    registry: &Registry,
    by: &impl Proof,
    mut submission: Submission,
    answer: Answer,
) -> Result<Submitted, Failure> {
    submission.body = answer.clone().body();
    match registry.submit(submission.clone()).await {
        Err(SubmitError::Refused(refusals)) if waits(&refusals) => {
            propose(registry, by.actor(), submission, answer).await
        }
        other => Ok(other?),
    }
}

fn waits(refusals: &[Refusal]) -> bool {
    !refusals.is_empty() && refusals.iter().all(Refusal::is_second_person_required)
}

/// The answer to a proposal.
#[derive(Serialize)]
struct Proposed {
    proposal: ProposalId,
    expires_at: String,
}

async fn propose(
    registry: &Registry,
    actor: &Actor,
    submission: Submission,
    answer: Answer,
) -> Result<Submitted, Failure> {
    let acts = submission
        .acts
        .into_iter()
        .map(|(act, payload)| WaitingAct { act, payload, erased: false })
        .collect();
    let waiting = Waiting { on_behalf_of: submission.on_behalf_of, acts, answer };
    let command = serde_json::to_string(&waiting).map_err(|error| Failure::Unavailable(error.to_string()))?;
    let (id, now_ms) = (ProposalId::new(registry.clock().new_uuid()), registry.clock().now_ms());
    let expires_ms = now_ms.saturating_add(WAIT_MS);
    let once = submission.once;
    let row = Proposal {
        id: id.to_string(),
        org: actor.org().to_string(),
        proposed_by: actor.person().to_string(),
        operation: once.as_ref().map_or("", |once| once.operation).to_owned(),
        body_digest: Sha256::of(command.as_bytes()).0.to_vec(),
        command,
        created_ms: now_ms,
        expires_ms,
        state: ProposalState::Waiting,
        decided_by: None,
        decided_ms: None,
        response: None,
    };
    let told = Proposed { proposal: id, expires_at: moment(expires_ms) };
    let body = keep(Some(format!("/v1/proposals/{id}")), None, &told);
    let (db, org) = (registry.db().clone(), actor.org());
    let done = detached(async move {
        let mut tx = db.begin().await?;
        if let Some(once) = &once {
            if let Some(answered) = before(&mut tx, org, once, now_ms).await? {
                return Ok(answered);
            }
            let answer = once.answered(202, body.clone(), now_ms);
            idempotency::insert(&mut tx, &org.to_string(), &once.key, &answer).await?;
        }
        tables::insert(&mut tx, &row).await?;
        tx.commit().await?;
        Ok(Ok(Submitted { recorded: None, status: 202, body }))
    });
    Ok(done.await??)
}

/// Carries out a proposal as its second person. When it is approved already, the answer is the one that was given.
///
/// # Errors
/// [`Failure::Forbidden`] for the person who proposed it, [`Failure::SecondFactor`] for a session that began without one, [`Failure::Conflict`] when it was rejected or its time is up, a
/// refusal when the rules do not admit it any more; it then goes on waiting.
pub async fn approve(registry: &Registry, by: &Verified, id: ProposalId) -> Result<Submitted, Failure> {
    let row = find(registry, by, id).await?;
    if !by.actor().has_factor() {
        return Err(Failure::SecondFactor("approving needs a second factor"));
    }
    if row.proposed_by == by.actor().person().to_string() {
        return Err(Failure::Forbidden("you proposed it: another person must approve".to_owned()));
    }
    if let Some(answered) = approved(&row) {
        return Ok(answered);
    }
    must_wait(registry, &row)?;
    let command: Waiting = read(&row)?;
    let first: PersonId = row.proposed_by.parse().map_err(|_| corrupt(&row, "its person"))?;
    let acts = command.acts.into_iter().map(|waiting| (waiting.act, waiting.payload)).collect();
    // No client's key holds a blank, so this one is nobody else's.
    let digest = Sha256::of(row.command.as_bytes()).0;
    let once = Once { key: format!("proposal {id}"), operation: "approveProposal", digest };
    let mut submission = submission(by, command.on_behalf_of, acts, Some(once), command.answer.body());
    submission.by = vec![first, by.actor().person()];
    submission.accounts = vec![AccountChange::Approve { proposal: id.to_string(), by: by.actor().person() }];
    match registry.submit(submission).await {
        Err(SubmitError::Refused(refusals)) if refusals.iter().any(|refusal| refusal.code == NOT_WAITING) => {
            Err(Failure::Conflict(format!("`{id}` was decided meanwhile")))
        }
        other => Ok(other?),
    }
}

/// Rejects a proposal of a colleague, or withdraws one's own. Doing so again changes nothing.
pub async fn reject(registry: &Registry, by: &Verified, id: ProposalId) -> Result<ProposalView, Failure> {
    let row = find(registry, by, id).await?;
    if !matches!(row.state, ProposalState::Rejected | ProposalState::Withdrawn) {
        must_wait(registry, &row)?;
        let person = by.actor().person().to_string();
        let own = row.proposed_by == person;
        let state = if own { ProposalState::Withdrawn } else { ProposalState::Rejected };
        let (db, now_ms) = (registry.db().clone(), registry.clock().now_ms());
        let decided = detached(async move {
            let mut tx = db.begin().await?;
            let decided = tables::decide(&mut tx, &row.id, &person, state, None, now_ms).await?;
            tx.commit().await?;
            Ok(decided)
        });
        if !decided.await? {
            return Err(Failure::Conflict(format!("`{id}` was decided meanwhile")));
        }
    }
    one(registry, by, id).await
}

/// A proposal of the caller's organization.
pub async fn one(registry: &Registry, by: &Verified, id: ProposalId) -> Result<ProposalView, Failure> {
    view(&find(registry, by, id).await?, registry.clock().now_ms())
}

/// The proposals of the caller's organization in one state, by id: oldest first. Those whose time is up are among the
/// waiting ones, shown as `expired`.
pub async fn list(
    registry: &Registry,
    by: &Verified,
    state: ProposalState,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<ProposalView>, Failure> {
    let rows = tables::list(registry.db(), &by.actor().org().to_string(), state, after, limit).await?;
    let now_ms = registry.clock().now_ms();
    rows.iter().map(|row| view(row, now_ms)).collect()
}

/// Takes what people read of an entry out of the commands of an organization that were carried out at this moment, as far as they
/// recorded it. When those were proposed.
pub(super) async fn forget(
    tx: &mut Tx,
    org: &str,
    decided_ms: i64,
    entry: u64,
) -> Result<Vec<i64>, StoreError> {
    let mut proposed = Vec::new();
    for row in tables::carried_out(tx, org, decided_ms).await? {
        let broken = |what: &str| StoreError::Corrupt(format!("the proposal `{}` is broken: {what}", row.id));
        let answer = row.response.as_deref().map(serde_json::from_str::<Kept>).transpose();
        let first = answer.map_err(|_| broken("its answer"))?.and_then(|answer| answer.entry);
        let place = first.and_then(|first| usize::try_from(entry.checked_sub(first)?).ok());
        let mut command: Waiting = serde_json::from_str(&row.command).map_err(|_| broken("its command"))?;
        let Some(act) = place.and_then(|place| command.acts.get_mut(place)) else { continue };
        (act.payload, act.erased) = (None, true);
        let command = serde_json::to_string(&command).map_err(|_| broken("its command"))?;
        tables::rewrite(tx, &row.id, &command, &Sha256::of(command.as_bytes()).0).await?;
        proposed.push(row.created_ms);
    }
    Ok(proposed)
}

async fn find(registry: &Registry, by: &Verified, id: ProposalId) -> Result<Proposal, Failure> {
    let row = tables::find(registry.db(), &id.to_string()).await?;
    row.filter(|row| row.org == by.actor().org().to_string()).ok_or(Failure::NotFound)
}

fn approved(row: &Proposal) -> Option<Submitted> {
    let body = row.response.clone().filter(|_| row.state == ProposalState::Approved)?;
    let status = read(row).map_or(200, |command| command.answer.status());
    Some(Submitted { recorded: None, status, body })
}

fn must_wait(registry: &Registry, row: &Proposal) -> Result<(), Failure> {
    match row.state {
        ProposalState::Waiting if row.expires_ms > registry.clock().now_ms() => Ok(()),
        ProposalState::Waiting => {
            Err(Failure::Conflict(format!("the time of `{}` is up: propose it again", row.id)))
        }
        decided => Err(Failure::Conflict(format!("`{}` is {}", row.id, decided.as_str()))),
    }
}

fn read(row: &Proposal) -> Result<Waiting, Failure> {
    if Sha256::of(row.command.as_bytes()).0 != row.body_digest.as_slice() {
        return Err(corrupt(row, "its digest"));
    }
    serde_json::from_str(&row.command).map_err(|_| corrupt(row, "its command"))
}

fn corrupt(row: &Proposal, what: &str) -> Failure {
    StoreError::Corrupt(format!("the proposal `{}` is broken: {what}", row.id)).into()
}

fn view(row: &Proposal, now_ms: i64) -> Result<ProposalView, Failure> {
    let command = read(row)?;
    let shown = Shown { on_behalf_of: command.on_behalf_of, acts: &command.acts };
    let late = row.state == ProposalState::Waiting && row.expires_ms <= now_ms;
    Ok(ProposalView {
        proposal: row.id.clone(),
        operation: row.operation.clone(),
        state: if late { "expired" } else { row.state.as_str() },
        proposed_by: row.proposed_by.clone(),
        created: moment(row.created_ms),
        expires: moment(row.expires_ms),
        decided_by: row.decided_by.clone(),
        decided: row.decided_ms.map(moment),
        digest: data_encoding::HEXLOWER.encode(&row.body_digest),
        command: serde_json::value::to_raw_value(&shown).map_err(|_| corrupt(row, "its command"))?,
    })
}
