//! The only way in which the index changes.
//!
//! `fold` trusts that the entry was admitted: it does not judge again. What it cannot apply (an act of a newer
//! version, a name that it never saw, a new thing under a name in use) stops it, and with it the node: an entry is never skipped.

mod consent;
mod names;
mod parties;
mod works;

pub(in crate::domain) use works::iscc_class;

use super::records::{At, NEVER, Org, OrgRef, Record, RecordOf};
use super::{Index, Ix, RecordKind, Rotation};
use crate::domain::act::Act;
use crate::domain::decide::KNOWN_RULES;
use crate::domain::entry::{ENTRY_VERSION, Entry};
use crate::domain::ids::{Id, Kind, OrgId, WorkId};

/// Why an entry can't be folded. The node must not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// Another entry is due.
    #[error("entry {got} does not follow: entry {due} is due")]
    OutOfOrder {
        /// Which is due.
        due: u64,
        /// Which came.
        got: u64,
    },
    /// Time went backwards.
    #[error("entry {0} is older than the one before it")]
    BackInTime(u64),
    /// The log has outgrown this program.
    #[error("entry {0} is one too many for this program's index: it needs one that counts further")]
    Full(u64),
    /// The entry's form is unknown.
    #[error("entry {at} has the unknown version {version}: this program is too old for this log")]
    UnknownVersion {
        /// The entry.
        at: u64,
        /// Its version.
        version: u8,
    },
    /// The rules are unknown.
    #[error("entry {at} activates the unknown rules {version}: this program is too old for this log")]
    UnknownRules {
        /// The entry.
        at: u64,
        /// The rules.
        version: u32,
    },
    /// A name that no earlier entry introduced.
    #[error("entry {at} speaks of `{id}`, which no earlier entry introduced")]
    UnknownName {
        /// The entry.
        at: u64,
        /// The name.
        id: String,
    },
    /// A new thing under the name of another.
    #[error("entry {at} introduces `{id}`, which is in use already")]
    UsedName {
        /// The entry.
        at: u64,
        /// The name.
        id: String,
    },
}

/// What every step of a fold needs to know of the entry.
#[derive(Clone, Copy)]
struct Step<'a> {
    at: u64,
    entry: &'a Entry,
}

impl Step<'_> {
    const fn entry_at(self) -> At {
        At::new(self.at)
    }

    fn unknown<K: Kind>(self, id: Id<K>) -> FoldError {
        FoldError::UnknownName { at: self.at, id: id.to_string() }
    }
}

type Folded = Result<(), FoldError>;

impl Index {
    /// Applies the entry with index `at`, which must be the next one.
    ///
    /// On an error the index may hold a part of the entry: undo to a savepoint, or stop.
    pub fn fold(&mut self, at: u64, entry: &Entry) -> Folded {
        if at != self.size {
            return Err(FoldError::OutOfOrder { due: self.size, got: at });
        }
        if entry.v != ENTRY_VERSION {
            return Err(FoldError::UnknownVersion { at, version: entry.v });
        }
        if entry.at_ms < self.head_ms {
            return Err(FoldError::BackInTime(at));
        }
        if !self.has_room() {
            return Err(FoldError::Full(at));
        }
        if let Some(id) = self.used_name(&entry.act) {
            return Err(FoldError::UsedName { at, id });
        }
        self.size = at + 1;
        self.head_ms = entry.at_ms;
        self.apply(Step { at, entry })
    }

