//! How fast a registry is examined.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::stopwatch;

/// After how much work it rests: less is not worth a pause.
const WORK: Duration = Duration::from_millis(5);

/// How much of one core it may take at most: it rests in proportion to what it worked, or waited for the database.
#[derive(Debug)]
pub struct Pace {
    percent: Option<u32>,
    since: Mutex<Instant>,
}

impl Pace {
    /// As fast as it goes.
    pub fn full() -> Self {
        Self { percent: None, since: Mutex::new(stopwatch()) }
    }

    /// So many hundredths of the time, 1 to 100.
    pub fn of(percent: u32) -> Self {
        Self { percent: Some(percent.clamp(1, 100)), since: Mutex::new(stopwatch()) }
    }

    /// Lets others work, and rests if it is time to.
    pub async fn rest(&self) {
        let Some(percent) = self.percent else { return };
        let worked = self.since.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        if worked < WORK {
            return;
        }
        tokio::time::sleep(pause(worked, percent)).await;
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = stopwatch();
    }
}

/// How long to rest after so much work.
fn pause(worked: Duration, percent: u32) -> Duration {
    worked.saturating_mul(100 - percent.clamp(1, 100)) / percent.clamp(1, 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rests_in_proportion_to_what_it_worked() {
        let worked = Duration::from_millis(30);
        assert_eq!(pause(worked, 100), Duration::ZERO);
        assert_eq!(pause(worked, 50), worked);
        assert_eq!(pause(worked, 10), worked * 9);
        assert_eq!(pause(worked, 0), worked * 99);
    }
}
