//! A server in a process of its own, everything that it says, and those who talk to it over real HTTP.

use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::serve::{Server, create_registrar, serve};
use crate::world::World;
use crate::world::actors::fresh_key;

/// A server whose stdout and stderr are files.
pub(super) struct Remote {
    pub(super) url: String,
    /// The files of stdout and stderr.
    pub(super) said: [PathBuf; 2],
    pub(super) http: reqwest::Client,
    server: Server,
}

impl Remote {
    /// Starts one on a world's database, with these settings.
    pub(super) async fn start(world: &World, settings: &[(&str, &str)]) -> Self {
        let said = ["stdout", "stderr"].map(|name| world.folder.path().join(name));
        let files = said.each_ref().map(|path| File::create(path).unwrap());
        let mut command = serve(world);
        for (key, value) in settings {
            command.args(["--set", &format!("{key}={value}")]);
        }
        let [out, errors] = files;
        let child = command.stdout(Stdio::from(out)).stderr(Stdio::from(errors)).spawn().unwrap();
        // A connection each: one that is kept may be closed by the server at the moment it is used again.
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).no_proxy().build().unwrap();
        let mut remote = Self { url: String::new(), said, http, server: Server::of(child) };
        for _ in 0..1_200 {
            let text = std::fs::read_to_string(&remote.said[1]).unwrap();
            if let Some((_, rest)) = text.split_once("listening on http://") {
                let address =
                    rest.split(|c: char| !(c.is_ascii_alphanumeric() || ".:[]".contains(c))).next().unwrap();
                remote.url = format!("http://{address}");
                return remote;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the server does not listen: {}", std::fs::read_to_string(&remote.said[1]).unwrap());
    }

    /// Sends a request, and again while it is told to come again: a busy machine is no answer to any question here.
    pub(super) async fn patiently(&self, request: reqwest::RequestBuilder) -> reqwest::Response {
        for _ in 0..60 {
            let answer = request.try_clone().unwrap().send().await.unwrap();
            if answer.status() != 503 {
                return answer;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("the server is busy for a minute");
    }

    /// Sends JSON and gives the status and the answer; `Null` where there is no JSON.
    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: &Value,
    ) -> (u16, Value) {
        let mut request = self.http.request(method.parse().unwrap(), format!("{}{path}", self.url));
        request = request.header("idempotency-key", fresh_key());
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        if !body.is_null() {
            request = request.json(body);
        }
        let answer = self.patiently(request).await;
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// The same, for what must be done.
    pub(super) async fn done(&self, method: &str, path: &str, key: Option<&str>, body: &Value) -> Value {
        let (status, told) = self.send(method, path, key, body).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {told}");
        told
    }

    /// Fields of a form, as OAuth has them.
    pub(super) async fn form(
        &self,
        path: &str,
        basic: Option<(&str, &str)>,
        fields: &[(&str, &str)],
    ) -> (u16, Value) {
        let mut request = self.http.post(format!("{}{path}", self.url));
        request = request.header("content-type", "application/x-www-form-urlencoded");
        if let Some((name, secret)) = basic {
            request = request.basic_auth(name, Some(secret));
        }
        let answer = self.patiently(request.body(serde_urlencoded::to_string(fields).unwrap())).await;
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// A person of the registrar, made where the server runs: the key.
    pub(super) fn registrar(world: &World, person: &str) -> String {
        create_registrar(world, person)["key"].as_str().unwrap().to_owned()
    }

    /// A verified organization with these roles: what was answered when it was made.
    pub(super) async fn organization(&self, registrar: &str, name: &str, roles: &[&str]) -> Value {
        let person = json!({ "label": "first", "key": { "label": "first" } });
        let body = json!({ "name": name, "roles": roles, "person": person });
        let made = self.done("POST", "/v1/organizations", Some(registrar), &body).await;
        let path = format!("/v1/organizations/{}/verify", made["organization"].as_str().unwrap());
        self.done("POST", &path, Some(registrar), &json!({ "note": "seen" })).await;
        made
    }

    /// Asks the server to stop, and waits until it has.
    pub(super) fn stop(&mut self) {
        assert_eq!(self.server.stop(), 0);
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let said = std::fs::read_to_string(&self.said[1]).unwrap_or_default();
            let said: Vec<&str> =
                said.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).collect();
            let last = said.len().saturating_sub(40);
            eprintln!("the server warned at last:\n{}", said[last..].join("\n"));
        }
    }
}
