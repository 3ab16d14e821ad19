//! A way to PostgreSQL on which somebody stands who counts, and at the chosen message kills the one who sent it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// On which side of the message's delivery the sender dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The database never gets the message.
    Before,
    /// The database gets it and does it; nobody hears of that.
    After,
}

#[derive(Default)]
struct Watch {
    seen: AtomicUsize,
    kill_at: AtomicUsize,
    victim: AtomicU32,
    side: Mutex<Option<Side>>,
}

/// The way; it ends with the process.
pub(super) struct Wire {
    /// The address of the database by this way.
    pub(super) url: String,
    watch: Arc<Watch>,
}

impl Wire {
    /// A way to the database at this address of a socket's folder.
    pub(super) fn to(url: &str) -> Self {
        let (database, rest) = url.trim_start_matches("postgres:///").split_once('?').unwrap();
        let folder = rest.split('&').find_map(|pair| pair.strip_prefix("host=")).unwrap();
        let socket = format!("{folder}/.s.PGSQL.5432");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let watch = Arc::new(Watch::default());
        let shared = Arc::clone(&watch);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = UnixStream::connect(&socket) else { continue };
                let watch = Arc::clone(&shared);
                std::thread::spawn(move || carry(&near, &far, &watch));
            }
        });
        Self { url: format!("postgres://kyodaku@127.0.0.1:{port}/{database}?sslmode=disable"), watch }
    }

    /// Counts from nought, and at message `at` (from 1; 0 for never) kills the process that is named next.
    pub(super) fn kill_at(&self, at: usize, side: Side) {
        self.watch.victim.store(0, Ordering::SeqCst);
        self.watch.seen.store(0, Ordering::SeqCst);
        *self.watch.side.lock().unwrap() = Some(side);
        self.watch.kill_at.store(at, Ordering::SeqCst);
    }

    /// Who is to be killed; messages wait until they know.
    pub(super) fn victim(&self, process: u32) {
        self.watch.victim.store(process, Ordering::SeqCst);
    }

    /// How many messages were seen.
    pub(super) fn seen(&self) -> usize {
        self.watch.seen.load(Ordering::SeqCst)
    }
}

/// Carries a connection's messages until either side ends it.
fn carry(near: &TcpStream, far: &UnixStream, watch: &Watch) {
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let (mut from, mut to) = (far, near);
            let _ = std::io::copy(&mut from, &mut to);
            let _ = near.shutdown(Shutdown::Both);
        });
        let _ = forward(near, far, watch);
        let _ = far.shutdown(Shutdown::Both);
        let _ = near.shutdown(Shutdown::Both);
    });
}

fn forward(mut near: &TcpStream, mut far: &UnixStream, watch: &Watch) -> std::io::Result<()> {
    // The first message has no type.
    let first = message(&mut near, None)?;
    far.write_all(&first)?;
    loop {
        let mut kind = [0];
        near.read_exact(&mut kind)?;
        let whole = message(&mut near, Some(kind[0]))?;
        // Those that ask for something to be done and wait for it: a query, and the end of a prepared one.
        let is_step = matches!(kind[0], b'Q' | b'S');
        let is_last =
            is_step && watch.seen.fetch_add(1, Ordering::SeqCst) + 1 == watch.kill_at.load(Ordering::SeqCst);
        let side = if is_last { *watch.side.lock().unwrap() } else { None };
        if side == Some(Side::Before) {
            kill(watch);
            return Ok(());
        }
        far.write_all(&whole)?;
        if side == Some(Side::After) {
            kill(watch);
        }
    }
}

fn message(from: &mut impl Read, kind: Option<u8>) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut whole: Vec<u8> = kind.into_iter().chain(length).collect();
    let start = whole.len();
    whole.resize(start + u32::from_be_bytes(length) as usize - 4, 0);
    from.read_exact(&mut whole[start..])?;
    Ok(whole)
}

fn kill(watch: &Watch) {
    let victim = loop {
        match watch.victim.load(Ordering::SeqCst) {
            0 => std::thread::yield_now(),
            victim => break victim,
        }
    };
    let _ = Command::new("kill").args(["-KILL", &victim.to_string()]).status();
}
