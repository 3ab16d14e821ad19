//! Programs sign in: OAuth 2.0 client credentials (RFC 6749 section 4.4).
//!
//! A client is an API key. It proves itself with the key as its secret, or by signing a statement (RFC 7523 section 2.2)
//! with a key of its own of which the registry has the public half alone. What it gets is an access token for ten minutes, with
//! no more scopes than the key; a token ends when it is revoked (RFC 7009), and with its key.

mod assertion;
pub mod jwk;

use serde::Serialize;

use super::accounts::detached;
use super::authority::{Actor, PersonRole, Scope, Scopes, State};
use super::credential::Secret;
use super::failure::Failure;
use super::node::Registry;
use super::sign_in::token::{Bearer, Good};
use crate::domain::ids::{KeyId, OrgId, PersonId};
use crate::store::accounts::{self, LiveKey};
use crate::store::{StoreError, tokens};
use jwk::Jwk;

/// What a client proves itself with.
#[derive(Clone)]
pub enum Shown {
    /// Its id, and its secret.
    Secret {
        /// `key_…`.
        client: String,
        /// `kyo_live_…`.
        secret: String,
    },
    /// A statement that it signed, and its id, where that was sent too.
    Assertion {
        /// A JWT.
        text: String,
        /// `key_…`.
        client: Option<String>,
    },
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Secret { .. } => "Secret(…)",
            Self::Assertion { .. } => "Assertion(…)",
        })
    }
}

/// Why there is no token: the errors of RFC 6749 section 5.2.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A parameter is missing, or stands there twice.
    #[error("{0}")]
    InvalidRequest(String),
    /// The client is unknown, or did not prove itself: the two are not told apart.
    #[error("the client is unknown, or did not prove itself")]
    InvalidClient,
    /// The client has not got this scope.
    #[error("{0}")]
    InvalidScope(String),
    /// It is not how programs sign in here.
    #[error("the grant type is not `client_credentials`")]
    UnsupportedGrantType,
    /// The token is another client's.
    #[error("the token is another client's")]
    UnauthorizedClient,
    /// The database, or this node.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// A client that proved itself.
#[derive(Clone, Debug)]
pub struct Client {
    key: KeyId,
    org: OrgId,
    person: PersonId,
    live: LiveKey,
}

/// A token that was issued just now (RFC 6749 section 5.1).
#[derive(Clone, Serialize)]
pub struct Issued {
    /// For the header `Authorization`.
    pub access_token: String,
    /// `Bearer`.
    pub token_type: &'static str,
    /// For how many seconds it is good.
    pub expires_in: i64,
    /// What it may be used for.
    pub scope: String,
}

/// What a token is, as its own organization is told (RFC 7662 section 2.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Introspection {
    /// Whether it is good.
    pub active: bool,
    /// The rest, when it is.
    #[serde(flatten)]
    pub token: Option<Described>,
}

/// What a good token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Described {
    /// What it may be used for.
    pub scope: String,
    /// The API key, or the session.
    pub client_id: String,
    /// The API key, or the person.
    pub sub: String,
    /// `Bearer`.
    pub token_type: &'static str,
    /// Until when, in seconds since 1970.
    pub exp: i64,
    /// Since when.
    pub iat: i64,
    /// Who issued it.
    pub iss: String,
    /// For whom it is meant.
    pub aud: String,
    /// Its own id.
    pub jti: String,
}

impl Client {
    /// Who shows this.
    ///
    /// # Errors
    /// [`Refusal::InvalidClient`] for whoever is unknown, over, revoked, or has proved nothing, alike.
    pub async fn prove(registry: &Registry, shown: &Shown) -> Result<Self, Refusal> {
        let live = match shown {
            Shown::Secret { client, secret } => by_secret(registry, client, secret).await?,
            Shown::Assertion { text, client } => assertion::client(registry, text, client.as_deref()).await?,
        };
        let row = &live.key;
        let (Ok(key), Ok(org), Ok(person)) = (row.id.parse(), row.org.parse(), row.person.parse()) else {
            return Err(StoreError::Corrupt(format!("the key `{}` bears broken ids", row.id)).into());
        };
        Ok(Self { key, org, person, live })
    }

    /// The API key.
    pub const fn key(&self) -> KeyId {
        self.key
    }

    /// The organization for which it speaks.
    pub const fn org(&self) -> OrgId {
        self.org
    }

    /// The person whose key it is.
    pub const fn person(&self) -> PersonId {
        self.person
    }

    /// What this client may be given, as of now.
    async fn scopes(&self, registry: &Registry) -> Result<Scopes, Refusal> {
        let known = registry.read(|now| State::of(now, self.org)).await.map_err(Failure::from)?;
        let (_, roles) = known.ok_or(Refusal::InvalidClient)?;
        let role = PersonRole::from_stored(&self.live.role).scopes();
        Ok(Scopes::from_stored(&self.live.key.scopes).and(role).and(Scopes::of_roles(roles)))
    }
}

async fn by_secret(registry: &Registry, client: &str, secret: &str) -> Result<LiveKey, Refusal> {
    let secret = Secret::read(secret).map_err(|_| Refusal::InvalidClient)?;
    let live = accounts::find_key(registry.db(), &secret.hash(), registry.clock().now_ms()).await?;
    live.map(|(live, _)| live).filter(|live| live.key.id == client).ok_or(Refusal::InvalidClient)
}

