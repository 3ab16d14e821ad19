//! Contractors, who ask for a developer, and how they say for whom.

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use serde::Deserialize;
use validator::Validate;

use super::app::App;
use super::extract::headers::single;
use super::extract::{Submitted, ValidPath, ValidQuery};
use super::gate::{Access, Roles, Scope};
use super::page::{Limit, Page, read_cursor};
use super::problem::{Code, Problem};
use super::reply::Reply;
use super::routes::Route;
use crate::domain::ids::{ContractorId, OrgId};
use crate::domain::scope::MAX_MOMENT_MS;
use crate::registry::authority::{Asker, Developer};
use crate::registry::contractors;

/// The header in which a contractor names the developer for whom it asks.
const FOR_WHOM: &str = "kyodaku-on-behalf-of";

#[rustfmt::skip]
pub(super) fn routes() -> Vec<Route> {
    const MANAGE: Access = Access::Role(Roles::DEVELOPERS, Scope::Organization);
    vec![
        Route::get("/v1/contractors", "listContractors", MANAGE, list),
        Route::post("/v1/contractors", "nameContractor", MANAGE, name).trailed(),
        Route::delete("/v1/contractors/{contractor}", "endContractor", MANAGE, end).trailed(),
    ]
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct NameBody {
    organization: OrgId,
    #[serde(default, deserialize_with = "super::wire::given")]
    until: Option<jiff::Timestamp>,
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
}

/// `POST /v1/contractors`.
async fn name(State(app): State<App>, by: Developer, body: Submitted<NameBody>) -> Result<Reply, Problem> {
    let (once, NameBody { organization, until }) = body.into_parts();
    let until_ms = until.map(|until| until.as_millisecond().min(MAX_MOMENT_MS));
    Reply::recorded(&contractors::name(app.registry(), &by, organization, until_ms, once).await?)
}

/// `GET /v1/contractors`.
async fn list(
    State(app): State<App>,
    by: Developer,
    ValidQuery(asked): ValidQuery<Asked>,
) -> Result<Reply, Problem> {
    const OF: &str = "listContractors";
    let after: Option<String> = asked.cursor.map(|cursor| read_cursor(OF, &cursor)).transpose()?;
    let rows = u32::from(asked.limit.get()) + 1;
    let found = contractors::list(app.registry(), &by, after.as_deref(), rows).await?;
    Reply::ok(&Page::cut(found, asked.limit, OF, |last| last.contractor.clone())?)
}

/// `DELETE /v1/contractors/{contractor}`.
async fn end(
    State(app): State<App>,
    by: Developer,
    ValidPath(contractor): ValidPath<ContractorId>,
) -> Result<Reply, Problem> {
    Reply::ok(&contractors::end(app.registry(), &by, contractor).await?)
}

/// As a handler argument: whoever asks for itself, or for the developer that the header names.
impl FromRequestParts<App> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let by = Developer::from_request_parts(parts, app).await?;
        let named = single(&parts.headers, FOR_WHOM)?.map(|value| {
            str::from_utf8(value).ok().and_then(|text| text.parse::<OrgId>().ok()).ok_or_else(|| {
                Problem::new(Code::InvalidHeader)
                    .detail("`Kyodaku-On-Behalf-Of` must be the id of an organization")
            })
        });
        Ok(Self::prove(app.registry(), by, named.transpose()?).await?)
    }
}
