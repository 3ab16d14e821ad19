//! The provider of OpenID Connect through which people may sign in: what it says of itself, and what it says of people.
//!
//! The crate `openidconnect` speaks the protocol: discovery, the code flow with PKCE, the tokens' signatures, issuer, audience,
//! nonce and time. What it leaves to its caller is here: algorithms with a public key only, the authorized party, the time of
//! issue, and limits on everything that is fetched. The provider is reached at what it said of itself, over TLS, without redirects.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreIdToken, CoreIdTokenClaims,
    CoreJsonWebKeySet, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::{
    AccessToken, AsyncHttpClient, AuthType, AuthorizationCode, ClaimsVerificationError, ClientId,
    ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse,
    IssuerUrl, JsonWebKeySet, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, TokenResponse, TokenUrl, UserInfoError, UserInfoUrl,
};
use tokio::sync::{Mutex, Semaphore};

use crate::clock::Clock;
use crate::registry::failure::Failure;
use crate::registry::sequencer::SubmitError;
use crate::store::{Db, identities};

/// How long what the provider says of itself is believed.
const KNOWN_MS: i64 = 60 * 60 * 1_000;
/// How long nobody asks again after it did not answer.
const FAILED_MS: i64 = 5_000;
/// How long its keys are good at least before they are fetched again for a signature that none of them made.
const KEYS_MS: i64 = 60_000;
/// How long one answer of it may take.
const ANSWER: Duration = Duration::from_secs(5);
/// How long all that it is asked for one person may take; less than a handler has.
const ALL: Duration = Duration::from_secs(20);
/// The most bytes of one answer.
const MOST_BYTES: usize = 256 * 1024;
/// How many people are asked about at once.
const AT_ONCE: usize = 32;
/// By how much its clock may be ahead, in seconds.
const SKEW_S: i64 = 60;
/// How long ago a token may have been issued: it is fetched as soon as it is.
const OLDEST_S: i64 = 15 * 60;
/// The most characters of a subject (OpenID Connect Core section 2).
const MOST_SUBJECT: usize = 255;

/// Signatures that only the provider can make: with a key that nobody else has, this server included.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// A client of the provider, with the places that discovery told.
type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Who the provider is, and who this registry is to it.
#[derive(Clone)]
pub struct ProviderSettings {
    /// Its issuer, exactly as it writes it itself.
    pub issuer: String,
    /// The name of this registry there.
    pub client_id: String,
    /// The secret of this registry there.
    pub client_secret: String,
    /// Where it sends people back to.
    pub redirect_url: String,
}

impl fmt::Debug for ProviderSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderSettings").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// Why there is no provider.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// A setting is not a URL that serves.
    #[error("the setting `{0}` is no URL that serves: {1}")]
    Url(&'static str, String),
    /// No requests can be sent.
    #[error("no requests can be sent: {0}")]
    Http(#[from] reqwest::Error),
}

/// What begins a sign-in and is needed to end it.
#[derive(Clone)]
pub(super) struct Begun {
    /// Goes to the provider and comes back.
    pub(super) state: String,
    /// Comes back in the token alone.
    pub(super) nonce: String,
    /// Its digest goes to the provider first, itself with the code (RFC 7636).
    pub(super) verifier: String,
}

/// Who somebody is to the provider.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Known {
    /// Its name for the person, for ever.
    pub(super) subject: String,
    /// The address, where the provider says that it is the person's.
    pub(super) email: Option<String>,
}

/// The provider.
pub(super) struct Provider {
    settings: ProviderSettings,
    issuer: IssuerUrl,
    redirect: RedirectUrl,
    fetch: Fetch,
    known: Mutex<Discovered>,
    places: Semaphore,
    clock: Clock,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// What the provider said of itself last.
#[derive(Default)]
struct Discovered {
    metadata: Option<Arc<CoreProviderMetadata>>,
    at_ms: i64,
    keys_ms: i64,
    failed_ms: Option<i64>,
}

/// Why nobody is known by what the provider said.
enum NotKnown {
    /// It does not answer as it should: others may still sign in otherwise.
    Down(String),
    /// The code, or what it says of the person, is not good.
    Bad(String),
    /// This registry can't say.
    Here(Failure),
}

type Asked<T> = Result<T, NotKnown>;

impl Provider {
    pub(super) fn new(settings: ProviderSettings, clock: &Clock) -> Result<Self, ProviderError> {
        let issuer = IssuerUrl::new(settings.issuer.clone())
            .map_err(|error| ProviderError::Url("oidc_issuer", error.to_string()))?;
        let redirect = RedirectUrl::new(settings.redirect_url.clone())
            .map_err(|error| ProviderError::Url("oidc_redirect_url", error.to_string()))?;
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(ANSWER)
            .build()?;
        let is_local = is_on_this_machine(issuer.url());
        let this = Self {
            issuer,
            redirect,
            fetch: Fetch { http, is_local },
            settings,
            known: Mutex::default(),
            places: Semaphore::new(AT_ONCE),
            clock: clock.clone(),
        };
        this.fetch.refuse_clear(this.issuer.url()).map_err(|why| ProviderError::Url("oidc_issuer", why))?;
        Ok(this)
    }

