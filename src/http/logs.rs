//! The logs in public, as C2SP `tlog-tiles` has them, with proofs for those who fetch no tiles.

use std::fmt;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::Response;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use validator::Validate;

use super::app::App;
use super::extract::{ValidPath, ValidQuery};
use super::gate::{Access, Roles, Scope};
use super::page::{Limit, Page, read_cursor};
use super::problem::{Code, Problem};
use super::reply::Reply;
use super::routes::Route;
use crate::log::merkle::{Hash, MAX_SIZE};
use crate::log::tile::TilePath;
use crate::registry::answer::moment;
use crate::registry::authority::Auditor;
use crate::registry::published::{self, EarlierName, KeyState, KeyView, LogName, LogView, Which};

mod entries;

/// What never changes once it is there.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// What is asked for again each time.
const EACH_TIME: &str = "no-cache";

pub(super) fn routes() -> Vec<Route> {
    let (public, audit) = (Access::Public, Access::Role(Roles::AUDITORS, Scope::Audit));
    let mut routes = vec![
        Route::get("/logs", "listLogs", public, list),
        Route::get("/logs/{log}/checkpoint", "getCheckpoint", public, checkpoint),
        Route::get("/logs/{log}/checkpoints", "listCheckpoints", public, checkpoints),
        Route::get("/logs/{log}/checkpoints/{size}", "getCheckpointOfSize", public, checkpoint_of_size),
        Route::get("/logs/{log}/tile/{level}/{*index}", "getTile", public, tile),
        Route::get("/logs/{log}/tile/entries/{*index}", "getEntryBundle", audit, bundle),
        Route::get("/logs/{log}/proofs/inclusion", "proveInclusion", public, inclusion),
        Route::get("/logs/{log}/proofs/consistency", "proveConsistency", public, consistency),
        Route::get("/logs/{log}/proofs/file", "getProofFile", public, proof_file),
    ];
    routes.extend(entries::routes());
    routes
}

