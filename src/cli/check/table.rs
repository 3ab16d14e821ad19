//! One answer as a line: for people, or as JSON.

use serde::Serialize;

use super::item::Asked;
use super::reply::{Coded, ItemReply};
use crate::cli::{Failure, output};
use crate::domain::decision::Verdict;

/// One item with its answer.
#[derive(Serialize)]
struct Line<'a> {
    item: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    #[serde(flatten)]
    answer: Answer<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Answer<'a> {
    Replied(&'a ItemReply),
    Unreadable { verdict: Verdict, error: &'a str },
}

/// The line of an item that was answered.
pub(super) fn answered(asked: &Asked, reply: &ItemReply, json: bool) -> Result<String, Failure> {
    if json {
        return line(asked, Answer::Replied(reply));
    }
    let why = match &reply.error {
        Some(error) => error.clone(),
        None => words(reply),
    };
    Ok(row(reply.verdict, asked, &why))
}

/// The line of an item that could not be asked.
pub(super) fn unreadable(asked: &Asked, why: &str, json: bool) -> Result<String, Failure> {
    if json {
        return line(asked, Answer::Unreadable { verdict: Verdict::NotPermitted, error: why });
    }
    Ok(row(Verdict::NotPermitted, asked, &format!("can't be read: {why}")))
}

fn line(asked: &Asked, answer: Answer<'_>) -> Result<String, Failure> {
    let line = Line { item: &asked.text, reference: asked.reference.as_deref(), answer };
    serde_json::to_string(&line).map_err(|error| Failure::new(error.to_string()))
}

fn row(verdict: Verdict, asked: &Asked, why: &str) -> String {
    let verdict = match verdict {
        Verdict::Permitted => "permitted",
        Verdict::NotPermitted => "not permitted",
    };
    let item = output::plain(asked.reference.as_deref().unwrap_or(&asked.text));
    if why.is_empty() {
        format!("{verdict:<13}  {item}")
    } else {
        format!("{verdict:<13}  {item}  {}", output::plain(why))
    }
}

/// Why not, or under which conditions; then what is noted.
fn words(reply: &ItemReply) -> String {
    let several = reply.uses.len() > 1;
    let mut parts = Vec::new();
    for answer in &reply.uses {
        let mut said: Vec<String> = answer.reasons.iter().map(reason).collect();
        if !answer.conditions.is_empty() {
            said.push(format!("on condition: {}", answer.conditions.join(", ")));
        }
        if !said.is_empty() {
            let prefix = if several { format!("{}: ", answer.r#use) } else { String::new() };
            parts.push(format!("{prefix}{}", said.join(", ")));
        }
    }
    if !reply.notes.is_empty() {
        let codes: Vec<&str> = reply.notes.iter().map(|note| note.code.as_str()).collect();
        parts.push(format!("note: {}", codes.join(", ")));
    }
    parts.join("; ")
}

fn reason(reason: &Coded) -> String {
    let mut text = reason.code.clone();
    if let Some(because) = &reason.because {
        text = format!("{text} ({because})");
    }
    if !reason.ask.is_empty() {
        text = format!("{text}, ask {}", reason.ask.join(" "));
    }
    text
}
