use std::collections::BTreeSet;
use std::sync::LazyLock;

use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use kyodaku::log::merkle::{EMPTY_ROOT, Hash, MAX_SIZE, TreeHead, leaf_hash, node_hash, root_of};
use kyodaku::log::proof::{
    ItemTree, ProofError, consistency_tiles, inclusion_tiles, prove_consistency, prove_inclusion,
    verify_consistency, verify_inclusion, verify_item,
};
use kyodaku::log::tile::{TileBuilder, TileError, TileSet, edge_tiles};
use proptest::prelude::*;
use sha2::Sha256;

use super::{Store, Theirs, entry, leaves};

const LARGEST: u64 = 65_800;

/// Sizes on both sides of the borders of a tile of level 0 and of level 1.
const BORDERS: [u64; 12] = [1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, LARGEST];

/// One log, kept in our tiles and by `tlog_tiles`; all smaller ones are its past.
static OURS: LazyLock<Store> = LazyLock::new(|| {
    let mut store = Store::default();
    store.write(&TileBuilder::new().append(&leaves(LARGEST)));
    store
});
static THEIRS: LazyLock<Theirs> = LazyLock::new(|| Theirs::with(LARGEST));

fn head(size: u64) -> TreeHead {
    let edge = TileSet::read(edge_tiles(size), |tile| OURS.read(tile)).unwrap();
    TreeHead { size, root: edge.root(size).unwrap() }
}

fn inclusion(index: u64, size: u64) -> Vec<Hash> {
    let tiles = TileSet::read(inclusion_tiles(index, size).unwrap(), |tile| OURS.read(tile)).unwrap();
    prove_inclusion(&tiles, index, size).unwrap()
}

fn consistency(old: u64, new: u64) -> Vec<Hash> {
    let tiles = TileSet::read(consistency_tiles(old, new).unwrap(), |tile| OURS.read(tile)).unwrap();
    prove_consistency(&tiles, old, new).unwrap()
}

fn bytes(proof: &[Hash]) -> Vec<u8> {
    proof.iter().flat_map(|hash| hash.0).collect()
}

fn tlog(hash: Hash) -> tlog_tiles::Hash {
    tlog_tiles::Hash(hash.0)
}

fn ct_root(head: TreeHead) -> RootHash<Sha256> {
    RootHash::new(head.root.0.into(), head.size)
}

/// Whether `sigstore-merkle` accepts the proof.
fn sigstore_includes(head: TreeHead, index: u64, leaf: Hash, proof: &[Hash]) -> bool {
    let proof: Vec<_> = proof.iter().map(|hash| hash.to_string().parse().unwrap()).collect();
    let [leaf, root] = [leaf, head.root].map(|hash| hash.to_string().parse().unwrap());
    sigstore_merkle::verify_inclusion_proof(&leaf, index, head.size, proof.as_slice(), &root).is_ok()
}

fn sigstore_continues(old: TreeHead, new: TreeHead, proof: &[Hash]) -> bool {
    let proof: Vec<_> = proof.iter().map(|hash| hash.to_string().parse().unwrap()).collect();
    let [first, second] = [old.root, new.root].map(|hash| hash.to_string().parse().unwrap());
    sigstore_merkle::verify_consistency_proof(old.size, new.size, proof.as_slice(), &first, &second).is_ok()
}

/// Ours equals theirs, theirs verifies ours, ours verifies theirs.
fn assert_inclusion(head: TreeHead, index: u64) {
    let leaf = leaf_hash(&entry(index));
    let ours = inclusion(index, head.size);
    let theirs = tlog_tiles::prove_record(head.size, index, &*THEIRS).unwrap();
    assert_eq!(ours.iter().copied().map(tlog).collect::<Vec<_>>(), theirs, "{index} in {}", head.size);
    verify_inclusion(head, index, leaf, &ours).unwrap();
    tlog_tiles::check_record(&theirs, head.size, tlog(head.root), index, tlog(leaf)).unwrap();
    let ct = InclusionProof::try_from_bytes(bytes(&ours)).unwrap();
    ct_root(head).verify_inclusion(&entry(index), index, &ct).unwrap();
    assert!(sigstore_includes(head, index, leaf, &ours), "{index} in {}", head.size);
}

