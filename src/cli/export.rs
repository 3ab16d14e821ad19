//! `kyodaku export`: the logs of a registry as files, which other programs read too.

mod keep;
pub(super) mod remote;

use std::path::PathBuf;

use futures_util::{StreamExt, TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use self::keep::Keep;
use self::remote::{Remote, RemoteArgs};
use super::{Exit, Failure, Outcome, output};
use crate::log::checkpoint::{Checkpoint, claimed, verify_by_any};
use crate::log::merkle::{HASH_BYTES, TreeHead};
use crate::log::tile::{
    TILE_HEIGHT, TILE_WIDTH, TileId, TilePath, TileRef, TileSet, decode_bundle, edge_tiles,
};
use crate::registry::offline::{Piece, Source, ToldLog, Unreadable};
use crate::registry::published::LogName;

/// How many files are fetched at the same time.
const AT_ONCE: usize = 8;
/// The levels of tiles that a tree of the largest size has.
const LEVELS: u8 = 7;

/// Fetch the logs of a registry into a folder, as files in the layout of C2SP tlog-tiles
///
/// With an auditor's key the entries of the act log and of the journals too; without a key hashes, checkpoints and public keys
/// only. Run it again, and only what grew is fetched. A folder in which a file `incomplete` lies is not complete. Verify
/// it with `kyodaku verify log`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A folder that is empty, not there yet, or was exported into before
    folder: PathBuf,
    /// The server
    #[arg(long, env = "KYODAKU_URL", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    url: String,
    #[command(flatten)]
    remote: RemoteArgs,
    /// Up to the newest checkpoint of each log that a witness cosigned, instead of the newest
    #[arg(long)]
    cosigned: bool,
    /// Print what was exported as JSON
    #[arg(long)]
    json: bool,
}

impl From<Unreadable> for Failure {
    fn from(Unreadable(why): Unreadable) -> Self {
        Self::unavailable(output::plain(&why))
    }
}

/// One log, as it was exported.
#[derive(Serialize)]
struct Exported {
    log: LogName,
    size: u64,
    root: String,
    files: u64,
}

#[derive(Serialize)]
struct Summary<'a> {
    folder: String,
    entries: bool,
    logs: &'a [Exported],
}

pub(super) async fn run(args: Args) -> Outcome {
    let remote = Remote::open(&args.url, &args.remote)?;
    let keep = Keep::open(&args.folder)?;
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} of {len} files, {elapsed}") {
        bar.set_style(style);
    }
    let export = Export { remote, keep, cosigned: args.cosigned, bar };
    let exported = export.all().await;
    export.bar.finish_and_clear();
    let exported = exported?;
    if args.json {
        let entries = export.remote.has_key();
        let summary = Summary { folder: args.folder.display().to_string(), entries, logs: &exported };
        output::line(serde_json::to_string(&summary).map_err(|error| Failure::new(error.to_string()))?);
        return Ok(Exit::Done);
    }
    for Exported { log, size, root, files } in &exported {
        output::line(format_args!("log `{log}`: {size} entries, root {root}, {files} files fetched"));
    }
    if !export.remote.has_key() {
        output::say("without an auditor's key there are no entries in it, only their hashes");
    }
    Ok(Exit::Done)
}

struct Export {
    remote: Remote,
    keep: Keep,
    cosigned: bool,
    bar: ProgressBar,
}

impl Export {
    async fn all(&self) -> Result<Vec<Exported>, Failure> {
        let mut logs = self.remote.logs().await?;
        let mut exported = Vec::with_capacity(logs.len());
        // The act log first: what it seals of a journal is then in the journal, which is fetched after it.
        for told in &mut logs {
            let (head, files) = self.log(told).await?;
            told.size = head.size;
            told.root = data_encoding::BASE64.encode(head.root.as_ref());
            let log = told.log.clone();
            exported.push(Exported { log, size: head.size, root: head.root.to_string(), files });
        }
        self.keep.finish(logs)?;
        Ok(exported)
    }

    async fn log(&self, told: &ToldLog) -> Result<(TreeHead, u64), Failure> {
        let log = &told.log;
        let note = if self.cosigned {
            let none = || Failure::unavailable(format!("no witness has cosigned a checkpoint of `{log}`"));
            self.remote.cosigned(log).await?.ok_or_else(none)?
        } else {
            self.must_have(log, Piece::Newest).await?
        };
        let head = believe(told, &note)?.head();
        let before = self.keep.newest(log)?;
        if let Some(before) = before
            && (head.size < before.size || (head.size == before.size && head.root != before.root))
        {
            if self.cosigned && head.size < before.size {
                return Ok((before, 0));
            }
            return Err(self.apart(log, &note, before, head));
        }
        let mut files = self.tiles(log, head.size).await?;
        files += self.checkpoints(told, before, head.size).await?;
        if self.root(log, head.size, head.size)? != Some(head) {
            // The next run must not find them there.
            for tile in edge_tiles(head.size) {
                self.keep.forget(log, Piece::Tile(TilePath::Hashes(tile)))?;
            }
            return Err(Failure::contradiction(format!(
                "the tiles of `{log}` do not hash to the root that is signed"
            )));
        }
        if let Some(before) = before
            && self.root(log, before.size, head.size)? != Some(before)
        {
            return Err(self.apart(log, &note, before, head));
        }
        if head.size > 0 {
            // Witnesses may have answered since it was fetched.
            self.keep.write(log, Piece::Signed(head.size), &note)?;
        }
        self.keep.write(log, Piece::Newest, &note)?;
        Ok((head, files))
    }

