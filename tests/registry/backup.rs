//! A registry is backed up while it is written to, lost, and made again on either database.

use std::path::Path;

use kyodaku::domain::decision::Verdict;
use kyodaku::domain::key::Sha256;
use kyodaku::log::merkle::{Hash, TreeHead};
use kyodaku::registry::backup::{Manifest, backup, restore};
use kyodaku::registry::sequencer::Once;
use kyodaku::registry::{Registry, Settings};
use kyodaku::store::{Db, Engine, archive, heads};
use sqlx::{Connection, SqliteConnection};

use super::scene::{Scene, settings, submission};
use crate::world::{World, both};

fn other(engine: Engine) -> Engine {
    match engine {
        Engine::Sqlite => Engine::Postgres,
        Engine::Postgres => Engine::Sqlite,
    }
}

async fn contents(url: &str) -> Vec<archive::Contents> {
    let db = Db::connect(url).await.unwrap();
    let mut tx = db.snapshot().await.unwrap();
    let mut all = Vec::new();
    for table in archive::TABLES {
        all.push(archive::contents(table, &mut tx).await.unwrap());
    }
    all
}

/// A registry with one grant, recorded under an idempotency key; and the address of an empty world.
async fn loaded(world: &World) -> (Scene, super::scene::Registered, kyodaku::domain::act::Act) {
    let scene = Scene::open(world).await;
    let work = scene.work("one").await;
    let (_, act) = scene.grant_of(work.work);
    let (holder, person) = scene.holder;
    let first = submission(holder, &[person], vec![act.clone()], Some(once()));
    scene.registry.submit(first).await.unwrap();
    assert_eq!(scene.check(&[&work.key]).await.items[0].verdict, Verdict::Permitted);
    (scene, work, act)
}

fn once() -> Once {
    Once { key: "key-1".to_owned(), operation: "recordGrant", digest: Sha256::of(b"body").0 }
}

both!(what_was_backed_up_while_it_was_written_answers_as_before_on_either_database, async |world: World| {
    let (mut scene, work, act) = loaded(&world).await;
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("backup");
    let from = settings(&world, "one");
    // A catalogue of writes goes on meanwhile; each is in the backup whole or not at all.
    let (made, ()) = tokio::join!(backup(&from, &world.clock, &to, true), async {
        for name in ["two", "three", "four"] {
            scene.work(name).await;
        }
    });
    let manifest = made.unwrap();
    let head = manifest.logs.iter().find(|(log, _)| log == heads::ACTS).unwrap().1;
    for engine in [world.engine, other(world.engine)] {
        let fresh = World::new(engine).await;
        let target = Settings { data_dir: fresh.folder.path().join("data"), ..settings(&fresh, "one") };
        restore(&target, &world.clock, &to, &|_, _| {}).await.unwrap();
        let archived = format!("sqlite:{}", to.join("registry.db").display());
        assert_eq!(contents(&fresh.url).await, contents(&archived).await, "{engine:?}");
        let again = restore(&target, &world.clock, &to, &|_, _| {}).await.unwrap_err();
        assert!(again.to_string().contains("not empty"), "{again}");

        scene.registry = Registry::open(target, world.clock.clone()).await.unwrap();
        assert_eq!(scene.registry.head().await.unwrap().0.tree(), head, "{engine:?}");
        assert_eq!(scene.check(&[&work.key]).await.items[0].verdict, Verdict::Permitted);
        let (holder, person) = scene.holder;
        let repeated = submission(holder, &[person], vec![act.clone()], Some(once()));
        assert_eq!(scene.registry.submit(repeated).await.unwrap().recorded, None);
        scene.work("five").await;
    }
});

both!(what_is_older_than_what_was_published_is_refused, async |world: World| {
    let (scene, ..) = loaded(&world).await;
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("backup");
    backup(&settings(&world, "one"), &world.clock, &to, false).await.unwrap();
    assert!(!to.join("act-log.key").exists());
    scene.work("published after the backup").await;
    drop(scene);
    let fresh = World::new(world.engine).await;
    let target = Settings { data_dir: world.folder.path().to_owned(), ..settings(&fresh, "one") };
    let refused = restore(&target, &world.clock, &to, &|_, _| {}).await.unwrap_err();
    assert!(refused.to_string().contains("were published"), "{refused}");
    assert_eq!(contents(&fresh.url).await.iter().map(|table| table.rows).sum::<u64>(), 0);
});

