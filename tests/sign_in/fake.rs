//! A provider of OpenID Connect that says whatever a test wants.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use ed25519_dalek::{Signer, SigningKey};
use kyodaku::clock::Clock;
use kyodaku::registry::sign_in::ProviderSettings;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Where it sends people back to.
pub(super) const BACK: &str = "https://registry.example/sign-in";
const CLIENT: &str = "kyodaku at work";
const SECRET: &str = "a secret: with+signs/and%";

/// How a token is signed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Signed {
    Well,
    Not,
    /// With the secret that both have, as HS256.
    WithTheSecret,
    /// With a key that it does not publish.
    ByAnother,
}

/// How it answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Answers {
    Well,
    With(u16),
    /// With what is somewhere else, and would be good.
    Elsewhere,
    Endlessly,
    Never,
}

/// What it does next.
pub(super) struct Plan {
    /// Who signs in there.
    pub(super) subject: String,
    /// What it says in its token of the address.
    pub(super) email: Value,
    /// What it says where it is asked for more.
    pub(super) told_elsewhere: Value,
    pub(super) signed: Signed,
    /// Changes the head and the claims of a token before it is signed.
    pub(super) change: fn(&mut Value, &mut Value),
    pub(super) answers: Answers,
    /// The seed of its key.
    pub(super) key: u8,
    /// The paths that it was asked for.
    pub(super) asked: Vec<String>,
    codes: HashMap<String, HashMap<String, String>>,
}

#[derive(Clone)]
struct Provider {
    url: String,
    clock: Clock,
    plan: Arc<Mutex<Plan>>,
}

/// A listening provider.
pub(super) struct Fake {
    provider: Provider,
    _serving: JoinSet<()>,
}

impl Fake {
    /// One whose people are all called `hanako`, and have this address.
    pub(super) async fn new(clock: &Clock, email: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let plan = Plan {
            subject: "hanako".to_owned(),
            email: json!({ "email": email, "email_verified": true }),
            told_elsewhere: json!({}),
            signed: Signed::Well,
            change: |_, _| {},
            answers: Answers::Well,
            key: 1,
            asked: Vec::new(),
            codes: HashMap::new(),
        };
        let provider = Provider { url, clock: clock.clone(), plan: Arc::new(Mutex::new(plan)) };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discover))
            .route("/elsewhere", get(discover))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .route("/more", get(more))
            .with_state(provider.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum_serve(listener, router).await });
        Self { provider, _serving: serving }
    }

    pub(super) fn settings(&self) -> ProviderSettings {
        ProviderSettings {
            issuer: self.provider.url.clone(),
            client_id: CLIENT.to_owned(),
            client_secret: SECRET.to_owned(),
            redirect_url: BACK.to_owned(),
        }
    }

    pub(super) fn plan(&self) -> MutexGuard<'_, Plan> {
        self.provider.plan.lock().unwrap()
    }

    /// Somebody signs in there who was sent to `url`, and comes back with the state and a code.
    pub(super) fn visit(&self, url: &str) -> (String, String) {
        let url = url::Url::parse(url).unwrap();
        assert_eq!(
            format!("{}{}", url.origin().ascii_serialization(), url.path()),
            format!("{}/enter", self.provider.url)
        );
        let asked: HashMap<String, String> = url.query_pairs().into_owned().collect();
        for (name, value) in [
            ("client_id", CLIENT),
            ("redirect_uri", BACK),
            ("response_type", "code"),
            ("scope", "openid email"),
            ("code_challenge_method", "S256"),
        ] {
            assert_eq!(asked[name], value, "{url}");
        }
        assert!(asked["nonce"].len() >= 32 && asked["state"].len() >= 32 && asked["nonce"] != asked["state"]);
        let mut plan = self.plan();
        let code = format!("code+{}/&=", plan.codes.len());
        let state = asked["state"].clone();
        plan.codes.insert(code.clone(), asked);
        (state, code)
    }
}

/// Serves HTTP/1, a connection at a time a task.
async fn axum_serve(listener: TcpListener, router: Router) {
    let limits = kyodaku::http::server::Limits::default();
    kyodaku::http::server::serve(listener, router, limits, std::future::pending()).await;
}

impl Provider {
    /// Notes the path; an answer, if it is to be another than the good one.
    async fn asked(&self, path: &str) -> Option<Response> {
        let answers = {
            let mut plan = self.plan.lock().unwrap();
            plan.asked.push(path.to_owned());
            plan.answers
        };
        match answers {
            Answers::Well => None,
            Answers::With(status) => Some(StatusCode::from_u16(status).unwrap().into_response()),
            Answers::Elsewhere => Some(Redirect::temporary("/elsewhere").into_response()),
            Answers::Endlessly => {
                let spaces =
                    futures_util::stream::repeat(Ok::<_, std::convert::Infallible>(Bytes::from(vec![
                        b' ';
                        65_536
                    ])));
                Some(axum::body::Body::from_stream(spaces).into_response())
            }
            Answers::Never => std::future::pending().await,
        }
    }

