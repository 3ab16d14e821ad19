//! The record of a work, as any verified organization may read it: what it is called, who holds it, what it is made of.

use serde::Serialize;

use super::authority::Verified;
use super::failure::Failure;
use super::names::Known;
use super::node::Registry;
use crate::domain::act::WorkKind;
use crate::domain::ids::{BindingId, ClaimId, DisputeId, HoldingId, LinkId, OrgId, WorkId};
use crate::domain::index::records::{Claim, Work};
use crate::domain::index::{AsOf, Ix};
use crate::domain::key::Key;
use crate::domain::payload::Payload;
use crate::store::payloads::Payload as Stored;
use crate::store::{catalogue, payloads};

/// The most links of one kind that a record shows.
pub const MAX_LINKS: usize = 200;
/// The most keys that a record shows.
pub const MAX_KEYS: usize = 1_000;

/// An organization in an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrgName {
    /// Its id.
    pub organization: OrgId,
    /// Its name; none after an erasure.
    pub name: Option<String>,
}

/// A work in an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkName {
    /// Its id.
    pub work: WorkId,
    /// Its main title; none after an erasure.
    pub title: Option<String>,
}

/// A title.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TitleView {
    /// The text.
    pub text: String,
    /// The language.
    pub lang: Option<String>,
    /// How it is read.
    pub reading: Option<String>,
}

/// A standing holding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HoldingView {
    /// Its id.
    pub holding: HoldingId,
    /// Its present holder.
    pub holder: OrgName,
    /// Whether it is confirmed.
    pub confirmed: bool,
    /// The entry that asserted it.
    pub entry: u64,
}

/// A binding that still matters: it stands, or it was confirmed and removed and now refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BindingView {
    /// Its id.
    pub binding: BindingId,
    /// The key, in normal form.
    pub key: Key,
    /// `asserted`, `confirmed` or `removed`.
    pub state: &'static str,
    /// The entry that asserted it.
    pub entry: u64,
}

/// A link to another work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LinkView {
    /// Its id.
    pub link: LinkId,
    /// The other work.
    pub work: WorkName,
    /// Whether it counts: a part link does once a confirmed holder on each side has assented.
    pub effective: bool,
    /// The entry that made it.
    pub entry: u64,
}

/// A claim by an outsider that was not withdrawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClaimView {
    /// Its id.
    pub claim: ClaimId,
    /// Who claims.
    pub claimant: OrgName,
    /// Its entry.
    pub entry: u64,
}

/// An open dispute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DisputeView {
    /// Its id.
    pub dispute: DisputeId,
    /// Its entry.
    pub entry: u64,
}

/// The record of a work.
#[derive(Clone, Debug, Serialize)]
pub struct WorkView {
    /// Its id.
    pub work: WorkId,
    /// What sort of thing.
    pub kind: WorkKind,
    /// Its titles, the main one first; none after an erasure.
    pub titles: Vec<TitleView>,
    /// When it was first published, as far as that was said.
    pub published: Option<String>,
    /// `registered`, `withdrawn` or `merged`.
    pub state: &'static str,
    /// What it was merged into: go on reading there.
    pub merged_into: Option<WorkId>,
    /// Who registered it.
    pub registrant: OrgName,
    /// The entry that registered it.
    pub registered_entry: u64,
    /// Its standing holdings, with those of works merged into it.
    pub holders: Vec<HoldingView>,
    /// Whether the list of holders is declared complete (R2).
    pub roster_complete: bool,
    /// What it incorporates.
    pub layers: Vec<LinkView>,
    /// Whether that list is declared complete (R7).
    pub layers_complete: bool,
    /// What it is part of.
    pub part_of: Vec<LinkView>,
    /// Its parts.
    pub parts: Vec<LinkView>,
    /// Whether there are more links or keys than are shown.
    pub more: bool,
    /// What it is known by.
    pub keys: Vec<BindingView>,
    /// Claims of outsiders.
    pub claims: Vec<ClaimView>,
    /// Open disputes.
    pub disputes: Vec<DisputeView>,
    /// The last entry that changed what stands here, but for names of others: its `ETag`.
    pub entry: u64,
    /// As of which size of the log.
    pub log_size: u64,
}

/// The record of a work.
pub async fn one(registry: &Registry, _by: &Verified, id: WorkId) -> Result<WorkView, Failure> {
    let view = registry.read(|now| now.work(id).map(|work| read(now, work))).await?;
    let mut view = view.ok_or(Failure::NotFound)?;
    describe(registry, &mut view).await?;
    Ok(view)
}

fn nameless(organization: OrgId) -> OrgName {
    OrgName { organization, name: None }
}

