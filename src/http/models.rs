//! Models of AI developers.

use axum::extract::State;
use serde::Deserialize;
use validator::Validate;

use super::app::App;
use super::etag::Etag;
use super::extract::{AtLeast, Bare, Submitted, ValidPath, ValidQuery};
use super::failure::{Place, Places, refused};
use super::gate::{Access, Roles, Scope};
use super::page::{Limit, Page, read_cursor};
use super::problem::Problem;
use super::reply::Reply;
use super::routes::Route;
use super::text::Title;
use crate::domain::ids::{ModelId, OrgId};
use crate::registry::authority::{Developer, Verified};
use crate::registry::organizations;

#[rustfmt::skip]
pub(super) fn routes() -> Vec<Route> {
    const MANAGE: Access = Access::Role(Roles::DEVELOPERS, Scope::Organization);
    const READ: Access = Access::Any(Scope::Read);
    vec![
        Route::get("/v1/models", "listModels", READ, list),
        Route::post("/v1/models", "registerModel", MANAGE, register),
        Route::get("/v1/models/{model}", "getModel", READ, one),
        Route::post("/v1/models/{model}/retire", "retireModel", MANAGE, retire),
    ]
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct ModelBody {
    #[validate(nested)]
    name: Title,
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
    developer: Option<OrgId>,
}

/// `POST /v1/models`.
async fn register(
    State(app): State<App>,
    by: Developer,
    body: Submitted<ModelBody>,
) -> Result<Reply, Problem> {
    let (once, body) = body.into_parts();
    let name = body.name.into_string();
    Reply::recorded(&organizations::register_model(app.registry(), &by, name, once).await?)
}

/// `GET /v1/models`.
async fn list(
    State(app): State<App>,
    by: Verified,
    _at_least: AtLeast,
    ValidQuery(asked): ValidQuery<Asked>,
) -> Result<Reply, Problem> {
    let of = format!("listModels:{:?}", asked.developer);
    let after: Option<String> = asked.cursor.map(|cursor| read_cursor(&of, &cursor)).transpose()?;
    let rows = u32::from(asked.limit.get()) + 1;
    let found = organizations::models(app.registry(), &by, asked.developer, after.as_deref(), rows).await?;
    Reply::ok(&Page::cut(found, asked.limit, &of, |last| last.model.clone())?)
}

/// `GET /v1/models/{model}`.
async fn one(
    State(app): State<App>,
    by: Verified,
    ValidPath(model): ValidPath<ModelId>,
    _at_least: AtLeast,
) -> Result<Reply, Problem> {
    let view = organizations::model(app.registry(), &by, model).await?;
    Ok(Reply::ok(&view)?.etag(&Etag::of_entry(view.entry)))
}

const PLACES: Places = &[("/model", Place::Path)];

/// `POST /v1/models/{model}/retire`.
async fn retire(
    State(app): State<App>,
    by: Developer,
    ValidPath(model): ValidPath<ModelId>,
    Bare(once): Bare,
) -> Result<Reply, Problem> {
    let retired = organizations::retire_model(app.registry(), &by, model, once).await;
    Reply::recorded(&retired.map_err(refused(PLACES))?)
}
