//! The answer: may this developer use this item so?
//!
//! [`decide`] is pure. It reads the entries below a size and takes the moment as an argument; the default is *not
//! permitted*, and the only way to *permitted* is a [`Permitted`](super::decision::Permitted) tree in which no list is
//! empty. `docs/rules.md` says exactly what each version of the rules means. In short, version 1:
//!
//! - **R1** Confirmed, not claimed: only confirmed holdings and bindings support a permit; asserted ones can only tighten.
//! - **R2** Unanimity: every standing holder of everything in the closure must grant; the roster must be declared complete.
//! - **R3** Mandates are tested when the act is recorded; a grant survives the mandate's end if the mandate says so.
//! - **R4** Transfers keep earlier grants and denials; suspension stops grants from its entry on.
//! - **R5** Claims by outsiders suspend for 14 days, once; disputes until settled.
//! - **R6** The registrar can never grant or deny (see `admit`).
//! - **R7** Closure: a work, its layers, and the layers of its ancestors, transitively.
//! - **R8** Grants are exact: one grant covers one leaf whole; two are never spliced.
//! - **R9** Denial overrides.
//! - **R10** Every match counts; titles never.
//! - **R11** Nothing widens by structure.
//! - **R12** Prior: a grant counts from its entry on, and a revocation as the grant's own terms allow.
//! - **R13** Opt-outs are not consent; neither is their absence or withdrawal.

mod answers;
pub mod effort;
pub mod trace;
mod v1;

pub use answers::{Answer, Answers, answers, answers_within};
pub use effort::{Effort, TooMuch};

use self::trace::Step;
use super::decision::{Decision, Reason, ReasonCode, sorted};
use super::index::{AsOf, Index};
use super::question::{MAX_KEYS, Question};

/// The versions of the rules that this program knows.
pub const KNOWN_RULES: &[u32] = &[1];

/// Answers a question from the entries below `size`, at a moment in milliseconds since 1970.
///
/// A size beyond the index is taken as all of it. Before any rules are activated nothing is permitted.
///
/// Who has many questions asks for [`answers()`]; who answers strangers, for [`decide_within`].
pub fn decide(index: &Index, size: u64, moment_ms: i64, question: &Question) -> Decision {
    let answer = answers(index, size, moment_ms, std::iter::once(question)).next();
    answer.map_or_else(|| decide_in_full(index, size, moment_ms, question), Answer::decision)
}

/// As [`decide`], if that does not take more than what is left of the effort.
pub fn decide_within(
    index: &Index,
    size: u64,
    moment_ms: i64,
    question: &Question,
    effort: &Effort,
) -> Result<Decision, TooMuch> {
    answer_in_full(index.as_of(size), moment_ms, question, effort)
}

/// As [`decide`], by the long way whatever is asked: what the short way to common answers is held against.
pub fn decide_in_full(index: &Index, size: u64, moment_ms: i64, question: &Question) -> Decision {
    let mut decision = nothing_yet(index.as_of(size), moment_ms);
    fill(index.as_of(size), question, &Effort::unlimited(), &mut decision);
    decision
}

/// A decision that says nothing so far.
fn nothing_yet(seen: AsOf<'_>, moment_ms: i64) -> Decision {
    Decision::nothing(seen.rule_version(), seen.size, moment_ms)
}

/// The answer by the long way. What was found when the effort ended is thrown away: only all of it is an answer.
fn answer_in_full(
    seen: AsOf<'_>,
    moment_ms: i64,
    question: &Question,
    effort: &Effort,
) -> Result<Decision, TooMuch> {
    let mut decision = nothing_yet(seen, moment_ms);
    fill(seen, question, effort, &mut decision);
    effort.allows(decision)
}

fn fill(seen: AsOf<'_>, question: &Question, effort: &Effort, decision: &mut Decision) {
    if decision.rule_version != 1 || !is_readable(question) {
        decision.unreadable = Some(Reason::of(ReasonCode::Unreadable));
        return;
    }
    v1::answer(seen, question, effort, decision);
}

/// How the answer of [`decide`] comes about, step by step, in the order of the rules: at most [`trace::MAX_STEPS`] of
/// them, found with what is [`effort::ENOUGH`], and whether there are more. What is told is for holders, auditors and the registrar; see
/// [`trace::for_developer`].
pub fn trace(index: &Index, size: u64, moment_ms: i64, question: &Question) -> (Vec<Step>, bool) {
    let seen = index.as_of(size);
    if seen.rule_version() != 1 || !is_readable(question) {
        return (Vec::new(), false);
    }
    let effort = Effort::at_most(effort::ENOUGH);
    let mut steps = v1::trace(seen, question, moment_ms, &effort);
    let more = steps.len() > trace::MAX_STEPS || effort.allows(()).is_err();
    steps.truncate(trace::MAX_STEPS);
    (steps, more)
}

/// A question names one or more uses, each once, and one to [`MAX_KEYS`] keys.
fn is_readable(question: &Question) -> bool {
    let uses = &question.uses;
    let distinct = uses.len() == 1 || sorted(uses.iter().copied()).len() == uses.len();
    !question.uses.is_empty() && distinct && (1..=MAX_KEYS).contains(&question.subject.len())
}
