//! The door for policy enforcement points that speak the `OpenID` `AuthZEN` Authorization API 1.0.
//!
//! The subject is the developer that asks, the action a use, the resource a key, the context a model and a territory.
//! Members that the standard leaves open and this registry does not know are passed over, as the standard has it; what
//! was understood is in each answer. Anything but a permission is `"decision": false`.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::HOST;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use smallvec::smallvec;

use super::app::App;
use super::checks::{ASK, BODY_BYTES, NoQuery};
use super::extract::body::{read, read_json};
use super::extract::strict::from_slice;
use super::extract::{AtLeast, ValidQuery};
use super::gate::Access;
use super::language::Language;
use super::problem::{Code, Problem};
use super::reply::Reply;
use super::routes::Route;
use super::subject::{content, identifier, web_address, work};
use crate::domain::decision::Verdict;
use crate::domain::explain;
use crate::domain::ids::{CheckId, OrgId};
use crate::domain::key::SubjectKey;
use crate::domain::question::Question;
use crate::domain::uses::Use;
use crate::registry::answer::moment;
use crate::registry::authority::Asker;
use crate::registry::checks::{Checked, Context, Item, ItemAnswer, MAX_ITEMS};

pub(super) fn routes() -> Vec<Route> {
    let arrival = Duration::from_mins(1);
    vec![
        Route::get("/.well-known/authzen-configuration", "getAuthzenConfiguration", Access::Public, metadata),
        Route::post("/access/v1/evaluation", "evaluate", ASK, evaluation),
        Route::post("/access/v1/evaluations", "evaluateMany", ASK, evaluations)
            .body_bytes(BODY_BYTES)
            .arrival(arrival),
    ]
}

/// Section 9 of the standard.
#[derive(Serialize)]
struct Metadata {
    policy_decision_point: String,
    access_evaluation_endpoint: String,
    access_evaluations_endpoint: String,
}

/// `GET /.well-known/authzen-configuration`: under the name by which it was asked.
async fn metadata(headers: HeaderMap, uri: axum::http::Uri) -> Result<Reply, Problem> {
    let host = headers.get(HOST).and_then(|value| value.to_str().ok());
    let host = host.or_else(|| uri.authority().map(axum::http::uri::Authority::as_str));
    let base = host
        .and_then(base_url)
        .ok_or_else(|| Problem::new(Code::InvalidHeader).detail("`Host` must name this server"))?;
    Reply::ok(&Metadata {
        access_evaluation_endpoint: format!("{base}/access/v1/evaluation"),
        access_evaluations_endpoint: format!("{base}/access/v1/evaluations"),
        policy_decision_point: base,
    })
}

/// The standard wants `https`; only a server on the caller's own machine is reached without.
fn base_url(host: &str) -> Option<String> {
    let url = url::Url::parse(&format!("https://{host}")).ok()?;
    let plain =
        url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    let local = match url.host()? {
        url::Host::Domain(name) => name == "localhost",
        url::Host::Ipv4(address) => address.is_loopback(),
        url::Host::Ipv6(address) => address.is_loopback(),
    };
    let scheme = if local { "http" } else { "https" };
    plain.then(|| format!("{scheme}://{}", host.to_ascii_lowercase()))
}

#[derive(Clone, Deserialize)]
struct Entity {
    r#type: String,
    id: String,
}

#[derive(Clone, Deserialize)]
struct Action {
    name: String,
}

#[derive(Clone, Default, Deserialize)]
struct Circumstances {
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    territory: Option<String>,
    #[serde(default)]
    with_parts: bool,
}

/// The four members of an evaluation; what an evaluation leaves out comes from the request as a whole.
#[derive(Clone, Deserialize)]
struct Evaluation {
    subject: Option<Entity>,
    action: Option<Action>,
    resource: Option<Entity>,
    context: Option<Circumstances>,
}

#[derive(Deserialize)]
struct Evaluations<'a> {
    subject: Option<Entity>,
    action: Option<Action>,
    resource: Option<Entity>,
    context: Option<Circumstances>,
    #[serde(borrow, default)]
    #[expect(clippy::struct_field_names, reason = "the standard's name")]
    evaluations: Vec<&'a RawValue>,
    #[serde(default)]
    options: Options,
}

