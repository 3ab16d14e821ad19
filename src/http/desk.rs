//! The act log, looked through by auditors.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use validator::Validate;

use crate::domain::explain::{self, acts::act_words};
use crate::domain::ids::{OrgId, WorkId};
use crate::http::app::App;
use crate::http::extract::ValidQuery;
use crate::http::gate::{Access, Roles, Scope};
use crate::http::language::Language;
use crate::http::page::{Limit, cursor, read_cursor};
use crate::http::problem::Problem;
use crate::http::reply::Reply;
use crate::http::routes::Route;
use crate::http::text::Label;
use crate::registry::answer::moment;
use crate::registry::authority::Auditor;
use crate::registry::desk::{self, Filter, Read};

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get("/v1/log", "lookThroughLog", Access::Role(Roles::AUDITORS, Scope::Audit), look)]
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
    by: Auditor,
    language: Language,
    ValidQuery(asked): ValidQuery<Asked>,
) -> Result<Reply, Problem> {
    let filter = asked.filter();
    let of = format!("lookThroughLog:{filter:?}");
    let from = asked.cursor.as_deref().map(|text| read_cursor::<u64>(&of, text)).transpose()?.unwrap_or(0);
    let most = usize::from(asked.limit.get());
    let desk::Looked { found, next } = desk::look(app.registry(), &by, &filter, from, most).await?;
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