/// The live client of this id, if it has a key of its own.
async fn by_id(registry: &Registry, client: KeyId) -> Result<LiveKey, Refusal> {
    let now_ms = registry.clock().now_ms();
    // No token is called by no name.
    let live = accounts::live_key(registry.db(), &client.to_string(), "", now_ms).await?;
    live.map(|(live, _)| live).filter(|live| live.key.public_key.is_some()).ok_or(Refusal::InvalidClient)
}

/// Issues a token with these scopes, names with a blank between them; all that the client has when none is named.
///
/// # Errors
/// [`Refusal::InvalidScope`] for a scope that the client does not have.
pub async fn issue(registry: &Registry, client: &Client, scope: Option<&str>) -> Result<Issued, Refusal> {
    let givable = client.scopes(registry).await?;
    let scopes = scope.map_or(Ok(givable), |scope| narrowed(givable, scope))?;
    if scopes == Scopes::default() {
        return Err(Refusal::InvalidScope("the client has no scope that it could use".to_owned()));
    }
    let bearer = Bearer::Client(client.key, scopes.to_stored());
    let until_s = client.live.key.expires_ms.map_or(i64::MAX, |until_ms| until_ms.div_euclid(1_000));
    let token = registry.tokens().issue(registry.clock(), &bearer, client.org, until_s);
    let (access_token, good) =
        token.ok_or_else(|| Failure::Unavailable("no token can be signed".to_owned()))?;
    Ok(Issued {
        access_token,
        token_type: "Bearer",
        expires_in: good.exp_s.saturating_sub(good.iat_s),
        scope: scopes.to_stored(),
    })
}

fn narrowed(givable: Scopes, scope: &str) -> Result<Scopes, Refusal> {
    let read = |name: &str| {
        let known = Scope::from_name(name).filter(|scope| givable.holds(*scope));
        known.ok_or_else(|| {
            let all = givable.to_stored();
            Refusal::InvalidScope(format!(
                "a scope is asked for that the client does not have: it has `{all}`"
            ))
        })
    };
    scope.split(' ').map(read).collect::<Result<Scopes, _>>()
}

/// Ends a token of this client, at once and on every node. One that is unknown, or over, is so already.
///
/// # Errors
/// [`Refusal::UnauthorizedClient`] for another client's token.
pub async fn revoke(registry: &Registry, client: &Client, token: &str) -> Result<(), Refusal> {
    // Whatever this node's clock says of its time: by another's it may be good.
    let Some(good) = registry.tokens().read_untimed(token) else { return Ok(()) };
    if !matches!(&good.bearer, Bearer::Client(key, _) if *key == client.key) {
        return Err(Refusal::UnauthorizedClient);
    }
    let (db, until_ms) = (registry.db().clone(), good.exp_s.saturating_mul(1_000));
    detached(async move {
        let mut tx = db.begin().await?;
        tokens::revoke(&mut tx, &good.jti, until_ms).await?;
        tx.commit().await
    })
    .await?;
    registry.tokens().forget(token);
    Ok(())
}

/// What a token is, for a client of the same organization. Another's is as good as none.
pub async fn introspect(registry: &Registry, client: &Client, token: &str) -> Result<Introspection, Refusal> {
    let none = Introspection { active: false, token: None };
    let tokens = registry.tokens();
    let Some(good) = tokens.read(token, registry.clock().now_ms()) else { return Ok(none) };
    let credential = super::credential::Credential::Token(token.to_owned());
    let known = registry.authenticate(&credential).await.map_err(Failure::from)?;
    let is_own = |actor: &Actor| actor.org() == client.org && actor.state() == State::Verified;
    let Some(actor) = known.filter(is_own) else { return Ok(none) };
    let token = Some(described(good, actor.scopes(), tokens.issuer()));
    Ok(Introspection { active: true, token })
}

/// What it may be used for now, which may be less than when it was issued.
fn described(good: Good, scopes: Scopes, issuer: &str) -> Described {
    let (client_id, sub) = match good.bearer {
        Bearer::Session(session, person) => (session.to_string(), person.to_string()),
        Bearer::Client(key, _) => (key.to_string(), key.to_string()),
    };
    Described {
        scope: scopes.to_stored(),
        client_id,
        sub,
        token_type: "Bearer",
        exp: good.exp_s,
        iat: good.iat_s,
        iss: issuer.to_owned(),
        aud: issuer.to_owned(),
        jti: good.jti,
    }
}

/// The keys with which this node signs access tokens, or will.
pub fn own_keys(registry: &Registry) -> Vec<Jwk> {
    let tokens = registry.tokens();
    tokens.jwks(tokens.next_public().as_slice(), registry.clock().now_ms())
}

/// The keys that verify access tokens: those that sign, that will, and that signed one that is not over yet.
pub async fn signing_keys(registry: &Registry) -> Result<Vec<Jwk>, Failure> {
    let noted = super::sign_in::token_keys::prepared(registry).await?;
    Ok(registry.tokens().jwks(&noted, registry.clock().now_ms()))
}

/// Who issues access tokens: the URL at which this registry is reached.
pub fn issuer(registry: &Registry) -> &str {
    registry.tokens().issuer()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_gets_no_scope_that_its_key_has_not() {
        let givable: Scopes = [Scope::Read, Scope::Check].into_iter().collect();
        assert_eq!(narrowed(givable, "check").unwrap().to_stored(), "check");
        assert_eq!(narrowed(givable, "check read").unwrap(), givable);
        for bad in ["", "check ", "works:write", "read works:write", "Read", "nothing"] {
            assert!(narrowed(givable, bad).is_err(), "{bad}");
        }
    }
}
