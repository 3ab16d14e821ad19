//! What stands between a node and its database: it passes on, refuses, delays, or swallows.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// What it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// It passes everything on.
    Pass,
    /// It cuts every connection, and each new one at once.
    Refuse,
    /// It passes everything on, so much later.
    Delay(Duration),
    /// It takes everything and passes nothing on, and a connection that met this never works again.
    Swallow,
}

/// Where the database is.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Socket(PathBuf),
    Port(u16),
}

/// The proxy; it ends with its runtime.
pub(super) struct Proxy {
    pub(super) port: u16,
    mode: watch::Sender<Mode>,
    target: Arc<Mutex<Target>>,
}

impl Proxy {
    pub(super) async fn start(target: Target) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mode, seen) = watch::channel(Mode::Pass);
        let target = Arc::new(Mutex::new(target));
        let to = Arc::clone(&target);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let target = to.lock().unwrap_or_else(PoisonError::into_inner).clone();
                tokio::spawn(connection(client, target, seen.clone()));
            }
        });
        Self { port, mode, target }
    }

    /// The world's database behind this proxy.
    pub(super) async fn before(url: &str) -> (Self, String) {
        let (name, rest) = url.strip_prefix("postgres:///").unwrap().split_once('?').unwrap();
        let folder = rest.split('&').find_map(|pair| pair.strip_prefix("host=")).unwrap();
        let proxy = Self::start(Target::Socket(PathBuf::from(folder).join(".s.PGSQL.5432"))).await;
        let url = proxy.url(name);
        (proxy, url)
    }

    /// The address of a database behind it.
    pub(super) fn url(&self, name: &str) -> String {
        format!("postgres://kyodaku@127.0.0.1:{}/{name}?sslmode=disable", self.port)
    }

    pub(super) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// New connections go elsewhere.
    pub(super) fn point(&self, target: Target) {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = target;
    }
}

async fn connection(client: TcpStream, target: Target, mode: watch::Receiver<Mode>) {
    let now = *mode.borrow();
    match now {
        Mode::Refuse => return,
        Mode::Swallow => return swallow(client).await,
        Mode::Pass | Mode::Delay(_) => {}
    }
    let _ = client.set_nodelay(true);
    match target {
        Target::Socket(path) => {
            if let Ok(server) = UnixStream::connect(path).await {
                pass(client, server, mode).await;
            }
        }
        Target::Port(port) => {
            if let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await {
                let _ = server.set_nodelay(true);
                pass(client, server, mode).await;
            }
        }
    }
}

async fn swallow(mut client: impl AsyncRead + Unpin) {
    let mut buffer = [0; 4_096];
    while client.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}

async fn pass(client: TcpStream, server: impl AsyncRead + AsyncWrite, mut mode: watch::Receiver<Mode>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let modes = (mode.clone(), mode.clone());
    let passing = async {
        tokio::select! {
            () = pump(&mut from_client, &mut to_server, modes.0) => {}
            () = pump(&mut from_server, &mut to_client, modes.1) => {}
        }
    };
    let cut = tokio::select! {
        () = passing => return,
        seen = mode.wait_for(|mode| matches!(mode, Mode::Refuse | Mode::Swallow)) => seen.map(|mode| *mode),
    };
    if matches!(cut, Ok(Mode::Swallow)) {
        // The database keeps its side open too: both ends believe in a connection that is none.
        swallow(from_client).await;
    }
}

async fn pump(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mode: watch::Receiver<Mode>,
) {
    let mut buffer = vec![0; 16_384];
    while let Ok(read) = from.read(&mut buffer).await {
        let delay = match *mode.borrow() {
            Mode::Delay(delay) => delay,
            _ => Duration::ZERO,
        };
        tokio::time::sleep(delay).await;
        if read == 0 || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
