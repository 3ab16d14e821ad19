//! Evidence bundles: what an inquiry lays open, gathered into one archive that proves itself.
//!
//! A bundle is of one size of the act log. For the same inquiry and size it is the same to the byte, unless a witness cosigned since,
//! or what was typed was erased. Of what goes beyond its bounds nothing is given: nothing is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use data_encoding::HEXLOWER;

use super::answer::moment;
use super::authority::{Proof, Verified};
use super::desk::{self, Filter, Read};
use super::failure::Failure;
use super::inquiries::{Inquiry, Sight};
use super::node::Registry;
use super::published::{self, LogName};
use super::receipts::{self, Logs, Of, Wanted};
use crate::domain::ids::InquiryId;
use crate::log::evidence::{
    Asked, Evidence, FormError, LogKeys, MAX_BYTES, MAX_CHECKS, MAX_ENTRIES, OpenEntry, ToldKey, TypedText,
    needed_tiles, pack,
};
use crate::log::merkle::TreeHead;
use crate::log::proof::prove_inclusion;
use crate::log::tile::{TileRef, TileSet};
use crate::store::checks::StoredCheck;
use crate::store::entries;
use crate::store::heads::ACTS;
use crate::store::payloads::{self, Payload};
use crate::store::{StoreError, log_keys, tiles};

/// What to do where it is too much.
const SPLIT: &str = "split the inquiry into several, by time, works or parties";
/// How long gathering may take.
const PATIENCE: Duration = Duration::from_secs(100);
/// How many entries or checks are looked at in one step.
const STEP: usize = 200;

/// An archive.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The size of the act log that it rests on.
    pub log_size: u64,
}

/// The evidence bundle of an inquiry, of this size of the act log; of the newest where none is said.
///
/// # Errors
/// As [`Sight::of`]; [`Failure::Absent`] for a size of which no checkpoint was signed; [`Failure::Conflict`] for more than a bundle
/// holds.
pub async fn bundle(
    registry: &Registry,
    by: &Verified,
    inquiry: InquiryId,
    size: Option<u64>,
) -> Result<Bundle, Failure> {
    let sight = Sight::of(registry, by.actor(), Some(inquiry)).await?;
    let Some(open) = sight.inquiry() else { return Err(Failure::NotFound) };
    let acts = LogName::acts();
    let published = published::head(registry, &acts).await?;
    let size = size.unwrap_or(published.size);
    if size <= open.entry() {
        let opened = open.entry();
        let why = format!(
            "a log of {size} entries does not hold the inquiry, which entry {opened} opened: ask for a larger one"
        );
        return Err(Failure::Absent(why));
    }
    published::refuse_beyond(published, size)?;
    let checkpoint = published::cosigned_note(registry, &acts, size).await?;
    let gathered = Gathering { registry, by, sight: &sight, open, size };
    let evidence = tokio::time::timeout(PATIENCE, gathered.evidence(checkpoint)).await.map_err(|_| {
        Failure::Conflict(format!("it took more than {} s to gather: {SPLIT}", PATIENCE.as_secs()))
    })??;
    let packed = tokio::task::spawn_blocking(move || evidence.files().and_then(|files| Ok(pack(&files)?)));
    let packed = packed.await.map_err(|error| Failure::Unavailable(error.to_string()))?;
    let bytes = packed.map_err(too_much)?;
    Ok(Bundle { bytes, log_size: size })
}

fn too_much(error: FormError) -> Failure {
    match error {
        FormError::Archive(_) | FormError::Many { .. } => {
            Failure::Conflict(format!("one bundle can't hold it: {error}: {SPLIT}"))
        }
        other => Failure::Unavailable(other.to_string()),
    }
}

struct Gathering<'a> {
    registry: &'a Registry,
    by: &'a Verified,
    sight: &'a Sight,
    open: &'a Inquiry,
    size: u64,
}

