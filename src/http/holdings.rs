//! Who holds a work: holdings, the roster, transfers.

use axum::extract::State;
use serde::Deserialize;
use validator::Validate;

use super::acts::{OF_WORK, READ, WORKS, WORKS_OR_REGISTRAR, record};
use super::app::App;
use super::extract::{AtLeast, Submitted, ValidPath};
use super::failure::{Place, Places};
use super::problem::Problem;
use super::reply::Reply;
use super::routes::Route;
use super::wire::Plain;
use crate::domain::ids::{HoldingId, OrgId, TransferId, WorkId};
use crate::registry::authority::Verified;
use crate::registry::{orders, transfers};

#[rustfmt::skip]
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/works/{work}/holdings", "assertHolding", WORKS_OR_REGISTRAR, assert),
        Route::post("/v1/holdings/{holding}/relinquish", "relinquishHolding", WORKS, relinquish),
        Route::post("/v1/works/{work}/roster/declare", "declareRoster", WORKS_OR_REGISTRAR, declare),
        Route::post("/v1/works/{work}/roster/same-as-parent", "copyRoster", WORKS_OR_REGISTRAR, same_as_parent),
        Route::post("/v1/holdings/{holding}/transfers", "offerTransfer", WORKS, offer),
        Route::get("/v1/transfers/{transfer}", "getTransfer", READ, transfer),
        Route::post("/v1/transfers/{transfer}/accept", "acceptTransfer", WORKS, accept),
        Route::post("/v1/transfers/{transfer}/withdraw", "withdrawTransfer", WORKS, withdraw),
    ]
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct HoldingBody {
    #[serde(default, deserialize_with = "super::wire::given")]
    on_behalf_of: Option<OrgId>,
    holder: OrgId,
}

/// `POST /v1/works/{work}/holdings`.
async fn assert(
    State(app): State<App>,
    by: Verified,
    ValidPath(work): ValidPath<WorkId>,
    body: Submitted<HoldingBody>,
) -> Result<Reply, Problem> {
    let (once, body) = body.into_parts();
    let order = orders::assert_holding(app.clock(), work, body.holder).on_behalf_of(body.on_behalf_of);
    record(&app, &by, order, once, OF_WORK).await
}

/// `POST /v1/holdings/{holding}/relinquish`.
async fn relinquish(
    State(app): State<App>,
    by: Verified,
    ValidPath(holding): ValidPath<HoldingId>,
    body: Submitted<Plain>,
) -> Result<Reply, Problem> {
    let (once, body) = body.into_parts();
    let order = orders::relinquish(holding).on_behalf_of(body.on_behalf_of);
    record(&app, &by, order, once, OF_HOLDING).await
}

const OF_HOLDING: Places = &[("/holding", Place::Path)];
const OF_TRANSFER: Places = &[("/transfer", Place::Path)];

/// `POST /v1/works/{work}/roster/declare`.
async fn declare(
    State(app): State<App>,
    by: Verified,
    ValidPath(work): ValidPath<WorkId>,
    body: Submitted<Plain>,
) -> Result<Reply, Problem> {
    let (once, body) = body.into_parts();
    let order = orders::declare_roster(work).on_behalf_of(body.on_behalf_of);
    record(&app, &by, order, once, OF_WORK).await
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct ParentBody {
    #[serde(default, deserialize_with = "super::wire::given")]
    on_behalf_of: Option<OrgId>,
    parent: WorkId,
}

/// `POST /v1/works/{work}/roster/same-as-parent`.
async fn same_as_parent(
    State(app): State<App>,
    by: Verified,
    ValidPath(work): ValidPath<WorkId>,
    body: Submitted<ParentBody>,
) -> Result<Reply, Problem> {
    const PLACES: Places = &[("/work", Place::Path), ("/holders", Place::Body(""))];
    let (once, body) = body.into_parts();
    let order = orders::same_as_parent(app.registry(), work, body.parent).await?;
    record(&app, &by, order.on_behalf_of(body.on_behalf_of), once, PLACES).await
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct TransferBody {
    #[serde(default, deserialize_with = "super::wire::given")]
    on_behalf_of: Option<OrgId>,
    to: OrgId,
}

/// `POST /v1/holdings/{holding}/transfers`.
async fn offer(
    State(app): State<App>,
    by: Verified,
    ValidPath(holding): ValidPath<HoldingId>,
    body: Submitted<TransferBody>,
) -> Result<Reply, Problem> {
    let (once, body) = body.into_parts();
    let order = orders::offer_transfer(app.clock(), holding, body.to).on_behalf_of(body.on_behalf_of);
    record(&app, &by, order, once, OF_HOLDING).await
}

/// `GET /v1/transfers/{transfer}`.
async fn transfer(
    State(app): State<App>,
    by: Verified,
    _: AtLeast,
    ValidPath(transfer): ValidPath<TransferId>,
) -> Result<Reply, Problem> {
    Reply::ok(&transfers::one(app.registry(), &by, transfer).await?)
}

/// `POST /v1/transfers/{transfer}/accept`.
async fn accept(
    State(app): State<App>,
    by: Verified,
    ValidPath(transfer): ValidPath<TransferId>,
    body: Submitted<Plain>,
) -> Result<Reply, Problem> {
    let (once, body) = body.into_parts();
    let order = orders::accept_transfer(transfer).on_behalf_of(body.on_behalf_of);
    record(&app, &by, order, once, OF_TRANSFER).await
}

/// `POST /v1/transfers/{transfer}/withdraw`.
async fn withdraw(
    State(app): State<App>,
    by: Verified,
    ValidPath(transfer): ValidPath<TransferId>,
    body: Submitted<Plain>,
) -> Result<Reply, Problem> {
    let (once, body) = body.into_parts();
    let order = orders::withdraw_transfer(transfer).on_behalf_of(body.on_behalf_of);
    record(&app, &by, order, once, OF_TRANSFER).await
}
