//! Who holds a work, and who says otherwise.

use serde::Serialize;
use serde_json::json;

use super::{Evidence, Order};
use crate::clock::Clock;
use crate::domain::act::{
    AssertionsConfirmed, AssertionsRejected, ClaimMade, ClaimWithdrawn, DisputeOpened, DisputeSettled,
    Holding, HoldingAsserted, HoldingRelinquished, RosterDeclared, RosterSameAsParent, TransferAccepted,
    TransferOffered, TransferWithdrawn,
};
use crate::domain::ids::{BindingId, ClaimId, DisputeId, HoldingId, OrgId, TransferId, WorkId};
use crate::registry::{Failure, Registry};

fn of_work(work: WorkId) -> String {
    format!("/v1/works/{work}")
}

/// Says that somebody holds a share in a work.
pub fn assert_holding(clock: &Clock, work: WorkId, holder: OrgId) -> Order {
    let act = HoldingAsserted { work, holding: HoldingId::new(clock.new_uuid()), holder };
    let fields = json!({ "work": work, "holding": act.holding, "holder": holder });
    Order::making(act, of_work(work), &fields)
}

/// Gives up a holding.
pub fn relinquish(holding: HoldingId) -> Order {
    Order::doing(HoldingRelinquished { holding }, &json!({ "holding": holding }))
}

/// Declares the list of holders complete.
pub fn declare_roster(work: WorkId) -> Order {
    Order::doing(RosterDeclared { work }, &json!({ "work": work }))
}

/// Gives a part the holders of its parent: new holdings for those that it lacks as of now.
pub async fn same_as_parent(registry: &Registry, work: WorkId, parent: WorkId) -> Result<Order, Failure> {
    let missing = registry.read(|now| {
        let (part, whole) = (now.work(work)?, now.work(parent)?);
        let has = now.holders(now.canonical(part));
        let wanted = now.holders(now.canonical(whole)).into_iter().filter(|org| !has.contains(org));
        Some(wanted.map(|org| now.org_id(org)).collect::<Vec<_>>())
    });
    let clock = registry.clock();
    let hold = |holder| Holding { holding: HoldingId::new(clock.new_uuid()), holder };
    // What is unknown is told by `admit`, with its place.
    let holders: Vec<Holding> = missing.await?.unwrap_or_default().into_iter().map(hold).collect();
    let fields = json!({ "work": work, "parent": parent, "holdings": holders });
    Ok(Order::doing(RosterSameAsParent { work, parent, holders }, &fields))
}

/// Offers a holding to another organization.
pub fn offer_transfer(clock: &Clock, holding: HoldingId, to: OrgId) -> Order {
    let transfer = TransferId::new(clock.new_uuid());
    let fields = json!({ "transfer": transfer, "holding": holding, "to": to });
    Order::making(TransferOffered { transfer, holding, to }, format!("/v1/transfers/{transfer}"), &fields)
}

/// Takes it over.
pub fn accept_transfer(transfer: TransferId) -> Order {
    Order::doing(TransferAccepted { transfer }, &json!({ "transfer": transfer }))
}

/// Takes the offer back.
pub fn withdraw_transfer(transfer: TransferId) -> Order {
    Order::doing(TransferWithdrawn { transfer }, &json!({ "transfer": transfer }))
}

/// Claims a work as an outsider.
pub fn claim(clock: &Clock, work: WorkId) -> Order {
    let claim = ClaimId::new(clock.new_uuid());
    Order::making(ClaimMade { claim, work }, of_work(work), &json!({ "claim": claim, "work": work }))
}

/// Takes a claim back.
pub fn withdraw_claim(claim: ClaimId) -> Order {
    Order::doing(ClaimWithdrawn { claim }, &json!({ "claim": claim }))
}

/// Admits a dispute.
pub fn open_dispute(clock: &Clock, work: WorkId, claim: Option<ClaimId>) -> Order {
    let dispute = DisputeId::new(clock.new_uuid());
    let fields = json!({ "dispute": dispute, "work": work });
    Order::making(DisputeOpened { dispute, work, claim }, of_work(work), &fields)
}

/// Settles it.
pub fn settle_dispute(dispute: DisputeId, evidence: Evidence) -> Order {
    let act = DisputeSettled { dispute, evidence: evidence.digest() };
    Order::doing(act, &json!({ "dispute": dispute })).evidence(evidence)
}

#[derive(Serialize)]
struct Judged<'a> {
    holdings: &'a [HoldingId],
    bindings: &'a [BindingId],
}

/// Confirms holdings and bindings.
pub fn confirm(holdings: Vec<HoldingId>, bindings: Vec<BindingId>, evidence: Evidence) -> Order {
    let act = AssertionsConfirmed { holdings, bindings, evidence: evidence.digest() };
    let fields = Judged { holdings: &act.holdings, bindings: &act.bindings };
    Order::doing(act.clone(), &fields).evidence(evidence)
}

/// Rejects holdings and bindings.
pub fn reject(holdings: Vec<HoldingId>, bindings: Vec<BindingId>, evidence: Evidence) -> Order {
    let act = AssertionsRejected { holdings, bindings, evidence: evidence.digest() };
    let fields = Judged { holdings: &act.holdings, bindings: &act.bindings };
    Order::doing(act.clone(), &fields).evidence(evidence)
}
