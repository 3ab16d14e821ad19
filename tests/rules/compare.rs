//! What the implementation answers, in the form of the oracle's answer.

use std::collections::{BTreeMap, BTreeSet};

use kyodaku::domain::decide::{decide, decide_in_full};
use kyodaku::domain::decision::{Decision, Outcome, Verdict};
use kyodaku::domain::index::Index;
use kyodaku::domain::question::Question;

use super::history::History;
use crate::reference::{Answer, Why};

/// A question, as of a size, at a moment.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) size: u64,
    pub(crate) moment: i64,
    pub(crate) question: Question,
}

impl Asked {
    pub(crate) fn decide(&self, index: &Index) -> Decision {
        let decision = decide(index, self.size, self.moment, &self.question);
        // Whatever way was taken to the answer, it is the one to which the long way leads.
        assert_eq!(decision, decide_in_full(index, self.size, self.moment, &self.question));
        decision
    }

    pub(crate) fn is_permitted(&self, index: &Index) -> bool {
        self.decide(index).verdict() == Verdict::Permitted
    }
}

/// The decision without what the oracle does not tell.
pub(crate) fn plain(decision: &Decision) -> Answer {
    let uses = decision.uses.iter().map(|answer| {
        let mut reasons: BTreeMap<Why, BTreeSet<u64>> = BTreeMap::new();
        if let Outcome::NotPermitted(whys) = &answer.outcome {
            for why in whys {
                reasons.entry((why.code, why.because, why.work)).or_default().extend(&why.entries);
            }
        }
        (answer.r#use, reasons)
    });
    let mut notes: BTreeMap<_, BTreeSet<u64>> = BTreeMap::new();
    for note in &decision.notes {
        notes.entry(note.code).or_default().extend(&note.entries);
    }
    Answer {
        unreadable: decision.unreadable.is_some(),
        matched: decision.matched.to_vec(),
        uses: uses.collect(),
        notes,
    }
}

/// Where the implementation and the oracle disagree.
pub(crate) fn disagreement(history: &History, asked: &Asked) -> Option<String> {
    if asked.size < 2 {
        return None; // Not a log yet: no rules were activated.
    }
    let theirs = plain(&asked.decide(&history.index));
    let ours = history.facts_at(asked.size).answer(&asked.question, asked.moment);
    (theirs != ours).then(|| {
        let lines = [
            format!("{asked:?}"),
            format!("matched: {:?}, oracle {:?}", theirs.matched, ours.matched),
            format!("notes: {:?}, oracle {:?}", theirs.notes, ours.notes),
        ];
        let only = |mine: &Answer, other: &Answer, whose: &str| {
            let whys = |answer: &Answer| -> BTreeSet<String> {
                let of_uses = answer.uses.iter();
                of_uses
                    .flat_map(|(leaf, whys)| whys.iter().map(move |why| format!("{leaf} {why:?}")))
                    .collect()
            };
            let (mine, other) = (whys(mine), whys(other));
            mine.difference(&other).map(|why| format!("only {whose}: {why}")).collect::<Vec<_>>()
        };
        let mut lines = lines.to_vec();
        lines.extend(only(&theirs, &ours, "the implementation"));
        lines.extend(only(&ours, &theirs, "the oracle"));
        lines.join("\n")
    })
}

impl Asked {
    /// As of the same size, at another moment.
    pub(crate) fn is_permitted_at(&self, index: &Index, moment: i64) -> bool {
        Self { moment, ..self.clone() }.is_permitted(index)
    }
}
