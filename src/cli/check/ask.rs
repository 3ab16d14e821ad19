//! Asking: lines out and lines back at the same time, in flat memory, and every doubt an end without an answer.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::stream;
use indicatif::ProgressBar;
use reqwest::{Body, Response};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::item::{Asked, Source};
use super::keep::Keep;
use super::reply::{Chunk, End, ItemReply, Line, Told};
use super::spool::Spool;
use super::table;
use crate::cli::Failure;
use crate::cli::client::{NoAnswer, Server};
use crate::cli::context::Context;
use crate::domain::decision::{ReasonCode, Verdict};

/// How many items may wait for their answer: several chunks of the server's, which answers 10,000 at once.
const IN_FLIGHT: usize = 50_000;
/// About how many bytes are sent at once.
const FRAME_BYTES: usize = 32_768;
/// The longest line of an answer.
const MAX_REPLY_LINE_BYTES: usize = 16 << 20;

/// Every answer, believed, and their sum.
pub(super) struct Answered {
    pub(super) spool: Spool,
    pub(super) total: Total,
}

/// The sum of all answers.
#[derive(Debug, Default, Serialize)]
pub(super) struct Total {
    pub(super) items: u64,
    pub(super) permitted: u64,
    pub(super) not_permitted: u64,
    /// The names of the checks in the server's journal.
    checks: Vec<String>,
    /// The sizes of the log from which the first and the last were answered.
    log_sizes: Option<(u64, u64)>,
    /// The moment of the first answer.
    at: Option<String>,
    /// The earliest moment at which time alone could change an answer.
    valid_until: Option<String>,
    /// By when to ask again.
    recheck_by: Option<String>,
    /// Why something is not permitted, each reason once: told to people after the answers.
    #[serde(skip)]
    pub(super) reasons: BTreeMap<String, ReasonCode>,
}

impl Total {
    pub(super) fn in_words(&self) -> String {
        let noun = if self.items == 1 { "item" } else { "items" };
        let mut words = format!(
            "{} {noun}: {} permitted, {} not permitted",
            self.items, self.permitted, self.not_permitted
        );
        if let Some((_, last)) = self.log_sizes {
            words = format!("{words}; log size {last}");
        }
        match &self.recheck_by {
            Some(by) if self.permitted > 0 => {
                format!("{words}; ask again by {}", crate::cli::output::plain(by))
            }
            _ => words,
        }
    }
}

/// Sends every item and reads every answer.
pub(super) async fn ask(
    server: &Server,
    context: &Context,
    source: Source,
    json: bool,
    keep: Option<Keep>,
    bar: &ProgressBar,
) -> Result<Answered, Failure> {
    let (frames, body) = mpsc::channel::<Result<Bytes, std::io::Error>>(4);
    let (pending, asked) = mpsc::channel::<(u64, Asked)>(IN_FLIGHT);
    let moved = Arc::new(AtomicU64::new(0));
    let mut first_line = serde_json::to_vec(context).map_err(|error| Failure::new(error.to_string()))?;
    first_line.push(b'\n');
    let sender = Sender { source, frames, pending, moved: Arc::clone(&moved), frame: first_line };
    let sending = tokio::spawn(sender.run());
    let mut reading = Reading {
        context,
        json,
        keep,
        bar,
        asked,
        next: None,
        chunk: None,
        chunk_counts: (0, 0),
        answered: 0,
        spool: Spool::new(),
        total: Total::default(),
    };
    let mut body = body;
    // Nothing is asked before there is something to ask: a sender that thinks for long would be cut off.
    if let Some(first) = reading.first_frame(&mut body).await? {
        let frames = stream::unfold((Some(first), body), async |(first, mut body)| {
            let frame = match first {
                Some(frame) => Some(frame),
                None => body.recv().await,
            };
            frame.map(|frame| (frame, (None, body)))
        });
        let response = server.post_lines("/v1/checks", Body::wrap_stream(frames)).await;
        let read = match response {
            Ok(response) => reading.read(Replies::new(response, server, moved)).await,
            Err(none) => Err(none.into()),
        };
        if let Err(failure) = read {
            return Err(source_failed(sending).await.unwrap_or(failure));
        }
    }
    let sent = finished(sending, server).await?;
    reading.finish(sent).await
}