    /// Its issuer, as identities are kept by it.
    pub(super) fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Where somebody is sent to sign in there.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] when it does not answer.
    pub(super) async fn address(&self, begun: &Begun) -> Result<url::Url, Failure> {
        let asked = async {
            let client = self.client(&*self.metadata().await?)?;
            let challenge =
                PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(begun.verifier.clone()));
            let (state, nonce) = (begun.state.clone(), begun.nonce.clone());
            let flow = CoreAuthenticationFlow::AuthorizationCode;
            let request = client.authorize_url(flow, || CsrfToken::new(state), || Nonce::new(nonce));
            Ok(request.add_scope(Scope::new("email".to_owned())).set_pkce_challenge(challenge).url().0)
        };
        // Where nobody was asked about yet, nobody can be refused.
        self.within(asked).await?.ok_or_else(|| down("the provider's own address is not good"))
    }

    /// Who somebody is who came back with this code; none if the code or what the provider says of the person is not good.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] when it does not answer.
    pub(super) async fn known(&self, begun: &Begun, code: &str, db: &Db) -> Result<Option<Known>, Failure> {
        self.within(async {
            let metadata = self.metadata().await?;
            let answer = self.exchange(&metadata, begun, code).await?;
            let token = answer.id_token().ok_or_else(|| bad("there is no ID token"))?;
            let claims = self.verified(&metadata, token, &Nonce::new(begun.nonce.clone())).await?;
            let subject = claims.subject().as_str().to_owned();
            if subject.is_empty() || subject.len() > MOST_SUBJECT || subject.chars().any(char::is_control) {
                return Err(bad("the subject is not one"));
            }
            let email = match claims.email() {
                Some(email) => claims.email_verified().unwrap_or(false).then(|| email.to_string()),
                // Of whoever is linked it does not matter.
                None if self.is_linked(db, &subject).await? => None,
                None => self.email(&metadata, answer.access_token(), &claims).await?,
            };
            Ok(Known { subject, email })
        })
        .await
    }

    /// Within the time and the number that may be asked at once.
    async fn within<T>(&self, asked: impl Future<Output = Asked<T>>) -> Result<Option<T>, Failure> {
        let _place = self.places.try_acquire().map_err(|_| Failure::Submit(SubmitError::Busy))?;
        match tokio::time::timeout(ALL, asked).await {
            Ok(Ok(known)) => Ok(Some(known)),
            Ok(Err(NotKnown::Bad(why))) => {
                tracing::warn!(target: "kyodaku::sign_in", why, "what the provider says is not good");
                Ok(None)
            }
            Ok(Err(NotKnown::Down(why))) => Err(down(&why)),
            Ok(Err(NotKnown::Here(failure))) => Err(failure),
            Err(_) => Err(down("it takes too long")),
        }
    }

    /// What the provider says of itself; asked again after an hour.
    async fn metadata(&self) -> Asked<Arc<CoreProviderMetadata>> {
        // One asks, the others wait for it. What it was told counts for them too, also that there was no answer.
        let mut known = self.known.lock().await;
        let now_ms = self.clock.now_ms();
        if let Some(metadata) = known.metadata.as_ref().filter(|_| is_within(known.at_ms, KNOWN_MS, now_ms)) {
            return Ok(Arc::clone(metadata));
        }
        if known.failed_ms.is_some_and(|failed_ms| is_within(failed_ms, FAILED_MS, now_ms)) {
            return Err(NotKnown::Down("it did not answer a moment ago".to_owned()));
        }
        match self.discover().await {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                let kept = Some(Arc::clone(&metadata));
                *known = Discovered { metadata: kept, at_ms: now_ms, keys_ms: now_ms, failed_ms: None };
                Ok(metadata)
            }
            Err(why) => {
                known.failed_ms = Some(now_ms);
                Err(why)
            }
        }
    }

    async fn discover(&self) -> Asked<CoreProviderMetadata> {
        let metadata = CoreProviderMetadata::discover_async(self.issuer.clone(), &self.fetch);
        let metadata = metadata.await.map_err(|error| NotKnown::Down(chain(&error)))?;
        let places = [
            Some(metadata.authorization_endpoint().url()),
            metadata.token_endpoint().map(TokenUrl::url),
            metadata.userinfo_endpoint().map(UserInfoUrl::url),
        ];
        for place in places.into_iter().flatten() {
            self.fetch.refuse_clear(place).map_err(NotKnown::Down)?;
        }
        Ok(metadata)
    }

    /// The same with keys that were fetched just now, unless that was done a moment ago.
    async fn with_new_keys(&self) -> Asked<Option<Arc<CoreProviderMetadata>>> {
        let mut known = self.known.lock().await;
        let now_ms = self.clock.now_ms();
        let Some(metadata) = known.metadata.clone().filter(|_| !is_within(known.keys_ms, KEYS_MS, now_ms))
        else {
            return Ok(None);
        };
        known.keys_ms = now_ms;
        let keys: CoreJsonWebKeySet = JsonWebKeySet::fetch_async(metadata.jwks_uri(), &self.fetch)
            .await
            .map_err(|error| NotKnown::Down(chain(&error)))?;
        let metadata = Arc::new((*metadata).clone().set_jwks(keys));
        known.metadata = Some(Arc::clone(&metadata));
        Ok(Some(metadata))
    }

    fn client(&self, metadata: &CoreProviderMetadata) -> Asked<Client> {
        let secret = ClientSecret::new(self.settings.client_secret.clone());
        let id = ClientId::new(self.settings.client_id.clone());
        let client = CoreClient::from_provider_metadata(metadata.clone(), id, Some(secret));
        if metadata.token_endpoint().is_none() {
            return Err(NotKnown::Down("it names no place for tokens".to_owned()));
        }
        let takes = |method| {
            // Where it does not say, the header is meant (OpenID Connect Discovery section 3).
            let methods = metadata.token_endpoint_auth_methods_supported();
            methods.map_or(method == CoreClientAuthMethod::ClientSecretBasic, |them| them.contains(&method))
        };
        let in_body =
            !takes(CoreClientAuthMethod::ClientSecretBasic) && takes(CoreClientAuthMethod::ClientSecretPost);
        let auth = if in_body { AuthType::RequestBody } else { AuthType::BasicAuth };
        Ok(client.set_redirect_uri(self.redirect.clone()).set_auth_type(auth))
    }

    async fn exchange(
        &self,
        metadata: &CoreProviderMetadata,
        begun: &Begun,
        code: &str,
    ) -> Asked<CoreTokenResponse> {
        let client = self.client(metadata)?;
        let request = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|error| NotKnown::Down(chain(&error)))?
            .set_pkce_verifier(PkceCodeVerifier::new(begun.verifier.clone()));
        request.request_async(&self.fetch).await.map_err(|error| match &error {
            RequestTokenError::ServerResponse(told) if told.error().as_ref() == "invalid_grant" => {
                bad("the code is not good")
            }
            // Above all `invalid_client`: what is wrong is the settings, and not the person.
            _ => NotKnown::Down(chain(&error)),
        })
    }

    /// What a token says, once everything about it is good.
    async fn verified(
        &self,
        metadata: &CoreProviderMetadata,
        token: &CoreIdToken,
        nonce: &Nonce,
    ) -> Asked<CoreIdTokenClaims> {
        let claims = match self.claims(metadata, token, nonce) {
            // Its keys may have changed since they were fetched.
            Err(ClaimsVerificationError::SignatureVerification(why)) => match self.with_new_keys().await? {
                Some(renewed) => self.claims(&renewed, token, nonce),
                None => Err(ClaimsVerificationError::SignatureVerification(why)),
            },
            other => other,
        };
        let claims = claims.map_err(|error| NotKnown::Bad(chain(&error)))?;
        let is_ours = claims.authorized_party().is_none_or(|party| party.as_str() == self.settings.client_id);
        if is_ours { Ok(claims) } else { Err(bad("the token was issued to another")) }
    }

    fn claims(
        &self,
        metadata: &CoreProviderMetadata,
        token: &CoreIdToken,
        nonce: &Nonce,
    ) -> Result<CoreIdTokenClaims, ClaimsVerificationError> {
        let client =
            self.client(metadata).map_err(|_| ClaimsVerificationError::Other("no client".to_owned()))?;
        let now_ms = self.clock.now_ms();
        let now_s = now_ms.div_euclid(1_000);
        let now = UNIX_EPOCH + Duration::from_millis(now_ms.unsigned_abs());
        let verifier = client
            .id_token_verifier()
            .set_allowed_algs(ALGORITHMS)
            .set_time_fn(move || now.into())
            .set_issue_time_verifier_fn(move |issued| {
                let age_s = now_s.saturating_sub(issued.timestamp());
                let is_now = (-SKEW_S..=OLDEST_S).contains(&age_s);
                if is_now { Ok(()) } else { Err(format!("it was issued {age_s} seconds ago")) }
            });
        token.claims(&verifier, nonce).cloned()
    }

    async fn is_linked(&self, db: &Db, subject: &str) -> Asked<bool> {
        let linked = identities::by_subject(db, self.issuer(), subject).await;
        linked.map(|linked| linked.is_some()).map_err(|error| NotKnown::Here(error.into()))
    }

    /// The address of whoever the token is about, if the provider tells it elsewhere, and says that it is the person's.
    async fn email(
        &self,
        metadata: &CoreProviderMetadata,
        token: &AccessToken,
        of: &CoreIdTokenClaims,
    ) -> Asked<Option<String>> {
        // The crate would put it into a header as it is.
        if !token.secret().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(bad("the access token is not one"));
        }
        let client = self.client(metadata)?;
        let Ok(request) = client.user_info(token.clone(), Some(of.subject().clone())) else {
            return Ok(None);
        };
        let told: CoreUserInfoClaims =
            request.request_async(&self.fetch).await.map_err(|error| match &error {
                UserInfoError::ClaimsVerification(_) => NotKnown::Bad(chain(&error)),
                _ => NotKnown::Down(chain(&error)),
            })?;
        let is_verified = told.email_verified().unwrap_or(false);
        Ok(told.email().filter(|_| is_verified).map(|email| email.to_string()))
    }
}

