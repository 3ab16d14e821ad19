//! Acts of requests, offers, notices, declarations, documents, inquiries and upkeep.
//!
//! None of them changes a verdict: a request, an offer or an answer is not a permission until a grant records one.
//! Their shapes are fixed here so that a log written today can be read by every later version. Rule version 1 refuses
//! to record `offer.accepted`, because from it a permission would have to follow.

use serde::{Deserialize, Serialize};

use crate::domain::act::consent::{Condition, Revocable};
use crate::domain::ids::{
    DeclarationId, DocumentId, InquiryId, ModelId, NoticeId, OfferId, OrgId, RequestId, WorkId,
};
use crate::domain::key::Sha256;
use crate::domain::scope::{From, Scope, Until};
use crate::domain::territory::Territory;
use crate::domain::uses::Use;

/// `offer.published`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfferPublished {
    /// The new offer.
    pub offer: OfferId,
    /// The works.
    pub works: Vec<WorkId>,
    /// Leaf uses.
    pub uses: Scope<Use>,
    /// To whom.
    pub developers: Scope<OrgId>,
    /// Where.
    pub territories: Scope<Territory>,
    /// From when it can be accepted.
    pub from: From,
    /// Until when.
    pub until: Until,
    /// Whether and how a grant under it could be taken back.
    pub revocable: Revocable,
    /// What a developer would have to keep to.
    pub conditions: Vec<Condition>,
    /// The digest of the terms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<Sha256>,
}

/// `offer.withdrawn`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfferWithdrawn {
    /// The offer.
    pub offer: OfferId,
}

/// `offer.accepted`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfferAccepted {
    /// The offer.
    pub offer: OfferId,
    /// For which models.
    pub models: Scope<ModelId>,
}

/// `request.made`; the developer is the entry's party.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestMade {
    /// The new request.
    pub request: RequestId,
    /// The works.
    pub works: Vec<WorkId>,
    /// Leaf uses.
    pub uses: Scope<Use>,
    /// With which models.
    pub models: Scope<ModelId>,
    /// Where.
    pub territories: Scope<Territory>,
    /// From when.
    pub from: From,
    /// Until when.
    pub until: Until,
    /// By when an answer is hoped for; after it the request lapses, which is not consent.
    pub answer_by_ms: i64,
}

/// How a request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// A grant is recorded beside this answer; this answer itself permits nothing.
    Granted,
    /// Refused.
    Refused,
    /// Other terms are proposed.
    Countered,
}

/// `request.answered`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestAnswered {
    /// The request.
    pub request: RequestId,
    /// How.
    pub answer: Answer,
}

macro_rules! about_one {
    ($($(#[$doc:meta])* $name:ident { $field:ident: $type:ty };)*) => {
        $($(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// What it is about.
            pub $field: $type,
        })*
    };
}

about_one! {
    /// `request.withdrawn`.
    RequestWithdrawn { request: RequestId };
    /// `request.lapsed`, by the registry itself.
    RequestLapsed { request: RequestId };
    /// `notice.closed`.
    NoticeClosed { notice: NoticeId };
    /// `inquiry.closed`.
    InquiryClosed { inquiry: InquiryId };
}

/// `notice.served`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeServed {
    /// The new notice.
    pub notice: NoticeId,
    /// On whom.
    pub to: OrgId,
    /// About which works.
    pub works: Vec<WorkId>,
    /// About which uses.
    pub uses: Scope<Use>,
}

/// `notice.answered`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeAnswered {
    /// The notice.
    pub notice: NoticeId,
}

/// `declaration.made`; the developer is the entry's party.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclarationMade {
    /// The new declaration.
    pub declaration: DeclarationId,
    /// The model.
    pub model: ModelId,
    /// For what.
    pub uses: Scope<Use>,
    /// The digest of the list of what was used.
    pub manifest: Sha256,
    /// How many items the list has.
    pub items: u32,
}

/// `declaration.corrected`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclarationCorrected {
    /// The declaration.
    pub declaration: DeclarationId,
    /// The digest of the corrected list.
    pub manifest: Sha256,
    /// How many items it has.
    pub items: u32,
}

/// `document.filed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentFiled {
    /// The new document.
    pub document: DocumentId,
    /// Its SHA-256, salted like every payload.
    pub digest: Sha256,
    /// The entry that it belongs to.
    pub entry: u64,
}

/// `inquiry.opened`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InquiryOpened {
    /// The new inquiry.
    pub inquiry: InquiryId,
    /// Who inquires.
    pub auditor: OrgId,
    /// Which works.
    pub works: Scope<WorkId>,
    /// Which parties.
    pub parties: Scope<OrgId>,
    /// The period asked about.
    pub from: From,
    /// Its end.
    pub until: Until,
    /// When the inquiry itself expires.
    pub expires_ms: i64,
}

/// `payload.erased`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayloadErased {
    /// The entry whose payload was erased.
    pub entry: u64,
}

/// Which of the registry's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SigningKeyUse {
    /// Checkpoints of this log.
    ActLog,
    /// Checkpoints of the check journals.
    Journal,
    /// Receipts.
    Receipt,
    /// Access tokens.
    Token,
}

/// `key.rotated`, by the registrar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRotated {
    /// Which key.
    pub key_use: SigningKeyUse,
    /// The verifier key that ends, in the form of C2SP signed-note.
    pub old: String,
    /// The one that begins.
    pub new: String,
}

/// `journal.sealed`, by the registry itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalSealed {
    /// The origin of the journal.
    pub journal: String,
    /// Its size.
    pub size: u64,
    /// Its root at that size.
    pub root: Sha256,
}

/// `log.continued`, by the installation: the key was lost or stolen, and the same log goes on under another name and key. It is the
/// first entry under the new name, and commits to the last checkpoint under the old one that is to be believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogContinued {
    /// The old name.
    pub from: String,
    /// The new one.
    pub origin: String,
    /// How many entries the log had under the old name: this act is the next one.
    pub size: u64,
    /// Its root at that size.
    pub root: Sha256,
    /// Whether whatever was published under the old name beyond that size is given up, knowingly.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gives_up: bool,
}
