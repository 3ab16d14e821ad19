//! One row, read by a mapping.

use super::cell::Cell;
use super::dates;
use super::mapping::{Fault, KindFrom, PublishedFrom, TitleFrom};
use super::registration::Title;
use crate::domain::act::WorkKind;
use crate::domain::key::{Key, KeyError};
use crate::http::text;

const INEXACT: &str = "the number may not be exact: write it as a text, in quotes";

/// A row that is being read, and what was found to be wrong with it.
pub(super) struct Reading<'a> {
    pub(super) row: &'a Cell,
    pub(super) faults: Vec<Fault>,
}

impl Reading<'_> {
    fn fault(&mut self, place: &str, why: impl Into<String>) {
        self.faults.push(Fault { place: place.to_owned(), why: why.into() });
    }

    /// The text at a place; a list or an object there is a mistake.
    pub(super) fn text(&mut self, place: &str) -> Option<String> {
        let cell = self.row.at(place)?;
        if *cell == Cell::Inexact {
            self.fault(place, INEXACT);
        } else if !cell.is_blank() && cell.text().is_none() {
            self.fault(place, "expected a text");
        }
        cell.text().map(ToOwned::to_owned)
    }

    pub(super) fn required(&mut self, place: &str) -> Option<String> {
        let before = self.faults.len();
        let text = self.text(place);
        if text.is_none() && self.faults.len() == before {
            self.fault(place, "it is empty");
        }
        text
    }

    pub(super) fn title(&mut self, from: &TitleFrom) -> Option<Title> {
        let text = self.text(&from.text)?;
        let lang = match &from.lang {
            Some(place) => self.required(place)?,
            None => from.lang_is.clone()?,
        };
        let reading = from.reading.as_ref().and_then(|place| self.text(place));
        self.checked(&from.text, Title { text, lang, reading })
    }

    /// A member that holds a title, or a list of them, by language.
    pub(super) fn titles_by_language(&mut self, place: &str) -> Vec<Title> {
        let Some(Cell::Map(languages)) = self.row.at(place) else {
            if self.row.at(place).is_some_and(|cell| !cell.is_blank()) {
                self.fault(place, "expected titles by language, such as {\"en\": [\"…\"]}");
            }
            return Vec::new();
        };
        let mut titles = Vec::new();
        for (lang, found) in languages.clone() {
            let found = match found {
                Cell::List(list) => list,
                one => vec![one],
            };
            for cell in found.iter().filter(|cell| !cell.is_blank()) {
                match cell.text() {
                    Some(text) => {
                        let title = Title { text: text.to_owned(), lang: lang.clone(), reading: None };
                        titles.extend(self.checked(place, title));
                    }
                    None => self.fault(place, format!("expected a text under `{lang}`")),
                }
            }
        }
        titles
    }

    fn checked(&mut self, place: &str, title: Title) -> Option<Title> {
        match text::Title::new(&title.text) {
            Ok(text) => Some(Title { text: text.into_string(), ..title }),
            Err(why) => {
                self.fault(place, why);
                None
            }
        }
    }

    pub(super) fn kind(&mut self, from: &KindFrom) -> Option<WorkKind> {
        let Some(place) = &from.from else { return from.is };
        let Some(text) = self.text(place) else {
            if from.is.is_none() {
                self.fault(place, "it is empty");
            }
            return from.is;
        };
        let own_word = || serde_json::from_value(serde_json::Value::String(text.clone())).ok();
        let kind = from.values.get(&text).copied().or_else(own_word).or(from.is);
        if kind.is_none() {
            self.fault(place, format!("`{text}` is no kind of work: say what it means under `kind.values`"));
        }
        kind
    }

    pub(super) fn published(&mut self, from: &PublishedFrom) -> Option<String> {
        let text = self.text(&from.from)?;
        match dates::published(&text, from.offset) {
            Ok(date) => Some(date),
            Err(why) => {
                self.fault(&from.from, why);
                None
            }
        }
    }

    /// The key at a place, or the keys where it is a list.
    pub(super) fn key(
        &mut self,
        place: &str,
        read: impl Fn(&str) -> Result<Key, KeyError>,
        keys: &mut Vec<Key>,
    ) {
        let cells: Vec<Cell> = match self.row.at(place) {
            Some(Cell::List(list)) => list.clone(),
            Some(cell) => vec![cell.clone()],
            None => return,
        };
        for cell in cells.iter().filter(|cell| !cell.is_blank()) {
            match cell.text().map(&read) {
                None if *cell == Cell::Inexact => self.fault(place, INEXACT),
                Some(Ok(key)) if keys.contains(&key) => {}
                Some(Ok(key)) => keys.push(key),
                Some(Err(error)) => self.fault(place, error.to_string()),
                None => self.fault(place, "expected a text"),
            }
        }
    }
}
