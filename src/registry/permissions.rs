//! Grants, denials and reservations, as their parties read them.
//!
//! A grant is its parties' secret: who grants, who recorded it, who holds the work, the developers it names (all of
//! them when it is for any), the registrar and auditors. A denial tells everybody whom it stops. A reservation is
//! public, as the signal is that it records.

use serde::Serialize;

use super::answer::moment;
use super::authority::{Proof, Roles, Verified};
use super::failure::Failure;
use super::node::Registry;
use crate::domain::act::{Condition, Covers, ReservationForm, ReservedSubject, Revocable, Signal};
use crate::domain::entry::Entry;
use crate::domain::ids::{DenialId, GrantId, ModelId, OrgId, ReservationId, WorkId};
use crate::domain::index::records::{Denial, Grant, Org, Reservation, Term, Work};
use crate::domain::index::{AsOf, Ix};
use crate::domain::key::Sha256;
use crate::domain::scope::Scope;
use crate::domain::territory::Territory;
use crate::domain::uses::{Use, UseOrFamily};
use crate::store::{entries, heads};

const DAY_MS: i64 = 86_400_000;

/// When a grant can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocableView {
    /// Not before its end.
    Never,
    /// With this many days of notice; 0 is at once.
    NoticeDays(i64),
}

impl From<Revocable> for RevocableView {
    fn from(revocable: Revocable) -> Self {
        match revocable {
            Revocable::Never => Self::Never,
            Revocable::NoticeMs(notice_ms) => Self::NoticeDays(notice_ms / DAY_MS),
        }
    }
}

/// A revocation of a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RevocationView {
    /// From when on.
    pub from: String,
    /// Its entry.
    pub entry: u64,
}

/// A grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GrantView {
    /// Its id.
    pub grant: GrantId,
    /// The work.
    pub work: WorkId,
    /// Whose right it exercises.
    pub grantor: OrgId,
    /// Who recorded it.
    pub recorded_by: OrgId,
    /// `not_yet_effective`, `in_term`, `expired` or `revoked`. What it permits is for a check to say.
    pub state: &'static str,
    /// Its parts too, or not.
    pub covers: Covers,
    /// Where it counts as a layer.
    pub as_layer_of: Scope<WorkId>,
    /// Whether a match by place alone is enough.
    pub by_location: bool,
    /// The leaf uses; those that a grant for any use was recorded for are listed.
    pub uses: Vec<Use>,
    /// Who may.
    pub developers: Scope<OrgId>,
    /// With which models.
    pub models: Scope<ModelId>,
    /// Where.
    pub territories: Scope<Territory>,
    /// From when.
    pub from: String,
    /// Until when; `open` without end.
    pub until: String,
    /// Whether and how it can be taken back.
    pub revocable: RevocableView,
    /// What the developer must keep to.
    pub conditions: Vec<Condition>,
    /// The digest of the agreement's text.
    pub terms: Option<Sha256>,
    /// Revocations, in order.
    pub revoked: Vec<RevocationView>,
    /// Its entry.
    pub entry: u64,
    /// The last entry that changed it: its `ETag`.
    #[serde(skip)]
    pub last_entry: u64,
}

/// A denial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DenialView {
    /// Its id.
    pub denial: DenialId,
    /// The work.
    pub work: WorkId,
    /// Whose right it exercises.
    pub principal: OrgId,
    /// Who recorded it.
    pub recorded_by: OrgId,
    /// `standing`, or `withdrawn` when it rests on no share any more.
    pub state: &'static str,
    /// Its parts too.
    pub parts: bool,
    /// Leaves or families.
    pub uses: Scope<UseOrFamily>,
    /// Whom.
    pub developers: Scope<OrgId>,
    /// Which models.
    pub models: Scope<ModelId>,
    /// Where.
    pub territories: Scope<Territory>,
    /// From when; `open` from ever.
    pub from: String,
    /// Until when; `open` without end.
    pub until: String,
    /// Its entry.
    pub entry: u64,
    /// The last entry that changed it: its `ETag`.
    #[serde(skip)]
    pub last_entry: u64,
}

/// A reservation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReservationView {
    /// Its id.
    pub reservation: ReservationId,
    /// Who put it on record.
    pub recorded_by: OrgId,
    /// `standing` or `withdrawn`.
    pub state: &'static str,
    /// What it is about.
    pub subject: ReservedSubject,
    /// In what form it was found.
    pub form: ReservationForm,
    /// What it says. None of these is consent.
    pub signal: Signal,
    /// Uses that it speaks of.
    pub uses: Scope<Use>,
    /// The digest of what was seen.
    pub evidence: Option<Sha256>,
    /// When it was recorded.
    pub at: String,
    /// Its entry.
    pub entry: u64,
    /// The last entry that changed it: its `ETag`.
    #[serde(skip)]
    pub last_entry: u64,
}

