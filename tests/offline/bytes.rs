//! Every byte of a stored log, altered: nothing passes, and each is named where it is.
//!
//! One byte of every entry is altered at a time, and each entry is named for itself: a log of a thousand entries has as many
//! rounds as its longest entry has bytes.

use std::fs;
use std::path::{Path, PathBuf};

use kyodaku::registry::offline::{Asked, Finding, Kind};

use super::forge::Forge;
use super::{Site, asked, findings};
use crate::world::World;
use kyodaku::store::Engine;

fn is_full() -> bool {
    match std::env::var("KYODAKU_FAULTS").as_deref() {
        Ok("full") => true,
        Err(_) => false,
        Ok(other) => panic!("KYODAKU_FAULTS is `{other}`: say `full`, or nothing"),
    }
}

/// An act log in a folder.
struct Prey {
    folder: tempfile::TempDir,
    forge: Forge,
    asked: Asked,
}

impl Prey {
    async fn of(world: &World, entries: u64) -> Self {
        let site = Site::open(world).await;
        site.grow(entries - site.stage.log_size().await).await;
        let folder = site.exported().await;
        let asked = asked(&site.keys().await);
        let forge = Forge::of(folder.path(), "acts", &world.settings("a").data_dir.join("act-log.key"));
        assert_eq!(forge.entries.len() as u64, entries);
        Self { folder, forge, asked }
    }

    /// The bundles, with the places at which their entries begin.
    fn bundles(&self) -> Vec<(PathBuf, Vec<usize>)> {
        let chunks = (0..).zip(self.forge.entries.chunks(256));
        chunks
            .map(|(index, entries)| {
                let width = entries.len();
                let name = if width == 256 { format!("{index:03}") } else { format!("{index:03}.p/{width}") };
                let mut at = 0;
                let places = entries.iter().map(|entry| {
                    let begins = at + 2;
                    at = begins + entry.len();
                    begins
                });
                (Path::new("acts/tile/entries").join(name), places.collect())
            })
            .collect()
    }
}

/// Alters these bytes of a file.
fn alter(folder: &Path, file: &Path, places: impl IntoIterator<Item = usize>) {
    let path = folder.join(file);
    let mut bytes = fs::read(&path).unwrap();
    for place in places {
        bytes[place] ^= 1 << (place % 8);
    }
    fs::write(path, bytes).unwrap();
}

/// The files of these kinds in the folder of a log.
fn files(folder: &Path, below: &str) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.join(below)]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_owned());
            }
        }
    }
    found
}

/// Bytes of files that are altered together.
type Altered = Vec<(PathBuf, Vec<usize>)>;

/// What is found while these bytes are altered; afterwards they are as before.
async fn found_with(folder: &Path, altered: &Altered, asked: &Asked) -> Vec<Finding> {
    let alter_all = || altered.iter().for_each(|(file, places)| alter(folder, file, places.iter().copied()));
    alter_all();
    let found = findings(folder, asked).await;
    alter_all();
    found
}

async fn entries(prey: &Prey, step: usize) {
    let folder = prey.folder.path();
    let longest = prey.forge.entries.iter().map(Vec::len).max().unwrap();
    for offset in (0..longest).step_by(step) {
        let bundles = prey.bundles().into_iter().zip(prey.forge.entries.chunks(256));
        let altered = bundles.map(|((file, places), entries)| {
            let long = places.into_iter().zip(entries).filter(|(_, entry)| entry.len() > offset);
            (file, long.map(|(place, _)| place + offset).collect())
        });
        let found = found_with(folder, &altered.collect(), &prey.asked).await;
        let named: Vec<_> = found.iter().map(|it| (it.kind, it.entry.unwrap())).collect();
        let due = (0..).zip(&prey.forge.entries).filter(|(_, entry)| entry.len() > offset);
        let due: Vec<_> = due.map(|(at, _)| (Kind::EntryAltered, at)).collect();
        assert_eq!(named, due, "byte {offset} of every entry");
    }
}

