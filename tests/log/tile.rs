use kyodaku::log::merkle::{EMPTY_ROOT, HASH_BYTES, MAX_SIZE, TreeHead, root_of};
use kyodaku::log::tile::{
    BundleError, MAX_ENTRY_BYTES, TileBuilder, TileError, TileId, TilePath, TileRef, TileSet, decode_bundle,
    edge_tiles, encode_bundle, entries_path,
};
use proptest::prelude::*;

use super::{Store, Theirs, leaves};

/// Every tile of a tree of `size` leaves has the width and the bytes that `tlog_tiles` gives it.
fn assert_equal_tiles(store: &Store, theirs: &Theirs, old: u64, size: u64) {
    for tile in tlog_tiles::Tile::new_tiles(8, old, size) {
        let id = TileId { level: tile.level(), index: tile.level_index() };
        assert_eq!(u32::from(id.width_at(size)), tile.width());
        let ours = store.read(TileRef { id, width: id.width_at(size) }).unwrap();
        assert_eq!(ours, tile.read_data(theirs).unwrap(), "{id:?} at size {size}");
    }
}

#[test]
fn tiles_of_every_size_equal_those_of_another_implementation() {
    let theirs = Theirs::with(600);
    let mut store = Store::default();
    let mut builder = TileBuilder::new();
    for (leaf, size) in leaves(600).into_iter().zip(1..) {
        let writes = builder.append(&[leaf]);
        let expected = tlog_tiles::Tile::new_tiles(8, size - 1, size);
        assert_eq!(writes.len(), expected.len());
        store.write(&writes);
        assert_equal_tiles(&store, &theirs, 0, size);
        assert_eq!(builder.head(), TreeHead { size, root: theirs.root(size) });
    }
}

#[test]
fn batches_across_the_borders_of_two_levels_equal_single_appends() {
    let theirs = Theirs::with(66_000);
    let all = leaves(66_000);
    let mut store = Store::default();
    let mut builder = TileBuilder::new();
    let mut old = 0;
    for size in [0, 1, 255, 256, 257, 511, 512, 1100, 65_279, 65_280, 65_535, 65_536, 65_537, 65_792, 66_000]
    {
        let writes = builder.append(&all[usize::try_from(old).unwrap()..usize::try_from(size).unwrap()]);
        let changed: Vec<(TileId, u16)> = writes.iter().map(|write| (write.id, write.width())).collect();
        let expected: Vec<(TileId, u16)> = tlog_tiles::Tile::new_tiles(8, old, size)
            .iter()
            .map(|tile| (TileId { level: tile.level(), index: tile.level_index() }, tile.width() as u16))
            .collect();
        assert_eq!(changed, expected, "from {old} to {size}");
        store.write(&writes);
        assert_equal_tiles(&store, &theirs, old, size);
        assert_eq!(builder.head().root, theirs.root(size));
        let edge = TileSet::read(edge_tiles(size), |tile| store.read(tile)).unwrap();
        let restored = TileBuilder::restore(builder.head(), &edge).unwrap();
        assert_eq!(restored.frontier(), builder.frontier());
        builder = restored;
        old = size;
    }
    // The past is a prefix of the present.
    for size in [1, 255, 256, 257, 65_535, 65_536, 65_537] {
        let edge = TileSet::read(edge_tiles(size), |tile| store.read(tile)).unwrap();
        assert_eq!(edge.root(size).unwrap(), theirs.root(size));
    }
    assert_equal_tiles(&store, &theirs, 0, 66_000);
}

#[test]
fn nothing_is_built_on_tiles_that_are_missing_short_or_altered() {
    let mut store = Store::default();
    let mut builder = TileBuilder::new();
    store.write(&builder.append(&leaves(300)));
    let head = builder.head();
    let whole = TileSet::read(edge_tiles(300), |tile| store.read(tile)).unwrap();
    assert!(TileBuilder::restore(head, &whole).is_ok());

    let tiles = edge_tiles(300);
    assert_eq!(tiles.iter().map(|tile| tile.width).collect::<Vec<_>>(), [44, 1]);
    for missing in &tiles {
        let part =
            TileSet::read(tiles.iter().copied().filter(|tile| tile != missing), |t| store.read(t)).unwrap();
        assert_eq!(TileBuilder::restore(head, &part).unwrap_err(), TileError::Missing(*missing));
        let mut short = whole.clone();
        short.insert(missing.id, vec![0; usize::from(missing.width) * HASH_BYTES - 1]);
        assert_eq!(TileBuilder::restore(head, &short).unwrap_err(), TileError::Missing(*missing));
        let mut altered = whole.clone();
        let mut data = store.read(*missing).unwrap();
        data[0] ^= 1;
        altered.insert(missing.id, data);
        assert!(matches!(TileBuilder::restore(head, &altered), Err(TileError::Root { size: 300, .. })));
    }
    assert!(TileBuilder::restore(TreeHead { size: 0, root: EMPTY_ROOT }, &TileSet::new()).is_ok());
    assert!(TileBuilder::restore(TreeHead { size: 0, root: head.root }, &TileSet::new()).is_err());
    assert!(matches!(TileSet::new().root(MAX_SIZE + 1), Err(TileError::Size(_))));
}

