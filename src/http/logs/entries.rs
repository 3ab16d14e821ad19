//! The entries of the act log, for those whom they concern.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use validator::Validate;

use super::{Count, Paged};
use crate::http::acts::{REGISTRAR, record};
use crate::http::app::App;
use crate::http::extract::{Bare, ValidPath, ValidQuery};
use crate::http::failure::{Place, Places};
use crate::http::gate::{Access, Scope};
use crate::http::page::{Limit, Page};
use crate::http::problem::Problem;
use crate::http::reply::Reply;
use crate::http::routes::Route;
use crate::registry::answer::moment;
use crate::registry::authority::Verified;
use crate::registry::{orders, published};
use crate::store::entries::StoredEntry;

pub(super) fn routes() -> Vec<Route> {
    let access = Access::Any(Scope::Read);
    vec![
        Route::get("/v1/entries", "listEntries", access, list),
        Route::get("/v1/entries/{entry}", "getEntry", access, one),
        Route::post("/v1/entries/{entry}/erasure", "erasePayload", REGISTRAR, erase),
    ]
}

#[derive(Serialize)]
struct Line {
    index: u64,
    recorded: String,
    /// The bytes that were hashed, which are text.
    entry: String,
}

impl Line {
    fn of(stored: StoredEntry) -> Result<Self, Problem> {
        let entry = String::from_utf8(stored.bytes).map_err(|error| Problem::internal(&error))?;
        Ok(Self { index: stored.index, recorded: moment(stored.at_ms), entry })
    }
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
    from: Option<Count>,
}

/// `GET /v1/entries`.
async fn list(
    State(app): State<App>,
    by: Verified,
    ValidQuery(Asked { limit, cursor, from }): ValidQuery<Asked>,
) -> Result<Reply, Problem> {
    let asked = Paged { limit, cursor };
    let begin = from.map_or(0, |Count(from)| from);
    let from = asked.place("listEntries")?.unwrap_or(begin);
    let found = published::party_entries(app.registry(), &by, from, asked.rows()).await?;
    let page = Page::cut(found, asked.limit, "listEntries", |last| last.index + 1)?;
    let items: Vec<Line> = page.items.into_iter().map(Line::of).collect::<Result<_, _>>()?;
    Reply::ok(&Page { items, next: page.next })
}

/// `GET /v1/entries/{entry}`.
async fn one(
    State(app): State<App>,
    by: Verified,
    ValidPath(index): ValidPath<u64>,
) -> Result<Reply, Problem> {
    Reply::ok(&Line::of(published::entry(app.registry(), &by, index).await?)?)
}

/// `POST /v1/entries/{entry}/erasure`.
async fn erase(
    State(app): State<App>,
    by: Verified,
    ValidPath(entry): ValidPath<u64>,
    Bare(once): Bare,
) -> Result<Reply, Problem> {
    const PLACES: Places = &[("/entry", Place::Path)];
    record(&app, &by, orders::erase(entry), once, PLACES).await
}
