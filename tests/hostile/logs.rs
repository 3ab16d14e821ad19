//! No secret is written down anywhere, and nobody begins a line of the log: a server that says everything it can is sent every kind
//! of secret that there is, rightly and by mistake.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use data_encoding::{BASE32_NOPAD, BASE64, BASE64URL_NOPAD};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};

use super::remote::Remote;
use crate::cli::kyodaku;
use crate::cli::serve::settings;
use crate::world::people::PASSWORD;
use crate::world::{World, both};

const NEXT_PASSWORD: &str = "another kettle beneath the harbour";
const LAST_PASSWORD: &str = "the ferry leaves before the rain";
const WRONG_PASSWORD: &str = "a guess that was not right at all";
const EMAIL: &str = "hanako@hoshikuzu.example";
/// What stands in places where a secret does not belong.
const MISPLACED: &str = "misplaced-token-5f0c1d9a77";

/// A story about secrets, and all of them.
struct Story {
    remote: Remote,
    registrar: String,
    secrets: Vec<(String, String)>,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// What a device shows that was given this secret.
fn device(secret: &str) -> String {
    let secret = BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    let now = kyodaku::clock::Clock::system().now_ms() / 1_000;
    totp.generate(now.unsigned_abs()).to_string()
}

impl Story {
    fn keep(&mut self, what: &str, secret: impl Into<String>) -> String {
        let secret = secret.into();
        assert!(secret.len() >= 8, "{what} would be found by chance");
        self.secrets.push((what.to_owned(), secret.clone()));
        secret
    }