#[derive(Default, Deserialize)]
struct Options {
    #[serde(default)]
    evaluations_semantic: Semantic,
}

/// Section 7.1.2.1 of the standard.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Semantic {
    #[default]
    ExecuteAll,
    DenyOnFirstDeny,
    PermitOnFirstPermit,
}

impl Semantic {
    /// After which decision no more are answered.
    const fn ends_with(self) -> Option<bool> {
        match self {
            Self::ExecuteAll => None,
            Self::DenyOnFirstDeny => Some(false),
            Self::PermitOnFirstPermit => Some(true),
        }
    }
}

#[derive(Serialize)]
struct Decided<'a> {
    decision: bool,
    context: Told<'a>,
}

#[derive(Serialize)]
struct Told<'a> {
    check: CheckId,
    log_size: u64,
    recheck_by: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Fault>,
    item: Box<RawValue>,
}

/// An error of one evaluation (section 7.2.1).
#[derive(Serialize)]
struct Fault {
    status: u16,
    message: String,
}

#[derive(Serialize)]
struct DecidedAll<'a> {
    evaluations: Vec<Decided<'a>>,
}

/// `POST /access/v1/evaluation`.
async fn evaluation(
    State(app): State<App>,
    by: Asker,
    _at_least: AtLeast,
    _query: ValidQuery<NoQuery>,
    language: Language,
    request: Request,
) -> Result<Reply, Problem> {
    let (parts, body) = request.into_parts();
    let bytes = read_json(&parts, body).await?;
    let asked: Evaluation = read(&bytes).map_err(bad_request)?;
    one(&app, &by, language, asked).await
}

/// `POST /access/v1/evaluations`.
async fn evaluations(
    State(app): State<App>,
    by: Asker,
    _at_least: AtLeast,
    _query: ValidQuery<NoQuery>,
    language: Language,
    request: Request,
) -> Result<Reply, Problem> {
    let (parts, body) = request.into_parts();
    let bytes = read_json(&parts, body).await?;
    let Evaluations { subject, action, resource, context, evaluations, options } =
        read(&bytes).map_err(bad_request)?;
    let defaults = Evaluation { subject, action, resource, context };
    if evaluations.is_empty() {
        return one(&app, &by, language, defaults).await;
    }
    many(&app, &by, language, &defaults, &evaluations, options.evaluations_semantic).await
}

async fn many(
    app: &App,
    by: &Asker,
    language: Language,
    defaults: &Evaluation,
    evaluations: &[&RawValue],
    semantic: Semantic,
) -> Result<Reply, Problem> {
    if evaluations.len() > MAX_ITEMS {
        let detail = format!("a request has at most {MAX_ITEMS} evaluations");
        return Err(Problem::new(Code::MalformedRequest).at("/evaluations", "length", detail));
    }
    let org = by.developer();
    let items = evaluations.iter().map(|raw| item(one_of(raw, defaults), org)).collect();
    let checked = app.registry().check_by(by, nothing_in_common(), items).await?;
    let recheck_by = moment(checked.recheck_by_ms);
    let mut decided: Vec<Decided<'_>> =
        checked.items.iter().map(|item| told(&checked, item, &recheck_by, language)).collect();
    let last = decided.iter().position(|it| Some(it.decision) == semantic.ends_with());
    decided.truncate(last.map_or(MAX_ITEMS, |last| last + 1));
    Reply::ok(&DecidedAll { evaluations: decided })
}

/// The standard answers every request that it can't read with 400.
fn bad_request(problem: Problem) -> Problem {
    if problem.code() == Code::InvalidBody {
        Problem::invalid(Code::MalformedRequest, problem.errors().to_vec())
    } else {
        problem
    }
}

