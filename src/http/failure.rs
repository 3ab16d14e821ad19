//! From what the registry says no with to a problem.
//!
//! A refusal names a place in an *act*; a caller knows a *request*. A handler says with a small table which is which:
//!
//! ```text
//! const PLACES: Places = &[("/org", Place::Path), ("/roles", Place::Body("/roles"))];
//! let submitted = organizations::register(…).await.map_err(refused(PLACES))?;
//! ```

use std::borrow::Cow;

use super::gate::invalid_credentials;
use super::problem::{Code, FieldError, Problem};
use crate::domain::admit::{Refusal, code};
use crate::registry::{Failure, Fault, SubmitError};

/// Where in the request the thing stands that an act's pointer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At this pointer of the body; what follows in the act's pointer follows here too.
    Body(&'static str),
    /// In this list of the body, whose items are plain where those of the act have members.
    List(&'static str),
    /// In the path: what is unknown there is answered 404.
    Path,
}

/// Beginnings of pointers into the acts, with their places. The first that fits counts; a pointer that none fits stays
/// as it is.
pub type Places = &'static [(&'static str, Place)];

/// Codes of refusals that say that the caller, not the act, is wrong, wherever they point.
const FORBIDDEN: [&str; 3] = [code::UNAUTHORIZED, code::NO_POWER, code::NOT_BY_AGENT];
/// After how many seconds a command is worth repeating when too much waits.
const BUSY_RETRY_S: u32 = 2;

/// Turns a failure into a problem, with these places.
pub fn refused(places: Places) -> impl Fn(Failure) -> Problem {
    move |failure| problem(failure, places)
}

impl From<Failure> for Problem {
    /// For operations whose body has the places of the act.
    fn from(failure: Failure) -> Self {
        problem(failure, &[])
    }
}

fn problem(failure: Failure, places: Places) -> Problem {
    match failure {
        Failure::NotFound => Problem::not_found(),
        Failure::Absent(why) => Problem::not_found().detail(why),
        Failure::Forbidden(why) => Problem::new(Code::NotAllowed).detail(why),
        Failure::Conflict(why) => Problem::new(Code::Conflict).detail(why),
        Failure::Invalid(faults) => {
            Problem::invalid(Code::InvalidBody, faults.into_iter().map(of_fault).collect())
        }
        Failure::NotYou(why) => invalid_credentials().detail(why.to_owned()),
        Failure::SecondFactor(why) => Problem::new(Code::SecondFactorRequired).detail(why),
        Failure::CodeRequired => Problem::new(Code::CodeRequired),
        Failure::TooMany { retry_s } => Problem::new(Code::TooManyRequests).retry_after(retry_s),
        Failure::TooMuch(why) => Problem::new(Code::TimedOut).detail(why.to_string()),
        Failure::Unavailable(why) => Problem::unanswered(&why),
        Failure::Submit(error) => of_submit(error, places),
    }
}

fn of_submit(error: SubmitError, places: Places) -> Problem {
    match error {
        SubmitError::Refused(refusals) => of_refusals(refusals, places),
        SubmitError::KeyReused => Problem::new(Code::IdempotencyKeyReused),
        SubmitError::Changed(what) => {
            Problem::new(Code::PreconditionFailed).detail(format!("`{what}` has changed since you read it"))
        }
        SubmitError::Busy => Problem::unavailable(BUSY_RETRY_S),
        SubmitError::Clock => Problem::unanswered(&error).detail(error.to_string()),
        SubmitError::Unavailable(_) => Problem::unanswered(&error),
    }
}

fn of_refusals(refusals: Vec<Refusal>, places: Places) -> Problem {
    let in_path = |refusal: &Refusal| place(&refusal.pointer, places).is_none();
    if refusals.iter().any(|refusal| refusal.code == code::UNKNOWN && in_path(refusal)) {
        return Problem::not_found();
    }
    // Not verified may also be somebody whom the body names.
    let forbidden = refusals.iter().any(|refusal| {
        let is_here = refusal.pointer.is_empty() || in_path(refusal);
        FORBIDDEN.contains(&refusal.code) || (is_here && refusal.code == code::NOT_VERIFIED)
    });
    let kind = if forbidden { Code::NotAllowed } else { Code::Refused };
    let errors = refusals.into_iter().map(|refusal| FieldError {
        pointer: place(&refusal.pointer, places).unwrap_or_default(),
        code: Cow::Borrowed(refusal.code),
        detail: refusal.detail,
    });
    Problem::invalid(kind, errors.collect())
}

/// The pointer into the body; `None` for what stands in the path.
fn place(pointer: &str, places: Places) -> Option<String> {
    for (start, place) in places {
        let Some(rest) = pointer.strip_prefix(start) else { continue };
        if rest.is_empty() || rest.starts_with('/') {
            return match place {
                Place::Body(here) => Some(format!("{here}{rest}")),
                Place::List(here) => {
                    let item = rest.split('/').nth(1).map(|item| format!("/{item}"));
                    Some(format!("{here}{}", item.unwrap_or_default()))
                }
                Place::Path => None,
            };
        }
    }
    Some(pointer.to_owned())
}

fn of_fault(fault: Fault) -> FieldError {
    FieldError { pointer: fault.pointer.into_owned(), code: Cow::Borrowed(fault.code), detail: fault.detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: Places =
        &[("/org", Place::Path), ("/holders", Place::Body("/roster")), ("/ties", Place::List("/works"))];

    fn refusal(pointer: &str, code: &'static str) -> Refusal {
        Refusal { pointer: pointer.to_owned(), code, ..Refusal::of_command("why".to_owned()) }
    }

    fn told(refusals: Vec<Refusal>) -> (Code, Vec<String>) {
        let problem = problem(SubmitError::Refused(refusals).into(), PLACES);
        (problem.code(), problem.errors().iter().map(|error| error.pointer.clone()).collect())
    }

    #[test]
    fn places_in_the_act_become_places_in_the_request() {
        let many = vec![refusal("/holders/3/holder", "unknown"), refusal("/uses", "empty"), refusal("", "x")];
        let pointers = ["/roster/3/holder", "/uses", ""].map(str::to_owned).to_vec();
        assert_eq!(told(many), (Code::Refused, pointers));
        let listed = vec![refusal("/ties/2/work", "unknown"), refusal("/ties", "too_many")];
        assert_eq!(told(listed).1, ["/works/2", "/works"]);
        assert_eq!(told(vec![refusal("/organ", "ended")]), (Code::Refused, vec!["/organ".to_owned()]));
        assert_eq!(told(vec![refusal("/org", "ended")]), (Code::Refused, vec![String::new()]));
    }

    #[test]
    fn what_the_path_names_and_nobody_knows_is_not_found() {
        assert_eq!(told(vec![refusal("/org", "unknown"), refusal("/uses", "empty")]).0, Code::NotFound);
        assert_eq!(told(vec![refusal("/holders", "unknown")]).0, Code::Refused);
    }

    #[test]
    fn what_takes_too_much_is_no_answer() {
        let problem = Problem::from(Failure::TooMuch(crate::domain::decide::TooMuch));
        assert_eq!(problem.code(), Code::TimedOut);
    }

    #[test]
    fn a_caller_that_may_not_is_forbidden() {
        assert_eq!(told(vec![refusal("", "unauthorized")]).0, Code::NotAllowed);
        assert_eq!(told(vec![refusal("/holders/0", "not_verified")]).0, Code::Refused);
    }
}
