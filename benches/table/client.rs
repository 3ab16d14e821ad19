//! A client that costs little beside the server it asks: requests that are made beforehand, answers of which only the head
//! is read, many connections in one thread, whose CPU time is taken off what the process used.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::time::Duration;

use kyodaku::clock::stopwatch;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The unit of CPU times in `/proc`.
const TICKS_A_SECOND: f64 = 100.0;

/// What a client saw.
#[derive(Default)]
pub(super) struct Seen {
    latencies: Vec<Duration>,
    elapsed: Duration,
    server_cpu_s: f64,
    /// The last answer, whole.
    pub(super) last: Vec<u8>,
}

impl Seen {
    /// What was seen in another run of the same.
    pub(super) fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.latencies.sort_unstable();
        self.elapsed += other.elapsed;
        self.server_cpu_s += other.server_cpu_s;
        self.last = other.last;
    }

    /// Requests a second.
    pub(super) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// Requests a second of the server's CPU time.
    pub(super) fn rate_of_cpu(&self) -> f64 {
        self.latencies.len() as f64 / self.server_cpu_s
    }

    /// The latency within which so many of a thousand requests were answered, in milliseconds.
    pub(super) fn ms_of(&self, per_mille: usize) -> f64 {
        self.latencies[(self.latencies.len() - 1) * per_mille / 1_000].as_secs_f64() * 1_000.0
    }

    /// Two latencies, as they stand in the table.
    pub(super) fn latencies(&self, per_mille: [usize; 2]) -> String {
        let [low, high] = per_mille.map(|at| self.ms_of(at));
        format!("{low:.1} / {high:.1} ms")
    }
}

/// A request, ready to be sent; the connection stays.
pub(super) fn post(path: &str, key: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: bench.example\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
         {headers}content-length: {length}\r\n\r\n{body}"
    );
    head.into_bytes()
}

/// Sends these requests over so many connections, each the next one as soon as it is free; all must be answered with
/// this status. As many as there are connections are sent before the clocks run.
pub(super) fn ask<'a>(
    address: SocketAddr,
    connections: usize,
    requests: impl Iterator<Item = &'a [u8]>,
    status: u16,
) -> Seen {
    ask_at(f64::INFINITY, address, connections, requests, status)
}

/// As [`ask`], no more than so many a second. A latency begins when a request is sent, however late that is.
pub(super) fn ask_at<'a>(
    a_second: f64,
    address: SocketAddr,
    connections: usize,
    requests: impl Iterator<Item = &'a [u8]>,
    status: u16,
) -> Seen {
    let requests = RefCell::new(requests);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut open = Vec::new();
        for _ in 0..connections {
            let stream = TcpStream::connect(address).await.expect("a connection");
            stream.set_nodelay(true).expect("the option is there");
            open.push(Connection { stream, answer: Vec::with_capacity(1 << 20) });
        }
        let first: Vec<_> = requests.borrow_mut().by_ref().take(connections).collect();
        spread(&mut open, &RefCell::new(first.into_iter()), status, a_second).await;
        let (before, watch) = (cpu_s("self") - cpu_s("thread-self"), stopwatch());
        let mut latencies = spread(&mut open, &requests, status, a_second).await;
        let (elapsed, server_cpu_s) = (watch.elapsed(), cpu_s("self") - cpu_s("thread-self") - before);
        latencies.sort_unstable();
        let last = open.swap_remove(0).answer;
        Seen { latencies, elapsed, server_cpu_s, last }
    })
}

async fn spread<'a>(
    open: &mut [Connection],
    requests: &RefCell<impl Iterator<Item = &'a [u8]>>,
    status: u16,
    a_second: f64,
) -> Vec<Duration> {
    let (begun, taken) = (stopwatch(), Cell::new(0.0));
    let take = || {
        let due = begun + Duration::from_secs_f64(taken.replace(taken.get() + 1.0) / a_second);
        requests.borrow_mut().next().map(|request| (request, due))
    };
    let one = async |connection: &mut Connection| {
        let mut latencies = Vec::new();
        while let Some((request, due)) = take() {
            tokio::time::sleep_until(due.into()).await;
            let watch = stopwatch();
            assert_eq!(
                connection.exchange(request).await,
                status,
                "{}",
                String::from_utf8_lossy(&connection.answer)
            );
            latencies.push(watch.elapsed());
        }
        latencies
    };
    futures_util::future::join_all(open.iter_mut().map(one)).await.concat()
}

struct Connection {
    stream: TcpStream,
    /// The whole answer: head and body.
    answer: Vec<u8>,
}

impl Connection {
    /// The status of the answer, which is then in `answer`.
    async fn exchange(&mut self, request: &[u8]) -> u16 {
        self.stream.write_all(request).await.expect("it is sent");
        self.answer.clear();
        let (head, length) = loop {
            self.fill().await;
            let Some(end) = self.answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { continue };
            let head = std::str::from_utf8(&self.answer[..end]).expect("a head is text");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.expect("each answer says how long it is").parse().expect("a number");
            break (head[9..12].parse().expect("a status"), end + 4 + length);
        };
        while self.answer.len() < length {
            self.fill().await;
        }
        head
    }

    async fn fill(&mut self) {
        let read = self.stream.read_buf(&mut self.answer).await.expect("an answer");
        assert!(read > 0, "the server hung up");
    }
}

/// The body of an answer.
pub(super) fn body(answer: &[u8]) -> &[u8] {
    let at = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a whole answer");
    &answer[at + 4..]
}

/// User and system time of this process or thread, in seconds.
pub(super) fn cpu_s(whose: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{whose}/stat")).unwrap_or_default();
    // The name, in parentheses, may hold anything; twelve fields on stand the two times.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_A_SECOND
}

/// How often the threads of this process have waited for something.
pub(super) fn switches() -> u64 {
    let of_thread = |thread: std::fs::DirEntry| {
        let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        count.and_then(|count| count.trim().parse::<u64>().ok()).unwrap_or(0)
    };
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    threads.filter_map(|thread| Some(of_thread(thread.ok()?))).sum()
}
