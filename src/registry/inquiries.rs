//! Inquiries: under which investigators read, and by which auditors state what they look into.
//!
//! The registrar opens one for a verified auditor or investigator, an auditor for itself. Whoever is named reads under it what it
//! lays open, until it is closed or expires; each of these reads is on the trail of what concerns security, with the inquiry. Those
//! who are inquired into are not told.

use serde::Serialize;

use super::answer::moment;
use super::authority::{Actor, Inspector, Proof, Roles, Scope as KeyScope, Verified};
use super::failure::Failure;
use super::node::Registry;
use super::permissions::Listed;
use super::record::payload;
use crate::domain::act::{Act, InquiryOpened};
use crate::domain::entry::Entry;
use crate::domain::ids::{Id, InquiryId, OrgId, WorkId};
use crate::domain::index::records::{Record, RecordOf};
use crate::domain::index::{AsOf, Ix};
use crate::domain::inquiry::Extent;
use crate::domain::payload::Payload;
use crate::domain::scope::Scope;
use crate::store::StoreError;
use crate::store::entries::{self, StoredEntry};
use crate::store::heads::ACTS;

/// An inquiry as its readers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InquiryView {
    /// Its id.
    pub inquiry: InquiryId,
    /// Who inquires.
    pub auditor: OrgId,
    /// Who opened it.
    pub opened_by: OrgId,
    /// `open`, `closed` or `expired`.
    pub state: &'static str,
    /// About which works.
    pub works: Scope<WorkId>,
    /// Naming which organizations.
    pub parties: Scope<OrgId>,
    /// From when on.
    pub from: String,
    /// Until when; `open` without end.
    pub until: String,
    /// When the inquiry itself ends.
    pub expires: String,
    /// Why it was opened; none once that was erased.
    pub reason: Option<String>,
    /// When it was opened.
    pub opened: String,
    /// When it was closed.
    pub closed: Option<String>,
    /// Its entry.
    pub entry: u64,
    /// The last entry that changed it: its `ETag`.
    #[serde(skip)]
    pub last_entry: u64,
}

/// Where an inquiry stands in the log.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Its number among all records.
    number: u32,
    opened: u64,
    closed: Option<u64>,
}

impl Place {
    fn of(now: AsOf<'_>, ix: Ix<Record>, record: &Record) -> Option<Self> {
        let is_one = record.of == RecordOf::Inquiry && now.seen(record.recorded);
        let closed = now.seen(record.ended).then_some(record.ended);
        is_one.then_some(Self { number: ix.place(), opened: record.recorded, closed })
    }
}

/// Whether somebody may know of an inquiry: whoever inquires, auditors, and the registrar.
fn knows(now: AsOf<'_>, actor: &Actor, record: &Record) -> bool {
    sees_all(actor) || now.org(actor.org()).is_some_and(|org| record.with.contains(&org))
}

/// An inquiry.
///
/// # Errors
/// [`Failure::NotFound`] for who may not know of it.
pub async fn one(registry: &Registry, by: &Verified, inquiry: InquiryId) -> Result<InquiryView, Failure> {
    let place = find(registry, by.actor(), inquiry).await?;
    view(registry, place).await
}

/// The inquiries that the caller may know of, the newest first, before this place.
pub async fn list(
    registry: &Registry,
    by: &Verified,
    before: Option<u32>,
    limit: u16,
) -> Result<Listed<InquiryView>, Failure> {
    let rows = usize::from(limit) + 1;
    let places = registry.read(|now| {
        let all = now.index.records.before_place(before.unwrap_or(u32::MAX));
        let known = all.filter(|(_, _, record)| knows(now, by.actor(), record));
        known.filter_map(|(ix, _, record)| Place::of(now, ix, record)).take(rows).collect::<Vec<_>>()
    });
    let mut found = Vec::new();
    for place in places.await? {
        found.push((place.number, view(registry, place).await?));
    }
    Ok(Listed::cut(found, usize::from(limit)))
}

async fn find(registry: &Registry, actor: &Actor, inquiry: InquiryId) -> Result<Place, Failure> {
    let found = registry.read(|now| {
        let ix = now.index.records.find(Id::new(inquiry.uuid()))?;
        let record = now.index.records.at(ix);
        knows(now, actor, record).then(|| Place::of(now, ix, record)).flatten()
    });
    found.await?.ok_or(Failure::NotFound)
}

/// The entry that opened an inquiry, and what it says.
async fn opened(registry: &Registry, at: u64) -> Result<(StoredEntry, Entry, InquiryOpened), Failure> {
    let corrupt = |why: String| StoreError::Corrupt(format!("entry {at}: {why}"));
    let found = entries::read(registry.db(), ACTS, at..at + 1).await?;
    let stored = found.into_iter().next().ok_or_else(|| corrupt("it is missing".to_owned()))?;
    let entry: Entry = serde_json::from_slice(&stored.bytes).map_err(|error| corrupt(error.to_string()))?;
    match entry.act.clone() {
        Act::InquiryOpened(opened) => Ok((stored, entry, opened)),
        other => Err(corrupt(format!("`{}` opens no inquiry", other.code())).into()),
    }
}

