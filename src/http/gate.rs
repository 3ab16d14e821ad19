//! The gate before each handler: who is asking, and may they.
//!
//! Missing or invalid credentials answer 401, a missing role or scope 403. What a caller may not see *within* what it
//! may call answers 404, which is the handler's part ([`Problem::not_found`]).

use std::fmt;
use std::net::IpAddr;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use url::form_urlencoded;

use super::app::App;
use super::envelope::RequestId;
use super::extract::BodyLimit;
use super::extract::peer::peer;
use super::problem::{Code, Problem};
use super::rates::{Counted, Left};
use super::sandbox;
use crate::domain::ids::{InquiryId, OrgId, PersonId};
pub use crate::registry::authority::{Actor, Roles, Scope, role_name};
use crate::registry::authority::{
    Auditor, AuthorityError, CredentialId, Developer, Holder, Inspector, NotAllowed, Registrar, Verified,
};
use crate::registry::credential::{Credential, Secret};
use crate::registry::sign_in::token::MAX_CHARS;
use crate::registry::trail::Event;

/// Who may call a route. Everything but `Public` states the scope that the key must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody, without credentials.
    Public,
    /// Any organization with a live key, verified or not: only for what it may know about itself.
    Own,
    /// Any verified organization.
    Any(Scope),
    /// An organization with one of these roles.
    Role(Roles, Scope),
}

impl Access {
    /// The scope a key must hold; none for public routes and one's own state.
    pub const fn scope(self) -> Option<Scope> {
        match self {
            Self::Public | Self::Own => None,
            Self::Any(scope) | Self::Role(_, scope) => Some(scope),
        }
    }
}

impl fmt::Display for Access {
    /// The form of `x-access` in the API description: `public`, `own`, `any`, or roles joined by `|`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.write_str("public"),
            Self::Own => f.write_str("own"),
            Self::Any(_) => f.write_str("any"),
            Self::Role(roles, _) => {
                let names: Vec<_> = roles.iter().map(role_name).collect();
                f.write_str(&names.join("|"))
            }
        }
    }
}

/// The route's part of the gate.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    pub(super) app: App,
    pub(super) access: Access,
    pub(super) body: BodyLimit,
    pub(super) trailed: bool,
    pub(super) operation: Operation,
}

/// The running operation's id; in every request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation(pub &'static str);

/// Lets a request through to its handler, with the caller in its extensions, or answers 401, 403, 429 or 503. What somebody did
/// that concerns security is on the trail before it is answered; what was refused, and what nobody in particular did, when there is time.
pub(super) async fn pass(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    if !guard.trailed {
        return trail(guard, request, next).await;
    }
    // Whoever goes away stops what it waits for. What is done all the same must be on the trail.
    let answered = tokio::spawn(RequestId::running().around(trail(guard, request, next))).await;
    answered.unwrap_or_else(|error| Problem::internal(&error).into_response())
}

async fn trail(guard: Guard, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let (peer, id) = (peer(&parts, &guard.app), parts.extensions.get::<RequestId>().cloned());
    let inquiry = inquiry_of(&parts.uri);
    let request = Request::from_parts(parts, body);
    let mut by = None;
    let answered = enter(&guard, request, next, peer, &mut by).await;
    let mut response = answered.unwrap_or_else(IntoResponse::into_response);
    // Signing in says who came in.
    let by = by.or_else(|| response.extensions().get::<CalledBy>().cloned());
    let status = response.status();
    let event = Event {
        operation: guard.operation.0,
        status: status.as_u16(),
        org: by.as_ref().map(|by| by.org),
        person: by.as_ref().map(|by| by.person),
        credential: by.as_ref().and_then(|by| by.credential).map(|credential| credential.to_string()),
        peer: Some(peer),
        request: id.map(|id| id.as_str().to_owned()),
        inquiry,
    };
    let (is_trailed, is_refused) = (guard.trailed, REFUSALS.contains(&status));
    // What was refused changed nothing, and told nothing.
    let is_done = |by: &CalledBy| is_trailed && !status.is_client_error() || by.is_watched && !is_refused;
    if by.as_ref().is_some_and(is_done) {
        if let Err(failure) = guard.app.registry().trail().record(event).await {
            return Problem::from(failure).into_response();
        }
    } else if (is_trailed || is_refused) && (by.is_some() || status != StatusCode::TOO_MANY_REQUESTS) {
        guard.app.registry().trail().note(event);
    }
    if let Some(by) = by {
        response.extensions_mut().insert(by);
    }
    response
}

