//! Who may act for whom: membership of associations, and mandates (R3). Both are for their two sides alone to see.

use serde::Serialize;

use super::answer::{Answer, moment};
use super::authority::{Holder, Proof, submission};
use super::failure::Failure;
use super::node::Registry;
use super::proposals::submit_or_propose;
use super::sequencer::{Body, Once, Submitted};
use crate::domain::act::{
    Act, MandateEnded, MandateGiven, MembershipAccepted, MembershipEnded, MembershipOffered, Power,
};
use crate::domain::ids::{MandateId, MembershipId, OrgId, WorkId};
use crate::domain::index::AsOf;
use crate::domain::index::records::{Mandate, Membership};
use crate::domain::scope::{From, Scope, Until};

/// A membership as its sides see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MembershipView {
    /// Its id.
    pub membership: MembershipId,
    /// The rights holder.
    pub member: OrgId,
    /// The association.
    pub association: OrgId,
    /// Which side offered it.
    pub offered_by: OrgId,
    /// `offered`, `accepted` or `ended`.
    pub state: &'static str,
    /// Its place in the list of all, for the next page.
    #[serde(skip)]
    pub place: u64,
}

/// A mandate as its sides see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MandateView {
    /// Its id.
    pub mandate: MandateId,
    /// Who gave it.
    pub principal: OrgId,
    /// Who may act.
    pub agent: OrgId,
    /// For which works.
    pub works: Scope<WorkId>,
    /// What it may do.
    pub powers: Vec<Power>,
    /// From when.
    pub from: String,
    /// Until when; `open` for no end.
    pub until: String,
    /// Whether grants recorded under it stand after its end.
    pub grants_survive: bool,
    /// `given`, or `ended` by an act.
    pub state: &'static str,
    /// Whether it allows anything now: not ended, and in term.
    pub in_force: bool,
    /// Its place in the list of all, for the next page.
    #[serde(skip)]
    pub place: u64,
}

fn membership(now: AsOf<'_>, id: MembershipId, place: u64, it: &Membership) -> MembershipView {
    MembershipView {
        membership: id,
        member: now.org_id(it.member),
        association: now.org_id(it.association),
        offered_by: now.org_id(it.offered_by),
        state: match (now.seen(it.ended), now.seen(it.accepted)) {
            (true, _) => "ended",
            (false, true) => "accepted",
            (false, false) => "offered",
        },
        place,
    }
}

fn mandate(now: AsOf<'_>, id: MandateId, place: u64, it: &Mandate, moment_ms: i64) -> MandateView {
    let ended = now.seen(it.ended);
    let open = it.term.until_ms == Until::Open.at();
    MandateView {
        mandate: id,
        principal: now.org_id(it.principal),
        agent: now.org_id(it.agent),
        works: it.works.clone(),
        powers: it.powers.clone(),
        from: moment(it.term.from_ms),
        until: if open { "open".to_owned() } else { moment(it.term.until_ms) },
        grants_survive: it.grants_survive,
        state: if ended { "ended" } else { "given" },
        in_force: !ended && it.term.contains(moment_ms),
        place,
    }
}

/// The caller's memberships, oldest first, after this place.
pub async fn memberships(
    registry: &Registry,
    by: &Holder,
    after: Option<u64>,
    limit: u32,
) -> Result<Vec<MembershipView>, Failure> {
    let own = by.actor().org();
    let read = registry.read(|now| {
        let Some(own) = now.org(own) else { return Vec::new() };
        let all = (0_u64..).zip(now.index.memberships.iter());
        let mine = all.filter(|(place, (_, _, it))| {
            let is_mine = it.member == own || it.association == own;
            is_mine && after.is_none_or(|after| *place > after) && now.seen(it.offered)
        });
        let views = mine.map(|(place, (_, id, it))| membership(now, id, place, it));
        views.take(limit as usize).collect()
    });
    Ok(read.await?)
}

/// A membership of the caller.
pub async fn membership_of(
    registry: &Registry,
    by: &Holder,
    id: MembershipId,
) -> Result<MembershipView, Failure> {
    let own = by.actor().org();
    let found = registry.read(|now| {
        let it = now.index.memberships.at(now.index.memberships.find(id)?);
        now.seen(it.offered).then(|| membership(now, id, 0, it))
    });
    let found = found.await?;
    found.filter(|view| view.member == own || view.association == own).ok_or(Failure::NotFound)
}

