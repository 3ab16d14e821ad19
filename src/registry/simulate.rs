//! What a grant would open, if it were recorded now: it is folded beyond the published size, where no reader
//! sees it, asked about, and undone. Checks go on meanwhile; only writes wait.

use serde::Serialize;

use super::authority::{Holder, Proof};
use super::failure::Failure;
use super::names::Known;
use super::node::Registry;
use super::orders::GrantTerms;
use super::position::{ReasonView, can_be_told, is_own, mentioned, sees_all};
use super::reach::{Asking, Context, EFFORT};
use super::record::WorkName;
use super::sequencer::SubmitError;
use crate::clock;
use crate::domain::act::{Act, Covers, GrantRecorded};
use crate::domain::command::{Command, Proposed, record};
use crate::domain::decide::{Effort, TooMuch};
use crate::domain::decision::Reason;
use crate::domain::entry::Salt;
use crate::domain::ids::{ModelId, OrgId, WorkId};
use crate::domain::index::Index;
use crate::domain::scope::Scope;
use crate::domain::territory::Territory;
use crate::domain::uses::Use;
use crate::domain::view::of_works;

/// The most works and the most contexts that are asked about, and pairs of both.
const MAX_WORKS: usize = 100;
const MAX_CONTEXTS: usize = 20;
const MAX_PAIRS: usize = 400;
/// How many pairs are asked about before writers get their turn at the index.
const SLICE: usize = 25;

/// A use that would still be refused, and why.
#[derive(Clone, Debug, Serialize)]
pub struct StillRefused {
    /// The use.
    pub r#use: Use,
    /// What would stand in the way.
    pub reasons: Vec<ReasonView>,
}

/// What the grant would change for one work and one developer.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// The work.
    #[serde(flatten)]
    pub work: WorkName,
    /// The developer; none for any.
    pub developer: Option<OrgId>,
    /// With which model; none for a question that names none.
    pub model: Option<ModelId>,
    /// Where; none for a question that names no territory.
    pub territory: Option<Territory>,
    /// Uses that would turn to permitted.
    pub opens: Vec<Use>,
    /// Uses that are permitted already.
    pub already: Vec<Use>,
    /// Uses of the grant that would still be refused.
    pub still_refused: Vec<StillRefused>,
}

/// What a grant would open.
#[derive(Clone, Debug, Serialize)]
pub struct Simulation {
    /// One for each work and developer that was asked about.
    pub changes: Vec<Change>,
    /// Whether there are more works, developers, models or territories than were asked about.
    pub more: bool,
    /// The moment asked about: now, or the beginning of the grant's term.
    pub at: String,
    /// As of which size of the log.
    pub log_size: u64,
}

/// Before and after, for one work in one context.
struct Asked {
    work: WorkId,
    context: Context,
    before: Vec<Use>,
    after: Vec<(Use, Vec<Reason>)>,
}

/// Says what a grant would open. It is admitted as the real one would be, and refused alike; nothing is recorded.
pub async fn simulate(
    registry: &Registry,
    by: &Holder,
    on_behalf_of: Option<OrgId>,
    terms: GrantTerms,
) -> Result<Simulation, Failure> {
    let act = terms.act(registry.clock());
    let command = Command {
        party: by.actor().org(),
        on_behalf_of,
        by: vec![by.actor().person()],
        acts: vec![Proposed { act: Act::GrantRecorded(act.clone()), payload: None }],
    };
    let shared = registry.shared();
    shared.catch_up(registry.db()).await?;
    // Nothing is folded by others while the permit is held. What is folded here lies beyond what readers see, and is
    // undone when the speculation is dropped, whatever happens.
    let permit = shared.permit().await;
    let size = shared.published();
    let (at_ms, anybody) = (registry.moment_ms(), OrgId::new(registry.clock().new_uuid()));
    let moment_ms = at_ms.max(act.from.at(at_ms));
    let speculation = shared.speculate();
    record(&mut shared.write(), &command, at_ms, || Salt(clock::random()))
        .map_err(|refusals| Failure::Submit(SubmitError::Refused(refusals)))?;
    let (pairs, more) = {
        // Nothing is decided for it.
        let effort = Effort::at_most(0);
        pairs(&Asking { now: shared.read().as_of(size), moment_ms, anybody, effort: &effort }, &act)
    };
    let uses: Vec<Use> = match &act.uses {
        Scope::Any => Use::ALL.to_vec(),
        Scope::Only(uses) => uses.clone(),
    };
    let may_see = {
        let index = shared.read();
        let now = index.as_of(size);
        let works = pairs.iter().filter_map(|(work, _)| now.work(*work)).map(|work| now.canonical(work));
        works.into_iter().all(|work| sees_all(now, by, work))
    };
    if !may_see {
        let why = "the work incorporates works of others: a simulation shows how those stand, to its confirmed holders only";
        return Err(Failure::Forbidden(why.to_owned()));
    }
    let mut asked: Vec<Asked> = Vec::with_capacity(pairs.len());
    // Writes wait for all of it.
    let mut left = EFFORT;
    for slice in pairs.chunks(SLICE) {
        asked.extend(compare(&shared.read(), size, (moment_ms, anybody), slice, &uses, &mut left)?);
        can_be_told(asked.iter().flat_map(|it| &it.after).flat_map(|(_, reasons)| reasons))?;
        tokio::task::yield_now().await;
    }
    drop(speculation);
    drop(permit);
    {
        let index = shared.read();
        let is_own = is_own(index.as_of(size), by);
        for one in asked.iter_mut().flat_map(|it| &mut it.after) {
            one.1 = of_works(std::mem::take(&mut one.1), &is_own);
        }
    }
    let changes = describe(registry, anybody, asked).await?;
    Ok(Simulation { changes, more, at: super::answer::moment(moment_ms), log_size: size })
}