    /// Keeps the proof that a log is not what it was.
    fn apart(&self, log: &LogName, note: &[u8], before: TreeHead, now: TreeHead) -> Failure {
        let kept = match self.keep.evidence(log, now.size, note) {
            Ok(path) => format!("the checkpoint is kept as `{}`", path.display()),
            Err(failure) => failure.message,
        };
        Failure::contradiction(format!(
            "the log `{log}` has {} entries now, signed, and they do not begin with the {} that were exported before: {kept}",
            now.size, before.size
        ))
    }

    async fn must_have(&self, log: &LogName, piece: Piece) -> Result<Vec<u8>, Failure> {
        let found = self.remote.read(log, piece).await?;
        found.ok_or_else(|| {
            Failure::contradiction(format!("the server lacks `{log}/{piece}`, which must be there"))
        })
    }

    /// Fetches every tile and bundle of a size that is not there yet.
    async fn tiles(&self, log: &LogName, size: u64) -> Result<u64, Failure> {
        let missing = pieces(size, self.remote.has_key()).filter(|piece| !self.keep.has(log, *piece));
        let fetched = stream::iter(missing).map(|piece| async move {
            self.bar.inc_length(1);
            let bytes = self.must_have(log, piece).await?;
            if !is_whole(piece, &bytes) {
                return Err(Failure::contradiction(format!(
                    "`{log}/{piece}` has not the length that it must have"
                )));
            }
            self.keep.write(log, piece, &bytes)?;
            self.bar.inc(1);
            Ok(1)
        });
        fetched.buffer_unordered(AT_ONCE).try_fold(0, async |sum, one| Ok(sum + one)).await
    }

    /// Fetches every checkpoint that is not there yet.
    async fn checkpoints(&self, told: &ToldLog, before: Option<TreeHead>, size: u64) -> Result<u64, Failure> {
        let log = &told.log;
        let sizes = self.remote.signed_after(log, before.map_or(0, |head| head.size)).await?;
        let pieces = sizes.into_iter().filter(|it| *it <= size).map(|it| (it, Piece::Signed(it)));
        let missing: Vec<(u64, Piece)> = pieces.filter(|(_, piece)| !self.keep.has(log, *piece)).collect();
        self.bar.inc_length(missing.len() as u64);
        let fetched = stream::iter(missing).map(|(size, piece)| async move {
            let note = self.must_have(log, piece).await?;
            if believe(told, &note)?.size != size {
                return Err(Failure::contradiction(format!("`{log}/{piece}` is of another size")));
            }
            self.keep.write(log, piece, &note)?;
            self.bar.inc(1);
            Ok(1)
        });
        fetched.buffer_unordered(AT_ONCE).try_fold(0, async |sum, one| Ok(sum + one)).await
    }

    /// The head at a size, from the tiles that are kept of a larger one.
    fn root(&self, log: &LogName, size: u64, whole: u64) -> Result<Option<TreeHead>, Failure> {
        let tiles =
            edge_tiles(size).into_iter().map(|TileRef { id, .. }| TileRef { id, width: id.width_at(whole) });
        let read = |tile| {
            Ok::<_, Failure>(self.keep.read(log, Piece::Tile(TilePath::Hashes(tile)))?.unwrap_or_default())
        };
        let root = TileSet::read(tiles, read)?.root(size);
        Ok(root.ok().map(|root| TreeHead { size, root }))
    }
}

/// A checkpoint that one of the log's own keys signed; where none is told of, what it claims to be.
fn believe(told: &ToldLog, note: &[u8]) -> Result<Checkpoint, Failure> {
    let keys: Vec<_> = told.keys().into_iter().map(|(key, _)| key).collect();
    let checkpoint = if keys.is_empty() { claimed(note) } else { verify_by_any(note, &keys) };
    let checkpoint = checkpoint.map_err(|error| {
        Failure::contradiction(format!("a checkpoint of `{}` is not believed: {error}", told.log))
    })?;
    if checkpoint.origin == told.name_at(checkpoint.size) {
        Ok(checkpoint)
    } else {
        Err(Failure::contradiction(format!("a checkpoint of `{}` is of another log", told.log)))
    }
}

/// Every file that a tree of this size needs, beside its checkpoints.
fn pieces(size: u64, with_entries: bool) -> impl Iterator<Item = Piece> {
    let full = (0..LEVELS).flat_map(move |level| {
        let tiles = size >> (TILE_HEIGHT * (u32::from(level) + 1));
        (0..tiles).map(move |index| TileRef { id: TileId { level, index }, width: TILE_WIDTH })
    });
    let tiles = full.chain(edge_tiles(size));
    tiles.flat_map(move |tile| {
        let TileRef { id: TileId { level, index }, width } = tile;
        let bundle = (with_entries && level == 0).then_some(TilePath::Entries { index, width });
        [Some(TilePath::Hashes(tile)), bundle].into_iter().flatten().map(Piece::Tile)
    })
}

fn is_whole(piece: Piece, bytes: &[u8]) -> bool {
    match piece {
        Piece::Tile(TilePath::Hashes(tile)) => bytes.len() == usize::from(tile.width) * HASH_BYTES,
        Piece::Tile(TilePath::Entries { width, .. }) => {
            decode_bundle(bytes).is_ok_and(|entries| entries.len() == usize::from(width))
        }
        Piece::Newest | Piece::Signed(_) => true,
    }
}
