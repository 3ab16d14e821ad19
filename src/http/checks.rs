//! Checks: what AI developers ask before use. One JSON body with up to 10,000 items, or lines without an end.

pub(super) mod answer;
pub mod lines;
mod stream;

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::value::RawValue;
use validator::Validate;

use super::app::App;
use super::extract::body::{read, read_json};
use super::extract::{AtLeast, ValidQuery};
use super::gate::{Access, Roles, Scope};
use super::language::Language;
use super::problem::{Code, FieldError, Problem};
use super::routes::{KIB, Route};
use super::subject::{self, ContextWire, item};
use crate::domain::ids::OrgId;
use crate::registry::authority::Asker;
use crate::registry::checks::{CheckError, Context, Item, MAX_ITEMS};

/// The largest JSON body of a check.
pub(super) const BODY_BYTES: usize = 16 * 1024 * KIB;
/// Who may ask.
pub(super) const ASK: Access = Access::Role(Roles::DEVELOPERS, Scope::Check);

pub(super) fn routes() -> Vec<Route> {
    let arrival = Duration::from_mins(1);
    vec![Route::post("/v1/checks", "check", ASK, check).body_bytes(BODY_BYTES).arrival(arrival)]
}

/// A query string without parameters.
#[derive(Clone, Copy, Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub(super) struct NoQuery {}

/// `POST /v1/checks`.
async fn check(
    State(app): State<App>,
    by: Asker,
    _at_least: AtLeast,
    _query: ValidQuery<NoQuery>,
    language: Language,
    request: Request,
) -> Result<Response, Problem> {
    if is_lines(&request) {
        stream::answer(app, by, language, request).await
    } else {
        whole(&app, &by, language, request).await
    }
}

fn is_lines(request: &Request) -> bool {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(lines::MEDIA_TYPE)
}

/// The whole request; the items are read one by one, so that one which is broken is broken alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    context: ContextWire,
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
}

async fn whole(app: &App, by: &Asker, language: Language, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let bytes = read_json(&parts, body).await?;
    let developer = by.developer();
    let length = bytes.len();
    let read =
        move || subject::plain::body(&bytes, developer).map_or_else(|| by_serde(&bytes, developer), Ok);
    let checked = app.registry().check_read(by, length, read).await??;
    Ok(answer::reply(&checked, language)?.into_response())
}

/// The context and the items of any body; or all that is wrong with it.
pub(super) fn by_serde(bytes: &[u8], developer: OrgId) -> Result<(Context, Vec<Item>), Problem> {
    // To know the place of a mistake costs something at every item: it is looked for when there is one.
    // A list is no object, whatever stands in it.
    let is_object = bytes.trim_ascii_start().first() == Some(&b'{');
    let quick = is_object.then(|| serde_json::from_slice(bytes).ok()).flatten();
    let envelope: Envelope<'_> = quick.map_or_else(|| read(bytes), Ok)?;
    let mut faults: Vec<_> = envelope.context.fault("/context").into_iter().collect();
    if !(1..=MAX_ITEMS).contains(&envelope.items.len()) {
        let detail = format!("a check has 1 to {MAX_ITEMS} items, send more as lines");
        faults.push(FieldError::new("/items", "length", detail));
    }
    if !faults.is_empty() {
        return Err(Problem::invalid(Code::InvalidBody, faults));
    }
    let context = envelope.context.context();
    let items = envelope.items.iter().map(|raw| item(raw.get().as_bytes(), developer, &context)).collect();
    Ok((context, items))
}

impl From<CheckError> for Problem {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Busy => Self::unavailable(1),
            CheckError::TooMuch => Self::new(Code::TimedOut).detail(error.to_string()),
            CheckError::Size => Self::new(Code::InvalidBody).at("/items", "length", error.to_string()),
            CheckError::Unavailable(why) => Self::unanswered(&why),
        }
    }
}