fn assert_consistency(old: TreeHead, new: TreeHead) {
    let ours = consistency(old.size, new.size);
    verify_consistency(old, new, &ours).unwrap();
    assert!(sigstore_continues(old, new, &ours), "{} to {}", old.size, new.size);
    if old.size > 0 {
        let theirs = tlog_tiles::prove_tree(new.size, old.size, &*THEIRS).unwrap();
        assert_eq!(
            ours.iter().copied().map(tlog).collect::<Vec<_>>(),
            theirs,
            "{} to {}",
            old.size,
            new.size
        );
    }
    if 0 < old.size && old.size < new.size {
        let ct = ConsistencyProof::try_from_bytes(bytes(&ours)).unwrap();
        ct_root(new).verify_consistency(&ct_root(old), &ct).unwrap();
    }
}

#[test]
fn every_entry_of_every_small_tree_is_proved_as_others_prove_it() {
    for size in 1..=300 {
        let head = head(size);
        assert_eq!(head.root, root_of(&leaves(size)));
        (0..size).for_each(|index| assert_inclusion(head, index));
    }
}

#[test]
fn entries_at_the_borders_of_tiles_are_proved_as_others_prove_them() {
    for size in BORDERS {
        let head = head(size);
        let indexes = BORDERS.iter().flat_map(|border| [border.saturating_sub(2), border - 1, *border]);
        indexes.filter(|index| *index < size).for_each(|index| assert_inclusion(head, index));
    }
}

#[test]
fn every_small_tree_continues_every_smaller_one() {
    let heads: Vec<TreeHead> = (0..=300).map(head).collect();
    for (at, new) in heads.iter().enumerate() {
        heads[..=at].iter().for_each(|old| assert_consistency(*old, *new));
    }
}

#[test]
fn trees_at_the_borders_of_tiles_continue_each_other() {
    let heads: Vec<TreeHead> = [0].into_iter().chain(BORDERS).map(head).collect();
    for (at, new) in heads.iter().enumerate() {
        heads[..=at].iter().for_each(|old| assert_consistency(*old, *new));
    }
}

/// `ct-merkle` makes, ours verifies: its tree shares no code with ours or with `tlog_tiles`.
#[test]
fn proofs_of_a_third_implementation_are_accepted() {
    let mut tree = ct_merkle::mem_backed_tree::MemoryBackedTree::<Sha256, Vec<u8>>::new();
    let hashes =
        |bytes: &[u8]| bytes.chunks(32).map(|hash| Hash::try_from(hash).unwrap()).collect::<Vec<_>>();
    for size in 1..=70 {
        tree.push(entry(size - 1));
        for index in 0..size {
            let at = usize::try_from(index).unwrap();
            let proof = hashes(tree.prove_inclusion(at).as_bytes());
            verify_inclusion(head(size), index, leaf_hash(&entry(index)), &proof).unwrap();
            if index > 0 {
                let proof = hashes(tree.prove_consistency(at).as_bytes());
                verify_consistency(head(size - index), head(size), &proof).unwrap();
            }
        }
    }
}

/// Every proof that differs from `proof` by one step: an altered, missing, additional, repeated or exchanged hash.
fn mutations(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut mutations = vec![[proof, &[EMPTY_ROOT]].concat(), [&[EMPTY_ROOT], proof].concat()];
    for at in 0..proof.len() {
        let mut altered = proof.to_vec();
        altered[at].0[at % 32] ^= 0x10;
        mutations.push(altered);
        mutations.push([&proof[..at], &proof[at + 1..]].concat());
        mutations.push([&proof[..=at], &proof[at..]].concat());
        if at > 0 {
            let mut exchanged = proof.to_vec();
            exchanged.swap(at - 1, at);
            mutations.push(exchanged);
        }
    }
    mutations
}