/// How the provider is reached.
struct Fetch {
    http: reqwest::Client,
    /// Whether it is on this machine, where nothing is overheard: then TLS is not insisted on.
    is_local: bool,
}

impl<'c> AsyncHttpClient<'c> for Fetch {
    type Error = FetchError;
    type Future = BoxFuture<'c, Result<HttpResponse, FetchError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        self.send(request).boxed()
    }
}

impl Fetch {
    /// Sends one request, within limits.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, FetchError> {
        let request = reqwest::Request::try_from(request)?;
        self.refuse_clear(request.url()).map_err(FetchError::Place)?;
        let mut answer = self.http.execute(request).await?;
        let (mut body, mut told) = (Vec::new(), http_response(&answer));
        while let Some(chunk) = answer.chunk().await? {
            if body.len() + chunk.len() > MOST_BYTES {
                return Err(FetchError::Large);
            }
            body.extend_from_slice(&chunk);
        }
        *told.body_mut() = body;
        Ok(told)
    }

    fn refuse_clear(&self, url: &url::Url) -> Result<(), String> {
        let is_fine =
            url.scheme() == "https" || url.scheme() == "http" && self.is_local && is_on_this_machine(url);
        if is_fine { Ok(()) } else { Err(format!("`{url}` does not begin with `https://`")) }
    }
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("{}", chain(.0))]
    Http(#[from] reqwest::Error),
    #[error("{0}")]
    Place(String),
    #[error("the answer has more than {MOST_BYTES} bytes")]
    Large,
}

/// The head of an answer, its body to be filled in.
fn http_response(answer: &reqwest::Response) -> HttpResponse {
    let mut response = HttpResponse::new(Vec::new());
    *response.status_mut() = answer.status();
    response.headers_mut().clone_from(answer.headers());
    response
}

fn is_on_this_machine(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

const fn is_within(since_ms: i64, span_ms: i64, now_ms: i64) -> bool {
    // A clock that was set back proves nothing.
    since_ms <= now_ms && now_ms - since_ms < span_ms
}

fn bad(why: &str) -> NotKnown {
    NotKnown::Bad(why.to_owned())
}

fn down(why: &str) -> Failure {
    Failure::Unavailable(format!("the provider of OpenID Connect does not answer as it should: {why}"))
}

/// An error with what caused it. None of them holds a code or a token: those travel in bodies and headers.
fn chain(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !told.contains(&more) {
            told.push_str(": ");
            told.push_str(&more);
        }
        cause = error.source();
    }
    told.chars().filter(|c| !c.is_control()).take(500).collect()
}
