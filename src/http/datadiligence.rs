//! The door for clients of the URL query that the Python package `datadiligence` speaks: addresses, one a line, answered
//! `{"urls":[{"url":…,"optOut":…}]}`.
//!
//! The word `optOut` is that protocol's. Here it means "not permitted": it is `false` only where the registry permits the
//! use, and `true` for everything else, also where nobody ever opted out of anything.

use std::borrow::Cow;
use std::time::Duration;

use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use smallvec::smallvec;
use validator::Validate;

use super::app::App;
use super::checks::{ASK, BODY_BYTES};
use super::extract::body::{read_bytes, require_type};
use super::extract::{AtLeast, ValidQuery};
use super::problem::{Code, Problem};
use super::reply::Reply;
use super::routes::Route;
use super::subject::web_address;
use crate::domain::decision::Verdict;
use crate::domain::ids::{CheckId, ModelId};
use crate::domain::territory::Territory;
use crate::domain::uses::Use;
use crate::registry::answer::moment;
use crate::registry::authority::Asker;
use crate::registry::checks::{Context, Item, MAX_ITEMS};

pub(super) fn routes() -> Vec<Route> {
    // The path of that protocol, so that a client changes the host only.
    let route = Route::post("/api/v2/query/urls/", "queryUrls", ASK, query);
    vec![route.body_bytes(BODY_BYTES).arrival(Duration::from_mins(1))]
}

/// What the addresses are asked for.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default = "training")]
    r#use: Use,
    model: Option<ModelId>,
    territory: Option<Territory>,
}

const fn training() -> Use {
    Use::TrainGenerative
}

#[derive(Serialize)]
struct Answered<'a> {
    urls: Vec<UrlAnswer<'a>>,
    check: CheckId,
    log_size: u64,
    recheck_by: String,
}

#[derive(Serialize)]
struct UrlAnswer<'a> {
    url: &'a str,
    #[serde(rename = "optOut")]
    opt_out: bool,
}

/// `POST /api/v2/query/urls/`.
async fn query(
    State(app): State<App>,
    by: Asker,
    _at_least: AtLeast,
    ValidQuery(asked): ValidQuery<Asked>,
    request: Request,
) -> Result<Reply, Problem> {
    let (parts, body) = request.into_parts();
    require_type(&parts.headers, "text/plain", |essence| essence == "text/plain")?;
    let bytes = read_bytes(&parts, body).await?;
    let urls: Vec<Cow<'_, str>> = bytes.split(|byte| *byte == b'\n').map(String::from_utf8_lossy).collect();
    let context = Context {
        uses: vec![asked.r#use],
        model: asked.model,
        territory: asked.territory,
        with_parts: false,
    };
    let items = items(&by, &context, &urls)?;
    let checked = app.registry().check_by(&by, context, items).await?;
    // Zipped from the question's side: an address without an answer would not be left out, but it can't be.
    let verdicts =
        checked.items.iter().map(|item| item.verdict).chain(std::iter::repeat(Verdict::NotPermitted));
    let answer = |(url, verdict): (_, Verdict)| UrlAnswer { url, opt_out: verdict != Verdict::Permitted };
    Reply::ok(&Answered {
        urls: urls.iter().map(Cow::as_ref).zip(verdicts).map(answer).collect(),
        check: checked.check,
        log_size: checked.log.size,
        recheck_by: moment(checked.recheck_by_ms),
    })
}

fn items(by: &Asker, context: &Context, urls: &[Cow<'_, str>]) -> Result<Vec<Item>, Problem> {
    if urls.len() > MAX_ITEMS {
        let detail = format!("a query has at most {MAX_ITEMS} addresses");
        return Err(Problem::new(Code::InvalidBody).at("", "length", detail));
    }
    let developer = by.developer();
    let item = |url: &Cow<'_, str>| Item {
        reference: None,
        question: match url {
            Cow::Borrowed(url) => web_address(url).map(|key| context.question(developer, smallvec![key])),
            Cow::Owned(_) => Err("the address is not UTF-8".to_owned()),
        },
    };
    Ok(urls.iter().map(item).collect())
}
