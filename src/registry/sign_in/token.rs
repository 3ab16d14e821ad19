//! Access tokens: JWTs as RFC 9068 profiles them (`at+jwt`), signed with Ed25519 (RFC 8037), for ten minutes.
//!
//! The token names a session; whether that still lives is asked of the database with each request, so that its end
//! counts at once.

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::domain::ids::{OrgId, PersonId, SessionId};
use crate::domain::key::Sha256;

/// How long an access token is good, in seconds.
pub const LIFE_S: i64 = 600;
/// By how much the clocks of two nodes may differ, in seconds.
const SKEW_S: i64 = 5;
/// The `typ` of its header (RFC 9068 section 2.1).
const TYP: &str = "at+jwt";
/// The most characters that are looked at.
pub const MAX_CHARS: usize = 2_048;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    aud: String,
    sub: PersonId,
    /// The session, which is the client too: each sign-in is one.
    client_id: SessionId,
    org: OrgId,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: String,
}

/// Makes and reads access tokens.
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    issuer: String,
    key_id: String,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl Tokens {
    /// Tokens of this registry, signed with the key of this seed. `None` if the key can't be encoded, which no seed causes.
    pub fn new(origin: &str, seed: &[u8; 32]) -> Option<Self> {
        let key = SigningKey::from_bytes(seed);
        let public = key.verifying_key().to_bytes();
        Some(Self {
            encoding: EncodingKey::from_ed_der(key.to_pkcs8_der().ok()?.as_bytes()),
            decoding: DecodingKey::from_ed_der(&public),
            issuer: format!("https://{origin}"),
            key_id: data_encoding::HEXLOWER.encode(Sha256::of(&public).0.get(..8)?),
        })
    }

    /// A token of a session. `None` if it can't be signed.
    pub fn issue(&self, clock: &Clock, session: SessionId, person: PersonId, org: OrgId) -> Option<String> {
        let now_s = clock.now_ms().div_euclid(1_000);
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.issuer.clone(),
            sub: person,
            client_id: session,
            org,
            iat: now_s,
            nbf: now_s,
            exp: now_s.saturating_add(LIFE_S),
            jti: clock.new_uuid().to_string(),
        };
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYP.to_owned());
        header.kid = Some(self.key_id.clone());
        jsonwebtoken::encode(&header, &claims, &self.encoding).ok()
    }

    /// The session that a good token names, and its person.
    pub fn read(&self, text: &str, now_ms: i64) -> Option<(SessionId, PersonId)> {
        let header = jsonwebtoken::decode_header(text).ok()?;
        let is_ours = header.typ.as_deref() == Some(TYP)
            && header.crit.is_none()
            && header.kid.as_deref() == Some(self.key_id.as_str());
        if text.len() > MAX_CHARS || !is_ours {
            return None;
        }
        let claims = jsonwebtoken::decode::<Claims>(text, &self.decoding, &self.validation()).ok()?.claims;
        let now_s = now_ms.div_euclid(1_000);
        let stands = claims.nbf <= now_s.saturating_add(SKEW_S) && now_s < claims.exp;
        stands.then_some((claims.client_id, claims.sub))
    }

    fn validation(&self) -> Validation {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.leeway = 0;
        // The crate would ask the machine's clock; ours is asked above.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.set_audience(&[&self.issuer]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_required_spec_claims(&["aud", "exp", "iss", "nbf", "sub"]);
        validation
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::BASE64URL_NOPAD;
    use serde_json::{Value, json};
    use uuid::Uuid;

    const NOW_MS: i64 = 1_761_523_200_000;

    fn tokens() -> Tokens {
        Tokens::new("kyodaku.example/log", &[7; 32]).unwrap()
    }

    fn ids() -> (SessionId, PersonId, OrgId) {
        (
            SessionId::new(Uuid::from_u128(1)),
            PersonId::new(Uuid::from_u128(2)),
            OrgId::new(Uuid::from_u128(3)),
        )
    }

    /// A token of ours, changed before it is signed again with the same key.
    fn forged(change: impl FnOnce(&mut Value, &mut Value)) -> Option<(SessionId, PersonId)> {
        let (session, person, org) = ids();
        let good = tokens().issue(&Clock::manual(NOW_MS), session, person, org).unwrap();
        let mut parts = good.split('.').map(|part| {
            serde_json::from_slice::<Value>(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap_or_default())
        });
        let (mut header, mut claims) = (parts.next().unwrap().unwrap(), parts.next().unwrap().unwrap());
        change(&mut header, &mut claims);
        let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let signature = ed25519_dalek::Signer::sign(&SigningKey::from_bytes(&[7; 32]), signed.as_bytes());
        tokens().read(&format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature.to_bytes())), NOW_MS)
    }

    #[test]
    fn a_token_is_good_for_ten_minutes_at_its_own_registry() {
        let (session, person, org) = ids();
        let token = tokens().issue(&Clock::manual(NOW_MS), session, person, org).unwrap();
        assert_eq!(tokens().read(&token, NOW_MS), Some((session, person)));
        assert_eq!(tokens().read(&token, NOW_MS + 599_999), Some((session, person)));
        assert_eq!(tokens().read(&token, NOW_MS + 600_000), None);
        assert_eq!(tokens().read(&token, NOW_MS - 5_000), Some((session, person)));
        assert_eq!(tokens().read(&token, NOW_MS - 6_000), None);
        assert_eq!(Tokens::new("kyodaku.example/log", &[8; 32]).unwrap().read(&token, NOW_MS), None);
        assert_eq!(Tokens::new("other.example/log", &[7; 32]).unwrap().read(&token, NOW_MS), None);
        assert_eq!(forged(|_, _| {}), Some((session, person)));
    }

    #[test]
    fn nothing_about_a_token_may_be_changed_left_out_or_added() {
        type Change = fn(&mut Value, &mut Value);
        let changes: [(&str, Change); 17] = [
            ("alg", |header, _| header["alg"] = json!("none")),
            ("hmac", |header, _| header["alg"] = json!("HS256")),
            ("typ", |header, _| header["typ"] = json!("JWT")),
            ("no typ", |header, _| _ = header.as_object_mut().unwrap().remove("typ")),
            ("crit", |header, _| header["crit"] = json!(["b64"])),
            ("kid", |header, _| header["kid"] = json!("other")),
            ("iss", |_, claims| claims["iss"] = json!("https://other.example")),
            ("iss list", |_, claims| claims["iss"] = json!(["https://kyodaku.example/log"])),
            ("aud", |_, claims| claims["aud"] = json!("https://other.example")),
            ("no aud", |_, claims| _ = claims.as_object_mut().unwrap().remove("aud")),
            ("no iss", |_, claims| _ = claims.as_object_mut().unwrap().remove("iss")),
            ("sub", |_, claims| claims["sub"] = json!("")),
            ("nbf", |_, claims| claims["nbf"] = json!(NOW_MS / 1000 + 60)),
            ("no nbf", |_, claims| _ = claims.as_object_mut().unwrap().remove("nbf")),
            ("no exp", |_, claims| _ = claims.as_object_mut().unwrap().remove("exp")),
            ("exp text", |_, claims| claims["exp"] = json!("9999999999")),
            ("more", |_, claims| claims["admin"] = json!(true)),
        ];
        for (what, change) in changes {
            assert_eq!(forged(change), None, "{what}");
        }
        let long = format!("{}.a.b", "a".repeat(3_000));
        for text in ["", ".", "..", "a.b.c", long.as_str()] {
            assert_eq!(tokens().read(text, NOW_MS), None);
        }
    }
}