async fn view(registry: &Registry, place: Place) -> Result<InquiryView, Failure> {
    let (stored, entry, opened) = opened(registry, place.opened).await?;
    let extent = Extent::new(&opened, stored.at_ms);
    let closed = match place.closed {
        Some(at) => entries::read(registry.db(), ACTS, at..at + 1).await?.into_iter().next(),
        None => None,
    };
    let is_expired = registry.moment_ms() >= opened.expires_ms;
    Ok(InquiryView {
        inquiry: opened.inquiry,
        auditor: opened.auditor,
        opened_by: entry.party,
        state: match (place.closed, is_expired) {
            (Some(_), _) => "closed",
            (None, true) => "expired",
            (None, false) => "open",
        },
        works: opened.works,
        parties: opened.parties,
        from: moment(extent.from_ms),
        until: extent.until_ms.map_or_else(|| "open".to_owned(), moment),
        expires: moment(opened.expires_ms),
        reason: match payload(registry, place.opened).await? {
            Some(Payload::Note { text }) => Some(text),
            _ => None,
        },
        opened: moment(stored.at_ms),
        closed: closed.map(|closed| moment(closed.at_ms)),
        entry: place.opened,
        last_entry: place.closed.unwrap_or(place.opened),
    })
}

/// An inquiry under which somebody reads now. Only [`Sight::of`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inquiry {
    id: InquiryId,
    entry: u64,
    extent: Extent,
}

impl Inquiry {
    /// Its id.
    pub const fn id(&self) -> InquiryId {
        self.id
    }

    /// The entry that opened it.
    pub const fn entry(&self) -> u64 {
        self.entry
    }

    /// What it lays open.
    pub const fn extent(&self) -> &Extent {
        &self.extent
    }
}

/// How far somebody sees what is others'.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// What is its own, as any party.
    Own,
    /// All: an auditor with the scope for it, or the registrar.
    All,
    /// What this inquiry lays open.
    Under(Box<Inquiry>),
}

impl Sight {
    /// How far the caller sees, under this inquiry where one is named.
    ///
    /// # Errors
    /// [`Failure::NotFound`] for an inquiry of which the caller may not know; [`Failure::Forbidden`] for one that is another's, closed
    /// or expired, and to who reads under none.
    pub async fn of(registry: &Registry, actor: &Actor, inquiry: Option<InquiryId>) -> Result<Self, Failure> {
        let Some(inquiry) = inquiry else {
            return Ok(if sees_all(actor) { Self::All } else { Self::Own });
        };
        Inspector::prove(actor, KeyScope::Audit)?;
        let place = find(registry, actor, inquiry).await?;
        let (stored, _, opened) = opened(registry, place.opened).await?;
        let forbidden = |why: String| Err(Failure::Forbidden(format!("the inquiry `{inquiry}` {why}")));
        if opened.auditor != actor.org() {
            return forbidden(format!("is that of `{}`", opened.auditor));
        }
        if place.closed.is_some() {
            return forbidden("is closed: what it lays open is not read any more".to_owned());
        }
        if registry.moment_ms() >= opened.expires_ms {
            return forbidden(format!("expired at {}: ask for a new one", moment(opened.expires_ms)));
        }
        let extent = Extent::new(&opened, stored.at_ms);
        Ok(Self::Under(Box::new(Inquiry { id: inquiry, entry: place.opened, extent })))
    }

    /// The same, for those who see nothing here that is their own.
    ///
    /// # Errors
    /// As [`Sight::of`], and [`Failure::Forbidden`] to an investigator who names no inquiry.
    pub async fn of_inspector(
        registry: &Registry,
        by: &Inspector,
        inquiry: Option<InquiryId>,
    ) -> Result<Self, Failure> {
        match Self::of(registry, by.actor(), inquiry).await? {
            Self::Own => Err(Failure::Forbidden(
                "an investigator reads under an inquiry: name it, as `inquiry=inq_…` or `--inquiry inq_…`"
                    .to_owned(),
            )),
            sight => Ok(sight),
        }
    }

    /// Whether an entry of the act log is told in full that is about these works.
    pub fn shows_entry(&self, entry: &Entry, works: &[WorkId]) -> bool {
        match self {
            Self::Own => false,
            Self::All => true,
            Self::Under(inquiry) => inquiry.extent.holds_entry(entry, works),
        }
    }

    /// The part of this time that is seen: its first moment, and the one before which it ends.
    pub fn narrowed(&self, since_ms: Option<i64>, until_ms: Option<i64>) -> (Option<i64>, Option<i64>) {
        let Some(extent) = self.inquiry().map(Inquiry::extent) else { return (since_ms, until_ms) };
        let until_ms = [until_ms, extent.until_ms].into_iter().flatten().min();
        (Some(since_ms.unwrap_or(extent.from_ms).max(extent.from_ms)), until_ms)
    }

    /// The inquiry under which it is seen.
    pub fn inquiry(&self) -> Option<&Inquiry> {
        match self {
            Self::Under(inquiry) => Some(inquiry),
            Self::Own | Self::All => None,
        }
    }
}

/// Whether the caller sees all that is others': auditors with the scope for it, and the registrar.
pub(super) fn sees_all(actor: &Actor) -> bool {
    let is_auditor = actor.roles().meets(Roles::AUDITORS) && actor.scopes().holds(KeyScope::Audit);
    is_auditor || actor.roles().meets(Roles::REGISTRAR)
}
