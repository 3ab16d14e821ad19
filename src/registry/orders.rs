//! Orders: what is to be recorded for somebody, with the answer that it will get.
//!
//! An order is made by a pure function, one an act, and recorded by [`record`], which takes the proof of who orders it.
//! Whether it may be recorded is decided by `admit` alone.

use serde::Serialize;

use super::answer::Answer;
use super::authority::{Verified, submission};
use super::failure::Failure;
use super::node::Registry;
use super::proposals::submit_or_propose;
use super::sequencer::{Body, Once, Submitted};
use crate::clock;
use crate::domain::act::{Act, PayloadErased};
use crate::domain::entry::Salt;
use crate::domain::ids::{OrgId, WorkId};
use crate::domain::key::Sha256;
use crate::domain::payload::Payload;
use crate::log::digest::salted;

mod consent;
mod holdings;
mod inquiries;
mod links;
mod works;

pub use consent::{Denied, GrantTerms, deny, grant, reserve, revoke, withdraw_denial, withdraw_reservation};
pub use holdings::{
    accept_transfer, assert_holding, claim, confirm, declare_roster, offer_transfer, open_dispute, reject,
    relinquish, same_as_parent, settle_dispute, withdraw_claim, withdraw_transfer,
};
pub use inquiries::{InquiryTerms, close_inquiry, open_inquiry};
pub use links::{accept_part, declare_layers, link_layer, link_part, remove_link};
pub use works::{Registration, amend, bind, merge, register, unbind, withdraw};

/// What is to be recorded, in one piece.
#[derive(Clone, Debug)]
pub struct Order {
    pub(super) on_behalf_of: Option<OrgId>,
    pub(super) acts: Vec<(Act, Option<Payload>)>,
    pub(super) answer: Answer,
    pub(super) unchanged: Option<Unchanged>,
}

/// What must still be as the caller saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unchanged {
    /// The work.
    pub work: WorkId,
    /// The entries of which one must be the last that changed its record.
    pub entries: Vec<u64>,
}

impl Order {
    /// Makes something new, which is to be read at `location`; `fields` is an object of ids.
    fn making(act: impl Into<Act>, location: String, fields: &impl Serialize) -> Self {
        Self::of(act, Answer::created(location, fields))
    }

    /// Changes something; `fields` is an object of ids.
    fn doing(act: impl Into<Act>, fields: &impl Serialize) -> Self {
        Self::of(act, Answer::done(fields))
    }

    fn of(act: impl Into<Act>, answer: Answer) -> Self {
        Self { on_behalf_of: None, acts: vec![(act.into(), None)], answer, unchanged: None }
    }

    /// For a principal, by its agent or association.
    #[must_use]
    pub fn on_behalf_of(self, principal: Option<OrgId>) -> Self {
        Self { on_behalf_of: principal, ..self }
    }

    /// Only while nothing else changed the record of a work since one of these entries.
    #[must_use]
    pub fn while_unchanged(self, work: WorkId, entries: Vec<u64>) -> Self {
        Self { unchanged: Some(Unchanged { work, entries }), ..self }
    }

    fn with(mut self, payload: Option<Payload>) -> Self {
        if let Some((_, slot)) = self.acts.first_mut() {
            *slot = payload;
        }
        self
    }

    /// A reason, a letter, evidence in words. It is payload: erasable, in the log by digest only.
    #[must_use]
    pub fn note(self, note: Option<String>) -> Self {
        self.with(note.map(|text| Payload::Note { text }))
    }

    fn evidence(self, evidence: Evidence) -> Self {
        self.with(evidence.payload())
    }
}

/// Erases what people read of an entry.
pub fn erase(entry: u64) -> Order {
    Order::doing(PayloadErased { entry }, &serde_json::json!({ "entry": entry }))
}

/// What the registrar saw: its text, which is kept as payload, or its digest alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// In words, with a salt, without which a short text could be guessed from its digest.
    Text {
        /// The text.
        text: String,
        /// The salt.
        salt: Salt,
    },
    /// The SHA-256 of a document kept elsewhere.
    Digest(Sha256),
}

impl Evidence {
    /// A text, with a salt of its own.
    pub fn in_words(text: String) -> Self {
        Self::Text { text, salt: Salt(clock::random()) }
    }

    /// The digest that stands in the act.
    pub fn digest(&self) -> Sha256 {
        match self {
            Self::Text { text, salt } => Sha256(salted(&salt.0, text.as_bytes()).0),
            Self::Digest(digest) => *digest,
        }
    }

    /// What is kept beside the log.
    pub(super) fn payload(self) -> Option<Payload> {
        match self {
            Self::Text { text, salt } => Some(Payload::Evidence { salt, text }),
            Self::Digest(_) => None,
        }
    }
}

/// Records an order of any verified organization; what needs a second person of the registrar waits for it.
pub async fn record(
    registry: &Registry,
    by: &Verified,
    order: Order,
    once: Once,
) -> Result<Submitted, Failure> {
    let mut submission = submission(by, order.on_behalf_of, order.acts, Some(once), Body::none());
    submission.unchanged = order.unchanged;
    submit_or_propose(registry, by, submission, order.answer).await
}
