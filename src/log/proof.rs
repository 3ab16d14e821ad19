//! Proofs of RFC 9162 section 2.1: that an entry is in the tree, and that a tree continues an earlier one.
//!
//! Making a proof takes two steps, since a store reads asynchronously: [`inclusion_tiles`] or [`consistency_tiles`]
//! name the few tiles to read (at most two a level), and [`prove_inclusion`] or [`prove_consistency`] compute from
//! them. The verifiers take size and root from the caller, who has them from a verified checkpoint, and never from
//! what came with the proof.

use super::merkle::{EMPTY_ROOT, Hash, MAX_SIZE, TreeHead, join, leaf_hash, node_hash};
use super::tile::{TILE_HEIGHT, TILE_WIDTH, TileError, TileId, TileRef, TileSet, perfect_root};

mod file;

pub use file::{ProofFile, ProofFileError};

/// Why a proof cannot be made, or does not prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// There is no such leaf.
    #[error("there is no entry {index} in a tree of {size} entries")]
    NoSuchLeaf {
        /// The index asked for.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
    /// The tree that should be the earlier one is larger.
    #[error("a tree of {new} entries cannot continue one of {old}")]
    Shrunk {
        /// The size of the tree that should be earlier.
        old: u64,
        /// The size of the tree that should be later.
        new: u64,
    },
    /// A tree larger than 2^53 leaves.
    #[error("a tree of {0} entries is beyond 2^53")]
    TooLarge(u64),
    /// A tile is missing.
    #[error(transparent)]
    Tile(#[from] TileError),
    /// The proof has more or fewer hashes than the sizes need.
    #[error("the proof has {found} hashes, which is not the number these sizes need")]
    Length {
        /// How many it has.
        found: usize,
    },
    /// The proof leads to another root.
    #[error("the proof does not lead to the root `{0}`")]
    Root(Hash),
}

/// A run of leaves `[from, until)` whose root is one hash of a proof.
#[derive(Clone, Copy)]
struct Span {
    from: u64,
    until: u64,
}

impl Span {
    /// The complete subtrees that make up the run, left to right, as height and index at that height.
    fn subtrees(self) -> impl DoubleEndedIterator<Item = (u32, u64)> {
        let mut from = self.from;
        let mut subtrees = Vec::new();
        while let Some(height) = self.until.saturating_sub(from).checked_ilog2() {
            subtrees.push((height, from >> height));
            from += 1 << height;
        }
        subtrees.into_iter()
    }

    /// Where RFC 9162 splits the run: after the largest power of two below its length. None for a single leaf.
    fn split(self) -> Option<u64> {
        let last = (self.until - self.from).checked_sub(1)?;
        Some(self.from + (1 << last.checked_ilog2()?))
    }
}

/// PATH of RFC 9162 section 2.1.3.1, from the leaf upwards.
fn inclusion_spans(index: u64, size: u64) -> Result<Vec<Span>, ProofError> {
    if size > MAX_SIZE {
        return Err(ProofError::TooLarge(size));
    }
    if index >= size {
        return Err(ProofError::NoSuchLeaf { index, size });
    }
    let mut tree = Span { from: 0, until: size };
    let mut spans = Vec::new();
    while let Some(middle) = tree.split() {
        let (left, right) = (Span { until: middle, ..tree }, Span { from: middle, ..tree });
        let (inside, beside) = if index < middle { (left, right) } else { (right, left) };
        spans.push(beside);
        tree = inside;
    }
    spans.reverse();
    Ok(spans)
}

/// PROOF of RFC 9162 section 2.1.4.1, in its order. Empty for an old tree of size 0 and for equal sizes.
fn consistency_spans(old: u64, new: u64) -> Result<Vec<Span>, ProofError> {
    if new > MAX_SIZE {
        return Err(ProofError::TooLarge(new));
    }
    if old > new {
        return Err(ProofError::Shrunk { old, new });
    }
    let mut tree = Span { from: 0, until: new };
    let mut spans = Vec::new();
    while old > 0 && tree.until != old {
        let Some(middle) = tree.split() else { break };
        let (left, right) = (Span { until: middle, ..tree }, Span { from: middle, ..tree });
        let (inside, beside) = if old <= middle { (left, right) } else { (right, left) };
        spans.push(beside);
        tree = inside;
    }
    // The verifier knows the old root: it is left out where it is itself a node of the new tree.
    if tree.from > 0 {
        spans.push(tree);
    }
    spans.reverse();
    Ok(spans)
}

/// The tile, at its width in a tree of `size` leaves, that holds the hashes below a complete subtree, and where.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a tree has at most 8 levels of tiles, and a place in a tile is below 256"
)]
fn tile_of(height: u32, index: u64, size: u64) -> (TileRef, std::ops::Range<usize>) {
    let (level, within) = (height / TILE_HEIGHT, height % TILE_HEIGHT);
    let first = index << within;
    let id = TileId { level: level as u8, index: first >> TILE_HEIGHT };
    let start = (first % u64::from(TILE_WIDTH)) as usize;
    (TileRef { id, width: id.width_at(size) }, start..start + (1 << within))
}

