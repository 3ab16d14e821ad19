//! The accept loop: hyper-util with a timer, because a loop without one keeps half-sent headers open for ever.

mod crowd;
mod patient;
pub mod tls;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use futures_util::FutureExt;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt;

use crowd::{Crowd, Place};
use patient::Patient;
use tls::Tls;

use crate::clock::stopwatch;
use crate::registry::Registry;

/// How long a request may stand still over HTTP/2: longer than any handler may work.
const STUCK: Duration = Duration::from_mins(6);

/// The limits of the accept loop. Bodies and handlers have theirs in the table of routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long a client may take to send the head of a request, the first byte included; and before that to shake hands.
    pub header_read: Duration,
    /// How many connections are served at once; others wait in the system's queue.
    pub connections: usize,
    /// How many of them one network may have; one more is closed at once, whatever is asked on the others.
    pub connections_per_network: usize,
    /// How long running requests may take to end once the server was told to stop.
    pub grace: Duration,
    /// The most header fields of one request.
    pub header_fields: usize,
    /// The most bytes of the head of one request.
    pub head_bytes: usize,
    /// How many requests one HTTP/2 connection may have running.
    pub streams: u32,
    /// How long an HTTP/2 connection may stay without any running; one of HTTP/1 stays for [`Limits::header_read`].
    pub idle: Duration,
    /// How long a client may take nothing of an answer that waits for it.
    pub stall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_read: Duration::from_secs(10),
            connections: 4096,
            connections_per_network: 256,
            grace: Duration::from_secs(30),
            header_fields: 64,
            head_bytes: 32 * 1024,
            streams: 128,
            idle: Duration::from_mins(1),
            stall: Duration::from_secs(30),
        }
    }
}

/// How the server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every running request was answered.
    Clean,
    /// The time of grace ran out with this many connections still open; they were cut.
    Cut(usize),
}

/// What stands before the router.
#[derive(Clone, Default)]
pub struct Front {
    /// TLS, where there is any.
    pub tls: Option<Tls>,
    /// Proxies, each of which many are behind: they may have all connections.
    pub proxies: Arc<[IpAddr]>,
    /// Where connections are counted that were closed at once.
    pub registry: Option<Registry>,
}

/// Serves `router` in the clear on `listener` until `stop` resolves, then finishes what is running, within `limits.grace`.
///
/// The caller's address is in each request as `ConnectInfo<SocketAddr>`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: impl Future<Output = ()>,
) -> Ended {
    serve_behind(listener, Front::default(), router, limits, stop).await
}

/// The same behind all that may stand before it.
pub async fn serve_behind(
    listener: TcpListener,
    front: Front,
    router: Router,
    limits: Limits,
    stop: impl Future<Output = ()>,
) -> Ended {
    let mut stop = std::pin::pin!(stop.fuse());
    let free = Arc::new(Semaphore::new(limits.connections));
    let crowd = Crowd::new(limits.connections_per_network, Arc::clone(&front.proxies));
    let graceful = GracefulShutdown::new();
    let builder = Arc::new(builder(&limits));
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = accept(&listener, &free) => accepted,
        };
        match accepted {
            Ok((stream, peer, permit)) => {
                let Some(place) = crowd.enter(peer.ip()) else {
                    front.turn_away(stream);
                    continue;
                };
                let held = (permit, place);
                let one = Connection { builder: Arc::clone(&builder), router: router.clone(), peer, held };
                tokio::spawn(one.serve(stream, front.tls.clone(), limits, graceful.watcher()));
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(target: "kyodaku::http", %error, "cannot accept connections, trying again");
                // Out of file descriptors, most likely: give running requests time to end.
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
    drop(listener);
    finish(graceful, limits.grace).await
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front").finish_non_exhaustive()
    }
}

impl Front {
    /// Closes a connection of a network that has all it may.
    fn turn_away(&self, stream: TcpStream) {
        drop(stream);
        if let Some(registry) = &self.registry {
            registry.metrics().turned_away();
        }
    }
}

async fn finish(graceful: GracefulShutdown, grace: Duration) -> Ended {
    let left = graceful.count();
    tracing::info!(target: "kyodaku::http", connections = left, "stopping");
    tokio::select! {
        () = graceful.shutdown() => Ended::Clean,
        () = tokio::time::sleep(grace) => Ended::Cut(left),
    }
}

async fn accept(
    listener: &TcpListener,
    free: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(free).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, permit))
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn builder(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_read)
        .max_headers(limits.header_fields)
        .max_buf_size(limits.head_bytes.max(8192));
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20))
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX));
    builder
}

struct Connection {
    builder: Arc<auto::Builder<TokioExecutor>>,
    router: Router,
    peer: SocketAddr,
    held: (OwnedSemaphorePermit, Place),
}

