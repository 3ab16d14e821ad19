//! Who is asking, and what they may do: the only place where that is decided.
//!
//! A key or a session names a person of an organization. What the organization is, and whether it may act, comes from the index as
//! of now, so a suspension acts with the next request. Functions of this floor that write or answer take a *proof*
//! ([`Verified`], [`Holder`], [`Developer`], [`Asker`], [`Auditor`], [`Inspector`], [`Registrar`]); only this module can make one, so no caller
//! can forget to ask.

mod asker;
mod authenticate;
mod scope;

use std::fmt;
use std::ops::BitOr;

pub use asker::Asker;
pub use authenticate::AuthorityError;
pub use scope::{PersonRole, Scope, Scopes};

use super::sequencer::{Body, Once, Submission};
use crate::domain::act::{Act, Role};
use crate::domain::ids::{KeyId, OrgId, PersonId, SessionId};
use crate::domain::index::AsOf;
use crate::domain::index::records::Standing;
use crate::domain::payload::Payload;

/// All roles, in the order in which they are written.
const ALL_ROLES: [Role; 6] = [
    Role::RightsHolder,
    Role::Association,
    Role::AiDeveloper,
    Role::Auditor,
    Role::Registrar,
    Role::Investigator,
];

const fn bit(role: Role) -> u8 {
    match role {
        Role::RightsHolder => 1,
        Role::Association => 2,
        Role::AiDeveloper => 4,
        Role::Auditor => 8,
        Role::Registrar => 16,
        Role::Investigator => 32,
    }
}

/// The name of a role on the wire.
pub const fn role_name(role: Role) -> &'static str {
    match role {
        Role::RightsHolder => "rights_holder",
        Role::Association => "association",
        Role::AiDeveloper => "ai_developer",
        Role::Auditor => "auditor",
        Role::Registrar => "registrar",
        Role::Investigator => "investigator",
    }
}

/// A set of roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Roles(u8);

impl Roles {
    /// Those who can speak for works: holders and associations.
    pub const HOLDERS: Self = Self::of(&[Role::RightsHolder, Role::Association]);
    /// They and the registrar, who withdraws works, links layers, asserts holdings and declares lists.
    pub const HOLDERS_AND_REGISTRAR: Self =
        Self::of(&[Role::RightsHolder, Role::Association, Role::Registrar]);
    /// AI developers.
    pub const DEVELOPERS: Self = Self::of(&[Role::AiDeveloper]);
    /// Auditors.
    pub const AUDITORS: Self = Self::of(&[Role::Auditor]);
    /// Those who read what is others': auditors, and investigators under an inquiry.
    pub const INSPECTORS: Self = Self::of(&[Role::Auditor, Role::Investigator]);
    /// Those who open inquiries.
    pub const AUDITORS_AND_REGISTRAR: Self = Self::of(&[Role::Auditor, Role::Registrar]);
    /// Those who close them.
    pub const INQUIRERS: Self = Self::of(&[Role::Auditor, Role::Investigator, Role::Registrar]);
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

/// By what a caller is known: its id, never the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialId {
    /// An API key.
    Key(KeyId),
    /// A session.
    Session(SessionId),
}

impl fmt::Display for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => key.fmt(f),
            Self::Session(session) => session.fmt(f),
        }
    }
}

/// Whether an organization may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Registered, and not verified yet: it reads its own state and nothing else.
    Registered,
    /// Verified.
    Verified,
    /// Suspended: as if it were not verified.
    Suspended,
}

impl State {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Verified => "verified",
            Self::Suspended => "suspended",
        }
    }

    /// The state of an organization, and its roles, as the index has them.
    pub fn of(now: AsOf<'_>, org: OrgId) -> Option<(Self, Roles)> {
        let org = now.org(org)?;
        let state = match now.standing(org) {
            None => Self::Registered,
            Some((_, Standing::Good)) => Self::Verified,
            Some((_, Standing::Suspended)) => Self::Suspended,
        };
        Some((state, Roles::of(&now.index.orgs.at(org).roles)))
    }
}

/// Somebody with a live key or session. It proves who is asking, and by itself allows only to read one's own state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    credential: CredentialId,
    org: OrgId,
    person: PersonId,
    role: PersonRole,
    roles: Roles,
    state: State,
    scopes: Scopes,
    has_factor: bool,
    is_by_token: bool,
}

impl Actor {
    /// By what the caller is known.
    pub const fn credential(&self) -> CredentialId {
        self.credential
    }

    /// The organization.
    pub const fn org(&self) -> OrgId {
        self.org
    }

    /// The person who asks, or whose key it is.
    pub const fn person(&self) -> PersonId {
        self.person
    }

