//! What changed between two moments for an item, and by whose act.
//!
//! Both sides are explanations, as the caller may see them: hypotheses, never permissions. The acts between them are those that
//! concern the works of the item and of its closure, its developer and its model, as far as the caller may know of them.

use std::collections::{BTreeMap, BTreeSet};

use super::authority::{Proof, Verified};
use super::explanations::{Explanation, Past, explain};
use super::failure::Failure;
use super::inquiries::sees_all;
use super::node::Registry;
use super::position::is_own;
use super::receipts::is_for_any_developer;
use crate::domain::decision::{Outcome, Verdict};
use crate::domain::entry::Entry;
use crate::domain::ids::WorkId;
use crate::domain::question::Question;
use crate::domain::uses::Use;
use crate::domain::view::Viewer;
use crate::store::catalogue::log::{Sought, about};
use crate::store::heads::ACTS;
use crate::store::{StoreError, entries};

/// The most acts that are told.
pub const MAX_ACTS: usize = 200;
/// The most works whose history is looked at.
const MAX_WORKS: usize = 500;
/// How many entries are looked at, of all works and the developer together.
const MAX_LINES: u32 = 1_000;
/// The acts on the developer itself that concern an answer.
const STANDING: [&str; 5] =
    ["org.verified", "org.suspended", "org.reinstated", "model.registered", "model.retired"];

/// One use whose answer is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The use.
    pub r#use: Use,
    /// The verdict before.
    pub before: Verdict,
    /// The verdict after.
    pub after: Verdict,
    /// Whether time alone brought it: the log from before, asked at the moment after, answers so too.
    pub by_time_alone: bool,
}

/// An act between the two sides.
#[derive(Clone, Debug)]
pub struct ActBetween {
    /// Its entry.
    pub index: u64,
    /// The entry itself.
    pub entry: Entry,
    /// Which of the works it is about.
    pub works: Vec<WorkId>,
    /// Whether one of the answers names it.
    pub is_cited: bool,
}

/// A comparison.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The earlier side.
    pub before: Explanation,
    /// The later one.
    pub after: Explanation,
    /// The uses with another answer.
    pub changed: Vec<Changed>,
    /// The acts between, in order.
    pub acts: Vec<ActBetween>,
    /// Whether there are more.
    pub more_acts: bool,
}

/// Compares the answers to a question from the log as it was at two moments.
///
/// # Errors
/// As [`explain`]; a fault at `/after` where it is earlier than `before`.
pub async fn compare(
    registry: &Registry,
    by: &Verified,
    question: Question,
    [before, after]: [Past; 2],
) -> Result<Comparison, Failure> {
    let before = explain(registry, by, question.clone(), before, None).await?;
    let after = explain(registry, by, question.clone(), after, None).await?;
    if before.log_size > after.log_size || before.moment_ms > after.moment_ms {
        return Err(Failure::fault("/after", "invalid_value", "is earlier than `before`"));
    }
    let size = Past::Size(before.log_size);
    let aged = explain(registry, by, question.clone(), size, Some(after.moment_ms)).await?;
    let (acts, more_acts) = acts(registry, by, &question, &before, &after).await?;
    Ok(Comparison { changed: changed(&before, &aged, &after), before, after, acts, more_acts })
}

fn changed(before: &Explanation, aged: &Explanation, after: &Explanation) -> Vec<Changed> {
    let sides = before.decision.uses.iter().zip(&aged.decision.uses).zip(&after.decision.uses);
    let differ = sides.filter(|((before, _), after)| before != after);
    let told = differ.map(|((before, aged), after)| Changed {
        r#use: after.r#use,
        before: before.verdict(),
        after: after.verdict(),
        by_time_alone: aged == after,
    });
    told.collect()
}

/// Every entry that an explanation names.
fn cited(it: &Explanation) -> BTreeSet<u64> {
    let mut cited = BTreeSet::new();
    for answer in &it.decision.uses {
        match &answer.outcome {
            Outcome::Permitted(permitted) => cited.extend(permitted.entries()),
            Outcome::NotPermitted(reasons) => cited.extend(reasons.iter().flat_map(|reason| &reason.entries)),
        }
    }
    cited.extend(it.decision.notes.iter().flat_map(|note| &note.entries));
    cited.extend(it.steps.iter().flat_map(|step| &step.entries));
    cited
}