impl Connection {
    async fn serve(self, stream: TcpStream, tls: Option<Tls>, limits: Limits, watcher: Watcher) {
        // Small answers should leave at once; a socket that refuses the option still works.
        let _ = stream.set_nodelay(true);
        match tls {
            None => self.speak(stream, limits, watcher).await,
            Some(tls) => {
                if let Some(stream) = tls.handshake(stream, limits.header_read).await {
                    self.speak(stream, limits, watcher).await;
                }
            }
        }
    }

    async fn speak<S>(self, stream: S, limits: Limits, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let asked = Asked::default();
        let service = {
            let (router, peer, asked) = (self.router, self.peer, asked.clone());
            hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
                answer(router.clone(), peer, request, asked.begin())
            })
        };
        let connection = self
            .builder
            .serve_connection_with_upgrades(TokioIo::new(Patient::new(stream, limits.stall)), service)
            .into_owned();
        let mut served = std::pin::pin!(watcher.watch(connection));
        // Telling HTTP/1 from HTTP/2 by the first bytes has no time limit in hyper-util, so the first request has one.
        let first = tokio::select! {
            result = &mut served => Some(result),
            () = tokio::time::sleep(limits.header_read) => None,
        };
        let result = match first {
            Some(result) => result,
            None if asked.begun() > 0 => tokio::select! {
                result = served => result,
                () = asked.idle(limits.idle) => return,
            },
            None => return,
        };
        if let Err(error) = result {
            tracing::debug!(target: "kyodaku::http", %error, "a connection ended early");
        }
        drop(self.held);
    }
}

/// What was asked on a connection.
#[derive(Clone, Default)]
struct Asked(Arc<Counts>);

#[derive(Default)]
struct Counts {
    begun: AtomicU64,
    /// When something of a running request last came or went, by the number of the request.
    running: Mutex<BTreeMap<u64, Instant>>,
}

impl Asked {
    fn begin(&self) -> Arc<Running> {
        let number = self.0.begun.fetch_add(1, Ordering::Relaxed);
        self.running().insert(number, stopwatch());
        Arc::new(Running { asked: self.clone(), number })
    }

    fn begun(&self) -> u64 {
        self.0.begun.load(Ordering::Relaxed)
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<u64, Instant>> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one of the requests stands still: its answer, or what it waits for, is held for nobody.
    fn is_stuck(&self) -> bool {
        self.running().values().any(|moved| moved.elapsed() > STUCK)
    }

    /// Resolves once nothing ran for this long, from its beginning to its end: what ran before had that time to be taken; or
    /// once something stands still. Pings keep a connection open and are no request.
    async fn idle(&self, limit: Duration) {
        loop {
            let before = (self.begun(), self.running().len());
            tokio::time::sleep(limit).await;
            if before == (self.begun(), 0) || self.is_stuck() {
                return;
            }
        }
    }
}

/// A request that runs until its answer was taken whole.
struct Running {
    asked: Asked,
    number: u64,
}

impl Running {
    /// Something of it came or went.
    fn moves(&self) {
        self.asked.running().insert(self.number, stopwatch());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.asked.running().remove(&self.number);
    }
}

async fn answer(
    router: Router,
    peer: SocketAddr,
    request: hyper::Request<Incoming>,
    running: Arc<Running>,
) -> Result<Response, Infallible> {
    let arriving = Arc::downgrade(&running);
    let mut request: Request = request.map(|body| {
        axum::body::Body::new(body.map_frame(move |frame| {
            if let Some(running) = arriving.upgrade() {
                running.moves();
            }
            frame
        }))
    });
    request.extensions_mut().insert(ConnectInfo(peer));
    let response = router.oneshot(request).await?;
    Ok(response.map(|body| {
        axum::body::Body::new(body.map_frame(move |frame| {
            // It lives as long as the body.
            running.moves();
            frame
        }))
    }))
}

/// Resolves when the process is told to stop: SIGTERM or Ctrl-C. The process listens for those from the call on, so
/// call it before anybody is told that the server is there.
#[cfg(unix)]
pub fn stop_signal() -> impl Future<Output = ()> {
    use tokio::signal::unix::{Signal, SignalKind, signal};
    async fn received(listening: io::Result<Signal>) {
        match listening {
            Ok(mut signal) => _ = signal.recv().await,
            Err(error) => {
                tracing::error!(target: "kyodaku::http", %error, "cannot listen for a signal");
                std::future::pending::<()>().await;
            }
        }
    }
    let (interrupt, terminate) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async {
        tokio::select! {
            () = received(interrupt) => {}
            () = received(terminate) => {}
        }
    }
}

/// Resolves when the process is told to stop: Ctrl-C.
#[cfg(not(unix))]
pub async fn stop_signal() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::error!(target: "kyodaku::http", %error, "cannot listen for Ctrl-C");
        std::future::pending::<()>().await;
    }
}
