//! Access tokens: JWTs as RFC 9068 profiles them (`at+jwt`), signed with Ed25519 (RFC 8037), for ten minutes.
//!
//! The token names a session or an API key; whether that still lives, and whether the token was revoked, is asked of the
//! database with each request, so that the end counts at once, on every node. What is remembered is only that a signature is good.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::domain::ids::{KeyId, OrgId, PersonId, SessionId};
use crate::domain::key::Sha256;
use crate::registry::oauth::jwk::Jwk;

/// How long an access token is good, in seconds.
pub const LIFE_S: i64 = 600;
/// By how much the clocks of two nodes may differ, in seconds.
const SKEW_S: i64 = 5;
/// The `typ` of its header (RFC 9068 section 2.1).
const TYP: &str = "at+jwt";
/// The most characters that are looked at.
pub const MAX_CHARS: usize = 2_048;

/// The most tokens whose signature is remembered to be good; beyond that all are forgotten, and verified once more.
const MAX_KNOWN: usize = 10_000;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    aud: String,
    /// The person of a session; a client speaks for itself (RFC 9068 section 2.2).
    sub: String,
    /// The session, which is a client too: each sign-in is one; or the API key.
    client_id: String,
    org: OrgId,
    /// What a client asked for; a session may what its person may.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    scope: Option<String>,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: String,
}

/// For whom a token speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bearer {
    /// A person in a session.
    Session(SessionId, PersonId),
    /// A program, with a part of the scopes of its key: names with a blank between them.
    Client(KeyId, String),
}

/// A token that this registry issued, whose time is not up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Good {
    /// For whom it speaks.
    pub bearer: Bearer,
    /// The organization.
    pub org: OrgId,
    /// Its own id.
    pub jti: String,
    /// When it was issued, in seconds since 1970.
    pub iat_s: i64,
    /// Until when it is good, in seconds since 1970.
    pub exp_s: i64,
}

