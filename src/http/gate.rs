//! The gate before each handler: who is asking, and may they.
//!
//! Missing or invalid credentials answer 401, a missing role or scope 403. What a caller may not see *within* what it
//! may call answers 404, which is the handler's part ([`Problem::not_found`]).

use std::fmt;
use std::ops::BitOr;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use super::app::App;
use super::extract::BodyLimit;
use super::problem::{Code, Problem};
use crate::domain::act::Role;
use crate::domain::ids::{KeyId, OrgId, PersonId};

/// What every API key of this installation begins with.
pub const KEY_PREFIX: &str = "kyo_live_";
const MAX_KEY_CHARS: usize = 128;

/// All roles, in the order in which they are written.
const ALL_ROLES: [Role; 5] =
    [Role::RightsHolder, Role::Association, Role::AiDeveloper, Role::Auditor, Role::Registrar];

const fn bit(role: Role) -> u8 {
    match role {
        Role::RightsHolder => 1,
        Role::Association => 2,
        Role::AiDeveloper => 4,
        Role::Auditor => 8,
        Role::Registrar => 16,
    }
}

/// The name on the wire.
pub const fn role_name(role: Role) -> &'static str {
    match role {
        Role::RightsHolder => "rights_holder",
        Role::Association => "association",
        Role::AiDeveloper => "ai_developer",
        Role::Auditor => "auditor",
        Role::Registrar => "registrar",
    }
}

/// A set of roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Roles(u8);

impl Roles {
    /// Those who can speak for works: holders and associations.
    pub const HOLDERS: Self = Self::of(&[Role::RightsHolder, Role::Association]);
    /// AI developers.
    pub const DEVELOPERS: Self = Self::of(&[Role::AiDeveloper]);
    /// Auditors.
    pub const AUDITORS: Self = Self::of(&[Role::Auditor]);
    /// The registrar.
    pub const REGISTRAR: Self = Self::of(&[Role::Registrar]);

    /// The set of these roles.
    pub const fn of(mut roles: &[Role]) -> Self {
        let mut bits = 0;
        while let [first, rest @ ..] = roles {
            bits |= bit(*first);
            roles = rest;
        }
        Self(bits)
    }

    /// Whether any role is in both.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The roles in it.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        ALL_ROLES.into_iter().filter(move |role| self.0 & bit(*role) != 0)
    }
}

impl BitOr for Roles {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What a key may be used for, within what its organization's roles allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Read works, permissions and one's own records.
    Read,
    /// Register works, holdings, rosters, layers and bindings.
    WorksWrite,
    /// Grant, deny, revoke, reserve; mandates and membership.
    PermissionsWrite,
    /// Ask before use.
    Check,
    /// Read the log as an auditor.
    Audit,
    /// Act as the registrar.
    Register,
    /// Manage the organization's models, people and keys.
    Organization,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 7] = [
        Self::Read,
        Self::WorksWrite,
        Self::PermissionsWrite,
        Self::Check,
        Self::Audit,
        Self::Register,
        Self::Organization,
    ];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::WorksWrite => "works:write",
            Self::PermissionsWrite => "permissions:write",
            Self::Check => "check",
            Self::Audit => "audit",
            Self::Register => "register",
            Self::Organization => "organization",
        }
    }
}

/// Who may call a route. Everything but `Public` states the scope that the key must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody, without credentials.
    Public,
    /// Any organization with a live key.
    Any(Scope),
    /// An organization with one of these roles.
    Role(Roles, Scope),
}

impl Access {
    /// The scope a key must hold; none for public routes.
    pub const fn scope(self) -> Option<Scope> {
        match self {
            Self::Public => None,
            Self::Any(scope) | Self::Role(_, scope) => Some(scope),
        }
    }
}

impl fmt::Display for Access {
    /// The form of `x-access` in the API description: `public`, `any`, or roles joined by `|`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.write_str("public"),
            Self::Any(_) => f.write_str("any"),
            Self::Role(roles, _) => {
                let names: Vec<_> = roles.iter().map(role_name).collect();
                f.write_str(&names.join("|"))
            }
        }
    }
}

/// Who is behind a key, as the floors below know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The id of the key, never the key.
    pub key: KeyId,
    /// The organization.
    pub org: OrgId,
    /// The person for whom the key was made.
    pub person: Option<PersonId>,
    /// The organization's roles.
    pub roles: Roles,
    /// The key's scopes.
    pub scopes: Vec<Scope>,
}

/// The route's part of the gate.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    pub(super) app: App,
    pub(super) access: Access,
    pub(super) body: BodyLimit,
}

/// Lets a request through to its handler, with the caller in its extensions, or answers 401, 403 or 503.
pub(super) async fn pass(
    State(guard): State<Guard>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    request.extensions_mut().insert(guard.body);
    if guard.access == Access::Public {
        return Ok(next.run(request).await);
    }
    let key = bearer(request.headers())?;
    let identity = guard.app.backend().authenticate(key).await?.ok_or_else(invalid_credentials)?;
    admit(guard.access, &identity)?;
    let org = identity.org;
    request.extensions_mut().insert(Caller(identity));
    let mut response = next.run(request).await;
    response.extensions_mut().insert(CalledBy(org));
    Ok(response)
}

