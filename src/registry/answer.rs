//! What a command is answered once it is recorded: made before, kept with its idempotency key, and given again.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::sequencer::{Body, Recorded};

/// The answer to a command, as far as it is known before the command is recorded: it can wait with a proposal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    status: u16,
    location: Option<String>,
    fields: Map<String, Value>,
}

/// What is kept of an answer, so that a repetition of the request gets all of it again.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Where the new thing is to be read.
    pub location: Option<String>,
    /// The first entry, which is the state of the thing after the command; none for a proposal.
    pub entry: Option<u64>,
    /// The body.
    pub body: Box<RawValue>,
}

/// Where in the log a command was recorded, as every answer to one says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The index of the first entry.
    pub first_entry: u64,
    /// How many entries.
    pub entries: u64,
    /// The size of the log that holds them all: give it as `at_least` to see them on any node.
    pub log_size: u64,
    /// When: RFC 3339, UTC.
    pub at: String,
}

impl From<&Recorded> for Place {
    fn from(recorded: &Recorded) -> Self {
        Self {
            first_entry: recorded.first,
            entries: recorded.count,
            log_size: recorded.log_size(),
            at: moment(recorded.at_ms),
        }
    }
}

/// A moment in RFC 3339, UTC, to the millisecond. What no calendar can say is written as its milliseconds.
pub fn moment(at_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(at_ms).map_or_else(|_| at_ms.to_string(), |at| at.to_string())
}

impl Answer {
    /// Something new came about: 201, read it at `location`. `fields` is an object of ids.
    pub fn created(location: String, fields: &impl Serialize) -> Self {
        Self { status: 201, location: Some(location), fields: object(fields) }
    }

    /// It is done: 200. `fields` is an object of ids.
    pub fn done(fields: &impl Serialize) -> Self {
        Self { status: 200, location: None, fields: object(fields) }
    }

    /// The status.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The function that makes the answer from what was recorded: the fields, and `recorded`.
    pub fn body(self) -> Body {
        Body::new(move |recorded| (self.status, self.kept(recorded)))
    }

    fn kept(&self, recorded: &Recorded) -> String {
        let mut fields = self.fields.clone();
        fields.insert("recorded".to_owned(), serde_json::to_value(Place::from(recorded)).unwrap_or_default());
        keep(self.location.clone(), Some(recorded.first), &fields)
    }
}

/// The text that is kept of an answer.
pub(super) fn keep(location: Option<String>, entry: Option<u64>, body: &impl Serialize) -> String {
    // Objects of strings and numbers always serialize.
    let body = serde_json::value::to_raw_value(body).unwrap_or_else(|_| RawValue::NULL.to_owned());
    serde_json::to_string(&Kept { location, entry, body }).unwrap_or_default()
}

fn object(fields: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(fields) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_bears_its_ids_and_where_it_stands() {
        let answer = Answer::created("/v1/x/1".to_owned(), &serde_json::json!({ "x": "1" }));
        let kept = answer.kept(&Recorded { first: 7, count: 2, at_ms: 1_761_523_200_000 });
        let kept: Kept = serde_json::from_str(&kept).unwrap();
        assert_eq!((kept.location.as_deref(), kept.entry), (Some("/v1/x/1"), Some(7)));
        assert_eq!(
            kept.body.get(),
            r#"{"recorded":{"at":"2025-10-27T00:00:00Z","entries":2,"first_entry":7,"log_size":9},"x":"1"}"#
        );
        assert_eq!(moment(1_761_523_200_123), "2025-10-27T00:00:00.123Z");
        assert_eq!(moment(i64::MAX), i64::MAX.to_string());
    }
}