    /// The token in the last letter.
    async fn mailed(&mut self, world: &World) -> String {
        let folder = world.folder.path().join("data/mail");
        for _ in 0..3_000 {
            for file in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let letter = fs::read_to_string(file.path()).unwrap();
                // Not half of one.
                if let Some(at) = letter.find("kyo_mail_").filter(|_| letter.ends_with('\n')) {
                    let token = letter[at..]
                        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                        .next()
                        .unwrap()
                        .to_owned();
                    fs::remove_file(file.path()).unwrap();
                    return self.keep("a token that was mailed", token);
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no letter came");
    }

    async fn signed_in(&mut self, password: &str, code: Option<&str>) -> String {
        let body = match code {
            Some(code) => json!({ "email": EMAIL, "password": password, "code": code }),
            None => json!({ "email": EMAIL, "password": password }),
        };
        let told = self.remote.done("POST", "/v1/sessions", None, &body).await;
        self.keep("a refresh token", text(&told["refresh_token"]));
        self.keep("an access token", text(&told["access_token"]))
    }

    /// Keys: made, used, mistyped, revoked.
    async fn keys(&mut self) -> (String, String) {
        let registrar = self.registrar.clone();
        let made =
            self.remote.organization(&registrar, "Kasane Labs", &["ai_developer", "rights_holder"]).await;
        let admin = self.keep("the first key of an organization", text(&made["key"]["secret"]));
        let organization = text(&made["organization"]);
        let made = self.remote.done("POST", "/v1/keys", Some(&admin), &json!({ "label": "second" })).await;
        let id = text(&made["key"]["key"]);
        let second = self.keep("a second key", text(&made["key"]["secret"]));
        self.remote.done("GET", "/v1/me", Some(&second), &Value::Null).await;
        let last = if second.ends_with('z') { 'y' } else { 'z' };
        let mistyped = self.keep("a mistyped key", format!("{}{last}", &second[..second.len() - 1]));
        assert_eq!(self.remote.send("GET", "/v1/me", Some(&mistyped), &Value::Null).await.0, 401);
        self.remote.done("DELETE", &format!("/v1/keys/{id}"), Some(&admin), &Value::Null).await;
        assert_eq!(self.remote.send("GET", "/v1/me", Some(&second), &Value::Null).await.0, 401);
        (organization, admin)
    }

    /// A person: invited, signed in, with wrong passwords, another password, a reset.
    async fn person(&mut self, world: &World, admin: &str) {
        for password in [PASSWORD, NEXT_PASSWORD, LAST_PASSWORD, WRONG_PASSWORD] {
            self.keep("a password", password);
        }
        let added = self
            .remote
            .done("POST", "/v1/people", Some(admin), &json!({ "label": "Hanako", "role": "admin" }))
            .await;
        let invitation = format!("/v1/people/{}/invitations", text(&added["person"]));
        self.remote.done("POST", &invitation, Some(admin), &json!({ "email": EMAIL })).await;
        let token = self.mailed(world).await;
        let (status, _) = self
            .remote
            .send("POST", "/v1/passwords", None, &json!({ "token": token, "password": "short" }))
            .await;
        assert_eq!(status, 422);
        self.remote
            .done("POST", "/v1/passwords", None, &json!({ "token": token, "password": PASSWORD }))
            .await;
        for (email, password) in [(EMAIL, WRONG_PASSWORD), ("nobody@hoshikuzu.example", WRONG_PASSWORD)] {
            let body = json!({ "email": email, "password": password });
            assert_eq!(self.remote.send("POST", "/v1/sessions", None, &body).await.0, 401);
        }
        let session = self.signed_in(PASSWORD, None).await;
        let (_, refresh) = self.secrets[self.secrets.len() - 2].clone();
        let body = json!({ "refresh_token": refresh });
        let told = self.remote.done("POST", "/v1/sessions/refresh", None, &body).await;
        self.keep("the next refresh token", text(&told["refresh_token"]));
        let session = match told["access_token"].as_str() {
            Some(access) => self.keep("the next access token", access),
            None => session,
        };
        let body = json!({ "current": WRONG_PASSWORD, "new": NEXT_PASSWORD });
        assert_eq!(self.remote.send("PUT", "/v1/password", Some(&session), &body).await.0, 422);
        let body = json!({ "current": PASSWORD, "new": NEXT_PASSWORD });
        self.remote.done("PUT", "/v1/password", Some(&session), &body).await;
        self.remote.done("POST", "/v1/password-resets", None, &json!({ "email": EMAIL })).await;
        let token = self.mailed(world).await;
        self.remote
            .done("POST", "/v1/passwords", None, &json!({ "token": token, "password": LAST_PASSWORD }))
            .await;
        // A refresh token that is spent.
        assert_eq!(
            self.remote
                .send("POST", "/v1/sessions/refresh", None, &json!({ "refresh_token": refresh }))
                .await
                .0,
            401
        );
    }

    /// A second factor: set up, used, guessed at.
    async fn factor(&mut self) {
        let session = self.signed_in(LAST_PASSWORD, None).await;
        let offered = self
            .remote
            .done("POST", "/v1/second-factor", Some(&session), &json!({ "password": LAST_PASSWORD }))
            .await;
        let secret = self.keep("the secret of a second factor", text(&offered["secret"]));
        let body = json!({ "code": device(&secret) });
        let told = self.remote.done("POST", "/v1/second-factor/confirm", Some(&session), &body).await;
        let codes: Vec<_> = told["recovery_codes"].as_array().unwrap().iter().map(text).collect();
        for code in &codes {
            self.keep("a code for a day without the device", code);
        }
        let guess = self.keep("a code that was guessed", "aaaaa-bbbbb-ccccc");
        let body = json!({ "email": EMAIL, "password": LAST_PASSWORD, "code": guess });
        assert!((400..500).contains(&self.remote.send("POST", "/v1/sessions", None, &body).await.0));
        self.signed_in(LAST_PASSWORD, Some(&codes[0])).await;
    }

    /// A program: with its secret in two places, with a statement, and what is asked and ended of its token.
    async fn program(&mut self, admin: &str) {
        let made = self.remote.done("POST", "/v1/keys", Some(admin), &json!({ "label": "program" })).await;
        let id = text(&made["key"]["key"]);
        let secret = self.keep("the secret of a program", text(&made["key"]["secret"]));
        self.keep("the same, as it is sent", BASE64.encode(format!("{id}:{secret}").as_bytes()));
        let grant = ("grant_type", "client_credentials");
        for (basic, fields) in [
            (Some((id.as_str(), secret.as_str())), vec![grant]),
            (None, vec![grant, ("client_id", &id), ("client_secret", &secret)]),
        ] {
            let (status, told) = self.remote.form("/oauth/token", basic, &fields).await;
            assert_eq!(status, 200, "{told}");
            let token = self.keep("a token of a program", text(&told["access_token"]));
            self.remote.done("GET", "/v1/me", Some(&token), &Value::Null).await;
            for path in ["/oauth/introspect", "/oauth/revoke"] {
                let fields = [("token", token.as_str()), ("client_id", &id), ("client_secret", &secret)];
                assert_eq!(self.remote.form(path, None, &fields).await.0, 200);
            }
        }
        let wrong = self.keep("a wrong secret", format!("{secret}x"));
        assert_eq!(self.remote.form("/oauth/token", Some((&id, &wrong)), &[grant]).await.0, 401);
        // A person has two keys at most.
        self.remote.done("DELETE", &format!("/v1/keys/{id}"), Some(admin), &Value::Null).await;
        self.statement(admin).await;
    }

    /// A program that signs, once rightly and once with a key that is not its own.
    async fn statement(&mut self, admin: &str) {
        let key = SigningKey::from_bytes(&[7; 32]);
        let public = json!({ "kty": "OKP", "crv": "Ed25519", "x": BASE64URL_NOPAD.encode(key.verifying_key().as_bytes()) });
        let body = json!({ "label": "signs", "public_key": public });
        let made = self.remote.done("POST", "/v1/keys", Some(admin), &body).await;
        let id = text(&made["key"]["key"]);
        let metadata =
            self.remote.done("GET", "/.well-known/oauth-authorization-server", None, &Value::Null).await;
        let now = kyodaku::clock::Clock::system().now_ms() / 1_000;
        for (signer, expected) in [(key, 200), (SigningKey::from_bytes(&[8; 32]), 401)] {
            let claims = json!({
                "iss": id, "sub": id, "aud": metadata["issuer"], "exp": now + 60, "iat": now, "jti": format!("once-{expected}"),
            });
            let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
            let signed = format!("{}.{}", part(&json!({ "alg": "EdDSA" })), part(&claims));
            let signature = BASE64URL_NOPAD.encode(&signer.sign(signed.as_bytes()).to_bytes());
            let statement = self.keep("a statement that was signed", format!("{signed}.{signature}"));
            let fields = [
                ("grant_type", "client_credentials"),
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                ("client_assertion", &statement),
            ];
            let (status, told) = self.remote.form("/oauth/token", None, &fields).await;
            assert_eq!(status, expected, "{told}");
            if let Some(token) = told["access_token"].as_str() {
                self.keep("a token of a program that signs", token);
            }
        }
    }

    /// Secrets where they do not belong: in paths, queries, wrong fields, wrong headers, over the other version of HTTP.
    async fn by_mistake(&mut self, admin: &str) {
        self.keep("a secret in the wrong place", MISPLACED);
        for path in [
            format!("/v1/works/{MISPLACED}"),
            format!("/v1/works?access_token={MISPLACED}"),
            format!("/{MISPLACED}/x"),
            format!("/v1/works?cursor={MISPLACED}"),
            format!("/v1/works?at_least={MISPLACED}"),
            format!("/v1/works?key={admin}"),
        ] {
            assert!(
                (400..500).contains(&self.remote.send("GET", &path, Some(admin), &Value::Null).await.0),
                "{path}"
            );
        }
        for (path, body) in [
            ("/v1/sessions", json!({ "email": MISPLACED, "password": { "is": MISPLACED } })),
            ("/v1/sessions", json!({ MISPLACED: 1 })),
            ("/v1/sessions/refresh", json!({ "refresh_token": [MISPLACED] })),
            ("/v1/keys", json!({ "label": "x", "scopes": [MISPLACED] })),
            ("/v1/checks", json!({ "context": MISPLACED, "items": [MISPLACED] })),
            ("/v1/works", json!(MISPLACED)),
        ] {
            let (status, told) = self.remote.send("POST", path, Some(admin), &body).await;
            assert!((400..500).contains(&status), "{path}: {told}");
        }
        for (name, value) in [
            ("authorization", format!("Basic {MISPLACED}")),
            ("authorization", format!("{MISPLACED} {admin}")),
            ("idempotency-key", format!("{MISPLACED} {MISPLACED}")),
            ("x-request-id", format!("{MISPLACED}\u{e9}")),
            ("cookie", format!("session={MISPLACED}")),
            ("user-agent", MISPLACED.to_owned()),
        ] {
            let request = self.remote.http.get(format!("{}/v1/me", self.remote.url)).header(name, value);
            assert!(self.remote.patiently(request).await.status().is_client_error(), "{name}");
        }
        let curl = |version: &str| {
            let mut curl = Command::new("curl");
            curl.args(["-sS", version, "-o", "/dev/null", "-w", "%{http_version} %{http_code}"]);
            curl.args([
                "-H",
                &format!("Authorization: Bearer {admin}"),
                &format!("{}/v1/me?x={MISPLACED}", self.remote.url),
            ]);
            String::from_utf8(curl.output().unwrap().stdout).unwrap()
        };
        assert_eq!(curl("--http2-prior-knowledge").split(' ').next(), Some("2"));
        assert_eq!(curl("--http1.1").split(' ').next(), Some("1.1"));
    }

    /// Every file below a folder, but for letters, that holds a secret.
    fn found_in(&self, folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                if !path.ends_with("mail") {
                    found.extend(self.found_in(&path));
                }
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            let holds = |secret: &str| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            let kept = self.secrets.iter().filter(|(_, secret)| holds(secret));
            found.extend(kept.map(|(what, _)| format!("{what} in {}", path.display())));
        }
        found
    }
}

/// Bytes that should begin a line, where hyper lets them through, and where it does not.
fn forge(remote: &Remote) {
    let address = remote.url.strip_prefix("http://").unwrap();
    for head in [
        "GET /v1/%0AFORGED%0D%0Aline HTTP/1.1\r\nUser-Agent: a%0AFORGED\r\n",
        "GET /v1/works/%1b%5b2JFORGED?a=%0aFORGED HTTP/1.1\r\nX-Request-Id: a%0AFORGED\r\n",
        "FORGED /v1/me HTTP/1.1\r\nUser-Agent: \u{85}FORGED\u{2028}FORGED\r\n",
        "GET /v1/me HTTP/1.1\r\nX-Forwarded-For: 1.1.1.1\u{b}FORGED\r\n",
        "GET /v1/me HTTP/1.1\r\nUser-Agent: a\rFORGED\r\n",
        "GET /v1/me HTTP/1.1\r\nUser-Agent: a\n FORGED\r\n",
        "GET /v1/me\nFORGED HTTP/1.1\r\n",
        "GET /\u{1}FORGED HTTP/9.9\r\n",
        "\0\0\0FORGED\r\n",
    ] {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // Whoever is answered after the first line may find the rest refused.
        let _ = stream.write_all(format!("{head}Host: a\r\nConnection: close\r\n\r\n").as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
    }
}

async fn told(world: World, form: &str) {
    let remote = Remote::start(&world, &[("log_filter", "trace"), ("log_format", form)]).await;
    let registrar = Remote::registrar(&world, "first");
    let mut story =
        Story { remote, secrets: vec![("the registrar's key".to_owned(), registrar.clone())], registrar };
    let (_, admin) = story.keys().await;
    story.person(&world, &admin).await;
    story.factor().await;
    story.program(&admin).await;
    story.by_mistake(&admin).await;
    forge(&story.remote);
    story.remote.stop();

    let backup = world.folder.path().join("copy");
    let copied = kyodaku().arg("backup").arg(&backup).args(settings(&world)).output().unwrap();
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    let found = story.found_in(world.folder.path());
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(story.secrets.len() > 25, "{}", story.secrets.len());
    // The judge is judged: what is written down is found, and no half of a line passes for one.
    story.secrets = vec![("the name of a target".to_owned(), "kyodaku::http".to_owned())];
    assert!(story.found_in(world.folder.path()).iter().any(|found| found.ends_with("stderr")));
    assert!(!is_whole("FORGED line", form) && !is_whole("", form));

    let lines = fs::read_to_string(&story.remote.said[1]).unwrap();
    assert!(lines.contains("TRACE") && lines.contains("kyodaku::http"), "everything is said");
    for line in lines.lines() {
        assert!(is_whole(line, form), "{line:?} is no line of its own");
    }
    assert_eq!(fs::read_to_string(&story.remote.said[0]).unwrap(), "");
}

/// Whether a line begins as all do, with a moment, and holds no control character.
fn is_whole(line: &str, form: &str) -> bool {
    let stamp = match form {
        "json" => serde_json::from_str::<Value>(line)
            .ok()
            .and_then(|it| it["timestamp"].as_str().map(ToOwned::to_owned)),
        _ => line.split(' ').next().map(ToOwned::to_owned),
    };
    let is_moment = stamp.is_some_and(|stamp| stamp.parse::<jiff::Timestamp>().is_ok());
    is_moment && !line.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
}

both!(no_secret_is_in_a_log_of_text_or_on_the_disk, async |world: World| { told(world, "text").await });
both!(no_secret_is_in_a_log_of_json_or_on_the_disk, async |world: World| { told(world, "json").await });
