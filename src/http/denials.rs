//! Refusals, and the opt-outs that are neither refusal nor permission.

use axum::extract::State;
use serde::Deserialize;
use validator::{Validate, ValidationErrors};

use super::acts::{CONSENT, READ, RESERVE, record};
use super::app::App;
use super::etag::Etag;
use super::extract::{AtLeast, Submitted, ValidPath, ValidQuery};
use super::failure::{Place, Places};
use super::grants::{Asked, paged};
use super::problem::Problem;
use super::reply::Reply;
use super::routes::Route;
use super::wire::{Begin, End, KeyIn, Plain};
use crate::domain::act::{ReservationForm, ReservedSubject, Signal};
use crate::domain::ids::{DenialId, ModelId, OrgId, ReservationId, WorkId};
use crate::domain::key::Sha256;
use crate::domain::scope::Scope;
use crate::domain::territory::Territory;
use crate::domain::uses::{Use, UseOrFamily};
use crate::registry::authority::Verified;
use crate::registry::orders::{self, Denied};
use crate::registry::permissions;

#[rustfmt::skip]
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/denials", "listDenials", READ, list),
        Route::post("/v1/denials", "recordDenial", CONSENT, deny),
        Route::get("/v1/denials/{denial}", "getDenial", READ, one),
        Route::post("/v1/denials/{denial}/withdraw", "withdrawDenial", CONSENT, withdraw),
        Route::get("/v1/reservations", "listReservations", READ, list_reservations),
        Route::post("/v1/reservations", "recordReservation", RESERVE, reserve),
        Route::get("/v1/reservations/{reservation}", "getReservation", READ, one_reservation),
        Route::post("/v1/reservations/{reservation}/withdraw", "withdrawReservation", RESERVE, take_off),
    ]
}

/// A denial. What is left out means all of it (R9).
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct DenialBody {
    #[serde(default, deserialize_with = "super::wire::given")]
    on_behalf_of: Option<OrgId>,
    work: WorkId,
    #[serde(default, deserialize_with = "super::wire::given")]
    parts: Option<bool>,
    #[serde(default, deserialize_with = "super::wire::given")]
    uses: Option<Scope<UseOrFamily>>,
    #[serde(default, deserialize_with = "super::wire::given")]
    developers: Option<Scope<OrgId>>,
    #[serde(default, deserialize_with = "super::wire::given")]
    models: Option<Scope<ModelId>>,
    #[serde(default, deserialize_with = "super::wire::given")]
    territories: Option<Scope<Territory>>,
    #[serde(default, deserialize_with = "super::wire::given")]
    from: Option<Begin>,
    #[serde(default, deserialize_with = "super::wire::given")]
    until: Option<End>,
}

/// `POST /v1/denials`.
async fn deny(State(app): State<App>, by: Verified, body: Submitted<DenialBody>) -> Result<Reply, Problem> {
    let (once, body) = body.into_parts();
    let denied = Denied {
        work: body.work,
        parts: body.parts,
        uses: body.uses,
        developers: body.developers,
        models: body.models,
        territories: body.territories,
        from: body.from.map(|from| from.0),
        until: body.until.map(|until| until.0),
    };
    let order = orders::deny(app.clock(), denied).on_behalf_of(body.on_behalf_of);
    record(&app, &by, order, once, &[]).await
}

/// `GET /v1/denials`.
async fn list(
    State(app): State<App>,
    by: Verified,
    _: AtLeast,
    ValidQuery(asked): ValidQuery<Asked>,
) -> Result<Reply, Problem> {
    let (of, before) = asked.place("listDenials")?;
    let limit = asked.limit.get();
    paged(&of, permissions::denials(app.registry(), &by, asked.work, before, limit).await?)
}

/// `GET /v1/denials/{denial}`.
async fn one(
    State(app): State<App>,
    by: Verified,
    _: AtLeast,
    ValidPath(denial): ValidPath<DenialId>,
) -> Result<Reply, Problem> {
    let view = permissions::denial(app.registry(), &by, denial).await?;
    Ok(Reply::ok(&view)?.etag(&Etag::of_entry(view.last_entry)))
}

/// `POST /v1/denials/{denial}/withdraw`.
async fn withdraw(
    State(app): State<App>,
    by: Verified,
    ValidPath(denial): ValidPath<DenialId>,
    body: Submitted<Plain>,
) -> Result<Reply, Problem> {
    const PLACES: Places = &[("/denial", Place::Path)];
    let (once, body) = body.into_parts();
    let order = orders::withdraw_denial(denial).on_behalf_of(body.on_behalf_of);
    record(&app, &by, order, once, PLACES).await
}

/// What a reservation is about: exactly one of `{"work": …}` and `{"key": …}`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SubjectIn {
    Work(WorkId),
    Key(KeyIn),
}

impl Validate for SubjectIn {
    fn validate(&self) -> Result<(), ValidationErrors> {
        match self {
            Self::Work(_) => Ok(()),
            Self::Key(key) => ValidationErrors::merge(Ok(()), "key", key.validate()),
        }
    }
}

impl SubjectIn {
    fn subject(self) -> Result<ReservedSubject, Problem> {
        match self {
            Self::Work(work) => Ok(ReservedSubject::Work(work)),
            Self::Key(key) => Ok(ReservedSubject::Key(key.key()?)),
        }
    }
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct ReservationBody {
    #[serde(default, deserialize_with = "super::wire::given")]
    on_behalf_of: Option<OrgId>,
    #[validate(nested)]
    subject: SubjectIn,
    form: ReservationForm,
    signal: Signal,
    uses: Scope<Use>,
    #[serde(default, deserialize_with = "super::wire::given")]
    evidence: Option<Sha256>,
}

/// `POST /v1/reservations`.
async fn reserve(
    State(app): State<App>,
    by: Verified,
    body: Submitted<ReservationBody>,
) -> Result<Reply, Problem> {
    let (once, body) = body.into_parts();
    let subject = body.subject.subject()?;
    let order = orders::reserve(app.clock(), subject, body.form, body.signal, body.uses, body.evidence);
    record(&app, &by, order.on_behalf_of(body.on_behalf_of), once, &[]).await
}

/// `GET /v1/reservations`.
async fn list_reservations(
    State(app): State<App>,
    by: Verified,
    _: AtLeast,
    ValidQuery(asked): ValidQuery<Asked>,
) -> Result<Reply, Problem> {
    let (of, before) = asked.place("listReservations")?;
    let limit = asked.limit.get();
    paged(&of, permissions::reservations(app.registry(), &by, asked.work, before, limit).await?)
}

/// `GET /v1/reservations/{reservation}`.
async fn one_reservation(
    State(app): State<App>,
    by: Verified,
    _: AtLeast,
    ValidPath(reservation): ValidPath<ReservationId>,
) -> Result<Reply, Problem> {
    let view = permissions::reservation(app.registry(), &by, reservation).await?;
    Ok(Reply::ok(&view)?.etag(&Etag::of_entry(view.last_entry)))
}

/// `POST /v1/reservations/{reservation}/withdraw`.
async fn take_off(
    State(app): State<App>,
    by: Verified,
    ValidPath(reservation): ValidPath<ReservationId>,
    body: Submitted<Plain>,
) -> Result<Reply, Problem> {
    const PLACES: Places = &[("/reservation", Place::Path)];
    let (once, body) = body.into_parts();
    let order = orders::withdraw_reservation(reservation).on_behalf_of(body.on_behalf_of);
    record(&app, &by, order, once, PLACES).await
}
