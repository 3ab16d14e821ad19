//! Old backups: what forgets a revocation that was acknowledged is never served.

use std::path::Path;

use kyodaku::store::Engine;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use super::ledger::{Ledger, Outcome};
use super::site::Site;
use crate::world::{World, both};

/// Everything of a database as it is now, in another one; the address of that.
pub(super) async fn copied(world: &World, name: &str) -> String {
    match world.engine {
        Engine::Sqlite => {
            let path = world.folder.path().join(name);
            let mut db = SqliteConnection::connect(&world.url).await.unwrap();
            let copy = AssertSqlSafe(format!("VACUUM INTO '{}'", path.display()));
            sqlx::raw_sql(copy).execute(&mut db).await.unwrap();
            db.close().await.unwrap();
            format!("sqlite:{}", path.display())
        }
        Engine::Postgres => {
            let (from, to) = (database(&world.url), format!("{}_{name}", database(&world.url)));
            let text = format!("CREATE DATABASE {to} TEMPLATE {from}");
            administer(world, &[text]).await;
            world.url.replacen(&from, &to, 1)
        }
    }
}

fn database(url: &str) -> String {
    let rest = url.trim_start_matches("postgres:///");
    rest.split('?').next().unwrap().to_owned()
}

/// Commands that are given from another database.
async fn administer(world: &World, texts: &[String]) {
    let url = world.url.replacen(&database(&world.url), "postgres", 1);
    let mut admin = PgConnection::connect(&url).await.unwrap();
    for text in texts {
        sqlx::raw_sql(AssertSqlSafe(text.clone())).execute(&mut admin).await.unwrap();
    }
    admin.close().await.unwrap();
}

/// A registry in which everything stands that the backup has; and all of that is revoked afterwards.
async fn revoked_since(world: &World, backup: &Path) -> (Site, Ledger, String) {
    let site = Site::of(world);
    let mut server = site.start();
    let ledger = Ledger::open(&site, &server.url, 3).await;
    for line in 0..3 {
        assert_eq!(ledger.step(0, line).await, Outcome::Acknowledged);
    }
    ledger.ask(0).await;
    let made = site.run(&["backup", "--with-keys", backup.to_str().unwrap()]);
    assert_eq!(made.code, 0, "{}{}", made.out, made.err);
    assert_eq!(server.stop(), 0);
    let copy = copied(world, "old").await;
    server = site.start();
    ledger.door.leads_to(&[&server.url]);
    for line in 0..3 {
        assert_eq!(ledger.step(0, line).await, Outcome::Acknowledged);
    }
    assert_eq!(ledger.ask(0).await, Outcome::Acknowledged);
    assert_eq!(server.stop(), 0);
    (site, ledger, copy)
}

fn must_not_serve(site: &Site) {
    let told = site.refusal();
    assert!(told.contains("were published"), "{told}");
}

both!(a_backup_that_forgets_a_revocation_is_not_restored_or_served, async |world: World| {
    let backup = world.folder.path().join("backup");
    let (site, ledger, copy) = revoked_since(&world, &backup).await;
    // By the command, into an empty database: refused, and nothing is made that could be served.
    let empty = World::new(world.engine).await;
    let target = Site::new(&empty.url, &site.data, "main");
    let told = target.run(&["restore", backup.to_str().unwrap()]);
    assert_eq!(told.code, 1, "{}{}", told.out, told.err);
    assert!(told.err.contains("were published"), "{}", told.err);
    must_not_serve(&target);
    // By other means, in the place of the database: not served.
    must_not_serve(&Site::new(&copy, &site.data, "main"));
    // The right database is served as before.
    let server = site.start();
    ledger.door.leads_to(&[&server.url]);
    ledger.recover(&[]).await;
    ledger.is_in(&world.url).await;
    drop(server);
    site.verify();
    // A program that was not started yet has no keys of its own; those of the logs must be there.
    for (key, code) in [("receipts.key", 0), ("journal.key", 1)] {
        let (file, folder) = (site.data.join(key), world.folder.path().join(format!("without-{key}")));
        let kept = file.with_extension("kept");
        std::fs::rename(&file, &kept).unwrap();
        let made = site.run(&["backup", "--with-keys", folder.to_str().unwrap()]);
        assert_eq!(made.code, code, "{key}: {}{}", made.out, made.err);
        std::fs::rename(&kept, &file).unwrap();
    }
    // The newest backup is restored, and remembers what was revoked.
    let newest = world.folder.path().join("newest");
    let made = site.run(&["backup", newest.to_str().unwrap()]);
    assert_eq!(made.code, 0, "{}{}", made.out, made.err);
    let fresh = World::new(world.engine).await;
    let restored = Site::new(&fresh.url, &site.data, "main");
    let told = restored.run(&["restore", newest.to_str().unwrap()]);
    assert_eq!(told.code, 0, "{}{}", told.out, told.err);
    let server = restored.start();
    ledger.door.leads_to(&[&server.url]);
    ledger.recover(&[]).await;
    ledger.is_in(&fresh.url).await;
    restored.verify();
});

// As when a standby that had not heard everything is promoted under the address of the primary.
#[test]
fn a_server_under_which_the_database_is_replaced_by_an_older_one_stops_answering() {
    crate::world::run(Engine::Postgres, async |world: World| {
        let backup = world.folder.path().join("backup");
        let (site, ledger, copy) = revoked_since(&world, &backup).await;
        let (name, old) = (database(&world.url), database(&copy));
        let right = format!("{name}_right");
        let ends = |name: &str| {
            format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        };
        let renames = |from: &str, to: &str| format!("ALTER DATABASE {from} RENAME TO {to}");
        for first_asks in [true, false] {
            let server = site.start();
            ledger.door.leads_to(&[&server.url]);
            ledger.recover(&[]).await;
            let forbid = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false");
            let away = [forbid, ends(&name), renames(&name, &right), renames(&old, &name)];
            administer(&world, &away).await;
            for asks in [first_asks, !first_asks] {
                // Connections that were cut come first.
                for _ in 0..3 {
                    let outcome = if asks { ledger.ask(0).await } else { ledger.step(0, 0).await };
                    assert_eq!(outcome, Outcome::Refused);
                }
            }
            assert_eq!(ledger.door.get("", "/readyz").await.status(), 503);
            drop(server);
            must_not_serve(&site);
            let back = [
                ends(&name),
                renames(&name, &old),
                renames(&right, &name),
                format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"),
            ];
            administer(&world, &back).await;
        }
        let server = site.start();
        ledger.door.leads_to(&[&server.url]);
        ledger.recover(&[]).await;
        ledger.is_in(&world.url).await;
        drop(server);
        site.verify();
    });
}
