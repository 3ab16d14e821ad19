//! Clients that are slow, that go away, and that all come at once.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use kyodaku::clock::stopwatch;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::rig::{Rig, entries_of, every};
use super::{count, on_postgres};
use crate::cli::serve::Server;
use crate::world::actors::fresh_key;
use crate::world::people::PASSWORD;
use crate::world::works::grant;

/// What a node's process takes of the machine's memory, in bytes: now, or at the most.
fn memory(server: &Server, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = status.lines().find_map(|text| text.strip_prefix(line)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
}

fn address(server: &Server) -> SocketAddr {
    server.url.strip_prefix("http://").unwrap().parse().unwrap()
}

/// How long single checks take, one after the other, until told to stop; all are answered.
struct Timed {
    stopped: Arc<std::sync::atomic::AtomicBool>,
    task: JoinHandle<Vec<Duration>>,
}

impl Timed {
    fn start(rig: &Rig, url: &str) -> Self {
        let stopped = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (seen, developer, work, url) =
            (Arc::clone(&stopped), rig.developer(), rig.works[0].clone(), url.to_owned());
        let task = tokio::spawn(async move {
            let mut took = Vec::new();
            while !seen.load(std::sync::atomic::Ordering::Relaxed) {
                let begun = stopwatch();
                developer.check(&url, &work).await;
                took.push(begun.elapsed());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            took.sort_unstable();
            took
        });
        Self { stopped, task }
    }

    /// The median, and what 99 of 100 took at most.
    async fn stop(self) -> (usize, Duration, Duration) {
        self.stopped.store(true, std::sync::atomic::Ordering::Relaxed);
        let took = self.task.await.unwrap();
        (took.len(), took[took.len() / 2], took[took.len() * 99 / 100])
    }
}

fn head(path: &str, key: &str, once: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: node\r\nAuthorization: Bearer {key}\r\nIdempotency-Key: {once}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
}

/// Sends a part of a head and then a byte in a while.
async fn half_a_head(to: SocketAddr) {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let _ = stream.write_all(b"POST /v1/checks HTTP/1.1\r\nHost: node\r\nX-Slow: ").await;
    while stream.write_all(b"x").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
}

/// Sends a body byte by byte.
async fn a_body_in_crumbs(to: SocketAddr, key: String) {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let _ = stream.write_all(head("/v1/grants", &key, "slow", 60_000).as_bytes()).await;
    while stream.write_all(b"[").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
}

/// Asks for something and never reads the answer.
async fn an_answer_unread(to: SocketAddr) {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let _ = stream.write_all(b"GET /problems HTTP/1.1\r\nHost: node\r\n\r\n").await;
    while stream.write_all(b"\r\n").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
}

/// Asks one thing after the other and reads no answer, until the server closes.
async fn answers_unread(to: SocketAddr) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    let _ = socket.set_recv_buffer_size(4_096);
    let mut stream = socket.connect(to).await.unwrap();
    let many = b"GET /problems HTTP/1.1\r\nHost: node\r\n\r\n".repeat(20);
    // Once every buffer on the way is full, nothing more is written before the other end is gone.
    while stream.write_all(&many).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[test]
fn slow_clients_keep_nobody_else_waiting_and_are_let_go() {
    on_postgres(async |world| {
        let rig = Rig::new(world, 1).await;
        let mut command = rig.command("n0", &rig.world.url);
        let server = Server::start(command.env("KYODAKU_STALL_S", "5").env("KYODAKU_HEADER_READ_S", "5"));
        rig.developer().check(&server.url, &rig.works[0]).await;
        let (to, slow, blocked) = (address(&server), count(240, 1_000), count(4, 4));
        let before = memory(&server, "VmRSS");
        let waiting: Vec<_> = (0..slow)
            .map(|number| match number % 3 {
                _ if number < blocked => tokio::spawn(answers_unread(to)),
                0 => tokio::spawn(an_answer_unread(to)),
                1 => tokio::spawn(half_a_head(to)),
                _ => tokio::spawn(a_body_in_crumbs(to, rig.holder.key.clone())),
            })
            .collect();
        let timed = Timed::start(&rig, &server.url);
        tokio::time::sleep(Duration::from_secs(8)).await;
        let (checks, median, p99) = timed.stop().await;
        let most = memory(&server, "VmHWM");
        println!(
            "{slow} slow clients: {checks} checks of others, median {median:.1?}, p99 {p99:.1?}; memory {} MiB before, {} \
             MiB at most",
            before >> 20,
            most >> 20
        );
        assert!(p99 < Duration::from_secs(5), "{p99:?}");
        assert!(most < before + (400 << 20), "{most}");
        let begun = stopwatch();
        for task in waiting {
            task.await.unwrap();
        }
        println!("{slow} slow clients: the last one was let go after {:.0?}", begun.elapsed());
        rig.developer().check(&server.url, &rig.works[0]).await;
        drop(server);
        rig.verify("n0");
    });
}

/// Sends an act and goes away, a while before or after it is done.
async fn goes_away(to: SocketAddr, key: &str, once: &str, body: &str, after: Duration) {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let request = head("/v1/grants", key, once, body.len()) + body;
    let part = if after.is_zero() { request.len() / 2 } else { request.len() };
    let _ = stream.write_all(&request.as_bytes()[..part]).await;
    tokio::time::sleep(after).await;
}

#[test]
fn whoever_goes_away_loses_nothing_and_leaves_nothing_open() {
    on_postgres(async |world| {
        let rig = Rig::new(world, 1).await;
        let server = rig.start("n0");
        let (to, asked, body) = (address(&server), count(300, 10_000), grant(&rig.works[0].id).to_string());
        let mut keys: Vec<String> = Vec::new();
        for chunk in 0..asked.div_ceil(20) {
            let mut leaving = Vec::new();
            for number in 0..20 {
                let (once, key, body) = (fresh_key(), rig.holder.key.clone(), body.clone());
                keys.push(once.clone());
                let after = Duration::from_micros(((chunk * 20 + number) as u64 * 7_919) % 30_000);
                let after = if number == 0 { Duration::ZERO } else { after + Duration::from_micros(1) };
                leaving.push(tokio::spawn(async move { goes_away(to, &key, &once, &body, after).await }));
            }
            for one in leaving {
                one.await.unwrap();
            }
        }
        // Asked again with the same key, each is recorded once, whether it was before or not.
        let (holder, before) = (rig.holder(), entries_of(&rig.world, "acts").await.len());
        let mut told = Vec::new();
        for once in &keys {
            let url = format!("{}/v1/grants", server.url);
            let reply = holder.try_post(&url, &grant(&rig.works[0].id), once).await.unwrap();
            assert_eq!(reply.status, 201, "{reply:?}");
            told.push(reply.text("grant"));
        }
        let acts = entries_of(&rig.world, "acts").await;
        let granted: Vec<_> =
            acts.into_iter().filter(|entry| entry["act"]["type"] == "grant.recorded").collect();
        let mut recorded = every(&granted, "grant");
        println!(
            "{} requests were left, {} of them after they were recorded",
            keys.len(),
            before.min(recorded.len())
        );
        recorded.sort_unstable();
        told.sort_unstable();
        assert_eq!(recorded, told, "each act once");
        assert_eq!(open_transactions(&rig.world.url).await, 0);
        let many: Vec<_> = (0..50)
            .map(|_| {
                let (developer, url, work) = (rig.developer(), server.url.clone(), rig.works[0].clone());
                tokio::spawn(async move { developer.check(&url, &work).await })
            })
            .collect();
        let begun = stopwatch();
        for one in many {
            assert!(one.await.unwrap().is_permitted());
        }
        assert!(begun.elapsed() < Duration::from_secs(9), "the connections are there: {:?}", begun.elapsed());
        drop(server);
        rig.verify("n0");
    });
}

/// How many connections stand in a transaction and do nothing, once things have settled.
async fn open_transactions(url: &str) -> i64 {
    let mut admin = PgConnection::connect(url).await.unwrap();
    let text =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'";
    let mut open = 1;
    for _ in 0..50 {
        open = sqlx::query_scalar(text).fetch_one(&mut admin).await.unwrap();
        if open == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    admin.close().await.unwrap();
    open
}

/// Behind a proxy that says for whom it asks.
fn behind_a_proxy(rig: &Rig) -> Command {
    let mut command = rig.command("n0", &rig.world.url);
    command.env("KYODAKU_PROXIES", "127.0.0.1");
    command
}

async fn sign_in(http: reqwest::Client, url: String, number: usize) -> (u16, Option<u64>) {
    let body = json!({ "email": super::rig::EMAIL, "password": PASSWORD });
    let from = format!("10.{}.{}.7", number / 200, number % 200);
    let reply = http
        .post(format!("{url}/v1/sessions"))
        .header("x-forwarded-for", from)
        .json(&body)
        .send()
        .await
        .unwrap();
    let retry = reply.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    (reply.status().as_u16(), retry)
}

#[test]
fn sign_ins_all_at_once_keep_no_check_waiting() {
    on_postgres(async |world| {
        let rig = Rig::new(world, 1).await;
        let server = Server::start(&mut behind_a_proxy(&rig));
        let idle = Timed::start(&rig, &server.url);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (_, _, quiet) = idle.stop().await;
        let http = reqwest::Client::builder().timeout(Duration::from_mins(2)).no_proxy().build().unwrap();
        let asked = count(150, 500);
        let timed = Timed::start(&rig, &server.url);
        let begun = stopwatch();
        let all: Vec<_> = (0..asked)
            .map(|number| tokio::spawn(sign_in(http.clone(), server.url.clone(), number)))
            .collect();
        let (mut came_in, mut told_to_wait) = (0, 0);
        for one in all {
            match one.await.unwrap() {
                (201, _) => came_in += 1,
                (503, Some(1..=60)) => told_to_wait += 1,
                other => panic!("{other:?}"),
            }
        }
        let took = begun.elapsed();
        let (checks, median, p99) = timed.stop().await;
        println!(
            "{asked} sign-ins at once: {came_in} came in, {told_to_wait} were told to come again, in {took:.1?}; {checks} \
             checks meanwhile: median {median:.1?}, p99 {p99:.1?} (without sign-ins {quiet:.1?})"
        );
        assert!(came_in >= 1 && told_to_wait >= asked - 64 - came_in, "{came_in} {told_to_wait}");
        assert!(p99 < Duration::from_secs(5), "{p99:?}");
        let (status, _) = sign_in(http, server.url.clone(), asked).await;
        assert_eq!(status, 201, "afterwards one signs in as ever");
        drop(server);
        rig.verify("n0");
    });
}
