//! The trail of what concerns security: sign-ins, refusals, keys, and what the registrar and auditors looked at.
//!
//! It stands apart from the act log, and is deleted in time: it holds addresses of networks, which are personal data, and no
//! decision rests on it. What must be on it is written before it is answered; refusals, which anybody can cause, are written when
//! there is time, and counted where there is none.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use super::accounts::manages;
use super::answer::moment;
use super::authority::{Proof, Roles, Verified};
use super::failure::Failure;
use super::limit::Limiter;
use super::metrics::Metrics;
use super::node::Registry;
use crate::clock::Clock;
use crate::domain::ids::{EventId, InquiryId, OrgId, PersonId};
use crate::store::events::{self, SecurityEvent};
use crate::store::{Db, StoreError};

/// The most events that wait to be written.
const QUEUE: usize = 4_096;
/// The most that are written at once.
const BATCH: usize = 256;
/// How many refusals of one organization, or of all who are nobody, are written at once, and then one in every so long: nobody
/// fills the disk by being refused. The others are counted.
const NOTED: (u32, Duration) = (1_000, Duration::from_secs(1));
/// For how long they are kept: 400 days, so that a year can be compared with the one before.
const KEPT_MS: i64 = 400 * 24 * 60 * 60 * 1_000;
/// How many are deleted in one step, and in how many steps at a time.
const PURGED: u32 = 2_000;
const PURGES: u32 = 200;
/// The name of the event that stands for those that were not written.
const LOST: &str = "eventsLost";

/// Something that happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// What was called: the id of the operation.
    pub operation: &'static str,
    /// The HTTP status of the answer.
    pub status: u16,
    /// The organization, if it is known.
    pub org: Option<OrgId>,
    /// The person, if it is known.
    pub person: Option<PersonId>,
    /// The id of the key or session.
    pub credential: Option<String>,
    /// From where.
    pub peer: Option<IpAddr>,
    /// The id of the request.
    pub request: Option<String>,
    /// The inquiry under which it was read.
    pub inquiry: Option<InquiryId>,
}

struct Job {
    row: SecurityEvent,
    written: Option<oneshot::Sender<bool>>,
}

/// The entrance; cloning shares it.
#[derive(Clone)]
pub struct Trail {
    queue: mpsc::Sender<Job>,
    lost: Arc<AtomicI64>,
    clock: Clock,
    metrics: Arc<Metrics>,
    noted: Arc<Limiter<Option<OrgId>>>,
}

impl Trail {
    pub(super) fn start(db: Db, clock: Clock, metrics: Arc<Metrics>) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let noted = Arc::new(Limiter::new(&clock, NOTED.0, NOTED.1));
        let trail = Self { queue, lost: Arc::default(), clock, metrics, noted };
        tokio::spawn(write_all(db, jobs, trail.written()));
        trail
    }

    /// What the task needs; not the entrance, whose end it waits for.
    fn written(&self) -> Written {
        let Self { lost, clock, metrics, .. } = self.clone();
        Written { lost, clock, metrics }
    }

    /// How many events wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue.max_capacity().saturating_sub(self.queue.capacity())
    }

    /// Why no event is written any more, where the task has ended.
    pub(super) fn stopped(&self) -> Option<&'static str> {
        self.queue.is_closed().then_some("the trail of security events has stopped")
    }

    /// Writes it when there is time.
    pub fn note(&self, event: Event) {
        let is_one_too_many = self.noted.count(&event.org).is_err();
        let job = Job { row: self.row(event), written: None };
        if is_one_too_many || self.queue.try_send(job).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
            self.metrics.lost_events(1);
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// [`Failure::Unavailable`]: what it is about is not to be answered.
    pub async fn record(&self, event: Event) -> Result<(), Failure> {
        let (written, is_written) = oneshot::channel();
        let job = Job { row: self.row(event), written: Some(written) };
        let sent = self.queue.send(job).await;
        if sent.is_ok() && is_written.await.unwrap_or(false) {
            return Ok(());
        }
        Err(Failure::Unavailable("the trail of security events can't be written".to_owned()))
    }

    fn row(&self, event: Event) -> SecurityEvent {
        SecurityEvent {
            id: EventId::new(self.clock.new_uuid()).to_string(),
            at_ms: self.clock.now_ms(),
            operation: event.operation.to_owned(),
            status: i64::from(event.status),
            org: event.org.map(|org| org.to_string()),
            person: event.person.map(|person| person.to_string()),
            credential: event.credential,
            peer: event.peer.map(|peer| peer.to_string()),
            request: event.request,
            lost: None,
            inquiry: event.inquiry.map(|inquiry| inquiry.to_string()),
        }
    }
}

