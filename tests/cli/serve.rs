//! `kyodaku serve` and the commands beside it, over real HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use serde_json::Value;

use super::{Said, kyodaku, run, said};
use crate::world::authority::Authority;
use crate::world::{World, both};

/// A server in a process of its own; killed when it goes out of scope.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) url: String,
    lines: mpsc::Receiver<String>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Where a test fails, what the server said of it is all that there is.
        if std::thread::panicking() {
            let said: Vec<String> = self.lines.try_iter().collect();
            let last = said.len().saturating_sub(40);
            eprintln!("the server said at last:\n{}", said[last..].join("\n"));
        }
    }
}

impl Server {
    /// Starts `command` and waits until it says where it listens.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let mut server = Self { child, url: String::new(), lines };
        let line = server.wait_for("listening on http");
        let at = line.find("http").unwrap();
        server.url = line[at..].split([' ', '"']).next().unwrap().to_owned();
        server
    }

    /// A server that was started otherwise.
    pub(crate) fn of(child: Child) -> Self {
        Self { child, url: String::new(), lines: mpsc::channel().1 }
    }

    /// The next line that holds `text`.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let mut said = Vec::new();
        loop {
            match self.lines.recv_timeout(Duration::from_mins(1)) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => said.push(line),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("`{text}` was not said, but:\n{}", said.join("\n"))
                }
            }
        }
    }

    /// Asks the server to stop and gives its exit code.
    pub(crate) fn stop(&mut self) -> i32 {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.child.wait().unwrap().code().expect("a code")
    }
}

/// `serve` on a world's database.
pub(crate) fn serve(world: &World) -> Command {
    let mut command = kyodaku();
    command.arg("serve").args(["--listen", "127.0.0.1:0"]).args(settings(world));
    command
}

/// The flags of a world's database and data folder.
pub(crate) fn settings(world: &World) -> Vec<String> {
    let data = world.folder.path().join("data");
    ["--database-url", &world.url, "--data-dir", data.to_str().unwrap(), "--origin", "kyodaku.example/log"]
        .map(ToOwned::to_owned)
        .to_vec()
}

/// A command of `admin` in the database itself.
pub(crate) fn create_registrar(world: &World, person: &str) -> Value {
    let flags = settings(world);
    let words = ["admin", "create-registrar", "--name", "Office", "--person", person].map(ToOwned::to_owned);
    let said = run(words.iter().chain(&flags));
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    serde_json::from_str(&said.out).unwrap()
}

/// A command that asks the server.
pub(crate) fn ask(server: &Server, key: &str, words: &[&str]) -> Said {
    said(kyodaku().args(words).env("KYODAKU_URL", &server.url).env("KYODAKU_API_KEY", key).output().unwrap())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

both!(organizations_are_entered_while_the_server_runs, async |world: World| {
    let mut server = Server::start(&mut serve(&world));
    let first = create_registrar(&world, "first");
    let second = create_registrar(&world, "second");
    assert_eq!(first["organization"], second["organization"]);
    assert_ne!(first["person"], second["person"]);
    assert!(text(&first["key"]).starts_with("kyo_live_") && first["key"] != second["key"]);

    // The running server knows what the other process recorded.
    let key = text(&second["key"]);
    let words = [
        "admin",
        "add-organization",
        "Hoshikuzu Press",
        "--role",
        "rights_holder",
        "--person",
        "Sato",
        "--verify",
        "seen",
    ];
    let added = ask(&server, key, &words);
    assert_eq!(added.code, 0, "{}{}", added.out, added.err);
    let holder: Value = serde_json::from_str(&added.out).unwrap();
    assert!(added.err.contains("shown only here"), "{}", added.err);
    let issued = ask(
        &server,
        text(&holder["key"]),
        &["admin", "create-key", text(&holder["person"]), "--label", "own"],
    );
    assert_eq!(issued.code, 0, "{}{}", issued.out, issued.err);
    assert!(issued.out.starts_with("kyo_live_"), "{}", issued.out);
    let refused =
        ask(&server, issued.out.trim(), &["admin", "verify", text(&holder["organization"]), "--note", "x"]);
    assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{}", refused.err);
    assert!(refused.err.contains("role_required"), "{}", refused.err);

    assert_eq!(server.stop(), 0);
    server.wait_for("stopped");
    assert!(world.folder.path().join("data/index.snapshot").exists(), "the next start is fast");
    let words = ["rebuild", "--check"].map(ToOwned::to_owned);
    let checked = run(words.iter().chain(&settings(&world)));
    assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);
});

both!(a_second_server_on_one_folder_is_refused, async |world: World| {
    let mut server = Server::start(&mut serve(&world));
    let second = said(serve(&world).output().unwrap());
    assert_eq!(second.code, 1, "{}", second.err);
    assert!(second.err.contains("another server uses the data folder"), "{}", second.err);
    // A lock is not a file that is left behind: it goes with its process, however that ends.
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    drop(server);
    let mut again = Server::start(&mut serve(&world));
    assert_eq!(again.stop(), 0);
});

