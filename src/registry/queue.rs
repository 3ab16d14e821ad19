//! What waits for an answer, the oldest first: for the registrar's, unconfirmed holdings and bindings, claims, open disputes; for that of
//! others, requests and notices.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::answer::moment;
use super::authority::Registrar;
use super::desk::within;
use super::failure::Failure;
use super::inquiries::{Inquiry, Sight};
use super::names::Known;
use super::node::Registry;
use super::record::{OrgName, WorkName};
use crate::domain::ids::{BindingId, ClaimId, DisputeId, HoldingId, NoticeId, OrgId, RequestId, WorkId};
use crate::domain::index::records::{Binding, Claim, Dispute, Holding, Org, Record, RecordOf, Work};
use crate::domain::index::{AsOf, Ix};
use crate::domain::inquiry::Extent;
use crate::domain::key::Key;

/// How many records one page looks at, waiting or not: a page may hold fewer items than asked for and have a next one.
pub const MAX_LOOKED_AT: usize = 50_000;

/// What the page is to hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Only of this work.
    pub work: Option<WorkId>,
    /// Only by or for this organization: the holder, who asserted the key, the claimant, either side of a request or notice.
    pub party: Option<OrgId>,
    /// How many items.
    pub limit: u16,
}

/// Where a page begins: the place in each of the lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place(u32, u32, u32, u32, u32);

/// The thing that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Waiting {
    /// A holding that is not confirmed.
    Holding {
        /// Its id.
        holding: HoldingId,
        /// Who is said to hold it.
        holder: OrgName,
    },
    /// A binding that is not confirmed.
    Binding {
        /// Its id.
        binding: BindingId,
        /// The key.
        key: Key,
        /// Who asserted it.
        by: OrgName,
        /// Whether the key was another work's when it was asserted: it counts as a claim.
        contests: bool,
    },
    /// A claim that was not withdrawn.
    Claim {
        /// Its id.
        claim: ClaimId,
        /// Who claims.
        claimant: OrgName,
    },
    /// A dispute that is not settled.
    Dispute {
        /// Its id.
        dispute: DisputeId,
    },
    /// A request that no holder answered for good, and that has not lapsed.
    Request {
        /// Its id.
        request: RequestId,
        /// The developer.
        by: OrgName,
        /// After it the request lapses.
        answer_by: String,
        /// All works that it names.
        works: Vec<WorkId>,
    },
    /// A notice that is neither answered nor closed.
    Notice {
        /// Its id.
        notice: NoticeId,
        /// For whom it was served.
        by: OrgName,
        /// On whom.
        to: OrgName,
        /// All works that it names.
        works: Vec<WorkId>,
    },
}

/// One thing that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    /// What.
    #[serde(flatten)]
    pub waiting: Waiting,
    /// The work.
    pub work: WorkName,
    /// The entry that began it.
    pub entry: u64,
}

/// A page of the queue.
#[derive(Clone, Debug)]
pub struct Queue {
    /// The items, the oldest first.
    pub items: Vec<Item>,
    /// Where the next page begins; none at the end.
    pub next: Option<Place>,
}

/// A page of what waits for the registrar.
pub async fn page(
    registry: &Registry,
    _by: &Registrar,
    wanted: Wanted,
    from: Option<Place>,
) -> Result<Queue, Failure> {
    look(registry, Look { wanted, extent: None, with_others: false, range: 0..u64::MAX }, from).await
}

/// A page of what waits for anybody's answer, as far as it is seen.
pub async fn unanswered(
    registry: &Registry,
    sight: &Sight,
    wanted: Wanted,
    from: Option<Place>,
) -> Result<Queue, Failure> {
    let extent = sight.inquiry().map(Inquiry::extent);
    let range = 0..registry.tree().await?.size;
    let range = within(registry, sight.narrowed(None, None), range).await?;
    look(registry, Look { wanted, extent, with_others: true, range }, from).await
}

