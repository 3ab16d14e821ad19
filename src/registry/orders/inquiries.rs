//! Inquiries.

use serde_json::json;

use super::Order;
use crate::clock::Clock;
use crate::domain::act::{InquiryClosed, InquiryOpened};
use crate::domain::ids::{InquiryId, OrgId, WorkId};
use crate::domain::scope::{From, Scope, Until};

/// What an inquiry lays open, to whom, and until when.
#[derive(Clone, Debug)]
pub struct InquiryTerms {
    /// Who inquires.
    pub auditor: OrgId,
    /// About which works.
    pub works: Scope<WorkId>,
    /// Naming which organizations.
    pub parties: Scope<OrgId>,
    /// From when on.
    pub from: From,
    /// Until when.
    pub until: Until,
    /// When the inquiry itself ends, in milliseconds.
    pub expires_ms: i64,
}

/// Opens an inquiry for this reason.
pub fn open_inquiry(clock: &Clock, terms: InquiryTerms, reason: String) -> Order {
    let inquiry = InquiryId::new(clock.new_uuid());
    let InquiryTerms { auditor, works, parties, from, until, expires_ms } = terms;
    let act = InquiryOpened { inquiry, auditor, works, parties, from, until, expires_ms };
    let fields = json!({ "inquiry": inquiry, "auditor": auditor });
    Order::making(act, format!("/v1/inquiries/{inquiry}"), &fields).note(Some(reason))
}

/// Closes an inquiry.
pub fn close_inquiry(inquiry: InquiryId) -> Order {
    Order::doing(InquiryClosed { inquiry }, &json!({ "inquiry": inquiry }))
}
