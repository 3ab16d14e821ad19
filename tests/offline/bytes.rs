//! Every byte of a stored log, altered: nothing passes, and each is named where it is.
//!
//! One byte of every entry is altered at a time, and each entry is named for itself: a log of a thousand entries has as many
//! rounds as its longest entry has bytes.

use std::fs;
use std::path::{Path, PathBuf};

use kyodaku::registry::offline::{Asked, Kind};

use super::forge::Forge;
use super::{Site, asked, copy, findings};
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

async fn entries(prey: &Prey, step: usize) {
    let longest = prey.forge.entries.iter().map(Vec::len).max().unwrap();
    for offset in (0..longest).step_by(step) {
        let folder = copy(prey.folder.path());
        for (at, (file, places)) in prey.bundles().into_iter().enumerate() {
            let entries = &prey.forge.entries[256 * at..];
            let altered = places.iter().zip(entries).filter(|(_, entry)| entry.len() > offset);
            alter(folder.path(), &file, altered.map(|(place, _)| place + offset));
        }
        let found = findings(folder.path(), &prey.asked).await;
        let named: Vec<_> = found.iter().map(|it| (it.kind, it.entry.unwrap())).collect();
        let due = (0..).zip(&prey.forge.entries).filter(|(_, entry)| entry.len() > offset);
        let due: Vec<_> = due.map(|(at, _)| (Kind::EntryAltered, at)).collect();
        assert_eq!(named, due, "byte {offset} of every entry");
    }
}

async fn lengths(prey: &Prey, step: usize) {
    let bundles = prey.bundles();
    let last = bundles.len() - 1;
    for place in (0..256).step_by(step) {
        for byte in [1, 2] {
            let folder = copy(prey.folder.path());
            let altered = bundles.iter().enumerate().filter_map(|(at, (file, places))| {
                let begins = places.get(place).copied()?;
                alter(folder.path(), file, [begins - byte]);
                Some(at)
            });
            let altered: Vec<usize> = altered.collect();
            let found = findings(folder.path(), &prey.asked).await;
            for at in altered {
                let named =
                    found.iter().filter(|it| it.file.as_ref().unwrap().contains(&format!("entries/{at:03}")));
                let least = named.filter_map(|it| it.entry).min();
                let due = (256 * at + place) as u64;
                let is_last = at == last && place + 1 == bundles[last].1.len();
                assert!(
                    least == Some(due) || (is_last && least.is_none()),
                    "length {place} of {at}: {found:?}"
                );
            }
        }
    }
}

async fn tiles(prey: &Prey, step: usize) {
    for level in ["0", "1"] {
        let tiles = files(prey.folder.path(), &format!("acts/tile/{level}"));
        let longest =
            tiles.iter().map(|file| fs::metadata(prey.folder.path().join(file)).unwrap().len()).max();
        for offset in (0..usize::try_from(longest.unwrap()).unwrap()).step_by(step) {
            let folder = copy(prey.folder.path());
            let mut due = Vec::new();
            for file in &tiles {
                if fs::metadata(folder.path().join(file)).unwrap().len() > offset as u64 {
                    alter(folder.path(), file, [offset]);
                    due.push((Kind::TileAltered, file.to_str().unwrap().to_owned(), offset as u64));
                }
            }
            let found = findings(folder.path(), &prey.asked).await.into_iter();
            let mut found: Vec<_> = found
                .map(|it| (it.kind, it.file.unwrap_or_default(), it.offset.unwrap_or_default()))
                .collect();
            found.sort();
            due.sort();
            assert_eq!(found, due, "byte {offset} of every tile of level {level}");
        }
    }
}

async fn checkpoints(prey: &Prey, step: usize) {
    let mut notes = files(prey.folder.path(), "acts/checkpoints");
    notes.push("acts/checkpoint".into());
    let longest = notes.iter().map(|file| fs::metadata(prey.folder.path().join(file)).unwrap().len()).max();
    for offset in (0..usize::try_from(longest.unwrap()).unwrap()).step_by(step) {
        let folder = copy(prey.folder.path());
        let mut due = Vec::new();
        for file in &notes {
            if fs::metadata(folder.path().join(file)).unwrap().len() > offset as u64 {
                alter(folder.path(), file, [offset]);
                due.push(file.to_str().unwrap());
            }
        }
        let found = findings(folder.path(), &prey.asked).await;
        let named = |file: &&str| found.iter().any(|it| it.file.as_deref() == Some(file));
        assert!(due.iter().all(named), "byte {offset} of every checkpoint: {found:?}");
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
