//! The keys of the registry: where they are, who may read them, and that no output ever shows one.

mod places;

use std::path::Path;

use kyodaku::registry::keys::KeyName;
use serde_json::Value;

use crate::cli::{Said, kyodaku, said};
use crate::world::World;

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
