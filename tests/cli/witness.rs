//! `kyodaku witness`, and a server whose settings name it.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

use kyodaku::log::checkpoint::CosignerKey;
use kyodaku::store::Engine;
use serde_json::Value;

use super::serve::{Server, serve};
use super::{kyodaku, run, said};
use crate::world::World;

async fn get(url: &str) -> (u16, String) {
    let answer = reqwest::get(url).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[test]
fn a_server_is_cosigned_by_the_witness_that_its_settings_name() {
    crate::world::run(Engine::Sqlite, async |world: World| {
        let mut first = Server::start(&mut serve(&world));
        let logs: Value = serde_json::from_str(&get(&format!("{}/logs", first.url)).await.1).unwrap();
        let log = logs["items"][0]["keys"][0]["verifier_key"].as_str().unwrap().to_owned();
        assert_eq!(first.stop(), 0);

        let folder = world.folder.path().join("witness");
        let mut command = kyodaku();
        command.args(["witness", "--name", "witness.example/w1", "--log", &log, "--listen", "127.0.0.1:0"]);
        command.arg("--data-dir").arg(&folder).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let url =
            said.find_map(|line| line.split_once("listening on ").map(|(_, url)| url.to_owned())).unwrap();
        let witness = Server::of(child);
        let key: CosignerKey = line.trim_end().parse().unwrap();
        assert_eq!(key.name(), "witness.example/w1");
        let mode = std::fs::metadata(folder.join("witness.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let mut command = serve(&world);
        command.arg("--set").arg(format!("witnesses={key} {url}")).args(["--set", "witness_interval_s=1"]);
        let mut server = Server::start(&mut command);
        let path = format!("{}/logs/acts/checkpoint?cosigned=true", server.url);
        let mut answer = get(&path).await;
        for _ in 0..1_200 {
            if answer.0 == 200 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            answer = get(&path).await;
        }
        assert_eq!(answer.0, 200, "{answer:?}");
        let lines = answer.1.rsplit_once("\n\n").unwrap().1;
        key.find(answer.1.as_bytes(), lines).unwrap();
        assert_eq!(server.stop(), 0);
        drop(witness);
    });
}

#[test]
fn a_witness_of_nothing_and_a_setting_of_half_a_witness_are_refused() {
    let refused = run(["witness", "--name", "witness.example"]);
    assert_eq!(refused.code, 2, "{}", refused.err);
    let refused = run(["witness", "--name", "witness.example", "--log", "log.example"]);
    assert_eq!(refused.code, 2, "{}", refused.err);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    for half in ["witness.example", "witness.example https://witness.example"] {
        let refused = run([
            "serve",
            "--data-dir",
            folder,
            "--listen",
            "127.0.0.1:0",
            "--set",
            &format!("witnesses={half}"),
        ]);
        assert_eq!(refused.code, 2, "{half}: {}", refused.err);
        assert!(refused.err.contains("witnesses"), "{}", refused.err);
    }
}

#[test]
fn a_witness_reads_no_settings_of_a_registry_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("kyodaku.toml"), "no_such_setting = 1\n").unwrap();
    let log =
        kyodaku::registry::keys::signer(&folder.path().join("log.key"), "registry.example/log").unwrap();
    let log = log.verifier_key().to_string();
    let witness = || {
        let mut command = kyodaku();
        command.args(["witness", "--name", "witness.example/w1", "--log", &log, "--listen", "127.0.0.1:0"]);
        command.current_dir(folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let mut child =
        witness().env("KYODAKU_NODE", "no name").env("KYODAKU_LOG_FORMAT", "json").spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    drop(Server::of(child));
    line.trim_end().parse::<CosignerKey>().unwrap_or_else(|error| panic!("{error}: {line}"));
    // How its lines look is said where a service says it.
    for (name, value) in [("KYODAKU_LOG_FORMAT", "xml"), ("KYODAKU_LOG_FILTER", "kyodaku=loudly")] {
        let mut command = witness();
        command.arg("--data-dir").arg(folder.path().join("kyodaku.toml"));
        let refused = said(command.env(name, value).output().unwrap());
        let key = name.strip_prefix("KYODAKU_").unwrap().to_lowercase();
        assert!(refused.code == 2 && refused.err.contains(&key), "{}", refused.err);
    }
}
