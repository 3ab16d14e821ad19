//! Reasons and notes in words, Japanese and English: what stands, for whom, what to do next.
//!
//! The words say what permission is on record, never what is lawful. Where nothing is on record they say that this is
//! not permission.

pub mod acts;
pub mod steps;

use serde::{Deserialize, Serialize};

use super::decision::{Note, NoteCode, Reason, ReasonCode};
use super::ids::{OrgId, WorkId};

/// A language in which reasons are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lang {
    /// Japanese.
    Ja,
    /// English.
    #[default]
    En,
}

impl Lang {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Ja, Self::En];
}

/// What people call things. The decision knows ids only.
pub trait Names {
    /// An organization's name; where it was erased, words that say so.
    fn org(&self, id: OrgId, lang: Lang) -> String;
    /// A work's title; where it was erased, words that say so.
    fn work(&self, id: WorkId, lang: Lang) -> String;
}

/// Calls everything by its id.
#[derive(Clone, Copy, Debug)]
pub struct Ids;

impl Names for Ids {
    fn org(&self, id: OrgId, _lang: Lang) -> String {
        id.to_string()
    }

    fn work(&self, id: WorkId, _lang: Lang) -> String {
        id.to_string()
    }
}

/// A reason in words. `{work}` is named where the reason names one, and whom to ask where it names somebody.
pub fn words(reason: &Reason, lang: Lang, names: &dyn Names) -> String {
    let (what, next) = told(reason.code, lang);
    let work = reason.work.map(|work| names.work(work, lang));
    let work = work.as_deref();
    let mut text;
    if let Some(because) = reason.because {
        // It is about a layer or a part, and not about the work that was asked for.
        let (stands, and_then) = told(because, lang);
        text = fill(what, work, Unnamed::Another, lang);
        text.push_str(&fill(stands, work, Unnamed::That, lang));
        text.push_str(&fill(and_then, work, Unnamed::That, lang));
    } else {
        text = fill(what, work, Unnamed::The, lang);
        text.push_str(&fill(next, work, Unnamed::The, lang));
    }
    if !reason.ask.is_empty() {
        text.push_str(&whom(reason, lang, names));
    }
    text.trim_end().to_owned()
}

/// A note in words. A note never changes a verdict, and says so.
pub fn note_words(note: &Note, lang: Lang, names: &dyn Names) -> String {
    let work = note.work.map(|work| names.work(work, lang));
    fill(noted(note.code, lang), work.as_deref(), Unnamed::The, lang).trim_end().to_owned()
}

/// What is told where no reason stands in the way of anybody.
pub const fn permitted(lang: Lang) -> &'static str {
    match lang {
        Lang::Ja => "権利者全員の許諾が記録されています。許諾の条件と期間を確認してください。",
        Lang::En => "Every holder has recorded permission. Keep to its conditions and term.",
    }
}

/// What is told where permission is on record for some developers only.
pub const fn permitted_to_some(lang: Lang) -> &'static str {
    match lang {
        Lang::Ja => {
            "特定の事業者、モデル、または地域に限って許諾が記録されています。それ以外については、これは許諾ではありません。"
        }
        Lang::En => {
            "Permission is on record for certain developers, models or territories only. For all others this is not permission."
        }
    }
}

/// How many of those who can be asked are named.
const NAMED: usize = 5;

fn whom(reason: &Reason, lang: Lang, names: &dyn Names) -> String {
    let shown: Vec<String> = reason.ask.iter().take(NAMED).map(|org| names.org(*org, lang)).collect();
    let more = reason.ask.len().saturating_sub(NAMED);
    match (lang, more) {
        (Lang::Ja, 0) => format!("連絡先：{}。", shown.join("、")),
        (Lang::Ja, more) => format!("連絡先：{}、ほか{more}者。", shown.join("、")),
        (Lang::En, 0) => format!("Ask {}.", shown.join(", ")),
        (Lang::En, more) => format!("Ask {} and {more} more.", shown.join(", ")),
    }
}

/// How a work is spoken of that is not named.
#[derive(Clone, Copy)]
enum Unnamed {
    The,
    Another,
    That,
}

fn fill(text: &str, work: Option<&str>, unnamed: Unnamed, lang: Lang) -> String {
    let named = match (work, lang) {
        (Some(work), Lang::Ja) => format!("「{work}」"),
        (Some(work), Lang::En) => format!("“{work}”"),
        (None, lang) => unnamed.in_words(lang).to_owned(),
    };
    text.replace("{work}", &named)
}

