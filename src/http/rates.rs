//! How many requests are answered, and what is told of it: the headers of draft-ietf-httpapi-ratelimit-headers-10.
//!
//! What counts is the person, whatever keys and sessions it has, so that nobody uses up what another has; without one, the network.

use std::net::IpAddr;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::problem::{Code, Problem};
use crate::clock::Clock;
use crate::domain::ids::PersonId;
use crate::registry::limit::{Limiter, Refused, network};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// The window in which a whole quota is filled again.
const WINDOW: Duration = Duration::from_mins(1);
/// What a network gets without a credential: this part of what a person gets.
const PUBLIC_PART: u32 = 10;

/// Who is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// Whose key or session it is.
    Person(PersonId),
    /// Whoever asks without one.
    Network(IpAddr),
}

/// One quota.
#[derive(Debug)]
struct Quota<K: std::hash::Hash + Eq + Clone> {
    name: &'static str,
    requests: u32,
    limiter: Limiter<K>,
}

impl<K: std::hash::Hash + Eq + Clone> Quota<K> {
    fn new(clock: &Clock, name: &'static str, requests: u32) -> Self {
        let requests = requests.max(1);
        Self { name, requests, limiter: Limiter::new(clock, requests, WINDOW / requests) }
    }

    fn count(&self, key: &K) -> Result<Left, Problem> {
        let counted = self.limiter.count(key);
        let told = |more| Left { name: self.name, requests: self.requests, more };
        match counted {
            Ok(more) => Ok(told(more)),
            Err(refused @ Refused::Wait(_)) => {
                let problem = Problem::new(Code::TooManyRequests).retry_after(refused.retry_s());
                Err(told(0)
                    .headers()
                    .into_iter()
                    .fold(problem, |problem, (name, value)| problem.header(name, value)))
            }
            Err(refused @ Refused::Full) => Err(Problem::unavailable(refused.retry_s())),
        }
    }
}

/// What is left of a quota.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    name: &'static str,
    requests: u32,
    more: u32,
}

impl Left {
    /// The two headers.
    fn headers(self) -> [(HeaderName, HeaderValue); 2] {
        let Self { name, requests, more } = self;
        let window_s = WINDOW.as_secs();
        let used = u64::from(requests.saturating_sub(more));
        let full_in_s = (used * window_s).div_ceil(u64::from(requests.max(1)));
        let value = |text: String| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
        [
            (POLICY, value(format!("\"{name}\";q={requests};w={window_s}"))),
            (LIMIT, value(format!("\"{name}\";r={more};t={full_in_s}"))),
        ]
    }

    /// Tells it in an answer.
    pub(super) fn tell(self, headers: &mut HeaderMap) {
        for (name, value) in self.headers() {
            headers.insert(name, value);
        }
    }
}

/// What one process has answered.
#[derive(Debug)]
pub(super) struct Rates {
    people: Quota<uuid::Uuid>,
    networks: Quota<IpAddr>,
}

impl Rates {
    /// Each person gets so many requests a minute.
    pub(super) fn new(clock: &Clock, requests: u32) -> Self {
        Self {
            people: Quota::new(clock, "person", requests),
            networks: Quota::new(clock, "network", requests / PUBLIC_PART),
        }
    }

    /// Counts one more request, or answers 429.
    pub(super) fn count(&self, who: Counted) -> Result<Left, Problem> {
        match who {
            Counted::Person(person) => self.people.count(&person.uuid()),
            Counted::Network(peer) => self.networks.count(&network(peer)),
        }
    }
}
