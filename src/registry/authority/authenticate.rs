//! From what a request shows to who asks.

use super::{Actor, CredentialId, PersonRole, Scope, Scopes, State};
use crate::clock::NOT_BELIEVED;
use crate::domain::ids::{KeyId, OrgId, PersonId, SessionId};
use crate::domain::index::records::OrgRef;
use crate::log::merkle::TreeHead;
use crate::registry::credential::{Credential, Secret};
use crate::registry::node::Registry;
use crate::registry::shared::FollowError;
use crate::registry::sign_in::token::Bearer;
use crate::registry::together::{Known, Sought};
use crate::store::accounts::LiveKey;
use crate::store::{StoreError, accounts, sessions};

/// Why nobody can say who is asking.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// The clock: it can't be right, so it must not be what says that a key or token is over.
    #[error("{NOT_BELIEVED}")]
    Clock,
}

/// What the tables say of a live credential.
struct Found {
    credential: CredentialId,
    org: OrgId,
    person: PersonId,
    role: PersonRole,
    scopes: Scopes,
    /// Whether more was shown than a password; an API key is more.
    factor: bool,
    /// Whether it is a token of a program.
    is_token: bool,
}

impl Registry {
    /// Who shows this: `None` for a key or token that is unknown, over or ended, or whose person was removed, alike.
    pub async fn authenticate(&self, credential: &Credential) -> Result<Option<Actor>, AuthorityError> {
        let published = self.shared().head();
        let found = match credential {
            Credential::Key(secret) => self.find_key(secret).await?,
            Credential::Token(token) => self.find_token(token).await?,
        };
        let Some((Found { credential, org, person, role, scopes, factor, is_token }, head)) = found else {
            return if self.is_clock_believed() { Ok(None) } else { Err(AuthorityError::Clock) };
        };
        let known = self
            .read_up_to(published, head, |now| {
                let (state, roles) = State::of(now, org)?;
                let stands = now.stands_for(person) == now.org(org).map(OrgRef::Org);
                stands.then_some((state, roles))
            })
            .await?;
        Ok(known.map(|(state, roles)| {
            let scopes = scopes.and(role.scopes()).and(Scopes::of_roles(roles));
            Actor {
                credential,
                org,
                person,
                role,
                roles,
                state,
                scopes,
                has_factor: factor,
                is_by_token: is_token,
            }
        }))
    }

    async fn find_key(&self, secret: &Secret) -> Result<Option<(Found, TreeHead)>, StoreError> {
        let Known { key, head } = self.together().find(Sought::Key(secret.hash())).await?;
        key.map(|live| Ok((self.use_key(&live)?, head))).transpose()
    }

    fn use_key(&self, live: &LiveKey) -> Result<Found, StoreError> {
        let row = &live.key;
        let (Ok(key), Ok(org), Ok(person)) = (row.id.parse(), row.org.parse(), row.person.parse()) else {
            return Err(broken("key", &row.id));
        };
        self.note_use(key, self.clock().now_ms());
        let (credential, role) = (CredentialId::Key(key), PersonRole::from_stored(&live.role));
        let scopes = Scopes::from_stored(&row.scopes);
        Ok(Found { credential, org, person, role, scopes, factor: true, is_token: false })
    }

    async fn find_token(&self, token: &str) -> Result<Option<(Found, TreeHead)>, StoreError> {
        let now_ms = self.clock().now_ms();
        let Some(good) = self.tokens().read(token, now_ms) else { return Ok(None) };
        match good.bearer {
            Bearer::Session(session, person) => {
                let Some(found) = self.find_session(session, person, now_ms).await? else { return Ok(None) };
                Ok(Some((found, self.together().head().await?)))
            }
            Bearer::Client(key, scope) => {
                let sought = Sought::Client(key.to_string(), good.jti);
                let Known { key, head } = self.together().find(sought).await?;
                let found = key.map(|live| self.use_key(&live)).transpose()?;
                Ok(found.map(|found| {
                    let scopes = found.scopes.and(Scopes::from_stored(&scope));
                    (Found { scopes, is_token: true, ..found }, head)
                }))
            }
        }
    }

    async fn find_session(
        &self,
        session: SessionId,
        person: PersonId,
        now_ms: i64,
    ) -> Result<Option<Found>, StoreError> {
        let Some(row) = sessions::live(self.db(), &session.to_string(), now_ms).await? else {
            return Ok(None);
        };
        if row.person != person.to_string() {
            return Ok(None);
        }
        let org = row.org.parse().map_err(|_| broken("session", &row.id))?;
        let (credential, role) = (CredentialId::Session(session), PersonRole::from_stored(&row.role));
        // A session may what its person may: all scopes, which the role then narrows.
        let (scopes, factor) = (Scope::ALL.into_iter().collect(), row.factor_ms.is_some());
        Ok(Some(Found { credential, org, person, role, scopes, factor, is_token: false }))
    }

    /// Notes the use of a key, at most once a minute, without letting the caller wait for it.
    fn note_use(&self, key: KeyId, now_ms: i64) {
        if !self.is_to_note(key, now_ms, accounts::TOUCH_INTERVAL_MS) {
            return;
        }
        let (db, id) = (self.db().clone(), key.to_string());
        tokio::spawn(async move {
            let noted = async {
                let mut tx = db.begin().await?;
                accounts::touch_key(&mut tx, &id, now_ms).await?;
                tx.commit().await
            };
            if let Err(error) = noted.await {
                tracing::warn!(target: "kyodaku::authority", %error, key = id, "the use of a key was not noted");
            }
        });
    }
}

fn broken(what: &str, id: &str) -> StoreError {
    StoreError::Corrupt(format!("the {what} `{id}` bears broken ids"))
}
