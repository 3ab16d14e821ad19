//! From what serde and validator report to the broken places of a problem.

use std::borrow::Cow;

use serde_path_to_error::{Path, Segment};
use validator::{ValidationError, ValidationErrors, ValidationErrorsKind};

use super::FieldError;

/// A value quoted in a detail is cut here.
const MAX_DETAIL_CHARS: usize = 300;

/// The field name under which a newtype reports an error of itself, not of a field in it.
pub const SELF: &str = "";

/// Adds one reference token to a pointer, escaped as RFC 6901 section 3 says.
pub fn push(pointer: &mut String, token: &str) {
    pointer.push('/');
    pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
}

/// The broken place that serde stopped at. `message` is serde's, without a position.
pub fn from_serde(path: &Path, message: &str) -> FieldError {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => push(&mut pointer, &index.to_string()),
            Segment::Map { key } => push(&mut pointer, key),
            // A variant's name is no step in the JSON text, and an unknown step cannot be named.
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    let code = kind(message);
    if let ("missing_field" | "unknown_field" | "duplicate_field", Some(field)) = (code, quoted(message)) {
        // Serde names the struct that holds the field, or the field itself.
        let mut own = String::new();
        push(&mut own, field);
        if !pointer.ends_with(&own) {
            pointer.push_str(&own);
        }
    }
    FieldError {
        pointer,
        code: Cow::Borrowed(code),
        detail: message.chars().take(MAX_DETAIL_CHARS).collect(),
    }
}

/// The broken places that `validate` found, in the order of their pointers' names and indexes.
pub fn from_validator(errors: &ValidationErrors) -> Vec<FieldError> {
    let mut found = Vec::new();
    collect(errors, &mut String::new(), &mut found);
    found
}

fn collect(errors: &ValidationErrors, pointer: &mut String, found: &mut Vec<FieldError>) {
    let mut fields: Vec<_> = errors.errors().iter().collect();
    fields.sort_by(|a, b| a.0.cmp(b.0));
    for (field, kind) in fields {
        let length = pointer.len();
        if field != SELF && field != "__all__" {
            push(pointer, field.strip_prefix("r#").unwrap_or(field));
        }
        match kind {
            ValidationErrorsKind::Struct(inner) => collect(inner, pointer, found),
            ValidationErrorsKind::List(items) => {
                for (index, inner) in items {
                    let length = pointer.len();
                    push(pointer, &index.to_string());
                    collect(inner, pointer, found);
                    pointer.truncate(length);
                }
            }
            ValidationErrorsKind::Field(here) => found.extend(here.iter().map(|error| FieldError {
                pointer: pointer.clone(),
                code: error.code.clone(),
                detail: describe(error),
            })),
        }
        pointer.truncate(length);
    }
}

fn describe(error: &ValidationError) -> String {
    if let Some(message) = &error.message {
        return message.to_string();
    }
    let bound = |name: &str| error.params.get(name).map(ToString::to_string);
    let (min, max, equal) = (bound("min"), bound("max"), bound("equal"));
    match (error.code.as_ref(), min, max, equal) {
        ("length", _, _, Some(equal)) => format!("must hold exactly {equal} characters or items"),
        ("length", Some(min), Some(max), _) => format!("must hold {min} to {max} characters or items"),
        ("length", Some(min), None, _) => format!("must hold at least {min} characters or items"),
        ("length", None, Some(max), _) => format!("must hold at most {max} characters or items"),
        ("range", Some(min), Some(max), _) => format!("must be from {min} to {max}"),
        ("range", Some(min), None, _) => format!("must be at least {min}"),
        ("range", None, Some(max), _) => format!("must be at most {max}"),
        (code, ..) => format!("breaks the rule `{code}`"),
    }
}

fn kind(message: &str) -> &'static str {
    const KINDS: [(&str, &str); 6] = [
        ("missing field", "missing_field"),
        ("unknown field", "unknown_field"),
        ("duplicate field", "duplicate_field"),
        ("invalid type", "wrong_type"),
        ("unknown variant", "unknown_value"),
        ("invalid", "invalid_value"),
    ];
    KINDS.iter().find(|(start, _)| message.starts_with(start)).map_or("invalid_value", |(_, code)| code)
}

fn quoted(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once('`')?;
    rest.split_once('`').map(|(name, _)| name)
}