/// Asks as of the published size, and as of one entry more, which is the grant.
fn compare(
    index: &Index,
    size: u64,
    (moment_ms, anybody): (i64, OrgId),
    pairs: &[(WorkId, Context)],
    uses: &[Use],
    left: &mut u64,
) -> Result<Vec<Asked>, TooMuch> {
    let effort = Effort::at_most(*left);
    let before = Asking { now: index.as_of(size), moment_ms, anybody, effort: &effort };
    let after = Asking { now: index.as_of(size + 1), ..before };
    let asked = pairs.iter().map(|(work, context)| {
        let then = after.decide(*work, *context, uses)?;
        Ok(Asked {
            work: *work,
            context: *context,
            before: before.open(*work, *context, uses)?,
            after: then.uses.iter().map(|it| (it.r#use, after.obstacles(*context, it))).collect(),
        })
    });
    let asked = asked.collect();
    *left = left.saturating_sub(effort.taken());
    asked
}

/// The works that the grant covers, with whom it speaks of.
fn pairs(asking: &Asking<'_>, act: &GrantRecorded) -> (Vec<(WorkId, Context)>, bool) {
    let now = asking.now;
    let mut works = Vec::new();
    if let Some(work) = now.work(act.work).map(|work| now.canonical(work)) {
        works.push(now.work_id(work));
        if act.covers != Covers::Work {
            works.extend(now.descendants(work).into_iter().map(|part| now.work_id(part)));
        }
    }
    let contexts = contexts(asking, act);
    let mut more = works.len() > MAX_WORKS || contexts.len() > MAX_CONTEXTS;
    let works = works.iter().take(MAX_WORKS);
    let all = works.flat_map(|work| contexts.iter().take(MAX_CONTEXTS).map(|context| (*work, *context)));
    let mut pairs: Vec<_> = all.take(MAX_PAIRS + 1).collect();
    more |= pairs.len() > MAX_PAIRS;
    pairs.truncate(MAX_PAIRS);
    (pairs, more)
}

/// Whom the grant speaks of: each developer it names or anybody, each model, and the first territory.
fn contexts(asking: &Asking<'_>, act: &GrantRecorded) -> Vec<Context> {
    let territory = match &act.territories {
        Scope::Any => None,
        Scope::Only(territories) => territories.first().copied(),
    };
    let developers: &[OrgId] = match &act.developers {
        Scope::Any => &[],
        Scope::Only(named) => named,
    };
    match &act.models {
        Scope::Any if developers.is_empty() => vec![Context { territory, ..asking.anyone() }],
        Scope::Any => {
            developers.iter().map(|it| Context { developer: *it, model: None, territory }).collect()
        }
        Scope::Only(models) => {
            let owned = models.iter().filter_map(|model| Some((*model, asking.developer_of(*model)?)));
            owned.map(|(model, developer)| Context { developer, model: Some(model), territory }).collect()
        }
    }
}

async fn describe(registry: &Registry, anybody: OrgId, asked: Vec<Asked>) -> Result<Vec<Change>, Failure> {
    let reasons: Vec<Vec<Reason>> =
        asked.iter().flat_map(|it| it.after.iter().map(|(_, reasons)| reasons.clone())).collect();
    let (orgs, mut works) = mentioned(&reasons, &[]);
    works.extend(asked.iter().map(|it| it.work));
    let names = Known::look_up(registry, orgs, works).await?;
    let changes = asked.into_iter().map(|it| {
        let (open, refused): (Vec<_>, Vec<_>) =
            it.after.into_iter().partition(|(_, reasons)| reasons.is_empty());
        let refused = refused.into_iter().map(|(leaf, reasons)| StillRefused {
            r#use: leaf,
            reasons: reasons.iter().map(|reason| ReasonView::of(reason, &names)).collect(),
        });
        Change {
            work: WorkName { work: it.work, title: names.title(it.work) },
            developer: (it.context.developer != anybody).then_some(it.context.developer),
            model: it.context.model,
            territory: it.context.territory,
            opens: open.iter().map(|(leaf, _)| *leaf).filter(|leaf| !it.before.contains(leaf)).collect(),
            already: it.before.clone(),
            still_refused: refused.collect(),
        }
    });
    Ok(changes.collect())
}
