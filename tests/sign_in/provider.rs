//! Single sign-on through a provider in a process of its own: the published package `oidc-provider-mock`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use kyodaku::clock::Clock;
use kyodaku::registry::Registry;
use kyodaku::registry::sign_in::ProviderSettings;
use serde_json::{Value, json};

use super::fake::BACK;
use crate::world::actors::Stage;
use crate::world::people::SignedIn;
use crate::world::{World, both};

const HANAKO: &str = "hanako@hoshikuzu.example";
/// The package, and what it stands on, as they were when this was written.
const PACKAGES: [&str; 5] =
    ["oidc-provider-mock==0.3.4", "authlib==1.9.10", "flask==3.1.3", "joserfc==1.8.0", "uvicorn==0.54.0"];

/// Installs the package into a virtual environment of the build folder, once.
fn program() -> PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let install = || {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("oidc-provider-mock-0.3.4");
        let (python, program) = (folder.join("bin/python"), folder.join("bin/oidc-provider-mock"));
        let works = || {
            let mut help = Command::new(&program);
            help.arg("--help").stdout(Stdio::null()).stderr(Stdio::null());
            help.status().is_ok_and(|status| status.success())
        };
        if !works() {
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
            run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES));
            assert!(works(), "the package does not run");
        }
        program
    };
    PROGRAM.get_or_init(install).clone()
}

fn run(command: &mut Command) {
    let done = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(done.status.success(), "{command:?} failed:\n{}", String::from_utf8_lossy(&done.stderr));
}

/// A running provider; killed when it goes out of scope.
struct Provider {
    child: Child,
    url: String,
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Provider {
    async fn start() -> Self {
        let program = tokio::task::spawn_blocking(program).await.expect("the package is installed");
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let users = [("hanako", HANAKO, true), ("taro", HANAKO, false), ("jiro", "jiro@x.example", true)];
        let users = users.map(|(sub, email, is_verified)| {
            json!({ "sub": sub, "email": email, "email_verified": is_verified }).to_string()
        });
        let mut command = Command::new(program);
        command.args(["--port", &port.to_string(), "--require-nonce"]);
        command.args(users.iter().flat_map(|user| ["--user-claims", user.as_str()]));
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the provider starts");
        let this = Self { child, url: format!("http://127.0.0.1:{port}") };
        for _ in 0..600 {
            if client().get(&this.url).send().await.is_ok() {
                return this;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the provider does not answer");
    }

    /// Lets somebody sign in there, as a browser would, who was sent to `url`; what comes back.
    async fn visit(&self, url: &str, subject: &str) -> HashMap<String, String> {
        let form = client().post(url).header("content-type", "application/x-www-form-urlencoded");
        let answer = form.body(format!("sub={subject}")).send().await.unwrap();
        let back = answer.headers().get("location").unwrap_or_else(|| panic!("{answer:?}")).to_str().unwrap();
        assert!(back.starts_with(BACK), "{back}");
        url::Url::parse(back).unwrap().query_pairs().into_owned().collect()
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap()
}

both!(people_sign_in_through_a_provider_that_others_wrote, async |world: World| {
    let mut provider = Provider::start().await;
    let registry = Registry::open(world.settings("a"), Clock::system()).await.unwrap();
    let settings = ProviderSettings {
        issuer: provider.url.clone(),
        client_id: "kyodaku".to_owned(),
        client_secret: "a secret".to_owned(),
        redirect_url: BACK.to_owned(),
    };
    assert!(registry.sign_in_through(settings).unwrap());
    let stage = Stage::of(registry).await;
    let admin = stage.holder("Hoshikuzu Press").await;
    let person = stage.invited(&admin, "editor", HANAKO).await;
    let begin = async || stage.nobody.json("POST", "/v1/sign-ins", &json!({}), &[]).await;
    let sign_in = async |subject: &str| {
        let begun = begin().await;
        assert_eq!(begun.status, 201, "{begun:?}");
        let begun: Value = begun.json();
        let back = provider.visit(begun["url"].as_str().unwrap(), subject).await;
        let body = json!({ "sign_in": begun["sign_in"], "state": back["state"], "code": back["code"] });
        stage.nobody.json("POST", "/v1/sign-ins/complete", &body, &[]).await
    };
    // Not verified, not known, and nobody is made by it.
    for subject in ["taro", "jiro"] {
        assert_eq!(sign_in(subject).await.problem(), "invalid_credentials", "{subject}");
    }
    for _ in 0..2 {
        let answer = sign_in("hanako").await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let hanako = SignedIn::of(&stage, &answer.json());
        assert_eq!(hanako.person, person);
        let linked: Value = hanako.client.get("/v1/identities").await.json();
        assert_eq!(linked["items"][0]["issuer"], json!(provider.url));
        assert_eq!(linked["items"].as_array().unwrap().len(), 1);
    }
    // It goes away in the middle.
    let begun: Value = begin().await.json();
    let back = provider.visit(begun["url"].as_str().unwrap(), "hanako").await;
    provider.child.kill().unwrap();
    provider.child.wait().unwrap();
    let body = json!({ "sign_in": begun["sign_in"], "state": back["state"], "code": back["code"] });
    let gone = stage.nobody.json("POST", "/v1/sign-ins/complete", &body, &[]).await;
    assert_eq!((gone.status.as_u16(), gone.headers.contains_key("retry-after")), (503, true));
    assert_eq!(stage.sign_in(HANAKO, crate::world::people::PASSWORD).await.status, 201);
});
