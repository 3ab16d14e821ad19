//! Claims of outsiders, disputes, the registrar's judgement, and what waits for it.

use axum::extract::State;
use serde::Deserialize;
use validator::Validate;

use super::acts::{OF_WORK, REGISTRAR, WORKS, record};
use super::app::App;
use super::extract::{AtLeast, Submitted, ValidPath, ValidQuery};
use super::failure::{Place, Places};
use super::page::{Limit, Page, cursor, read_cursor};
use super::problem::Problem;
use super::reply::Reply;
use super::routes::Route;
use super::text::Note;
use super::wire::EvidenceIn;
use crate::domain::ids::{BindingId, ClaimId, DisputeId, HoldingId, OrgId, WorkId};
use crate::registry::authority::{Registrar, Verified};
use crate::registry::orders;
use crate::registry::queue::{self, Wanted};

#[rustfmt::skip]
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/works/{work}/claims", "makeClaim", WORKS, claim),
        Route::post("/v1/claims/{claim}/withdraw", "withdrawClaim", WORKS, withdraw_claim),
        Route::post("/v1/works/{work}/disputes", "openDispute", REGISTRAR, open_dispute),
        Route::post("/v1/disputes/{dispute}/settle", "settleDispute", REGISTRAR, settle_dispute),
        Route::post("/v1/assertions/confirm", "confirmAssertions", REGISTRAR, confirm),
        Route::post("/v1/assertions/reject", "rejectAssertions", REGISTRAR, reject),
        Route::get("/v1/queue", "getQueue", REGISTRAR, get_queue),
    ]
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct ClaimBody {
    /// Why. It is kept beside the log, and can be erased.
    #[validate(nested)]
    #[serde(default, deserialize_with = "super::wire::given")]
    note: Option<Note>,
}

/// `POST /v1/works/{work}/claims`.
async fn claim(
    State(app): State<App>,
    by: Verified,
    ValidPath(work): ValidPath<WorkId>,
    body: Submitted<ClaimBody>,
) -> Result<Reply, Problem> {
    let (once, body) = body.into_parts();
    let order = orders::claim(app.clock(), work).note(body.note.map(Note::into_string));
    record(&app, &by, order, once, OF_WORK).await
}

/// `POST /v1/claims/{claim}/withdraw`.
async fn withdraw_claim(
    State(app): State<App>,
    by: Verified,
    ValidPath(claim): ValidPath<ClaimId>,
    body: Submitted<ClaimBody>,
) -> Result<Reply, Problem> {
    const PLACES: Places = &[("/claim", Place::Path)];
    let (once, body) = body.into_parts();
    let order = orders::withdraw_claim(claim).note(body.note.map(Note::into_string));
    record(&app, &by, order, once, PLACES).await
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct DisputeBody {
    #[serde(default, deserialize_with = "super::wire::given")]
    claim: Option<ClaimId>,
    #[validate(nested)]
    #[serde(default, deserialize_with = "super::wire::given")]
    note: Option<Note>,
}

/// `POST /v1/works/{work}/disputes`.
async fn open_dispute(
    State(app): State<App>,
    by: Verified,
    ValidPath(work): ValidPath<WorkId>,
    body: Submitted<DisputeBody>,
) -> Result<Reply, Problem> {
    let (once, body) = body.into_parts();
    let note = body.note.map(Note::into_string);
    let order = orders::open_dispute(app.clock(), work, body.claim).note(note);
    record(&app, &by, order, once, OF_WORK).await
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct SettleBody {
    #[validate(nested)]
    evidence: EvidenceIn,
}

/// `POST /v1/disputes/{dispute}/settle`.
async fn settle_dispute(
    State(app): State<App>,
    by: Verified,
    ValidPath(dispute): ValidPath<DisputeId>,
    body: Submitted<SettleBody>,
) -> Result<Reply, Problem> {
    const PLACES: Places = &[("/dispute", Place::Path)];
    let (once, body) = body.into_parts();
    record(&app, &by, orders::settle_dispute(dispute, body.evidence.into()), once, PLACES).await
}

/// At least one item in the two lists together.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct JudgeBody {
    #[validate(length(max = 1000))]
    holdings: Vec<HoldingId>,
    #[validate(length(max = 1000))]
    bindings: Vec<BindingId>,
    #[validate(nested)]
    evidence: EvidenceIn,
}

/// `POST /v1/assertions/confirm`.
async fn confirm(State(app): State<App>, by: Verified, body: Submitted<JudgeBody>) -> Result<Reply, Problem> {
    let (once, body) = body.into_parts();
    let order = orders::confirm(body.holdings, body.bindings, body.evidence.into());
    record(&app, &by, order, once, &[]).await
}

/// `POST /v1/assertions/reject`.
async fn reject(State(app): State<App>, by: Verified, body: Submitted<JudgeBody>) -> Result<Reply, Problem> {
    let (once, body) = body.into_parts();
    let order = orders::reject(body.holdings, body.bindings, body.evidence.into());
    record(&app, &by, order, once, &[]).await
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
    work: Option<WorkId>,
    holder: Option<OrgId>,
}

/// `GET /v1/queue`.
async fn get_queue(
    State(app): State<App>,
    by: Registrar,
    _: AtLeast,
    ValidQuery(asked): ValidQuery<Asked>,
) -> Result<Reply, Problem> {
    let of = format!("getQueue:{:?}:{:?}", asked.work, asked.holder);
    let from = asked.cursor.map(|cursor| read_cursor(&of, &cursor)).transpose()?;
    let wanted = Wanted { work: asked.work, party: asked.holder, limit: asked.limit.get() };
    let page = queue::page(app.registry(), &by, wanted, from).await?;
    let next = page.next.map(|place| cursor(&of, place)).transpose()?;
    Reply::ok(&Page { items: page.items, next })
}