/// A page of a list: the items, and the place at which the next one begins.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    /// The items, the newest first.
    pub items: Vec<T>,
    /// The place of the last item, when there are more.
    pub next: Option<u32>,
}

impl<T> Listed<T> {
    /// Cuts rows that were read one further than the limit.
    pub(super) fn cut(mut rows: Vec<(u32, T)>, limit: usize) -> Self {
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().map(|(place, _)| *place).filter(|_| more);
        Self { items: rows.into_iter().map(|(_, item)| item).collect(), next }
    }
}

fn sees_all(by: &Verified) -> bool {
    by.actor().roles().meets(Roles::REGISTRAR | Roles::AUDITORS)
}

fn until(term: Term) -> String {
    if term.until_ms == i64::MAX { "open".to_owned() } else { moment(term.until_ms) }
}

fn from(term: Term) -> String {
    if term.from_ms == i64::MIN { "open".to_owned() } else { moment(term.from_ms) }
}

fn caller(now: AsOf<'_>, by: &Verified) -> Option<Ix<Org>> {
    now.org(by.actor().org())
}

// Grants.

/// A grant, to its parties.
pub async fn grant(registry: &Registry, by: &Verified, id: GrantId) -> Result<GrantView, Failure> {
    let moment_ms = registry.moment_ms();
    let found = registry.read(|now| {
        let ix = now.index.grants.find(id)?;
        sees_grant(now, by, &now.index.grant(ix)).then(|| grant_view(now, ix, moment_ms))
    });
    found.await?.ok_or(Failure::NotFound)
}

/// The grants that the caller is a party to, on one work or on all, the newest first, before this place.
pub async fn grants(
    registry: &Registry,
    by: &Verified,
    work: Option<WorkId>,
    before: Option<u32>,
    limit: u16,
) -> Result<Listed<GrantView>, Failure> {
    let (moment_ms, rows) = (registry.moment_ms(), usize::from(limit) + 1);
    let read = registry.read(|now| {
        let before = before.unwrap_or(u32::MAX);
        let places = match work {
            Some(work) => grants_of_work(now, by, work, before, rows),
            None if sees_all(by) => {
                let all = now.index.grants.before_place(before);
                all.filter(|ix| now.seen(now.index.grant(*ix).recorded)).take(rows).collect()
            }
            None => grants_of_caller(now, by, before, rows),
        };
        places.into_iter().map(|ix| (ix.place(), grant_view(now, ix, moment_ms))).collect::<Vec<_>>()
    });
    Ok(Listed::cut(read.await?, usize::from(limit)))
}

fn grants_of_work(now: AsOf<'_>, by: &Verified, work: WorkId, before: u32, rows: usize) -> Vec<Ix<Grant>> {
    let Some(work) = now.work(work).map(|work| now.canonical(work)) else { return Vec::new() };
    let records = now.records_of(work);
    let mut places: Vec<_> = records.iter().flat_map(|record| now.index.grants_of(*record)).collect();
    places.retain(|ix| ix.place() < before && sees_grant(now, by, &now.index.grant(*ix)));
    places.sort_unstable_by(|a, b| b.cmp(a));
    places.truncate(rows);
    places
}

/// Two lists, each in order of place: the caller's own, and for a developer those for any.
fn grants_of_caller(now: AsOf<'_>, by: &Verified, before: u32, rows: usize) -> Vec<Ix<Grant>> {
    let own = caller(now, by).map_or(&[][..], |org| now.index.granted.get(Some(org)));
    let open =
        if by.actor().roles().meets(Roles::DEVELOPERS) { now.index.granted.get(None) } else { &[][..] };
    let newest = |list: &[Ix<Grant>]| {
        let end = list.partition_point(|ix| ix.place() < before);
        let earlier = list.get(..end).unwrap_or_default();
        earlier.iter().rev().copied().take(rows).collect::<Vec<_>>()
    };
    let mut places = newest(own);
    places.extend(newest(open));
    places.sort_unstable_by(|a, b| b.cmp(a));
    places.dedup();
    places.retain(|ix| now.seen(now.index.grant(*ix).recorded));
    places.truncate(rows);
    places
}