impl Gathering<'_> {
    async fn evidence(&self, checkpoint: String) -> Result<Evidence, Failure> {
        let read = self.entries().await?;
        let (checks, journals) = self.checks().await?;
        let sealed = checks.iter().filter_map(|asked| asked.receipt.sealed.as_ref());
        let heads = sealed.map(|sealed| size_of(&sealed.act.checkpoint)).collect::<Result<Vec<_>, _>>()?;
        let indexes = read.iter().map(|read| read.stored.index);
        let needed = needed_tiles(indexes, heads.into_iter(), self.size)?;
        let tiles = self.tiles(needed).await?;
        Ok(Evidence {
            inquiry: self.open.id(),
            checkpoint,
            keys: self.keys(&journals).await?,
            entries: self.prove(&read, &tiles)?,
            texts: self.texts(&read).await?,
            tiles,
            checks,
        })
    }

    /// The entries that the inquiry lays open, and the one that opened it.
    async fn entries(&self) -> Result<Vec<Read>, Failure> {
        let (mut found, mut next) = (Vec::new(), Some(0));
        while let Some(from) = next {
            let page = desk::look_below(self.registry, self.sight, &Filter::default(), from..self.size, STEP)
                .await?;
            found.extend(page.found);
            bounded("entries", found.len(), MAX_ENTRIES)?;
            next = page.next;
        }
        let at = self.open.entry();
        if let Err(place) = found.binary_search_by_key(&at, |read| read.stored.index) {
            let own = entries::read(self.registry.db(), ACTS, at..at + 1).await?;
            let own = desk::read(self.registry, own).await?;
            found.splice(place..place, own);
        }
        bounded("entries", found.len(), MAX_ENTRIES)?;
        Ok(found)
    }

    fn prove(&self, read: &[Read], tiles: &[(TileRef, Vec<u8>)]) -> Result<Vec<OpenEntry>, Failure> {
        let mut set = TileSet::new();
        for (tile, bytes) in tiles {
            set.insert(tile.id, bytes.clone());
        }
        let prove = |read: &Read| {
            Ok(OpenEntry {
                index: read.stored.index,
                works: read.works.clone(),
                entry: receipts::text_of(&read.stored)?,
                proof: prove_inclusion(&set, read.stored.index, self.size)?,
            })
        };
        read.iter().map(prove).collect()
    }

    async fn tiles(&self, needed: Vec<TileRef>) -> Result<Vec<(TileRef, Vec<u8>)>, Failure> {
        let mut found = Vec::with_capacity(needed.len());
        for tile in needed {
            let bytes = tiles::read_one(self.registry.db(), ACTS, tile).await?;
            let bytes = bytes.ok_or_else(|| StoreError::Corrupt(format!("the log lacks `{tile}`")))?;
            found.push((tile, bytes));
        }
        Ok(found)
    }

    async fn texts(&self, read: &[Read]) -> Result<Vec<TypedText>, Failure> {
        let mut texts = Vec::new();
        for index in read.iter().filter(|it| it.entry.payload.is_some()).map(|it| it.stored.index) {
            let found = payloads::read(self.registry.db(), index..index + 1).await?;
            let lost = || StoreError::Corrupt(format!("what was typed with entry {index} is lost"));
            let (_, payload) = found.into_iter().next().ok_or_else(lost)?;
            texts.push(match payload {
                Payload::Kept { salt, body } => {
                    TypedText::Kept { index, salt: HEXLOWER.encode(&salt), text: body }
                }
                Payload::Erased { at_ms } => TypedText::Erased { index, erased: moment(at_ms) },
            });
        }
        Ok(texts)
    }

    /// The checks that the inquiry lays open, as far as the log of this size sealed them, in the order of their ids; and their journals.
    async fn checks(&self) -> Result<(Vec<Asked>, BTreeSet<String>), Failure> {
        let (mut found, mut bytes, mut logs) = (Vec::new(), 0, Logs::new(self.registry));
        let mut journals = BTreeSet::new();
        for row in self.listed().await?.iter().rev() {
            if let Some(asked) = receipts::evidence(self.by, self.sight, &mut logs, row, self.size).await? {
                bytes += asked.about_bytes();
                bounded("checks", found.len() + 1, MAX_CHECKS)?;
                bounded("bytes", bytes, MAX_BYTES)?;
                found.push(asked);
                journals.insert(row.log.clone());
            }
        }
        Ok((found, journals))
    }

    /// The latest first.
    async fn listed(&self) -> Result<Vec<StoredCheck>, Failure> {
        let wanted = Wanted { of: Of::Developer(None), work: None, since_ms: None, until_ms: None };
        let (mut found, mut before, mut is_last) = (Vec::new(), None, false);
        while !is_last {
            let page = receipts::list(self.registry, self.by, self.sight, &wanted, before, STEP).await?;
            found.extend(page.found);
            // Those that are not sealed yet may be more than the bundle holds, and are none of it.
            bounded("checks", found.len(), 2 * MAX_CHECKS)?;
            (before, is_last) = (page.next, page.next.is_none());
        }
        Ok(found)
    }

    /// The public keys of the logs in the bundle that were there by then, by the name that each log had.
    async fn keys(&self, journals: &BTreeSet<String>) -> Result<Vec<LogKeys>, Failure> {
        let last = entries::read(self.registry.db(), ACTS, self.size - 1..self.size).await?;
        let at_ms = last.first().map_or(i64::MAX, |last| last.at_ms);
        let mut named: BTreeMap<String, Vec<ToldKey>> = BTreeMap::new();
        for log in std::iter::once(ACTS).chain(journals.iter().map(String::as_str)) {
            for key in log_keys::of_log(self.registry.db(), log).await? {
                let origin = key.verifier_key.split('+').next().unwrap_or_default().to_owned();
                if key.first_ms <= at_ms {
                    let first = moment(key.first_ms);
                    let told = ToldKey { verifier_key: key.verifier_key, first_size: key.first_size, first };
                    named.entry(origin).or_default().push(told);
                }
            }
        }
        Ok(named.into_iter().map(|(origin, keys)| LogKeys { origin, keys }).collect())
    }
}

fn bounded(what: &'static str, found: usize, most: usize) -> Result<(), Failure> {
    if found > most { Err(too_much(FormError::Many { what, found, most })) } else { Ok(()) }
}

fn size_of(note: &str) -> Result<u64, Failure> {
    let head: TreeHead = crate::log::checkpoint::claimed(note.as_bytes())
        .map_err(|error| StoreError::Corrupt(error.to_string()))?
        .head();
    Ok(head.size)
}
