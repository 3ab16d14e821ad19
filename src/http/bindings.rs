//! Keys that are tied to works.

use axum::extract::State;
use serde::Deserialize;
use validator::Validate;

use super::acts::{OF_WORK, WORKS, record};
use super::app::App;
use super::extract::{Submitted, ValidPath};
use super::failure::{Place, Places};
use super::problem::Problem;
use super::reply::Reply;
use super::routes::Route;
use super::wire::{KeyIn, Plain};
use crate::domain::ids::{BindingId, OrgId, WorkId};
use crate::registry::authority::Verified;
use crate::registry::orders;

#[rustfmt::skip]
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/works/{work}/bindings", "bindKey", WORKS, bind),
        Route::post("/v1/bindings/{binding}/remove", "removeBinding", WORKS, remove),
    ]
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct BindBody {
    #[serde(default, deserialize_with = "super::wire::given")]
    on_behalf_of: Option<OrgId>,
    #[validate(nested)]
    key: KeyIn,
}

/// `POST /v1/works/{work}/bindings`.
async fn bind(
    State(app): State<App>,
    by: Verified,
    ValidPath(work): ValidPath<WorkId>,
    body: Submitted<BindBody>,
) -> Result<Reply, Problem> {
    let (once, body) = body.into_parts();
    let order = orders::bind(app.clock(), work, body.key.key()?).on_behalf_of(body.on_behalf_of);
    record(&app, &by, order, once, OF_WORK).await
}

/// `POST /v1/bindings/{binding}/remove`.
async fn remove(
    State(app): State<App>,
    by: Verified,
    ValidPath(binding): ValidPath<BindingId>,
    body: Submitted<Plain>,
) -> Result<Reply, Problem> {
    const PLACES: Places = &[("/binding", Place::Path)];
    let (once, body) = body.into_parts();
    let order = orders::unbind(binding).on_behalf_of(body.on_behalf_of);
    record(&app, &by, order, once, PLACES).await
}