/// Makes and reads access tokens.
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    public: [u8; 32],
    issuer: String,
    key_id: String,
    /// By SHA-256 of the token: verifying a signature takes longer than everything else about a small request.
    known: Mutex<HashMap<[u8; 32], Claims>>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl Tokens {
    /// Tokens of the registry that is reached at this URL, signed with the key of this seed. `None` if the key can't be encoded,
    /// which no seed causes.
    pub fn new(issuer: &str, seed: &[u8; 32]) -> Option<Self> {
        let key = SigningKey::from_bytes(seed);
        let public = key.verifying_key().to_bytes();
        Some(Self {
            encoding: EncodingKey::from_ed_der(key.to_pkcs8_der().ok()?.as_bytes()),
            decoding: DecodingKey::from_ed_der(&public),
            public,
            issuer: issuer.to_owned(),
            key_id: data_encoding::HEXLOWER.encode(Sha256::of(&public).0.get(..8)?),
            known: Mutex::default(),
        })
    }

    /// Who issues them: the URL at which the registry is reached.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The key that verifies them.
    pub fn jwk(&self) -> Jwk {
        Jwk::signing(&self.public, &self.key_id)
    }

    /// A token, until `exp_s` at the latest. `None` if it can't be signed.
    pub fn issue(&self, clock: &Clock, bearer: &Bearer, org: OrgId, exp_s: i64) -> Option<(String, Good)> {
        let now_s = clock.now_ms().div_euclid(1_000);
        let (sub, client_id, scope) = match bearer {
            Bearer::Session(session, person) => (person.to_string(), session.to_string(), None),
            Bearer::Client(key, scope) => (key.to_string(), key.to_string(), Some(scope.clone())),
        };
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.issuer.clone(),
            sub,
            client_id,
            org,
            scope,
            iat: now_s,
            nbf: now_s,
            exp: now_s.saturating_add(LIFE_S).min(exp_s),
            jti: clock.new_uuid().to_string(),
        };
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYP.to_owned());
        header.kid = Some(self.key_id.clone());
        let token = jsonwebtoken::encode(&header, &claims, &self.encoding).ok()?;
        Some((token, claims.good()?))
    }

    /// What a good token says.
    pub fn read(&self, text: &str, now_ms: i64) -> Option<Good> {
        if text.len() > MAX_CHARS {
            return None;
        }
        let digest = Sha256::of(text.as_bytes()).0;
        let known = self.known().get(&digest).cloned();
        let claims = match known {
            Some(claims) => claims,
            None => self.verify(text)?,
        };
        let now_s = now_ms.div_euclid(1_000);
        if now_s >= claims.exp || claims.nbf > now_s.saturating_add(SKEW_S) {
            self.known().remove(&digest);
            return None;
        }
        let good = claims.good()?;
        let mut known = self.known();
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(digest, claims);
        Some(good)
    }

    /// What a token of this registry says, whether or not its time is now.
    pub fn read_untimed(&self, text: &str) -> Option<Good> {
        if text.len() > MAX_CHARS { None } else { self.verify(text)?.good() }
    }

    /// Forgets a token that was revoked.
    pub fn forget(&self, text: &str) {
        self.known().remove(&Sha256::of(text.as_bytes()).0);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<[u8; 32], Claims>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn verify(&self, text: &str) -> Option<Claims> {
        let header = jsonwebtoken::decode_header(text).ok()?;
        let is_ours = header.typ.as_deref() == Some(TYP)
            && header.crit.is_none()
            && header.kid.as_deref() == Some(self.key_id.as_str());
        if !is_ours {
            return None;
        }
        Some(jsonwebtoken::decode::<Claims>(text, &self.decoding, &self.validation()).ok()?.claims)
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

impl Claims {
    /// The same with ids that are ids.
    fn good(&self) -> Option<Good> {
        let bearer = match (&self.scope, self.client_id.parse()) {
            (Some(scope), Ok(key)) if self.sub == self.client_id => Bearer::Client(key, scope.clone()),
            (None, _) => Bearer::Session(self.client_id.parse().ok()?, self.sub.parse().ok()?),
            _ => return None,
        };
        let (org, jti) = (self.org, self.jti.clone());
        Some(Good { bearer, org, jti, iat_s: self.iat, exp_s: self.exp })
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
        Tokens::new("https://kyodaku.example", &[7; 32]).unwrap()
    }

    fn session() -> Bearer {
        Bearer::Session(SessionId::new(Uuid::from_u128(1)), PersonId::new(Uuid::from_u128(2)))
    }

    fn issued(bearer: &Bearer) -> String {
        let org = OrgId::new(Uuid::from_u128(3));
        tokens().issue(&Clock::manual(NOW_MS), bearer, org, i64::MAX).unwrap().0
    }

    fn bearer(token: &str, now_ms: i64) -> Option<Bearer> {
        tokens().read(token, now_ms).map(|good| good.bearer)
    }

    /// A token of ours, changed before it is signed again with the same key.
    fn forged(of: &Bearer, change: impl FnOnce(&mut Value, &mut Value)) -> Option<Bearer> {
        let good = issued(of);
        let mut parts = good.split('.').map(|part| {
            serde_json::from_slice::<Value>(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap_or_default())
        });
        let (mut header, mut claims) = (parts.next().unwrap().unwrap(), parts.next().unwrap().unwrap());
        change(&mut header, &mut claims);
        let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let signature = ed25519_dalek::Signer::sign(&SigningKey::from_bytes(&[7; 32]), signed.as_bytes());
        bearer(&format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature.to_bytes())), NOW_MS)
    }

    #[test]
    fn a_token_is_good_for_ten_minutes_at_its_own_registry() {
        let client = Bearer::Client(KeyId::new(Uuid::from_u128(4)), "read check".to_owned());
        for of in [session(), client] {
            let token = issued(&of);
            let same = Some(of.clone());
            assert_eq!(bearer(&token, NOW_MS), same);
            assert_eq!(bearer(&token, NOW_MS + 599_999), same);
            assert_eq!(bearer(&token, NOW_MS + 600_000), None);
            assert_eq!(bearer(&token, NOW_MS - 5_000), same);
            assert_eq!(bearer(&token, NOW_MS - 6_000), None);
            let other = |issuer, seed| Tokens::new(issuer, &[seed; 32]).unwrap().read(&token, NOW_MS);
            assert_eq!(other("https://kyodaku.example", 8), None);
            assert_eq!(other("https://other.example", 7), None);
            assert_eq!(forged(&of, |_, _| {}), same);
        }
    }

    #[test]
    fn what_is_remembered_of_a_token_has_its_time_too() {
        let (tokens, token) = (tokens(), issued(&session()));
        for _ in 0..2 {
            assert!(tokens.read(&token, NOW_MS).is_some());
            assert_eq!(tokens.known().len(), 1);
        }
        assert_eq!(tokens.read(&token, NOW_MS + 600_000), None);
        assert_eq!(tokens.known().len(), 0);
        assert!(tokens.read(&token, NOW_MS).is_some());
        tokens.forget(&token);
        assert_eq!(tokens.known().len(), 0);
        assert_eq!(tokens.read(&format!("{token}x"), NOW_MS), None);
        assert_eq!(tokens.known().len(), 0);
    }

    #[test]
    fn nothing_about_a_token_may_be_changed_left_out_or_added() {
        type Change = fn(&mut Value, &mut Value);
        let changes: [(&str, Change); 20] = [
            ("alg", |header, _| header["alg"] = json!("none")),
            ("hmac", |header, _| header["alg"] = json!("HS256")),
            ("typ", |header, _| header["typ"] = json!("JWT")),
            ("no typ", |header, _| _ = header.as_object_mut().unwrap().remove("typ")),
            ("crit", |header, _| header["crit"] = json!(["b64"])),
            ("kid", |header, _| header["kid"] = json!("other")),
            ("iss", |_, claims| claims["iss"] = json!("https://other.example")),
            ("iss list", |_, claims| claims["iss"] = json!(["https://kyodaku.example"])),
            ("aud", |_, claims| claims["aud"] = json!("https://other.example")),
            ("no aud", |_, claims| _ = claims.as_object_mut().unwrap().remove("aud")),
            ("no iss", |_, claims| _ = claims.as_object_mut().unwrap().remove("iss")),
            ("sub", |_, claims| claims["sub"] = json!("")),
            ("nbf", |_, claims| claims["nbf"] = json!(NOW_MS / 1000 + 60)),
            ("no nbf", |_, claims| _ = claims.as_object_mut().unwrap().remove("nbf")),
            ("no exp", |_, claims| _ = claims.as_object_mut().unwrap().remove("exp")),
            ("exp text", |_, claims| claims["exp"] = json!("9999999999")),
            ("scope", |_, claims| claims["scope"] = json!("read")),
            ("client", |_, claims| claims["client_id"] = json!(KeyId::new(Uuid::from_u128(4)))),
            ("both", |_, claims| {
                claims["client_id"] = json!(KeyId::new(Uuid::from_u128(4)));
                claims["scope"] = json!("read");
            }),
            ("more", |_, claims| claims["admin"] = json!(true)),
        ];
        for (what, change) in changes {
            assert_eq!(forged(&session(), change), None, "{what}");
        }
        let long = format!("{}.a.b", "a".repeat(3_000));
        for text in ["", ".", "..", "a.b.c", long.as_str()] {
            assert_eq!(tokens().read(text, NOW_MS), None);
        }
    }
}
