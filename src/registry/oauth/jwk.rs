//! Public keys as JSON Web Keys: Ed25519 alone (RFC 8037 section 2).

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize, Serializer};

use crate::domain::ids::KeyId;
use crate::domain::key::Sha256;

/// How many characters of a key are shown in lists.
const SHOWN_CHARS: usize = 4;
/// What stands before the key in what is hashed, so that no secret has the same hash.
const DOMAIN: &[u8] = b"kyodaku public key";

/// A point of the curve that can verify signatures, and none of the few that verify what nobody signed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Wire")]
pub struct PublicKey([u8; 32]);

/// A key as it is sent. The private half, `d`, is a member that is not known here: it is refused, and stored nowhere.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(rename = "kty")]
    _kty: KeyType,
    #[serde(rename = "crv")]
    _crv: Curve,
    x: String,
    #[serde(default, rename = "kid")]
    _kid: Option<String>,
    #[serde(default, rename = "alg")]
    _alg: Option<Algorithm>,
    #[serde(default, rename = "use")]
    _use: Option<Usage>,
}

#[derive(Deserialize)]
enum KeyType {
    #[serde(rename = "OKP")]
    Okp,
}

#[derive(Deserialize)]
enum Curve {
    Ed25519,
}

/// The name of RFC 8037; that of RFC 9864, `Ed25519`, is not understood in what is signed.
#[derive(Deserialize)]
enum Algorithm {
    #[serde(rename = "EdDSA")]
    EdDsa,
}

#[derive(Deserialize)]
enum Usage {
    #[serde(rename = "sig")]
    Signature,
}

impl TryFrom<Wire> for PublicKey {
    type Error = &'static str;

    fn try_from(wire: Wire) -> Result<Self, Self::Error> {
        let bytes = BASE64URL_NOPAD.decode(wire.x.as_bytes()).ok();
        bytes.and_then(|bytes| Self::from_stored(&bytes)).ok_or("`x` is not an Ed25519 public key")
    }
}

impl PublicKey {
    /// The key of these bytes, if it is one.
    pub fn from_stored(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; 32] = bytes.try_into().ok()?;
        let key = VerifyingKey::from_bytes(&bytes).ok()?;
        (!key.is_weak()).then_some(Self(bytes))
    }

    /// Its bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What stands where an API key has the hash of its secret. No secret has this hash, and no other API key: nobody keeps
    /// another's public key from being registered.
    pub fn hash_of(&self, key: KeyId) -> [u8; 32] {
        Sha256::of(&[DOMAIN, key.uuid().as_bytes(), &self.0].concat()).0
    }

    /// Its first characters, for lists.
    pub fn shown(&self) -> String {
        let x = BASE64URL_NOPAD.encode(&self.0);
        format!("jwk_{}", x.get(..SHOWN_CHARS).unwrap_or_default())
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Jwk { kty: "OKP", crv: "Ed25519", x: BASE64URL_NOPAD.encode(&self.0), names: None }
            .serialize(serializer)
    }
}

/// A public key as it is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Jwk {
    kty: &'static str,
    crv: &'static str,
    x: String,
    #[serde(flatten)]
    names: Option<Names>,
}

impl Jwk {
    /// The name by which tokens name it as their signer, if it signs any.
    pub fn kid(&self) -> Option<&str> {
        self.names.as_ref().map(|names| names.kid.as_str())
    }
}

/// What a verifier picks a key by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Names {
    kid: String,
    alg: &'static str,
    r#use: &'static str,
}

impl Jwk {
    /// A key that signs under this id.
    pub fn signing(public: &[u8; 32], kid: &str) -> Self {
        let names = Names { kid: kid.to_owned(), alg: "EdDSA", r#use: "sig" };
        Self { kty: "OKP", crv: "Ed25519", x: BASE64URL_NOPAD.encode(public), names: Some(names) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of RFC 8037 appendix A.2.
    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn read(json: &str) -> Option<PublicKey> {
        serde_json::from_str(json).ok()
    }

    #[test]
    fn a_public_key_and_nothing_else_is_read() {
        let key =
            read(&format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}","kid":"a","use":"sig"}}"#)).unwrap();
        assert_eq!(
            serde_json::to_string(&key).unwrap(),
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}"}}"#)
        );
        assert_eq!(key.shown(), "jwk_11qY");
        let zero = BASE64URL_NOPAD.encode(&[0; 32]);
        for bad in [
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}","d":"secret"}}"#),
            format!(r#"{{"kty":"OKP","crv":"X25519","x":"{X}"}}"#),
            format!(r#"{{"kty":"RSA","crv":"Ed25519","x":"{X}"}}"#),
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}="}}"#),
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{zero}"}}"#),
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}","x":"{X}"}}"#),
            r#"{"kty":"OKP","crv":"Ed25519"}"#.to_owned(),
        ] {
            assert_eq!(read(&bad), None, "{bad}");
        }
    }
}
