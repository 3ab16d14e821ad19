//! What the handlers of acts share: who may call, and how an order is recorded and answered.

use super::app::App;
use super::failure::{Place, Places, refused};
use super::gate::{Access, Roles, Scope};
use super::problem::Problem;
use super::reply::Reply;
use crate::registry::Once;
use crate::registry::authority::Verified;
use crate::registry::orders::{self, Order};

/// Any verified organization, reading.
pub(super) const READ: Access = Access::Any(Scope::Read);
/// Rights holders and associations, about works.
pub(super) const WORKS: Access = Access::Role(Roles::HOLDERS, Scope::WorksWrite);
/// They, or the registrar.
pub(super) const WORKS_OR_REGISTRAR: Access = Access::Role(Roles::HOLDERS_AND_REGISTRAR, Scope::WorksWrite);
/// Rights holders and associations, permitting and refusing.
pub(super) const CONSENT: Access = Access::Role(Roles::HOLDERS, Scope::PermissionsWrite);
/// Any verified organization but the registrar, whose keys never have the scope.
pub(super) const RESERVE: Access = Access::Any(Scope::PermissionsWrite);
/// The registrar.
pub(super) const REGISTRAR: Access = Access::Role(Roles::REGISTRAR, Scope::Register);

/// The work stands in the path; all else where the act has it.
pub(super) const OF_WORK: Places = &[("/work", Place::Path)];

/// Records an order and answers what it made.
pub(super) async fn record(
    app: &App,
    by: &Verified,
    order: Order,
    once: Once,
    places: Places,
) -> Result<Reply, Problem> {
    let submitted = orders::record(app.registry(), by, order, once).await.map_err(refused(places))?;
    Reply::recorded(&submitted)
}
