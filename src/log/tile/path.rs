//! The paths under which tiles are published: `tile/0/x001/067.p/5`, `tile/entries/x001/067`.

use std::fmt;
use std::str::FromStr;

use super::{TILE_WIDTH, TileId, TileRef};

/// The longest path that can be right: 20 digits of index in groups of three.
const MAX_PATH_BYTES: usize = 64;

/// The highest level the format knows.
const MAX_LEVEL: u8 = 63;

/// A published path: a tile of hashes, or a bundle of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TilePath {
    /// `tile/<level>/<index>[.p/<width>]`
    Hashes(TileRef),
    /// `tile/entries/<index>[.p/<width>]`
    Entries {
        /// The bundle's number, counted from 0.
        index: u64,
        /// How many entries: 1 to 256.
        width: u16,
    },
}

/// Text that is not exactly the path of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the path of a tile: `tile/<level or entries>/<index in groups of three>[.p/<width>]`")]
pub struct PathError;

/// The path of an entry bundle; `width` 256 is the full one.
pub fn entries_path(index: u64, width: u16) -> String {
    TilePath::Entries { index, width }.to_string()
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Hashes(tile) => tile.fmt(f),
            Self::Entries { index, width } => {
                f.write_str("tile/entries/")?;
                write_index(f, index, width)
            }
        }
    }
}

impl fmt::Display for TileRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/", self.id.level)?;
        write_index(f, self.id.index, self.width)
    }
}

fn write_index(f: &mut fmt::Formatter<'_>, index: u64, width: u16) -> fmt::Result {
    // u64::MAX has 20 digits: seven groups.
    for group in (1..7).rev() {
        let left = index / 1000_u64.pow(group);
        if left > 0 {
            write!(f, "x{:03}/", left % 1000)?;
        }
    }
    write!(f, "{:03}", index % 1000)?;
    if width < TILE_WIDTH {
        write!(f, ".p/{width}")?;
    }
    Ok(())
}

impl FromStr for TilePath {
    type Err = PathError;

    fn from_str(path: &str) -> Result<Self, PathError> {
        if path.len() > MAX_PATH_BYTES {
            return Err(PathError);
        }
        let (kind, rest) =
            path.strip_prefix("tile/").and_then(|rest| rest.split_once('/')).ok_or(PathError)?;
        let (groups, width) = match rest.split_once(".p/") {
            Some((groups, width)) => (groups, width.parse().map_err(|_| PathError)?),
            None => (rest, TILE_WIDTH),
        };
        let index = groups.split('/').try_fold(0_u64, |index, group| {
            let digits = group.strip_prefix('x').unwrap_or(group);
            let group = digits.parse::<u64>().ok().filter(|group| *group < 1000)?;
            index.checked_mul(1000)?.checked_add(group)
        });
        let index = index.ok_or(PathError)?;
        let parsed = if kind == "entries" {
            Self::Entries { index, width }
        } else {
            let level = kind.parse().ok().filter(|level| *level <= MAX_LEVEL).ok_or(PathError)?;
            Self::Hashes(TileRef { id: TileId { level, index }, width })
        };
        // Signs, leading zeros, wrong groups, a width of 0 or 256 in `.p`: whatever is not written so is refused.
        if width == 0 || parsed.to_string() != path { Err(PathError) } else { Ok(parsed) }
    }
}