/// What one look is for.
struct Look<'a> {
    wanted: Wanted,
    extent: Option<&'a Extent>,
    /// Whether also what waits for others than the registrar.
    with_others: bool,
    /// Begun by these entries.
    range: Range<u64>,
}

async fn look(registry: &Registry, look: Look<'_>, from: Option<Place>) -> Result<Queue, Failure> {
    let mut page = registry.read(|now| scan(now, &look, from.unwrap_or_default())).await?;
    let orgs: Vec<_> = page.items.iter_mut().flat_map(|item| item.waiting.orgs()).collect();
    let orgs: Vec<_> = orgs.into_iter().map(|org| org.organization).collect();
    let works: Vec<_> = page.items.iter().map(|item| item.work.work).collect();
    let names = Known::look_up(registry, orgs, works).await?;
    for item in &mut page.items {
        item.work.title = names.title(item.work.work);
        for org in item.waiting.orgs() {
            org.name = names.org_name(org.organization);
        }
    }
    Ok(page)
}

impl Waiting {
    /// Those whom it names, to be told by name.
    fn orgs(&mut self) -> Vec<&mut OrgName> {
        match self {
            Self::Holding { holder: org, .. }
            | Self::Binding { by: org, .. }
            | Self::Claim { claimant: org, .. }
            | Self::Request { by: org, .. } => vec![org],
            Self::Notice { by, to, .. } => vec![by, to],
            Self::Dispute { .. } => Vec::new(),
        }
    }
}

/// The lists, each in order of entry, merged.
fn scan(now: AsOf<'_>, look: &Look<'_>, from: Place) -> Queue {
    let work = look.wanted.work.map(|id| now.work(id).map(|work| now.canonical(work)));
    if work == Some(None) {
        // Nothing waits for a work that is unknown.
        return Queue { items: Vec::new(), next: None };
    }
    let scope = Scope { now, work: work.flatten(), look };
    let mut holdings = now.index.holdings.since_place(from.0).peekable();
    let mut bindings = now.index.bindings.since_place(from.1).peekable();
    let mut claims = now.index.claims.since_place(from.2).peekable();
    let mut disputes = now.index.disputes.since_place(from.3).peekable();
    let mut records = now.index.records.since_place(from.4).peekable();
    let (mut items, mut place) = (Vec::new(), from);
    for _ in 0..MAX_LOOKED_AT {
        let due = [
            holdings.peek().map(|(ix, _)| now.index.holding(*ix).asserted.get()),
            bindings.peek().map(|(ix, _)| now.index.binding(*ix).asserted.get()),
            claims.peek().map(|(_, _, it)| it.made),
            disputes.peek().map(|(_, _, it)| it.opened),
            records.peek().filter(|_| look.with_others).map(|(_, _, it)| it.recorded),
        ];
        let entry = due.into_iter().flatten().min().filter(|entry| now.seen(*entry));
        let Some(entry) = entry.filter(|entry| *entry < look.range.end) else {
            return Queue { items, next: None };
        };
        if items.len() >= usize::from(look.wanted.limit) {
            return Queue { items, next: Some(place) };
        }
        let first = due.iter().position(|due| *due == Some(entry));
        let found = match first {
            Some(0) => {
                place.0 += 1;
                holdings.next().and_then(|(ix, id)| scope.holding(ix, id))
            }
            Some(1) => {
                place.1 += 1;
                bindings.next().and_then(|(ix, id)| scope.binding(ix, id))
            }
            Some(2) => {
                place.2 += 1;
                claims.next().and_then(|(ix, id, _)| scope.claim(ix, id))
            }
            Some(3) => {
                place.3 += 1;
                disputes.next().and_then(|(_, id, it)| scope.dispute(id, it))
            }
            _ => {
                place.4 += 1;
                records.next().and_then(|(_, id, it)| scope.record(id.uuid(), it))
            }
        };
        items.extend(found);
    }
    Queue { items, next: Some(place) }
}

/// What is asked for, and of which state.
struct Scope<'a> {
    now: AsOf<'a>,
    /// The canonical work, or any.
    work: Option<Ix<Work>>,
    look: &'a Look<'a>,
}

