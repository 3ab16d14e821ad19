//! Many questions at one size and moment.
//!
//! What they have in common is looked at once, and their subjects are looked up [`TOGETHER`].

use super::v1::{self, Asker};
use super::{Effort, TooMuch, answer_in_full, is_readable};
use crate::domain::decision::{Decision, Verdict};
use crate::domain::index::ahead::{Ahead, Found, TOGETHER};
use crate::domain::index::{AsOf, Index};
use crate::domain::key::SubjectKey;
use crate::domain::question::Question;

/// The answers to many questions, in their order. Each is decided when it is asked for. After one that takes too much effort
/// there is none; see [`Answers::finish`].
pub struct Answers<'a, Q> {
    seen: AsOf<'a>,
    moment_ms: i64,
    most_each: u64,
    is_too_much: bool,
    rule_version: u32,
    asker: Option<Asker>,
    questions: Q,
    ahead: Ahead,
    asked: Vec<&'a Question>,
    found: Vec<Found>,
    next: usize,
}

/// The answer to one question; small until somebody asks for the whole [`Decision`].
pub struct Answer<'a> {
    seen: AsOf<'a>,
    moment_ms: i64,
    steps: u64,
    form: Form,
}

enum Form {
    Prompt(v1::Prompt),
    Whole(Box<Decision>),
}

/// Answers questions from the entries below `size`, at a moment: each as [`decide`](super::decide) answers it.
pub fn answers<'a, Q: Iterator<Item = &'a Question>>(
    index: &'a Index,
    size: u64,
    moment_ms: i64,
    questions: Q,
) -> Answers<'a, Q> {
    answers_within(index, size, moment_ms, questions, u64::MAX)
}

/// As [`answers`], each with no more than so much effort.
pub fn answers_within<'a, Q: Iterator<Item = &'a Question>>(
    index: &'a Index,
    size: u64,
    moment_ms: i64,
    questions: Q,
    most_each: u64,
) -> Answers<'a, Q> {
    let seen = index.as_of(size);
    Answers {
        seen,
        moment_ms,
        most_each,
        is_too_much: false,
        rule_version: seen.rule_version(),
        asker: None,
        questions,
        ahead: Ahead::default(),
        asked: Vec::new(),
        found: Vec::new(),
        next: 0,
    }
}

impl<'a, Q: Iterator<Item = &'a Question>> Iterator for Answers<'a, Q> {
    type Item = Answer<'a>;

    fn next(&mut self) -> Option<Answer<'a>> {
        if self.is_too_much {
            return None;
        }
        if self.next == self.asked.len() {
            self.look_up();
        }
        let question = *self.asked.get(self.next)?;
        let found = self.found.get(self.next).copied().unwrap_or(Found::Unsought);
        self.next += 1;
        let answer = self.answer(question, found);
        self.is_too_much = answer.is_err();
        answer.ok()
    }
}

impl<'a, Q: Iterator<Item = &'a Question>> Answers<'a, Q> {
    /// Whether each question that was asked for has its answer.
    pub const fn finish(&self) -> Result<(), TooMuch> {
        if self.is_too_much { Err(TooMuch) } else { Ok(()) }
    }

    fn look_up(&mut self) {
        self.next = 0;
        self.asked.clear();
        self.asked.extend(self.questions.by_ref().take(TOGETHER));
        self.found.clear();
        let subjects = self.asked.iter().map(|question| only_subject(question));
        self.ahead.find(self.seen.index, subjects, &mut self.found);
    }

    fn answer(&mut self, question: &Question, found: Found) -> Result<Answer<'a>, TooMuch> {
        let (seen, moment_ms) = (self.seen, self.moment_ms);
        let effort = Effort::at_most(self.most_each);
        if self.rule_version == 1 && found != Found::Unsought && is_readable(question) {
            if !self.asker.as_ref().is_some_and(|asker| asker.is_of(question)) {
                self.asker = Some(Asker::of(seen, question));
            }
            let is_good = self.asker.as_ref().is_some_and(Asker::is_good);
            let short = || v1::prompt(seen, question, moment_ms, found, &effort);
            if let Some(prompt) = is_good.then(short).flatten() {
                return Ok(Answer { seen, moment_ms, steps: effort.taken(), form: Form::Prompt(prompt) });
            }
        }
        let whole = answer_in_full(seen, moment_ms, question, &effort)?;
        Ok(Answer { seen, moment_ms, steps: effort.taken(), form: Form::Whole(Box::new(whole)) })
    }
}

/// The subject of a question that names one alone.
fn only_subject(question: &Question) -> Option<&SubjectKey> {
    match question.subject.as_slice() {
        [subject] => Some(subject),
        _ => None,
    }
}

impl Answer<'_> {
    /// As [`Decision::verdict`].
    pub fn verdict(&self) -> Verdict {
        match &self.form {
            Form::Prompt(prompt) if prompt.is_permitted() => Verdict::Permitted,
            Form::Prompt(_) => Verdict::NotPermitted,
            Form::Whole(decision) => decision.verdict(),
        }
    }

    /// How many steps of [`Effort`] it took.
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// Whether this was a common question, answered by the short way.
    pub const fn is_by_the_short_way(&self) -> bool {
        matches!(self.form, Form::Prompt(_))
    }

    /// The whole decision.
    pub fn decision(self) -> Decision {
        let mut decision = Decision::nothing(self.seen.rule_version(), self.seen.size, self.moment_ms);
        self.tell(&mut decision);
        decision
    }

    /// The whole decision, in the place of another one.
    pub fn tell(self, decision: &mut Decision) {
        match self.form {
            Form::Whole(whole) => *decision = *whole,
            Form::Prompt(prompt) => {
                decision.clear(self.seen.rule_version(), self.seen.size, self.moment_ms);
                prompt.decision(self.seen, decision);
            }
        }
    }
}