fn sees_grant(now: AsOf<'_>, by: &Verified, grant: &Grant) -> bool {
    if !now.seen(grant.recorded) {
        return false;
    }
    let Some(org) = caller(now, by) else { return false };
    let is_named = match &now.index.licence(grant).developers {
        Scope::Any => by.actor().roles().meets(Roles::DEVELOPERS),
        Scope::Only(named) => named.contains(&by.actor().org()),
    };
    sees_all(by)
        || is_named
        || grant.grantor == org
        || grant.recorder == org
        || now.stands_behind(org, now.canonical(grant.work))
}

fn grant_view(now: AsOf<'_>, ix: Ix<Grant>, moment_ms: i64) -> GrantView {
    let grant = now.index.grant(ix);
    let licence = now.index.licence(&grant);
    let mut revoked: Vec<_> = now.revocations(&grant).collect();
    revoked.reverse();
    let is_revoked = revoked.iter().any(|it| it.from_ms <= moment_ms);
    GrantView {
        grant: now.index.grants.id(ix),
        work: now.work_id(grant.work),
        grantor: now.org_id(grant.grantor),
        recorded_by: now.org_id(grant.recorder),
        state: match (is_revoked, moment_ms) {
            (true, _) => "revoked",
            (false, at) if at < grant.term.from_ms => "not_yet_effective",
            (false, at) if at >= grant.term.until_ms => "expired",
            (false, _) => "in_term",
        },
        covers: licence.covers,
        as_layer_of: licence.as_layer_of.clone(),
        by_location: licence.by_location,
        uses: licence.uses.iter().collect(),
        developers: licence.developers.clone(),
        models: licence.models.clone(),
        territories: licence.territories.clone(),
        from: from(grant.term),
        until: until(grant.term),
        revocable: licence.revocable.into(),
        conditions: licence.conditions.clone(),
        terms: licence.terms,
        revoked: revoked
            .iter()
            .map(|it| RevocationView { from: moment(it.from_ms), entry: it.at.get() })
            .collect(),
        entry: grant.recorded.get(),
        last_entry: revoked.last().map_or(grant.recorded, |it| it.at).get(),
    }
}

// Denials.

/// A denial, to those whom it concerns.
pub async fn denial(registry: &Registry, by: &Verified, id: DenialId) -> Result<DenialView, Failure> {
    let found = registry.read(|now| {
        let ix = now.index.denials.find(id)?;
        sees_denial(now, by, &now.index.denial(ix)).then(|| denial_view(now, ix))
    });
    found.await?.ok_or(Failure::NotFound)
}

/// The denials that concern the caller, on one work or on all, the newest first, before this place. For a developer
/// the list of all holds those that name it; one for anybody is found under its work.
pub async fn denials(
    registry: &Registry,
    by: &Verified,
    work: Option<WorkId>,
    before: Option<u32>,
    limit: u16,
) -> Result<Listed<DenialView>, Failure> {
    let rows = usize::from(limit) + 1;
    let read = registry.read(|now| {
        let before = before.unwrap_or(u32::MAX);
        let places: Vec<Ix<Denial>> = match work.map(|work| now.work(work)) {
            Some(None) => Vec::new(),
            Some(Some(work)) => denials_of_work(now, by, now.canonical(work), before, rows),
            None if sees_all(by) => {
                let all = now.index.denials.before_place(before);
                all.filter(|ix| now.seen(now.index.denial(*ix).recorded)).take(rows).collect()
            }
            None => {
                let own = caller(now, by).map_or(&[][..], |org| now.index.denied.get(org));
                let mine = own.iter().rev().copied().filter(|ix| ix.place() < before);
                mine.filter(|ix| now.seen(now.index.denial(*ix).recorded)).take(rows).collect()
            }
        };
        places.into_iter().map(|ix| (ix.place(), denial_view(now, ix))).collect::<Vec<_>>()
    });
    Ok(Listed::cut(read.await?, usize::from(limit)))
}

fn denials_of_work(
    now: AsOf<'_>,
    by: &Verified,
    work: Ix<Work>,
    before: u32,
    rows: usize,
) -> Vec<Ix<Denial>> {
    let records = now.records_of(work);
    let all = records.iter().flat_map(|record| now.index.denials_of(*record));
    let mut places: Vec<_> = all.filter(|ix| ix.place() < before).collect();
    places.retain(|ix| sees_denial(now, by, &now.index.denial(*ix)));
    places.sort_unstable_by(|a, b| b.cmp(a));
    places.truncate(rows);
    places
}

fn sees_denial(now: AsOf<'_>, by: &Verified, denial: &Denial) -> bool {
    if !now.seen(denial.recorded) {
        return false;
    }
    let Some(org) = caller(now, by) else { return false };
    let is_named = match &now.index.refusal(denial).developers {
        Scope::Any => by.actor().roles().meets(Roles::DEVELOPERS),
        Scope::Only(named) => named.contains(&by.actor().org()),
    };
    sees_all(by)
        || is_named
        || denial.principal == org
        || denial.recorder == org
        || now.stands_behind(org, now.canonical(denial.work))
}