/// What is on the trail whoever was answered it.
const REFUSALS: [StatusCode; 3] =
    [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS];

async fn enter(
    guard: &Guard,
    mut request: Request,
    next: Next,
    peer: IpAddr,
    by: &mut Option<CalledBy>,
) -> Result<Response, Problem> {
    request.extensions_mut().insert(guard.body);
    request.extensions_mut().insert(guard.app.room().clone());
    request.extensions_mut().insert(guard.operation);
    let count = |who| guard.app.rates().map(|rates| rates.count(who)).transpose();
    if guard.access == Access::Public {
        let left = if guard.is_counted() { count(Counted::Network(peer))? } else { None };
        return Ok(told(next.run(request).await, left));
    }
    let known = match credential(request.headers()) {
        Ok(shown) => guard.app.registry().authenticate(&shown).await?.ok_or_else(invalid_credentials),
        Err(problem) => Err(problem),
    };
    // Whoever guesses at credentials is counted too.
    let actor = known.map_err(|problem| count(Counted::Network(peer)).err().unwrap_or(problem))?;
    *by = Some(CalledBy::of(&actor));
    let left = count(Counted::Person(actor.person()))?;
    if let Some(bounds) = guard.app.bounds() {
        sandbox::admit(bounds, &actor, request.method()).await?;
    }
    admit(guard.access, &actor)?;
    request.extensions_mut().insert(Caller { actor, scope: guard.access.scope() });
    Ok(told(next.run(request).await, left))
}

fn told(mut response: Response, left: Option<Left>) -> Response {
    if let Some(left) = left {
        left.tell(response.headers_mut());
    }
    response
}

impl Guard {
    /// Whoever watches over this process may ask as often as it likes whether it lives.
    fn is_counted(&self) -> bool {
        !matches!(self.operation.0, "getHealth" | "getReadiness")
    }
}

impl From<AuthorityError> for Problem {
    fn from(error: AuthorityError) -> Self {
        match error {
            AuthorityError::Clock => Self::unanswered(&error).detail(error.to_string()),
            _ => Self::unanswered(&error),
        }
    }
}

/// The inquiry that a request names, to read under it or about it.
fn inquiry_of(uri: &Uri) -> Option<InquiryId> {
    let named = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let named =
        named.into_iter().find_map(|(name, value)| (name == "inquiry").then(|| value.parse().ok()).flatten());
    let in_path = || uri.path().strip_prefix("/v1/inquiries/")?.split('/').next()?.parse().ok();
    named.or_else(in_path)
}

/// Who was answered, for the trace line and the trail.
#[derive(Clone, Debug)]
pub(super) struct CalledBy {
    pub(super) org: OrgId,
    pub(super) person: PersonId,
    /// Not known of whoever was mailed a link.
    pub(super) credential: Option<CredentialId>,
    /// Whether everything that it asks is on the trail: it sees what is others'.
    pub(super) is_watched: bool,
}

impl CalledBy {
    fn of(actor: &Actor) -> Self {
        Self {
            org: actor.org(),
            person: actor.person(),
            credential: Some(actor.credential()),
            is_watched: actor.roles().meets(Roles::INSPECTORS | Roles::REGISTRAR),
        }
    }
}

fn admit(access: Access, actor: &Actor) -> Result<(), Problem> {
    match access {
        Access::Public | Access::Own => Ok(()),
        Access::Any(scope) => Ok(actor.admit(None, scope)?),
        Access::Role(roles, scope) => Ok(actor.admit(Some(roles), scope)?),
    }
}

impl From<NotAllowed> for Problem {
    fn from(why: NotAllowed) -> Self {
        let problem = |code| Self::new(code).detail(why.to_string());
        match why {
            NotAllowed::State(_) => problem(Code::NotVerified),
            NotAllowed::Role(_) => problem(Code::RoleRequired),
            NotAllowed::SecondFactor => problem(Code::SecondFactorRequired),
            NotAllowed::Scope(scope) => {
                let scope = scope.as_str();
                let challenge =
                    format!("Bearer realm=\"kyodaku\", error=\"insufficient_scope\", scope=\"{scope}\"");
                match HeaderValue::try_from(challenge) {
                    Ok(value) => problem(Code::ScopeRequired).header(WWW_AUTHENTICATE, value),
                    Err(_) => problem(Code::ScopeRequired),
                }
            }
        }
    }
}

