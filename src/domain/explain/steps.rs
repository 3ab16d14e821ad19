//! The steps of an explanation in words, Japanese and English.

use super::{Lang, Names, words};
use crate::domain::decide::trace::{Found, Step};
use crate::domain::decision::{Note, Reason, ReasonCode};

/// One step in words, with the rule that it follows.
pub fn step_words(step: &Step, lang: Lang, names: &dyn Names) -> String {
    let work = step.work.map(|work| names.work(work, lang)).unwrap_or_default();
    let org = step.org.map(|org| names.org(org, lang)).unwrap_or_default();
    let text = match step.found {
        Found::Stands { code } => reason(step, code, lang, names),
        Found::Noted { code } => {
            let note = Note { code, work: step.work, entries: Vec::new() };
            super::note_words(&note, lang, names)
        }
        Found::Covered { r#use, .. } => match lang {
            Lang::Ja => format!("「{work}」の権利者 {org} の許諾は、この利用（{use}）に及びます。"),
            Lang::En => format!("A grant of {org}, a holder of “{work}”, covers `{use}`."),
        },
        Found::Missed { r#use, code, .. } => {
            let why = reason(step, code, lang, names);
            match lang {
                Lang::Ja => format!("権利者 {org} の許諾は、この利用（{use}）に及びません。{why}"),
                Lang::En => format!("No grant of the holder {org} covers `{use}`. {why}"),
            }
        }
        Found::Denied { r#use } => match lang {
            Lang::Ja => format!("{org} は「{work}」のこの利用（{use}）を拒否しています。"),
            Lang::En => format!("{org} denies `{use}` of “{work}”. A denial overrides every grant."),
        },
        Found::NearDenied { r#use } => match lang {
            Lang::Ja => format!("よく似た作品「{work}」のこの利用（{use}）が拒否されています。"),
            Lang::En => format!("“{work}” resembles the item, and `{use}` of it is denied."),
        },
        other => fixed(other, lang).replace("{work}", &work).replace("{org}", &org),
    };
    format!("{}: {text}", step.rule)
}

fn reason(step: &Step, code: ReasonCode, lang: Lang, names: &dyn Names) -> String {
    let reason = Reason { work: step.work, ..Reason::of(code) };
    words(&reason, lang, names)
}

/// What needs no more than the work or the organization.
const fn fixed(found: Found, lang: Lang) -> &'static str {
    match (lang, found) {
        (Lang::Ja, Found::DeveloperStands) => "{org} は確認済みのAI事業者です。",
        (Lang::En, Found::DeveloperStands) => "{org} is a verified AI developer.",
        (Lang::Ja, Found::DeveloperFails) => "{org} は、確認済みで停止されていないAI事業者ではありません。",
        (Lang::En, Found::DeveloperFails) => "{org} is not a verified AI developer in good standing.",
        (Lang::Ja, Found::ModelStands) => "モデルはこの事業者が登録したものです。",
        (Lang::En, Found::ModelStands) => "The model is one that the developer has registered.",
        (Lang::Ja, Found::ModelFails) => "モデルは、この事業者の有効な登録モデルではありません。",
        (Lang::En, Found::ModelFails) => "The model is not a registered model of the developer.",
        (Lang::Ja, Found::NoMatch) => {
            "どのキーも、登録された作品に結び付いていません。記録がないことは許諾ではありません。"
        }
        (Lang::En, Found::NoMatch) => {
            "No key of the item is tied to a registered work. That nothing is on record is not permission."
        }
        (Lang::Ja, Found::Matches { by_location: false }) => "対象は作品「{work}」に当たります。",
        (Lang::En, Found::Matches { by_location: false }) => "The item is the work “{work}”.",
        (Lang::Ja, Found::Matches { by_location: true }) => {
            "対象は、置かれている場所だけから、作品「{work}」に当たるとされます。"
        }
        (Lang::En, Found::Matches { by_location: true }) => {
            "The item is the work “{work}” by where it lies, and by nothing else."
        }
        (Lang::Ja, Found::Part) => "部分である「{work}」についても尋ねられています。",
        (Lang::En, Found::Part) => "“{work}”, a part, is asked about too.",
        (Lang::Ja, Found::Layer) => "「{work}」が取り込まれているため、その許諾も必要です。",
        (Lang::En, Found::Layer) => "“{work}” is incorporated, so it needs permission too.",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decide::trace::Rule;
    use crate::domain::decision::NoteCode;
    use crate::domain::explain::Ids;
    use crate::domain::ids::{GrantId, HoldingId, OrgId, WorkId};
    use crate::domain::uses::Use;
    use uuid::Uuid;

    #[test]
    fn every_step_is_told_in_both_languages() {
        let (leaf, holding) = (Use::TrainGenerative, HoldingId::new(Uuid::from_u128(3)));
        let grant = GrantId::new(Uuid::from_u128(4));
        let mut all = vec![
            Found::DeveloperStands,
            Found::DeveloperFails,
            Found::ModelStands,
            Found::ModelFails,
            Found::NoMatch,
            Found::Matches { by_location: false },
            Found::Matches { by_location: true },
            Found::Part,
            Found::Layer,
            Found::Covered { r#use: leaf, holding, grant },
            Found::Denied { r#use: leaf },
            Found::NearDenied { r#use: leaf },
        ];
        all.extend(ReasonCode::ALL.iter().map(|code| Found::Stands { code: *code }));
        all.extend(ReasonCode::ALL.iter().map(|code| Found::Missed { r#use: leaf, holding, code: *code }));
        all.extend(NoteCode::ALL.iter().map(|code| Found::Noted { code: *code }));
        for found in all {
            let step = Step {
                rule: Rule(8),
                found,
                work: Some(WorkId::new(Uuid::from_u128(1))),
                org: Some(OrgId::new(Uuid::from_u128(2))),
                entries: Vec::new(),
            };
            let [ja, en] = [Lang::Ja, Lang::En].map(|lang| step_words(&step, lang, &Ids));
            for text in [&ja, &en] {
                assert!(
                    text.starts_with("R8: ") && text.len() > 12 && !text.contains('{'),
                    "{found:?}: {text}"
                );
            }
            assert!(!ja.is_ascii() && ja != en, "{found:?}");
        }
    }
}