fn tiles_of(spans: &[Span], size: u64) -> Vec<TileRef> {
    let subtrees = spans.iter().flat_map(|span| span.subtrees());
    let mut tiles: Vec<TileRef> = subtrees.map(|(height, index)| tile_of(height, index, size).0).collect();
    tiles.sort_unstable();
    tiles.dedup();
    tiles
}

fn hashes_of(tiles: &TileSet, spans: &[Span], size: u64) -> Result<Vec<Hash>, ProofError> {
    let root = |(height, index)| {
        let (tile, range) = tile_of(height, index, size);
        let missing = TileError::Missing(tile);
        tiles.hashes(tile)?.get(range).and_then(perfect_root).ok_or(missing)
    };
    spans
        .iter()
        .map(|span| {
            let roots: Vec<Hash> = span.subtrees().map(root).collect::<Result<_, _>>()?;
            Ok(join(roots.into_iter()).unwrap_or(EMPTY_ROOT))
        })
        .collect()
}

/// The tiles that [`prove_inclusion`] needs, each once, with their widths in a tree of `size` leaves.
pub fn inclusion_tiles(index: u64, size: u64) -> Result<Vec<TileRef>, ProofError> {
    Ok(tiles_of(&inclusion_spans(index, size)?, size))
}

/// The hashes that lead from the leaf at `index` to the root of the tree of `size` leaves, the leaf's sibling first.
pub fn prove_inclusion(tiles: &TileSet, index: u64, size: u64) -> Result<Vec<Hash>, ProofError> {
    hashes_of(tiles, &inclusion_spans(index, size)?, size)
}

/// The tiles that [`prove_consistency`] needs, each once, with their widths in a tree of `new` leaves.
pub fn consistency_tiles(old: u64, new: u64) -> Result<Vec<TileRef>, ProofError> {
    Ok(tiles_of(&consistency_spans(old, new)?, new))
}

/// The hashes that show that the tree of `new` leaves begins with the tree of `old` leaves.
pub fn prove_consistency(tiles: &TileSet, old: u64, new: u64) -> Result<Vec<Hash>, ProofError> {
    hashes_of(tiles, &consistency_spans(old, new)?, new)
}

/// Moves both indexes up to where the next hash of a proof comes from the left.
fn skip_left_edges(node: &mut u64, last: &mut u64) {
    while *node != 0 && *node & 1 == 0 {
        *node >>= 1;
        *last >>= 1;
    }
}

