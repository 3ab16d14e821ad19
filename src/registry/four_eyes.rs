//! What an organization lets nobody do alone.
//!
//! Where it says so, or the installation does for all, an act that may open something waits for a second person of the
//! organization: a grant, a mandate, a transfer. What closes something never waits. While it is so, nobody alone brings in
//! the second person either: people are not added or invited, and no key is made for a colleague. It is switched off by
//! two persons, one after the other.

use serde::Serialize;

use super::accounts::detached;
use super::authority::{Actor, Proof, Roles, Verified};
use super::failure::Failure;
use super::lasting::refuse_token;
use super::node::Registry;
use super::sequencer::Submission;
use crate::domain::act::Act;
use crate::domain::admit::{Refusal, code};
use crate::domain::ids::OrgId;
use crate::store::{accounts, policies};

/// How long it is remembered that somebody wants to switch it off: 14 days.
const ASKED_MS: i64 = 14 * 24 * 60 * 60 * 1_000;

/// What an organization asks of its people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicyView {
    /// Whether a second person must approve what may open something.
    pub second_person: bool,
    /// Whether the installation asks for that, whatever the organization says.
    pub by_installation: bool,
    /// Who wants to switch it off.
    pub off_asked_by: Option<String>,
}

/// Whether the act may open something that was closed.
const fn may_open(act: &Act) -> bool {
    matches!(
        act,
        Act::GrantRecorded(_)
            | Act::DenialWithdrawn(_)
            | Act::MandateGiven(_)
            | Act::TransferOffered(_)
            | Act::TransferAccepted(_)
            | Act::HoldingRelinquished(_)
    )
}

/// The place of the first act that may open something, where one person alone records it.
pub(super) fn opens_alone(submission: &Submission) -> Option<usize> {
    let opens = submission.acts.iter().position(|(act, _)| may_open(act));
    opens.filter(|_| submission.by.len() == 1)
}

/// Why one person alone may not record the act at this place.
pub(super) fn refusal(act: usize) -> Refusal {
    let detail = "a second person of your organization must approve this".to_owned();
    Refusal { code: code::SECOND_PERSON_REQUIRED, ..Refusal::of_command(detail) }.in_act(act)
}

/// Refuses that the caller alone brings in a second person of its own organization, where one is needed; for the registrar it
/// always is (R6).
pub(super) async fn refuse_alone(registry: &Registry, actor: &Actor, org: OrgId) -> Result<(), Failure> {
    if actor.org() != org {
        return Ok(());
    }
    let why = if actor.roles().meets(Roles::REGISTRAR) {
        "nobody of the registrar brings in its own second person: who runs the registry does \
         (`kyodaku admin create-registrar`)"
    } else if current_of(registry, org).await?.second_person {
        "your organization lets nobody bring in a second person alone: switch that off with a colleague \
         (`PUT /v1/policy`), or ask who runs the registry (`kyodaku admin restore-access`)"
    } else {
        return Ok(());
    };
    Err(Failure::Forbidden(why.to_owned()))
}

async fn current_of(registry: &Registry, org: OrgId) -> Result<PolicyView, Failure> {
    let policy = policies::of_org(registry.db(), &org.to_string()).await?;
    let by_installation = registry.settings().four_eyes;
    let since_ms = registry.clock().now_ms().saturating_sub(ASKED_MS);
    let is_fresh = policy.asked_ms.is_some_and(|asked_ms| asked_ms > since_ms);
    Ok(PolicyView {
        second_person: by_installation || policy.second_person == 1,
        by_installation,
        off_asked_by: policy.asked_by.filter(|_| is_fresh),
    })
}

/// The policy of the caller's organization.
pub async fn current(registry: &Registry, by: &Verified) -> Result<PolicyView, Failure> {
    current_of(registry, by.actor().org()).await
}

/// Changes it, as an admin. Switching it off needs a second admin who says the same within 14 days, so there must be two before
/// it is switched on.
///
/// # Errors
/// [`Failure::Forbidden`] for somebody who is no admin; for switching it off, [`Failure::Forbidden`] for the token of a program and
/// [`Failure::SecondFactor`] for a session that began without one; [`Failure::Conflict`] where there is no second one.
pub async fn change(registry: &Registry, by: &Verified, second_person: bool) -> Result<PolicyView, Failure> {
    let actor = by.actor();
    if !actor.is_admin() {
        return Err(Failure::Forbidden("only an admin of your organization may do this".to_owned()));
    }
    if !second_person {
        refuse_token(actor, "does not switch it off")?;
        if !actor.has_factor() {
            return Err(Failure::SecondFactor("switching it off needs a second factor"));
        }
    }
    let (db, now_ms) = (registry.db().clone(), registry.clock().now_ms());
    let (org, person) = (actor.org().to_string(), actor.person().to_string());
    let changed = detached(async move {
        let mut tx = db.begin().await?;
        if !second_person {
            policies::switch_off(&mut tx, &org, &person, now_ms.saturating_sub(ASKED_MS), now_ms).await?;
        } else if accounts::admins(&mut tx, &org).await? < 2 {
            return Ok(false);
        } else {
            policies::switch_on(&mut tx, &org, now_ms).await?;
        }
        tx.commit().await?;
        Ok(true)
    });
    if !changed.await? {
        let why =
            "you are the only admin: nobody could approve, or switch it off again; add a second admin first";
        return Err(Failure::Conflict(why.to_owned()));
    }
    current(registry, by).await
}
