//! People of an organization.

use axum::extract::State;
use serde::Deserialize;
use validator::Validate;

use super::app::App;
use super::extract::{Submitted, ValidPath};
use super::failure::{Place, Places, refused};
use super::gate::{Access, Scope};
use super::keys::KeyBody;
use super::problem::Problem;
use super::reply::Reply;
use super::routes::Route;
use super::text::{Email, Label};
use crate::domain::ids::{OrgId, PersonId};
use crate::registry::accounts::{self, NewPerson};
use crate::registry::authority::{PersonRole, Verified};
use crate::registry::sign_in;

#[rustfmt::skip]
pub(super) fn routes() -> Vec<Route> {
    const MANAGE: Access = Access::Any(Scope::Organization);
    vec![
        Route::post("/v1/people", "addPerson", MANAGE, add).trailed(),
        Route::delete("/v1/people/{person}", "removePerson", MANAGE, remove).trailed(),
        Route::post("/v1/people/{person}/invitations", "invitePerson", MANAGE, invite).trailed(),
    ]
}

/// The first person of a new organization, or another one.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub(super) struct PersonBody {
    #[validate(nested)]
    label: Label,
    #[validate(nested)]
    #[serde(default, deserialize_with = "super::wire::given")]
    key: Option<KeyBody>,
}

impl PersonBody {
    pub(super) fn into_new(self, role: PersonRole) -> NewPerson {
        let key = self.key.map(KeyBody::into_new);
        NewPerson { label: self.label.into_string(), role, key }
    }
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct AddBody {
    /// The caller's own when it is left out.
    #[serde(default, deserialize_with = "super::wire::given")]
    organization: Option<OrgId>,
    #[validate(nested)]
    label: Label,
    role: PersonRole,
    #[validate(nested)]
    #[serde(default, deserialize_with = "super::wire::given")]
    key: Option<KeyBody>,
}

const PLACES: Places = &[("/org", Place::Body("/organization"))];

/// `POST /v1/people`.
async fn add(State(app): State<App>, by: Verified, body: Submitted<AddBody>) -> Result<Reply, Problem> {
    let (once, AddBody { organization, label, role, key }) = body.into_parts();
    let new = PersonBody { label, key }.into_new(role);
    let added = accounts::add_person(app.registry(), &by, organization, &new, once).await;
    let (submitted, key) = added.map_err(refused(PLACES))?;
    Reply::recorded_with_key(&submitted, key.as_ref())
}

/// `DELETE /v1/people/{person}`.
async fn remove(
    State(app): State<App>,
    by: Verified,
    ValidPath(person): ValidPath<PersonId>,
) -> Result<Reply, Problem> {
    let removed = accounts::remove_person(app.registry(), &by, person).await;
    Reply::recorded(&removed.map_err(refused(&[("/person", Place::Path), ("/org", Place::Path)]))?)
}

/// To where an invitation goes.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct InvitationBody {
    #[validate(nested)]
    email: Email,
}

/// `POST /v1/people/{person}/invitations`.
async fn invite(
    State(app): State<App>,
    by: Verified,
    ValidPath(person): ValidPath<PersonId>,
    body: Submitted<InvitationBody>,
) -> Result<Reply, Problem> {
    let (once, InvitationBody { email }) = body.into_parts();
    Reply::recorded(&sign_in::invite(app.registry(), &by, person, email.as_str(), once).await?)
}