/// Offers a membership, as either side.
pub async fn offer_membership(
    registry: &Registry,
    by: &Holder,
    member: OrgId,
    association: OrgId,
    once: Once,
) -> Result<Submitted, Failure> {
    let membership = MembershipId::new(registry.clock().new_uuid());
    let fields = serde_json::json!({ "membership": membership, "state": "offered" });
    let answer = Answer::created(format!("/v1/memberships/{membership}"), &fields);
    let act = MembershipOffered { membership, member, association };
    record(registry, by, act.into(), answer, once).await
}

/// Accepts a membership, as the side that did not offer it.
pub async fn accept_membership(
    registry: &Registry,
    by: &Holder,
    membership: MembershipId,
    once: Once,
) -> Result<Submitted, Failure> {
    membership_of(registry, by, membership).await?;
    let answer = Answer::done(&serde_json::json!({ "membership": membership, "state": "accepted" }));
    record(registry, by, MembershipAccepted { membership }.into(), answer, once).await
}

/// Ends a membership, as either side.
pub async fn end_membership(
    registry: &Registry,
    by: &Holder,
    membership: MembershipId,
    once: Once,
) -> Result<Submitted, Failure> {
    membership_of(registry, by, membership).await?;
    let answer = Answer::done(&serde_json::json!({ "membership": membership, "state": "ended" }));
    record(registry, by, MembershipEnded { membership }.into(), answer, once).await
}

/// What a mandate shall say.
#[derive(Clone, Debug)]
pub struct NewMandate {
    /// Who may act.
    pub agent: OrgId,
    /// For which works.
    pub works: Scope<WorkId>,
    /// What.
    pub powers: Vec<Power>,
    /// From when.
    pub from: From,
    /// Until when.
    pub until: Until,
    /// Whether grants recorded under it stand after its end.
    pub grants_survive: bool,
}

/// Gives a mandate; the caller is the principal.
pub async fn give_mandate(
    registry: &Registry,
    by: &Holder,
    new: NewMandate,
    once: Once,
) -> Result<Submitted, Failure> {
    let mandate = MandateId::new(registry.clock().new_uuid());
    let NewMandate { agent, works, powers, from, until, grants_survive } = new;
    let answer = Answer::created(
        format!("/v1/mandates/{mandate}"),
        &serde_json::json!({ "mandate": mandate, "state": "given" }),
    );
    let act = MandateGiven { mandate, agent, works, powers, from, until, grants_survive };
    record(registry, by, act.into(), answer, once).await
}

/// The mandates that the caller gave or has, oldest first, after this place.
pub async fn mandates(
    registry: &Registry,
    by: &Holder,
    after: Option<u64>,
    limit: u32,
) -> Result<Vec<MandateView>, Failure> {
    let (own, moment_ms) = (by.actor().org(), registry.moment_ms());
    let read = registry.read(|now| {
        let Some(own) = now.org(own) else { return Vec::new() };
        let all = (0_u64..).zip(now.index.mandates.iter());
        let mine = all.filter(|(place, (_, _, it))| {
            let is_mine = it.principal == own || it.agent == own;
            is_mine && after.is_none_or(|after| *place > after) && now.seen(it.given)
        });
        let views = mine.map(|(place, (_, id, it))| mandate(now, id, place, it, moment_ms));
        views.take(limit as usize).collect()
    });
    Ok(read.await?)
}

/// A mandate that the caller gave or has.
pub async fn mandate_of(registry: &Registry, by: &Holder, id: MandateId) -> Result<MandateView, Failure> {
    let (own, moment_ms) = (by.actor().org(), registry.moment_ms());
    let found = registry.read(|now| {
        let it = now.index.mandates.at(now.index.mandates.find(id)?);
        now.seen(it.given).then(|| mandate(now, id, 0, it, moment_ms))
    });
    let found = found.await?;
    found.filter(|view| view.principal == own || view.agent == own).ok_or(Failure::NotFound)
}

/// Ends a mandate, as either side.
pub async fn end_mandate(
    registry: &Registry,
    by: &Holder,
    mandate: MandateId,
    once: Once,
) -> Result<Submitted, Failure> {
    mandate_of(registry, by, mandate).await?;
    let answer = Answer::done(&serde_json::json!({ "mandate": mandate, "state": "ended" }));
    record(registry, by, MandateEnded { mandate }.into(), answer, once).await
}

async fn record(
    registry: &Registry,
    by: &Holder,
    act: Act,
    answer: Answer,
    once: Once,
) -> Result<Submitted, Failure> {
    let submission = submission(by, None, vec![(act, None)], Some(once), Body::none());
    submit_or_propose(registry, by, submission, answer).await
}
