//! Works: registering, describing, withdrawing, merging, finding.

use axum::extract::State;
use serde::Deserialize;
use validator::Validate;

use super::acts::{OF_WORK, READ, REGISTRAR, WORKS, WORKS_OR_REGISTRAR, record};
use super::app::App;
use super::etag::Etag;
use super::extract::{AtLeast, IfMatch, Submitted, ValidPath, ValidQuery};
use super::failure::{Place, Places};
use super::page::{Limit, Page, read_cursor};
use super::problem::Problem;
use super::reply::Reply;
use super::routes::{KIB, Route};
use super::text::Title;
use super::wire::{KeyIn, Reasoned, Titles, is_published};
use crate::domain::act::WorkKind;
use crate::domain::ids::{OrgId, WorkId};
use crate::domain::key::Sha256;
use crate::registry::authority::Verified;
use crate::registry::orders::{self, Registration};
use crate::registry::{position, record as records};

#[rustfmt::skip]
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/works", "listWorks", READ, list),
        Route::post("/v1/works", "registerWork", WORKS, register).body_bytes(REGISTRATION_BYTES),
        Route::get("/v1/works/{work}", "getWork", READ, one),
        Route::patch("/v1/works/{work}", "amendWork", WORKS, amend),
        Route::post("/v1/works/{work}/withdraw", "withdrawWork", WORKS_OR_REGISTRAR, withdraw),
        Route::post("/v1/works/{work}/merge", "mergeWork", REGISTRAR, merge),
        Route::get("/v1/works/{work}/position", "getPosition", READ, get_position),
    ]
}

/// The largest registration, in bytes: 200 holders, 200 layers, 1,000 keys of ordinary length.
pub(super) const REGISTRATION_BYTES: usize = 256 * KIB;

/// Where the lists of a registration stand in the body.
const REGISTRATION: Places = &[
    ("/bindings", Place::List("/keys")),
    ("/holders", Place::List("/holders")),
    ("/layers", Place::List("/layers")),
    ("/part_of", Place::List("/part_of")),
    ("/work", Place::Body("")),
];

/// A work as it is to be registered. Every list is stated, though it may be empty.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub(super) struct RegisterBody {
    #[serde(default, deserialize_with = "super::wire::given")]
    pub(super) on_behalf_of: Option<OrgId>,
    kind: WorkKind,
    #[validate(nested)]
    titles: Titles,
    #[validate(custom(function = is_published))]
    #[serde(default, deserialize_with = "super::wire::given")]
    published: Option<String>,
    #[validate(length(max = 200))]
    holders: Vec<OrgId>,
    roster_complete: bool,
    #[validate(length(max = 200))]
    layers: Vec<WorkId>,
    layers_complete: bool,
    #[validate(length(max = 16))]
    part_of: Vec<WorkId>,
    #[validate(nested)]
    keys: Vec<KeyIn>,
}

impl RegisterBody {
    /// The registration, with its keys in normal form.
    pub(super) fn into_registration(self) -> Result<Registration, Problem> {
        Ok(Registration {
            kind: self.kind,
            titles: self.titles.into_payload(),
            published: self.published,
            holders: self.holders,
            roster_complete: self.roster_complete,
            layers: self.layers,
            layers_complete: self.layers_complete,
            part_of: self.part_of,
            keys: self.keys.iter().map(KeyIn::key).collect::<Result<_, _>>()?,
        })
    }
}

/// `POST /v1/works`.
async fn register(
    State(app): State<App>,
    by: Verified,
    body: Submitted<RegisterBody>,
) -> Result<Reply, Problem> {
    let (once, body) = body.into_parts();
    let principal = body.on_behalf_of;
    let order = orders::register(app.clock(), body.into_registration()?).on_behalf_of(principal);
    record(&app, &by, order, once, REGISTRATION).await
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
    /// Works of anybody with a title that begins so; the caller's own when it is left out.
    #[validate(nested)]
    title: Option<Title>,
}