fn credential(headers: &HeaderMap) -> Result<Credential, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, more) = (values.next(), values.next());
    let value = value.ok_or_else(|| Problem::new(Code::Unauthenticated))?;
    let text = value.to_str().ok().filter(|_| more.is_none()).ok_or_else(invalid_credentials)?;
    let (scheme, shown) = text.split_once(' ').ok_or_else(invalid_credentials)?;
    // `API` is what clients of the URL query send.
    let known = ["bearer", "api"].iter().any(|name| scheme.eq_ignore_ascii_case(name));
    if !known || shown.len() > MAX_CHARS {
        return Err(invalid_credentials());
    }
    // A JWT has two dots, a key of ours has none.
    if shown.contains('.') {
        return Ok(Credential::Token(shown.to_owned()));
    }
    let key = Secret::read(shown).map_err(|mistyped| invalid_credentials().detail(mistyped.to_string()))?;
    Ok(Credential::Key(key))
}

/// 401 for what was shown and is not good.
pub(super) fn invalid_credentials() -> Problem {
    let challenge = HeaderValue::from_static("Bearer realm=\"kyodaku\", error=\"invalid_token\"");
    Problem::new(Code::InvalidCredentials).header(WWW_AUTHENTICATE, challenge)
}

/// Any caller with a live key, as the gate found it; a handler argument. It proves nothing but who is asking: handlers
/// that write or answer take [`Verified`], [`Holder`], [`Developer`], [`Auditor`] or [`Registrar`].
#[derive(Clone, Debug)]
pub struct Caller {
    actor: Actor,
    scope: Option<Scope>,
}

impl Caller {
    /// Who it is.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        // Absent only on a public route, where no handler can have a caller: refused, not guessed.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::new(Code::Unauthenticated))
    }
}

macro_rules! proofs {
    ($($name:ident: $prove:expr;)*) => {$(
        /// As a handler argument: proved again, whatever the table of routes says.
        impl<S: Send + Sync> FromRequestParts<S> for $name {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
                let Caller { actor, scope } = Caller::from_request_parts(parts, state).await?;
                // A route for one's own state has no scope, and proves nothing.
                let scope = scope.ok_or_else(|| Problem::new(Code::ScopeRequired))?;
                Ok($prove(&actor, scope)?)
            }
        }
    )*};
}

proofs! {
    Verified: Actor::verified;
    Holder: Holder::prove;
    Developer: Developer::prove;
    Auditor: Auditor::prove;
    Inspector: Inspector::prove;
    Registrar: Registrar::prove;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(value: &str) -> Result<String, Code> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        match credential(&headers).map_err(|problem| problem.code())? {
            Credential::Key(key) => Ok(key.expose().to_owned()),
            Credential::Token(token) => Ok(token),
        }
    }

    #[test]
    fn only_a_bearer_key_of_our_shape_is_looked_up() {
        let key = Secret::new().expose().to_owned();
        assert_eq!(key_of(&format!("bearer {key}")), Ok(key.clone()));
        assert_eq!(key_of("Bearer a.b.c"), Ok("a.b.c".to_owned()));
        let long = format!("Bearer {}.b.c", "a".repeat(2_048));
        for bad in
            ["Basic KEY", "Bearer  KEY", "Bearer KEY y", "Bearer KEYx", "KEY", "", "Bearer", "Bearer ", &long]
        {
            assert_eq!(key_of(&bad.replace("KEY", &key)), Err(Code::InvalidCredentials), "{bad}");
        }
        assert_eq!(credential(&HeaderMap::new()).unwrap_err().code(), Code::Unauthenticated);
        let mut twice = HeaderMap::new();
        twice.append(AUTHORIZATION, HeaderValue::try_from(format!("Bearer {key}")).unwrap());
        twice.append(AUTHORIZATION, HeaderValue::try_from(format!("Bearer {key}")).unwrap());
        assert_eq!(credential(&twice).unwrap_err().code(), Code::InvalidCredentials);
    }

    #[test]
    fn access_is_written_as_in_the_description() {
        let either = Access::Role(Roles::HOLDERS | Roles::AUDITORS, Scope::Read);
        assert_eq!(either.to_string(), "rights_holder|association|auditor");
        assert_eq!(
            [Access::Public, Access::Own, Access::Any(Scope::Read)].map(|access| access.to_string()),
            ["public", "own", "any"]
        );
    }
}
