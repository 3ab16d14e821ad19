//! Figures of this process, for Prometheus: what it answers, how long that takes, what waits.
//!
//! No label names an organization, a person or a work, and each has few values: routes are templates, not paths.

use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry as Collection, Unit};

use super::checks::{CheckError, Checked};
use super::node::Registry;
use super::sequencer::{SubmitError, Submitted};

/// The media type of [`Metrics::text`] (`OpenMetrics` 1.0).
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Bounds of times, in seconds.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// What was asked, and how it was answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    method: String,
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Verdict {
    verdict: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Queue {
    queue: Word,
}

/// A word of the program's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Word(&'static str);

impl EncodeLabelValue for Word {
    fn encode(
        &self,
        encoder: &mut prometheus_client::encoding::LabelValueEncoder<'_>,
    ) -> Result<(), std::fmt::Error> {
        self.0.encode(encoder)
    }
}

/// The figures of one process.
#[derive(Debug)]
pub struct Metrics {
    collection: Collection,
    requests: Family<Answer, Counter>,
    request_s: Family<Route, Histogram, fn() -> Histogram>,
    items: Family<Verdict, Counter>,
    checks: Family<Outcome, Counter>,
    check_s: Histogram,
    commands: Family<Outcome, Counter>,
    command_s: Histogram,
    log_entries: Gauge,
    waiting: Family<Queue, Gauge>,
    events_lost: Counter,
    turned_away: Counter,
    memory_bytes: Gauge,
    scrub_findings: Gauge,
    scrub_rounds: Counter,
    scrub_ended_s: Gauge,
}

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut metrics = Self {
            collection: Collection::with_prefix("kyodaku"),
            requests: Family::default(),
            request_s: Family::new_with_constructor(seconds),
            items: Family::default(),
            checks: Family::default(),
            check_s: seconds(),
            commands: Family::default(),
            command_s: seconds(),
            log_entries: Gauge::default(),
            waiting: Family::default(),
            events_lost: Counter::default(),
            turned_away: Counter::default(),
            memory_bytes: Gauge::default(),
            scrub_findings: Gauge::default(),
            scrub_rounds: Counter::default(),
            scrub_ended_s: Gauge::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let all = &mut self.collection;
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        all.register("build", "The program", build);
        all.register("http_requests", "Requests answered", self.requests.clone());
        all.register_with_unit(
            "http_request_duration",
            "Until the head of the answer",
            Unit::Seconds,
            self.request_s.clone(),
        );
        all.register("check_items", "Items answered, each with its verdict", self.items.clone());
        all.register("checks", "Checks, and whether they were answered", self.checks.clone());
        all.register_with_unit(
            "check_duration",
            "From the queue to a durable answer",
            Unit::Seconds,
            self.check_s.clone(),
        );
        all.register("commands", "Commands, and what became of them", self.commands.clone());
        all.register_with_unit(
            "command_duration",
            "From the queue to a durable record",
            Unit::Seconds,
            self.command_s.clone(),
        );
        all.register(
            "log_entries",
            "Entries of the act log that this node has folded",
            self.log_entries.clone(),
        );
        all.register("queue_waiting", "What waits", self.waiting.clone());
        all.register(
            "security_events_lost",
            "Security events that were not written",
            self.events_lost.clone(),
        );
        all.register(
            "connections_turned_away",
            "Connections closed at once, of networks that had as many as they may",
            self.turned_away.clone(),
        );
        all.register_with_unit(
            "resident_memory",
            "Memory of the process",
            Unit::Bytes,
            self.memory_bytes.clone(),
        );
        self.register_scrub();
    }

    fn register_scrub(&mut self) {
        let all = &mut self.collection;
        all.register("scrub_findings", "Places that do not hold", self.scrub_findings.clone());
        all.register("scrub_rounds", "Rounds that the scrub ended", self.scrub_rounds.clone());
        all.register_with_unit(
            "scrub_ended",
            "When the last round ended, since 1970",
            Unit::Seconds,
            self.scrub_ended_s.clone(),
        );
    }

    /// A request was answered.
    pub fn answered(&self, method: &str, route: &str, status: u16, took: Duration) {
        let (method, route) = (method.to_owned(), route.to_owned());
        let place = Route { method: method.clone(), route: route.clone() };
        self.request_s.get_or_create(&place).observe(took.as_secs_f64());
        self.requests.get_or_create(&Answer { method, route, status }).inc();
    }

    pub(super) fn checked(&self, answer: &Result<Checked, CheckError>, took: Duration) {
        self.check_s.observe(took.as_secs_f64());
        let outcome = match answer {
            Ok(checked) => {
                let all = checked.items.len() as u64;
                for (verdict, items) in [
                    ("permitted", checked.permitted),
                    ("not_permitted", all.saturating_sub(checked.permitted)),
                ] {
                    self.items.get_or_create(&Verdict { verdict: Word(verdict) }).inc_by(items);
                }
                "answered"
            }
            Err(CheckError::Busy) => "busy",
            Err(CheckError::Size | CheckError::TooMuch) => "refused",
            Err(CheckError::Unavailable(_)) => "failed",
        };
        self.checks.get_or_create(&Outcome { outcome: Word(outcome) }).inc();
    }

    pub(super) fn submitted(&self, answer: &Result<Submitted, SubmitError>, took: Duration) {
        self.command_s.observe(took.as_secs_f64());
        let outcome = match answer {
            Ok(Submitted { recorded: Some(_), .. }) => "recorded",
            Ok(_) => "repeated",
            Err(SubmitError::Refused(_) | SubmitError::KeyReused | SubmitError::Changed(_)) => "refused",
            Err(SubmitError::Busy) => "busy",
            Err(SubmitError::Clock | SubmitError::Unavailable(_)) => "failed",
        };
        self.commands.get_or_create(&Outcome { outcome: Word(outcome) }).inc();
    }

    /// Security events were not written.
    pub(super) fn lost_events(&self, events: u64) {
        self.events_lost.inc_by(events);
    }

    /// A connection was closed at once: its network had as many as it may.
    pub fn turned_away(&self) {
        self.turned_away.inc();
    }

    /// So many places do not hold.
    pub(super) fn scrub_findings(&self, places: usize) {
        self.scrub_findings.set(signed(places as u64));
    }

    /// The scrub ended a round, with so many places that do not hold.
    pub(super) fn scrubbed(&self, places: usize, now_ms: i64) {
        self.scrub_findings(places);
        self.scrub_rounds.inc();
        self.scrub_ended_s.set(now_ms / 1_000);
    }

    /// All figures, as of now.
    pub fn text(&self, of: &Registry) -> Result<String, std::fmt::Error> {
        self.log_entries.set(signed(of.shared().published()));
        for (queue, waiting) in of.queues() {
            self.waiting.get_or_create(&Queue { queue: Word(queue) }).set(signed(waiting as u64));
        }
        self.memory_bytes.set(resident_bytes().unwrap_or(0));
        let mut text = String::new();
        encode(&mut text, &self.collection)?;
        Ok(text)
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The memory of this process, where the operating system tells (Linux).
fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: i64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib.saturating_mul(1_024))
}
