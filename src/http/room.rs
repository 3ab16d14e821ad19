//! Room for what is in flight: bodies on their way in, and long answers on their way out. There is only so much of it;
//! whoever finds none is told to come again.

use std::sync::Arc;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_LENGTH;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::Problem;

/// In what pieces it is given, in bytes.
const UNIT: usize = 1_024;
/// What is no longer than this needs none: whoever fills the room must not keep the others from asking short questions, and
/// there are no more of them than requests.
const SHORT: usize = 65_536;
/// How much there is where nobody said otherwise, in MiB.
pub(super) const DEFAULT_MIB: usize = 512;

/// The room of one process; cloning shares it.
#[derive(Clone, Debug)]
pub(super) struct Room(Arc<Semaphore>);

/// A part of the room. Dropped, it is free again.
pub(super) struct Held {
    room: Room,
    permit: Option<OwnedSemaphorePermit>,
}

/// Bytes that keep their room as long as anybody has a part of them.
struct Kept(Bytes, #[expect(dead_code, reason = "held as long as the bytes are there")] Arc<Held>);

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Room {
    /// So many MiB.
    pub(super) fn of_mib(mib: usize) -> Self {
        let units = mib.saturating_mul(1_024 * 1_024 / UNIT).min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Semaphore::new(units)))
    }

    /// A part of it, which is nothing yet.
    pub(super) fn part(&self) -> Held {
        Held { room: self.clone(), permit: None }
    }

    /// Keeps room for a long answer until it is taken, or answers that there is none.
    pub(super) fn keep(&self, mut response: Response) -> Response {
        let bytes = response.body().size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
        let Some(bytes) = bytes.filter(|bytes| *bytes > SHORT) else { return response };
        let mut held = self.part();
        if let Err(problem) = held.grow_to(bytes) {
            return problem.into_response();
        }
        let held = Arc::new(held);
        // The body below no longer tells how long it is.
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(bytes));
        response.map(|body| {
            Body::new(body.map_frame(move |frame| {
                frame.map_data(|data| Bytes::from_owner(Kept(data, Arc::clone(&held))))
            }))
        })
    }
}

impl Held {
    /// Makes it at least this many bytes.
    ///
    /// # Errors
    /// There is not so much room now.
    pub(super) fn grow_to(&mut self, bytes: usize) -> Result<(), Problem> {
        if bytes <= SHORT {
            return Ok(());
        }
        let units = bytes.div_ceil(UNIT);
        let missing = units.saturating_sub(self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits));
        if missing == 0 {
            return Ok(());
        }
        let more = u32::try_from(missing).ok().and_then(|missing| {
            let room = Arc::clone(&self.room.0);
            room.try_acquire_many_owned(missing).ok()
        });
        let more = more.ok_or_else(|| {
            Problem::unavailable(1)
                .detail("too much is on its way in and out: come again, or send less at once")
        })?;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }

    /// These bytes, which keep it.
    pub(super) fn keep(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Kept(bytes, Arc::new(self)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_only_so_much_and_what_is_dropped_is_free_again() {
        let room = Room::of_mib(1);
        let mut one = room.part();
        one.grow_to(1_000_000).unwrap();
        one.grow_to(500_000).unwrap();
        assert!(room.part().grow_to(100_000).is_err());
        let mut small = room.part();
        small.grow_to(40_000).unwrap();
        // What a part of the bytes is still used for keeps the whole room.
        let bytes = one.keep(Bytes::from(vec![7; 1_000_000]));
        let slice = bytes.slice(..10);
        drop(bytes);
        assert!(room.part().grow_to(100_000).is_err());
        assert_eq!(slice.as_ref(), [7; 10]);
        drop(slice);
        room.part().grow_to(1_000_000).unwrap();
    }

    #[tokio::test]
    async fn a_long_answer_needs_room_until_it_is_taken_and_a_short_one_none() {
        let room = Room::of_mib(1);
        let answer = |bytes: usize| Response::new(Body::from(vec![b'x'; bytes]));
        let first = room.keep(answer(900_000));
        assert_eq!(
            (first.status().as_u16(), &first.headers()["content-length"]),
            (200, &"900000".parse().unwrap())
        );
        let second = room.keep(answer(200_000));
        assert_eq!(
            (second.status().as_u16(), &second.headers()["retry-after"]),
            (503, &"1".parse().unwrap())
        );
        assert_eq!(room.keep(answer(60_000)).status(), 200);
        let taken = axum::body::to_bytes(first.into_body(), 1 << 20).await.unwrap();
        assert_eq!(room.keep(answer(200_000)).status(), 503);
        assert_eq!(taken.len(), 900_000);
        drop(taken);
        assert_eq!(room.keep(answer(200_000)).status(), 200);
    }
}
