//! Permission, refusal, and the opt-outs that are neither.

use serde_json::json;

use super::Order;
use crate::clock::Clock;
use crate::domain::act::{
    Condition, Covers, DenialRecorded, DenialWithdrawn, GrantRecorded, GrantRevoked, ReservationForm,
    ReservationRecorded, ReservationWithdrawn, ReservedSubject, Revocable, Signal,
};
use crate::domain::ids::{DenialId, GrantId, ModelId, OrgId, RequestId, ReservationId, WorkId};
use crate::domain::key::Sha256;
use crate::domain::scope::{From, Scope, Until};
use crate::domain::territory::Territory;
use crate::domain::uses::{Use, UseOrFamily};

/// A grant as it is to be recorded: everything is stated (R8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantTerms {
    /// The work.
    pub work: WorkId,
    /// Its parts too, or not.
    pub covers: Covers,
    /// Where it counts as a layer.
    pub as_layer_of: Scope<WorkId>,
    /// Whether a place is enough.
    pub by_location: bool,
    /// Leaf uses.
    pub uses: Scope<Use>,
    /// Who may.
    pub developers: Scope<OrgId>,
    /// With which models.
    pub models: Scope<ModelId>,
    /// Where.
    pub territories: Scope<Territory>,
    /// From when.
    pub from: From,
    /// Until when.
    pub until: Until,
    /// Whether and how it can be taken back.
    pub revocable: Revocable,
    /// What the developer must keep to.
    pub conditions: Vec<Condition>,
    /// The digest of the agreement's text.
    pub terms: Option<Sha256>,
    /// The request that it answers.
    pub request: Option<RequestId>,
}

impl GrantTerms {
    /// The act, under a new id.
    pub(in crate::registry) fn act(self, clock: &Clock) -> GrantRecorded {
        GrantRecorded {
            grant: GrantId::new(clock.new_uuid()),
            work: self.work,
            covers: self.covers,
            as_layer_of: self.as_layer_of,
            by_location: self.by_location,
            uses: self.uses,
            developers: self.developers,
            models: self.models,
            territories: self.territories,
            from: self.from,
            until: self.until,
            revocable: self.revocable,
            conditions: self.conditions,
            terms: self.terms,
            request: self.request,
        }
    }
}

/// Permits.
pub fn grant(clock: &Clock, terms: GrantTerms) -> Order {
    let act = terms.act(clock);
    let fields = json!({ "grant": act.grant, "work": act.work });
    let location = format!("/v1/grants/{}", act.grant);
    Order::making(act, location, &fields)
}

/// Takes a permission back.
pub fn revoke(grant: GrantId, from: From) -> Order {
    Order::doing(GrantRevoked { grant, from }, &json!({ "grant": grant }))
}

/// Refuses. What is left out means all of it (R9). The denial's id is made here.
pub fn deny(clock: &Clock, denial: Denied) -> Order {
    let id = DenialId::new(clock.new_uuid());
    let act = DenialRecorded {
        denial: id,
        work: denial.work,
        parts: denial.parts,
        uses: denial.uses,
        developers: denial.developers,
        models: denial.models,
        territories: denial.territories,
        from: denial.from,
        until: denial.until,
    };
    let fields = json!({ "denial": id, "work": act.work });
    Order::making(act, format!("/v1/denials/{id}"), &fields)
}

/// A denial as it is to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// The work.
    pub work: WorkId,
    /// Its parts too.
    pub parts: Option<bool>,
    /// Leaves or families.
    pub uses: Option<Scope<UseOrFamily>>,
    /// Whom.
    pub developers: Option<Scope<OrgId>>,
    /// Which models.
    pub models: Option<Scope<ModelId>>,
    /// Where.
    pub territories: Option<Scope<Territory>>,
    /// From when.
    pub from: Option<From>,
    /// Until when.
    pub until: Option<Until>,
}

/// Takes a refusal back.
pub fn withdraw_denial(denial: DenialId) -> Order {
    Order::doing(DenialWithdrawn { denial }, &json!({ "denial": denial }))
}

/// Puts an opt-out or a foreign signal on record.
pub fn reserve(
    clock: &Clock,
    subject: ReservedSubject,
    form: ReservationForm,
    signal: Signal,
    uses: Scope<Use>,
    evidence: Option<Sha256>,
) -> Order {
    let reservation = ReservationId::new(clock.new_uuid());
    let act = ReservationRecorded { reservation, subject, form, signal, uses, evidence };
    let location = format!("/v1/reservations/{reservation}");
    Order::making(act, location, &json!({ "reservation": reservation }))
}

/// Takes it off.
pub fn withdraw_reservation(reservation: ReservationId) -> Order {
    Order::doing(ReservationWithdrawn { reservation }, &json!({ "reservation": reservation }))
}
