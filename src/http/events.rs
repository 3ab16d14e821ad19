//! The trail of what concerns security.

use axum::extract::State;
use serde::Deserialize;
use validator::Validate;

use super::app::App;
use super::extract::ValidQuery;
use super::gate::{Access, Scope};
use super::page::{Limit, Page, read_cursor};
use super::problem::Problem;
use super::reply::Reply;
use super::routes::Route;
use crate::domain::ids::OrgId;
use crate::registry::authority::Verified;
use crate::registry::trail;

pub(super) fn routes() -> Vec<Route> {
    let access = Access::Any(Scope::Organization);
    vec![Route::get("/v1/security-events", "listSecurityEvents", access, list)]
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
    organization: Option<OrgId>,
}

/// `GET /v1/security-events`.
async fn list(
    State(app): State<App>,
    by: Verified,
    ValidQuery(asked): ValidQuery<Asked>,
) -> Result<Reply, Problem> {
    let of = format!("listSecurityEvents:{:?}", asked.organization);
    let before: Option<String> = asked.cursor.map(|cursor| read_cursor(&of, &cursor)).transpose()?;
    let rows = u32::from(asked.limit.get()) + 1;
    let found = trail::list(app.registry(), &by, asked.organization, before.as_deref(), rows).await?;
    Reply::ok(&Page::cut(found, asked.limit, &of, |last| last.event.clone())?)
}
