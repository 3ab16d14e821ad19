//! What is decided of a check before its window.
//!
//! Windows are written one after the other: whoever decides a thousand items in one lets all others wait. So a check of many items is decided before, from the head that is known by then; the window takes that for
//! its answer if it finds the same head, at no earlier moment, and before the one at which time alone could change it. Where
//! acts are recorded all the time the head has mostly moved, and the work is done twice.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Decided, Waiting};
use crate::clock::{Clock, stopwatch};
use crate::domain::decide::effort::ENOUGH;
use crate::log::merkle::TreeHead;
use crate::registry::checks::{Check, CheckError, MAX_ANSWER_BYTES};
use crate::registry::credential::Realm;
use crate::registry::shared::SharedIndex;

/// Checks of fewer items are decided in their window: mostly that takes no longer than to hand them over.
const MANY: usize = 32;
/// How many bytes the answers of checks may take that were decided ahead and wait for their window.
const ROOM: usize = 4 * MAX_ANSWER_BYTES;
/// In what that is counted.
const UNIT: usize = 1 << 10;

/// From what a check is answered: the log, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At {
    pub(super) head: TreeHead,
    pub(super) moment_ms: i64,
}

/// A check that was decided, and from what.
pub(super) struct Ahead {
    at: At,
    decided: Decided,
    _room: OwnedSemaphorePermit,
}

impl Ahead {
    /// The answer, if it is the same from there.
    pub(super) fn holds(self, at: At) -> Option<Decided> {
        let times = self.at.moment_ms..self.decided.valid_until_ms;
        (self.at.head == at.head && times.contains(&at.moment_ms)).then_some(self.decided)
    }
}

/// Decides ahead: twice as many checks at once as there are processors, so that each of these has something to do while a check is
/// handed from one to the other.
#[derive(Clone)]
pub(super) struct Early {
    shared: Arc<SharedIndex>,
    clock: Clock,
    turns: Arc<Semaphore>,
    room: Arc<Semaphore>,
}

impl Early {
    pub(super) fn new(shared: Arc<SharedIndex>, clock: Clock) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let of = |permits| Arc::new(Semaphore::new(permits));
        Self { shared, clock, turns: of(2 * processors), room: of(ROOM / UNIT) }
    }

    /// The check as it goes to its window. One that takes long to read is read when it has its turn.
    ///
    /// # Errors
    /// What reading gives; and as [`Check::askable`] and [`decide_all`](crate::registry::checks::decide_all).
    pub(super) async fn decide<E: Send + 'static>(
        &self,
        is_long: bool,
        read: impl FnOnce() -> Result<Check, E> + Send + 'static,
        realm: Realm,
    ) -> Result<Result<Waiting, CheckError>, E> {
        if is_long {
            return self.in_turn(read, realm).await;
        }
        Ok(match read()?.askable(realm) {
            Ok(check) if check.items.len() < MANY => Ok(Waiting { check, ahead: None }),
            Ok(check) => self.in_turn(|| Ok(check), realm).await?,
            Err(error) => Err(error),
        })
    }

    async fn in_turn<E: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<Check, E> + Send + 'static,
        realm: Realm,
    ) -> Result<Result<Waiting, CheckError>, E> {
        let Ok(turn) = Arc::clone(&self.turns).acquire_owned().await else { return Ok(Err(ended())) };
        let early = self.clone();
        let deciding = tokio::task::spawn_blocking(move || {
            let decided = read().map(|check| check.askable(realm).and_then(|check| early.decided(check)));
            // Whoever does not wait any more has its turn until the work is done.
            (decided, turn)
        });
        let (decided, turn) = match deciding.await {
            Ok(decided) => decided,
            Err(error) => return Ok(Err(CheckError::Unavailable(error.to_string()))),
        };
        Ok(match decided? {
            Ok((check, at, decided)) => self.kept(check, at, decided, turn).await,
            Err(error) => Err(error),
        })
    }

    /// The check as it is decided now.
    fn decided(&self, check: Check) -> Result<(Check, At, Decided), CheckError> {
        // The head before the time: what is published later has a later one.
        let head = self.shared.head();
        let at = At { head, moment_ms: self.clock.now_ms().max(self.shared.head_ms()) };
        let decided = Decided::of(&self.shared, at, &check, stopwatch(), ENOUGH)?;
        Ok((check, at, decided))
    }

    /// What was decided, once there is room for it: nobody else decides before.
    async fn kept(
        &self,
        check: Check,
        at: At,
        decided: Decided,
        turn: OwnedSemaphorePermit,
    ) -> Result<Waiting, CheckError> {
        let units = u32::try_from(decided.held_bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(units).await.map_err(|_| ended())?;
        drop(turn);
        Ok(Waiting { check, ahead: Some(Ahead { at, decided, _room: room }) })
    }
}