#[test]
fn altered_inclusion_proofs_are_refused() {
    for size in (1..=40).chain([255, 256, 257]) {
        let head = head(size);
        for index in 0..size.min(60) {
            let leaf = leaf_hash(&entry(index));
            let proof = inclusion(index, size);
            for mutation in mutations(&proof) {
                assert!(verify_inclusion(head, index, leaf, &mutation).is_err(), "{index} in {size}");
            }
            for other in (0..=size).filter(|other| *other != index) {
                assert!(verify_inclusion(head, other, leaf, &proof).is_err(), "{index} as {other} in {size}");
            }
            assert!(verify_inclusion(head, index, leaf_hash(b"other"), &proof).is_err());
            let other_root = TreeHead { root: EMPTY_ROOT, ..head };
            assert_eq!(verify_inclusion(other_root, index, leaf, &proof), Err(ProofError::Root(EMPTY_ROOT)));
        }
    }
    // An inner node is no leaf, though its hash leads to the root.
    let inner = node_hash(leaf_hash(&entry(0)), leaf_hash(&entry(1)));
    let above = &inclusion(0, 4)[1..];
    assert!(verify_inclusion(head(4), 0, inner, above).is_err());
}

#[test]
fn altered_consistency_proofs_are_refused() {
    for new in (1..=40).chain([255, 256, 257]) {
        for old in 1..new.min(60) {
            let (old, new) = (head(old), head(new));
            let proof = consistency(old.size, new.size);
            for mutation in mutations(&proof) {
                assert!(verify_consistency(old, new, &mutation).is_err(), "{} to {}", old.size, new.size);
            }
            let other = leaf_hash(b"other");
            assert!(verify_consistency(TreeHead { root: other, ..old }, new, &proof).is_err());
            assert!(verify_consistency(old, TreeHead { root: other, ..new }, &proof).is_err());
            assert!(verify_consistency(new, old, &proof).is_err());
        }
    }
}

/// The hashes of a proof must be as many as the sizes need, even where they lead to the roots.
#[test]
fn proofs_of_a_tree_of_another_size_are_refused() {
    for (real, stated) in [(2, 4), (2, 3), (4, 2), (4, 8), (8, 4)] {
        let (old, real) = (head(1), head(real));
        let stated = TreeHead { size: stated, ..real };
        let wrong = |found| Err(ProofError::Length { found });
        let proof = consistency(1, real.size);
        assert_eq!(verify_consistency(old, real, &proof), Ok(()));
        assert_eq!(verify_consistency(old, stated, &proof), wrong(proof.len()));
        let proof = inclusion(0, real.size);
        assert_eq!(verify_inclusion(stated, 0, leaf_hash(&entry(0)), &proof), wrong(proof.len()));
    }
}

#[test]
fn the_empty_tree_and_the_same_tree_need_no_proof_and_take_none() {
    let (empty, five, other) = (head(0), head(5), TreeHead { size: 5, root: head(6).root });
    assert_eq!(empty, TreeHead::EMPTY);
    assert_eq!(verify_consistency(empty, empty, &[]), Ok(()));
    assert_eq!(verify_consistency(empty, five, &[]), Ok(()));
    assert_eq!(verify_consistency(five, five, &[]), Ok(()));
    assert_eq!(verify_consistency(five, other, &[]), Err(ProofError::Root(other.root)));
    for old in [empty, five] {
        assert_eq!(verify_consistency(old, five, &[EMPTY_ROOT]), Err(ProofError::Length { found: 1 }));
    }
    let false_empty = TreeHead { size: 0, root: five.root };
    assert_eq!(verify_consistency(false_empty, five, &[]), Err(ProofError::Root(five.root)));
    assert_eq!(verify_consistency(five, empty, &[]), Err(ProofError::Shrunk { old: 5, new: 0 }));
    assert_eq!(verify_consistency(five, head(6), &[]), Err(ProofError::Length { found: 0 }));
    let none = ProofError::NoSuchLeaf { index: 0, size: 0 };
    assert_eq!(verify_inclusion(empty, 0, EMPTY_ROOT, &[]), Err(none));
}

