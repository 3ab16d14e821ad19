//! The accept loop against clients that are slow, silent, many, or late.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use kyodaku::http::gate::Access;
use kyodaku::http::routes::Route;
use kyodaku::http::server::{Ended, Front, Limits, serve_behind};
use kyodaku::http::{Problem, Reply};
use kyodaku::registry::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use super::node::Node;

pub(super) const SHORT: Duration = Duration::from_millis(150);
/// Far longer than any limit under test: reached only when the server does not act.
pub(super) const LONG: Duration = Duration::from_secs(20);

struct Running {
    address: SocketAddr,
    registry: Registry,
    entered: Arc<Notify>,
    leave: Arc<Notify>,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Ended>,
}

async fn start(limits: Limits) -> Running {
    start_behind(&[], limits).await
}

async fn start_behind(proxies: &[IpAddr], limits: Limits) -> Running {
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, waited) = (entered.clone(), leave.clone());
    let slow = async move || -> Result<Reply, Problem> {
        told.notify_one();
        waited.notified().await;
        Reply::ok(&"done")
    };
    let quick = async || -> Result<Reply, Problem> { Reply::ok(&"quick") };
    let node = Node::new().await;
    let router = node.router(vec![
        Route::get("/slow", "slow", Access::Public, slow),
        Route::get("/quick", "quick", Access::Public, quick),
        Route::get("/long", "long", Access::Public, async || Reply::ok(&"x".repeat(32 << 20))),
    ]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let registry = node.registry.clone();
    let front = Front { proxies: proxies.into(), registry: Some(registry.clone()), ..Front::default() };
    let ended = tokio::spawn(serve_behind(listener, front, router, limits, async {
        let _ = stopped.await;
    }));
    Running { address, registry, entered, leave, stop, ended }
}

async fn connect(address: SocketAddr, sent: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(sent).await.unwrap();
    stream
}

