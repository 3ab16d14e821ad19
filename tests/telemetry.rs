//! Spans of requests reach a collector, and one that is not there is not missed. Built with the feature `opentelemetry` alone,
//! with which `.ci/run` runs it.

#![cfg(test)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use kyodaku::clock::stopwatch;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// A server in a process of its own; killed when it goes out of scope.
struct Server {
    child: Child,
    address: String,
    _folder: tempfile::TempDir,
    lines: Receiver<String>,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Server {
    fn start(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_kyodaku"));
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("KYODAKU_") || name.starts_with("OTEL_") {
                command.env_remove(name);
            }
        }
        command.args(["serve", "--listen", "127.0.0.1:0", "--origin", "kyodaku.example/log", "--data-dir"]);
        command.arg(folder.path().join("data")).current_dir(folder.path());
        command
            .env("NO_PROXY", "127.0.0.1")
            .env("OTEL_BSP_SCHEDULE_DELAY", "100")
            .envs(settings.iter().copied());
        let (send, lines) = mpsc::channel();
        let child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut server = Self { child, address: String::new(), _folder: folder, lines };
        let errors = BufReader::new(server.child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                drop(send.send(line));
            }
        });
        loop {
            let line: String = server.lines.recv_timeout(Duration::from_mins(1)).expect("the server starts");
            if let Some((_, rest)) = line.split_once("listening on http://") {
                rest.split([' ', '"']).next().unwrap().clone_into(&mut server.address);
                return server;
            }
        }
    }

    /// The head of the answer to a GET with these header lines.
    fn get(&self, path: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Stops the server; what it wrote since it listened.
    fn stop(mut self) -> Vec<String> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        self.lines.iter().collect()
    }
}

/// A collector: what it was sent, head and body, each answered with `status`.
fn collector(status: &'static str) -> (String, Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (send, received) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap() <= 2 {
                    break;
                }
                let lower = line.to_ascii_lowercase();
                if let Some(value) = lower.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                head.push_str(&line);
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            drop(send.send((head, body)));
            drop(write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
        }
    });
    (url, received)
}

fn holds(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}

fn bytes(hex: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap()
}

/// Waits until a span with this text arrived; everything that was sent with it.
fn span(received: &Receiver<(String, Vec<u8>)>, name: &str) -> (String, Vec<u8>) {
    loop {
        let (head, body) = received.recv_timeout(Duration::from_mins(1)).expect("a batch of spans");
        if holds(&body, name.as_bytes()) {
            return (head, body);
        }
    }
}

fn traceparent() -> String {
    format!("traceparent: 00-{TRACE}-{PARENT}-01\r\n")
}

#[test]
fn spans_of_requests_reach_the_collector_without_what_callers_wrote() {
    let (url, received) = collector("200 OK");
    let server = Server::start(&[("KYODAKU_OTLP_ENDPOINT", &url), ("KYODAKU_LOG_FILTER", "trace")]);
    let secret = "authorization: Bearer kyo_live_hush\r\n";
    let answer = server.get("/v1/works/hush?hush=hush", &format!("{}{secret}", traceparent()));
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let (head, body) = span(&received, "GET /v1/works/{work}");
    assert!(head.starts_with("POST /v1/traces HTTP/1.1"), "{head}");
    assert!(head.to_ascii_lowercase().contains("content-type: application/x-protobuf"), "{head}");
    for told in
        ["kyodaku", "service.instance.id", "http.route", "http.response.status_code", "kyodaku.request_id"]
    {
        assert!(holds(&body, told.as_bytes()), "{told}");
    }
    let id = answer.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap();
    assert!(holds(&body, id.as_bytes()), "{id}");
    assert!(!holds(&body, b"hush"), "{}", String::from_utf8_lossy(&body));
    // Nobody is believed about the trace but a proxy that is named.
    assert!(!holds(&body, &bytes(TRACE)) && !holds(&body, &bytes(PARENT)));
    // Nor do the spans stand in the log.
    let log = server.stop().join("\n");
    assert!(log.contains("answered") && !log.contains("otel.kind") && !log.contains("request{"), "{log}");
}

#[test]
fn a_named_proxy_says_of_which_trace_a_request_is() {
    let (url, received) = collector("200 OK");
    let server = Server::start(&[("KYODAKU_OTLP_ENDPOINT", &url), ("KYODAKU_PROXIES", "127.0.0.1")]);
    for (headers, is_part) in [
        (traceparent(), true),
        (traceparent().repeat(2), false),
        ("traceparent: 00-nonsense-x-01\r\n".to_owned(), false),
        (String::new(), false),
    ] {
        assert!(server.get("/v1/status", &headers).starts_with("HTTP/1.1 200"));
        let (_, body) = span(&received, "GET /v1/status");
        assert_eq!(holds(&body, &bytes(TRACE)) && holds(&body, &bytes(PARENT)), is_part, "{headers}");
    }
    assert_eq!(server.stop().iter().filter(|line| line.contains("ERROR")).count(), 0);
}

#[test]
fn what_is_left_is_sent_at_the_end() {
    let (url, received) = collector("200 OK");
    let late = [("KYODAKU_OTLP_ENDPOINT", url.as_str()), ("OTEL_BSP_SCHEDULE_DELAY", "600000")];
    let server = Server::start(&late);
    server.get("/healthz", "");
    server.stop();
    span(&received, "GET /healthz");
}

#[test]
fn a_collector_that_is_gone_refuses_or_hangs_is_not_missed() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let (refusing, _received) = collector("500 Internal Server Error");
    let urls = [format!("http://{gone}"), format!("http://{}", hanging.local_addr().unwrap()), refusing];
    for url in urls {
        let server = Server::start(&[("KYODAKU_OTLP_ENDPOINT", &url)]);
        // More than the queue holds.
        for _ in 0..40 {
            let begun = stopwatch();
            assert!(server.get("/healthz", "").starts_with("HTTP/1.1 200"));
            assert!(begun.elapsed() < Duration::from_secs(5), "{url}: {:?}", begun.elapsed());
        }
        std::thread::sleep(Duration::from_millis(500));
        assert!(server.get("/v1/status", "").starts_with("HTTP/1.1 200"));
        let begun = stopwatch();
        server.stop();
        assert!(begun.elapsed() < Duration::from_secs(30), "{url}: {:?}", begun.elapsed());
    }
}
