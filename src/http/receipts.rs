//! Receipts: for whoever asked, for auditors, and for holders as far as their own works go.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use validator::Validate;

use super::app::App;
use super::checks::NoQuery;
use super::extract::{ValidPath, ValidQuery};
use super::gate::{Access, Scope};
use super::page::{Limit, Page, cursor, read_cursor};
use super::problem::{Code, Problem};
use super::reply::Reply;
use super::routes::Route;
use crate::domain::ids::{CheckId, OrgId};
use crate::log::receipt::signed::Row;
use crate::registry::answer::moment;
use crate::registry::authority::Verified;
use crate::registry::oauth::jwk::Jwk;
use crate::registry::receipts::{self, MAX_BASIS, Of, WorksPage};
use crate::store::checks::StoredCheck;
use crate::store::receipt_keys::ReceiptKey;

pub(super) fn routes() -> Vec<Route> {
    let read = Access::Any(Scope::Read);
    vec![
        Route::get("/v1/checks", "listChecks", read, list),
        Route::get("/v1/checks/{check}/receipt", "getReceipt", read, receipt),
        Route::get("/v1/checks/{check}/receipt.jws", "getSignedReceipt", read, signed),
        Route::get("/v1/checks/{check}/works", "listCheckedWorks", read, works),
        Route::get("/receipts/jwks", "getReceiptKeys", Access::Public, keys),
    ]
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Listed {
    developer: Option<OrgId>,
    #[serde(default)]
    asked_for_others: bool,
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
}

impl Listed {
    fn of(&self) -> Result<Of, Problem> {
        match (self.developer, self.asked_for_others) {
            (Some(_), true) => {
                let detail = "name a developer, or ask for what you asked for others, not both";
                Err(Problem::new(Code::InvalidQuery).at("/asked_for_others", "invalid_value", detail))
            }
            (_, true) => Ok(Of::Contractor),
            (developer, false) => Ok(Of::Developer(developer)),
        }
    }
}

#[derive(Serialize)]
struct CheckLine {
    check: String,
    developer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_by: Option<String>,
    at: String,
    items: u64,
    permitted: u64,
    receipt: String,
}

impl From<StoredCheck> for CheckLine {
    fn from(stored: StoredCheck) -> Self {
        let StoredCheck { check, developer, asked_by, at_ms, items, permitted, .. } = stored;
        let receipt = format!("/v1/checks/{check}/receipt");
        Self { check, developer, asked_by, at: moment(at_ms), items, permitted, receipt }
    }
}

/// `GET /v1/checks`.
async fn list(
    State(app): State<App>,
    by: Verified,
    ValidQuery(asked): ValidQuery<Listed>,
) -> Result<Reply, Problem> {
    let of = asked.of()?;
    let name = format!("listChecks:{of:?}");
    let before = asked.cursor.as_deref().map(|text| read_cursor::<CheckId>(&name, text)).transpose()?;
    let before = before.map(|check| check.to_string());
    let rows = u32::from(asked.limit.get()) + 1;
    let found = receipts::list(app.registry(), &by, of, before.as_deref(), rows).await?;
    let page = Page::cut(found, asked.limit, &name, |last| last.check.clone())?;
    let items: Vec<CheckLine> = page.items.into_iter().map(CheckLine::from).collect();
    Reply::ok(&Page { items, next: page.next })
}

/// Entries with commas between them, as a query has them.
#[derive(Debug, Default)]
struct Entries(Vec<u64>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = |part: &str| part.parse().ok().filter(|_| part.bytes().all(|b| b.is_ascii_digit()));
        let entries: Option<Vec<u64>> = text.split(',').map(number).collect();
        let entries = entries.filter(|entries| entries.len() <= MAX_BASIS);
        let expected = format!("must be 1 to {MAX_BASIS} numbers of entries with commas between them");
        entries.map(Self).ok_or_else(|| serde::de::Error::custom(expected))
    }
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Rested {
    #[serde(default)]
    basis: Entries,
}

/// `GET /v1/checks/{check}/receipt`.
async fn receipt(
    State(app): State<App>,
    by: Verified,
    ValidPath(check): ValidPath<CheckId>,
    ValidQuery(Rested { basis: Entries(basis) }): ValidQuery<Rested>,
) -> Result<Reply, Problem> {
    Reply::ok(&receipts::receipt(app.registry(), &by, check, &basis).await?)
}

/// `GET /v1/checks/{check}/receipt.jws`.
async fn signed(
    State(app): State<App>,
    by: Verified,
    ValidPath(check): ValidPath<CheckId>,
    _query: ValidQuery<NoQuery>,
) -> Result<Response, Problem> {
    let jws = receipts::statement(app.registry(), &by, check).await?;
    let mut response = Response::new(Body::from(jws));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/jose"));
    Ok(response)
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Paged {
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
}

#[derive(Serialize)]
struct Works {
    check: CheckId,
    developer: OrgId,
    at: String,
    items: Vec<Row>,
    next: Option<String>,
}

/// `GET /v1/checks/{check}/works`.
async fn works(
    State(app): State<App>,
    by: Verified,
    ValidPath(check): ValidPath<CheckId>,
    ValidQuery(Paged { limit, cursor: at }): ValidQuery<Paged>,
) -> Result<Reply, Problem> {
    let name = format!("listCheckedWorks:{check}");
    let from = at.as_deref().map(|text| read_cursor::<u64>(&name, text)).transpose()?.unwrap_or(0);
    let found = receipts::works(app.registry(), &by, check, from, usize::from(limit.get())).await?;
    let WorksPage { record, works, next } = found;
    Reply::ok(&Works {
        check,
        developer: record.developer,
        at: moment(record.at_ms),
        items: works,
        next: next.map(|next| cursor(&name, next)).transpose()?,
    })
}

#[derive(Serialize)]
struct KeySet {
    keys: Vec<Key>,
}

#[derive(Serialize)]
struct Key {
    #[serde(flatten)]
    jwk: Jwk,
    /// When it was first ready to sign, in seconds since 1970, as OpenID Federation has it.
    iat: i64,
}

/// `GET /receipts/jwks`.
async fn keys(State(app): State<App>) -> Result<Reply, Problem> {
    let found = receipts::keys(app.registry()).await?;
    let key =
        |it: ReceiptKey| Key { jwk: Jwk::signing(&it.public, &it.kid), iat: it.first_ms.div_euclid(1_000) };
    let reply = Reply::ok(&KeySet { keys: found.into_iter().map(key).collect() })?;
    Ok(reply.header(CACHE_CONTROL, HeaderValue::from_static("no-cache")))
}