/// Verifies that `leaf` (a leaf hash) stands at `index` in the tree of `head` (RFC 9162 section 2.1.3.2).
///
/// # Errors
/// For any index, leaf, missing, additional or altered hash with which the proof does not hold.
pub fn verify_inclusion(head: TreeHead, index: u64, leaf: Hash, proof: &[Hash]) -> Result<(), ProofError> {
    if head.size > MAX_SIZE {
        return Err(ProofError::TooLarge(head.size));
    }
    if index >= head.size {
        return Err(ProofError::NoSuchLeaf { index, size: head.size });
    }
    let wrong_length = ProofError::Length { found: proof.len() };
    let (mut node, mut last, mut root) = (index, head.size - 1, leaf);
    for sibling in proof {
        if last == 0 {
            return Err(wrong_length);
        }
        if node & 1 == 1 || node == last {
            root = node_hash(*sibling, root);
            skip_left_edges(&mut node, &mut last);
        } else {
            root = node_hash(root, *sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(wrong_length);
    }
    if root == head.root { Ok(()) } else { Err(ProofError::Root(head.root)) }
}

/// Verifies that the tree of `new` begins with the tree of `old` (RFC 9162 section 2.1.4.2). The empty tree begins
/// every tree; trees of equal sizes must have equal roots; both with an empty proof.
///
/// # Errors
/// For any sizes, roots, missing, additional or altered hash with which the proof does not hold.
pub fn verify_consistency(old: TreeHead, new: TreeHead, proof: &[Hash]) -> Result<(), ProofError> {
    if new.size > MAX_SIZE {
        return Err(ProofError::TooLarge(new.size));
    }
    if old.size > new.size {
        return Err(ProofError::Shrunk { old: old.size, new: new.size });
    }
    for head in [old, new] {
        if head.size == 0 && head.root != EMPTY_ROOT {
            return Err(ProofError::Root(head.root));
        }
    }
    let wrong_length = ProofError::Length { found: proof.len() };
    if old.size == 0 || old.size == new.size {
        if !proof.is_empty() {
            return Err(wrong_length);
        }
        let same = old.size == 0 || old.root == new.root;
        return if same { Ok(()) } else { Err(ProofError::Root(new.root)) };
    }
    let (seed, rest) = if old.size.is_power_of_two() {
        (old.root, proof)
    } else {
        let (first, rest) = proof.split_first().ok_or(wrong_length)?;
        (*first, rest)
    };
    let skipped = (old.size - 1).trailing_ones();
    let (mut node, mut last) = ((old.size - 1) >> skipped, (new.size - 1) >> skipped);
    let (mut old_root, mut new_root) = (seed, seed);
    for hash in rest {
        if last == 0 {
            return Err(wrong_length);
        }
        if node & 1 == 1 || node == last {
            old_root = node_hash(*hash, old_root);
            new_root = node_hash(*hash, new_root);
            skip_left_edges(&mut node, &mut last);
        } else {
            new_root = node_hash(new_root, *hash);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(wrong_length);
    }
    match (old_root == old.root, new_root == new.root) {
        (true, true) => Ok(()),
        (false, _) => Err(ProofError::Root(old.root)),
        (true, false) => Err(ProofError::Root(new.root)),
    }
}

/// The tree over the items of one request, in memory: the same tree, whose leaves are 32-byte item digests.
///
/// Siblings reveal each other's leaf hashes, so an item's digest is salted where the item can be guessed.
#[derive(Clone, Debug)]
pub struct ItemTree {
    /// The hashes of all complete subtrees, by height and index.
    levels: Vec<Vec<Hash>>,
}

impl ItemTree {
    /// The tree over item digests, in the order of the request.
    pub fn new(digests: &[Hash]) -> Self {
        Self::from_leaves(digests.iter().map(|digest| leaf_hash(digest.as_bytes())).collect())
    }

    /// The tree over leaf hashes.
    pub fn from_leaves(leaves: Vec<Hash>) -> Self {
        let mut levels = Vec::new();
        let mut level = leaves;
        while !level.is_empty() {
            let above =
                level.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(*left, *right)).collect();
            levels.push(std::mem::replace(&mut level, above));
        }
        Self { levels }
    }

    /// The number of items and the root.
    pub fn head(&self) -> TreeHead {
        let size = self.levels.first().map_or(0, |leaves| leaves.len() as u64);
        TreeHead { size, root: self.root_of(Span { from: 0, until: size }).unwrap_or(EMPTY_ROOT) }
    }

    /// The proof that the item at `index` was asked; see [`verify_item`].
    pub fn path(&self, index: u64) -> Result<Vec<Hash>, ProofError> {
        let size = self.head().size;
        let spans = inclusion_spans(index, size)?;
        let hashes: Option<Vec<Hash>> = spans.into_iter().map(|span| self.root_of(span)).collect();
        hashes.ok_or(ProofError::NoSuchLeaf { index, size })
    }

    fn root_of(&self, span: Span) -> Option<Hash> {
        let node =
            |(height, index)| self.levels.get(height as usize)?.get(usize::try_from(index).ok()?).copied();
        let roots: Option<Vec<Hash>> = span.subtrees().map(node).collect();
        join(roots?.into_iter())
    }
}

/// Verifies that the item with `digest` stands at `index` among the items of `head`.
pub fn verify_item(head: TreeHead, index: u64, digest: Hash, path: &[Hash]) -> Result<(), ProofError> {
    verify_inclusion(head, index, leaf_hash(digest.as_bytes()), path)
}
