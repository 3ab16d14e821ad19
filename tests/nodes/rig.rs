//! A registry with works, a holder and a developer, and server processes on it, asked over HTTP.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::cli::serve::Server;
use crate::cli::{Said, kyodaku, run};
use crate::world::World;
use crate::world::actors::{Actor, fresh_key};
use crate::world::works::{grant, registration};

const ORIGIN: &str = "kyodaku.example/log";
const KEYS: [&str; 5] = ["act-log.key", "journal.key", "receipts.key", "token.key", "sealing.key"];
/// The use that all the grants are for.
pub(super) const USE: &str = "train.finetune";

/// The address of somebody who may sign in.
pub(super) const EMAIL: &str = "hanako@hoshikuzu.example";

/// A registry without a running server.
pub(super) struct Rig {
    pub(super) world: World,
    pub(super) holder: Actor,
    pub(super) developer: Actor,
    /// Confirmed works of the holder without any grant.
    pub(super) works: Vec<Work>,
}

/// A work, and the key that finds it.
#[derive(Clone)]
pub(super) struct Work {
    pub(super) id: String,
    pub(super) title: String,
}

impl Rig {
    /// A registry with so many works.
    pub(super) async fn new(world: World, works: usize) -> Self {
        let stage = world.stage().await;
        let (holder, developer) =
            (stage.holder("Hoshikuzu Press").await, stage.developer("Tsukimi AI").await);
        let mut made = Vec::new();
        for number in 0..works {
            let title = format!("星屑 {number}");
            let work = stage.registered_work(&holder, &registration(&title, &[&holder])).await;
            stage.confirm(&work.holdings, &work.bindings).await;
            made.push(Work { id: work.work, title });
        }
        stage.invited(&holder, "editor", EMAIL).await;
        stage.registry.db().close().await;
        Self { world, holder, developer, works: made }
    }

    /// The data folder of a node, with the keys that all share.
    pub(super) fn folder(&self, node: &str) -> PathBuf {
        let (shared, own) = (self.world.folder.path().join("data"), self.world.folder.path().join(node));
        std::fs::create_dir_all(&own).unwrap();
        for key in KEYS {
            std::fs::copy(shared.join(key), own.join(key)).unwrap();
        }
        own
    }

    /// The command of a node, which reaches the database at `url`.
    pub(super) fn command(&self, node: &str, url: &str) -> Command {
        let mut command = self.program(node, url, &["serve", "--listen", "127.0.0.1:0"]);
        command
            .env("KYODAKU_REQUESTS_PER_MINUTE", "0")
            .env("KYODAKU_CONNECTIONS_PER_NETWORK", "4096")
            .env("KYODAKU_HEADER_READ_S", "60")
            .env("KYODAKU_SEAL_INTERVAL_S", "86400")
            .env("KYODAKU_LOG_FILTER", "warn,kyodaku::serve=info,sqlx=off");
        command
    }

    /// The program with these words and a node's settings.
    pub(super) fn program(&self, node: &str, url: &str, words: &[&str]) -> Command {
        let mut command = kyodaku();
        command.args(words).args(["--database-url", url, "--origin", ORIGIN, "--node", node, "--data-dir"]);
        command.arg(self.folder(node));
        command
    }

    /// Starts a node on the world's database.
    pub(super) fn start(&self, node: &str) -> Server {
        Server::start(&mut self.command(node, &self.world.url))
    }

    /// Starts nodes `n0`, `n1`, ….
    pub(super) fn nodes(&self, count: usize) -> Vec<Server> {
        (0..count).map(|number| self.start(&format!("n{number}"))).collect()
    }

    /// The holder over HTTP.
    pub(super) fn holder(&self) -> Caller {
        Caller::new(&self.holder.key)
    }

    /// The developer over HTTP.
    pub(super) fn developer(&self) -> Caller {
        Caller::new(&self.developer.key)
    }

    /// Folds everything anew, and compares with what is stored.
    pub(super) fn verify(&self, node: &str) -> Said {
        let (data, url) = (self.folder(node), &self.world.url);
        let words =
            ["rebuild", "--check", "--database-url", url, "--origin", ORIGIN, "--node", node, "--data-dir"];
        let said = run(words.into_iter().chain([data.to_str().unwrap()]));
        assert_eq!(said.code, 0, "{}{}", said.out, said.err);
        assert!(said.out.contains("everything stored is what the log says"), "{}", said.out);
        said
    }
}

/// Somebody with a key, over HTTP. Cloning shares the connections.
#[derive(Clone)]
pub(super) struct Caller {
    http: reqwest::Client,
    key: Arc<str>,
}

/// What came back, whole.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) retry_after: Option<u64>,
    pub(super) body: Value,
}

impl Reply {
    pub(super) fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// An error is a documented one, and 503 says when to come back.
    pub(super) fn must_be_honest(&self) {
        if self.status == 503 {
            assert!(self.retry_after.is_some_and(|seconds| seconds >= 1), "{self:?}");
        }
        assert!(self.is_ok() || self.body["code"].is_string(), "{self:?}");
        assert_ne!(self.status, 500, "{self:?}");
    }

