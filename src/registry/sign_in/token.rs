//! Access tokens: JWTs as RFC 9068 profiles them (`at+jwt`), signed with Ed25519 (RFC 8037), for ten minutes.
//!
//! The token names a session or an API key; whether that still lives, and whether the token was revoked, is asked of the
//! database with each request, so that the end counts at once, on every node. What is remembered is only that a signature is good.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::domain::act::SigningKeyUse;
use crate::domain::ids::{KeyId, OrgId, PersonId, SessionId};
use crate::domain::index::{AsOf, Rotation};
use crate::domain::key::Sha256;
use crate::log::checkpoint::VerifierKey;
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

/// A key that signs.
struct Signer {
    encoding: EncodingKey,
    public: [u8; 32],
    kid: String,
}

impl Signer {
    fn of(seed: &[u8; 32]) -> Option<Self> {
        let key = SigningKey::from_bytes(seed);
        let public = key.verifying_key().to_bytes();
        let encoding = EncodingKey::from_ed_der(key.to_pkcs8_der().ok()?.as_bytes());
        Some(Self { encoding, public, kid: kid_of(&public)? })
    }
}

/// The name of a key in headers.
pub(super) fn kid_of(public: &[u8; 32]) -> Option<String> {
    Some(data_encoding::HEXLOWER.encode(Sha256::of(public).0.get(..8)?))
}

/// A key that verifies.
struct Verifier {
    kid: String,
    public: [u8; 32],
    decoding: DecodingKey,
    /// When it gave way to another, in seconds since 1970.
    ended_s: Option<i64>,
}

impl Verifier {
    fn of(public: [u8; 32], ended_ms: Option<i64>) -> Option<Self> {
        let (decoding, ended_s) =
            (DecodingKey::from_ed_der(&public), ended_ms.map(|ms| ms.div_euclid(1_000)));
        Some(Self { kid: kid_of(&public)?, public, decoding, ended_s })
    }

    /// Whether it says anything at all now. What it signed lives as long as any token, and no longer.
    fn counts(&self, now_s: i64) -> bool {
        self.ended_s.is_none_or(|ended_s| now_s < ended_s.saturating_add(LIFE_S))
    }
}

/// Which key signs.
#[derive(Clone, Copy, Default)]
enum Turn {
    /// That of today.
    #[default]
    Current,
    /// The next one, to which that gave way.
    Next,
    /// One that is not here.
    Gone,
}

/// Which keys hold, as the act log says.
#[derive(Default)]
struct Ways {
    /// How many rotations there were when this was made.
    rotations: usize,
    turn: Turn,
    verifiers: Vec<Verifier>,
}

/// Makes and reads access tokens.
pub struct Tokens {
    current: Signer,
    next: Option<Signer>,
    issuer: String,
    ways: RwLock<Ways>,
    /// By SHA-256 of the token, with the name of its key: verifying a signature takes longer than everything else about a small
    /// request.
    known: Mutex<HashMap<[u8; 32], (Claims, String)>>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("kid", &self.current.kid).finish_non_exhaustive()
    }
}

impl Tokens {
    /// Tokens of the registry that is reached at this URL, signed with the key of this seed until it gives way to the next one.
    /// `None` if a key can't be encoded, which no seed causes.
    pub fn new(issuer: &str, seed: &[u8; 32], next: Option<&[u8; 32]>) -> Option<Self> {
        let current = Signer::of(seed)?;
        let next = match next {
            Some(next) => Some(Signer::of(next)?),
            None => None,
        };
        let tokens = Self {
            current,
            next,
            issuer: issuer.to_owned(),
            ways: RwLock::default(),
            known: Mutex::default(),
        };
        tokens.turn(&[]);
        Some(tokens)
    }

    /// Takes up what the act log says of the keys.
    pub fn follow(&self, now: AsOf<'_>) {
        let rotations = now.rotations_of(SigningKeyUse::Token);
        if rotations.clone().count() == self.ways().rotations {
            return;
        }
        let rotations: Vec<_> = rotations.collect();
        self.turn(&rotations);
    }

    fn turn(&self, rotations: &[&Rotation]) {
        let public = |key: &str| Some(*key.parse::<VerifierKey>().ok()?.public_bytes());
        let ended = |rotation: &&Rotation| Some((public(&rotation.act.old)?, rotation.at_ms));
        let ended: Vec<([u8; 32], i64)> = rotations.iter().filter_map(ended).collect();
        let end_of = |key: &[u8; 32]| ended.iter().find(|(old, _)| old == key).map(|(_, at_ms)| *at_ms);
        let begun: Vec<[u8; 32]> =
            rotations.iter().filter_map(|rotation| public(&rotation.act.new)).collect();
        let signs = |key: &&Signer| begun.contains(&key.public) && end_of(&key.public).is_none();
        // One that is only prepared signs nothing yet, so whatever bears its name is a thief's. Nor is one believed that an act began and
        // that is not here: it may have been taken away because it leaked.
        let own = [Some(&self.current), self.next.as_ref().filter(signs)].into_iter().flatten();
        let mut keys: Vec<[u8; 32]> = own.map(|key| key.public).collect();
        keys.extend(ended.iter().map(|(old, _)| *old).filter(|old| !keys.contains(old)).collect::<Vec<_>>());
        let verifiers = keys.into_iter().filter_map(|key| Verifier::of(key, end_of(&key))).collect();
        let turn = match (end_of(&self.current.public), &self.next) {
            (None, _) => Turn::Current,
            (Some(_), Some(next)) if signs(&next) => Turn::Next,
            (Some(_), _) => Turn::Gone,
        };
        *self.ways.write().unwrap_or_else(PoisonError::into_inner) =
            Ways { rotations: rotations.len(), turn, verifiers };
    }