/// Everything until the server closes; fails when it does not.
pub(super) async fn until_closed(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(LONG, stream.read_to_end(&mut bytes)).await;
    // A reset is an end too.
    let _ = read.expect("the server closes the connection");
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(super) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn a_head_that_does_not_arrive_whole_ends_the_connection() {
    let running = start(Limits { header_read: SHORT, ..Limits::default() }).await;
    // Silent; the beginning of the HTTP/2 preface, which the version check would wait on for ever; half a head.
    for half in
        [&b""[..], b"P", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", b"GET /quick HTTP/1.1\r\nHost: x\r\nX-A: "]
    {
        let mut stream = connect(running.address, half).await;
        let answer = until_closed(&mut stream).await;
        assert!(!answer.contains("200"), "{answer}");
    }
}

#[tokio::test]
async fn a_connection_kept_alive_in_silence_ends() {
    let running = start(Limits { header_read: SHORT, ..Limits::default() }).await;
    let mut stream = connect(running.address, b"GET /quick HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(until_closed(&mut stream).await.contains("\"quick\""));
}

/// GET /quick over HTTP/2, as bytes: the preface, empty settings, and one request (RFC 9113, RFC 7541).
pub(super) fn get_over_http_2() -> Vec<u8> {
    let block = [&[0x82, 0x86, 0x04, 6][..], b"/quick", &[0x41, 1, b'x']].concat();
    let headers = [&[0, 0, u8::try_from(block.len()).unwrap(), 1, 5, 0, 0, 0, 1][..], &block].concat();
    [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &[0, 0, 0, 4, 0, 0, 0, 0, 0], &headers].concat()
}

#[tokio::test]
async fn a_connection_over_http_2_without_a_request_ends() {
    let limits = Limits { header_read: SHORT, idle: SHORT, ..Limits::default() };
    let running = start(limits).await;
    let mut stream = connect(running.address, &get_over_http_2()).await;
    assert!(until_closed(&mut stream).await.contains("\"quick\""));
}

#[tokio::test]
async fn the_time_for_a_head_does_not_limit_a_running_request() {
    let running = start(Limits { header_read: SHORT, ..Limits::default() }).await;
    let mut slow = connect(running.address, &get("/slow")).await;
    running.entered.notified().await;
    // Another connection outlasts the limit meanwhile.
    until_closed(&mut connect(running.address, b"GET ").await).await;
    running.leave.notify_one();
    assert!(until_closed(&mut slow).await.contains("\"done\""));
}

#[tokio::test]
async fn both_versions_of_http_are_spoken() {
    let running = start(Limits::default()).await;
    assert!(until_closed(&mut connect(running.address, &get("/quick")).await).await.contains("200 OK"));
    // The preface and an empty SETTINGS frame; the server answers with its own SETTINGS.
    let mut h2 = connect(running.address, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    let mut frame = [0_u8; 9];
    tokio::time::timeout(LONG, h2.read_exact(&mut frame)).await.unwrap().unwrap();
    assert_eq!(frame[3], 4);
}

#[tokio::test]
async fn stopping_finishes_what_runs_and_takes_nothing_new() {
    let running = start(Limits::default()).await;
    let mut slow = connect(running.address, &get("/slow")).await;
    running.entered.notified().await;
    running.stop.send(()).unwrap();
    // The listener closes: from some moment on, nobody is let in.
    let refused = async {
        while TcpStream::connect(running.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, refused).await.expect("new connections are refused");
    assert!(!running.ended.is_finished());
    running.leave.notify_one();
    assert!(until_closed(&mut slow).await.contains("\"done\""));
    assert_eq!(running.ended.await.unwrap(), Ended::Clean);
}

#[tokio::test]
async fn stopping_waits_no_longer_than_the_time_of_grace() {
    let running = start(Limits { grace: SHORT, ..Limits::default() }).await;
    let _slow = connect(running.address, &get("/slow")).await;
    running.entered.notified().await;
    running.stop.send(()).unwrap();
    assert_eq!(tokio::time::timeout(LONG, running.ended).await.unwrap().unwrap(), Ended::Cut(1));
}

#[tokio::test]
async fn no_more_connections_are_served_than_the_limit() {
    let running = start(Limits { connections: 1, ..Limits::default() }).await;
    let mut first = connect(running.address, &get("/slow")).await;
    running.entered.notified().await;
    let mut second = connect(running.address, &get("/quick")).await;
    let mut byte = [0_u8; 1];
    let early = tokio::time::timeout(SHORT, second.read(&mut byte)).await;
    assert!(early.is_err(), "the second was served beside the first");
    running.leave.notify_one();
    assert!(until_closed(&mut first).await.contains("\"done\""));
    assert!(until_closed(&mut second).await.contains("\"quick\""));
}

/// Asks for something short from an address of the loopback network; the answer, or nothing.
async fn ask_from(from: Ipv4Addr, running: &Running) -> String {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    let mut stream = socket.connect(running.address).await.unwrap();
    // The other end may be closed already.
    let _ = stream.write_all(&get("/quick")).await;
    until_closed(&mut stream).await
}

#[tokio::test]
async fn one_network_does_not_take_the_connections_of_others() {
    const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
    let running = start(Limits { connections_per_network: 2, ..Limits::default() }).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(connect(running.address, &get("/slow")).await);
        running.entered.notified().await;
    }
    for _ in 0..3 {
        assert_eq!(ask_from(Ipv4Addr::LOCALHOST, &running).await, "");
        assert!(ask_from(OTHER, &running).await.contains("\"quick\""));
    }
    let figures = running.registry.metrics().text(&running.registry).unwrap();
    assert!(figures.contains("kyodaku_connections_turned_away_total 3\n"), "{figures}");
    // Once one has ended, another has its place.
    running.leave.notify_one();
    let answered =
        futures_util::future::select_all(held.iter_mut().map(|one| Box::pin(until_closed(one)))).await;
    assert!(answered.0.contains("\"done\""));
    drop(answered);
    let again = async {
        while !ask_from(Ipv4Addr::LOCALHOST, &running).await.contains("\"quick\"") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, again).await.expect("the place is free again");
    // Those behind a named proxy are many.
    let limits = Limits { connections_per_network: 1, ..Limits::default() };
    let running = start_behind(&[Ipv4Addr::LOCALHOST.into()], limits).await;
    let _held = connect(running.address, &get("/slow")).await;
    running.entered.notified().await;
    assert!(ask_from(Ipv4Addr::LOCALHOST, &running).await.contains("\"quick\""));
}

#[tokio::test]
async fn an_answer_that_nobody_takes_ends_the_connection() {
    let running = start(Limits { connections: 1, stall: SHORT, ..Limits::default() }).await;
    // More than all buffers on its way hold; not a byte of it is read.
    let unread = connect(running.address, &get("/long")).await;
    let mut second = connect(running.address, &get("/quick")).await;
    assert!(until_closed(&mut second).await.contains("\"quick\""));
    drop(unread);
}
