//! A server that answers whatever a test wants, byte by byte.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What the client sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Asked {
    /// The lines of the body after the first.
    pub(crate) fn items(&self) -> Vec<String> {
        self.body.lines().skip(1).map(ToOwned::to_owned).collect()
    }
}

/// A listening server; its thread ends with the process.
pub(crate) struct Fake {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    /// Answers each request with what `answer` makes of it, and closes the connection.
    pub(crate) fn new(answer: impl Fn(&Asked, &mut TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = read(&stream);
                seen.lock().unwrap().push(request.clone());
                answer(&request, &mut stream);
            }
        });
        Self { url, asked }
    }

    /// Answers 200 with these lines, whole.
    pub(crate) fn lines(make: impl Fn(&Asked) -> String + Send + 'static) -> Self {
        Self::new(move |asked, stream| reply(stream, "200 OK", "application/x-ndjson", &make(asked)))
    }

    /// Every request so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// Writes a whole answer. A client that went away does not matter.
pub(crate) fn reply(stream: &mut TcpStream, status: &str, kind: &str, body: &str) {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}

fn read(stream: &TcpStream) -> Asked {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return Asked { head, body: String::new() };
        }
    }
    let lower = head.to_ascii_lowercase();
    let mut body = Vec::new();
    if lower.contains("transfer-encoding: chunked") {
        loop {
            let mut size = String::new();
            if reader.read_line(&mut size).unwrap_or(0) == 0 {
                break;
            }
            let size = usize::from_str_radix(size.trim(), 16).unwrap();
            let mut chunk = vec![0; size + 2];
            if reader.read_exact(&mut chunk).is_err() || size == 0 {
                break;
            }
            body.extend_from_slice(&chunk[..size]);
        }
    } else if let Some(at) = lower.find("content-length: ") {
        let length = lower[at + 16..].split("\r\n").next().unwrap().parse().unwrap();
        body.resize(length, 0);
        reader.read_exact(&mut body).unwrap();
    }
    Asked { head, body: String::from_utf8(body).unwrap() }
}
