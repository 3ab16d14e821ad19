//! Names of things: a short prefix that says what it is, and a UUIDv7 inside.
//!
//! The text form is that of the `TypeID` specification 0.3: `wrk_` and 26 characters of Crockford base32 in lower case.
//! One thing has one spelling: upper case, aliases of digits and overflowing first characters are refused, so that
//! equal names are equal bytes everywhere (in the log too).

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const ENCODED_LEN: usize = 26;

/// Every ten bits as two characters.
#[expect(clippy::indexing_slicing, reason = "done when this is compiled, which fails beyond the end")]
static PAIRS: [[u8; 2]; 1 << 10] = {
    let mut pairs = [[0; 2]; 1 << 10];
    let mut value = 0;
    while value < pairs.len() {
        pairs[value] = [ALPHABET[value >> 5], ALPHABET[value & 31]];
        value += 1;
    }
    pairs
};

/// The value of each byte as a digit; more than 31 for what is none.
#[expect(clippy::indexing_slicing, reason = "done when this is compiled, which fails beyond the end")]
const DIGITS: [u8; 256] = {
    let mut digits = [u8::MAX; 256];
    let mut value = 0_u8;
    while value < 32 {
        digits[ALPHABET[value as usize] as usize] = value;
        value += 1;
    }
    digits
};

/// What an [`Id`] names; its `PREFIX` is what people see before the underscore.
pub trait Kind {
    /// Two to four lower-case letters.
    const PREFIX: &'static str;
    /// The word for error messages, in lower case.
    const NOUN: &'static str;
}

/// The name of one thing of kind `K`: 128 bits, copied freely, never reused.
pub struct Id<K>(Uuid, PhantomData<fn() -> K>);

impl<K: Kind> Id<K> {
    /// The name that holds this UUID.
    pub const fn new(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// The UUID inside.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// The most bytes of a name's text: a prefix, `_`, and the rest.
const MOST_TEXT: usize = 4 + 1 + ENCODED_LEN;

/// The text of a name, made without an allocation.
struct Text {
    bytes: [u8; MOST_TEXT],
    len: usize,
}

impl Text {
    #[expect(clippy::cast_possible_truncation, reason = "of each word only the low 60 bits are read")]
    fn of<K: Kind>(id: Id<K>) -> Self {
        const { assert!(K::PREFIX.len() <= 4, "a prefix has two to four letters") };
        let mut text = Self { bytes: [b'_'; MOST_TEXT], len: K::PREFIX.len() + 1 + ENCODED_LEN };
        let (prefix, rest) = text.bytes.split_at_mut(K::PREFIX.len());
        prefix.copy_from_slice(K::PREFIX.as_bytes());
        let encoded = rest.get_mut(1..=ENCODED_LEN).unwrap_or_default();
        let mut pairs = encoded.as_chunks_mut::<2>().0.iter_mut().rev();
        // Six pairs of characters hold 60 bits: words of that many are cheaper to take apart than the whole.
        let value = id.0.as_u128();
        for mut word in [value as u64, (value >> 60) as u64, (value >> 120) as u64] {
            for pair in pairs.by_ref().take(6) {
                *pair = PAIRS.get((word & 1_023) as usize).copied().unwrap_or_default();
                word >>= 10;
            }
        }
        text
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

impl<K: Kind> Id<K> {
    /// Adds the text of the name to what is there.
    pub fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(Text::of(self).as_bytes());
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Text::of(*self).as_str())
    }
}

impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not the name of the expected kind of thing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected the id of {noun}: `{prefix}_` and 26 characters of lower-case Crockford base32")]
pub struct IdError {
    noun: &'static str,
    prefix: &'static str,
}

impl<K: Kind> FromStr for Id<K> {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = IdError { noun: K::NOUN, prefix: K::PREFIX };
        let encoded = text
            .strip_prefix(K::PREFIX)
            .and_then(|rest| rest.strip_prefix('_'))
            .filter(|rest| rest.len() == ENCODED_LEN)
            .ok_or_else(|| error.clone())?;
        let mut value: u128 = 0;
        for (position, byte) in encoded.bytes().enumerate() {
            let digit = DIGITS.get(usize::from(byte)).copied().filter(|digit| *digit < 32);
            let digit = digit.ok_or_else(|| error.clone())?;
            // 26 characters hold 130 bits: the first may only use three of its five.
            if position == 0 && digit > 7 {
                return Err(error);
            }
            value = (value << 5) | u128::from(digit);
        }
        Ok(Self::new(Uuid::from_u128(value)))
    }
}

impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(Text::of(*self).as_str())
    }
}

impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text<K>(PhantomData<fn() -> K>);
        impl<K: Kind> serde::de::Visitor<'_> for Text<K> {
            type Value = Id<K>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "the id of {}", K::NOUN)
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Id<K>, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text(PhantomData))
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $alias:ident = $kind:ident, $prefix:literal, $noun:literal;)*) => {
        $(
            #[doc = concat!("The kind of [`", stringify!($alias), "`].")]
            #[derive(Debug)]
            pub enum $kind {}
            impl Kind for $kind {
                const PREFIX: &'static str = $prefix;
                const NOUN: &'static str = $noun;
            }
            $(#[$doc])*
            pub type $alias = Id<$kind>;
        )*
        /// Every prefix with the noun it stands for; each prefix stands for one kind.
        pub const PREFIXES: &[(&str, &str)] = &[$(($prefix, $noun)),*];
    };
}

kinds! {
    /// An organization: rights holder, association, AI developer, auditor or registrar.
    OrgId = OrgKind, "org", "an organization";
    /// A person, opaque: the log never says who.
    PersonId = PersonKind, "per", "a person";
    /// A model of an AI developer.
    ModelId = ModelKind, "mdl", "a model";
    /// A work, series or franchise.
    WorkId = WorkKind, "wrk", "a work";
    /// One share in a work.
    HoldingId = HoldingKind, "hld", "a holding";
    /// The tie of a key (URL, hash, identifier) to a work.
    BindingId = BindingKind, "bnd", "a binding";
    /// A tie between two works.
    LinkId = LinkKind, "lnk", "a link";
    /// A permission.
    GrantId = GrantKind, "grt", "a grant";
    /// A refusal that stands until its holder withdraws it.
    DenialId = DenialKind, "dny", "a denial";
    /// An opt-out on record.
    ReservationId = ReservationKind, "rsv", "a reservation";
    /// Power given by a holder to an agent.
    MandateId = MandateKind, "mnd", "a mandate";
    /// Membership of an association.
    MembershipId = MembershipKind, "mbr", "a membership";
    /// The handing over of a holding.
    TransferId = TransferKind, "trf", "a transfer";
    /// An outsider's claim to a work.
    ClaimId = ClaimKind, "clm", "a claim";
    /// A dispute admitted by the registrar.
    DisputeId = DisputeKind, "dsp", "a dispute";
    /// A developer's request for permission.
    RequestId = RequestKind, "req", "a request";
    /// A holder's standing offer.
    OfferId = OfferKind, "ofr", "an offer";
    /// A notice served on a developer.
    NoticeId = NoticeKind, "ntc", "a notice";
    /// A developer's declaration.
    DeclarationId = DeclarationKind, "dcl", "a declaration";
    /// A filed document.
    DocumentId = DocumentKind, "doc", "a document";
    /// An auditor's inquiry.
    InquiryId = InquiryKind, "inq", "an inquiry";
    /// One request for checks.
    CheckId = CheckKind, "chk", "a check";
    /// An API key (its name, not its secret).
    KeyId = KeyKind, "key", "an API key";
    /// A command that waits for a second person.
    ProposalId = ProposalKind, "prp", "a proposal";
    /// A person's sign-in.
    SessionId = SessionKind, "ses", "a session";
    /// Who a person is to a provider of sign-ins.
    IdentityId = IdentityKind, "idn", "an identity";
    /// A challenge to prove control of a host.
    ChallengeId = ChallengeKind, "chl", "a challenge";
    /// An organization that asks for a developer.
    ContractorId = ContractorKind, "ctr", "a contractor";
    /// Something that concerns security.
    EventId = EventKind, "evt", "a security event";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answer_of_the_typeid_specification() {
        let uuid: Uuid = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        assert_eq!(WorkId::new(uuid).to_string(), "wrk_01h455vb4pex5vsknk084sn02q");
        assert_eq!("wrk_01h455vb4pex5vsknk084sn02q".parse::<WorkId>().unwrap().uuid(), uuid);
    }

    #[test]
    fn one_spelling_only() {
        for bad in [
            "",
            "wrk_",
            "wrk_01H455VB4PEX5VSKNK084SN02Q",
            "org_01h455vb4pex5vsknk084sn02q",
            "wrk_81h455vb4pex5vsknk084sn02q",
            "wrk_o1h455vb4pex5vsknk084sn02q",
            "wrk_01h455vb4pex5vsknk084sn02q ",
            "wrk-01h455vb4pex5vsknk084sn02q",
            "wrk_01h455vb4pex5vsknk084sn02é",
        ] {
            assert!(bad.parse::<WorkId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn prefixes_are_unique() {
        let mut prefixes: Vec<_> = PREFIXES.iter().map(|(prefix, _)| prefix).collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        assert_eq!(prefixes.len(), PREFIXES.len());
    }
}
