//! The act log, looked through by auditors, and by investigators as far as an inquiry goes.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use validator::Validate;

use crate::domain::explain::{self, acts::act_words};
use crate::domain::ids::{InquiryId, OrgId, WorkId};
use crate::http::app::App;
use crate::http::extract::{AtLeast, ValidQuery};
use crate::http::gate::{Access, Roles, Scope};
use crate::http::language::Language;
use crate::http::page::{Limit, Page, cursor, read_cursor};
use crate::http::problem::Problem;
use crate::http::reply::Reply;
use crate::http::routes::Route;
use crate::http::text::Label;
use crate::registry::answer::moment;
use crate::registry::authority::Inspector;
use crate::registry::desk::{self, Filter, Read};
use crate::registry::inquiries::Sight;
use crate::registry::queue::{self, Wanted};

/// Auditors, and investigators under an inquiry.
pub(super) const INSPECT: Access = Access::Role(Roles::INSPECTORS, Scope::Audit);

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/log", "lookThroughLog", INSPECT, look),
        Route::get("/v1/unanswered", "listUnanswered", INSPECT, unanswered),
    ]
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Asked {
    work: Option<WorkId>,
    party: Option<OrgId>,
    #[validate(nested)]
    r#type: Option<Label>,
    since: Option<jiff::Timestamp>,
    until: Option<jiff::Timestamp>,
    inquiry: Option<InquiryId>,
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
}

impl Asked {
    fn filter(&self) -> Filter {
        Filter {
            work: self.work,
            party: self.party,
            kind: self.r#type.as_ref().map(|kind| kind.as_str().to_owned()),
            since_ms: self.since.map(jiff::Timestamp::as_millisecond),
            until_ms: self.until.map(jiff::Timestamp::as_millisecond),
        }
    }
}

#[derive(Serialize)]
struct Line {
    index: u64,
    recorded: String,
    r#type: &'static str,
    party: OrgId,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_behalf_of: Option<OrgId>,
    parties: Vec<OrgId>,
    works: Vec<WorkId>,
    text: String,
    /// The bytes that were hashed, which are text.
    entry: String,
}

#[derive(Serialize)]
struct Looked {
    items: Vec<Line>,
    next: Option<String>,
}

/// `GET /v1/log`.
async fn look(
    State(app): State<App>,
    by: Inspector,
    language: Language,
    ValidQuery(asked): ValidQuery<Asked>,
) -> Result<Reply, Problem> {
    let filter = asked.filter();
    let of = format!("lookThroughLog:{filter:?}:{:?}", asked.inquiry);
    let from = asked.cursor.as_deref().map(|text| read_cursor::<u64>(&of, text)).transpose()?.unwrap_or(0);
    let most = usize::from(asked.limit.get());
    let sight = Sight::of_inspector(app.registry(), &by, asked.inquiry).await?;
    let desk::Looked { found, next } = desk::look(app.registry(), &sight, &filter, from, most).await?;
    let items = found.into_iter().map(|it| line(it, language)).collect::<Result<_, _>>()?;
    let next = next.map(|next| cursor(&of, next)).transpose()?;
    let (name, value) = language.header();
    Ok(Reply::ok(&Looked { items, next })?.header(name, value))
}

fn line(it: Read, language: Language) -> Result<Line, Problem> {
    Ok(Line {
        index: it.stored.index,
        recorded: moment(it.stored.at_ms),
        r#type: it.entry.act.code(),
        party: it.entry.party,
        on_behalf_of: it.entry.on_behalf_of,
        text: act_words(&it.entry, language.0, &explain::Ids),
        parties: it.entry.parties,
        works: it.works,
        entry: String::from_utf8(it.stored.bytes).map_err(|error| Problem::internal(&error))?,
    })
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Waiting {
    work: Option<WorkId>,
    party: Option<OrgId>,
    inquiry: Option<InquiryId>,
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
}

/// `GET /v1/unanswered`.
async fn unanswered(
    State(app): State<App>,
    by: Inspector,
    _: AtLeast,
    ValidQuery(asked): ValidQuery<Waiting>,
) -> Result<Reply, Problem> {
    let of = format!("listUnanswered:{:?}:{:?}:{:?}", asked.work, asked.party, asked.inquiry);
    let from = asked.cursor.map(|cursor| read_cursor(&of, &cursor)).transpose()?;
    let wanted = Wanted { work: asked.work, party: asked.party, limit: asked.limit.get() };
    let sight = Sight::of_inspector(app.registry(), &by, asked.inquiry).await?;
    let page = queue::unanswered(app.registry(), &sight, wanted, from).await?;
    let next = page.next.map(|place| cursor(&of, place)).transpose()?;
    Reply::ok(&Page { items: page.items, next })
}