/// What the task that writes needs.
struct Written {
    lost: Arc<AtomicI64>,
    clock: Clock,
    metrics: Arc<Metrics>,
}

async fn write_all(db: Db, mut jobs: mpsc::Receiver<Job>, of: Written) {
    let Written { lost, clock, metrics } = of;
    let mut batch = Vec::with_capacity(BATCH);
    while jobs.recv_many(&mut batch, BATCH).await > 0 {
        let missed = lost.swap(0, Ordering::Relaxed);
        let written = write(&db, &batch, missed, &clock).await;
        if let Err(error) = &written {
            tracing::error!(target: "kyodaku::trail", %error, events = batch.len(), "security events were not written");
            let noted = batch.iter().filter(|job| job.written.is_none()).count();
            metrics.lost_events(noted as u64);
            lost.fetch_add(
                missed.saturating_add(i64::try_from(noted).unwrap_or(i64::MAX)),
                Ordering::Relaxed,
            );
        }
        for told in batch.drain(..).filter_map(|job| job.written) {
            // Whoever asked may be gone.
            let _ = told.send(written.is_ok());
        }
    }
}

async fn write(db: &Db, batch: &[Job], missed: i64, clock: &Clock) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    if missed > 0 {
        let event = SecurityEvent {
            id: EventId::new(clock.new_uuid()).to_string(),
            at_ms: clock.now_ms(),
            operation: LOST.to_owned(),
            status: 0,
            org: None,
            person: None,
            credential: None,
            peer: None,
            request: None,
            lost: Some(missed),
            inquiry: None,
        };
        events::insert(&mut tx, &event).await?;
    }
    for job in batch {
        events::insert(&mut tx, &job.row).await?;
    }
    tx.commit().await
}

/// An event as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventView {
    /// Its id.
    pub event: String,
    /// When.
    pub at: String,
    /// The id of the operation; `eventsLost` for events that were not written.
    pub operation: String,
    /// The HTTP status of the answer.
    pub status: i64,
    /// The organization, if it is known.
    pub organization: Option<String>,
    /// The person, if it is known.
    pub person: Option<String>,
    /// The key or session.
    pub credential: Option<String>,
    /// From where.
    pub peer: Option<String>,
    /// The id of the request.
    pub request_id: Option<String>,
    /// How many events were not written.
    pub lost: Option<i64>,
    /// The inquiry under which it was read.
    pub inquiry: Option<String>,
}

impl From<SecurityEvent> for EventView {
    fn from(row: SecurityEvent) -> Self {
        Self {
            event: row.id,
            at: moment(row.at_ms),
            operation: row.operation,
            status: row.status,
            organization: row.org,
            person: row.person,
            credential: row.credential,
            peer: row.peer,
            request_id: row.request,
            lost: row.lost,
            inquiry: row.inquiry,
        }
    }
}

/// The events of an organization, the latest first, for its admins and the registrar; the registrar sees all where it names none.
pub async fn list(
    registry: &Registry,
    by: &Verified,
    org: Option<OrgId>,
    before: Option<&str>,
    limit: u32,
) -> Result<Vec<EventView>, Failure> {
    let actor = by.actor();
    let sees_all = org.is_none() && actor.roles().meets(Roles::REGISTRAR);
    let org = org.unwrap_or(actor.org());
    manages(actor, org)?;
    let org = (!sees_all).then(|| org.to_string());
    let rows = events::list(registry.db(), org.as_deref(), before, limit).await?;
    Ok(rows.into_iter().map(EventView::from).collect())
}

impl Registry {
    /// Deletes events older than 400 days; how many.
    ///
    /// In small steps: whoever writes gets its turn between them.
    pub async fn purge_events(&self) -> Result<u64, StoreError> {
        let before_ms = u64::try_from(self.clock().now_ms().saturating_sub(KEPT_MS)).unwrap_or(0);
        let before = uuid::Builder::from_unix_timestamp_millis(before_ms, &[0; 10]).into_uuid();
        let (before, mut purged) = (EventId::new(before).to_string(), 0);
        for _ in 0..PURGES {
            let mut tx = self.db().begin().await?;
            let some = events::purge(&mut tx, &before, PURGED).await?;
            tx.commit().await?;
            purged += some;
            if some < u64::from(PURGED) {
                break;
            }
        }
        Ok(purged)
    }
}
