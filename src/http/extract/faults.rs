//! All that is wrong with a body whose form is wrong.
//!
//! Serde stops at the first thing that it can't read. To learn what else is wrong, that thing is replaced by a guess at
//! what might stand there, and the body is read again, until it can be read and validated. What was guessed is never
//! used for anything but finding faults, and no fault is told of it: the body is refused in any case. That is why a body
//! may be a loose [`Value`] here and nowhere else.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use validator::Validate;

use super::strict::Strict;
use crate::http::problem::{FieldError, pointer};
use crate::http::text;

/// How often one body is read again; what is not found by then appears once the rest is mended.
pub(super) const ATTEMPTS: usize = 48;
/// How often one line of many is.
pub(super) const ATTEMPTS_OF_LINE: usize = 6;
/// How many bytes are read again in all: a large body is worth fewer attempts.
const BYTES: usize = 4 * 1024 * 1024;

/// The first fault, and every other that can be found behind it.
pub(super) fn all<T: DeserializeOwned + Validate>(
    bytes: &[u8],
    first: FieldError,
    attempts: usize,
) -> Vec<FieldError> {
    let mut faults = vec![first.clone()];
    let Ok(value) = serde_json::from_slice(bytes) else { return faults };
    let mut draft = Draft { value, mended: Vec::new(), left: attempts.min(BYTES / bytes.len().max(1)) };
    let mut fault = first;
    loop {
        match draft.mend::<T>(&fault) {
            None => return faults,
            Some(Ok(read)) => {
                let broken = read.validate().err().map(|errors| pointer::from_validator(&errors));
                faults.extend(broken.into_iter().flatten().filter(|fault| !draft.is_of_a_guess(fault)));
                return faults;
            }
            Some(Err(next)) => {
                if !draft.mended.iter().any(|mended| lies_in(&next.pointer, mended)) {
                    faults.push(next.clone());
                }
                fault = next;
            }
        }
    }
}

/// The body as it is being mended.
struct Draft {
    value: Value,
    /// Where guesses stand.
    mended: Vec<String>,
    left: usize,
}

impl Draft {
    /// Puts something in the place of a fault with which reading gets further: to its end, or to another fault.
    fn mend<T: DeserializeOwned>(&mut self, fault: &FieldError) -> Option<Result<T, FieldError>> {
        self.mended.push(fault.pointer.clone());
        match fault.code.as_ref() {
            // Of a field that is there twice the last one was kept.
            "duplicate_field" => {}
            "unknown_field" => put(&mut self.value, &fault.pointer, None)?,
            _ => return self.guess(fault),
        }
        let is_further = |fault_now: &FieldError| fault_now.pointer != fault.pointer;
        self.attempt().filter(|read: &Result<T, _>| read.as_ref().err().is_none_or(is_further))
    }

    fn guess<T: DeserializeOwned>(&mut self, fault: &FieldError) -> Option<Result<T, FieldError>> {
        // What may be left out is left out: `None`.
        let kinds = [
            None,
            Some(json!(null)),
            Some(json!("any")),
            Some(json!(false)),
            Some(json!(0)),
            Some(json!([])),
            Some(json!({})),
            Some(json!("2000-01-01T00:00:00Z")),
        ];
        let mut guesses: Vec<Option<Value>> =
            named(&fault.detail).into_iter().map(Some).chain(kinds).rev().collect();
        let mut tried = Vec::new();
        while let Some(guess) = guesses.pop() {
            if tried.contains(&guess) || (guess.is_none() && !self.is_member(&fault.pointer)) {
                continue;
            }
            put(&mut self.value, &fault.pointer, guess.clone())?;
            tried.push(guess);
            match self.attempt()? {
                // Something of the right kind is told more exactly what it should have been.
                Err(again) if lies_in(&fault.pointer, &again.pointer) => {
                    guesses.extend(named(&again.detail).map(Some));
                }
                further => return Some(further),
            }
        }
        None
    }

    /// Whether a pointer leads to a member of an object that is there.
    fn is_member(&self, pointer: &str) -> bool {
        let parent = pointer.rsplit_once('/').and_then(|(parent, _)| self.value.pointer(parent));
        parent.is_some_and(Value::is_object) && self.value.pointer(pointer).is_some()
    }

    fn attempt<T: DeserializeOwned>(&mut self) -> Option<Result<T, FieldError>> {
        self.left = self.left.checked_sub(1)?;
        let (read, _) = text::collecting(|| serde_path_to_error::deserialize(Strict(&self.value)));
        Some(read.map_err(|error| pointer::from_serde(error.path(), &error.inner().to_string())))
    }

    /// Whether a fault is one of a guess, or may be: of the thing in which one stands.
    fn is_of_a_guess(&self, fault: &FieldError) -> bool {
        self.mended.iter().any(|mended| {
            lies_in(&fault.pointer, mended) || (fault.code != "length" && lies_in(mended, &fault.pointer))
        })
    }
}

/// Whether one pointer is the other, or leads to something in it.
fn lies_in(pointer: &str, other: &str) -> bool {
    pointer.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What the words of a fault name first as what was expected: a variant, or how an id begins.
fn named(detail: &str) -> Option<Value> {
    let (_, expected) = detail.rsplit_once("expected")?;
    let listed = || expected.strip_prefix(" one of ")?.split(',').next();
    let word = expected.split('`').nth(1).or_else(listed)?.trim_matches('"');
    Some(match word.strip_suffix('_') {
        Some(prefix) => json!(format!("{prefix}_{}", "0".repeat(26))),
        None => json!(word),
    })
}

/// Puts a value at a pointer, or takes away what is there; nothing where the pointer leads nowhere.
fn put(body: &mut Value, pointer: &str, guess: Option<Value>) -> Option<()> {
    let (parent, token) = pointer.rsplit_once('/')?;
    let token = token.replace("~1", "/").replace("~0", "~");
    match (body.pointer_mut(parent)?, guess) {
        (Value::Object(members), Some(guess)) => drop(members.insert(token, guess)),
        (Value::Object(members), None) => drop(members.remove(&token)),
        (Value::Array(items), Some(guess)) => *items.get_mut(token.parse::<usize>().ok()?)? = guess,
        _ => return None,
    }
    Some(())
}