both!(a_backup_of_which_anything_was_changed_is_refused, async |world: World| {
    drop(loaded(&world).await);
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("backup");
    backup(&settings(&world, "one"), &world.clock, &to, true).await.unwrap();
    let fresh = World::new(world.engine).await;
    let target = Settings { data_dir: fresh.folder.path().join("data"), ..settings(&fresh, "one") };
    for name in ["registry.db", "act-log.key", "manifest.json"] {
        let good = std::fs::read(to.join(name)).unwrap();
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        std::fs::write(to.join(name), &bad).unwrap();
        assert!(restore(&target, &world.clock, &to, &|_, _| {}).await.is_err(), "{name}");
        std::fs::write(to.join(name), &good).unwrap();
        assert!(!Path::new(&target.data_dir).join("act-log.key").exists());
    }
    // A manifest that can be read and says something else.
    let path = to.join("manifest.json");
    let good = std::fs::read_to_string(&path).unwrap();
    let at = good.find("\"sha256\"").unwrap_or_else(|| panic!("{good}")) + 12;
    let other = if good[at..].starts_with('0') { "1" } else { "0" };
    std::fs::write(&path, format!("{}{other}{}", &good[..at], &good[at + 1..])).unwrap();
    let refused = restore(&target, &world.clock, &to, &|_, _| {}).await.unwrap_err();
    assert!(!refused.to_string().contains("JSON"), "{refused}");
    std::fs::write(&path, good).unwrap();
    restore(&target, &world.clock, &to, &|_, _| {}).await.unwrap();
});

/// Changes the manifest of a backup, after naming its database anew.
fn made_to_fit(to: &Path, change: impl FnOnce(&mut Manifest)) {
    let path = to.join("manifest.json");
    let mut manifest: Manifest = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let database = std::fs::read(to.join("registry.db")).unwrap();
    manifest.files[0].bytes = database.len() as u64;
    manifest.files[0].sha256 = Hash(Sha256::of(&database).0);
    change(&mut manifest);
    std::fs::write(&path, serde_json::to_vec(&manifest).unwrap()).unwrap();
}

both!(a_backup_that_is_made_to_fit_is_refused_for_what_it_holds, async |world: World| {
    drop(loaded(&world).await);
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("backup");
    let own = settings(&world, "one");
    backup(&own, &world.clock, &to, true).await.unwrap();
    let twice = backup(&own, &world.clock, &to, true).await.unwrap_err();
    assert!(twice.to_string().contains("is not empty"), "{twice}");
    #[cfg(unix)]
    for kept in
        std::iter::once(to.clone()).chain(std::fs::read_dir(&to).unwrap().map(|it| it.unwrap().path()))
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&kept).unwrap().permissions());
        assert_eq!(mode & 0o077, 0, "{} is for its owner alone", kept.display());
    }
    let fresh = World::new(world.engine).await;
    let target = Settings { data_dir: fresh.folder.path().join("data"), ..settings(&fresh, "one") };
    let refused = async |target: &Settings, why: &str| {
        let refused = restore(target, &world.clock, &to, &|_, _| {}).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
        assert_eq!(contents(&fresh.url).await.iter().map(|table| table.rows).sum::<u64>(), 0, "{why}");
    };
    refused(&Settings { origin: "other.example/log".to_owned(), ..target.clone() }, "the settings say").await;
    let [manifest, database] =
        ["manifest.json", "registry.db"].map(|name| (to.join(name), std::fs::read(to.join(name)).unwrap()));
    let mend = || [&manifest, &database].map(|(path, bytes)| std::fs::write(path, bytes).unwrap());
    // The manifest speaks of other logs.
    made_to_fit(&to, |manifest| manifest.logs[0].1 = TreeHead::EMPTY);
    refused(&target, "other logs").await;
    mend();
    // What people browse is not what the log says.
    let mut altered = SqliteConnection::connect(&format!("sqlite:{}", database.0.display())).await.unwrap();
    sqlx::raw_sql("DELETE FROM catalog_history").execute(&mut altered).await.unwrap();
    altered.close().await.unwrap();
    made_to_fit(&to, |_| {});
    refused(&target, "the backup is broken").await;
    mend();
    // Two keys of one name.
    let kept = target.data_dir.join("act-log.key");
    std::fs::create_dir_all(&target.data_dir).unwrap();
    std::fs::copy(to.join("journal.key"), &kept).unwrap();
    refused(&target, "another key than the backup's").await;
    std::fs::remove_file(kept).unwrap();
    restore(&target, &world.clock, &to, &|_, _| {}).await.unwrap();
});
