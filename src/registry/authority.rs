//! Who is asking, and what they may do: the only place where that is decided.
//!
//! A key names a person of an organization. What the organization is, and whether it may act, comes from the index as
//! of now, so a suspension acts with the next request. Functions of this floor that write or answer take a *proof*
//! ([`Verified`], [`Holder`], [`Developer`], [`Auditor`], [`Registrar`]); only this module can make one, so no caller
//! can forget to ask.

use std::fmt;
use std::ops::BitOr;

use serde::{Deserialize, Serialize};

use super::credential::Secret;
use super::node::Registry;
use super::sequencer::{Body, Once, Submission};
use super::shared::FollowError;
use crate::domain::act::{Act, Role};
use crate::domain::ids::{KeyId, OrgId, PersonId};
use crate::domain::index::AsOf;
use crate::domain::index::records::{OrgRef, Standing};
use crate::domain::payload::Payload;
use crate::store::{StoreError, accounts};

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

/// The name of a role on the wire.
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
    /// They and the registrar, who withdraws works, links layers, asserts holdings and declares lists.
    pub const HOLDERS_AND_REGISTRAR: Self =
        Self::of(&[Role::RightsHolder, Role::Association, Role::Registrar]);
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Read works, permissions and one's own records.
    Read,
    /// Register works, holdings, rosters, layers and bindings.
    #[serde(rename = "works:write")]
    WorksWrite,
    /// Grant, deny, revoke, reserve; mandates and membership.
    #[serde(rename = "permissions:write")]
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

    /// The scope of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }

    /// Whether an organization with one of these roles has any use for it. Reservations are for everybody but the
    /// registrar, so all others may hold `permissions:write`.
    pub const fn is_for(self, roles: Roles) -> bool {
        match self {
            Self::Read | Self::Organization => true,
            Self::WorksWrite => roles.meets(Roles::HOLDERS_AND_REGISTRAR),
            Self::PermissionsWrite => !roles.meets(Roles::REGISTRAR),
            Self::Check => roles.meets(Roles::DEVELOPERS),
            Self::Audit => roles.meets(Roles::AUDITORS),
            Self::Register => roles.meets(Roles::REGISTRAR),
        }
    }
}

/// A set of scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// Everything that an organization with these roles can use.
    pub fn of_roles(roles: Roles) -> Self {
        Scope::ALL.into_iter().filter(|scope| scope.is_for(roles)).collect()
    }

    /// Whether the scope is in the set.
    pub const fn holds(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u8) != 0
    }

    /// The scopes in it.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.holds(*scope))
    }

    /// The form in which they are stored: names with a blank between them.
    pub fn to_stored(self) -> String {
        let names: Vec<_> = self.iter().map(Scope::as_str).collect();
        names.join(" ")
    }

    /// Reads the stored form. A word that is not known gives nothing.
    pub fn from_stored(text: &str) -> Self {
        text.split(' ').filter_map(Scope::from_name).collect()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | 1 << scope as u8))
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

/// Somebody with a live key. It proves who is asking, and by itself allows only to read one's own state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    key: KeyId,
    org: OrgId,
    person: PersonId,
    admin: bool,
    roles: Roles,
    state: State,
    scopes: Scopes,
}

impl Actor {
    /// The id of the key, never the key.
    pub const fn key(&self) -> KeyId {
        self.key
    }

    /// The organization.
    pub const fn org(&self) -> OrgId {
        self.org
    }

    /// The person whose key it is.
    pub const fn person(&self) -> PersonId {
        self.person
    }

    /// Whether the person manages the organization's people and their keys.
    pub const fn is_admin(&self) -> bool {
        self.admin
    }

    /// The organization's roles, as of now.
    pub const fn roles(&self) -> Roles {
        self.roles
    }

    /// Whether the organization may act, as of now.
    pub const fn state(&self) -> State {
        self.state
    }

    /// What the key may be used for.
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
    /// The key lacks this scope.
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

/// Why nobody can say who is asking.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log.
    #[error(transparent)]
    Follow(#[from] FollowError),
}

impl Registry {
    /// Who holds this key: `None` for one that is unknown, expired or revoked, or whose person was removed, alike.
    pub async fn authenticate(&self, secret: &Secret) -> Result<Option<Actor>, AuthorityError> {
        let now_ms = self.clock().now_ms();
        let Some(found) = accounts::find_key(self.db(), &secret.hash(), now_ms).await? else {
            return Ok(None);
        };
        let row = &found.key;
        let (Ok(key), Ok(org), Ok(person)) = (row.id.parse(), row.org.parse(), row.person.parse()) else {
            let (key, org) = (&row.id, &row.org);
            return Err(StoreError::Corrupt(format!("the key `{key}` of `{org}` bears broken ids")).into());
        };
        let known = self
            .read(|now| {
                let (state, roles) = State::of(now, org)?;
                let stands = now.stands_for(person) == now.org(org).map(OrgRef::Org);
                stands.then_some((state, roles))
            })
            .await?;
        let Some((state, roles)) = known else { return Ok(None) };
        self.note_use(key, now_ms);
        let (admin, scopes) = (found.role == accounts::ADMIN, Scopes::from_stored(&row.scopes));
        Ok(Some(Actor { key, org, person, admin, roles, state, scopes }))
    }

    /// Notes the use of a key, at most once a minute, without letting the caller wait for it.
    fn note_use(&self, key: KeyId, now_ms: i64) {
        if !self.is_to_note(key, now_ms, accounts::TOUCH_INTERVAL_MS) {
            return;
        }
        let (db, id) = (self.db().clone(), key.to_string());
        tokio::spawn(async move {
            let noted = async {
                let mut tx = db.begin().await?;
                accounts::touch_key(&mut tx, &id, now_ms).await?;
                tx.commit().await
            };
            if let Err(error) = noted.await {
                tracing::warn!(target: "kyodaku::authority", %error, key = id, "the use of a key was not noted");
            }
        });
    }
}