    fn ways(&self) -> RwLockReadGuard<'_, Ways> {
        self.ways.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key that signs; none where that of today gave way to one that is not here.
    fn signer(&self) -> Option<&Signer> {
        match self.ways().turn {
            Turn::Current => Some(&self.current),
            Turn::Next => self.next.as_ref(),
            Turn::Gone => None,
        }
    }

    /// The public half of the key that signs, or did last.
    pub fn public(&self) -> [u8; 32] {
        self.signer().unwrap_or(&self.current).public
    }

    /// The public half of the next key.
    pub fn next_public(&self) -> Option<[u8; 32]> {
        self.next.as_ref().map(|next| next.public)
    }

    /// Who issues them: the URL at which the registry is reached.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The keys that verify them, that signs first; with those that others prepared.
    pub fn jwks(&self, prepared: &[[u8; 32]], now_ms: i64) -> Vec<Jwk> {
        let ways = self.ways();
        let mut keys: Vec<&Verifier> = ways.verifiers.iter().collect();
        keys.sort_by_key(|key| key.ended_s.is_some());
        let now_s = now_ms.div_euclid(1_000);
        let own = keys.iter().filter(|key| key.counts(now_s)).map(|key| Jwk::signing(&key.public, &key.kid));
        let mut jwks: Vec<Jwk> = own.collect();
        let mut seen = Vec::new();
        for public in prepared.iter().filter(|public| keys.iter().all(|key| key.public != **public)) {
            if !seen.contains(public) {
                seen.push(*public);
                jwks.extend(kid_of(public).map(|kid| Jwk::signing(public, &kid)));
            }
        }
        jwks
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
        let signer = self.signer()?;
        header.kid = Some(signer.kid.clone());
        let token = jsonwebtoken::encode(&header, &claims, &signer.encoding).ok()?;
        Some((token, claims.good()?))
    }

    /// What a good token says.
    pub fn read(&self, text: &str, now_ms: i64) -> Option<Good> {
        if text.len() > MAX_CHARS {
            return None;
        }
        let digest = Sha256::of(text.as_bytes()).0;
        let known = self.known().get(&digest).cloned();
        let (claims, kid) = match known {
            Some(known) => known,
            None => self.verify(text)?,
        };
        let now_s = now_ms.div_euclid(1_000);
        let is_over = now_s >= claims.exp || claims.nbf > now_s.saturating_add(SKEW_S);
        if is_over || !self.is_by_a_key_that_counts(&claims, &kid, now_s) {
            self.known().remove(&digest);
            return None;
        }
        let good = claims.good()?;
        let mut known = self.known();
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(digest, (claims, kid));
        Some(good)
    }

    /// Whether the key of this name counts now, and did when the token was issued: a thief's clock is his own.
    fn is_by_a_key_that_counts(&self, claims: &Claims, kid: &str, now_s: i64) -> bool {
        let ways = self.ways();
        let key = ways.verifiers.iter().find(|key| key.kid == kid);
        key.is_some_and(|key| {
            let was_in_time = key.ended_s.is_none_or(|ended_s| claims.iat <= ended_s.saturating_add(SKEW_S));
            key.counts(now_s) && was_in_time
        })
    }

    /// What a token of this registry says, whether or not its time is now.
    pub fn read_untimed(&self, text: &str) -> Option<Good> {
        if text.len() > MAX_CHARS { None } else { self.verify(text)?.0.good() }
    }

    /// Forgets a token that was revoked.
    pub fn forget(&self, text: &str) {
        self.known().remove(&Sha256::of(text.as_bytes()).0);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<[u8; 32], (Claims, String)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn verify(&self, text: &str) -> Option<(Claims, String)> {
        let header = jsonwebtoken::decode_header(text).ok()?;
        if header.typ.as_deref() != Some(TYP) || header.crit.is_some() {
            return None;
        }
        let ways = self.ways();
        let key = ways.verifiers.iter().find(|key| header.kid.as_deref() == Some(key.kid.as_str()))?;
        let read = jsonwebtoken::decode::<Claims>(text, &key.decoding, &self.validation()).ok()?;
        Some((read.claims, key.kid.clone()))
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
        Tokens::new("https://kyodaku.example", &[7; 32], None).unwrap()
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
            let other = |issuer, seed| Tokens::new(issuer, &[seed; 32], None).unwrap().read(&token, NOW_MS);
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
