//! API keys.

use axum::extract::State;
use serde::Deserialize;
use validator::Validate;

use super::app::App;
use super::extract::{Submitted, ValidPath, ValidQuery};
use super::gate::{Access, Caller, Scope};
use super::page::{Limit, Page, read_cursor};
use super::problem::Problem;
use super::reply::Reply;
use super::routes::Route;
use super::text::Label;
use crate::domain::ids::{KeyId, OrgId, PersonId};
use crate::registry::accounts::{self, MAX_KEY_DAYS, NewKey};
use crate::registry::authority::Verified;
use crate::registry::oauth::jwk::PublicKey;
use crate::registry::sandbox;

#[rustfmt::skip]
pub(super) fn routes() -> Vec<Route> {
    const MANAGE: Access = Access::Any(Scope::Organization);
    vec![
        Route::get("/v1/keys", "listKeys", MANAGE, list),
        Route::post("/v1/keys", "createKey", MANAGE, create).trailed(),
        Route::post("/v1/test-keys", "createTestKey", Access::Own, create_for_sandbox).trailed(),
        Route::delete("/v1/keys/{key}", "revokeKey", MANAGE, revoke).trailed(),
    ]
}

/// What a new key shall be.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyBody {
    #[validate(nested)]
    label: Label,
    #[validate(length(min = 1, max = 9))]
    #[serde(default, deserialize_with = "super::wire::given")]
    scopes: Option<Vec<Scope>>,
    #[validate(range(min = 1, max = 365))]
    #[serde(default, deserialize_with = "super::wire::given")]
    expires_in_days: Option<u16>,
}

impl KeyBody {
    pub(super) fn into_new(self) -> NewKey {
        NewKey {
            label: self.label.into_string(),
            scopes: self.scopes,
            days: self.expires_in_days.unwrap_or(MAX_KEY_DAYS),
            public_key: None,
        }
    }
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct CreateBody {
    /// The caller itself when it is left out.
    #[serde(default, deserialize_with = "super::wire::given")]
    person: Option<PersonId>,
    #[validate(nested)]
    label: Label,
    #[validate(length(min = 1, max = 9))]
    #[serde(default, deserialize_with = "super::wire::given")]
    scopes: Option<Vec<Scope>>,
    #[validate(range(min = 1, max = 365))]
    #[serde(default, deserialize_with = "super::wire::given")]
    expires_in_days: Option<u16>,
    #[serde(default, deserialize_with = "super::wire::given")]
    public_key: Option<PublicKey>,
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct TestKeyBody {
    #[validate(nested)]
    label: Label,
    #[validate(length(min = 1, max = 9))]
    #[serde(default, deserialize_with = "super::wire::given")]
    scopes: Option<Vec<Scope>>,
    #[validate(range(min = 1, max = 365))]
    #[serde(default, deserialize_with = "super::wire::given")]
    expires_in_days: Option<u16>,
    #[serde(default, deserialize_with = "super::wire::given")]
    public_key: Option<PublicKey>,
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
    organization: Option<OrgId>,
}

/// `POST /v1/keys`.
async fn create(State(app): State<App>, by: Verified, body: Submitted<CreateBody>) -> Result<Reply, Problem> {
    let (once, CreateBody { person, label, scopes, expires_in_days, public_key }) = body.into_parts();
    let new = NewKey { public_key, ..KeyBody { label, scopes, expires_in_days }.into_new() };
    let (submitted, key) = accounts::create_key(app.registry(), &by, person, &new, once).await?;
    Reply::recorded_with_key(&submitted, key.as_ref())
}

/// `POST /v1/test-keys`.
async fn create_for_sandbox(
    State(app): State<App>,
    by: Caller,
    body: Submitted<TestKeyBody>,
) -> Result<Reply, Problem> {
    let none = || Problem::not_found().detail("this registry has no sandbox");
    let sandbox = app.sandbox().ok_or_else(none)?.registry();
    let (once, TestKeyBody { label, scopes, expires_in_days, public_key }) = body.into_parts();
    let new = NewKey { public_key, ..KeyBody { label, scopes, expires_in_days }.into_new() };
    let made = sandbox::create_key(sandbox, by.actor(), &new, once).await;
    let (submitted, key) = made?;
    Reply::recorded_with_key(&submitted, key.as_ref())
}

/// `GET /v1/keys`.
async fn list(
    State(app): State<App>,
    by: Verified,
    ValidQuery(asked): ValidQuery<Asked>,
) -> Result<Reply, Problem> {
    let of = format!("listKeys:{:?}", asked.organization);
    let after: Option<String> = asked.cursor.map(|cursor| read_cursor(&of, &cursor)).transpose()?;
    let rows = u32::from(asked.limit.get()) + 1;
    let found = accounts::keys(app.registry(), &by, asked.organization, after.as_deref(), rows).await?;
    Reply::ok(&Page::cut(found, asked.limit, &of, |last| last.key.clone())?)
}

/// `DELETE /v1/keys/{key}`.
async fn revoke(
    State(app): State<App>,
    by: Verified,
    ValidPath(key): ValidPath<KeyId>,
) -> Result<Reply, Problem> {
    Reply::ok(&accounts::revoke_key(app.registry(), &by, key).await?)
}