#[test]
fn a_port_that_is_taken_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = folder.path().join("data");
    let said = run(["serve", "--listen", &address, "--data-dir", data.to_str().unwrap()]);
    assert_eq!(said.code, 1, "{}", said.err);
    assert!(
        said.err.contains("another program listens there") && said.err.contains("--listen"),
        "{}",
        said.err
    );
}

#[test]
fn log_lines_are_json_when_asked_and_passwords_are_in_none() {
    let folder = tempfile::tempdir().unwrap();
    let said = said(
        kyodaku()
            .args(["serve", "--log-format", "json", "--data-dir"])
            .arg(folder.path().join("data"))
            .args(["--database-url", "postgres://ann:hunter2@127.0.0.1:1/kyodaku", "--listen", "127.0.0.1:0"])
            .output()
            .unwrap(),
    );
    assert_eq!(said.code, 1, "{}", said.err);
    assert!(!said.err.contains("hunter2"), "{}", said.err);
    let first = said.err.lines().next().unwrap();
    let line: Value = serde_json::from_str(first).unwrap_or_else(|error| panic!("{error} in {first}"));
    assert_eq!(line["level"], "WARN");
}

/// What a server answers to a GET, head and body.
pub(crate) fn fetch(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

both!(tls_is_spoken_by_the_process_itself, async |world: World| {
    let authority = Authority::new(world.folder.path());
    authority.renew();
    let files = [("KYODAKU_TLS_CERT", authority.cert()), ("KYODAKU_TLS_KEY", authority.key())];
    let mut command = serve(&world);
    let mut server = Server::start(command.envs(files.clone()));
    server.url = server.url.replace("https://127.0.0.1", "https://localhost");
    assert!(server.url.starts_with("https://"), "{}", server.url);
    let first = create_registrar(&world, "first");
    let ask = |roots: &std::path::Path| {
        let words = ["admin", "create-key", text(&first["person"]), "--label", "own"];
        let mut command = kyodaku();
        command.args(words).env("KYODAKU_URL", &server.url).env("KYODAKU_API_KEY", text(&first["key"]));
        said(command.env("SSL_CERT_FILE", roots).output().unwrap())
    };
    let answered = ask(&authority.root_file());
    assert_eq!(answered.code, 0, "{}{}", answered.out, answered.err);
    assert!(answered.out.starts_with("kyo_live_"), "{}", answered.out);
    let elsewhere = tempfile::tempdir().unwrap();
    let distrusted = ask(&Authority::new(elsewhere.path()).root_file());
    assert_eq!((distrusted.code, distrusted.out.as_str()), (69, ""), "{}", distrusted.err);
    assert_eq!(server.stop(), 0);

    // What can't be used is refused before anything is listened on.
    std::fs::write(authority.key(), "").unwrap();
    let refused = said(serve(&world).envs(files).output().unwrap());
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(refused.err.contains("`tls_key`") && !refused.err.contains("listening"), "{}", refused.err);
});

both!(figures_are_told_on_a_listener_of_their_own, async |world: World| {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let figures = format!("127.0.0.1:{port}");
    let mut server = Server::start(serve(&world).env("KYODAKU_METRICS", &figures));
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    assert!(fetch(&address, "/v1/status").starts_with("HTTP/1.1 200"));
    assert!(fetch(&address, "/v1/works/secret").starts_with("HTTP/1.1 401"));
    assert!(fetch(&address, "/metrics").starts_with("HTTP/1.1 404"));
    assert!(fetch(&figures, "/v1/status").starts_with("HTTP/1.1 404"));
    let told = fetch(&figures, "/metrics");
    assert!(told.contains("application/openmetrics-text") && told.trim_end().ends_with("# EOF"), "{told}");
    for line in [
        "kyodaku_http_requests_total{method=\"GET\",route=\"/v1/status\",status=\"200\"} 1",
        "kyodaku_http_requests_total{method=\"GET\",route=\"/v1/works/{work}\",status=\"401\"} 1",
        "kyodaku_commands_total{outcome=\"recorded\"} 1",
        "kyodaku_log_entries 2",
        "kyodaku_queue_waiting{queue=\"checks\"} 0",
        "kyodaku_security_events_lost_total 0",
    ] {
        assert!(told.contains(line), "{line} in {told}");
    }
    assert!(!told.contains("secret"), "{told}");
    let memory = told.lines().find_map(|line| line.strip_prefix("kyodaku_resident_memory_bytes "));
    assert!(memory.unwrap().parse::<u64>().unwrap() > 1_000_000);
    assert_eq!(server.stop(), 0);
});
