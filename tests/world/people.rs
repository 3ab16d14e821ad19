//! People who sign in, in the stories: the mails that they get, and their sessions.

use std::path::PathBuf;
use std::time::Duration;

use kyodaku::domain::ids::{IdentityId, SessionId};
use kyodaku::registry::Registry;
use kyodaku::store::Tx;
use kyodaku::store::identities::{self, Identity};
use kyodaku::store::sessions::{self, NewSession};
use serde_json::{Value, json};

use super::actors::{Actor, Stage};
use super::client::Client;

/// A password that is good enough.
pub(crate) const PASSWORD: &str = "correct staple kiosk umbrella";

/// A session of a person, made without a password.
pub(crate) async fn session_of(stage: &Stage, actor: &Actor) -> String {
    let mut tx = stage.registry.db().begin().await.unwrap();
    let id = session_in(&mut tx, stage, &actor.person, &actor.org).await;
    tx.commit().await.unwrap();
    id
}

/// The same, within a transaction.
pub(crate) async fn session_in(tx: &mut Tx, stage: &Stage, person: &str, org: &str) -> String {
    let now_ms = stage.clock().now_ms();
    let id = SessionId::new(stage.clock().new_uuid()).to_string();
    let random = kyodaku::clock::random::<32>();
    let session = NewSession {
        id: id.clone(),
        person: person.to_owned(),
        org: org.to_owned(),
        family_hash: random,
        refresh_hash: random,
        client: "story".to_owned(),
        factor: false,
        created_ms: now_ms,
        expires_ms: now_ms + 86_400_000,
    };
    sessions::insert(tx, &session).await.unwrap();
    id
}

/// An identity of a person at a provider, made without one.
pub(crate) async fn identity_of(stage: &Stage, actor: &Actor) -> String {
    let now_ms = stage.clock().now_ms();
    let identity = Identity {
        id: IdentityId::new(stage.clock().new_uuid()).to_string(),
        person: actor.person.clone(),
        issuer: "https://accounts.example".to_owned(),
        subject: actor.person.clone(),
        email: None,
        created_ms: now_ms,
        used_ms: now_ms,
        removed_ms: None,
    };
    let mut tx = stage.registry.db().begin().await.unwrap();
    assert!(identities::insert(&mut tx, &identity).await.unwrap());
    tx.commit().await.unwrap();
    identity.id
}

/// Somebody who is signed in.
#[derive(Clone)]
pub(crate) struct SignedIn {
    pub(crate) person: String,
    pub(crate) session: String,
    pub(crate) refresh: String,
    pub(crate) client: Client,
}

impl SignedIn {
    /// From what signing in or refreshing answered.
    pub(crate) fn of(stage: &Stage, told: &Value) -> Self {
        let text = |name: &str| told[name].as_str().unwrap_or_else(|| panic!("{name} in {told}")).to_owned();
        Self {
            person: text("person"),
            session: text("session"),
            refresh: text("refresh_token"),
            client: stage.nobody.with_key(&text("access_token")),
        }
    }
}

fn mail_folder(registry: &Registry) -> PathBuf {
    let settings = registry.settings();
    settings.mail.url.strip_prefix("folder:").expect("mail in a folder").into()
}

/// All mails that the node has sent, as they lie there.
pub(crate) fn mails(registry: &Registry) -> Vec<(PathBuf, String)> {
    let files = std::fs::read_dir(mail_folder(registry)).unwrap().map(|file| file.unwrap().path());
    let mut mails: Vec<_> =
        files.map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect();
    mails.retain(|(_, text)| text.ends_with("\r\n") || text.ends_with('\n'));
    mails.sort();
    mails
}

impl Stage {
    /// The token in the one mail that went to this address; the mail is taken out of the folder.
    pub(crate) async fn mailed_token(&self, email: &str) -> String {
        for _ in 0..500 {
            for (path, text) in mails(&self.registry) {
                if let Some(token) = token_in(&text).filter(|_| text.contains(&format!("To: {email}"))) {
                    std::fs::remove_file(path).unwrap();
                    return token;
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no mail to {email}");
    }

    /// Sets the password that a mailed token allows.
    pub(crate) async fn set_password(&self, token: &str, password: &str) -> super::client::Answer {
        let body = json!({ "token": token, "password": password });
        self.nobody.json("POST", "/v1/passwords", &body, &[]).await
    }

    /// A person of the actor's organization who was invited and set a password.
    pub(crate) async fn invited(&self, admin: &Actor, role: &str, email: &str) -> String {
        let body = json!({ "label": email, "role": role });
        let added: Value = admin.post("/v1/people", &body).await.json();
        let person = added["person"].as_str().unwrap().to_owned();
        let invited =
            admin.post(&format!("/v1/people/{person}/invitations"), &json!({ "email": email })).await;
        assert_eq!(invited.status, 202, "{invited:?}");
        let token = self.mailed_token(email).await;
        let set = self.set_password(&token, PASSWORD).await;
        assert_eq!(set.status, 200, "{set:?}");
        person
    }

    /// Tries to sign in.
    pub(crate) async fn sign_in(&self, email: &str, password: &str) -> super::client::Answer {
        let body = json!({ "email": email, "password": password });
        self.nobody.json("POST", "/v1/sessions", &body, &[("user-agent", "story/1")]).await
    }

    /// Signs in.
    pub(crate) async fn signed_in(&self, email: &str) -> SignedIn {
        let answer = self.sign_in(email, PASSWORD).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        SignedIn::of(self, &answer.json())
    }

    /// Refreshes.
    pub(crate) async fn refresh(&self, token: &str) -> super::client::Answer {
        self.nobody.json("POST", "/v1/sessions/refresh", &json!({ "refresh_token": token }), &[]).await
    }
}

fn token_in(mail: &str) -> Option<String> {
    let start = mail.find("kyo_mail_")?;
    Some(mail.get(start..start + 41)?.to_owned())
}
