//! How fast proofs are made and verified, beside two other programs on the same tree of the same entries.
//!
//! `tlog_tiles` makes them from the same tiles, which it holds against the root first; `ct-merkle` keeps the hash of every node in
//! memory, and so need not read a tile. What is verified is the same everywhere: a leaf, or an older root, under a root.

use std::collections::HashMap;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof};
use kyodaku::log::merkle::{Hash, TreeHead, leaf_hash, root_of};
use kyodaku::log::proof::{
    consistency_tiles, inclusion_tiles, prove_consistency, prove_inclusion, verify_consistency,
    verify_inclusion,
};
use kyodaku::log::tile::{TileBuilder, TileId, TileRef, TileSet};
use sha2::Sha256;
use tlog_tiles::{Tile, TileHashReader, TileReader};

use super::world::Numbers;
use super::{cpu_seconds, row};

/// How many proofs of each kind.
const PROOFS: usize = 2_000;
/// How often each is verified.
const TIMES: usize = 50;
/// So many leaves, of which none is at the end of a tile.
const LEAVES: u64 = 300_009;

/// The tree as the three keep it.
struct Trees {
    head: TreeHead,
    leaves: Vec<Hash>,
    ours: HashMap<TileId, Vec<u8>>,
    theirs: TheirTiles,
    ct: MemoryBackedTree<Sha256, Vec<u8>>,
}

/// The same tiles by the names of `tlog_tiles`.
struct TheirTiles(HashMap<Tile, Vec<u8>>);

impl TileReader for TheirTiles {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        Ok(tiles.iter().map(|tile| self.0[tile].clone()).collect())
    }

    fn save_tiles(&self, _tiles: &[Tile], _data: &[Vec<u8>]) {}
}

fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

impl Trees {
    fn of(size: u64) -> Self {
        let leaves: Vec<Hash> = (0..size).map(|index| leaf_hash(&entry(index))).collect();
        let mut builder = TileBuilder::new();
        let writes = builder.append(&leaves);
        let ours: HashMap<TileId, Vec<u8>> = writes.into_iter().map(|write| (write.id, write.data)).collect();
        let theirs = Tile::new_tiles(8, 0, size).into_iter().map(|tile| {
            let id = TileId { level: tile.level(), index: tile.level_index() };
            (tile, ours[&id].clone())
        });
        let theirs = TheirTiles(theirs.collect());
        let mut ct = MemoryBackedTree::new();
        (0..size).for_each(|index| ct.push(entry(index)));
        Self { head: builder.head(), leaves, theirs, ours, ct }
    }

    fn tiles(&self, tiles: Vec<TileRef>) -> TileSet {
        TileSet::read(tiles, |tile| self.ours.get(&tile.id).cloned().ok_or(())).expect("all tiles are there")
    }

    fn older(&self, size: u64) -> TreeHead {
        TreeHead { size, root: root_of(&self.leaves[..size as usize]) }
    }
}

fn tlog(hash: Hash) -> tlog_tiles::Hash {
    tlog_tiles::Hash(hash.0)
}

fn bytes(proof: &[Hash]) -> Vec<u8> {
    proof.iter().flat_map(|hash| hash.0).collect()
}

/// How many are made a second of CPU time; and what was made.
fn made<T>(make: impl FnMut(usize) -> T) -> (f64, Vec<T>) {
    let begun = cpu_seconds();
    let made: Vec<T> = (0..PROOFS).map(make).collect();
    (PROOFS as f64 / (cpu_seconds() - begun), made)
}

/// How many are verified a second of CPU time, each of them often: one takes some microseconds.
fn verified(mut verify: impl FnMut(usize)) -> f64 {
    let begun = cpu_seconds();
    (0..TIMES).for_each(|_| (0..PROOFS).for_each(&mut verify));
    (TIMES * PROOFS) as f64 / (cpu_seconds() - begun)
}