    /// Whether the person manages the organization's people and their keys.
    pub fn is_admin(&self) -> bool {
        self.role == PersonRole::Admin
    }

    /// What the person may do within the organization.
    pub const fn role(&self) -> PersonRole {
        self.role
    }

    /// The organization's roles, as of now.
    pub const fn roles(&self) -> Roles {
        self.roles
    }

    /// Whether the organization may act, as of now.
    pub const fn state(&self) -> State {
        self.state
    }

    /// Whether more was shown than a password: a second factor, or an API key.
    pub const fn has_factor(&self) -> bool {
        self.has_factor
    }

    /// Whether the caller is a program with a token, which ends within minutes and leaves nothing behind that does not.
    pub const fn is_by_token(&self) -> bool {
        self.is_by_token
    }

    /// What the key or session may be used for.
    pub const fn scopes(&self) -> Scopes {
        self.scopes
    }

    /// Proves that the organization is verified and not suspended, and that the key has the scope.
    pub fn verified(&self, scope: Scope) -> Result<Verified, NotAllowed> {
        self.admit(None, scope).map(|()| Verified(self.clone()))
    }

    /// Whether it is verified, has one of the roles, where some are asked for, and the key has the scope.
    pub fn admit(&self, roles: Option<Roles>, scope: Scope) -> Result<(), NotAllowed> {
        if self.state != State::Verified {
            return Err(NotAllowed::State(self.state));
        }
        if !self.has_factor && self.roles.meets(Roles::REGISTRAR) {
            return Err(NotAllowed::SecondFactor);
        }
        match roles {
            Some(roles) if !self.roles.meets(roles) => Err(NotAllowed::Role(roles)),
            _ if !self.scopes.holds(scope) => Err(NotAllowed::Scope(scope)),
            _ => Ok(()),
        }
    }
}

/// Why somebody with a live key may not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAllowed {
    /// The organization is not verified, or suspended.
    State(State),
    /// It has none of these roles.
    Role(Roles),
    /// The session began without a second factor, and the organization's people need one.
    SecondFactor,
    /// The key or the person's role lacks this scope.
    Scope(Scope),
}

impl fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(State::Suspended) => f.write_str("your organization is suspended"),
            Self::State(_) => f.write_str("your organization is not verified yet"),
            Self::Role(roles) => {
                let names: Vec<_> = roles.iter().map(role_name).collect();
                write!(f, "only for the roles `{}`", names.join("|"))
            }
            Self::SecondFactor => f.write_str("the registrar's people need a second factor"),
            Self::Scope(scope) => write!(f, "the key lacks the scope `{}`", scope.as_str()),
        }
    }
}

/// What a function that needs any verified organization takes: one of the proofs.
pub trait Proof: sealed::Sealed {
    /// Who it is.
    fn actor(&self) -> &Actor;
}

mod sealed {
    /// Keeps others from making proofs.
    pub trait Sealed {}
}

macro_rules! proofs {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(Actor);

        impl sealed::Sealed for $name {}

        impl Proof for $name {
            fn actor(&self) -> &Actor {
                &self.0
            }
        }
    )*};
}

proofs! {
    /// Any verified organization.
    Verified;
    /// A verified rights holder or association.
    Holder;
    /// A verified AI developer.
    Developer;
    /// A verified auditor.
    Auditor;
    /// A verified auditor or investigator.
    Inspector;
    /// The registrar.
    Registrar;
}

macro_rules! role_proofs {
    ($($name:ident: $roles:expr;)*) => {$(
        impl $name {
            /// The roles that prove it, one of them.
            pub const ROLES: Roles = $roles;

            /// Proves it, or says what is missing.
            pub fn prove(actor: &Actor, scope: Scope) -> Result<Self, NotAllowed> {
                actor.admit(Some(Self::ROLES), scope).map(|()| Self(actor.clone()))
            }
        }
    )*};
}

role_proofs! {
    Holder: Roles::HOLDERS;
    Developer: Roles::DEVELOPERS;
    Auditor: Roles::AUDITORS;
    Inspector: Roles::INSPECTORS;
    Registrar: Roles::REGISTRAR;
}

/// A submission by whoever is proved: its organization acts, its person stands behind it.
pub(super) fn submission(
    by: &impl Proof,
    on_behalf_of: Option<OrgId>,
    acts: Vec<(Act, Option<Payload>)>,
    once: Option<Once>,
    body: Body,
) -> Submission {
    let actor = by.actor();
    Submission {
        party: actor.org,
        on_behalf_of,
        by: vec![actor.person],
        acts,
        once,
        body,
        accounts: Vec::new(),
        unchanged: None,
    }
}