impl Unnamed {
    const fn in_words(self, lang: Lang) -> &'static str {
        match (self, lang) {
            (Self::The, Lang::Ja) => "この作品",
            (Self::The, Lang::En) => "the work",
            (Self::Another, Lang::Ja) => "別の作品",
            (Self::Another, Lang::En) => "another work",
            (Self::That, Lang::Ja) => "その作品",
            (Self::That, Lang::En) => "that work",
        }
    }
}

/// What stands, and what to do next; each is one or more whole sentences.
const fn told(code: ReasonCode, lang: Lang) -> (&'static str, &'static str) {
    match lang {
        Lang::Ja => told_ja(code),
        Lang::En => told_en(code),
    }
}

const fn told_en(code: ReasonCode) -> (&'static str, &'static str) {
    match code {
        ReasonCode::NotRegistered => (
            "No work is on record under this key. This is not permission. ",
            "Find the rights holder, or ask under another key of the same item. ",
        ),
        ReasonCode::Withdrawn => (
            "The record of {work}, or its tie to this key, was withdrawn. ",
            "A withdrawn record permits nothing; ask who held it. ",
        ),
        ReasonCode::NoHolder => (
            "Nobody is on record as holder of {work}, so nobody can permit. This is not permission. ",
            "Wait until the holders are recorded and confirmed. ",
        ),
        ReasonCode::HolderUnconfirmed => (
            "A holder of {work} is recorded but not confirmed. ",
            "The registrar confirms holders; a holder can send it the evidence. ",
        ),
        ReasonCode::BindingUnconfirmed => (
            "The tie between this key and {work} is asserted but not confirmed. ",
            "The registrar confirms it, or the holder proves control of the address. ",
        ),
        ReasonCode::RosterIncomplete => (
            "Not every holder of {work} has declared the list of holders complete. ",
            "Each listed holder declares it, or the registrar does. ",
        ),
        ReasonCode::LayersIncomplete => (
            "It is not declared which other works {work} incorporates. ",
            "Each holder declares the list of layers complete, even when there are none. ",
        ),
        ReasonCode::Claimed => (
            "An outsider claims {work}, which suspends permission for 14 days. ",
            "Wait for the registrar, or until the claim is withdrawn or its time is up. ",
        ),
        ReasonCode::Disputed => {
            ("A dispute about {work} is open. ", "Nothing is permitted until the registrar settles it. ")
        }
        ReasonCode::DeveloperUnverified => (
            "The developer who would use it is not a verified AI developer in good standing. ",
            "The registrar verifies developers. ",
        ),
        ReasonCode::NoGrant => (
            "A holder of {work} has recorded no permission that could apply. This is not permission. ",
            "Ask the holder for permission before any use. ",
        ),
        ReasonCode::PartlyGranted => (
            "Some holders of {work} have granted, and at least one has not. ",
            "Every holder must grant; ask the one that has not. ",
        ),
        ReasonCode::Denied => (
            "A holder refuses this use of {work}. ",
            "A refusal overrides every grant; only who refused can take it back. ",
        ),
        ReasonCode::UseNotCovered => (
            "The nearest permission for {work} is for another use. ",
            "Ask the holder for permission for this use. ",
        ),
        ReasonCode::DeveloperNotCovered => (
            "The nearest permission for {work} is for another developer. ",
            "Ask the holder for permission of your own. ",
        ),
        ReasonCode::ModelNotCovered => (
            "The nearest permission for {work} is for other models, or the model is not registered. ",
            "Name a registered model that is covered, or ask the holder. ",
        ),
        ReasonCode::TerritoryNotCovered => (
            "The nearest permission for {work} is for other territories. ",
            "Name a territory that is covered, or ask the holder. ",
        ),
        ReasonCode::LocationOnly => (
            "The item is known only by where it lies, and the nearest permission for {work} does not say that this is enough. ",
            "Ask with a more exact key, such as the hash or an identifier. ",
        ),
        ReasonCode::NotYetEffective => (
            "The nearest permission for {work} begins later. ",
            "Wait until its term begins, then ask again. ",
        ),
        ReasonCode::Expired => {
            ("The nearest permission for {work} has ended. ", "Ask the holder for a new permission. ")
        }
        ReasonCode::Revoked => (
            "The nearest permission for {work} was revoked, or ended with its holder or mandate. ",
            "Stop the use, and ask the holder. ",
        ),
        ReasonCode::LayerNotPermitted => (
            "The work incorporates {work}, which is not permitted. ",
            "Everything that a work incorporates must be permitted too. ",
        ),
        ReasonCode::PartNotPermitted => (
            "The parts were asked for, and {work} is one that is not permitted. ",
            "Ask for the parts one by one, or ask its holder. ",
        ),
        ReasonCode::NearDenied => (
            "The item is very similar to {work}, whose holder refuses this use. ",
            "Ask that holder whether the item is its work. ",
        ),
        ReasonCode::Unreadable => (
            "The question could not be read. This is not permission. ",
            "Name one to 16 keys and each use once. ",
        ),
    }
}

