//! Acts: everything that can happen, as it stands in the log.
//!
//! An act holds only what `admit`, `fold` or `decide` read: opaque ids, normalized keys, structured terms and digests.
//! Titles, names, letters and evidence are payload, held in ordinary tables and present here by digest alone;
//! [`super::classify`] classes every field, and a test keeps it complete. A new act is added here, in `classify`, in
//! `examples`, in `admit` and in `index`; the compiler and the tests name each place that is missing.

mod consent;
mod later;
mod party;
mod work;
mod works;

use serde::{Deserialize, Serialize};

pub use consent::*;
pub use later::*;
pub use party::*;
pub use work::*;

macro_rules! acts {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        /// One act. Its JSON is an object with the act's name as `type` beside its fields.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "type")]
        pub enum Act {
            $($(#[$doc])* #[serde(rename = $code)] $name($name),)*
        }

        impl Act {
            /// The names of all acts, in the order of declaration.
            pub const CODES: &'static [&'static str] = &[$($code),*];

            /// Whether it opens or closes an inquiry: those who are inquired into are not told.
            pub const fn is_of_inquiry(&self) -> bool {
                matches!(self, Self::InquiryOpened(_) | Self::InquiryClosed(_))
            }

            /// The act's name.
            pub const fn code(&self) -> &'static str {
                match self { $(Self::$name(_) => $code),* }
            }
        }

        $(impl From<$name> for Act {
            fn from(act: $name) -> Self {
                Self::$name(act)
            }
        })*
    };
}

acts! {
    /// The log begins.
    LogOpened = "log.opened";
    /// The installation's settings that rules read.
    SettingsChanged = "settings.changed";
    /// A version of the rules holds from here on.
    RulesActivated = "rules.activated";
    /// An organization is entered.
    OrgRegistered = "org.registered";
    /// The registrar has checked who it is.
    OrgVerified = "org.verified";
    /// The registrar stops it.
    OrgSuspended = "org.suspended";
    /// The registrar lets it go on.
    OrgReinstated = "org.reinstated";
    /// A person may act for an organization.
    PersonAdded = "person.added";
    /// A person no longer may.
    PersonRemoved = "person.removed";
    /// A developer names a model.
    ModelRegistered = "model.registered";
    /// A developer retires a model.
    ModelRetired = "model.retired";
    /// One side proposes membership of an association.
    MembershipOffered = "membership.offered";
    /// The other side agrees.
    MembershipAccepted = "membership.accepted";
    /// Either side ends it.
    MembershipEnded = "membership.ended";
    /// A holder empowers an agent.
    MandateGiven = "mandate.given";
    /// Either side ends it.
    MandateEnded = "mandate.ended";
    /// A work is entered, with its holders, layers, parents and keys.
    WorkRegistered = "work.registered";
    /// Its description is changed.
    WorkAmended = "work.amended";
    /// It is withdrawn: it keeps matching, and refuses.
    WorkWithdrawn = "work.withdrawn";
    /// The registrar finds that two are one.
    WorksMerged = "works.merged";
    /// Somebody is said to hold a share.
    HoldingAsserted = "holding.asserted";
    /// A holder gives up its own share.
    HoldingRelinquished = "holding.relinquished";
    /// A key is said to belong to a work.
    BindingAsserted = "binding.asserted";
    /// A key no longer belongs to it: it keeps matching, and refuses.
    BindingRemoved = "binding.removed";
    /// The registrar confirms holdings and bindings.
    AssertionsConfirmed = "assertions.confirmed";
    /// The registrar rejects holdings and bindings.
    AssertionsRejected = "assertions.rejected";
    /// Control of a host was proved, which confirms addresses on it.
    ControlProved = "control.proved";
    /// A holder offers its share to another.
    TransferOffered = "transfer.offered";
    /// The other takes it.
    TransferAccepted = "transfer.accepted";
    /// The holder takes the offer back.
    TransferWithdrawn = "transfer.withdrawn";
    /// A holder, or the registrar, declares the list of holders complete.
    RosterDeclared = "roster.declared";
    /// The holders of a part are those of its parent.
    RosterSameAsParent = "roster.same_as_parent";
    /// A holder, or the registrar, declares the list of layers complete.
    LayersDeclared = "layers.declared";
    /// A work incorporates another.
    LayerLinked = "layer.linked";
    /// A work is part of another; its holder's side of it.
    PartLinked = "part.linked";
    /// Another holder's assent to that.
    PartAccepted = "part.accepted";
    /// The registrar removes a link.
    LinkRemoved = "link.removed";
    /// An outsider claims a work.
    ClaimMade = "claim.made";
    /// It takes the claim back.
    ClaimWithdrawn = "claim.withdrawn";
    /// The registrar admits a dispute.
    DisputeOpened = "dispute.opened";
    /// The registrar settles it.
    DisputeSettled = "dispute.settled";
    /// A holder permits.
    GrantRecorded = "grant.recorded";
    /// A holder takes a permission back, as its terms allow.
    GrantRevoked = "grant.revoked";
    /// A holder refuses.
    DenialRecorded = "denial.recorded";
    /// A holder takes a refusal back.
    DenialWithdrawn = "denial.withdrawn";
    /// An opt-out, or a foreign signal of any kind, is put on record as evidence.
    ReservationRecorded = "reservation.recorded";
    /// It is taken off.
    ReservationWithdrawn = "reservation.withdrawn";
    /// A holder publishes terms on which it would permit.
    OfferPublished = "offer.published";
    /// It takes them back.
    OfferWithdrawn = "offer.withdrawn";
    /// A developer accepts them.
    OfferAccepted = "offer.accepted";
    /// A developer asks for permission.
    RequestMade = "request.made";
    /// A holder answers, which by itself permits nothing.
    RequestAnswered = "request.answered";
    /// The developer takes the request back.
    RequestWithdrawn = "request.withdrawn";
    /// Nobody answered in time.
    RequestLapsed = "request.lapsed";
    /// A holder or an association serves a notice on a developer.
    NoticeServed = "notice.served";
    /// The developer answers it.
    NoticeAnswered = "notice.answered";
    /// The one who served it closes it.
    NoticeClosed = "notice.closed";
    /// A developer declares what it used.
    DeclarationMade = "declaration.made";
    /// It corrects a declaration.
    DeclarationCorrected = "declaration.corrected";
    /// A document is filed with another record.
    DocumentFiled = "document.filed";
    /// An inquiry is opened.
    InquiryOpened = "inquiry.opened";
    /// It is closed.
    InquiryClosed = "inquiry.closed";
    /// The payload of an entry was erased.
    PayloadErased = "payload.erased";
    /// A signing key gives way to another.
    KeyRotated = "key.rotated";
    /// A check journal is sealed into this log.
    JournalSealed = "journal.sealed";
    /// The log goes on under another name and key.
    LogContinued = "log.continued";
}