/// `GET /v1/works`.
async fn list(
    State(app): State<App>,
    by: Verified,
    _: AtLeast,
    ValidQuery(asked): ValidQuery<Asked>,
) -> Result<Reply, Problem> {
    let rows = u32::from(asked.limit.get()) + 1;
    let Some(title) = &asked.title else {
        let of = "listWorks";
        let after: Option<String> = asked.cursor.map(|cursor| read_cursor(of, &cursor)).transpose()?;
        let found = records::own(app.registry(), &by, after.as_deref(), rows).await?;
        return Reply::ok(&Page::cut(found, asked.limit, of, |last| last.work.clone())?);
    };
    // By its digest: a cursor is of bounded length, a title may be longer.
    let of = format!("listWorks:{}", Sha256::of(title.as_str().as_bytes()));
    let after: Option<(String, String)> = asked.cursor.map(|cursor| read_cursor(&of, &cursor)).transpose()?;
    let after = after.as_ref().map(|(key, work)| (key.as_str(), work.as_str()));
    let found = records::search(app.registry(), &by, title.as_str(), after, rows).await?;
    let page = Page::cut(found, asked.limit, &of, |(line, key)| (key.clone(), line.work.clone()))?;
    let items: Vec<_> = page.items.into_iter().map(|(line, _)| line).collect();
    Reply::ok(&Page { items, next: page.next })
}

/// `GET /v1/works/{work}`.
async fn one(
    State(app): State<App>,
    by: Verified,
    _: AtLeast,
    ValidPath(work): ValidPath<WorkId>,
) -> Result<Reply, Problem> {
    let view = records::one(app.registry(), &by, work).await?;
    Ok(Reply::ok(&view)?.etag(&Etag::of_entry(view.entry)))
}

/// A new description, which replaces the old one whole.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct AmendBody {
    #[serde(default, deserialize_with = "super::wire::given")]
    on_behalf_of: Option<OrgId>,
    kind: WorkKind,
    #[validate(nested)]
    titles: Titles,
    #[validate(custom(function = is_published))]
    #[serde(default, deserialize_with = "super::wire::given")]
    published: Option<String>,
}

/// `PATCH /v1/works/{work}`.
async fn amend(
    State(app): State<App>,
    by: Verified,
    ValidPath(work): ValidPath<WorkId>,
    seen: IfMatch,
    body: Submitted<AmendBody>,
) -> Result<Reply, Problem> {
    let (once, body) = body.into_parts();
    let order = orders::amend(work, body.kind, body.titles.into_payload(), body.published)
        .on_behalf_of(body.on_behalf_of);
    let order = match seen.entries() {
        Some(entries) => order.while_unchanged(work, entries),
        None => order,
    };
    record(&app, &by, order, once, OF_WORK).await
}

/// `POST /v1/works/{work}/withdraw`.
async fn withdraw(
    State(app): State<App>,
    by: Verified,
    ValidPath(work): ValidPath<WorkId>,
    body: Submitted<Reasoned>,
) -> Result<Reply, Problem> {
    let (once, body) = body.into_parts();
    let note = body.note.map(super::text::Note::into_string);
    let order = orders::withdraw(work).on_behalf_of(body.on_behalf_of).note(note);
    record(&app, &by, order, once, OF_WORK).await
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct MergeBody {
    into: WorkId,
    #[validate(nested)]
    #[serde(default, deserialize_with = "super::wire::given")]
    note: Option<super::text::Note>,
}

/// `POST /v1/works/{work}/merge`.
async fn merge(
    State(app): State<App>,
    by: Verified,
    ValidPath(work): ValidPath<WorkId>,
    body: Submitted<MergeBody>,
) -> Result<Reply, Problem> {
    const PLACES: Places = &[("/duplicate", Place::Path)];
    let (once, body) = body.into_parts();
    let order = orders::merge(work, body.into).note(body.note.map(super::text::Note::into_string));
    record(&app, &by, order, once, PLACES).await
}

/// `GET /v1/works/{work}/position`.
async fn get_position(
    State(app): State<App>,
    by: Verified,
    _: AtLeast,
    ValidPath(work): ValidPath<WorkId>,
) -> Result<Reply, Problem> {
    Reply::ok(&position::position(app.registry(), &by, work).await?)
}
