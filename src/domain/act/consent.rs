//! Acts of consent and refusal, and the opt-outs that are neither.

use serde::{Deserialize, Serialize};

use crate::domain::ids::{DenialId, GrantId, ModelId, OrgId, RequestId, ReservationId, WorkId};
use crate::domain::key::{Key, Sha256};
use crate::domain::scope::{From, Scope, Until};
use crate::domain::territory::Territory;
use crate::domain::uses::{Use, UseOrFamily};

/// Which works a grant on one work covers (R8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Covers {
    /// The work alone.
    Work,
    /// The work and the parts that the holder had linked before.
    WithParts,
    /// The work, those parts, and parts that the holder links later.
    FutureParts,
}

/// Whether a grant can be taken back, and how (R12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Revocable {
    /// Not before its end.
    Never,
    /// With this notice, in milliseconds; 0 is at once.
    NoticeMs(i64),
}

/// What the developer must keep to. A condition never changes a verdict; it is told with the permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Name the holders.
    Credit,
    /// Do not pass the work on.
    NoRedistribution,
    /// Pictures only.
    PictureOnly,
    /// Sound only.
    SoundOnly,
    /// Text only.
    TextOnly,
    /// No commercial use.
    NonCommercial,
    /// Delete the copies afterwards.
    DeleteAfterUse,
    /// Report the use to the holder.
    ReportUse,
    /// Pay as the terms say.
    Remuneration,
    /// More stands in the terms, whose digest the grant names.
    SeeTerms,
}

/// `grant.recorded`. Everything is stated; nothing has a default (R8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantRecorded {
    /// The new grant.
    pub grant: GrantId,
    /// The work.
    pub work: WorkId,
    /// Its parts too, or not.
    pub covers: Covers,
    /// Only where the work is a layer of these works, or anywhere.
    pub as_layer_of: Scope<WorkId>,
    /// Whether a match by URL prefix alone is enough.
    pub by_location: bool,
    /// Leaf uses; `any` is every leaf of the rule version under which it was recorded.
    pub uses: Scope<Use>,
    /// Who may.
    pub developers: Scope<OrgId>,
    /// With which models.
    pub models: Scope<ModelId>,
    /// Where.
    pub territories: Scope<Territory>,
    /// From when; never before the entry (R12).
    pub from: From,
    /// Until when.
    pub until: Until,
    /// Whether and how it can be taken back.
    pub revocable: Revocable,
    /// What the developer must keep to; may be empty.
    pub conditions: Vec<Condition>,
    /// The digest of the agreement's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<Sha256>,
    /// The request that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
}

/// `grant.revoked`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantRevoked {
    /// The grant.
    pub grant: GrantId,
    /// From when; not sooner than the grant's own notice allows.
    pub from: From,
}

/// `denial.recorded`. What is left out means all of it (R9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DenialRecorded {
    /// The new denial.
    pub denial: DenialId,
    /// The work.
    pub work: WorkId,
    /// Whether it stops the work's parts too; left out, it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<bool>,
    /// Leaves or families.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<Scope<UseOrFamily>>,
    /// Whom it stops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub developers: Option<Scope<OrgId>>,
    /// Which models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Scope<ModelId>>,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub territories: Option<Scope<Territory>>,
    /// From when; left out, at every moment, so that a question about a moment before the entry meets it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<From>,
    /// Until when; left out, without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
}

/// `denial.withdrawn`. It permits nothing; it only ends that refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DenialWithdrawn {
    /// The denial.
    pub denial: DenialId,
}

/// In what form a reservation of rights was found (R13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReservationForm {
    /// A notice in words.
    Notice,
    /// robots.txt, RFC 9309.
    RobotsTxt,
    /// ai.txt.
    AiTxt,
    /// W3C TDM Reservation Protocol.
    Tdmrep,
    /// IETF AI Preferences.
    Aipref,
    /// Content Signals.
    ContentSignals,
    /// CAWG training and data mining assertion.
    Cawg,
    /// Really Simple Licensing.
    Rsl,
    /// A company's own opt-out form.
    CompanyForm,
    /// Embedded metadata, such as IPTC PLUS.
    Metadata,
    /// Anything else.
    Other,
}

/// What the foreign signal says. None of these is consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// Rights are reserved.
    Reserve,
    /// The signal reads as an allowance; it is evidence, not consent.
    Allow,
    /// Anything else: conditional, invalid, unknown.
    Unclear,
}

/// What a reservation is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ReservedSubject {
    /// A registered work.
    Work(WorkId),
    /// A key, registered or not.
    Key(Key),
}

/// `reservation.recorded`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReservationRecorded {
    /// The new reservation.
    pub reservation: ReservationId,
    /// What it is about.
    pub subject: ReservedSubject,
    /// The form in which it was found.
    pub form: ReservationForm,
    /// What it says.
    pub signal: Signal,
    /// Our uses that it speaks of.
    pub uses: Scope<Use>,
    /// The digest of what was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Sha256>,
}

/// `reservation.withdrawn`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReservationWithdrawn {
    /// The reservation.
    pub reservation: ReservationId,
}
