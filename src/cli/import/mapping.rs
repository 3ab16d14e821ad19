//! Which column of a catalogue means what.
//!
//! ```toml
//! reference = "/ids/bangumi"      # the row's own id: with it a row is known again though it was changed
//! url = ["site"]                  # addresses of the work itself; `url_prefix` for all below an address
//! sha256 = []
//!
//! [title]                         # the main title
//! text = "title"
//! lang = "lang"                   # the column of its language, or for all rows: lang_is = "ja"
//! reading = "yomi"
//!
//! [[more_titles]]                 # further titles; here a member that holds titles by language
//! by_language = "titles"
//!
//! [kind]
//! from = "kind"
//! values = { tv = "audiovisual", movie = "audiovisual" }
//! is = "other"                    # for every value that is not listed; leave it out to be told of those rows
//!
//! [published]
//! from = "begin"
//! offset = "+09:00"               # where a date is written as an instant: whose day it is
//!
//! [ids]                           # identifiers, by scheme
//! mal = "/ids/mal"
//! ```
//!
//! A place is the heading of a column, the name of a member, or with a leading `/` a JSON pointer (RFC 6901).

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::cell::Cell;
use super::dates;
use super::reading::Reading;
use super::registration::{Described, Title};
use crate::cli::Failure;
use crate::domain::act::WorkKind;
use crate::domain::key::Key;

/// A mapping. See the module's text.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mapping {
    #[serde(default)]
    reference: Option<String>,
    title: TitleFrom,
    #[serde(default)]
    more_titles: Vec<MoreTitles>,
    kind: KindFrom,
    #[serde(default)]
    published: Option<PublishedFrom>,
    #[serde(default)]
    url: Vec<String>,
    #[serde(default)]
    url_prefix: Vec<String>,
    #[serde(default)]
    sha256: Vec<String>,
    #[serde(default)]
    ids: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TitleFrom {
    pub(super) text: String,
    #[serde(default)]
    pub(super) lang: Option<String>,
    #[serde(default)]
    pub(super) lang_is: Option<String>,
    #[serde(default)]
    pub(super) reading: Option<String>,
}

/// Either `by_language` alone, or what a title needs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MoreTitles {
    #[serde(default)]
    by_language: Option<String>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    lang: Option<String>,
    #[serde(default)]
    lang_is: Option<String>,
    #[serde(default)]
    reading: Option<String>,
}

impl MoreTitles {
    fn one(&self) -> Option<TitleFrom> {
        let Self { text, lang, lang_is, reading, .. } = self.clone();
        Some(TitleFrom { text: text?, lang, lang_is, reading })
    }

    fn verify(&self) -> Result<(), String> {
        let others = [&self.text, &self.lang, &self.lang_is, &self.reading];
        match (&self.by_language, self.one()) {
            (None, Some(title)) => title.verify("more_titles"),
            (Some(_), _) if others.into_iter().all(Option::is_none) => Ok(()),
            _ => Err("`more_titles` needs either `by_language` alone, or `text` with `lang` or `lang_is`"
                .to_owned()),
        }
    }