async fn one(app: &App, by: &Asker, language: Language, asked: Evaluation) -> Result<Reply, Problem> {
    let missing = [
        ("/subject", asked.subject.is_none()),
        ("/action", asked.action.is_none()),
        ("/resource", asked.resource.is_none()),
    ];
    let problem = |code| {
        missing
            .iter()
            .filter(|(_, missing)| *missing)
            .fold(Problem::new(code), |problem, (place, _)| problem.at(*place, "missing_field", "is missing"))
    };
    if missing.iter().any(|(_, missing)| *missing) {
        return Err(problem(Code::MalformedRequest));
    }
    let items = vec![item(Ok(asked), by.developer())];
    let checked = app.registry().check_by(by, nothing_in_common(), items).await?;
    let recheck_by = moment(checked.recheck_by_ms);
    match checked.items.first() {
        Some(item) => Reply::ok(&told(&checked, item, &recheck_by, language)),
        None => Err(Problem::internal(&"a check without an answer")),
    }
}

/// Every evaluation says all of itself.
const fn nothing_in_common() -> Context {
    Context { uses: Vec::new(), model: None, territory: None, with_parts: false }
}

/// An evaluation with the members that it leaves out.
fn one_of(raw: &RawValue, defaults: &Evaluation) -> Result<Evaluation, String> {
    let own: Evaluation =
        from_slice(raw.get().as_bytes()).map_err(|error| format!("the evaluation can't be read: {error}"))?;
    Ok(Evaluation {
        subject: own.subject.or_else(|| defaults.subject.clone()),
        action: own.action.or_else(|| defaults.action.clone()),
        resource: own.resource.or_else(|| defaults.resource.clone()),
        context: own.context.or_else(|| defaults.context.clone()),
    })
}

fn item(asked: Result<Evaluation, String>, developer: OrgId) -> Item {
    Item { reference: None, question: asked.and_then(|asked| question(asked, developer)) }
}

fn question(asked: Evaluation, developer: OrgId) -> Result<Question, String> {
    let (Some(subject), Some(action), Some(resource)) = (asked.subject, asked.action, asked.resource) else {
        return Err("an evaluation needs a subject, an action and a resource".to_owned());
    };
    if subject.r#type != "organization" || subject.id != developer.to_string() {
        return Err(format!(
            "the subject must be the developer that asks: type `organization`, id `{developer}`"
        ));
    }
    let circumstances = asked.context.unwrap_or_default();
    let model = circumstances.model.map(|text| text.parse()).transpose();
    let territory = circumstances.territory.map(|text| text.parse()).transpose();
    Ok(Question {
        developer,
        model: model.map_err(|error| format!("`context/model`: {error}"))?,
        uses: smallvec![action.name.parse::<Use>().map_err(|error| format!("`action/name`: {error}"))?],
        territory: territory.map_err(|error| format!("`context/territory`: {error}"))?,
        subject: smallvec![key(&resource)?],
        with_parts: circumstances.with_parts,
    })
}

/// `work`, `url`, `sha256`, or `id:` and a scheme.
fn key(resource: &Entity) -> Result<SubjectKey, String> {
    match resource.r#type.as_str() {
        "work" => work(&resource.id),
        "url" => web_address(&resource.id),
        "sha256" => content(&resource.id),
        other => match other.strip_prefix("id:") {
            Some(scheme) => identifier(scheme, &resource.id),
            None => Err("`resource/type` must be `work`, `url`, `sha256`, or `id:` and a scheme".to_owned()),
        },
    }
}

fn told<'a>(checked: &Checked, item: &ItemAnswer, recheck_by: &'a str, language: Language) -> Decided<'a> {
    let why = checked.why(item);
    let json = String::from_utf8(checked.json_of(item).to_vec()).ok();
    let raw = json.and_then(|json| RawValue::from_string(json).ok());
    Decided {
        decision: item.verdict == Verdict::Permitted,
        context: Told {
            check: checked.check,
            log_size: checked.log.size,
            recheck_by,
            reason: why.first().map(|reason| explain::words(reason, language.0, &explain::Ids)),
            error: why.error.map(|message| Fault { status: 400, message }),
            item: raw.unwrap_or_default(),
        },
    }
}