impl Scope<'_> {
    fn item(
        &self,
        waits: bool,
        work: Ix<Work>,
        entry: impl Into<u64>,
        waiting: impl FnOnce() -> Waiting,
    ) -> Option<Item> {
        let entry = entry.into();
        let fits = waits && self.look.range.contains(&entry) && self.is_about(work);
        let work = self.now.canonical(work);
        fits.then(|| Item {
            waiting: waiting(),
            work: WorkName { work: self.now.work_id(work), title: None },
            entry,
        })
    }

    fn is_about(&self, work: Ix<Work>) -> bool {
        let is_open = self.look.extent.is_none_or(|extent| extent.is_about(&[self.now.work_id(work)]));
        is_open && self.work.is_none_or(|wanted| wanted == self.now.canonical(work))
    }

    /// Whether one of these is asked for, and laid open.
    fn is_of(&self, orgs: &[Ix<Org>]) -> bool {
        let orgs: Vec<OrgId> = orgs.iter().map(|org| self.now.org_id(*org)).collect();
        self.look.wanted.party.is_none_or(|wanted| orgs.contains(&wanted))
            && self.look.extent.is_none_or(|extent| extent.names(&orgs))
    }

    fn named(&self, org: Ix<Org>) -> OrgName {
        OrgName { organization: self.now.org_id(org), name: None }
    }

    fn holding(&self, ix: Ix<Holding>, id: HoldingId) -> Option<Item> {
        let it = self.now.index.holding(ix);
        let holder = self.now.holder(ix)?;
        let waits = self.now.holding_stands(ix) && !self.now.is_confirmed(ix) && self.is_of(&[holder]);
        self.item(waits, it.work, it.asserted, || Waiting::Holding {
            holding: id,
            holder: self.named(holder),
        })
    }

    fn binding(&self, ix: Ix<Binding>, id: BindingId) -> Option<Item> {
        let it = self.now.index.binding(ix);
        let waits = self.now.binding_stands(ix) && !self.now.seen(it.confirmed) && self.is_of(&[it.by]);
        self.item(waits, it.work, it.asserted, || Waiting::Binding {
            binding: id,
            key: self.now.index.bindings.key(ix),
            by: self.named(it.by),
            contests: self.now.index.bindings.story(&it).contests_from_ms.is_some(),
        })
    }

    fn claim(&self, ix: Ix<Claim>, id: ClaimId) -> Option<Item> {
        let it = self.now.index.claims.at(ix);
        let waits = self.now.claim_stands(ix) && self.is_of(&[it.claimant]);
        self.item(waits, it.work, it.made, || Waiting::Claim { claim: id, claimant: self.named(it.claimant) })
    }

    fn dispute(&self, id: DisputeId, it: &Dispute) -> Option<Item> {
        let waits = !self.now.seen(it.settled) && self.is_of(&[]);
        self.item(waits, it.work, it.opened, || Waiting::Dispute { dispute: id })
    }

    fn record(&self, id: Uuid, it: &Record) -> Option<Item> {
        let works = || it.works.iter().map(|work| self.now.work_id(*work)).collect();
        let waiting = match it.of {
            RecordOf::Request => Waiting::Request {
                request: RequestId::new(id),
                by: self.named(it.principal),
                answer_by: moment(it.due_ms),
                works: works(),
            },
            RecordOf::Notice => Waiting::Notice {
                notice: NoticeId::new(id),
                by: self.named(it.principal),
                to: self.named(*it.with.first()?),
                works: works(),
            },
            RecordOf::Offer | RecordOf::Declaration | RecordOf::Document | RecordOf::Inquiry => return None,
        };
        let sides: Vec<_> = [it.principal, it.by].iter().chain(&it.with).copied().collect();
        let waits = !self.now.seen(it.ended) && self.is_of(&sides);
        let of_one = |work: &&Ix<Work>| self.is_about(**work);
        let work = *it.works.iter().find(of_one)?;
        self.item(waits, work, it.recorded, || waiting)
    }
}