fn works(it: &Explanation) -> impl Iterator<Item = WorkId> {
    it.decision.matched.iter().copied().chain(it.steps.iter().filter_map(|step| step.work))
}

/// What is looked for, and who looks.
struct Between<'a> {
    registry: &'a Registry,
    by: &'a Verified,
    sizes: std::ops::Range<u64>,
    cited: BTreeSet<u64>,
    viewer: Viewer,
}

async fn acts(
    registry: &Registry,
    by: &Verified,
    question: &Question,
    before: &Explanation,
    after: &Explanation,
) -> Result<(Vec<ActBetween>, bool), Failure> {
    let between = Between {
        registry,
        by,
        sizes: before.log_size..after.log_size,
        cited: &cited(before) | &cited(after),
        viewer: after.viewer,
    };
    let mut concerned: BTreeMap<u64, Vec<WorkId>> = BTreeMap::new();
    let works: BTreeSet<WorkId> = works(before).chain(works(after)).collect();
    let own = own_works(registry, by, works.clone()).await?;
    let sees_all = sees_all(by.actor());
    let mut more = sees_all && works.len() > MAX_WORKS;
    let mut left = MAX_LINES;
    for work in works.into_iter().take(MAX_WORKS) {
        let found = between.history(&work.to_string(), None, &mut left).await?;
        // That there is more of what one may not see is not told.
        more |= left == 0 && (sees_all || own.contains(&work));
        for index in found {
            concerned.entry(index).or_default().push(work);
        }
    }
    for kind in STANDING {
        for index in between.history(&question.developer.to_string(), Some(kind), &mut left).await? {
            concerned.entry(index).or_default();
        }
    }
    // What an answer names concerns it, whatever it is about.
    for index in between.cited.range(between.sizes.clone()) {
        concerned.entry(*index).or_default();
    }
    let mut acts = Vec::new();
    for (index, works) in concerned {
        let entry = read(registry, index).await?;
        if !between.is_shown(index, &entry, &works, &own) {
            continue;
        }
        if acts.len() == MAX_ACTS {
            more = true;
            break;
        }
        acts.push(ActBetween { index, entry, works, is_cited: between.cited.contains(&index) });
    }
    Ok((acts, more))
}

impl Between<'_> {
    /// The entries about this subject between the two sides, of this type where one is said, as long as there are lines left.
    async fn history(&self, subject: &str, kind: Option<&str>, left: &mut u32) -> Result<Vec<u64>, Failure> {
        let first = &[subject.to_owned()];
        let sought = Sought { first, others: None, kind, hides_inquiries: false };
        let found = about(self.registry.db(), sought, self.sizes.clone(), *left).await?;
        *left = left.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
        Ok(found.into_iter().map(|stored| stored.index).collect())
    }

    /// Whether the caller may know of an act: auditors and the registrar of each; who stands behind a work of all that is about it;
    /// everybody of what names them, of what their answer names, and of a grant to any developer.
    fn is_shown(&self, index: u64, entry: &Entry, works: &[WorkId], own: &BTreeSet<WorkId>) -> bool {
        let actor = self.by.actor();
        // Who is inquired into does not learn of it by this.
        let is_of_own = self.viewer == Viewer::All && works.iter().any(|work| own.contains(work));
        sees_all(actor)
            || is_of_own && !entry.act.is_of_inquiry()
            || self.cited.contains(&index)
            || entry.parties.contains(&actor.org())
            || is_for_any_developer(&entry.act)
    }
}

/// Those of the works behind which the caller stands.
async fn own_works(
    registry: &Registry,
    by: &Verified,
    works: BTreeSet<WorkId>,
) -> Result<BTreeSet<WorkId>, Failure> {
    let own = registry.read(|now| {
        let is_own = is_own(now, by);
        works.into_iter().filter(|work| is_own(*work)).collect()
    });
    Ok(own.await?)
}

async fn read(registry: &Registry, index: u64) -> Result<Entry, Failure> {
    let found = entries::read(registry.db(), ACTS, index..index + 1).await?;
    let bytes = found.first().map(|stored| stored.bytes.as_slice()).unwrap_or_default();
    serde_json::from_slice(bytes)
        .map_err(|error| StoreError::Corrupt(format!("entry {index} can't be read: {error}")).into())
}
