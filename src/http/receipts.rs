//! Receipts: for whoever asked, for auditors, and for holders as far as their own works go.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::Response;
use data_encoding::BASE64URL_NOPAD;
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
use crate::domain::ids::{CheckId, InquiryId, OrgId, WorkId};
use crate::domain::uses::Use;
use crate::log::receipt::CheckRecord;
use crate::registry::answer::moment;
use crate::registry::authority::{Proof, Verified};
use crate::registry::inquiries::Sight;
use crate::registry::oauth::jwk::Jwk;
use crate::registry::receipts::{self, MAX_BASIS, Of, PageOf, RestedOn, Wanted};
use crate::store::checks::StoredCheck;
use crate::store::public_keys::PublicKey;

pub(super) fn routes() -> Vec<Route> {
    let read = Access::Any(Scope::Read);
    vec![
        Route::get("/v1/checks", "listChecks", read, list),
        Route::get("/v1/checks/{check}/grants", "listCheckedGrants", read, grants),
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
    work: Option<WorkId>,
    since: Option<jiff::Timestamp>,
    until: Option<jiff::Timestamp>,
    inquiry: Option<InquiryId>,
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
}

impl Listed {
    fn wanted(&self) -> Result<Wanted, Problem> {
        Ok(Wanted {
            of: self.of()?,
            work: self.work,
            since_ms: self.since.map(jiff::Timestamp::as_millisecond),
            until_ms: self.until.map(jiff::Timestamp::as_millisecond),
        })
    }

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
    let wanted = asked.wanted()?;
    let name = format!("listChecks:{wanted:?}:{:?}", asked.inquiry);
    let before = asked.cursor.as_deref().map(|text| open_cursor(&app, &name, text)).transpose()?;
    let (registry, most) = (app.registry(), usize::from(asked.limit.get()));
    let sight = Sight::of(registry, by.actor(), asked.inquiry).await?;
    let listed = receipts::list(registry, &by, &sight, &wanted, before, most).await?;
    let items: Vec<CheckLine> = listed.found.into_iter().map(CheckLine::from).collect();
    let next = listed.next.map(|next| sealed_cursor(&app, &name, next)).transpose()?;
    Reply::ok(&Page { items, next })
}

/// A cursor that does not tell of the check after which the next page begins: it may be one that is not told.
fn sealed_cursor(app: &App, of: &str, after: CheckId) -> Result<String, Problem> {
    let sealed = app.registry().seal_place(&after.to_string(), of);
    cursor(of, BASE64URL_NOPAD.encode(&sealed.unwrap_or_default()))
}

fn open_cursor(app: &App, of: &str, text: &str) -> Result<CheckId, Problem> {
    let sealed = read_cursor::<String>(of, text)?;
    let sealed = BASE64URL_NOPAD.decode(sealed.as_bytes()).ok();
    let place = sealed.and_then(|sealed| app.registry().open_place(&sealed, of)?.parse().ok());
    place.ok_or_else(|| Problem::new(Code::InvalidCursor))
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
    inquiry: Option<InquiryId>,
}

/// `GET /v1/checks/{check}/receipt`.
async fn receipt(
    State(app): State<App>,
    by: Verified,
    ValidPath(check): ValidPath<CheckId>,
    ValidQuery(Rested { basis: Entries(basis), inquiry }): ValidQuery<Rested>,
) -> Result<Reply, Problem> {
    let sight = Sight::of(app.registry(), by.actor(), inquiry).await?;
    let receipt = receipts::receipt(app.registry(), &by, &sight, check, &basis).await?;
    Reply::ok(&receipt)
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
    inquiry: Option<InquiryId>,
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
}

/// A page of what a check is about.
#[derive(Serialize)]
struct OfCheck<T> {
    check: CheckId,
    developer: OrgId,
    at: String,
    items: Vec<T>,
    next: Option<String>,
}

impl<T: Serialize> OfCheck<T> {
    fn new(record: &CheckRecord, items: Vec<T>, next: Option<String>) -> Self {
        let CheckRecord { check, developer, at_ms, .. } = *record;
        Self { check, developer, at: moment(at_ms), items, next }
    }
}

/// `GET /v1/checks/{check}/works`.
async fn works(
    State(app): State<App>,
    by: Verified,
    ValidPath(check): ValidPath<CheckId>,
    ValidQuery(asked): ValidQuery<Paged>,
) -> Result<Reply, Problem> {
    let name = format!("listCheckedWorks:{check}");
    let from = asked.cursor.as_deref().map(|text| read_cursor::<u64>(&name, text)).transpose()?;
    let (registry, most) = (app.registry(), usize::from(asked.limit.get()));
    let sight = Sight::of(registry, by.actor(), asked.inquiry).await?;
    let found = receipts::works(registry, &by, &sight, check, from.unwrap_or(0), most).await?;
    let PageOf { record, works, next } = found;
    let next = next.map(|next| cursor(&name, next)).transpose()?;
    Reply::ok(&OfCheck::new(&record, works, next))
}

#[derive(Serialize)]
struct Rest {
    work: WorkId,
    uses: Vec<Use>,
    rests_on: Vec<u64>,
}

/// `GET /v1/checks/{check}/grants`.
async fn grants(
    State(app): State<App>,
    by: Verified,
    ValidPath(check): ValidPath<CheckId>,
    ValidQuery(asked): ValidQuery<Paged>,
) -> Result<Reply, Problem> {
    let name = format!("listCheckedGrants:{check}");
    let from = asked.cursor.as_deref().map(|text| read_cursor::<u64>(&name, text)).transpose()?;
    let (registry, most) = (app.registry(), usize::from(asked.limit.get()));
    let sight = Sight::of(registry, by.actor(), asked.inquiry).await?;
    let found = receipts::grants(registry, &by, &sight, check, from.unwrap_or(0), most).await?;
    let PageOf { record, works, next } = found;
    let rest = |RestedOn { work, uses, entries }| Rest { work, uses, rests_on: entries };
    let next = next.map(|next| cursor(&name, next)).transpose()?;
    let items = works.into_iter().map(rest).collect();
    Reply::ok(&OfCheck::new(&record, items, next))
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
        |it: PublicKey| Key { jwk: Jwk::signing(&it.public, &it.kid), iat: it.first_ms.div_euclid(1_000) };
    let reply = Reply::ok(&KeySet { keys: found.into_iter().map(key).collect() })?;
    Ok(reply.header(CACHE_CONTROL, HeaderValue::from_static("no-cache")))
}
