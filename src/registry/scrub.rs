//! The scrub: the examination of [`fsck`](super::fsck), slowly, over and over, beside the server.
//!
//! Each node does it by itself, from what it reads of the database: nothing has to be agreed on, and a fault of one node's memory
//! or disk is found by that node. Where it stands is kept in memory alone, and a restart begins anew. What it finds takes the node out of
//! readiness, and stays until a later round no longer finds it.

use std::path::PathBuf;
use std::sync::PoisonError;
use std::time::Duration;

use super::fsck::{Asked, FsckError, Ground, Pace, Scope, examine};
use super::node::Registry;
use super::offline::{Finding, Teller};
use super::trail::Event;
use crate::log::checkpoint::CosignerKey;
use crate::store::private;

/// The name of the event that something does not hold.
const FOUND: &str = "scrubFinding";
/// How many places are remembered, each told once.
const MOST: usize = 100;
/// How long to wait after a round that could not be ended.
const RETRY: Duration = Duration::from_mins(1);

/// How it is done.
#[derive(Clone, Debug)]
pub struct ScrubSettings {
    /// How much is examined.
    pub scope: Scope,
    /// How many hundredths of a core it may take.
    pub percent: u32,
    /// How long it rests between two rounds.
    pub interval: Duration,
    /// The witnesses whose cosignatures are verified.
    pub witnesses: Vec<CosignerKey>,
}

/// What does not hold, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The places that do not hold: those of the last whole round, and those of this one.
    standing: Vec<String>,
    /// Those of this round.
    fresh: Vec<String>,
}

impl Found {
    /// Notes a place; whether it is a new one.
    fn note(&mut self, place: &str) -> bool {
        let add = |places: &mut Vec<String>| {
            let is_new = places.len() < MOST && !places.iter().any(|known| known == place);
            if is_new {
                places.push(place.to_owned());
            }
            is_new
        };
        add(&mut self.fresh);
        add(&mut self.standing)
    }

    /// A round has ended: what it did not find is mended. How many places do not hold now, and did before.
    fn end_round(&mut self) -> (usize, usize) {
        let before = std::mem::replace(&mut self.standing, std::mem::take(&mut self.fresh));
        (self.standing.len(), before.len())
    }
}

impl Registry {
    /// What the scrub found that does not hold, in words that tell nothing of what stands there; none if everything does, or nothing
    /// was examined yet.
    pub fn scrub_finding(&self) -> Option<String> {
        let found = self.found().lock().unwrap_or_else(PoisonError::into_inner);
        let first = found.standing.first()?;
        Some(match found.standing.len() {
            1 => format!("the scrub found what does not hold: {first}"),
            all => format!("the scrub found what does not hold: {first}; and {} more", all - 1),
        })
    }

    /// Examines everything again and again, for ever. It may be dropped at any point.
    pub async fn scrub(&self, settings: ScrubSettings) {
        loop {
            let pause = match self.scrub_once(&settings).await {
                Ok(()) => settings.interval,
                Err(error) => {
                    tracing::warn!(target: "kyodaku::scrub", %error, "the scrub could not end its round");
                    settings.interval.min(RETRY)
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Examines everything once.
    ///
    /// # Errors
    /// When it could not be read to its end; what was found stands, and what was found before.
    pub async fn scrub_once(&self, settings: &ScrubSettings) -> Result<(), FsckError> {
        self.found().lock().unwrap_or_else(PoisonError::into_inner).fresh.clear();
        let scratch = self.scrub_scratch();
        let refuse = |source| FsckError::Folder { path: self.scrub_scratch(), source };
        clear(&scratch).and_then(|()| private::make_folder(&scratch)).map_err(refuse)?;
        let ground = Ground::new(self.db().clone(), self.settings(), self.clock()).await?;
        let registry = self.clone();
        let asked = Asked {
            scope: settings.scope,
            witnesses: settings.witnesses.clone(),
            most: 1,
            teller: Some(Teller::new(move |finding| registry.scrub_found(finding))),
            pace: Pace::of(settings.percent),
            scratch: scratch.clone(),
        };
        let examined = examine(&ground, &asked, &|_, _| {}).await;
        // What is left of it is cleared by the next round.
        drop(clear(&scratch));
        let report = examined?;
        let now_ms = self.clock().now_ms();
        let (standing, before) = {
            let mut found = self.found().lock().unwrap_or_else(PoisonError::into_inner);
            found.end_round()
        };
        self.metrics().scrubbed(standing, now_ms);
        let entries: u64 = report.logs.iter().map(|log| log.size).sum();
        tracing::info!(target: "kyodaku::scrub", entries, findings = standing, "the scrub ended a round");
        if standing == 0 && before > 0 {
            tracing::info!(target: "kyodaku::scrub", "what did not hold holds again");
        }
        Ok(())
    }

    fn scrub_found(&self, finding: &Finding) {
        let place = finding.place();
        let (is_new, standing) = {
            let mut found = self.found().lock().unwrap_or_else(PoisonError::into_inner);
            (found.note(&place), found.standing.len())
        };
        if !is_new {
            return;
        }
        // Not what stands there: that may be a title.
        tracing::error!(target: "kyodaku::scrub", place, "what is stored does not hold: run `kyodaku fsck`");
        self.metrics().scrub_findings(standing);
        self.trail().note(Event { operation: FOUND, ..Event::default() });
    }

    /// Where the catalogue is written anew.
    fn scrub_scratch(&self) -> PathBuf {
        self.settings().data_dir.join("scrub")
    }

    /// Removes what a round that was dropped left behind.
    pub fn clear_scrub(&self) {
        if let Err(error) = clear(&self.scrub_scratch()) {
            tracing::warn!(target: "kyodaku::scrub", %error, "the folder of the scrub is left behind");
        }
    }
}

fn clear(folder: &std::path::Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_stands_until_a_whole_round_does_not_find_it() {
        let mut found = Found::default();
        assert!(found.note("a") && !found.note("a"));
        assert_eq!(found.end_round(), (1, 1));
        // The next round has not ended: both stand.
        assert!(found.note("b"));
        assert_eq!(found.standing, ["a", "b"]);
        assert_eq!(found.end_round(), (1, 2));
        assert_eq!(found.standing, ["b"]);
        assert_eq!(found.end_round(), (0, 1));
        for at in 0..2 * MOST {
            assert_eq!(found.note(&at.to_string()), at < MOST);
        }
        assert_eq!(found.end_round().0, MOST);
    }
}
