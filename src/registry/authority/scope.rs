//! What keys and sessions may be used for, within what the roles of their organization allow.

use serde::{Deserialize, Serialize};

use super::Roles;

/// What a key or session may be used for, within what its organization's roles allow.
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
    /// Read the log as an auditor or investigator.
    Audit,
    /// Act as the registrar.
    Register,
    /// Manage the organization's models, people and keys.
    Organization,
    /// Approve, as the second person, what a colleague proposed.
    Approve,
    /// Open and close inquiries.
    Inquire,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 9] = [
        Self::Read,
        Self::WorksWrite,
        Self::PermissionsWrite,
        Self::Check,
        Self::Audit,
        Self::Register,
        Self::Organization,
        Self::Approve,
        Self::Inquire,
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
            Self::Approve => "approve",
            Self::Inquire => "inquire",
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
            Self::Read | Self::Organization | Self::Approve => true,
            Self::WorksWrite => roles.meets(Roles::HOLDERS_AND_REGISTRAR),
            Self::PermissionsWrite => !roles.meets(Roles::REGISTRAR),
            Self::Check => roles.meets(Roles::DEVELOPERS),
            Self::Audit => roles.meets(Roles::INSPECTORS),
            Self::Inquire => roles.meets(Roles::INQUIRERS),
            Self::Register => roles.meets(Roles::REGISTRAR),
        }
    }
}

/// A set of scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Scopes(u16);

impl Scopes {
    /// Everything that an organization with these roles can use.
    pub fn of_roles(roles: Roles) -> Self {
        Scope::ALL.into_iter().filter(|scope| scope.is_for(roles)).collect()
    }

    /// Whether the scope is in the set.
    pub const fn holds(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u16) != 0
    }

    /// Whether all of these are in the set.
    pub const fn hold(self, all: Self) -> bool {
        self.0 & all.0 == all.0
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

    /// The scopes that are in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Reads the stored form. A word that is not known gives nothing.
    pub fn from_stored(text: &str) -> Self {
        text.split(' ').filter_map(Scope::from_name).collect()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | 1 << scope as u16))
    }
}

/// What a person may do within the organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonRole {
    /// Everything that the organization may, and manages its people and their keys.
    Admin,
    /// Everything that the organization may.
    Editor,
    /// Reads.
    Viewer,
}

impl PersonRole {
    /// The name on the wire and in the tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Editor => "editor",
            Self::Viewer => "viewer",
        }
    }

    /// The role of this name; a name that is not known may do the least.
    pub fn from_stored(name: &str) -> Self {
        let known = [Self::Admin, Self::Editor].into_iter().find(|role| role.as_str() == name);
        known.unwrap_or(Self::Viewer)
    }

    /// The scopes that a person of this role may use.
    pub fn scopes(self) -> Scopes {
        match self {
            Self::Admin | Self::Editor => Scope::ALL.into_iter().collect(),
            Self::Viewer => [Scope::Read, Scope::Audit].into_iter().collect(),
        }
    }
}