/// What the source said, if it is what broke the request.
async fn source_failed(sending: JoinHandle<Result<u64, std::io::Error>>) -> Option<Failure> {
    if !sending.is_finished() {
        sending.abort();
    }
    match sending.await {
        Ok(Err(error)) if error.kind() != std::io::ErrorKind::BrokenPipe => Some(unread(&error)),
        _ => None,
    }
}

/// How many items there were. The answer is whole, so the sender has nothing more to do.
async fn finished(sending: JoinHandle<Result<u64, std::io::Error>>, server: &Server) -> Result<u64, Failure> {
    let early = || Failure::from(NoAnswer::new("the server closed its answer before it had all items"));
    match tokio::time::timeout(server.timeout(), sending).await {
        Ok(Ok(Ok(sent))) => Ok(sent),
        Ok(Ok(Err(error))) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(early()),
        Ok(Ok(Err(error))) => Err(unread(&error)),
        Ok(Err(error)) => Err(Failure::new(error.to_string())),
        Err(_) => Err(early()),
    }
}

fn unread(error: &std::io::Error) -> Failure {
    Failure::from(NoAnswer::new(format!("the items can't be read to their end: {error}")))
}

/// The half that sends.
struct Sender {
    source: Source,
    frames: mpsc::Sender<Result<Bytes, std::io::Error>>,
    pending: mpsc::Sender<(u64, Asked)>,
    moved: Arc<AtomicU64>,
    frame: Vec<u8>,
}

impl Sender {
    /// Sends everything; gives how many items there were, readable or not.
    async fn run(mut self) -> Result<u64, std::io::Error> {
        let gone = || std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        let mut number = 0;
        let mut sent_any = false;
        loop {
            let asked = match self.source.next().await {
                Ok(Some(asked)) => asked,
                Ok(None) => break,
                Err(error) => {
                    // The server must not take what came so far for all of it.
                    let told = std::io::Error::new(error.kind(), error.to_string());
                    drop(self.frames.send(Err(told)).await);
                    return Err(error);
                }
            };
            if let Ok(members) = &asked.members {
                self.frame
                    .extend_from_slice(format!("{{\"reference\":\"{number}\",{members}}}\n").as_bytes());
                sent_any = true;
            }
            self.pending.send((number, asked)).await.map_err(|_| gone())?;
            number += 1;
            if self.frame.len() >= FRAME_BYTES && sent_any {
                self.send().await.map_err(|()| gone())?;
            }
        }
        if sent_any && !self.frame.is_empty() {
            self.send().await.map_err(|()| gone())?;
        }
        Ok(number)
    }