/// What the index knows of it. The lists are those of the work that it stands for, whatever it was merged into.
pub(super) fn read(now: AsOf<'_>, ix: Ix<Work>) -> WorkView {
    let work = now.index.works.at(ix);
    let records = now.records_of(ix);
    let merged = Some(now.canonical(ix)).filter(|into| *into != ix);
    let mut more = false;
    let (layers, part_of, parts) = links(now, &records, &mut more);
    let keys = keys(now, &records, &mut more);
    WorkView {
        work: now.work_id(ix),
        kind: work.kind,
        titles: Vec::new(),
        published: None,
        state: match (merged, now.is_withdrawn(ix)) {
            (Some(_), _) => "merged",
            (None, true) => "withdrawn",
            (None, false) => "registered",
        },
        merged_into: merged.map(|into| now.work_id(into)),
        registrant: nameless(now.org_id(work.registrant)),
        registered_entry: work.registered.get(),
        holders: holders(now, ix),
        roster_complete: now.roster_complete(ix),
        layers,
        layers_complete: now.layers_complete(ix),
        part_of,
        parts,
        more,
        keys,
        claims: claims(now, &records),
        disputes: disputes(now, &records),
        entry: work.registered.get(),
        log_size: now.size,
    }
}

fn holders(now: AsOf<'_>, work: Ix<Work>) -> Vec<HoldingView> {
    let holdings = now.holdings(work).into_iter();
    let views = holdings.filter_map(|ix| {
        let holder = now.org_id(now.holder(ix)?);
        Some(HoldingView {
            holding: now.index.holdings.id(ix),
            holder: nameless(holder),
            confirmed: now.is_confirmed(ix),
            entry: now.index.holding(ix).asserted.get(),
        })
    });
    views.collect()
}

fn links(
    now: AsOf<'_>,
    records: &[Ix<Work>],
    more: &mut bool,
) -> (Vec<LinkView>, Vec<LinkView>, Vec<LinkView>) {
    let (mut layers, mut part_of, mut parts) = (Vec::new(), Vec::new(), Vec::new());
    let tied = |other| WorkName { work: now.work_id(now.canonical(other)), title: None };
    for record in records {
        for ix in now.index.layers_of(*record).into_iter().filter(|ix| now.layer_link_stands(*ix)) {
            let link = now.index.layers.at(ix);
            let id = now.index.layers.id(ix);
            let (work, entry) = (tied(link.layer), link.linked.get());
            let view = LinkView { link: id, work, effective: true, entry };
            push(&mut layers, view, more);
        }
        let (up, down) = (now.index.parents_of(*record), now.index.children_of(*record));
        let sides = [(up, &mut part_of, true), (down, &mut parts, false)];
        for (links, views, is_up) in sides {
            for ix in links.into_iter().filter(|ix| now.part_link_stands(*ix)) {
                let link = now.index.parts.at(ix);
                let (id, other) = (now.index.parts.id(ix), if is_up { link.whole } else { link.part });
                let effective = now.part_link_effective(ix);
                push(views, LinkView { link: id, work: tied(other), effective, entry: link.linked }, more);
            }
        }
    }
    (layers, part_of, parts)
}

fn push(views: &mut Vec<LinkView>, view: LinkView, more: &mut bool) {
    if views.len() < MAX_LINKS {
        views.push(view);
    } else {
        *more = true;
    }
}

fn keys(now: AsOf<'_>, records: &[Ix<Work>], more: &mut bool) -> Vec<BindingView> {
    let all = records.iter().flat_map(|record| now.index.bindings_of(*record));
    let mut views: Vec<_> = all
        .filter_map(|ix| {
            let binding = now.index.binding(ix);
            let story = now.index.bindings.story(&binding);
            let (confirmed, removed) = (now.seen(binding.confirmed), now.seen(story.removed));
            let state = match (confirmed, removed) {
                (true, true) => "removed",
                (false, true) => return None,
                (true, false) => "confirmed",
                (false, false) => "asserted",
            };
            let is_there = now.seen(binding.asserted) && !now.seen(story.rejected);
            is_there.then(|| BindingView {
                binding: now.index.bindings.id(ix),
                key: now.index.bindings.key(ix),
                state,
                entry: binding.asserted.get(),
            })
        })
        .take(MAX_KEYS + 1)
        .collect();
    *more |= views.len() > MAX_KEYS;
    views.truncate(MAX_KEYS);
    views
}

fn claims(now: AsOf<'_>, records: &[Ix<Work>]) -> Vec<ClaimView> {
    let all = records.iter().flat_map(|record| now.index.claims_of(*record));
    let view = |ix: Ix<Claim>| {
        let claim = now.index.claims.at(ix);
        let claimant = nameless(now.org_id(claim.claimant));
        ClaimView { claim: now.index.claims.id(ix), claimant, entry: claim.made }
    };
    all.filter(|ix| now.claim_stands(*ix)).take(MAX_LINKS).map(view).collect()
}