const fn told_ja(code: ReasonCode) -> (&'static str, &'static str) {
    match code {
        ReasonCode::NotRegistered => (
            "このキーに結び付いた作品の記録がありません。記録がないことは許諾ではありません。",
            "権利者を探すか、同じ対象の別のキーで照会してください。",
        ),
        ReasonCode::Withdrawn => (
            "{work}の登録、またはこのキーとの結び付きは取り下げられています。",
            "取り下げられた登録は何も許諾しません。以前の権利者に確認してください。",
        ),
        ReasonCode::NoHolder => (
            "{work}の権利者が記録されていないため、許諾できる者がいません。これは許諾ではありません。",
            "権利者が記録され、確認されるまでお待ちください。",
        ),
        ReasonCode::HolderUnconfirmed => (
            "{work}の権利者が申告されていますが、まだ確認されていません。",
            "登録機関が確認します。権利者は証拠を提出できます。",
        ),
        ReasonCode::BindingUnconfirmed => (
            "このキーと{work}の結び付きは申告されていますが、まだ確認されていません。",
            "登録機関が確認するか、権利者がアドレスの管理を証明します。",
        ),
        ReasonCode::RosterIncomplete => (
            "{work}の権利者一覧が完全であると、権利者全員がまだ宣言していません。",
            "記載された各権利者または登録機関が宣言します。",
        ),
        ReasonCode::LayersIncomplete => (
            "{work}に含まれる他の作品が、すべて宣言されていません。",
            "含まれる作品がない場合も、各権利者がそのように宣言します。",
        ),
        ReasonCode::Claimed => (
            "{work}について第三者が権利を主張しており、14日間は許諾が停止します。",
            "登録機関の判断、主張の取り下げ、または期間の経過をお待ちください。",
        ),
        ReasonCode::Disputed => {
            ("{work}について係争中です。", "登録機関が解決するまで、何も許諾されません。")
        }
        ReasonCode::DeveloperUnverified => (
            "利用しようとする事業者は、確認済みで有効なAI開発者ではありません。",
            "登録機関が事業者を確認します。",
        ),
        ReasonCode::NoGrant => (
            "{work}の権利者による、該当する許諾の記録がありません。記録がないことは許諾ではありません。",
            "利用する前に、権利者に許諾を求めてください。",
        ),
        ReasonCode::PartlyGranted => (
            "{work}の一部の権利者は許諾していますが、許諾していない権利者がいます。",
            "権利者全員の許諾が必要です。許諾していない権利者に求めてください。",
        ),
        ReasonCode::Denied => (
            "{work}の権利者がこの利用を拒否しています。",
            "拒否はあらゆる許諾に優先し、拒否した者だけが取り下げられます。",
        ),
        ReasonCode::UseNotCovered => (
            "{work}について最も近い許諾は、別の利用に対するものです。",
            "この利用についての許諾を権利者に求めてください。",
        ),
        ReasonCode::DeveloperNotCovered => (
            "{work}について最も近い許諾は、別の事業者に対するものです。",
            "貴社に対する許諾を権利者に求めてください。",
        ),
        ReasonCode::ModelNotCovered => (
            "{work}について最も近い許諾は別のモデルに対するものか、モデルが登録されていません。",
            "許諾の対象である登録済みモデルを指定するか、権利者に求めてください。",
        ),
        ReasonCode::TerritoryNotCovered => (
            "{work}について最も近い許諾は、別の地域に対するものです。",
            "許諾の対象である地域を指定するか、権利者に求めてください。",
        ),
        ReasonCode::LocationOnly => (
            "対象は所在だけで特定されており、{work}について最も近い許諾はそれで足りるとしていません。",
            "ハッシュや識別子など、より正確なキーで照会してください。",
        ),
        ReasonCode::NotYetEffective => (
            "{work}について最も近い許諾は、まだ始まっていません。",
            "期間が始まってから、もう一度照会してください。",
        ),
        ReasonCode::Expired => {
            ("{work}について最も近い許諾は、期間が終了しています。", "新たな許諾を権利者に求めてください。")
        }
        ReasonCode::Revoked => (
            "{work}について最も近い許諾は撤回されたか、権利者または委任とともに終了しました。",
            "利用を停止し、権利者に確認してください。",
        ),
        ReasonCode::LayerNotPermitted => (
            "この作品に含まれる{work}が許諾されていません。",
            "作品に含まれるものすべてについて許諾が必要です。",
        ),
        ReasonCode::PartNotPermitted => (
            "照会された部分のうち、{work}が許諾されていません。",
            "部分を一つずつ照会するか、その権利者に求めてください。",
        ),
        ReasonCode::NearDenied => (
            "対象は{work}に酷似しており、その権利者はこの利用を拒否しています。",
            "対象がその作品であるかどうか、権利者に確認してください。",
        ),
        ReasonCode::Unreadable => (
            "照会を読み取れませんでした。これは許諾ではありません。",
            "1から16個のキーと、重複しない利用を指定してください。",
        ),
    }
}