    async fn send(&mut self) -> Result<(), ()> {
        let frame = std::mem::take(&mut self.frame);
        self.frames.send(Ok(frame.into())).await.map_err(drop)?;
        self.moved.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// The lines that come back.
struct Replies {
    response: Response,
    buffer: Vec<u8>,
    /// Lines that are read and not given yet.
    lines: VecDeque<Vec<u8>>,
    timeout: std::time::Duration,
    moved: Arc<AtomicU64>,
}

impl Replies {
    fn new(response: Response, server: &Server, moved: Arc<AtomicU64>) -> Self {
        Self { response, buffer: Vec::new(), lines: VecDeque::new(), timeout: server.timeout(), moved }
    }

    /// The next line; none at the end of the answer. A line without its end is not one.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, NoAnswer> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Ok(Some(line));
            }
            let Some(bytes) = self.bytes().await? else {
                return if self.buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(NoAnswer::new("the answer broke off within a line"))
                };
            };
            let mut rest = bytes.as_ref();
            while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
                let (line, after) = rest.split_at_checked(at).unwrap_or((rest, &[]));
                self.buffer.extend_from_slice(line);
                self.lines.push_back(std::mem::take(&mut self.buffer));
                rest = after.get(1..).unwrap_or_default();
            }
            self.buffer.extend_from_slice(rest);
            if self.buffer.len() > MAX_REPLY_LINE_BYTES {
                return Err(NoAnswer::new("a line of the answer is too long"));
            }
        }
    }

    /// Waits as long as something moves in one direction or the other.
    async fn bytes(&mut self) -> Result<Option<Bytes>, NoAnswer> {
        loop {
            let before = self.moved.load(Ordering::Relaxed);
            match tokio::time::timeout(self.timeout, self.response.chunk()).await {
                Ok(read) => return Ok(read?),
                Err(_) if self.moved.load(Ordering::Relaxed) != before => {}
                Err(_) => {
                    let seconds = self.timeout.as_secs();
                    return Err(NoAnswer::new(format!(
                        "the server fell silent for {seconds} s within its answer"
                    )));
                }
            }
        }
    }
}

/// The half that reads.
struct Reading<'a> {
    context: &'a Context,
    json: bool,
    keep: Option<Keep>,
    bar: &'a ProgressBar,
    asked: mpsc::Receiver<(u64, Asked)>,
    /// The next item that the server has to answer, once it was looked at.
    next: Option<(u64, Asked)>,
    chunk: Option<Chunk>,
    /// How many of the chunk's items were permitted, and how many not.
    chunk_counts: (u64, u64),
    /// How many items the server has answered.
    answered: u64,
    spool: Spool,
    total: Total,
}

type Frame = Result<Bytes, std::io::Error>;

