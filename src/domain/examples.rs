//! One realistic, invented example of every act and of every kind of payload.
//!
//! The entries stand in `examples.ndjson` as the bytes that the log would hold, so they also guard the form: an act
//! whose shape changes no longer reads them, or no longer writes the same bytes.

use super::entry::{Entry, Salt};
use super::payload::{Payload, Title};

/// The examples as canonical JSON, one entry a line, in the order of [`Act::CODES`](super::act::Act::CODES).
///
/// They are examples of form, not a history: nothing says that they could be recorded one after the other.
pub const LINES: &str = include_str!("examples.ndjson");

/// The examples, one for every act that can be logged, the reserved ones included. A test holds them against
/// [`LINES`], so that none can go missing unseen.
pub fn all() -> Vec<Entry> {
    LINES.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// One payload of every kind, with every field.
pub fn payloads() -> Vec<Payload> {
    vec![
        Payload::Org { name: "青空フィルム".into() },
        Payload::Model { name: "Hibari 1".into() },
        Payload::Work {
            titles: vec![Title {
                text: "海の十七日".into(),
                lang: "ja".into(),
                reading: Some("ウミノジュウシチニチ".into()),
            }],
            published: Some("2024-07".into()),
        },
        Payload::Note { text: "Letter of the committee, page 2.".into() },
        Payload::Evidence {
            salt: Salt([7; 16]),
            text: "The contract of 3 March, seen in the original.".into(),
        },
    ]
}