/// The organization that was answered, for the trace line.
#[derive(Clone, Copy, Debug)]
pub(super) struct CalledBy(pub(super) OrgId);

fn admit(access: Access, identity: &Identity) -> Result<(), Problem> {
    if let Access::Role(roles, _) = access
        && !identity.roles.meets(roles)
    {
        return Err(Problem::new(Code::RoleRequired).detail(format!("only for the roles `{access}`")));
    }
    match access.scope() {
        Some(scope) if !identity.scopes.contains(&scope) => {
            let scope = scope.as_str();
            let challenge =
                format!("Bearer realm=\"kyodaku\", error=\"insufficient_scope\", scope=\"{scope}\"");
            let problem =
                Problem::new(Code::ScopeRequired).detail(format!("the key lacks the scope `{scope}`"));
            Err(match HeaderValue::try_from(challenge) {
                Ok(value) => problem.header(WWW_AUTHENTICATE, value),
                Err(_) => problem,
            })
        }
        _ => Ok(()),
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, more) = (values.next(), values.next());
    let value = value.ok_or_else(|| Problem::new(Code::Unauthenticated))?;
    let text = value.to_str().ok().filter(|_| more.is_none()).ok_or_else(invalid_credentials)?;
    let (scheme, key) = text.split_once(' ').ok_or_else(invalid_credentials)?;
    let shaped = key.starts_with(KEY_PREFIX)
        && key.len() <= MAX_KEY_CHARS
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    (scheme.eq_ignore_ascii_case("bearer") && shaped).then_some(key).ok_or_else(invalid_credentials)
}

fn invalid_credentials() -> Problem {
    let challenge = HeaderValue::from_static("Bearer realm=\"kyodaku\", error=\"invalid_token\"");
    Problem::new(Code::InvalidCredentials).header(WWW_AUTHENTICATE, challenge)
}

/// Any caller with a live key, as the gate found it; a handler argument.
#[derive(Clone, Debug)]
pub struct Caller(Identity);

impl Caller {
    /// Who it is.
    pub fn identity(&self) -> &Identity {
        &self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        // Absent only on a public route, where no handler can have a caller: refused, not guessed.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::new(Code::Unauthenticated))
    }
}

macro_rules! callers {
    ($($(#[$doc:meta])* $name:ident: $roles:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(Identity);

        impl $name {
            /// Who it is.
            pub fn identity(&self) -> &Identity {
                &self.0
            }
        }

        impl<S: Send + Sync> FromRequestParts<S> for $name {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
                let Caller(identity) = Caller::from_request_parts(parts, state).await?;
                if identity.roles.meets($roles) { Ok(Self(identity)) } else { Err(Problem::new(Code::RoleRequired)) }
            }
        }
    )*};
}

callers! {
    /// A caller that can speak for works: a holder or an association.
    HolderCaller: Roles::HOLDERS;
    /// A caller that is an AI developer.
    DeveloperCaller: Roles::DEVELOPERS;
    /// A caller that is an auditor.
    AuditorCaller: Roles::AUDITORS;
    /// A caller that is the registrar.
    RegistrarCaller: Roles::REGISTRAR;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(value: &str) -> Result<String, Code> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        bearer(&headers).map(str::to_owned).map_err(|problem| problem.code())
    }

    #[test]
    fn only_a_bearer_key_of_our_shape_is_looked_up() {
        assert_eq!(key_of("bearer kyo_live_Ab9"), Ok("kyo_live_Ab9".to_owned()));
        let long = format!("Bearer kyo_live_{}", "a".repeat(200));
        for bad in
            ["", "Bearer", "Bearer ", "Basic kyo_live_x", "Bearer  kyo_live_x", "Bearer kyo_live_x y", &long]
        {
            assert_eq!(key_of(bad), Err(Code::InvalidCredentials), "{bad}");
        }
        assert_eq!(bearer(&HeaderMap::new()).unwrap_err().code(), Code::Unauthenticated);
        let mut twice = HeaderMap::new();
        twice.append(AUTHORIZATION, HeaderValue::from_static("Bearer kyo_live_a"));
        twice.append(AUTHORIZATION, HeaderValue::from_static("Bearer kyo_live_b"));
        assert_eq!(bearer(&twice).unwrap_err().code(), Code::InvalidCredentials);
    }

    #[test]
    fn access_is_written_as_in_the_description() {
        let either = Access::Role(Roles::HOLDERS | Roles::AUDITORS, Scope::Read);
        assert_eq!(either.to_string(), "rights_holder|association|auditor");
        assert_eq!(
            (Access::Public.to_string(), Access::Any(Scope::Read).to_string()),
            ("public".into(), "any".into())
        );
    }
}
