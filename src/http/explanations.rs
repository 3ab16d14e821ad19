//! Explanations: past and hypothetical questions, with the steps that lead to the answer.

use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::app::App;
use super::checks::NoQuery;
use super::checks::answer::{Words, in_words};
use super::extract::body::{read, read_json};
use super::extract::{AtLeast, ValidQuery};
use super::gate::{Access, Scope};
use super::language::Language;
use super::problem::{Code, FieldError, Problem};
use super::reply::Reply;
use super::routes::{KIB, Route};
use super::subject::{ContextWire, item};
use crate::domain::decide::trace::Step;
use crate::domain::explain::{self, steps::step_words};
use crate::domain::ids::OrgId;
use crate::domain::question::Question;
use crate::domain::scope::MAX_MOMENT_MS;
use crate::domain::view::Viewer;
use crate::registry::answer::moment;
use crate::registry::authority::{Proof, Verified};
use crate::registry::checks::Codes;
use crate::registry::explanations::{self, Explanation, Past};

pub(super) fn routes() -> Vec<Route> {
    let route = Route::post("/v1/explanations", "explain", Access::Any(Scope::Read), explain_one);
    vec![route.body_bytes(256 * KIB)]
}

/// The question as in a check, for whom, from which log, and at which moment.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked<'a> {
    context: ContextWire,
    #[serde(borrow)]
    item: &'a RawValue,
    #[serde(default, deserialize_with = "super::wire::given")]
    developer: Option<OrgId>,
    #[serde(default, deserialize_with = "super::wire::given")]
    as_of: Option<PastWire>,
    #[serde(default, deserialize_with = "super::wire::given")]
    at: Option<jiff::Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PastWire {
    LogSize(u64),
    Moment(jiff::Timestamp),
}

#[derive(Serialize)]
struct Explained<'a> {
    hypothetical: bool,
    view: &'static str,
    developer: OrgId,
    log_size: u64,
    at: String,
    rule_version: u32,
    valid_until: Option<String>,
    item: Box<RawValue>,
    steps: Vec<StepTold<'a>>,
    more_steps: bool,
    words: Vec<Words>,
}

#[derive(Serialize)]
struct StepTold<'a> {
    #[serde(flatten)]
    step: &'a Step,
    text: String,
}

/// `POST /v1/explanations`.
async fn explain_one(
    State(app): State<App>,
    by: Verified,
    _at_least: AtLeast,
    _query: ValidQuery<NoQuery>,
    language: Language,
    request: Request,
) -> Result<Reply, Problem> {
    let (parts, body) = request.into_parts();
    let bytes = read_json(&parts, body).await?;
    let asked: Asked<'_> = read(&bytes)?;
    let developer = asked.developer.unwrap_or_else(|| by.actor().org());
    let (question, past, at) = asked.read(developer)?;
    let explained = explanations::explain(app.registry(), &by, question, past, at).await?;
    reply(&explained, developer, language)
}

impl Asked<'_> {
    /// The question, the log and the moment; everything that is wrong at once.
    fn read(self, developer: OrgId) -> Result<(Question, Past, Option<i64>), Problem> {
        let mut faults = Vec::new();
        let question = question(self.context, self.item, developer, &mut faults);
        let past = past(self.as_of.as_ref(), "/as_of/moment").map_err(|fault| faults.push(fault));
        let at = self.at.map(|at| milliseconds(at, "/at")).transpose().map_err(|fault| faults.push(fault));
        match (question, past, at) {
            (Some(question), Ok(past), Ok(at)) if faults.is_empty() => Ok((question, past, at)),
            _ => Err(Problem::invalid(Code::InvalidBody, faults)),
        }
    }
}

/// The question of an explanation or a comparison, which is that of a check about one item; what is wrong with it joins the faults.
pub(super) fn question(
    context: ContextWire,
    asked: &RawValue,
    developer: OrgId,
    faults: &mut Vec<FieldError>,
) -> Option<Question> {
    faults.extend(context.fault("/context"));
    let question = item(asked.get().as_bytes(), developer, &context.context()).question;
    question.map_err(|why| faults.push(FieldError::new("/item", "invalid_value", why))).ok()
}

/// The log that is meant; `place` is the pointer to its moment.
pub(super) fn past(wire: Option<&PastWire>, place: &'static str) -> Result<Past, FieldError> {
    match wire {
        None => Ok(Past::Now),
        Some(PastWire::LogSize(size)) => Ok(Past::Size(*size)),
        Some(PastWire::Moment(at)) => milliseconds(*at, place).map(Past::Moment),
    }
}

/// What a view is called.
pub(super) const fn view_name(viewer: Viewer) -> &'static str {
    match viewer {
        Viewer::All => "all",
        Viewer::Developer => "developer",
    }
}

fn milliseconds(at: jiff::Timestamp, place: &'static str) -> Result<i64, FieldError> {
    let at_ms = at.as_millisecond();
    if (0..=MAX_MOMENT_MS).contains(&at_ms) {
        return Ok(at_ms);
    }
    Err(FieldError::new(place, "invalid_value", "a moment lies between 1970 and 9999"))
}

/// The item with its answer, as it stands in the answer to a check.
pub(super) fn item_of(explained: &Explanation) -> Result<Box<RawValue>, Problem> {
    let json = String::from_utf8(explained.json.clone()).map_err(|error| Problem::internal(&error))?;
    RawValue::from_string(json).map_err(|error| Problem::internal(&error))
}

fn reply(explained: &Explanation, developer: OrgId, language: Language) -> Result<Reply, Problem> {
    let valid_until_ms = explained.decision.valid_until_ms;
    let told = |step| StepTold { step, text: step_words(step, language.0, &explain::Ids) };
    let (name, value) = language.header();
    let reply = Reply::ok(&Explained {
        hypothetical: true,
        view: view_name(explained.viewer),
        developer,
        log_size: explained.log_size,
        at: moment(explained.moment_ms),
        rule_version: explained.rule_version,
        valid_until: (valid_until_ms != i64::MAX).then(|| moment(valid_until_ms)),
        item: item_of(explained)?,
        steps: explained.steps.iter().map(told).collect(),
        more_steps: explained.more_steps,
        words: in_words(&Codes::of([&explained.decision]), language.0),
    })?;
    Ok(reply.header(name, value))
}