    fn apply(&mut self, step: Step<'_>) -> Folded {
        match &step.entry.act {
            Act::LogOpened(act) => {
                self.registry = Some(act.registry);
                self.origins.push((step.at, act.origin.clone()));
                Ok(())
            }
            Act::SettingsChanged(act) => {
                self.second_person.push((step.at, act.second_person));
                Ok(())
            }
            Act::RulesActivated(act) => {
                if !KNOWN_RULES.contains(&act.version) {
                    return Err(FoldError::UnknownRules { at: step.at, version: act.version });
                }
                self.rules.push((step.at, act.version));
                Ok(())
            }
            Act::KeyRotated(act) => {
                let (at, at_ms) = (step.at, step.entry.at_ms);
                self.rotations.push(Rotation { at, at_ms, act: act.clone() });
                Ok(())
            }
            Act::LogContinued(act) => {
                self.origins.push((step.at, act.origin.clone()));
                Ok(())
            }
            Act::JournalSealed(_) | Act::PayloadErased(_) | Act::OfferAccepted(_) => Ok(()),
            Act::OrgRegistered(_)
            | Act::OrgVerified(_)
            | Act::OrgSuspended(_)
            | Act::OrgReinstated(_)
            | Act::PersonAdded(_)
            | Act::PersonRemoved(_)
            | Act::ModelRegistered(_)
            | Act::ModelRetired(_)
            | Act::MembershipOffered(_)
            | Act::MembershipAccepted(_)
            | Act::MembershipEnded(_)
            | Act::MandateGiven(_)
            | Act::MandateEnded(_) => self.apply_party(step),
            Act::GrantRecorded(_)
            | Act::GrantRevoked(_)
            | Act::DenialRecorded(_)
            | Act::DenialWithdrawn(_)
            | Act::ReservationRecorded(_)
            | Act::ReservationWithdrawn(_) => self.apply_consent(step),
            Act::OfferPublished(_)
            | Act::OfferWithdrawn(_)
            | Act::RequestMade(_)
            | Act::RequestAnswered(_)
            | Act::RequestWithdrawn(_)
            | Act::RequestLapsed(_)
            | Act::NoticeServed(_)
            | Act::NoticeAnswered(_)
            | Act::NoticeClosed(_)
            | Act::DeclarationMade(_)
            | Act::DeclarationCorrected(_)
            | Act::DocumentFiled(_)
            | Act::InquiryOpened(_)
            | Act::InquiryClosed(_) => self.apply_record(step),
            _ => self.apply_work(step),
        }
    }

    fn apply_record(&mut self, step: Step<'_>) -> Folded {
        use RecordOf::{Declaration, Document, Inquiry, Notice, Offer, Request};
        match &step.entry.act {
            Act::OfferPublished(act) => self.open_record(step, Offer, act.offer, &[], &act.works),
            Act::OfferWithdrawn(act) => self.close_record(step, act.offer),
            Act::RequestMade(act) => {
                self.open_record(step, Request, act.request, &[], &act.works)?;
                if let Some(ix) = self.records.find(Id::new(act.request.uuid())) {
                    self.records.change(ix).due_ms = act.answer_by_ms;
                }
                Ok(())
            }
            Act::RequestWithdrawn(act) => self.close_record(step, act.request),
            Act::RequestLapsed(act) => self.close_record(step, act.request),
            Act::NoticeServed(act) => self.open_record(step, Notice, act.notice, &[act.to], &act.works),
            Act::NoticeClosed(act) => self.close_record(step, act.notice),
            Act::DeclarationMade(act) => self.open_record(step, Declaration, act.declaration, &[], &[]),
            Act::DocumentFiled(act) => self.open_record(step, Document, act.document, &[], &[]),
            Act::InquiryOpened(act) => self.open_record(step, Inquiry, act.inquiry, &[act.auditor], &[]),
            Act::InquiryClosed(act) => self.close_record(step, act.inquiry),
            // An answer leaves a request open, since more than one holder may answer it; the others add to a record.
            _ => Ok(()),
        }
    }

    fn open_record<K: Kind>(
        &mut self,
        step: Step<'_>,
        of: RecordOf,
        id: Id<K>,
        with: &[OrgId],
        works: &[WorkId],
    ) -> Folded {
        let (by, principal) = (self.party(step)?, self.principal(step)?);
        let with = with.iter().map(|org| self.org(step, *org)).collect::<Result<_, _>>()?;
        let find = |work: &WorkId| self.works.find(*work).ok_or_else(|| step.unknown(*work));
        let works = works.iter().map(find).collect::<Result<_, _>>()?;
        let (due_ms, recorded) = (i64::MAX, step.at);
        let record = Record { of, by, principal, with, works, due_ms, recorded, ended: NEVER };
        self.records.push(Id::<RecordKind>::new(id.uuid()), record);
        Ok(())
    }

    fn close_record<K: Kind>(&mut self, step: Step<'_>, id: Id<K>) -> Folded {
        let ix = self.records.find(Id::new(id.uuid())).ok_or_else(|| step.unknown(id))?;
        self.records.change(ix).ended = step.at;
        Ok(())
    }

    fn org(&self, step: Step<'_>, id: OrgId) -> Result<Ix<Org>, FoldError> {
        self.orgs.find(id).ok_or_else(|| step.unknown(id))
    }

    fn org_ref(&self, step: Step<'_>, id: OrgId) -> Result<OrgRef, FoldError> {
        if self.registry == Some(id) { Ok(OrgRef::Installation) } else { self.org(step, id).map(OrgRef::Org) }
    }

    /// The organization that acts.
    fn party(&self, step: Step<'_>) -> Result<Ix<Org>, FoldError> {
        self.org(step, step.entry.party)
    }

    /// The organization whose right is exercised.
    fn principal(&self, step: Step<'_>) -> Result<Ix<Org>, FoldError> {
        self.org(step, step.entry.principal())
    }
}