const fn noted(code: NoteCode, lang: Lang) -> &'static str {
    match (lang, code) {
        (Lang::En, NoteCode::OptOutRecorded) => {
            "An opt-out is on record for {work}. It changes no answer: without one, too, only permission is permission."
        }
        (Lang::En, NoteCode::AllowSignalRecorded) => {
            "A foreign signal that reads as an allowance is on record for {work}. It is evidence, and it is not permission."
        }
        (Lang::En, NoteCode::ClaimNoted) => {
            "An outsider claims {work}. The claim no longer suspends permission; the registrar may still admit it as a dispute."
        }
        (Lang::Ja, NoteCode::OptOutRecorded) => {
            "{work}についてオプトアウトが記録されています。回答は変わりません。オプトアウトがなくても、許諾だけが許諾です。"
        }
        (Lang::Ja, NoteCode::AllowSignalRecorded) => {
            "{work}について許可と読める外部の表示が記録されています。これは証拠であり、許諾ではありません。"
        }
        (Lang::Ja, NoteCode::ClaimNoted) => {
            "{work}について第三者が権利を主張しています。この主張による停止は終わりましたが、登録機関が係争として扱うことがあります。"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smallvec::smallvec;
    use uuid::Uuid;

    fn reason(code: ReasonCode) -> Reason {
        let work = Some(WorkId::new(Uuid::from_u128(7)));
        Reason { work, ask: smallvec![OrgId::new(Uuid::from_u128(1))], ..Reason::of(code) }
    }

    fn is_japanese(text: &str) -> bool {
        text.chars().any(|c| matches!(c, '\u{3041}'..='\u{30ff}'))
    }

    #[test]
    fn every_code_is_told_in_both_languages_and_differently_from_every_other() {
        for lang in Lang::ALL {
            let mut seen = std::collections::HashSet::new();
            let reasons = ReasonCode::ALL.iter().map(|code| words(&reason(*code), *lang, &Ids));
            let notes = NoteCode::ALL.iter().map(|code| {
                note_words(
                    &Note { code: *code, work: reason(ReasonCode::Denied).work, entries: Vec::new() },
                    *lang,
                    &Ids,
                )
            });
            for text in reasons.chain(notes) {
                assert!(seen.insert(text.clone()), "told twice: {text}");
                assert!(text.ends_with(['.', '。']), "{text}");
                assert!(!text.contains(['{', '}']), "{text}");
                assert_eq!(is_japanese(&text), *lang == Lang::Ja, "{text}");
            }
        }
    }

    #[test]
    fn no_record_says_that_it_is_not_permission() {
        for code in
            [ReasonCode::NotRegistered, ReasonCode::NoGrant, ReasonCode::NoHolder, ReasonCode::Unreadable]
        {
            assert!(words(&reason(code), Lang::En, &Ids).contains("not permission"), "{code:?}");
            assert!(words(&reason(code), Lang::Ja, &Ids).contains("許諾ではありません"), "{code:?}");
        }
        assert!(permitted_to_some(Lang::En).contains("not permission"));
        assert!(permitted_to_some(Lang::Ja).contains("許諾ではありません"));
    }

    #[test]
    fn a_layer_is_told_with_its_cause_its_name_and_whom_to_ask() {
        struct Named;
        impl Names for Named {
            fn org(&self, _id: OrgId, _lang: Lang) -> String {
                "Hoshikuzu Pictures".to_owned()
            }
            fn work(&self, _id: WorkId, _lang: Lang) -> String {
                "星屑の図書館".to_owned()
            }
        }
        let layer = Reason { because: Some(ReasonCode::Denied), ..reason(ReasonCode::LayerNotPermitted) };
        let text = words(&layer, Lang::En, &Named);
        assert!(text.contains("incorporates “星屑の図書館”") && text.contains("refuses"), "{text}");
        assert!(text.ends_with("Ask Hoshikuzu Pictures."), "{text}");
        let many = Reason { ask: (1..=7).map(|n| OrgId::new(Uuid::from_u128(n))).collect(), ..layer };
        assert!(words(&many, Lang::En, &Named).ends_with("and 2 more."));
        assert!(words(&many, Lang::Ja, &Named).ends_with("ほか2者。"));
    }
}
