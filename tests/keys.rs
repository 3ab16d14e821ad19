//! The keys of the registry: where they are, who may read them, and that no output ever shows one.

mod examined;
mod given_up;
mod mended;
mod origin;
mod places;
mod rotating;
mod thrown;
mod tokens;

use std::path::Path;

use kyodaku::http::{App, routes, server};
use kyodaku::registry::Registry;
use kyodaku::registry::authority::{Registrar, Scope};
use kyodaku::registry::credential::{Credential, Secret};
use kyodaku::registry::keys::KeyName;
use serde_json::Value;

use crate::cli::{Said, kyodaku, said};
use crate::world::World;
use crate::world::actors::Stage;
use crate::world::client::Client;

const ORIGIN: &str = "kyodaku.example/log";

/// The program with these words and the settings of the world's node `a`.
fn program(world: &World, words: &[&str]) -> std::process::Command {
    let mut command = kyodaku();
    command.args(words).args(["--database-url", &world.url, "--origin", ORIGIN, "--node", "a", "--data-dir"]);
    command.arg(world.settings("a").data_dir);
    command
}

/// What the program says with these words, and with these in the environment.
fn run(world: &World, words: &[&str], environment: &[(&str, &str)]) -> Said {
    said(program(world, words).envs(environment.iter().copied()).output().unwrap())
}

/// The keys as they are listed.
fn listed(world: &World, environment: &[(&str, &str)]) -> Vec<Value> {
    let told = run(world, &["keys", "list", "--json"], environment);
    assert_eq!(told.code, 0, "{}{}", told.out, told.err);
    serde_json::from_str(&told.out).unwrap()
}

/// The secrets in a data folder, as they stand in its files.
fn secrets(folder: &Path) -> Vec<String> {
    let secrets =
        KeyName::ALL.iter().filter_map(|name| std::fs::read_to_string(folder.join(name.file())).ok());
    secrets.map(|secret| secret.trim_end().to_owned()).collect()
}

/// No secret is in any of what was said.
fn must_not_tell(said: &Said, secrets: &[String]) {
    for secret in secrets {
        assert!(
            secret.len() == 64 && !said.out.contains(secret) && !said.err.contains(secret),
            "a secret is told"
        );
    }
}

/// The keys that are rotated, as the command calls them.
const SIGNING: [(KeyName, &str); 4] = [
    (KeyName::ActLog, "act-log"),
    (KeyName::Journal, "journal"),
    (KeyName::Receipt, "receipt"),
    (KeyName::Token, "token"),
];

/// The proof that this key is one of the registrar's.
pub(crate) async fn proof(registry: &Registry, key: &str) -> Registrar {
    let secret = Secret::read(key).expect("a key");
    let actor = registry.authenticate(&Credential::Key(secret)).await.unwrap().expect("it is live");
    Registrar::prove(&actor, Scope::Register).unwrap()
}

/// The node `a` started again: it reads its files anew. Whoever had a key has it still.
async fn again(world: &World, before: Stage) -> Stage {
    let Stage { registrar, second, .. } = before;
    let registry = Registry::open(world.settings("a"), world.clock.clone()).await.expect("the node opens");
    let router = routes::router(&App::new(registry.clone()), routes::table());
    let nobody = Client::new(router.clone());
    let [registrar, second] = [registrar, second].map(|mut actor| {
        actor.client = nobody.with_key(&actor.key);
        actor
    });
    Stage { registry, router, nobody, registrar, second }
}

/// Serves a stage, and gives its address.
async fn served(stage: &Stage) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = stage.router.clone();
    tokio::spawn(async move {
        server::serve(listener, router, server::Limits::default(), std::future::pending()).await;
    });
    url
}