    /// Whether the one item that was asked is permitted.
    pub(super) fn is_permitted(&self) -> bool {
        let items = self.body["items"].as_array().unwrap_or_else(|| panic!("{self:?}"));
        let mut verdicts = items.iter().map(|item| item["verdict"].as_str());
        let verdict = verdicts.next().flatten();
        assert!(verdicts.all(|other| other == verdict), "all items are the same: {self:?}");
        match verdict {
            Some("permitted") => true,
            Some("not_permitted") => false,
            _ => panic!("{self:?}"),
        }
    }

    /// The size of the log that holds what was recorded.
    pub(super) fn log_size(&self) -> u64 {
        self.body["recorded"]["log_size"].as_u64().unwrap_or_else(|| panic!("{self:?}"))
    }

    pub(super) fn text(&self, member: &str) -> String {
        self.body[member].as_str().unwrap_or_else(|| panic!("{member} in {self:?}")).to_owned()
    }
}

/// The body of a check of one work.
pub(super) fn check_body(work: &Work) -> Value {
    json!({
        "context": { "uses": [USE], "with_parts": false },
        "items": [{ "keys": [{ "type": "id", "scheme": "story", "value": work.title }] }],
    })
}

impl Caller {
    pub(super) fn new(key: &str) -> Self {
        // A connection that was idle for long may be closed by the server just when it is used again.
        let http = reqwest::Client::builder()
            .timeout(Duration::from_mins(2))
            .pool_idle_timeout(Duration::from_secs(2));
        Self { http: http.no_proxy().build().unwrap(), key: key.into() }
    }

    /// Asks a server; an error is one of the connection.
    pub(super) async fn ask(
        &self,
        method: Method,
        url: &str,
        body: Option<&Value>,
        once: &str,
    ) -> Result<Reply, reqwest::Error> {
        let mut request =
            self.http.request(method, url).bearer_auth(&*self.key).header("idempotency-key", once);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let (status, retry_after) = (response.status().as_u16(), response.headers().get("retry-after"));
        let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
        let bytes = response.bytes().await?;
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Ok(Reply { status, retry_after, body })
    }

    pub(super) async fn get(&self, url: &str) -> Reply {
        let reply = self.ask(Method::GET, url, None, "unused").await.unwrap();
        reply.must_be_honest();
        reply
    }

    pub(super) async fn try_post(
        &self,
        url: &str,
        body: &Value,
        once: &str,
    ) -> Result<Reply, reqwest::Error> {
        let reply = self.ask(Method::POST, url, Some(body), once).await?;
        reply.must_be_honest();
        Ok(reply)
    }

    pub(super) async fn post(&self, url: &str, body: &Value) -> Reply {
        self.try_post(url, body, &fresh_key()).await.unwrap()
    }

    /// Grants the use of a work; must be acknowledged.
    pub(super) async fn grant(&self, node: &str, work: &Work) -> Reply {
        let reply = self.post(&format!("{node}/v1/grants"), &grant(&work.id)).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        reply
    }

    /// Revokes a grant at once; must be acknowledged.
    pub(super) async fn revoke(&self, node: &str, grant: &str) -> Reply {
        let reply = self.post(&format!("{node}/v1/grants/{grant}/revoke"), &revocation()).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply
    }

    /// Asks for one work; must be answered.
    pub(super) async fn check(&self, node: &str, work: &Work) -> Reply {
        self.check_of(1, node, work).await
    }

    /// Asks for the same item so often in one check.
    pub(super) async fn check_of(&self, items: usize, node: &str, work: &Work) -> Reply {
        let mut body = check_body(work);
        body["items"] = vec![body["items"][0].clone(); items].into();
        let reply = self.post(&format!("{node}/v1/checks"), &body).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply
    }
}

/// The body of a revocation that takes effect at once.
pub(super) fn revocation() -> Value {
    json!({ "from": "on_record" })
}

/// Gives the addresses of some nodes one after the other, to all who share it.
#[derive(Clone)]
pub(super) struct RoundRobin {
    urls: Arc<[String]>,
    next: Arc<AtomicUsize>,
}

impl RoundRobin {
    pub(super) fn over(nodes: &[Server]) -> Self {
        Self { urls: nodes.iter().map(|node| node.url.clone()).collect(), next: Arc::default() }
    }

    pub(super) fn next(&self) -> &str {
        &self.urls[self.next.fetch_add(1, Ordering::Relaxed) % self.urls.len()]
    }

    pub(super) fn urls(&self) -> &[String] {
        &self.urls
    }
}

/// What a work's grants were acknowledged as, by their ids, in the log of the database.
pub(super) async fn entries_of(world: &World, log: &str) -> Vec<Value> {
    let db = world.db().await;
    let size = kyodaku::store::heads::read_tree(&db, log).await.unwrap().map_or(0, |tree| tree.size);
    let stored = kyodaku::store::entries::read(&db, log, 0..size).await.unwrap();
    db.close().await;
    stored.iter().map(|entry| serde_json::from_slice(&entry.bytes).unwrap()).collect()
}

/// The values of a member anywhere in the entries.
pub(super) fn every(entries: &[Value], member: &str) -> Vec<String> {
    fn collect(value: &Value, member: &str, into: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                for (name, value) in map {
                    if name == member
                        && let Some(text) = value.as_str()
                    {
                        into.push(text.to_owned());
                    }
                    collect(value, member, into);
                }
            }
            Value::Array(list) => list.iter().for_each(|value| collect(value, member, into)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    for entry in entries {
        collect(entry, member, &mut found);
    }
    found
}
