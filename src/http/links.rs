//! What works are made of, and what they are part of.

use axum::extract::State;
use serde::Deserialize;
use validator::Validate;

use super::acts::{OF_WORK, REGISTRAR, WORKS, WORKS_OR_REGISTRAR, record};
use super::app::App;
use super::extract::{Submitted, ValidPath};
use super::failure::{Place, Places};
use super::problem::Problem;
use super::reply::Reply;
use super::routes::Route;
use super::text::Note;
use super::wire::Plain;
use crate::domain::ids::{LinkId, OrgId, WorkId};
use crate::registry::authority::Verified;
use crate::registry::orders;

#[rustfmt::skip]
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/works/{work}/layers", "linkLayer", WORKS_OR_REGISTRAR, link_layer),
        Route::post("/v1/works/{work}/layers/declare", "declareLayers", WORKS_OR_REGISTRAR, declare),
        Route::post("/v1/works/{work}/parts", "linkPart", WORKS, link_part),
        Route::post("/v1/links/{link}/accept", "acceptLink", WORKS, accept),
        Route::post("/v1/links/{link}/remove", "removeLink", REGISTRAR, remove),
    ]
}

const OF_LINK: Places = &[("/link", Place::Path)];

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct LayerBody {
    #[serde(default, deserialize_with = "super::wire::given")]
    on_behalf_of: Option<OrgId>,
    layer: WorkId,
}

/// `POST /v1/works/{work}/layers`.
async fn link_layer(
    State(app): State<App>,
    by: Verified,
    ValidPath(work): ValidPath<WorkId>,
    body: Submitted<LayerBody>,
) -> Result<Reply, Problem> {
    let (once, body) = body.into_parts();
    let order = orders::link_layer(app.clock(), work, body.layer).on_behalf_of(body.on_behalf_of);
    record(&app, &by, order, once, OF_WORK).await
}

/// `POST /v1/works/{work}/layers/declare`.
async fn declare(
    State(app): State<App>,
    by: Verified,
    ValidPath(work): ValidPath<WorkId>,
    body: Submitted<Plain>,
) -> Result<Reply, Problem> {
    let (once, body) = body.into_parts();
    let order = orders::declare_layers(work).on_behalf_of(body.on_behalf_of);
    record(&app, &by, order, once, OF_WORK).await
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct PartBody {
    #[serde(default, deserialize_with = "super::wire::given")]
    on_behalf_of: Option<OrgId>,
    part: WorkId,
}

/// `POST /v1/works/{work}/parts`.
async fn link_part(
    State(app): State<App>,
    by: Verified,
    ValidPath(whole): ValidPath<WorkId>,
    body: Submitted<PartBody>,
) -> Result<Reply, Problem> {
    const PLACES: Places = &[("/whole", Place::Path)];
    let (once, body) = body.into_parts();
    let order = orders::link_part(app.clock(), body.part, whole).on_behalf_of(body.on_behalf_of);
    record(&app, &by, order, once, PLACES).await
}

/// `POST /v1/links/{link}/accept`.
async fn accept(
    State(app): State<App>,
    by: Verified,
    ValidPath(link): ValidPath<LinkId>,
    body: Submitted<Plain>,
) -> Result<Reply, Problem> {
    let (once, body) = body.into_parts();
    let order = orders::accept_part(link).on_behalf_of(body.on_behalf_of);
    record(&app, &by, order, once, OF_LINK).await
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct RemoveBody {
    #[validate(nested)]
    #[serde(default, deserialize_with = "super::wire::given")]
    note: Option<Note>,
}

/// `POST /v1/links/{link}/remove`.
async fn remove(
    State(app): State<App>,
    by: Verified,
    ValidPath(link): ValidPath<LinkId>,
    body: Submitted<RemoveBody>,
) -> Result<Reply, Problem> {
    let (once, body) = body.into_parts();
    let order = orders::remove_link(link).note(body.note.map(Note::into_string));
    record(&app, &by, order, once, OF_LINK).await
}
