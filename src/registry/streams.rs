//! Checks without an end: items that arrive one after the other, answered in chunks.
//!
//! Each chunk is a check of its own: at its own size of the log, journaled before its answers leave. Nothing is read
//! ahead: the next item is taken from the source only when somebody asks for the next chunk, so memory stays flat
//! however long the stream is, and a slow reader slows the sender.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use super::authority::Asker;
use super::checks::{CheckError, Checked, Context, Item, MAX_ITEMS};
use super::failure::Failure;
use super::node::Registry;
use crate::domain::ids::CheckId;

/// The most bytes of items in one chunk: a chunk of long lines is closed early.
pub const CHUNK_BYTES: usize = 16 << 20;

/// An item, and how many bytes it took on the way here.
pub type Arrived = (Item, usize);

/// A stream of checks; [`CheckStream::next`] gives one chunk after the other.
pub struct CheckStream<E> {
    registry: Registry,
    by: Asker,
    context: Context,
    source: BoxStream<'static, Result<Arrived, E>>,
    totals: Totals,
    ended: bool,
}

/// What was answered so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many items.
    pub items: u64,
    /// How many of them were permitted.
    pub permitted: u64,
    /// The checks, in order.
    pub checks: Vec<CheckId>,
}

/// Why a stream broke off. What was answered before stands.
#[derive(Debug)]
pub enum Broken<E> {
    /// The items stopped arriving.
    Source(E),
    /// A chunk was not answered.
    Check(CheckError),
    /// Whoever asks may not ask any more for the developer.
    Ended(Failure),
}

impl<E> CheckStream<E> {
    /// Answers the items of `source`, as questions of whoever asks or is asked for.
    pub fn new(
        registry: Registry,
        by: Asker,
        context: Context,
        source: BoxStream<'static, Result<Arrived, E>>,
    ) -> Self {
        Self { registry, by, context, source, totals: Totals::default(), ended: false }
    }

    /// The answers to the next chunk: 1 to [`MAX_ITEMS`] items. `None` after the last, and after an error.
    pub async fn next(&mut self) -> Option<Result<Checked, Broken<E>>> {
        if self.ended {
            return None;
        }
        let items = match self.collect().await {
            Ok(items) if items.is_empty() => return None,
            Ok(items) => items,
            Err(error) => return Some(Err(self.end(Broken::Source(error)))),
        };
        if let Err(failure) = self.by.still(&self.registry).await {
            return Some(Err(self.end(Broken::Ended(failure))));
        }
        match self.registry.check_by(&self.by, self.context.clone(), items).await {
            Ok(checked) => {
                self.totals.items += checked.items.len() as u64;
                self.totals.permitted += checked.permitted;
                self.totals.checks.push(checked.check);
                Some(Ok(checked))
            }
            Err(error) => Some(Err(self.end(Broken::Check(error)))),
        }
    }

    /// What was answered so far.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    fn end(&mut self, error: Broken<E>) -> Broken<E> {
        self.ended = true;
        error
    }

    async fn collect(&mut self) -> Result<Vec<Item>, E> {
        let (mut items, mut bytes) = (Vec::new(), 0);
        while items.len() < MAX_ITEMS && bytes < CHUNK_BYTES {
            let Some(arrived) = self.source.next().await else {
                self.ended = true;
                break;
            };
            let (item, size) = arrived?;
            bytes += size;
            items.push(item);
        }
        Ok(items)
    }
}