async fn lengths(prey: &Prey, step: usize) {
    let bundles = prey.bundles();
    for place in (0..256).step_by(step).chain([255]) {
        for byte in [1, 2] {
            let begins = |places: &[usize]| Some(vec![places.get(place)? - byte]);
            let altered: Altered =
                bundles.iter().filter_map(|(file, places)| Some((file.clone(), begins(places)?))).collect();
            let found = found_with(prey.folder.path(), &altered, &prey.asked).await;
            for at in 0..altered.len() {
                let named =
                    found.iter().filter(|it| it.file.as_ref().unwrap().contains(&format!("entries/{at:03}")));
                let due = (256 * at + place) as u64;
                let least = named.filter_map(|it| it.entry).min();
                assert_eq!(least, Some(due), "length {place} of {at}: {found:?}");
            }
        }
    }
}

/// One byte of each of these files that is so long.
fn one_of_each(folder: &Path, files: &[PathBuf], offset: usize) -> Altered {
    let length = |file: &PathBuf| fs::metadata(folder.join(file)).unwrap().len();
    let long = files.iter().filter(|file| length(file) > offset as u64);
    long.map(|file| (file.clone(), vec![offset])).collect()
}

async fn tiles(prey: &Prey, step: usize) {
    // What the acts say does not matter here, and takes most of the time.
    let asked = Asked { only_hashes: true, ..prey.asked.clone() };
    let folder = prey.folder.path();
    for level in ["0", "1"] {
        let tiles = files(folder, &format!("acts/tile/{level}"));
        for offset in (0..256 * 32).step_by(step) {
            let altered = one_of_each(folder, &tiles, offset);
            let found = found_with(folder, &altered, &asked).await.into_iter();
            let mut found: Vec<_> = found.map(|it| (it.kind, it.file.unwrap(), it.offset.unwrap())).collect();
            let due = altered
                .iter()
                .map(|(file, _)| (Kind::TileAltered, file.to_str().unwrap().to_owned(), offset as u64));
            let mut due: Vec<_> = due.collect();
            found.sort();
            due.sort();
            assert_eq!(found, due, "byte {offset} of every tile of level {level}");
            if altered.is_empty() {
                break;
            }
        }
    }
}

async fn checkpoints(prey: &Prey, step: usize) {
    let folder = prey.folder.path();
    let mut notes = files(folder, "acts/checkpoints");
    notes.push("acts/checkpoint".into());
    for offset in (0..).step_by(step) {
        let altered = one_of_each(folder, &notes, offset);
        if altered.is_empty() {
            return;
        }
        let found = found_with(folder, &altered, &prey.asked).await;
        let is_named =
            |(file, _): &(PathBuf, Vec<usize>)| found.iter().any(|it| it.file.as_deref() == file.to_str());
        assert!(altered.iter().all(is_named), "byte {offset} of every checkpoint: {found:?}");
    }
}

#[test]
fn every_byte_of_an_entry_is_missed() {
    let (engine, count, step) =
        if is_full() { (Engine::Postgres, 1_000, 1) } else { (Engine::Sqlite, 300, 97) };
    crate::world::run(engine, async |world: World| {
        let prey = Prey::of(&world, count).await;
        entries(&prey, step).await;
        lengths(&prey, step).await;
    });
}

#[test]
fn every_byte_of_a_tile_is_missed() {
    let (engine, count, step) =
        if is_full() { (Engine::Sqlite, 1_000, 1) } else { (Engine::Postgres, 300, 1_021) };
    crate::world::run(engine, async |world: World| tiles(&Prey::of(&world, count).await, step).await);
}

#[test]
fn every_byte_of_a_checkpoint_is_missed() {
    let (engine, count, step) =
        if is_full() { (Engine::Postgres, 1_000, 1) } else { (Engine::Sqlite, 300, 23) };
    crate::world::run(engine, async |world: World| checkpoints(&Prey::of(&world, count).await, step).await);
}
