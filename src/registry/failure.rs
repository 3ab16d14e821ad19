//! Why a command or a question is not answered as asked.

use std::borrow::Cow;

use super::authority::{AuthorityError, NotAllowed};
use super::sequencer::SubmitError;
use super::shared::FollowError;
use crate::domain::decide::TooMuch;
use crate::store::StoreError;

/// One thing that is wrong with what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where in the request's body, as a JSON pointer; empty for the whole.
    pub pointer: Cow<'static, str>,
    /// Which rule.
    pub code: &'static str,
    /// What happened, to what, what to do.
    pub detail: String,
}

/// Why not.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// There is no such thing, or the caller may not see it: the two are not told apart.
    #[error("there is nothing here that you may see")]
    NotFound,
    /// There is no such thing, and everybody may know why.
    #[error("{0}")]
    Absent(String),
    /// The caller may see it, and may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// The state of things does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// Something in the request breaks a rule.
    #[error("the request breaks a rule")]
    Invalid(Vec<Fault>),
    /// It could not be recorded.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// Who asks is not who it says, or nobody: the two are not told apart.
    #[error("{0}")]
    NotYou(&'static str),
    /// The session began without a second factor, and this needs one.
    #[error("{0}")]
    SecondFactor(&'static str),
    /// The password is right, and a code of the second factor is missing.
    #[error("a code of your second factor is needed")]
    CodeRequired,
    /// It was tried too often.
    #[error("too many tries: wait {retry_s} seconds")]
    TooMany {
        /// After how many seconds one may try again.
        retry_s: u32,
    },
    /// It takes too long to answer.
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
    /// The database, or this node.
    #[error("{0}")]
    Unavailable(String),
}

impl Failure {
    /// One thing is wrong.
    pub fn fault(pointer: &'static str, code: &'static str, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![Fault { pointer: Cow::Borrowed(pointer), code, detail: detail.into() }])
    }
}

impl From<NotAllowed> for Failure {
    fn from(why: NotAllowed) -> Self {
        Self::Forbidden(why.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Limit(why) => Self::Conflict(why),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<FollowError> for Failure {
    fn from(error: FollowError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<AuthorityError> for Failure {
    fn from(error: AuthorityError) -> Self {
        Self::Unavailable(error.to_string())
    }
}
