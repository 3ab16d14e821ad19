//! Logs verified offline: those of a registry in which everybody acted, exported over HTTP; and everything that a thief of a
//! disk, of a key or of both could do to them, each named.

mod attacks;
mod bytes;
mod exported;
mod forge;
mod journals;
mod liar;

use std::path::Path;

use kyodaku::http::server::{self, Limits};
use kyodaku::registry::offline::{Asked, Finding, Folder, GivenKey, Kind, Report, Unreadable, verify};
use serde_json::{Value, json};

use crate::cli::{Said, kyodaku, said};
use crate::world::World;
use crate::world::actors::{Actor, Stage};
use crate::world::works::{grant, registration};

/// A registry that is served, in which everybody acted.
struct Site {
    stage: Stage,
    developer: Actor,
    auditor: Actor,
    url: String,
}

impl Site {
    /// A committee's work that is granted, asked for and sealed; one that is denied; a grant that is revoked.
    async fn open(world: &World) -> Self {
        let stage = world.stage().await;
        let (one, other) = (stage.holder("Hoshikuzu Press").await, stage.holder("Sakura Frame").await);
        let (developer, auditor) = (stage.developer("Kasane Labs").await, stage.auditor().await);
        let shared = stage.confirmed(&one, &registration("夜の庭", &[&one, &other])).await;
        let own = stage.confirmed(&one, &registration("星屑列車", &[&one])).await;
        for holder in [&one, &other] {
            let granted = holder.post("/v1/grants", &grant(&shared.work)).await;
            assert_eq!(granted.status, 201, "{granted:?}");
        }
        let granted = one.post("/v1/grants", &grant(&own.work)).await;
        let revoked = crate::world::works::id(&granted, "grant");
        let revoked =
            one.post(&format!("/v1/grants/{revoked}/revoke"), &json!({ "from": "on_record" })).await;
        assert!(revoked.status.is_success(), "{revoked:?}");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = stage.router.clone();
        tokio::spawn(async move {
            server::serve(listener, router, Limits::default(), std::future::pending()).await;
        });
        let site = Self { stage, developer, auditor, url };
        for title in ["夜の庭", "星屑列車", "unknown"] {
            site.ask(title).await;
        }
        let (sealed, recorded) = site.stage.registry.seal_journal(0).await.unwrap();
        assert!(sealed == 5 && recorded.is_some(), "{sealed}");
        site
    }

    /// Asks once: one entry of the journal, and one for the works that match.
    async fn ask(&self, title: &str) {
        let item = json!({ "keys": [{ "type": "id", "scheme": "story", "value": title }] });
        let body = json!({ "context": { "uses": ["train.finetune"] }, "items": [item] });
        let answer = self.developer.post("/v1/checks", &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// Records so many acts, some in a commit.
    async fn grow(&self, acts: u64) {
        let model = || kyodaku::domain::ids::ModelId::new(self.stage.clock().new_uuid());
        let mut left = acts;
        while left > 0 {
            let now = left.min(37);
            let acts = (0..now)
                .map(|_| (kyodaku::domain::act::ModelRegistered { model: model() }.into(), None))
                .collect();
            let submission = kyodaku::registry::Submission {
                party: self.developer.org.parse().unwrap(),
                on_behalf_of: None,
                by: vec![self.developer.person.parse().unwrap()],
                acts,
                once: None,
                body: kyodaku::registry::Body::none(),
                accounts: Vec::new(),
                unchanged: None,
            };
            self.stage.registry.submit(submission).await.expect("the acts are recorded");
            left -= now;
        }
    }

    /// Runs a command that asks this server, with a key or without.
    async fn run(&self, key: Option<&str>, words: &[&str]) -> Said {
        let mut command = kyodaku();
        command.args(words).env("KYODAKU_URL", &self.url);
        if let Some(key) = key {
            command.env("KYODAKU_API_KEY", key);
        }
        tokio::task::spawn_blocking(move || said(command.output().unwrap())).await.unwrap()
    }

    /// Exports as the auditor.
    async fn export(&self, folder: &Path) -> Said {
        self.run(Some(&self.auditor.key), &["export", folder.to_str().unwrap()]).await
    }

    /// A folder into which the auditor exported.
    async fn exported(&self) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let told = self.export(folder.path()).await;
        assert_eq!(told.code, 0, "{}{}", told.out, told.err);
        folder
    }

    /// The keys of all logs, as a friend noted them.
    async fn keys(&self) -> Vec<String> {
        let told: Value = self.stage.nobody.get("/logs").await.json();
        let logs = told["items"].as_array().unwrap().iter();
        logs.flat_map(|log| log["keys"].as_array().unwrap()).map(|key| text(&key["verifier_key"])).collect()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// What is asked where these keys are trusted.
fn asked(keys: &[String]) -> Asked {
    let keys: Vec<GivenKey> = keys.iter().map(|key| key.parse().unwrap()).collect();
    Asked {
        keys,
        witnesses: Vec::new(),
        witnesses_needed: 0,
        needs_entries: false,
        only_hashes: false,
        most: 100_000,
        teller: None,
    }
}

/// Verifies a folder in this process.
async fn examine(folder: &Path, asked: &Asked) -> Result<Report, Unreadable> {
    let source = Folder::new(folder);
    let mut report = verify(&source, asked, &|_, _| ()).await?;
    source.examine_rest(&mut report)?;
    Ok(report)
}

/// What does not hold in a folder that can be read.
async fn findings(folder: &Path, asked: &Asked) -> Vec<Finding> {
    examine(folder, asked).await.expect("it can be read").findings.kept().to_vec()
}

fn kinds(findings: &[Finding]) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = findings.iter().map(|finding| finding.kind).collect();
    kinds.dedup();
    kinds
}

/// Copies a folder into another one.
fn copy(from: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let status =
        std::process::Command::new("cp").arg("-a").arg(from.join(".")).arg(folder.path()).status().unwrap();
    assert!(status.success());
    folder
}
