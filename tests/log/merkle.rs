use ct_merkle::mem_backed_tree::MemoryBackedTree;
use data_encoding::HEXLOWER;
use kyodaku::log::merkle::{
    EMPTY_ROOT, Frontier, FrontierError, Hash, MAX_SIZE, TreeHead, leaf_hash, node_hash, root_of,
};
use proptest::prelude::*;
use sha2::Sha256;

use super::{Theirs, entry, leaves};

/// The eight leaves and roots that the Certificate Transparency implementations share as test vectors.
const ENTRIES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

#[test]
fn known_answers() {
    let mut frontier = Frontier::new();
    assert_eq!(frontier.head(), TreeHead::EMPTY);
    assert_eq!(root_of(&[]), EMPTY_ROOT);
    assert_eq!(EMPTY_ROOT, kyodaku::log::digest::sha256(b""));
    for (entry, root) in ENTRIES.into_iter().zip(ROOTS) {
        frontier.push(leaf_hash(&HEXLOWER.decode(entry.as_bytes()).unwrap()));
        assert_eq!(frontier.root().to_string(), root);
    }
    let [a, b] = [leaf_hash(b""), leaf_hash(&[0])];
    assert_eq!(node_hash(a, b).to_string(), ROOTS[1]);
}

#[test]
fn roots_of_every_size_equal_those_of_two_other_implementations() {
    let mut frontier = Frontier::new();
    let mut tlog = Theirs::default();
    let mut ct = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    for size in 0..=300 {
        assert_eq!(frontier.size(), size);
        assert_eq!(frontier.root(), tlog.root(size), "size {size}");
        assert_eq!(frontier.root().0[..], ct.root().as_bytes()[..], "size {size}");
        assert_eq!(frontier.root(), root_of(&leaves(size)));
        frontier.push(leaf_hash(&entry(size)));
        tlog.push(size);
        ct.push(entry(size));
    }
    assert_eq!(leaf_hash(b"x").0, *sigstore_merkle::hash_leaf(b"x").as_bytes());
}

#[test]
fn completed_subtrees_are_named_from_the_leaf_upwards() {
    let all = leaves(8);
    let mut frontier = Frontier::new();
    let mut completed = Vec::new();
    for leaf in &all {
        frontier.push_with(*leaf, |height, node| completed.push((height, node)));
    }
    let heights: Vec<u32> = completed.iter().map(|(height, _)| *height).collect();
    assert_eq!(heights, [0, 0, 1, 0, 0, 1, 2, 0, 0, 1, 0, 0, 1, 2, 3]);
    assert_eq!(completed[6].1, root_of(&all[..4]));
    assert_eq!(completed[14].1, root_of(&all));
}

#[test]
fn a_hash_is_written_and_read_in_one_way_only() {
    let hash = leaf_hash(b"a");
    let text = hash.to_string();
    assert_eq!(text.len(), 64);
    assert_eq!(text.parse::<Hash>().unwrap(), hash);
    assert_eq!(serde_json::to_string(&hash).unwrap(), format!("\"{text}\""));
    assert_eq!(serde_json::from_str::<Hash>(&format!("\"{text}\"")).unwrap(), hash);
    assert_eq!(Hash::try_from(&hash.0[..]).unwrap(), hash);
    for wrong in
        [text.to_uppercase(), text[2..].to_owned(), format!("{text}00"), format!(" {text}"), String::new()]
    {
        assert!(wrong.parse::<Hash>().is_err(), "{wrong}");
    }
    assert!(serde_json::from_str::<Hash>("[1]").is_err());
    assert!(Hash::try_from(&[0_u8; 31][..]).is_err());
}

#[test]
fn bytes_that_are_not_a_frontier_are_refused() {
    let mut frontier = Frontier::new();
    for leaf in leaves(5) {
        frontier.push(leaf);
    }
    let bytes = frontier.to_bytes();
    assert_eq!(bytes.len(), 8 + 2 * 32);
    for length in 0..bytes.len() {
        assert_eq!(Frontier::from_bytes(&bytes[..length]), Err(FrontierError::Length(length)));
    }
    let mut longer = bytes.clone();
    longer.extend([0; 32]);
    assert!(Frontier::from_bytes(&longer).is_err());
    assert_eq!(
        Frontier::from_roots(MAX_SIZE + 1, vec![EMPTY_ROOT; 2]),
        Err(FrontierError::Size(MAX_SIZE + 1))
    );
    assert!(Frontier::from_roots(MAX_SIZE, vec![EMPTY_ROOT]).is_ok());
}

proptest! {
    #[test]
    fn a_frontier_survives_its_bytes(size in 0_u64..2000, more in 0_u64..40) {
        let all = leaves(size + more);
        let (first, rest) = all.split_at(usize::try_from(size).unwrap());
        let mut frontier = Frontier::new();
        frontier.extend(first);
        let mut read = Frontier::from_bytes(&frontier.to_bytes()).unwrap();
        prop_assert_eq!(&read, &frontier);
        read.extend(rest);
        prop_assert_eq!(read.head(), TreeHead { size: size + more, root: root_of(&all) });
    }

    #[test]
    fn any_bytes_are_a_frontier_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(frontier) = Frontier::from_bytes(&bytes) {
            prop_assert_eq!(frontier.to_bytes(), bytes);
        }
    }
}
