//! A receipt as a compact JWS (RFC 7515), signed with `EdDSA` (RFC 8037) by a key of its own, for ordinary JOSE libraries.
//!
//! It says what the registry answers for with its signature; what proves it without trust in that signature is the receipt.

use std::fmt;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::domain::ids::{CheckId, OrgId, WorkId};
use crate::domain::uses::Use;
use crate::log::digest::sha256;
use crate::log::merkle::{Hash, leaf_hash};
use crate::log::receipt::CheckRecord;

/// The type of a receipt for whoever asked, and for auditors.
pub const TYP: &str = "kyodaku-receipt+jwt";
/// The type of what a holder is told of its own works.
pub const WORKS_TYP: &str = "kyodaku-works+jwt";
/// The most characters that are read.
pub const MAX_CHARS: usize = 4 << 20;

/// The header. Nothing else may stand in it, `crit` neither.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: Algorithm,
    kid: String,
    typ: String,
}

#[derive(Serialize, Deserialize)]
enum Algorithm {
    #[serde(rename = "EdDSA")]
    EdDsa,
}

/// Where a check is in its journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The journal's origin.
    pub origin: String,
    /// The entry.
    pub index: u64,
    /// Its leaf hash.
    pub leaf: Hash,
}

/// One matched work of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The work.
    pub work: WorkId,
    /// For which uses it was asked.
    pub uses: Vec<Use>,
    /// Whether the item that matched it was permitted; left out where that could tell of works of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permitted: Option<bool>,
}

/// What is signed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The origin of the act log.
    pub iss: String,
    /// The moment of the answer, in seconds since 1970.
    pub iat: i64,
    /// Whose questions these were.
    pub sub: OrgId,
    /// The check's id.
    pub jti: String,
    /// Where it is.
    pub journal: Place,
    /// The journal entry, in the bytes that were hashed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<Box<RawValue>>,
    /// For a holder, in place of the entry: what was asked about its own works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub works: Option<Vec<Row>>,
}

impl Statement {
    /// Whether what it says beside its entry is what the entry says; names the first thing that is not.
    fn agrees(&self) -> Result<(), &'static str> {
        let inside =
            |origin: &str| origin.strip_prefix(&self.iss).is_some_and(|rest| rest.starts_with("/checks/"));
        if !inside(&self.journal.origin) {
            return Err("the issuer");
        }
        let Some(entry) = &self.entry else { return self.are_own_works() };
        if leaf_hash(entry.get().as_bytes()) != self.journal.leaf {
            return Err("the leaf hash");
        }
        let record = CheckRecord::read(entry.get()).map_err(|_| "the form")?;
        self.is_of_check(&record)
    }

    fn is_of_check(&self, record: &CheckRecord) -> Result<(), &'static str> {
        match () {
            () if record.check.to_string() != self.jti => Err("the check"),
            () if record.developer != self.sub => Err("the developer"),
            () if record.at_ms.div_euclid(1_000) != self.iat => Err("the moment"),
            () => Ok(()),
        }
    }

    /// Whether the works are as the registry states them: some, in order, each asked about for some use, and what was answered
    /// told of all or of none.
    fn are_own_works(&self) -> Result<(), &'static str> {
        let works = self.works.as_deref().unwrap_or_default();
        let told = works.iter().filter(|row| row.permitted.is_some()).count();
        match () {
            () if self.jti.parse::<CheckId>().is_err() => Err("the check"),
            () if works.is_empty() || !works.is_sorted_by_key(|row| row.work) => Err("the list of works"),
            () if works.iter().any(|row| row.uses.is_empty()) => Err("the uses of a work"),
            () if told != 0 && told != works.len() => Err("what was answered about a work"),
            () => Ok(()),
        }
    }

    /// Whether it is about the check that this entry of a journal, in the bytes that were hashed, records; names the first thing
    /// that is not as that says.
    ///
    /// # Errors
    /// With what differs.
    pub fn is_of_entry(&self, origin: &str, index: u64, entry: &str) -> Result<(), &'static str> {
        if self.journal != (Place { origin: origin.to_owned(), index, leaf: leaf_hash(entry.as_bytes()) }) {
            return Err("the place in the journal");
        }
        let record = CheckRecord::read(entry).map_err(|_| "the form")?;
        self.is_of_check(&record)?;
        let answered =
            |permitted: bool| self.works.iter().flatten().any(|row| row.permitted == Some(permitted));
        if answered(true) && record.permitted == 0 || answered(false) && record.permitted == record.items.size
        {
            return Err("what was answered about a work");
        }
        Ok(())
    }
}

