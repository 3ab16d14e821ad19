//! Inquiries: opened by the registrar, or by an auditor for itself; investigators read under them.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::Response;
use serde::Deserialize;
use validator::Validate;

use super::acts::{READ, record};
use super::app::App;
use super::desk::INSPECT;
use super::etag::Etag;
use super::extract::{AtLeast, Bare, Submitted, ValidPath, ValidQuery};
use super::failure::{Place, Places};
use super::gate::{Access, Roles, Scope as KeyScope};
use super::grants::paged;
use super::page::{Limit, read_cursor};
use super::problem::Problem;
use super::reply::Reply;
use super::routes::Route;
use super::text::Note;
use super::wire::{Begin, End, moment_ms};
use crate::domain::ids::{InquiryId, OrgId, WorkId};
use crate::domain::scope::Scope;
use crate::registry::authority::{Proof, Verified};
use crate::registry::orders::{self, InquiryTerms};
use crate::registry::{evidence, inquiries};

/// How long gathering evidence may take.
const GATHERING: Duration = Duration::from_mins(2);
/// After how many seconds it is worth asking again when somebody else's turn it is.
const RETRY_S: u32 = 10;

#[rustfmt::skip]
pub(super) fn routes() -> Vec<Route> {
    const OPEN: Access = Access::Role(Roles::AUDITORS_AND_REGISTRAR, KeyScope::Inquire);
    const CLOSE: Access = Access::Role(Roles::INQUIRERS, KeyScope::Inquire);
    vec![
        Route::get("/v1/inquiries", "listInquiries", READ, list),
        Route::post("/v1/inquiries", "openInquiry", OPEN, open),
        Route::get("/v1/inquiries/{inquiry}", "getInquiry", READ, one),
        Route::post("/v1/inquiries/{inquiry}/close", "closeInquiry", CLOSE, close),
        Route::get("/v1/inquiries/{inquiry}/evidence", "getEvidence", INSPECT, evidence).time(GATHERING),
    ]
}

/// An inquiry. What it lays open is stated; nothing of that has a default.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct InquiryBody {
    #[serde(default, deserialize_with = "super::wire::given")]
    auditor: Option<OrgId>,
    #[validate(nested)]
    reason: Note,
    works: Scope<WorkId>,
    parties: Scope<OrgId>,
    from: Begin,
    until: End,
    expires: Moment,
}

/// A moment.
#[derive(Clone, Copy, Debug)]
struct Moment(i64);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        moment_ms(&text).map(Self).map_err(|why| serde::de::Error::custom(format!("invalid value: {why}")))
    }
}

/// `POST /v1/inquiries`.
async fn open(State(app): State<App>, by: Verified, body: Submitted<InquiryBody>) -> Result<Reply, Problem> {
    const PLACES: Places = &[("/expires_ms", Place::Body("/expires"))];
    let (once, body) = body.into_parts();
    let terms = InquiryTerms {
        auditor: body.auditor.unwrap_or(by.actor().org()),
        works: body.works,
        parties: body.parties,
        from: body.from.0,
        until: body.until.0,
        expires_ms: body.expires.0,
    };
    let order = orders::open_inquiry(app.clock(), terms, body.reason.into_string());
    record(&app, &by, order, once, PLACES).await
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
}

/// `GET /v1/inquiries`.
async fn list(
    State(app): State<App>,
    by: Verified,
    _: AtLeast,
    ValidQuery(asked): ValidQuery<Asked>,
) -> Result<Reply, Problem> {
    const OF: &str = "listInquiries";
    let before = asked.cursor.as_deref().map(|cursor| read_cursor(OF, cursor)).transpose()?;
    paged(OF, inquiries::list(app.registry(), &by, before, asked.limit.get()).await?)
}

/// `GET /v1/inquiries/{inquiry}`.
async fn one(
    State(app): State<App>,
    by: Verified,
    _: AtLeast,
    ValidPath(inquiry): ValidPath<InquiryId>,
) -> Result<Reply, Problem> {
    let view = inquiries::one(app.registry(), &by, inquiry).await?;
    Ok(Reply::ok(&view)?.etag(&Etag::of_entry(view.last_entry)))
}

/// `POST /v1/inquiries/{inquiry}/close`.
async fn close(
    State(app): State<App>,
    by: Verified,
    ValidPath(inquiry): ValidPath<InquiryId>,
    Bare(once): Bare,
) -> Result<Reply, Problem> {
    const PLACES: Places = &[("/inquiry", Place::Path)];
    record(&app, &by, orders::close_inquiry(inquiry), once, PLACES).await
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Size {
    size: Option<u64>,
}

/// `GET /v1/inquiries/{inquiry}/evidence`.
async fn evidence(
    State(app): State<App>,
    by: Verified,
    ValidPath(inquiry): ValidPath<InquiryId>,
    ValidQuery(Size { size }): ValidQuery<Size>,
) -> Result<Response, Problem> {
    let _turn = app.gathering().try_acquire().map_err(|_| Problem::unavailable(RETRY_S))?;
    let bundle = evidence::bundle(app.registry(), &by, inquiry, size).await?;
    let name = format!("attachment; filename=\"{inquiry}.{}.zip\"", bundle.log_size);
    let name = HeaderValue::try_from(name).map_err(|error| Problem::internal(&error))?;
    let mut response = Response::new(Body::from(bundle.bytes));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    headers.insert(CONTENT_DISPOSITION, name);
    Ok(response)
}
