//! Log lines of a server: whoever was told that it failed finds out why, by the id that was told.

use kyodaku::store::Engine;
use serde_json::Value;

use super::serve::{Server, fetch, serve};
use crate::world::{World, postgres, run};

/// Takes the database away from a server; the id that a caller was told then, and the line with the cause.
async fn lost(mut world: World, format: &str) -> (String, String) {
    world.url = postgres::fresh_database().await;
    let mut server = Server::start(serve(&world).args(["--log-format", format]));
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    assert!(fetch(&address, "/v1/status").starts_with("HTTP/1.1 200"));
    postgres::delete(&world.url).await;
    let answer = fetch(&address, "/v1/status").to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 503"), "{answer}");
    let told = answer.lines().find_map(|line| line.strip_prefix("x-request-id: ")).expect("an id");
    let line = server.wait_for("answered unavailable");
    assert_eq!(server.stop(), 0);
    (told.to_owned(), line)
}

#[test]
fn the_cause_of_a_503_bears_the_id_that_was_told_in_text() {
    run(Engine::Sqlite, async |world: World| {
        let (told, line) = lost(world, "text").await;
        assert!(
            line.contains(&format!("request_id=\"{told}\"")) && line.contains("cause="),
            "{told}: {line}"
        );
    });
}

#[test]
fn the_cause_of_a_503_bears_the_id_that_was_told_in_json() {
    run(Engine::Sqlite, async |world: World| {
        let (told, line) = lost(world, "json").await;
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["request_id"], told, "{line}");
        assert!(line["cause"].is_string(), "{line}");
    });
}