#[test]
fn an_empty_batch_changes_nothing() {
    let mut builder = TileBuilder::new();
    builder.append(&leaves(300));
    let head = builder.head();
    assert_eq!(builder.append(&[]), []);
    assert_eq!(builder.head(), head);
    assert_eq!(edge_tiles(0), []);
}

/// `tlog_tiles` writes the height too; the published form leaves it out.
#[test]
fn paths_are_those_of_the_format() {
    for index in [0, 1, 67, 999, 1000, 1067, 1_234_067, 999_999_999, u64::from(u32::MAX), u64::MAX] {
        for width in [1, 9, 10, 255, 256] {
            let tile = TileRef { id: TileId { level: 2, index }, width };
            let theirs = tlog_tiles::Tile::new(8, 2, index, u32::from(width), false).path();
            assert_eq!(tile.to_string(), theirs.replacen("/8/", "/", 1));
            assert_eq!(tile.to_string().parse(), Ok(TilePath::Hashes(tile)));
            let entries = entries_path(index, width);
            assert_eq!(entries, theirs.replacen("/8/2/", "/entries/", 1));
            assert_eq!(entries.parse(), Ok(TilePath::Entries { index, width }));
        }
    }
    let tile = TileRef { id: TileId { level: 0, index: 1067 }, width: 5 };
    assert_eq!(tile.to_string(), "tile/0/x001/067.p/5");
}

#[test]
fn paths_written_otherwise_are_refused() {
    for wrong in [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/0/1",
        "tile/0/0001",
        "tile/00/001",
        "tile/64/001",
        "tile/-1/001",
        "tile/+1/001",
        "tile/0/+01",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/x001/x002",
        "tile/0/xx01/002",
        "tile/0/001.p/0",
        "tile/0/001.p/256",
        "tile/0/001.p/01",
        "tile/0/001.p/",
        "tile/0/001.p",
        "tile/0/001/",
        "/tile/0/001",
        "tile/data/001",
        "tile/entries/001.p/1.p/1",
        "tile/entry/001",
        "tile/0/001 ",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
    ] {
        assert!(wrong.parse::<TilePath>().is_err(), "{wrong}");
    }
}

#[test]
fn bundles_keep_their_entries_and_their_limits() {
    assert_eq!(encode_bundle(&["a", "", "bcd"]).unwrap(), b"\x00\x01a\x00\x00\x00\x03bcd");
    let longest = vec![7; MAX_ENTRY_BYTES];
    let bundle = encode_bundle(&[&longest[..], b"x"]).unwrap();
    assert_eq!(decode_bundle(&bundle).unwrap(), [&longest[..], b"x"]);
    assert_eq!(encode_bundle(&[vec![0; MAX_ENTRY_BYTES + 1]]), Err(BundleError::EntryTooLong(65_536)));
    assert!(encode_bundle(&vec![""; 256]).is_ok());
    assert_eq!(encode_bundle(&vec![""; 257]), Err(BundleError::TooMany));
    assert_eq!(decode_bundle(&[0; 514]), Err(BundleError::TooMany));
    for length in 1..4 {
        assert_eq!(decode_bundle(&b"\x00\x02ab"[..length]), Err(BundleError::CutShort));
    }
    assert_eq!(decode_bundle(b""), Ok(vec![]));
}

proptest! {
    #[test]
    fn tiles_do_not_depend_on_how_leaves_are_batched(sizes in proptest::collection::vec(0_usize..400, 0..8)) {
        let all = leaves(sizes.iter().sum::<usize>() as u64);
        let (mut store, mut builder, mut at) = (Store::default(), TileBuilder::new(), 0);
        for size in sizes {
            store.write(&builder.append(&all[at..at + size]));
            at += size;
        }
        let mut once = Store::default();
        once.write(&TileBuilder::new().append(&all));
        prop_assert_eq!(store.0, once.0);
        prop_assert_eq!(builder.head().root, root_of(&all));
    }

    #[test]
    fn any_bytes_are_a_bundle_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(entries) = decode_bundle(&bytes) {
            prop_assert_eq!(encode_bundle(&entries).unwrap(), bytes);
        }
    }

    #[test]
    fn any_text_is_a_path_or_refused(path in "tile/(entries|[0-9]{1,3})/(x?[0-9]{1,4}/){0,7}[0-9]{2,4}(\\.p/[0-9]{1,4})?") {
        if let Ok(parsed) = path.parse::<TilePath>() {
            prop_assert_eq!(parsed.to_string(), path);
        }
    }
}
