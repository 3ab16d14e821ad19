//! An entry of the log: one act, and who did it when.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::act::Act;
use super::ids::{OrgId, PersonId};
use super::key::Sha256;

/// The version of the form of an entry.
pub const ENTRY_VERSION: u8 = 1;
/// The most bytes of an entry in canonical JSON; a C2SP entry bundle gives its length in 16 bits.
pub const MAX_ENTRY_BYTES: usize = 65_535;

/// 16 random bytes, without which the leaf hash of an entry could be guessed from its likely content.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt(pub [u8; 16]);

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salt(…)")
    }
}

impl Serialize for Salt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&HEXLOWER.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Salt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(serde::de::Error::custom)?;
        Ok(Self(bytes.try_into().map_err(|_| serde::de::Error::custom("a salt has 32 hexadecimal digits"))?))
    }
}

/// One entry. Stored and hashed as the bytes that were written; never re-serialized to verify.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The version of this form.
    pub v: u8,
    /// When it was recorded, in milliseconds since 1970; never less than that of the entry before.
    pub at_ms: i64,
    /// The organization that acts.
    pub party: OrgId,
    /// The principal for whom it acts, when it does so as an agent or association.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<OrgId>,
    /// The persons who acted: none for the registry itself, one, or two where two are needed.
    pub by: Vec<PersonId>,
    /// Who may read the entry, besides auditors and registrar: sorted, distinct.
    pub parties: Vec<OrgId>,
    /// What happened.
    pub act: Act,
    /// The salted digest of the payload that belongs to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Sha256>,
    /// The salt.
    pub salt: Salt,
}

impl Entry {
    /// The organization whose right is exercised: the principal, or the party itself.
    pub fn principal(&self) -> OrgId {
        self.on_behalf_of.unwrap_or(self.party)
    }
}
