//! Where one request ends and the next begins: no request hides in the body of another, whatever its head says of lengths.

use std::time::Duration;

use kyodaku::http::server::{Limits, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::world::{World, both};

/// What must not be answered: the only request here that would be answered 200.
const HIDDEN: &str = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
/// What comes after, and is answered 404 where the connection still stands.
const LAST: &str = "GET /problems/none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// Fields of the head that speak of lengths, and the body; `HIDDEN` and its length stand for themselves.
const CASES: &[(&str, &str)] = &[
    ("Content-Length: LENGTH", "HIDDEN"),
    ("Content-Length: LENGTH\r\nContent-Length: LENGTH", "HIDDEN"),
    ("Content-Length: 0\r\nContent-Length: LENGTH", "HIDDEN"),
    ("Content-Length: LENGTH\r\nContent-Length: 0", "HIDDEN"),
    ("Content-Length: 0, LENGTH", "HIDDEN"),
    ("Content-Length: +0", "HIDDEN"),
    ("Content-Length: -1", "HIDDEN"),
    ("Content-Length: 0x0", "HIDDEN"),
    ("Content-Length: 18446744073709551616", "HIDDEN"),
    ("Content-Length : 0", "HIDDEN"),
    ("Content-Length: 0\r\nTransfer-Encoding: chunked", "HEX\r\nHIDDEN\r\n0\r\n\r\n"),
    ("Transfer-Encoding: chunked\r\nContent-Length: 0", "HEX\r\nHIDDEN\r\n0\r\n\r\n"),
    ("Transfer-Encoding: chunked", "HEX\r\nHIDDEN\r\n0\r\n\r\n"),
    ("Transfer-Encoding: chunked", "HEX;a=\"b\"\r\nHIDDEN\r\n0\r\nTrailer: x\r\n\r\n"),
    ("Transfer-Encoding: chunked", "+0\r\n\r\nHIDDEN"),
    ("Transfer-Encoding: chunked", "0x0\r\n\r\nHIDDEN"),
    ("Transfer-Encoding: chunked", "-1\r\n\r\nHIDDEN"),
    ("Transfer-Encoding: chunked", "10000000000000000\r\n\r\nHIDDEN"),
    ("Transfer-Encoding: chunked", "\r\n\r\nHIDDEN"),
    ("Transfer-Encoding: xchunked\r\nContent-Length: 0", "HIDDEN"),
    ("Transfer-Encoding: chunked, identity\r\nContent-Length: 0", "HIDDEN"),
    ("Transfer-Encoding: identity\r\nContent-Length: 0", "HIDDEN"),
    ("Transfer-Encoding : chunked\r\nContent-Length: 0", "HIDDEN"),
    ("Transfer-Encoding:\r\n chunked\r\nContent-Length: 0", "HIDDEN"),
    ("Transfer-Encoding: \u{b}chunked\r\nContent-Length: 0", "HIDDEN"),
    ("X: y\rContent-Length: 0", "HIDDEN"),
    ("X: y\0\r\nContent-Length: 0", "HIDDEN"),
];

async fn said(address: std::net::SocketAddr, version: &str, head: &str, body: &str) -> String {
    let length = HIDDEN.len();
    let put = |text: &str| {
        let text = text.replace("LENGTH", &length.to_string()).replace("HEX", &format!("{length:x}"));
        text.replace("HIDDEN", HIDDEN)
    };
    let first = format!(
        "POST /v1/sessions/refresh HTTP/{version}\r\nHost: a\r\nContent-Type: application/json\r\nConnection: keep-alive\r\n{}\r\n\r\n{}",
        put(head),
        put(body)
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    // One that closes at once does not wait for the rest.
    let _ = stream.write_all(format!("{first}{LAST}").as_bytes()).await;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let _ = tokio::time::timeout(Duration::from_secs(30), read).await.expect("the connection ends");
    String::from_utf8_lossy(&answer).into_owned()
}

both!(no_request_hides_in_another, async |world: World| {
    let stage = world.stage().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let limits = Limits { header_read: Duration::from_secs(1), ..Limits::default() };
    let server = tokio::spawn(serve(listener, stage.router.clone(), limits, async { drop(stopped.await) }));
    for version in ["1.1", "1.0"] {
        for (head, body) in CASES {
            let said = said(address, version, head, body).await;
            let statuses: Vec<_> =
                said.split("HTTP/1.").skip(1).filter_map(|answer| answer.get(2..5)).collect();
            assert!(!statuses.contains(&"200"), "{version} {head:?} {body:?}: {statuses:?}");
            let expected = ["400", "404", "413", "431", "501"];
            assert!(
                statuses.iter().all(|status| expected.contains(status)),
                "{version} {head:?} {body:?}: {statuses:?}"
            );
        }
    }
    // The judge is judged: it is answered where nothing hides it.
    assert!(said(address, "1.1", "Content-Length: 0", "HIDDEN").await.contains("HTTP/1.1 200"));
    drop(stop);
    server.await.unwrap();
});