#[test]
fn questions_beyond_the_tree_are_refused() {
    let none = TileSet::new();
    assert_eq!(inclusion_tiles(5, 5), Err(ProofError::NoSuchLeaf { index: 5, size: 5 }));
    assert_eq!(prove_inclusion(&none, 0, 0), Err(ProofError::NoSuchLeaf { index: 0, size: 0 }));
    assert_eq!(consistency_tiles(6, 5), Err(ProofError::Shrunk { old: 6, new: 5 }));
    assert_eq!(inclusion_tiles(0, u64::MAX), Err(ProofError::TooLarge(u64::MAX)));
    assert_eq!(consistency_tiles(1, MAX_SIZE + 1), Err(ProofError::TooLarge(MAX_SIZE + 1)));
    let huge = TreeHead { size: u64::MAX, root: EMPTY_ROOT };
    assert_eq!(verify_inclusion(huge, 0, EMPTY_ROOT, &[]), Err(ProofError::TooLarge(u64::MAX)));
    assert_eq!(verify_consistency(head(1), huge, &[]), Err(ProofError::TooLarge(u64::MAX)));
    let needed = inclusion_tiles(3, 300).unwrap();
    assert_eq!(prove_inclusion(&none, 3, 300), Err(ProofError::Tile(TileError::Missing(needed[0]))));
}

#[test]
fn a_proof_reads_at_most_two_tiles_a_level() {
    for size in [300, 65_537, LARGEST, (1 << 40) + 12_345, MAX_SIZE - 1, MAX_SIZE] {
        let levels = edge_tiles(MAX_SIZE - 1).len().min(1 + (size.ilog2() / 8) as usize);
        for index in [0, 1, 255, 256, size / 3, size / 2, size - 2, size - 1] {
            let inclusion = inclusion_tiles(index, size).unwrap();
            assert!(inclusion.len() <= 2 * levels, "{index} in {size}: {inclusion:?}");
            let consistency = consistency_tiles(index, size).unwrap();
            assert!(consistency.len() <= 2 * levels, "{index} to {size}: {consistency:?}");
            let once: BTreeSet<_> = inclusion.iter().map(|tile| tile.id).collect();
            assert_eq!(once.len(), inclusion.len());
        }
    }
}

#[test]
fn the_item_tree_is_the_same_tree() {
    for size in [0, 1, 2, 3, 7, 8, 9, 100, 257] {
        let digests: Vec<Hash> = (0..size).map(|index| leaf_hash(&entry(index))).collect();
        let tree = ItemTree::new(&digests);
        let leaves: Vec<Hash> = digests.iter().map(|digest| leaf_hash(&digest.0)).collect();
        assert_eq!(tree.head(), TreeHead { size, root: root_of(&leaves) });
        for (index, digest) in (0..).zip(&digests) {
            let path = tree.path(index).unwrap();
            verify_item(tree.head(), index, *digest, &path).unwrap();
            assert!(sigstore_includes(tree.head(), index, leaf_hash(&digest.0), &path));
            assert!(verify_item(tree.head(), index, EMPTY_ROOT, &path).is_err());
            for mutation in mutations(&path) {
                assert!(verify_item(tree.head(), index, *digest, &mutation).is_err());
            }
        }
        assert_eq!(tree.path(size), Err(ProofError::NoSuchLeaf { index: size, size }));
    }
    // Both ways of making a path are one: from a list, and from tiles.
    let tree = ItemTree::from_leaves(leaves(300));
    assert_eq!(tree.head(), head(300));
    (0..300).for_each(|index| assert_eq!(tree.path(index).unwrap(), inclusion(index, 300)));
}

proptest! {
    #[test]
    fn any_pair_of_sizes_is_proved(new in 1..=LARGEST, a in any::<u64>(), b in any::<u64>()) {
        assert_inclusion(head(new), a % new);
        assert_consistency(head(b % (new + 1)), head(new));
    }

    /// Verifiers end, without panic and without belief, on whatever they are given.
    #[test]
    fn invented_proofs_are_refused(
        sizes in any::<(u64, u64)>(), index in any::<u64>(), hashes in proptest::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        let proof: Vec<Hash> = hashes.into_iter().map(Hash).collect();
        let old = TreeHead { size: sizes.0 >> 12, root: leaf_hash(b"old") };
        let new = TreeHead { size: sizes.1 >> 11, root: leaf_hash(b"new") };
        prop_assert!(verify_consistency(old, new, &proof).is_err());
        prop_assert!(verify_inclusion(new, index >> 11, leaf_hash(b"leaf"), &proof).is_err());
    }
}
