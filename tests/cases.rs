//! The corpus of decision cases in `tests/cases/*.json`, whose form `tests/cases/README.md` tells, against this
//! implementation: what is recorded, what is refused, and what is answered, why, and to whom.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use kyodaku::domain::act::Act;
use kyodaku::domain::command::{Command, Proposed, record};
use kyodaku::domain::decide::{decide, decide_in_full};
use kyodaku::domain::decision::{Decision, NoteCode, Outcome, ReasonCode, Verdict};
use kyodaku::domain::entry::Salt;
use kyodaku::domain::ids::{OrgId, PersonId, WorkId};
use kyodaku::domain::index::Index;
use kyodaku::domain::question::Question;
use kyodaku::domain::uses::Use;
use kyodaku::domain::view::{Viewer, view};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    about: String,
    names: BTreeMap<String, String>,
    prologue: Vec<Step>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    why: String,
    rule_version: u32,
    history: Vec<Step>,
    questions: Vec<Asked>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    at_ms: i64,
    party: OrgId,
    on_behalf_of: Option<OrgId>,
    by: Vec<PersonId>,
    act: Act,
    refused: Option<Refused>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Refused {
    AnyWay(bool),
    With(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    size: Option<u64>,
    moment_ms: i64,
    question: Question,
    viewer: Shown,
    verdict: Verdict,
    #[serde(default)]
    unreadable: bool,
    uses: Vec<Answer>,
    notes: Vec<ExpectedNote>,
    valid_until_ms: Option<End>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Shown {
    All,
    Developer,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    r#use: Use,
    verdict: Verdict,
    #[serde(default)]
    reasons: Vec<ExpectedReason>,
    rests_on: Option<BTreeSet<u64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedReason {
    code: ReasonCode,
    because: Option<ReasonCode>,
    work: Option<WorkId>,
    entries: BTreeSet<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedNote {
    code: NoteCode,
    entries: BTreeSet<u64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum End {
    At(i64),
    Word(String),
}

impl End {
    fn ms(&self) -> i64 {
        match self {
            Self::At(moment) => *moment,
            Self::Word(word) => {
                assert_eq!(word, "open");
                i64::MAX
            }
        }
    }
}

type Reasons = BTreeMap<(ReasonCode, Option<ReasonCode>, Option<WorkId>), BTreeSet<u64>>;
type Notes = BTreeMap<NoteCode, BTreeSet<u64>>;

/// All files of the corpus, by name.
fn corpus() -> BTreeMap<String, File> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut files = BTreeMap::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = std::fs::read_to_string(&path).unwrap();
            let read =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            files.insert(path.file_stem().unwrap().to_string_lossy().into_owned(), read);
        }
    }
    files
}

/// Replaces ids by the names that the file gives them, for messages.
fn readable(text: &str, names: &BTreeMap<String, String>) -> String {
    names.iter().fold(text.to_owned(), |text, (id, name)| text.replace(id, &format!("<{name}>")))
}

/// Records one step; every problem is one line.
fn take(index: &mut Index, step: &Step, number: usize, questions: &[Asked], problems: &mut Vec<String>) {
    let command = Command {
        party: step.party,
        on_behalf_of: step.on_behalf_of,
        by: step.by.clone(),
        acts: vec![Proposed { act: step.act.clone(), payload: None }],
    };
    let answers = |index: &Index| -> Vec<Decision> {
        let size = index.size();
        questions.iter().map(|asked| decide(index, size, asked.moment_ms, &asked.question)).collect()
    };
    let (size, before) = (index.size(), step.refused.as_ref().map(|_| answers(index)));
    let outcome = record(index, &command, step.at_ms, || Salt([7; 16]));
    let act = format!("act {number} ({})", step.act.code());
    match (outcome, &step.refused) {
        (Ok(_), None) => index.keep(),
        (Err(refusals), None) => problems.push(format!("{act} was refused: {refusals:?}")),
        (Ok(_), Some(_)) => problems.push(format!("{act} was recorded, expected a refusal")),
        (Err(refusals), Some(expected)) => {
            match expected {
                Refused::AnyWay(yes) => assert!(yes, "`refused` is true, a code, or left out"),
                Refused::With(code) if refusals.iter().any(|refusal| refusal.code == code) => {}
                Refused::With(code) => problems.push(format!("{act}: expected `{code}`, got {refusals:?}")),
            }
            if index.size() != size || before != Some(answers(index)) {
                problems.push(format!("{act} was refused and changed something"));
            }
        }
    }
}

/// The reasons of one use, those of equal code, because and work taken together.
fn reasons(outcome: &Outcome) -> Reasons {
    let mut found = Reasons::new();
    if let Outcome::NotPermitted(list) = outcome {
        for reason in list {
            found.entry((reason.code, reason.because, reason.work)).or_default().extend(&reason.entries);
        }
    }
    found
}

fn compare_uses(asked: &Asked, decision: &Decision, differ: &mut impl FnMut(&str, &str, &str)) {
    let uses = |list: Vec<Use>| format!("{list:?}");
    let (expected, found) = (
        uses(asked.uses.iter().map(|answer| answer.r#use).collect()),
        uses(decision.uses.iter().map(|answer| answer.r#use).collect()),
    );
    if expected != found {
        differ("uses", &expected, &found);
    }
    for (expected, found) in asked.uses.iter().zip(&decision.uses) {
        let what = format!("`{}`", expected.r#use);
        let verdict = match &found.outcome {
            Outcome::Permitted(_) => Verdict::Permitted,
            Outcome::NotPermitted(_) => Verdict::NotPermitted,
        };
        let mut wanted = Reasons::new();
        for reason in &expected.reasons {
            wanted.entry((reason.code, reason.because, reason.work)).or_default().extend(&reason.entries);
        }
        let (wanted, given) = ((expected.verdict, wanted), (verdict, reasons(&found.outcome)));
        if wanted != given {
            differ(&what, &format!("{wanted:?}"), &format!("{given:?}"));
        }
        if let (Some(entries), Outcome::Permitted(proof)) = (&expected.rests_on, &found.outcome) {
            let given: BTreeSet<u64> = proof.entries().into_iter().collect();
            if *entries != given {
                differ(&format!("{what} rests on"), &format!("{entries:?}"), &format!("{given:?}"));
            }
        }
    }
}

/// Asks the questions that are meant.
fn ask_all(index: &Index, case: &Case, meant: impl Fn(&Asked) -> bool, problems: &mut Vec<String>) {
    for (number, asked) in case.questions.iter().enumerate() {
        if meant(asked) {
            ask(index, asked, case.rule_version, number, problems);
        }
    }
}

/// Asks one question; every problem is one line.
fn ask(index: &Index, asked: &Asked, rule_version: u32, number: usize, problems: &mut Vec<String>) {
    let size = asked.size.unwrap_or(index.size());
    let viewer = match asked.viewer {
        Shown::All => Viewer::All,
        Shown::Developer => Viewer::Developer,
    };
    let decided = decide(index, size, asked.moment_ms, &asked.question);
    assert_eq!(decided, decide_in_full(index, size, asked.moment_ms, &asked.question));
    let decision = view(decided.clone(), viewer);
    let mut differ = |what: &str, expected: &str, found: &str| {
        problems
            .push(format!("question {number}: {what}\n      expected {expected}\n      found    {found}"));
    };
    if decision.verdict() != asked.verdict || decided.verdict() != asked.verdict {
        differ("verdict", &format!("{:?}", asked.verdict), &format!("{:?}", decision.verdict()));
    }
    if decision.unreadable.as_ref().is_some_and(|reason| reason.code == ReasonCode::Unreadable)
        != asked.unreadable
    {
        differ("unreadable", &asked.unreadable.to_string(), &format!("{:?}", decision.unreadable));
    }
    compare_uses(asked, &decision, &mut differ);
    let (mut wanted, mut given) = (Notes::new(), Notes::new());
    for note in &asked.notes {
        wanted.entry(note.code).or_default().extend(&note.entries);
    }
    for note in &decision.notes {
        given.entry(note.code).or_default().extend(&note.entries);
    }
    if wanted != given {
        differ("notes", &format!("{wanted:?}"), &format!("{given:?}"));
    }
    if let Some(end) = &asked.valid_until_ms
        && end.ms() != decision.valid_until_ms
    {
        differ("valid until", &end.ms().to_string(), &decision.valid_until_ms.to_string());
    }
    let said = (decision.log_size, decision.moment_ms);
    if said != (size, asked.moment_ms) {
        differ("size and moment", &format!("{:?}", (size, asked.moment_ms)), &format!("{said:?}"));
    }
    // The empty log has no rules yet.
    if size > 1 && decision.rule_version != rule_version {
        differ("rule version", &rule_version.to_string(), &decision.rule_version.to_string());
    }
}

#[test]
fn every_case_is_answered_as_the_rules_say() {
    let mut failed = Vec::new();
    let mut cases = 0;
    for (file_name, file) in corpus() {
        for case in &file.cases {
            let mut index = Index::new();
            let mut problems = Vec::new();
            for (number, step) in file.prologue.iter().chain(&case.history).enumerate() {
                // A prefix answers as the whole log does as of the prefix's size: each question is asked at its own
                // size, before more is recorded, and again at the end.
                let now = Some(index.size());
                ask_all(&index, case, |asked| asked.size == now && step.refused.is_none(), &mut problems);
                take(&mut index, step, number, &case.questions, &mut problems);
            }
            ask_all(&index, case, |_| true, &mut problems);
            problems.dedup();
            cases += 1;
            if !problems.is_empty() {
                let all = readable(&problems.join("\n    "), &file.names);
                failed.push(format!("{file_name}: {} ({})\n    {all}", case.name, case.why));
            }
        }
    }
    assert!(failed.is_empty(), "{} of {cases} cases fail:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn the_corpus_covers_every_reason_and_every_note() {
    let files = corpus();
    let mut names = BTreeSet::new();
    let (mut codes, mut notes) = (BTreeSet::new(), BTreeSet::new());
    for (file_name, file) in &files {
        assert!(!file.about.is_empty() && !file.names.is_empty(), "{file_name}");
        for case in &file.cases {
            assert!(names.insert(case.name.clone()), "`{}` stands twice", case.name);
            assert!(case.why.ends_with('.') && !case.questions.is_empty(), "{}", case.name);
            for asked in &case.questions {
                notes.extend(asked.notes.iter().map(|note| note.code));
                codes.extend(asked.unreadable.then_some(ReasonCode::Unreadable));
                let reasons = asked.uses.iter().flat_map(|answer| &answer.reasons);
                codes.extend(reasons.flat_map(|reason| [Some(reason.code), reason.because]).flatten());
            }
        }
    }
    assert!(names.len() >= 160, "only {} cases", names.len());
    assert_eq!(codes, ReasonCode::ALL.iter().copied().collect());
    assert_eq!(notes, NoteCode::ALL.iter().copied().collect());
}
