//! Lists of the server, page by page.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::client::{NoAnswer, Server};
use super::{Failure, output};
use crate::domain::key::is_invisible;

/// How many items are asked for at once.
const LIMIT: u16 = 200;

#[derive(Deserialize)]
struct Page {
    items: Vec<Box<RawValue>>,
    next: Option<String>,
}

#[derive(Serialize)]
struct Place<'a> {
    limit: u16,
    cursor: Option<&'a str>,
}

/// Gives each item of a list, as long as `tell` wants more; how many there were.
pub(super) async fn each(
    server: &Server,
    path: &str,
    query: &impl Serialize,
    mut tell: impl FnMut(&RawValue) -> Result<bool, Failure>,
) -> Result<u64, Failure> {
    let written = |error: serde_urlencoded::ser::Error| Failure::new(error.to_string());
    let query = serde_urlencoded::to_string(query).map_err(written)?;
    let (mut cursor, mut told, mut seen): (Option<String>, u64, HashSet<String>) = (None, 0, HashSet::new());
    loop {
        let place = Place { limit: LIMIT, cursor: cursor.as_deref() };
        let place = serde_urlencoded::to_string(place).map_err(written)?;
        let sign = if query.is_empty() { "" } else { "&" };
        let page: Page = server.get(&format!("{path}?{query}{sign}{place}")).await.map_err(NoAnswer::told)?;
        for item in &page.items {
            told += 1;
            if !tell(item)? {
                return Ok(told);
            }
        }
        match page.next {
            // A server that tells the same place again tells no end.
            Some(next) if seen.insert(next.clone()) => cursor = Some(next),
            Some(_) => return Err(Failure::new("the server told the same page twice")),
            None => return Ok(told),
        }
    }
}

/// An item of a list, as far as it is read.
pub(super) fn read<'a, T: Deserialize<'a>>(item: &'a RawValue) -> Result<T, Failure> {
    let read = serde_json::from_str(item.get());
    Ok(read.map_err(|error| NoAnswer::new(format!("an item can't be read: {error}")))?)
}

/// Prints an item as the server tells it, on one line, in which nothing moves the cursor of a terminal.
pub(super) fn as_told(item: &RawValue) -> bool {
    let mut line = String::with_capacity(item.get().len());
    for character in item.get().chars() {
        match character {
            // Between the parts of JSON alone: within a text they are written otherwise.
            '\n' | '\r' | '\t' => line.push(' '),
            character if is_invisible(character) => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    line.extend(["\\u", &format!("{unit:04x}")]);
                }
            }
            character => line.push(character),
        }
    }
    output::line(line)
}

/// Says how many there were.
pub(super) fn count(told: u64, one: &str, many: &str) {
    output::say(format_args!("{told} {}", if told == 1 { one } else { many }));
}

/// A row for a spreadsheet, in which no cell is taken for a formula (OWASP: CSV injection).
pub(super) fn row<const N: usize>(cells: [&str; N]) -> Result<Vec<u8>, Failure> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let cells = cells.map(|cell| {
        if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.to_owned() }
    });
    writer.write_record(cells).map_err(|error| Failure::new(error.to_string()))?;
    writer.into_inner().map_err(|error| Failure::new(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::row;

    #[test]
    fn no_cell_is_a_formula() {
        let cells = ["=1+1", "+1", "-1", "@a", "\tx", "a,\"b\"", "plain"];
        let told = String::from_utf8(row(cells).unwrap()).unwrap();
        assert_eq!(told, "'=1+1,'+1,'-1,'@a,'\tx,\"a,\"\"b\"\"\",plain\r\n");
    }
}