fn ended() -> CheckError {
    CheckError::Unavailable("the program ends".to_owned())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::domain::ids::OrgId;
    use crate::domain::journal::ContextRecord;
    use crate::log::merkle::{EMPTY_ROOT, leaf_hash};
    use crate::registry::checks::Codes;
    use crate::registry::checks::{Context, Item};
    use crate::store::high_water::HighWater;

    fn decided(at: At, valid_until_ms: i64) -> Ahead {
        let context = ContextRecord { uses: Vec::new(), model: None, territory: None, with_parts: false };
        let decided = Decided {
            developer: OrgId::new(uuid::Uuid::from_u128(1)),
            asked_by: None,
            context,
            items: Vec::new(),
            codes: Codes::default(),
            json: bytes::Bytes::new(),
            held_bytes: 0,
            permitted: 0,
            valid_until_ms,
            salt: [0; 16],
            items_root: EMPTY_ROOT,
            chunks: Vec::new(),
        };
        let room = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        Ahead { at, decided, _room: room }
    }

    async fn early(folder: &std::path::Path) -> Early {
        let marks = HighWater::open(folder, "one").await.unwrap();
        Early::new(Arc::new(SharedIndex::new(marks)), Clock::manual(1_700_000_000_000))
    }

    fn check(items: usize) -> Check {
        let item = Item { reference: None, question: Err("no URL".to_owned()) };
        let context = Context { uses: Vec::new(), model: None, territory: None, with_parts: false };
        let developer = OrgId::new(uuid::Uuid::from_u128(1));
        Check { developer, asked_by: None, context, items: vec![item; items] }
    }

    #[tokio::test]
    async fn answers_that_wait_take_no_more_room_than_there_is() {
        let folder = tempfile::tempdir().unwrap();
        let early = early(folder.path()).await;
        let decide = async |early: Early| {
            early.decide(false, || Ok::<_, Infallible>(check(MANY)), Realm::Live).await.unwrap().unwrap()
        };
        let first = decide(early.clone()).await;
        assert!(first.ahead.is_some());
        let left = early.room.available_permits();
        assert!(left < ROOM / UNIT);
        let rest = early.room.acquire_many(u32::try_from(left).unwrap()).await.unwrap();
        // Who was decided keeps its turn as long as there is no room for its answer: nobody else begins.
        let all = early.turns.available_permits() + 1;
        let others: Vec<_> = (0..all)
            .map(|_| {
                let early = early.clone();
                tokio::spawn(async move { drop(decide(early).await) })
            })
            .collect();
        while early.turns.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..100 {
            tokio::task::spawn_blocking(|| ()).await.unwrap();
        }
        assert_eq!(early.turns.available_permits(), 0);
        drop((first, rest));
        for one in others {
            one.await.unwrap();
        }
        assert_eq!(early.room.available_permits(), ROOM / UNIT);
    }

    #[test]
    fn what_was_decided_holds_for_the_same_log_until_time_alone_could_change_it() {
        let head = TreeHead { size: 7, root: leaf_hash(b"seven") };
        let at = At { head, moment_ms: 100 };
        for (moment_ms, holds) in [(99, false), (100, true), (199, true), (200, false), (i64::MAX, false)] {
            let later = At { moment_ms, ..at };
            assert_eq!(decided(at, 200).holds(later).is_some(), holds, "{moment_ms}");
        }
        assert!(decided(at, i64::MAX).holds(At { moment_ms: i64::MAX - 1, ..at }).is_some());
        let longer = TreeHead { size: 8, root: leaf_hash(b"eight") };
        let another = TreeHead { size: 7, root: leaf_hash(b"another") };
        for other in [longer, another, TreeHead::EMPTY] {
            assert!(decided(at, 200).holds(At { head: other, ..at }).is_none(), "{other:?}");
        }
    }
}
