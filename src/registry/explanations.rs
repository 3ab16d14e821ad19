//! Explanations: what would be, or would have been, answered, and why. Hypotheses, never permissions: nothing of them is
//! journaled, and no receipt is given.

use super::authority::{Proof, Roles, Verified};
use super::checks::MAX_ANSWER_BYTES;
use super::checks::answered::tell;
use super::failure::Failure;
use super::node::Registry;
use super::position::is_own;
use crate::domain::decide::effort::{ENOUGH, Effort, TooMuch};
use crate::domain::decide::trace::{Step, for_developer, of_works};
use crate::domain::decide::{decide_within, trace};
use crate::domain::decision::Decision;
use crate::domain::ids::{OrgId, WorkId};
use crate::domain::index::AsOf;
use crate::domain::question::Question;
use crate::domain::view::{Viewer, view, view_of_works};
use crate::store::{StoreError, entries, heads};

/// From which log a question is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Past {
    /// As it is.
    Now,
    /// As it was with this many entries.
    Size(u64),
    /// As it was at this moment: with every entry that was recorded at or before it.
    Moment(i64),
}

/// An explanation.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// For whom it is told.
    pub viewer: Viewer,
    /// How many entries were looked at.
    pub log_size: u64,
    /// The moment of the question.
    pub moment_ms: i64,
    /// The rules that were in force in that log.
    pub rule_version: u32,
    /// The decision, as the caller may see it.
    pub decision: Decision,
    /// The bytes that tell it, as those of an item of a check.
    pub json: Vec<u8>,
    /// How it comes about.
    pub steps: Vec<Step>,
    /// Whether there are more steps than are told.
    pub more_steps: bool,
}

/// Answers a question from the log as it was, at a moment: by default that of the past asked for, and now where none is.
///
/// A developer asks about itself and sees its own view. A holder asks about items all of whose works it holds, confirmed;
/// auditors and the registrar about everything. Others find nothing.
///
/// # Errors
/// [`Failure::NotFound`] for what the caller may not ask; a fault at `/as_of/log_size` beyond the log.
pub async fn explain(
    registry: &Registry,
    by: &Verified,
    question: Question,
    past: Past,
    moment_ms: Option<i64>,
) -> Result<Explanation, Failure> {
    let (size, then_ms) = find(registry, past).await?;
    let moment_ms = moment_ms.unwrap_or(then_ms);
    let explained = registry
        .read(|now| {
            let effort = Effort::at_most(2 * ENOUGH);
            let decision = decide_within(now.index, size, moment_ms, &question, &effort)?;
            let Some(viewer) = viewer(now, by, &question, &decision.matched, &effort)? else {
                return Ok(None);
            };
            let mut decision = view(decision, viewer);
            let (mut steps, more_steps) = trace(now.index, size, moment_ms, &question);
            if viewer == Viewer::Developer {
                steps = steps.into_iter().map(for_developer).collect();
            } else {
                let is_own = is_own(now, by);
                decision = view_of_works(decision, &is_own);
                steps = steps.into_iter().map(|step| of_works(step, &is_own)).collect();
            }
            Ok::<_, TooMuch>(Some((viewer, decision, steps, more_steps)))
        })
        .await??;
    let (viewer, decision, steps, more_steps) = explained.ok_or(Failure::NotFound)?;
    let rule_version = decision.rule_version;
    let mut json = Vec::new();
    tell(None, &Ok(question), Some(&decision), &mut json);
    if json.len() > MAX_ANSWER_BYTES {
        return Err(TooMuch.into());
    }
    Ok(Explanation { viewer, log_size: size, moment_ms, rule_version, decision, json, steps, more_steps })
}

/// What the caller may see of the answer, as of now; nothing when it may not ask.
fn viewer(
    now: AsOf<'_>,
    by: &Verified,
    question: &Question,
    then: &[WorkId],
    effort: &Effort,
) -> Result<Option<Viewer>, TooMuch> {
    let actor = by.actor();
    if actor.roles().meets(Roles::AUDITORS | Roles::REGISTRAR) {
        return Ok(Some(Viewer::All));
    }
    if actor.roles().meets(Roles::DEVELOPERS) && question.developer == actor.org() {
        return Ok(Some(Viewer::Developer));
    }
    let holds_all =
        actor.roles().meets(Roles::HOLDERS) && holds_every_match(now, actor.org(), question, then, effort)?;
    Ok(holds_all.then_some(Viewer::All))
}

/// Whether it holds, confirmed, everything that the item matches now and matched then. A work that somebody else holds
/// is another's secret, whoever ties a key of it to a work of its own.
fn holds_every_match(
    now: AsOf<'_>,
    org: OrgId,
    question: &Question,
    then: &[WorkId],
    effort: &Effort,
) -> Result<bool, TooMuch> {
    // What matches depends on the size alone, not on the moment.
    let matched = decide_within(now.index, now.size, 0, question, effort)?.matched;
    let Some(org) = now.org(org) else { return Ok(false) };
    let holds = |work: &WorkId| {
        let work = now.work(*work).map(|work| now.canonical(work));
        work.is_some_and(|work| now.is_confirmed_holder(org, work))
    };
    Ok(!then.is_empty() && matched.iter().chain(then).all(holds))
}

/// The size of the log that is meant, and the moment that goes with it.
async fn find(registry: &Registry, past: Past) -> Result<(u64, i64), Failure> {
    let size = registry.read(|now| now.size).await?;
    match past {
        Past::Now => Ok((size, registry.moment_ms())),
        Past::Size(asked) if asked > size => {
            let detail = format!("the log has {size} entries");
            Err(Failure::fault("/as_of/log_size", "invalid_value", detail))
        }
        Past::Size(0) => Ok((0, 0)),
        Past::Size(asked) => Ok((asked, recorded_ms(registry, asked - 1).await?)),
        Past::Moment(moment_ms) => Ok((size_at(registry, size, moment_ms).await?, moment_ms)),
    }
}

/// How many of the first `size` entries were recorded at or before the moment. Time never goes backwards in the log.
pub(super) async fn size_at(registry: &Registry, size: u64, moment_ms: i64) -> Result<u64, Failure> {
    let (mut from, mut until) = (0, size);
    while from < until {
        let middle = from + (until - from) / 2;
        if recorded_ms(registry, middle).await? <= moment_ms {
            from = middle + 1;
        } else {
            until = middle;
        }
    }
    Ok(from)
}

async fn recorded_ms(registry: &Registry, entry: u64) -> Result<i64, Failure> {
    let found = entries::read(registry.db(), heads::ACTS, entry..entry + 1).await?;
    let entry = found.first().ok_or_else(|| StoreError::Corrupt(format!("entry {entry} is missing")))?;
    Ok(entry.at_ms)
}