/// Signs receipts. Its memory is wiped when it is dropped, and it never shows itself.
pub struct ReceiptSigner {
    key: SigningKey,
    kid: String,
}

impl fmt::Debug for ReceiptSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiptSigner").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// The name of a public key in headers.
pub fn key_id(public: &[u8; 32]) -> String {
    let Hash(digest) = sha256(public);
    HEXLOWER.encode(digest.first_chunk::<8>().map_or(&[][..], |start| &start[..]))
}

impl ReceiptSigner {
    /// The key from its 32 secret bytes (the seed of RFC 8032).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(seed);
        let kid = key_id(key.verifying_key().as_bytes());
        Self { key, kid }
    }

    /// The name of the key.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half.
    pub fn public(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// The compact JWS of a statement.
    ///
    /// # Errors
    /// None that a statement causes.
    pub fn sign(&self, typ: &str, statement: &Statement) -> Result<String, serde_json::Error> {
        let header = Header { alg: Algorithm::EdDsa, kid: self.kid.clone(), typ: typ.to_owned() };
        let [header, payload] = [serde_json::to_vec(&header)?, serde_json::to_vec(statement)?];
        let signed = format!("{}.{}", BASE64URL_NOPAD.encode(&header), BASE64URL_NOPAD.encode(&payload));
        let signature = self.key.sign(signed.as_bytes());
        Ok(format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature.to_bytes())))
    }
}

/// Why a JWS is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// Not three parts of base64url, or longer than any.
    #[error("it is not a compact JWS of at most {MAX_CHARS} characters")]
    Form,
    /// A header with another algorithm, another type, `crit`, or anything else that a receipt does not have.
    #[error("the header is not that of a receipt: {0}")]
    Header(String),
    /// No key of this name is known.
    #[error("no key `{0}` was given")]
    NoKey(String),
    /// The signature.
    #[error("the signature does not verify")]
    Signature,
    /// What is signed.
    #[error("what is signed is not a receipt: {0}")]
    Payload(String),
}

/// Believes a receipt that one of the keys signed, by the strict rules of Ed25519. The type is one of [`TYP`] and
/// [`WORKS_TYP`], with the members that belong to it.
pub fn verify(jws: &str, keys: &[[u8; 32]]) -> Result<Statement, JwsError> {
    let decode = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| JwsError::Form);
    let (signed, signature) =
        jws.rsplit_once('.').filter(|_| jws.len() <= MAX_CHARS).ok_or(JwsError::Form)?;
    let (header, payload) = signed.split_once('.').ok_or(JwsError::Form)?;
    let (header, payload, signature) = (decode(header)?, decode(payload)?, decode(signature)?);
    let header: Header =
        serde_json::from_slice(&header).map_err(|error| JwsError::Header(error.to_string()))?;
    let key = keys.iter().find(|key| key_id(key) == header.kid);
    let key = key.and_then(|key| VerifyingKey::from_bytes(key).ok());
    let key = key.ok_or(JwsError::NoKey(header.kid))?;
    let signature = Signature::from_slice(&signature).map_err(|_| JwsError::Signature)?;
    key.verify_strict(signed.as_bytes(), &signature).map_err(|_| JwsError::Signature)?;
    let statement: Statement =
        serde_json::from_slice(&payload).map_err(|error| JwsError::Payload(error.to_string()))?;
    let fits = match header.typ.as_str() {
        TYP => statement.entry.is_some() && statement.works.is_none(),
        WORKS_TYP => statement.entry.is_none() && statement.works.is_some(),
        other => return Err(JwsError::Header(format!("the type `{other}` is none of a receipt"))),
    };
    if !fits {
        return Err(JwsError::Payload("its members are not those of its type".to_owned()));
    }
    let of = if statement.entry.is_some() { "that of its entry" } else { "as a registry states it" };
    statement.agrees().map_err(|what| JwsError::Payload(format!("{what} is not {of}")))?;
    Ok(statement)
}
