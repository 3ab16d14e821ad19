//! What waits for the registrar: unconfirmed holdings and bindings, claims, open disputes; the oldest first.

use serde::{Deserialize, Serialize};

use super::authority::Registrar;
use super::failure::Failure;
use super::names::Known;
use super::node::Registry;
use super::record::{OrgName, WorkName};
use crate::domain::ids::{BindingId, ClaimId, DisputeId, HoldingId, OrgId, WorkId};
use crate::domain::index::records::{Binding, Claim, Holding, Org, Work};
use crate::domain::index::{AsOf, Ix};
use crate::domain::key::Key;

/// How many records one page looks at, waiting or not: a page may hold fewer items than asked for and have a next one.
pub const MAX_LOOKED_AT: usize = 50_000;

/// What the page is to hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Only of this work.
    pub work: Option<WorkId>,
    /// Only by or for this organization: the holder, who asserted the key, the claimant.
    pub holder: Option<OrgId>,
    /// How many items.
    pub limit: u16,
}

/// Where a page begins: the place in each of the four lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place(u32, u32, u32, u32);

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

/// A page of what waits.
pub async fn page(
    registry: &Registry,
    _by: &Registrar,
    wanted: Wanted,
    from: Option<Place>,
) -> Result<Queue, Failure> {
    let mut page = registry.read(|now| scan(now, wanted, from.unwrap_or_default())).await?;
    let orgs: Vec<_> = page.items.iter().filter_map(|item| item.waiting.org()).collect();
    let works: Vec<_> = page.items.iter().map(|item| item.work.work).collect();
    let names = Known::look_up(registry, orgs, works).await?;
    for item in &mut page.items {
        item.work.title = names.title(item.work.work);
        if let Some(org) = item.waiting.org_mut() {
            org.name = names.org_name(org.organization);
        }
    }
    Ok(page)
}

impl Waiting {
    fn org(&self) -> Option<OrgId> {
        match self {
            Self::Holding { holder: org, .. }
            | Self::Binding { by: org, .. }
            | Self::Claim { claimant: org, .. } => Some(org.organization),
            Self::Dispute { .. } => None,
        }
    }

    fn org_mut(&mut self) -> Option<&mut OrgName> {
        match self {
            Self::Holding { holder: org, .. }
            | Self::Binding { by: org, .. }
            | Self::Claim { claimant: org, .. } => Some(org),
            Self::Dispute { .. } => None,
        }
    }
}

/// The four lists, each in order of entry, merged.
fn scan(now: AsOf<'_>, wanted: Wanted, from: Place) -> Queue {
    let work = wanted.work.map(|id| now.work(id).map(|work| now.canonical(work)));
    if work == Some(None) {
        // Nothing waits for a work that is unknown.
        return Queue { items: Vec::new(), next: None };
    }
    let scope = Scope { now, work: work.flatten(), holder: wanted.holder };
    let mut holdings = now.index.holdings.since_place(from.0).peekable();
    let mut bindings = now.index.bindings.since_place(from.1).peekable();
    let mut claims = now.index.claims.since_place(from.2).peekable();
    let mut disputes = now.index.disputes.since_place(from.3).peekable();
    let (mut items, mut place) = (Vec::new(), from);
    for _ in 0..MAX_LOOKED_AT {
        let due = [
            holdings.peek().map(|(_, _, it)| it.asserted.get()),
            bindings.peek().map(|(_, _, it)| it.asserted.get()),
            claims.peek().map(|(_, _, it)| it.made),
            disputes.peek().map(|(_, _, it)| it.opened),
        ];
        let entry = due.into_iter().flatten().min().filter(|entry| now.seen(*entry));
        let Some(entry) = entry else { return Queue { items, next: None } };
        if items.len() >= usize::from(wanted.limit) {
            return Queue { items, next: Some(place) };
        }
        let found = if due.first() == Some(&Some(entry)) {
            place.0 += 1;
            holdings.next().and_then(|(ix, id, _)| scope.holding(ix, id))
        } else if due.get(1) == Some(&Some(entry)) {
            place.1 += 1;
            bindings.next().and_then(|(ix, id, _)| scope.binding(ix, id))
        } else if due.get(2) == Some(&Some(entry)) {
            place.2 += 1;
            claims.next().and_then(|(ix, id, _)| scope.claim(ix, id))
        } else {
            place.3 += 1;
            disputes.next().and_then(|(_, id, it)| {
                let waits = !now.seen(it.settled) && scope.holder.is_none();
                scope.item(waits, it.work, it.opened, || Waiting::Dispute { dispute: id })
            })
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
    holder: Option<OrgId>,
}

impl Scope<'_> {
    fn item(
        &self,
        waits: bool,
        work: Ix<Work>,
        entry: impl Into<u64>,
        waiting: impl FnOnce() -> Waiting,
    ) -> Option<Item> {
        let work = self.now.canonical(work);
        let fits = waits && self.work.is_none_or(|wanted| wanted == work);
        fits.then(|| Item {
            waiting: waiting(),
            work: WorkName { work: self.now.work_id(work), title: None },
            entry: entry.into(),
        })
    }

    fn is_of(&self, org: Ix<Org>) -> bool {
        self.holder.is_none_or(|wanted| self.now.org_id(org) == wanted)
    }

    fn named(&self, org: Ix<Org>) -> OrgName {
        OrgName { organization: self.now.org_id(org), name: None }
    }

    fn holding(&self, ix: Ix<Holding>, id: HoldingId) -> Option<Item> {
        let it = self.now.index.holdings.at(ix);
        let holder = self.now.holder(ix)?;
        let waits = self.now.holding_stands(ix) && !self.now.is_confirmed(ix) && self.is_of(holder);
        self.item(waits, it.work, it.asserted, || Waiting::Holding {
            holding: id,
            holder: self.named(holder),
        })
    }

    fn binding(&self, ix: Ix<Binding>, id: BindingId) -> Option<Item> {
        let it = self.now.index.bindings.at(ix);
        let waits = self.now.binding_stands(ix) && !self.now.seen(it.confirmed) && self.is_of(it.by);
        self.item(waits, it.work, it.asserted, || Waiting::Binding {
            binding: id,
            key: self.now.index.bindings.key(ix),
            by: self.named(it.by),
            contests: self.now.index.bindings.story(it).contests_from_ms.is_some(),
        })
    }

    fn claim(&self, ix: Ix<Claim>, id: ClaimId) -> Option<Item> {
        let it = self.now.index.claims.at(ix);
        let waits = self.now.claim_stands(ix) && self.is_of(it.claimant);
        self.item(waits, it.work, it.made, || Waiting::Claim { claim: id, claimant: self.named(it.claimant) })
    }
}