impl Reading<'_> {
    /// Waits for something to send, and takes what can't be sent meanwhile; none when there is nothing to send.
    async fn first_frame(&mut self, body: &mut mpsc::Receiver<Frame>) -> Result<Option<Frame>, Failure> {
        let mut all_taken = false;
        loop {
            tokio::select! {
                biased;
                frame = body.recv() => return Ok(frame),
                asked = self.asked.recv(), if self.next.is_none() && !all_taken => match asked {
                    Some((number, asked)) => self.take(number, asked)?,
                    None => all_taken = true,
                },
            }
        }
    }

    /// Reads until the closing line, after which nothing may follow.
    async fn read(&mut self, mut replies: Replies) -> Result<(), Failure> {
        loop {
            let line = replies.next().await?;
            let line = line.ok_or_else(|| NoAnswer::new("the answer has no closing line"))?;
            if let Some(keep) = &mut self.keep {
                keep.line(&line)?;
            }
            let line: Line = serde_json::from_slice(&line)
                .map_err(|error| NoAnswer::new(format!("a line of the answer can't be read: {error}")))?;
            match line.told().map_err(NoAnswer::new)? {
                Told::Chunk(chunk) => self.begin_chunk(chunk)?,
                Told::Item(reply) => self.item(&reply).await?,
                Told::Error(problem) => {
                    return Err(NoAnswer::new(format!("the server broke off: {problem}")).into());
                }
                Told::End(end) => {
                    self.end(&end)?;
                    return match replies.next().await? {
                        None => Ok(()),
                        Some(_) => Err(NoAnswer::new("something follows the closing line").into()),
                    };
                }
            }
        }
    }

    fn begin_chunk(&mut self, chunk: Chunk) -> Result<(), NoAnswer> {
        self.end_chunk()?;
        self.total.checks.push(chunk.check.to_string());
        let first = self.total.log_sizes.map_or(chunk.log_size, |(first, _)| first);
        self.total.log_sizes = Some((first, chunk.log_size));
        self.total.at.get_or_insert_with(|| chunk.at.clone());
        for (kept, told) in [
            (&mut self.total.valid_until, chunk.valid_until.as_ref()),
            (&mut self.total.recheck_by, Some(&chunk.recheck_by)),
        ] {
            if let Some(told) = told {
                earlier(kept, told)?;
            }
        }
        self.chunk = Some(chunk);
        Ok(())
    }

    fn end_chunk(&mut self) -> Result<(), NoAnswer> {
        let counts = std::mem::take(&mut self.chunk_counts);
        match self.chunk.take() {
            Some(chunk) if (chunk.permitted, chunk.not_permitted) != counts => {
                Err(NoAnswer::new("a chunk of the answer has other counts than its items"))
            }
            _ => Ok(()),
        }
    }

    async fn item(&mut self, reply: &ItemReply) -> Result<(), Failure> {
        if self.chunk.is_none() {
            return Err(NoAnswer::new("an item is answered outside of a check").into());
        }
        self.skip_unreadable().await?;
        let (number, asked) =
            self.next.take().ok_or_else(|| NoAnswer::new("there are more answers than items"))?;
        reply.believe(number, &asked, self.context).map_err(NoAnswer::new)?;
        match reply.verdict {
            Verdict::Permitted => {
                self.chunk_counts.0 += 1;
                self.total.permitted += 1;
            }
            Verdict::NotPermitted => {
                self.chunk_counts.1 += 1;
                self.total.not_permitted += 1;
            }
        }
        self.answered += 1;
        self.total.items += 1;
        self.total.reasons.extend(reply.reason_codes());
        self.bar.inc(1);
        self.spool.line(&table::answered(&asked, reply, self.json)?)
    }

    /// Takes items until one that was sent: those before could not be read, and are not permitted.
    async fn skip_unreadable(&mut self) -> Result<(), Failure> {
        while self.next.is_none() {
            let Some((number, asked)) = self.asked.recv().await else { return Ok(()) };
            self.take(number, asked)?;
        }
        Ok(())
    }

    /// An item that was sent waits for its answer; one that could not be read has it.
    fn take(&mut self, number: u64, asked: Asked) -> Result<(), Failure> {
        let Err(why) = &asked.members else {
            self.next = Some((number, asked));
            return Ok(());
        };
        self.total.items += 1;
        self.total.not_permitted += 1;
        self.bar.inc(1);
        self.spool.line(&table::unreadable(&asked, why, self.json)?)
    }

    fn end(&mut self, end: &End) -> Result<(), NoAnswer> {
        self.end_chunk()?;
        let not_permitted = end.items.checked_sub(end.permitted);
        let checks: Vec<String> = end.checks.iter().map(ToString::to_string).collect();
        if end.items != self.answered
            || end.permitted != self.total.permitted
            || not_permitted != Some(end.not_permitted)
            || checks != self.total.checks
        {
            return Err(NoAnswer::new("the closing line does not sum up the answers before it"));
        }
        Ok(())
    }

    /// Takes what is left, which may only be what was never sent.
    async fn finish(mut self, asked: u64) -> Result<Answered, Failure> {
        self.skip_unreadable().await?;
        if self.next.is_some() || self.total.items != asked {
            let (answered, asked) = (self.total.items, asked);
            return Err(NoAnswer::new(format!("{asked} items were asked and {answered} answered")).into());
        }
        if asked == 0 {
            return Err(Failure::usage("there are no items"));
        }
        self.keep.map_or(Ok(()), Keep::finish)?;
        Ok(Answered { spool: self.spool, total: self.total })
    }
}

/// Keeps the earlier of two moments.
fn earlier(kept: &mut Option<String>, told: &str) -> Result<(), NoAnswer> {
    let read = |text: &str| text.parse::<jiff::Timestamp>().ok();
    let moment = read(told).ok_or_else(|| NoAnswer::new("a moment of the answer can't be read"))?;
    if kept.as_deref().and_then(read).is_none_or(|kept| moment < kept) {
        *kept = Some(told.to_owned());
    }
    Ok(())
}