    fn id_token(&self, nonce: &str) -> String {
        let plan = self.plan.lock().unwrap();
        let now_s = self.clock.now_ms() / 1_000;
        let mut head = json!({ "alg": "EdDSA", "kid": plan.key.to_string(), "typ": "JWT" });
        let mut claims = json!({
            "iss": self.url, "sub": plan.subject, "aud": CLIENT, "nonce": nonce, "iat": now_s, "exp": now_s + 300,
        });
        let more = plan.email.as_object().cloned().unwrap_or_default();
        claims.as_object_mut().unwrap().extend(more);
        match plan.signed {
            Signed::Not => head["alg"] = json!("none"),
            Signed::WithTheSecret => head["alg"] = json!("HS256"),
            Signed::Well | Signed::ByAnother => {}
        }
        (plan.change)(&mut head, &mut claims);
        let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let text = format!("{}.{}", encode(&head), encode(&claims));
        let signature = match plan.signed {
            Signed::Not => Vec::new(),
            Signed::WithTheSecret => {
                let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
                let hmac = jsonwebtoken::crypto::sign(text.as_bytes(), &key, jsonwebtoken::Algorithm::HS256);
                return format!("{text}.{}", hmac.unwrap());
            }
            Signed::Well => SigningKey::from_bytes(&[plan.key; 32]).sign(text.as_bytes()).to_vec(),
            Signed::ByAnother => SigningKey::from_bytes(&[99; 32]).sign(text.as_bytes()).to_vec(),
        };
        format!("{text}.{}", BASE64URL_NOPAD.encode(&signature))
    }
}

fn told(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

async fn discover(State(provider): State<Provider>, uri: axum::http::Uri) -> Response {
    if uri.path() != "/elsewhere"
        && let Some(other) = provider.asked("discovery").await
    {
        return other;
    }
    let place = |name: &str| format!("{}/{name}", provider.url);
    told(&json!({
        "issuer": provider.url, "authorization_endpoint": place("enter"), "token_endpoint": place("token"),
        "userinfo_endpoint": place("more"), "jwks_uri": place("keys"), "response_types_supported": ["code"],
        "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["EdDSA", "HS256", "none"],
    }))
}

async fn keys(State(provider): State<Provider>) -> Response {
    if let Some(other) = provider.asked("keys").await {
        return other;
    }
    let seed = provider.plan.lock().unwrap().key;
    let public = SigningKey::from_bytes(&[seed; 32]).verifying_key();
    let x = BASE64URL_NOPAD.encode(public.as_bytes());
    told(&json!({ "keys": [
        { "kty": "unheard of", "kid": "0" },
        { "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": seed.to_string(), "x": x },
    ] }))
}

async fn token(State(provider): State<Provider>, headers: HeaderMap, body: Bytes) -> Response {
    if let Some(other) = provider.asked("token").await {
        return other;
    }
    let refuse = |error: &str| {
        let body = json!({ "error": error }).to_string();
        (StatusCode::BAD_REQUEST, [(header::CONTENT_TYPE, "application/json")], body).into_response()
    };
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let expected =
        format!("Basic {}", BASE64.encode(format!("{}:{}", encoded(CLIENT), encoded(SECRET)).as_bytes()));
    if headers.get(header::AUTHORIZATION).is_none_or(|shown| shown != expected.as_str()) {
        return refuse("invalid_client");
    }
    let form: HashMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let asked = provider.plan.lock().unwrap().codes.remove(&form["code"]);
    let Some(asked) = asked else { return refuse("invalid_grant") };
    let challenge = BASE64URL_NOPAD.encode(&Sha256::digest(form["code_verifier"].as_bytes()));
    if form["grant_type"] != "authorization_code"
        || form["redirect_uri"] != asked["redirect_uri"]
        || challenge != asked["code_challenge"]
    {
        return refuse("invalid_grant");
    }
    let id_token = provider.id_token(&asked["nonce"]);
    told(&json!({ "access_token": "more", "token_type": "Bearer", "expires_in": 60, "id_token": id_token }))
}

async fn more(State(provider): State<Provider>, headers: HeaderMap) -> Response {
    if let Some(other) = provider.asked("more").await {
        return other;
    }
    assert_eq!(headers[header::AUTHORIZATION], "Bearer more");
    let plan = provider.plan.lock().unwrap();
    let mut more = json!({ "sub": plan.subject });
    more.as_object_mut().unwrap().extend(plan.told_elsewhere.as_object().cloned().unwrap_or_default());
    told(&more)
}
