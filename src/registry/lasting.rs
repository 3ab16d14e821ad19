//! What outlives whoever leaves it behind: credentials, people, ways in.
//!
//! A token of a program ends within ten minutes, and a session that began by a password alone has shown little. Neither makes
//! itself into more.

use super::accounts::MadeKey;
use super::authority::Actor;
use super::failure::Failure;

/// Refuses the token of a program what would be there when it is over: `what` it does not do.
pub(super) fn refuse_token(actor: &Actor, what: &str) -> Result<(), Failure> {
    if !actor.is_by_token() {
        return Ok(());
    }
    let why = format!("a token {what}, for that outlives it: use the key itself, or sign in");
    Err(Failure::Forbidden(why))
}

/// Refuses a session that began without a second factor a key that may approve, which the session may not.
pub(super) fn refuse_approver(actor: &Actor, key: Option<&MadeKey>) -> Result<(), Failure> {
    if actor.has_factor() || !key.is_some_and(MadeKey::may_approve) {
        return Ok(());
    }
    let why =
        "a key that may approve needs a second factor: state scopes without `approve`, or sign in with one";
    Err(Failure::SecondFactor(why))
}
