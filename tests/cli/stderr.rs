//! Log lines that nobody can write down or reads: the server goes on without them.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::kyodaku;
use super::serve::{Server, ask, create_registrar, fetch, settings};
use crate::world::{World, both};

/// A server that says nothing of where it listens; waits until it does.
fn silent(world: &World, format: &str, stderr: Stdio, begun: impl FnOnce(&mut Child)) -> Server {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let mut command = kyodaku();
    command.args(["serve", "--listen", &address, "--log-format", format]).args(settings(world));
    let mut child = command.stderr(stderr).stdout(Stdio::null()).spawn().unwrap();
    begun(&mut child);
    let mut server = Server::of(child);
    server.url = format!("http://{address}");
    for _ in 0..1_200 {
        assert_eq!(server.child.try_wait().unwrap(), None, "the server ended");
        if TcpStream::connect(&address).is_ok() {
            // It listens before it is open, and answers from then on.
            assert!(fetch(&address, "/healthz").starts_with("HTTP/1.1 200"));
            return server;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the server does not listen for a minute");
}

/// It answers, records, answers a check, and stops as it should.
fn goes_on(world: &World, mut server: Server) {
    let first = create_registrar(world, "first");
    let words = [
        "admin",
        "add-organization",
        "Kasane Labs",
        "--role",
        "ai_developer",
        "--person",
        "Sato",
        "--verify",
        "seen",
    ];
    let added = ask(&server, first["key"].as_str().unwrap(), &words);
    assert_eq!(added.code, 0, "{}{}", added.out, added.err);
    let developer: Value = serde_json::from_str(&added.out).unwrap();
    let key = developer["key"].as_str().unwrap();
    let asked = ask(&server, key, &["check", "--use", "search", "https://hoshikuzu.example/1"]);
    assert_eq!(asked.code, 10, "{}{}", asked.out, asked.err);
    assert_eq!(server.stop(), 0);
    assert!(world.folder.path().join("data/index.snapshot").exists(), "it stopped as it should");
}

both!(lines_that_the_disk_does_not_take_are_lost_and_nothing_else, async |world: World| {
    let full = File::options().write(true).open("/dev/full").unwrap();
    goes_on(&world, silent(&world, "text", full.into(), |_| {}));
});

both!(lines_that_nobody_reads_are_lost_and_nothing_else, async |world: World| {
    goes_on(&world, silent(&world, "json", Stdio::piped(), |child| drop(child.stderr.take())));
});