fn denial_view(now: AsOf<'_>, ix: Ix<Denial>) -> DenialView {
    let denial = now.index.denial(ix);
    let refusal = now.index.refusal(&denial);
    let lifted = denial.holdings.iter().map(|(_, at)| *at).filter(|at| now.seen(*at)).max();
    DenialView {
        denial: now.index.denials.id(ix),
        work: now.work_id(denial.work),
        principal: now.org_id(denial.principal),
        recorded_by: now.org_id(denial.recorder),
        state: if now.denial_stands(&denial) { "standing" } else { "withdrawn" },
        parts: refusal.parts,
        uses: refusal.uses.clone(),
        developers: refusal.developers.clone(),
        models: refusal.models.clone(),
        territories: refusal.territories.clone(),
        from: from(denial.term),
        until: until(denial.term),
        entry: denial.recorded.get(),
        last_entry: lifted.unwrap_or(denial.recorded).get(),
    }
}

// Reservations.

/// A reservation, to any verified organization.
pub async fn reservation(
    registry: &Registry,
    _by: &Verified,
    id: ReservationId,
) -> Result<ReservationView, Failure> {
    let found = registry.read(|now| {
        let ix = now.index.reservations.find(id)?;
        reserved(now, ix)
    });
    reservation_view(registry, found.await?.ok_or(Failure::NotFound)?).await
}

/// The reservations on a work, or those that the caller recorded, the newest first, before this place.
pub async fn reservations(
    registry: &Registry,
    by: &Verified,
    work: Option<WorkId>,
    before: Option<u32>,
    limit: u16,
) -> Result<Listed<ReservationView>, Failure> {
    let rows = usize::from(limit) + 1;
    let read = registry.read(|now| {
        let places = match work.map(|work| now.work(work)) {
            Some(None) => Vec::new(),
            Some(Some(work)) => {
                let records = now.records_of(now.canonical(work));
                let all = records.iter().flat_map(|record| now.index.reserved_works.get(*record));
                let mut places: Vec<_> = all.copied().collect();
                places.sort_unstable();
                places
            }
            None => caller(now, by).map_or(&[][..], |org| now.index.reserved.get(org)).to_vec(),
        };
        let earlier =
            places.into_iter().rev().filter(|ix| ix.place() < before.unwrap_or(u32::MAX)).take(rows);
        earlier.filter_map(|ix| Some((ix.place(), reserved(now, ix)?))).collect::<Vec<_>>()
    });
    let Listed { items, next } = Listed::cut(read.await?, usize::from(limit));
    let mut views = Vec::with_capacity(items.len());
    for item in items {
        views.push(reservation_view(registry, item).await?);
    }
    Ok(Listed { items: views, next })
}

/// What the index knows of a reservation: its id, its entry, and the one that withdrew it.
type Reserved = (ReservationId, u64, Option<u64>);

fn reserved(now: AsOf<'_>, ix: Ix<Reservation>) -> Option<Reserved> {
    let found = now.index.reservations.at(ix);
    let withdrawn = Some(found.withdrawn).filter(|at| now.seen(*at));
    now.seen(found.recorded).then(|| (now.index.reservations.id(ix), found.recorded, withdrawn))
}

/// The rest stands in its entry: what no rule reads is not in the index.
pub(super) async fn reservation_view(
    registry: &Registry,
    (id, entry, withdrawn): Reserved,
) -> Result<ReservationView, Failure> {
    let stored = entries::read(registry.db(), heads::ACTS, entry..entry.saturating_add(1)).await?;
    let corrupt = |why: &str| Failure::Unavailable(format!("entry {entry} {why}"));
    let stored = stored.into_iter().next().ok_or_else(|| corrupt("is missing"))?;
    let read: Entry = serde_json::from_slice(&stored.bytes).map_err(|_| corrupt("can't be read"))?;
    let crate::domain::act::Act::ReservationRecorded(act) = read.act else {
        return Err(corrupt("does not record a reservation"));
    };
    Ok(ReservationView {
        reservation: id,
        recorded_by: read.party,
        state: if withdrawn.is_some() { "withdrawn" } else { "standing" },
        subject: act.subject,
        form: act.form,
        signal: act.signal,
        uses: act.uses,
        evidence: act.evidence,
        at: moment(read.at_ms),
        entry,
        last_entry: withdrawn.unwrap_or(entry),
    })
}
