//! Who may train on a holder's works now.

use serde::Serialize;

use super::authority::{Holder, Proof};
use super::failure::Failure;
use super::names::Known;
use super::node::Registry;
use super::position::is_own;
use super::reach::{Asking, EFFORT, Opened};
use super::record::{OrgName, WorkName};
use crate::domain::decide::{Effort, TooMuch};
use crate::domain::ids::OrgId;
use crate::domain::index::records::Work;
use crate::domain::index::{AsOf, Ix};
use crate::domain::uses::Use;

/// The uses that train a model.
pub const TRAINING: &[Use] = &[Use::TrainGenerative, Use::TrainFinetune, Use::TrainNongenerative];
/// The most contexts tried for one work.
const MAX_CONTEXTS: usize = 50;
/// How many holdings one page looks at: a page may hold fewer works than asked for and have a next one.
const MAX_LOOKED_AT: usize = 2_000;

/// Who may train on one work.
#[derive(Clone, Debug, Serialize)]
pub struct WorkReach {
    /// The work.
    #[serde(flatten)]
    pub work: WorkName,
    /// The training uses that are open to any developer.
    pub open_to_any: Vec<Use>,
    /// What is open to certain developers, models or territories besides.
    pub developers: Vec<Opened>,
    /// Whether more developers are named in grants than were tried.
    pub more: bool,
}

/// A page of works, with the names of the developers in it.
#[derive(Clone, Debug)]
pub struct Reach {
    /// One for each work.
    pub works: Vec<WorkReach>,
    /// The developers that occur.
    pub names: Vec<OrgName>,
    /// Where the next page begins.
    pub next: Option<u32>,
}

/// Who may train now on the works that the caller holds, in the order in which it came to hold them.
pub async fn who_may_train(
    registry: &Registry,
    by: &Holder,
    from: u32,
    limit: u16,
) -> Result<Reach, Failure> {
    let (moment_ms, anybody) = (registry.moment_ms(), OrgId::new(registry.clock().new_uuid()));
    let org = by.actor().org();
    let (works, next) = registry.read(|now| works(now, org, from, usize::from(limit))).await?;
    let mut found = Vec::with_capacity(works.len());
    // One work under one lock: writers get their turn between them.
    for work in works {
        let reach = registry.read(|now| {
            let effort = Effort::at_most(EFFORT);
            one(&Asking { now, moment_ms, anybody, effort: &effort }, by, work)
        });
        found.push(reach.await??);
    }
    let developers = found.iter().flat_map(|it| &it.developers).filter_map(|it| it.developer);
    let developers: std::collections::BTreeSet<_> = developers.collect();
    let ids: Vec<_> = found.iter().map(|it| it.work.work).collect();
    let names = Known::look_up(registry, developers.iter().copied(), ids).await?;
    for it in &mut found {
        it.work.title = names.title(it.work.work);
    }
    let names =
        developers.into_iter().map(|id| OrgName { organization: id, name: names.org_name(id) }).collect();
    Ok(Reach { works: found, names, next })
}

/// Canonical works that the organization holds, each at its first holding in the list.
fn works(now: AsOf<'_>, org: OrgId, from: u32, limit: usize) -> (Vec<Ix<Work>>, Option<u32>) {
    let Some(org) = now.org(org) else { return (Vec::new(), None) };
    let holdings = now.index.by_holder.get(org);
    let rest = holdings.get(from as usize..).unwrap_or_default();
    let mut found = Vec::new();
    for (place, holding) in (from..).zip(rest) {
        if found.len() == limit || (place - from) as usize == MAX_LOOKED_AT {
            return (found, Some(place));
        }
        let holds = now.holding_stands(*holding) && now.holder(*holding) == Some(org);
        let work = now.canonical(now.index.holdings.work(*holding));
        let first = now.holdings(work).into_iter().find(|it| now.holder(*it) == Some(org));
        if holds && first == Some(*holding) {
            found.push(work);
        }
    }
    (found, None)
}

fn one(asking: &Asking<'_>, by: &Holder, work: Ix<Work>) -> Result<WorkReach, TooMuch> {
    let id = asking.now.work_id(work);
    let open = asking.open(id, asking.anyone(), TRAINING)?;
    let (contexts, more) = asking.contexts(id, None, MAX_CONTEXTS);
    let developers = asking.opened(id, &contexts, TRAINING, &open, is_own(asking.now, by))?;
    Ok(WorkReach { work: WorkName { work: id, title: None }, open_to_any: open, developers, more })
}
