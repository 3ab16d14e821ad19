//! The summary of a bundle, to read and to print: a page without scripts that asks nobody for anything.
//!
//! It is made from the bundle alone, so whoever verifies that makes it again.

mod words;

use std::collections::HashMap;

use askama::Template;

use super::verify::matched;
use super::{Asked, Evidence, OpenEntry, TypedText};
use crate::domain::act::{Act, InquiryOpened, WorkAmended, WorkRegistered};
use crate::domain::entry::Entry;
use crate::domain::explain::acts::act_words;
use crate::domain::explain::{Lang, Names};
use crate::domain::ids::{OrgId, WorkId};
use crate::domain::inquiry::Extent;
use crate::domain::payload::Payload;
use crate::domain::scope::Scope;
use crate::log::checkpoint::claimed;
use crate::log::receipt::CheckRecord;
use words::{EN, JA, Words};

/// Why a summary can't be written.
#[derive(Debug, thiserror::Error)]
#[error("a summary can't be written: {0}")]
pub struct SummaryError(#[from] askama::Error);

/// A line of the inquiry, of an entry or a check, as it is read.
struct Fact {
    name: &'static str,
    value: String,
}

struct EntryRow {
    index: u64,
    at: String,
    text: String,
    works: Vec<String>,
    typed: Option<String>,
}

struct CheckRow {
    check: String,
    at: String,
    developer: String,
    asked_by: Option<String>,
    uses: String,
    items: u64,
    permitted: u64,
    /// What it matched, with what was answered.
    works: Vec<String>,
    /// How many works more.
    more: usize,
    rests_on: String,
}

/// The most works that are told of one check.
const WORKS: usize = 50;

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html>
<html lang="{{ w.lang }}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{{ w.title }} {{ inquiry }}</title>
<style>
body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem; font: 1rem/1.6 "Noto Sans JP", "Hiragino Sans", "Yu Gothic", sans-serif; color: #1a1a1a; background: #fff; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2rem; border-bottom: 2px solid #1a1a1a; }
.note { border: 2px solid #1a1a1a; padding: .5rem 1rem; }
table { border-collapse: collapse; width: 100%; } caption { text-align: start; padding: .25rem 0; }
th, td { border: 1px solid #767676; padding: .25rem .5rem; text-align: start; vertical-align: top; overflow-wrap: break-word; }
time, .number { white-space: nowrap; } code, .id { overflow-wrap: anywhere; }
.wide table { min-width: 56rem; } .wide td:has(code), .wide .id { min-width: 11rem; } thead th { word-break: keep-all; }
thead th { background: #f2f2f2; } code { font-size: .9rem; } .wide { overflow-x: auto; }
@media print { body { margin: 0; max-width: none; font-size: 9pt; } thead { display: table-header-group; } tr { break-inside: avoid; } .wide { overflow: visible; } .wide table, .wide td:has(code), .wide .id { min-width: 0; } }
</style>
</head>
<body>
<main>
<h1>{{ w.title }}</h1>
<p class="note">{{ w.note }}<br>{{ w.left_out }}</p>
<h2>{{ w.inquiry }}</h2>
<table>
<tbody>
{%- for fact in facts %}
<tr><th scope="row">{{ fact.name }}</th><td class="id">{{ fact.value }}</td></tr>
{%- endfor %}
</tbody>
</table>
<h2>{{ w.checks }}</h2>
{%- if checks.is_empty() %}
<p>{{ w.no_checks }}</p>
{%- else %}
<div class="wide" role="region" tabindex="0" aria-label="{{ w.checks }}">
<table>
<caption>{{ w.checks_caption }}</caption>
<thead><tr><th scope="col">{{ w.at }}</th><th scope="col">{{ w.check }}</th><th scope="col">{{ w.developer }}</th><th scope="col">{{ w.uses }}</th><th scope="col">{{ w.permitted }}</th><th scope="col">{{ w.matched }}</th><th scope="col">{{ w.rests_on }}</th></tr></thead>
<tbody>
{%- for it in checks %}
<tr><td><time>{{ it.at }}</time></td><td><code>{{ it.check }}</code></td><td>{{ it.developer }}{% if let Some(by) = it.asked_by %}<br>{{ w.asked_by }} {{ by }}{% endif %}</td><td>{{ it.uses }}</td><td class="number">{{ it.permitted }} / {{ it.items }}</td><td class="id">{% for work in it.works %}{{ work }}<br>{% endfor %}{% if it.more > 0 %}{{ w.more }} {{ it.more }}{% endif %}</td><td>{{ it.rests_on }}</td></tr>
{%- endfor %}
</tbody>
</table>
</div>
{%- endif %}
<h2>{{ w.entries }}</h2>
<div class="wide" role="region" tabindex="0" aria-label="{{ w.entries }}">
<table>
<caption>{{ w.entries_caption }}</caption>
<thead><tr><th scope="col">{{ w.entry }}</th><th scope="col">{{ w.at }}</th><th scope="col">{{ w.what }}</th><th scope="col">{{ w.works }}</th><th scope="col">{{ w.typed }}</th></tr></thead>
<tbody>
{%- for it in entries %}
<tr><td>{{ it.index }}</td><td><time>{{ it.at }}</time></td><td>{{ it.text }}</td><td class="id">{% for work in it.works %}{{ work }}<br>{% endfor %}</td><td>{% if let Some(typed) = it.typed %}{{ typed }}{% endif %}</td></tr>
{%- endfor %}
</tbody>
</table>
</div>
<h2>{{ w.verify }}</h2>
<p>{{ w.how_to }}</p>
<p><code>kyodaku verify bundle {{ inquiry }}.zip --log ACT_LOG_KEY --log JOURNAL_KEY</code></p>
</main>
</body>
</html>
"#
)]
struct Page {
    w: &'static Words,
    inquiry: String,
    facts: Vec<Fact>,
    checks: Vec<CheckRow>,
    entries: Vec<EntryRow>,
}

/// The page in a language.
///
/// # Errors
/// None that a bundle causes.
pub(super) fn write(of: &Evidence, lang: Lang) -> Result<String, SummaryError> {
    let w = match lang {
        Lang::Ja => &JA,
        Lang::En => &EN,
    };
    let reader = Reader::new(of, lang, w);
    let page = Page {
        w,
        inquiry: of.inquiry.to_string(),
        facts: reader.facts(of),
        checks: of.checks.iter().filter_map(|asked| reader.check(asked)).collect(),
        entries: reader.entries.iter().map(|(it, entry)| reader.entry(it, entry)).collect(),
    };
    Ok(page.render()?)
}

/// What stands in a bundle, by id.
struct Reader<'a> {
    lang: Lang,
    w: &'static Words,
    entries: Vec<(&'a OpenEntry, Entry)>,
    texts: HashMap<u64, &'a TypedText>,
    orgs: HashMap<OrgId, String>,
    titles: HashMap<WorkId, String>,
}

impl Names for Reader<'_> {
    fn org(&self, id: OrgId, _: Lang) -> String {
        self.orgs.get(&id).map_or_else(|| id.to_string(), |name| format!("{name} ({id})"))
    }

    fn work(&self, id: WorkId, _: Lang) -> String {
        self.titles.get(&id).map_or_else(|| id.to_string(), |title| format!("{title} ({id})"))
    }
}

impl<'a> Reader<'a> {
    fn new(of: &'a Evidence, lang: Lang, w: &'static Words) -> Self {
        let read = |text: &String| serde_json::from_str::<Entry>(text).ok();
        let entries = of.entries.iter().filter_map(|it| Some((it, read(&it.entry)?))).collect();
        let texts = of.texts.iter().map(|text| (text.index(), text)).collect();
        let mut reader = Self { lang, w, entries, texts, orgs: HashMap::new(), titles: HashMap::new() };
        for (of, entry) in &reader.entries {
            match (&entry.act, reader.payload(of.index)) {
                (Act::OrgRegistered(act), Some(Payload::Org { name })) => {
                    reader.orgs.insert(act.org, name);
                }
                (Act::WorkRegistered(WorkRegistered { work, .. }), Some(Payload::Work { titles, .. }))
                | (Act::WorkAmended(WorkAmended { work, .. }), Some(Payload::Work { titles, .. })) => {
                    reader.titles.extend(titles.into_iter().next().map(|title| (*work, title.text)));
                }
                _ => {}
            }
        }
        reader
    }

    fn payload(&self, index: u64) -> Option<Payload> {
        match self.texts.get(&index)? {
            TypedText::Kept { text, .. } => serde_json::from_str(text).ok(),
            TypedText::Erased { .. } => None,
        }
    }

    fn typed(&self, index: u64) -> Option<String> {
        let told = match self.texts.get(&index)? {
            TypedText::Erased { .. } => return Some(self.w.erased.to_owned()),
            TypedText::Kept { .. } => self.payload(index)?,
        };
        Some(match told {
            Payload::Org { name } | Payload::Model { name } => name,
            Payload::Work { titles, .. } => {
                let texts: Vec<String> = titles.into_iter().map(|title| title.text).collect();
                texts.join(" / ")
            }
            Payload::Note { text } | Payload::Evidence { text, .. } => text,
        })
    }

    fn facts(&self, of: &Evidence) -> Vec<Fact> {
        let own = self.entries.iter().find_map(|(it, entry)| match &entry.act {
            Act::InquiryOpened(opened) if opened.inquiry == of.inquiry => Some((it.index, entry, opened)),
            _ => None,
        });
        let mut facts = vec![Fact { name: self.w.id, value: of.inquiry.to_string() }];
        if let Some((index, entry, opened)) = own {
            facts.extend(self.terms(index, entry, opened));
        }
        if let Ok(checkpoint) = claimed(of.checkpoint.as_bytes()) {
            facts.push(Fact { name: self.w.log, value: checkpoint.origin });
            facts.push(Fact { name: self.w.size, value: checkpoint.size.to_string() });
            facts.push(Fact { name: self.w.root, value: checkpoint.root.to_string() });
        }
        facts
    }

    fn terms(&self, index: u64, entry: &Entry, opened: &InquiryOpened) -> Vec<Fact> {
        let w = self.w;
        let extent = Extent::new(opened, entry.at_ms);
        let until = extent.until_ms.map_or_else(|| w.open.to_owned(), moment);
        let works = self.scope(&opened.works, |work| self.work(work, self.lang));
        let parties = self.scope(&opened.parties, |org| self.org(org, self.lang));
        [
            (w.reason, self.typed(index).unwrap_or_else(|| w.erased.to_owned())),
            (w.auditor, self.org(opened.auditor, self.lang)),
            (w.opened_by, self.org(entry.party, self.lang)),
            (w.opened, moment(entry.at_ms)),
            (w.expires, moment(opened.expires_ms)),
            (w.of_works, works),
            (w.of_parties, parties),
            (w.period, format!("{} – {until}", moment(extent.from_ms))),
        ]
        .map(|(name, value)| Fact { name, value })
        .into()
    }

    fn scope<T: Copy>(&self, scope: &Scope<T>, name: impl Fn(T) -> String) -> String {
        match scope {
            Scope::Any => self.w.any.to_owned(),
            Scope::Only(members) => {
                let names: Vec<String> = members.iter().map(|member| name(*member)).collect();
                names.join(", ")
            }
        }
    }

    fn entry(&self, of: &OpenEntry, entry: &Entry) -> EntryRow {
        EntryRow {
            index: of.index,
            at: moment(entry.at_ms),
            text: act_words(entry, self.lang, self),
            works: of.works.iter().map(|work| self.work(*work, self.lang)).collect(),
            typed: self.typed(of.index),
        }
    }

    fn check(&self, asked: &Asked) -> Option<CheckRow> {
        let record = CheckRecord::read(&asked.receipt.journal.entry).ok()?;
        let uses: Vec<&str> = record.context.uses.iter().map(|leaf| leaf.code()).collect();
        let basis: Vec<String> = asked.rests_on.iter().map(u64::to_string).collect();
        let rows = matched(asked, &record).unwrap_or_default();
        let told = rows.iter().take(WORKS).map(|row| {
            let answer = if row.permitted { self.w.is_permitted } else { self.w.is_not };
            format!("{}: {answer}", self.work(row.work, self.lang))
        });
        Some(CheckRow {
            check: record.check.to_string(),
            at: moment(record.at_ms),
            developer: self.org(record.developer, self.lang),
            asked_by: record.asked_by.map(|org| self.org(org, self.lang)),
            uses: uses.join(", "),
            items: record.items.size,
            permitted: record.permitted,
            works: told.collect(),
            more: rows.len().saturating_sub(WORKS),
            rests_on: basis.join(", "),
        })
    }
}

/// A moment in RFC 3339, UTC; what no calendar can say is written as its milliseconds.
fn moment(at_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(at_ms).map_or_else(|_| at_ms.to_string(), |at| at.to_string())
}