fn rows(what: &str, ours: f64, tlog: f64, ct: f64) {
    row(&format!("{what} a second"), &format!("{ours:.0}"));
    row("the same by tlog_tiles / by ct-merkle", &format!("{:.2} / {:.2}", ours / tlog, ours / ct));
}

/// The figures.
pub(crate) fn figures() {
    let trees = Trees::of(LEAVES);
    let mut numbers = Numbers::new(11);
    let places: Vec<u64> = (0..PROOFS).map(|_| 1 + numbers.below(LEAVES - 1)).collect();
    inclusion(&trees, &places);
    consistency(&trees, &places);
}

fn inclusion(trees: &Trees, places: &[u64]) {
    let (head, root) = (trees.head, tlog(trees.head.root));
    let (ours, proved) = made(|at| {
        let tiles = trees.tiles(inclusion_tiles(places[at], head.size).expect("it is there"));
        prove_inclusion(&tiles, places[at], head.size).expect("a proof")
    });
    let (by_tlog, theirs) = made(|at| {
        let reader = TileHashReader::new(head.size, root, &trees.theirs);
        tlog_tiles::prove_record(head.size, places[at], &reader).expect("a proof")
    });
    let (by_ct, _) = made(|at| trees.ct.prove_inclusion(places[at] as usize));
    assert_eq!(proved[0].iter().copied().map(tlog).collect::<Vec<_>>(), theirs[0], "the same proof");
    rows("proofs of inclusion made", ours, by_tlog, by_ct);

    let leaf = |at: usize| trees.leaves[places[at] as usize];
    let ours = verified(|at| verify_inclusion(head, places[at], leaf(at), &proved[at]).expect("it holds"));
    let by_tlog = verified(|at| {
        tlog_tiles::check_record(&theirs[at], head.size, root, places[at], tlog(leaf(at))).expect("it holds");
    });
    let proofs: Vec<_> = proved.iter().map(|proof| InclusionProof::from_bytes(bytes(proof))).collect();
    let ct_root = trees.ct.root();
    let by_ct = verified(|at| {
        ct_root.verify_inclusion(&entry(places[at]), places[at], &proofs[at]).expect("it holds");
    });
    rows("proofs of inclusion verified", ours, by_tlog, by_ct);
}

fn consistency(trees: &Trees, places: &[u64]) {
    let (head, root) = (trees.head, tlog(trees.head.root));
    let (ours, proved) = made(|at| {
        let tiles = trees.tiles(consistency_tiles(places[at], head.size).expect("it is smaller"));
        prove_consistency(&tiles, places[at], head.size).expect("a proof")
    });
    let (by_tlog, theirs) = made(|at| {
        let reader = TileHashReader::new(head.size, root, &trees.theirs);
        tlog_tiles::prove_tree(head.size, places[at], &reader).expect("a proof")
    });
    let (by_ct, _) = made(|at| trees.ct.prove_consistency((head.size - places[at]) as usize));
    assert_eq!(proved[0].iter().copied().map(tlog).collect::<Vec<_>>(), theirs[0], "the same proof");
    rows("proofs of consistency made", ours, by_tlog, by_ct);

    // One older tree is enough: its root is made of all of its leaves.
    let old = trees.older(places[0]);
    let ours = verified(|_| verify_consistency(old, head, &proved[0]).expect("it holds"));
    let by_tlog = verified(|_| {
        tlog_tiles::check_tree(&theirs[0], head.size, root, old.size, tlog(old.root)).expect("it holds");
    });
    let proof = ConsistencyProof::try_from_bytes(bytes(&proved[0])).expect("a proof");
    let (ct_root, ct_old) = (trees.ct.root(), ct_merkle::RootHash::new(old.root.0.into(), old.size));
    let by_ct = verified(|_| ct_root.verify_consistency(&ct_old, &proof).expect("it holds"));
    rows("proofs of consistency verified", ours, by_tlog, by_ct);
}