    fn places(&self) -> impl Iterator<Item = &String> {
        self.by_language.iter().chain(&self.text).chain(&self.lang).chain(&self.reading)
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KindFrom {
    #[serde(default)]
    pub(super) from: Option<String>,
    #[serde(default)]
    pub(super) values: BTreeMap<String, WorkKind>,
    #[serde(default)]
    pub(super) is: Option<WorkKind>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PublishedFrom {
    pub(super) from: String,
    #[serde(default)]
    pub(super) offset: Option<dates::Offset>,
}

/// One mistake of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The column.
    pub(super) place: String,
    /// What is wrong, and what would be right.
    pub(super) why: String,
}

/// What a row is, by the mapping.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mapped {
    /// The row's own id.
    pub(super) reference: Option<String>,
    /// The work.
    pub(super) described: Described,
}

impl Mapping {
    /// Reads a mapping file.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let refuse =
            |why: String| Failure::usage(format!("the mapping `{}` can't be used: {why}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
        let mapping: Self = toml::from_str(&text).map_err(|error| refuse(error.to_string()))?;
        mapping.verify().map_err(refuse)?;
        Ok(mapping)
    }

    /// The mapping of headings that bear the registry's own words.
    pub(super) fn of_headings(headings: &[String]) -> Result<Self, Failure> {
        let has = |name: &str| headings.iter().any(|heading| heading == name).then(|| name.to_owned());
        let known =
            ["title", "lang", "reading", "kind", "published", "url", "url_prefix", "sha256", "reference"];
        let unknown: Vec<&str> = headings
            .iter()
            .map(String::as_str)
            .filter(|heading| !known.contains(heading) && !heading.starts_with("id:"))
            .collect();
        let missing: Vec<&str> =
            ["title", "lang", "kind"].into_iter().filter(|name| has(name).is_none()).collect();
        if !unknown.is_empty() || !missing.is_empty() {
            let list =
                |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let mut why = String::new();
            if !missing.is_empty() {
                why = format!("there is no column {}", list(&missing));
            }
            if !unknown.is_empty() {
                let and = if why.is_empty() { "" } else { ", and " };
                why = format!("{why}{and}nobody says what {} means", list(&unknown));
            }
            return Err(Failure::usage(format!(
                "{why}: name the columns `{}` and `id:SCHEME`, or say what yours mean with `--mapping FILE`",
                known.join("`, `")
            )));
        }
        let ids = headings.iter().filter_map(|heading| Some((heading.strip_prefix("id:")?, heading)));
        let mapping = Self {
            reference: has("reference"),
            title: TitleFrom {
                text: "title".into(),
                lang: has("lang"),
                lang_is: None,
                reading: has("reading"),
            },
            more_titles: Vec::new(),
            kind: KindFrom { from: has("kind"), values: BTreeMap::new(), is: None },
            published: has("published").map(|from| PublishedFrom { from, offset: None }),
            url: has("url").into_iter().collect(),
            url_prefix: has("url_prefix").into_iter().collect(),
            sha256: has("sha256").into_iter().collect(),
            ids: ids.map(|(scheme, heading)| (scheme.to_owned(), heading.clone())).collect(),
        };
        mapping.verify().map_err(Failure::usage)?;
        Ok(mapping)
    }

    /// What can be known to be wrong before any row is read.
    fn verify(&self) -> Result<(), String> {
        self.title.verify("title")?;
        self.more_titles.iter().try_for_each(MoreTitles::verify)?;
        if self.kind.from.is_none() && self.kind.is.is_none() {
            return Err("`kind` needs `from` (a column) or `is` (one kind for all rows)".to_owned());
        }
        for scheme in self.ids.keys() {
            Key::identifier(scheme, "1").map_err(|error| format!("`{scheme}`: {error}"))?;
        }
        Ok(())
    }

    /// The places that this mapping reads.
    pub(super) fn places(&self) -> Vec<&String> {
        let mut places: Vec<&String> = vec![&self.title.text];
        places.extend(self.title.lang.iter().chain(&self.title.reading).chain(&self.kind.from));
        places.extend(self.reference.iter().chain(self.published.as_ref().map(|it| &it.from)));
        places.extend(self.url.iter().chain(&self.url_prefix).chain(&self.sha256).chain(self.ids.values()));
        places.extend(self.more_titles.iter().flat_map(MoreTitles::places));
        places
    }

    /// The work of a row, or all that is wrong with it.
    pub(super) fn apply(&self, row: &Cell) -> Result<Mapped, Vec<Fault>> {
        let mut reading = Reading { row, faults: Vec::new() };
        let titles = self.titles(&mut reading);
        let kind = reading.kind(&self.kind);
        let published = self.published.as_ref().and_then(|from| reading.published(from));
        let keys = self.keys(&mut reading);
        let reference = self.reference.as_ref().and_then(|place| reading.text(place));
        match kind {
            Some(kind) if reading.faults.is_empty() => {
                Ok(Mapped { reference, described: Described { kind, titles, published, keys } })
            }
            _ => Err(reading.faults),
        }
    }

    fn titles(&self, reading: &mut Reading<'_>) -> Vec<Title> {
        let mut titles = Vec::new();
        if reading.required(&self.title.text).is_some() {
            titles.extend(reading.title(&self.title));
        }
        for more in &self.more_titles {
            let found: Vec<Title> = match (&more.by_language, more.one()) {
                (Some(place), _) => reading.titles_by_language(place),
                (None, title) => title.and_then(|title| reading.title(&title)).into_iter().collect(),
            };
            for title in found {
                if !titles.contains(&title) {
                    titles.push(title);
                }
            }
        }
        titles
    }

    fn keys(&self, reading: &mut Reading<'_>) -> Vec<Key> {
        let mut keys = Vec::new();
        for place in &self.url {
            reading.key(place, Key::url, &mut keys);
        }
        for place in &self.url_prefix {
            reading.key(place, Key::url_prefix, &mut keys);
        }
        for place in &self.sha256 {
            let content = |text: &str| text.to_ascii_lowercase().parse().map(Key::sha256);
            reading.key(place, content, &mut keys);
        }
        for (scheme, place) in &self.ids {
            reading.key(place, |text| Key::identifier(scheme, text), &mut keys);
        }
        keys
    }
}

impl TitleFrom {
    fn verify(&self, name: &str) -> Result<(), String> {
        match (&self.lang, &self.lang_is) {
            (Some(_), None) | (None, Some(_)) => Ok(()),
            _ => Err(format!(
                "`{name}` needs either `lang` (a column) or `lang_is` (one language for all rows)"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPPING: &str = r#"
        reference = "/ids/own"
        url = ["site"]
        sha256 = ["hashes"]
        [title]
        text = "title"
        lang = "lang"
        [[more_titles]]
        by_language = "titles"
        [kind]
        from = "kind"
        values = { tv = "audiovisual" }
        [published]
        from = "begin"
        offset = "+09:00"
        [ids]
        own = "/ids/own"
    "#;

    fn apply(row: &str) -> Result<Mapped, Vec<Fault>> {
        let mapping: Mapping = toml::from_str(MAPPING).unwrap();
        mapping.verify().unwrap();
        mapping.apply(&serde_json::from_str(row).unwrap())
    }

    #[test]
    fn a_row_becomes_a_work() {
        let mapped = apply(
            r#"{"title":" 夜の庭 ","lang":"ja","kind":"tv","begin":"1963-01-31T15:00:00.000Z","site":"HTTP://A.example",
                "hashes":[],"ids":{"own":7},"titles":{"en":["The Garden at Night","The Garden at Night"],"zh-Hans":"夜之庭"}}"#,
        )
        .unwrap();
        assert_eq!(mapped.reference.as_deref(), Some("7"));
        let titles: Vec<_> =
            mapped.described.titles.iter().map(|it| (it.text.as_str(), it.lang.as_str())).collect();
        assert_eq!(titles, [("夜の庭", "ja"), ("The Garden at Night", "en"), ("夜之庭", "zh-Hans")]);
        assert_eq!(mapped.described.published.as_deref(), Some("1963-02-01"), "the day in Tokyo");
        assert_eq!(
            mapped.described.keys,
            [Key::url("http://a.example/").unwrap(), Key::identifier("own", "7").unwrap()]
        );
    }

    #[test]
    fn all_that_is_wrong_with_a_row_is_told_at_once() {
        let faults = apply(
            r#"{"title":"","kind":"opera","begin":"soon","site":"ftp://a.example","hashes":["x"],"ids":{"own":["x",{}]}}"#,
        )
        .unwrap_err();
        let places: Vec<_> = faults.iter().map(|fault| fault.place.as_str()).collect();
        assert_eq!(places, ["title", "kind", "begin", "site", "hashes", "/ids/own"]);
    }

    #[test]
    fn headings_in_the_registrys_own_words_need_no_mapping() {
        let headings = |text: &str| text.split(',').map(ToOwned::to_owned).collect::<Vec<_>>();
        let mapping = Mapping::of_headings(&headings("title,lang,kind,url,id:isan")).unwrap();
        let cell = |name: &str, text: &str| (name.to_owned(), Cell::Text(text.to_owned()));
        let row = Cell::Map(vec![
            cell("title", "夜"),
            cell("lang", "ja"),
            cell("kind", "comic"),
            cell("url", ""),
            cell("id:isan", "1"),
        ]);
        let mapped = mapping.apply(&row).unwrap();
        assert_eq!(mapped.described.keys, [Key::identifier("isan", "1").unwrap()]);
        let wrong = Mapping::of_headings(&headings("title,Sprache,kind")).unwrap_err();
        assert!(wrong.message.contains("`lang`") && wrong.message.contains("`Sprache`"), "{}", wrong.message);
        assert!(mapping.places().contains(&&"id:isan".to_owned()));
    }

    #[test]
    fn a_mapping_that_says_too_little_or_too_much_is_refused() {
        for bad in [
            "[title]\ntext='t'\n[kind]\nis='comic'",
            "[title]\ntext='t'\nlang='l'\nlang_is='ja'\n[kind]\nis='comic'",
            "[title]\ntext='t'\nlang='l'\n[kind]",
            "[title]\ntext='t'\nlang='l'\n[kind]\nis='comic'\n[ids]\n'BAD SCHEME'='x'",
        ] {
            let mapping: Mapping = toml::from_str(bad).unwrap();
            assert!(mapping.verify().is_err(), "{bad}");
        }
        assert!(
            toml::from_str::<Mapping>("titel='t'\n[title]\ntext='t'\nlang='l'\n[kind]\nis='comic'").is_err()
        );
    }
}