fn disputes(now: AsOf<'_>, records: &[Ix<Work>]) -> Vec<DisputeView> {
    let all = records.iter().flat_map(|record| now.index.disputes_of(*record));
    let open = all.filter_map(|ix| {
        let dispute = now.index.disputes.at(ix);
        let is_open = now.seen(dispute.opened) && !now.seen(dispute.settled);
        is_open.then(|| DisputeView { dispute: now.index.disputes.id(ix), entry: dispute.opened })
    });
    open.take(MAX_LINKS).collect()
}

/// Adds what people read: titles, names, the last entry.
pub(super) async fn describe(registry: &Registry, view: &mut WorkView) -> Result<Known, Failure> {
    let id = view.work.to_string();
    let titles = catalogue::titles(registry.db(), &id).await?.into_iter();
    view.titles =
        titles.map(|row| TitleView { text: row.text, lang: row.lang, reading: row.reading }).collect();
    view.entry = catalogue::work(registry.db(), &id).await?.ok_or(Failure::NotFound)?.updated_idx;
    view.published = published(registry, &id).await?;
    let linked = view.layers.iter().chain(&view.part_of).chain(&view.parts).map(|link| link.work.work);
    let orgs = std::iter::once(view.registrant.organization)
        .chain(view.holders.iter().map(|holding| holding.holder.organization))
        .chain(view.claims.iter().map(|claim| claim.claimant.organization));
    let names = Known::look_up(registry, orgs.collect::<Vec<_>>(), linked.collect::<Vec<_>>()).await?;
    let named = std::iter::once(&mut view.registrant)
        .chain(view.holders.iter_mut().map(|holding| &mut holding.holder))
        .chain(view.claims.iter_mut().map(|claim| &mut claim.claimant));
    for org in named {
        org.name = names.org_name(org.organization);
    }
    for link in view.layers.iter_mut().chain(&mut view.part_of).chain(&mut view.parts) {
        link.work.title = names.title(link.work.work);
    }
    Ok(names)
}

/// What the description of today says of the publication.
async fn published(registry: &Registry, id: &str) -> Result<Option<String>, Failure> {
    let Some(entry) = catalogue::described(registry.db(), id).await? else { return Ok(None) };
    Ok(match payload(registry, entry).await? {
        Some(Payload::Work { published, .. }) => published,
        _ => None,
    })
}

/// What was typed with an entry; none where nothing was, or where it was erased.
pub(super) async fn payload(registry: &Registry, entry: u64) -> Result<Option<Payload>, Failure> {
    let found = payloads::read(registry.db(), entry..entry.saturating_add(1)).await?;
    let Some((_, Stored::Kept { body, .. })) = found.into_iter().next() else { return Ok(None) };
    Ok(serde_json::from_str(&body).ok())
}

/// A work in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkLine {
    /// Its id.
    pub work: String,
    /// What sort of thing.
    pub kind: String,
    /// Its main title; none after an erasure.
    pub title: Option<String>,
    /// The title that was found, in a search.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// `registered`, `withdrawn` or `merged`.
    pub state: String,
}

impl From<catalogue::Work> for WorkLine {
    fn from(row: catalogue::Work) -> Self {
        Self { work: row.work, kind: row.kind, title: row.title, found: None, state: row.state }
    }
}

/// The works that the caller registered or holds or held, by id, after this one.
pub async fn own(
    registry: &Registry,
    by: &Verified,
    after: Option<&str>,
    rows: u32,
) -> Result<Vec<WorkLine>, Failure> {
    use super::authority::Proof;
    let org = by.actor().org().to_string();
    let found = catalogue::party_works(registry.db(), &org, after, rows).await?;
    Ok(found.into_iter().map(WorkLine::from).collect())
}

/// Works with a title that begins so, by search key and work; each comes with its place in the list. A title finds; it
/// never decides anything (R10).
pub async fn search(
    registry: &Registry,
    _by: &Verified,
    title: &str,
    after: Option<(&str, &str)>,
    rows: u32,
) -> Result<Vec<(WorkLine, String)>, Failure> {
    let prefix = super::catalogue::search_key(title);
    let mut found: Vec<(WorkLine, String)> = Vec::new();
    for row in catalogue::find_titles(registry.db(), &prefix, after, rows).await? {
        let work = catalogue::work(registry.db(), &row.work).await?.ok_or(Failure::NotFound)?;
        found.push((WorkLine { found: Some(row.text), ..work.into() }, row.search_key));
    }
    Ok(found)
}