/// An answer that is not JSON.
fn plain(content_type: &'static str, cache: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}

fn text(cache: &'static str, body: String) -> Response {
    plain("text/plain; charset=utf-8", cache, body)
}

fn bytes(cache: &'static str, body: Vec<u8>) -> Response {
    plain("application/octet-stream", cache, body)
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub(super) struct Paged {
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
}

impl Paged {
    /// How many rows to read so that the end is known.
    fn rows(&self) -> u32 {
        u32::from(self.limit.get()) + 1
    }

    /// Where the page begins.
    fn place<K: serde::de::DeserializeOwned>(&self, of: &str) -> Result<Option<K>, Problem> {
        self.cursor.as_deref().map(|cursor| read_cursor(of, cursor)).transpose()
    }
}

#[derive(Serialize)]
struct PublicLog {
    log: String,
    origin: String,
    prefix: String,
    size: u64,
    root: String,
    keys: Vec<Signer>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    continues: Vec<Earlier>,
}

#[derive(Serialize)]
struct Earlier {
    origin: String,
    size: u64,
    root: String,
}

#[derive(Serialize)]
struct Signer {
    verifier_key: String,
    first_size: u64,
    first: String,
    state: KeyState,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<String>,
}

impl From<LogView> for PublicLog {
    fn from(view: LogView) -> Self {
        let key = |KeyView { key, state, end }: KeyView| Signer {
            verifier_key: key.verifier_key,
            first_size: key.first_size,
            first: moment(key.first_ms),
            state,
            last_size: end.as_ref().map(|end| end.last_size),
            last: end.map(|end| moment(end.last_ms)),
        };
        Self {
            prefix: format!("/logs/{}", view.log),
            log: view.log.to_string(),
            origin: view.origin,
            size: view.head.size,
            root: base64(&view.head.root),
            keys: view.keys.into_iter().map(key).collect(),
            continues: view.continues.into_iter().map(Earlier::from).collect(),
        }
    }
}

impl From<EarlierName> for Earlier {
    fn from(name: EarlierName) -> Self {
        Self { origin: name.origin, size: name.head.size, root: base64(&name.head.root) }
    }
}

fn base64(hash: &Hash) -> String {
    BASE64.encode(hash.as_ref())
}

/// `GET /logs`.
async fn list(State(app): State<App>, ValidQuery(asked): ValidQuery<Paged>) -> Result<Reply, Problem> {
    let after: Option<LogName> = asked.place("listLogs")?;
    let found = published::logs(app.registry(), after.as_ref(), asked.rows()).await?;
    let page = Page::cut(found, asked.limit, "listLogs", |last| last.log.clone())?;
    let items: Vec<PublicLog> = page.items.into_iter().map(PublicLog::from).collect();
    Reply::ok(&Page { items, next: page.next })
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Newest {
    #[serde(default)]
    cosigned: bool,
}

/// `GET /logs/{log}/checkpoint`.
async fn checkpoint(
    State(app): State<App>,
    ValidPath(log): ValidPath<LogName>,
    ValidQuery(Newest { cosigned }): ValidQuery<Newest>,
) -> Result<Response, Problem> {
    let which = if cosigned { Which::Cosigned } else { Which::Newest };
    Ok(text(EACH_TIME, published::checkpoint(app.registry(), &log, which).await?))
}

/// `GET /logs/{log}/checkpoints/{size}`.
async fn checkpoint_of_size(
    State(app): State<App>,
    ValidPath((log, size)): ValidPath<(LogName, u64)>,
) -> Result<Response, Problem> {
    Ok(text(EACH_TIME, published::checkpoint(app.registry(), &log, Which::OfSize(size)).await?))
}

#[derive(Serialize)]
struct CheckpointLine {
    size: u64,
    root: String,
    signed: String,
}

/// `GET /logs/{log}/checkpoints`.
async fn checkpoints(
    State(app): State<App>,
    ValidPath(log): ValidPath<LogName>,
    ValidQuery(asked): ValidQuery<Paged>,
) -> Result<Reply, Problem> {
    let of = format!("listCheckpoints:{log}");
    let before: Option<u64> = asked.place(&of)?;
    let found = published::checkpoints(app.registry(), &log, before, asked.rows()).await?;
    let page = Page::cut(found, asked.limit, &of, |last| last.tree.size)?;
    let line = |it: crate::store::tiles::StoredCheckpoint| CheckpointLine {
        size: it.tree.size,
        root: base64(&it.tree.root),
        signed: moment(it.at_ms),
    };
    Reply::ok(&Page { items: page.items.into_iter().map(line).collect(), next: page.next })
}

fn tile_path(level: &str, index: &str) -> Result<TilePath, Problem> {
    format!("tile/{level}/{index}").parse().map_err(|error: crate::log::tile::PathError| {
        Problem::new(Code::InvalidPath).at("/index", "invalid_value", error.to_string())
    })
}

/// `GET /logs/{log}/tile/{level}/{index}`.
async fn tile(
    State(app): State<App>,
    ValidPath((log, level, index)): ValidPath<(LogName, String, String)>,
) -> Result<Response, Problem> {
    let TilePath::Hashes(tile) = tile_path(&level, &index)? else { return Err(Problem::not_found()) };
    Ok(bytes(FOR_EVER, published::tile(app.registry(), &log, tile).await?))
}

/// `GET /logs/{log}/tile/entries/{index}`.
async fn bundle(
    State(app): State<App>,
    by: Auditor,
    ValidPath((log, index)): ValidPath<(LogName, String)>,
) -> Result<Response, Problem> {
    let TilePath::Entries { index, width } = tile_path("entries", &index)? else {
        return Err(Problem::not_found());
    };
    Ok(bytes("private, no-store", published::bundle(app.registry(), &by, &log, index, width).await?))
}

/// A number of entries, or the place of one, as a query has it.
#[derive(Clone, Copy, Debug)]
struct Count(u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl serde::de::Visitor<'_> for Reader {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number from 0 to 2^53")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Count, E> {
                let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
                let number = text.parse().ok().filter(|number| is_plain && *number <= MAX_SIZE);
                number.map(Count).ok_or_else(|| E::custom("must be a number from 0 to 2^53"))
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Inclusion {
    index: Count,
    size: Count,
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Consistency {
    old: Count,
    new: Count,
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct InFile {
    index: Count,
    size: Option<Count>,
}

#[derive(Serialize)]
struct InclusionProof {
    index: u64,
    size: u64,
    hashes: Vec<String>,
}

#[derive(Serialize)]
struct ConsistencyProof {
    old: u64,
    new: u64,
    hashes: Vec<String>,
}

fn hashes(proof: &[Hash]) -> Vec<String> {
    proof.iter().map(base64).collect()
}

fn wrong(place: &'static str, why: String) -> Problem {
    Problem::new(Code::InvalidQuery).at(place, "invalid_value", why)
}

/// `GET /logs/{log}/proofs/inclusion`.
async fn inclusion(
    State(app): State<App>,
    ValidPath(log): ValidPath<LogName>,
    ValidQuery(Inclusion { index: Count(index), size: Count(size) }): ValidQuery<Inclusion>,
) -> Result<Reply, Problem> {
    if index >= size {
        return Err(wrong("/index", format!("there is no entry {index} in a tree of {size} entries")));
    }
    let proof = published::inclusion(app.registry(), &log, index, size).await?;
    let reply = Reply::ok(&InclusionProof { index, size, hashes: hashes(&proof) })?;
    Ok(reply.header(CACHE_CONTROL, HeaderValue::from_static(FOR_EVER)))
}

/// `GET /logs/{log}/proofs/consistency`.
async fn consistency(
    State(app): State<App>,
    ValidPath(log): ValidPath<LogName>,
    ValidQuery(Consistency { old: Count(old), new: Count(new) }): ValidQuery<Consistency>,
) -> Result<Reply, Problem> {
    if old > new {
        return Err(wrong("/old", format!("a tree of {new} entries can't continue one of {old}")));
    }
    let proof = published::consistency(app.registry(), &log, old, new).await?;
    let reply = Reply::ok(&ConsistencyProof { old, new, hashes: hashes(&proof) })?;
    Ok(reply.header(CACHE_CONTROL, HeaderValue::from_static(FOR_EVER)))
}

/// `GET /logs/{log}/proofs/file`.
async fn proof_file(
    State(app): State<App>,
    ValidPath(log): ValidPath<LogName>,
    ValidQuery(InFile { index: Count(index), size }): ValidQuery<InFile>,
) -> Result<Response, Problem> {
    let file = published::proof_file(app.registry(), &log, index, size.map(|Count(size)| size)).await?;
    let mut response = text(EACH_TIME, file.to_string());
    let name = format!("attachment; filename=\"{log}-{index}.tlog-proof\"");
    let name = HeaderValue::try_from(name).map_err(|error| Problem::internal(&error))?;
    response.headers_mut().insert(CONTENT_DISPOSITION, name);
    Ok(response)
}
