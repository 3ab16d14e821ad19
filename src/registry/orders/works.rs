//! Works and the keys that are tied to them.

use serde::Serialize;

use super::Order;
use crate::clock::Clock;
use crate::domain::act::{
    Binding, BindingAsserted, BindingRemoved, Holding, Tie, WorkAmended, WorkKind, WorkRegistered,
    WorkWithdrawn, WorksMerged,
};
use crate::domain::ids::{BindingId, HoldingId, LinkId, OrgId, WorkId};
use crate::domain::key::Key;
use crate::domain::payload::{Payload, Title};

/// A work as it is to be registered, in one piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// What sort of thing.
    pub kind: WorkKind,
    /// Its titles, the main one first.
    pub titles: Vec<Title>,
    /// When it was first published, as precisely as known.
    pub published: Option<String>,
    /// Who is said to hold it.
    pub holders: Vec<OrgId>,
    /// Whether that list is declared complete.
    pub roster_complete: bool,
    /// What it incorporates.
    pub layers: Vec<WorkId>,
    /// Whether that list is declared complete.
    pub layers_complete: bool,
    /// What it is part of.
    pub part_of: Vec<WorkId>,
    /// What it is known by.
    pub keys: Vec<Key>,
}

#[derive(Serialize)]
struct Registered<'a> {
    work: WorkId,
    holdings: &'a [Holding],
    layers: &'a [Tie],
    part_of: &'a [Tie],
    bindings: &'a [Binding],
}

/// Registers a work. The answer holds the ids of everything made, in the order of the lists.
pub fn register(clock: &Clock, new: Registration) -> Order {
    let work = WorkId::new(clock.new_uuid());
    let tie = |work| Tie { link: LinkId::new(clock.new_uuid()), work };
    let hold = |holder| Holding { holding: HoldingId::new(clock.new_uuid()), holder };
    let bind = |key| Binding { binding: BindingId::new(clock.new_uuid()), key };
    let act = WorkRegistered {
        work,
        kind: new.kind,
        holders: new.holders.into_iter().map(hold).collect(),
        roster_complete: new.roster_complete,
        layers: new.layers.into_iter().map(tie).collect(),
        layers_complete: new.layers_complete,
        part_of: new.part_of.into_iter().map(tie).collect(),
        bindings: new.keys.into_iter().map(bind).collect(),
    };
    let fields = Registered {
        work,
        holdings: &act.holders,
        layers: &act.layers,
        part_of: &act.part_of,
        bindings: &act.bindings,
    };
    let order = Order::making(act.clone(), format!("/v1/works/{work}"), &fields);
    order.with(Some(Payload::Work { titles: new.titles, published: new.published }))
}

/// Replaces the description of a work.
pub fn amend(work: WorkId, kind: WorkKind, titles: Vec<Title>, published: Option<String>) -> Order {
    Order::doing(WorkAmended { work, kind }, &Named { work }).with(Some(Payload::Work { titles, published }))
}

#[derive(Serialize)]
struct Named {
    work: WorkId,
}

/// Withdraws a work: it keeps matching, and refuses.
pub fn withdraw(work: WorkId) -> Order {
    Order::doing(WorkWithdrawn { work }, &Named { work })
}

/// Finds that `duplicate` is `into`.
pub fn merge(duplicate: WorkId, into: WorkId) -> Order {
    #[derive(Serialize)]
    struct Merged {
        work: WorkId,
        into: WorkId,
    }
    Order::doing(WorksMerged { duplicate, into }, &Merged { work: duplicate, into })
}

/// Ties a key to a work.
pub fn bind(clock: &Clock, work: WorkId, key: Key) -> Order {
    #[derive(Serialize)]
    struct Bound<'a> {
        work: WorkId,
        binding: BindingId,
        key: &'a Key,
    }
    let act = BindingAsserted { work, binding: BindingId::new(clock.new_uuid()), key };
    let fields = Bound { work, binding: act.binding, key: &act.key };
    Order::making(act.clone(), format!("/v1/works/{work}"), &fields)
}

/// Takes a key off its work.
pub fn unbind(binding: BindingId) -> Order {
    #[derive(Serialize)]
    struct Unbound {
        binding: BindingId,
    }
    Order::doing(BindingRemoved { binding }, &Unbound { binding })
}
