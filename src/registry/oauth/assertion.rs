//! What a client signs to prove itself: RFC 7523 section 3, `private_key_jwt`.

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

use super::{Refusal, by_id};
use crate::domain::ids::KeyId;
use crate::domain::key::Sha256;
use crate::registry::accounts::detached;
use crate::registry::node::Registry;
use crate::store::accounts::LiveKey;
use crate::store::tokens;

/// The most characters that are looked at.
const MAX_CHARS: usize = 4_096;
/// For how long a statement may be good, in seconds.
const LIFE_S: i64 = 3_600;
/// By how much the clocks of client and registry may differ, in seconds.
const SKEW_S: i64 = 5;
/// The most characters of the name that makes a statement one of its kind.
const MAX_JTI: usize = 255;

/// What it states. Other members are passed over (RFC 7519 section 4).
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: i64,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(default)]
    iat: Option<i64>,
    jti: String,
}

/// For whom it is meant: this registry and nobody else. Whoever names several lets each of them be the client elsewhere.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn is_only(&self, names: &[String; 2]) -> bool {
        match self {
            Self::One(name) => names.contains(name),
            Self::Many(all) => !all.is_empty() && all.iter().all(|name| names.contains(name)),
        }
    }
}

#[derive(Deserialize)]
struct Named {
    sub: String,
}

/// The client that signed this, once.
pub(super) async fn client(registry: &Registry, text: &str, named: Option<&str>) -> Result<LiveKey, Refusal> {
    let id = subject(text).filter(|id| named.is_none_or(|named| named == id.to_string()));
    let live = by_id(registry, id.ok_or(Refusal::InvalidClient)?).await?;
    let public = live.key.public_key.as_deref().unwrap_or_default();
    let now_s = registry.clock().now_ms().div_euclid(1_000);
    let claims = verify(text, public, super::issuer(registry)).ok_or(Refusal::InvalidClient)?;
    if !claims.hold(&live.key.id, now_s) {
        return Err(Refusal::InvalidClient);
    }
    let digest = Sha256::of(format!("{}\0{}", live.key.id, claims.jti).as_bytes()).0;
    let (db, until_ms) = (registry.db().clone(), claims.exp.saturating_mul(1_000));
    let is_first = detached(async move {
        let mut tx = db.begin().await?;
        let is_first = tokens::use_once(&mut tx, &digest, until_ms).await?;
        tx.commit().await?;
        Ok(is_first)
    });
    if is_first.await? { Ok(live) } else { Err(Refusal::InvalidClient) }
}

/// Who it says it is from; whether that is so is seen by its signature.
fn subject(text: &str) -> Option<KeyId> {
    let payload = text.split('.').nth(1).filter(|_| text.len() <= MAX_CHARS)?;
    let named: Named = serde_json::from_slice(&BASE64URL_NOPAD.decode(payload.as_bytes()).ok()?).ok()?;
    named.sub.parse().ok()
}

/// What it states, if this key signed it for this registry: its URL, or that of its token endpoint.
fn verify(text: &str, public: &[u8], issuer: &str) -> Option<Claims> {
    let header = jsonwebtoken::decode_header(text).ok()?;
    if header.crit.is_some() {
        return None;
    }
    let mut validation = Validation::new(Algorithm::EdDSA);
    // Times and names are looked at below, by the registry's clock.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    let names = [issuer.to_owned(), format!("{issuer}/oauth/token")];
    validation.set_audience(&names);
    validation.set_required_spec_claims(&["aud", "exp", "iss", "sub"]);
    let key = DecodingKey::from_ed_der(public);
    let claims = jsonwebtoken::decode::<Claims>(text, &key, &validation).ok()?.claims;
    claims.aud.is_only(&names).then_some(claims)
}

impl Claims {
    fn hold(&self, client: &str, now_s: i64) -> bool {
        let begins = [self.nbf, self.iat].into_iter().flatten();
        self.iss == client
            && self.sub == client
            && (1..=MAX_JTI).contains(&self.jti.len())
            && now_s < self.exp
            && self.exp <= now_s.saturating_add(LIFE_S + SKEW_S)
            && begins.into_iter().all(|begins| begins <= now_s.saturating_add(SKEW_S))
    }
}
