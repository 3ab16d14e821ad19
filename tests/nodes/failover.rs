//! The database dies, and its standby becomes the primary, while everybody goes on.

use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use kyodaku::clock::{Clock, stopwatch};
use kyodaku::store::Engine;
use sqlx::{Connection, PgConnection};

use super::count;
use super::kill::{Load, nothing_is_lost};
use super::proxy::{Proxy, Target};
use super::rig::{Rig, check_body};
use crate::cli::serve::Server;
use crate::world::World;
use crate::world::actors::fresh_key;
use crate::world::postgres::{binaries, initdb, other_user_if_root, own_folder, run, watch};
use crate::world::works::grant;

/// A PostgreSQL server on a port of its own.
struct Cluster {
    bin: PathBuf,
    user: Option<(u32, u32)>,
    data: PathBuf,
    port: u16,
    /// Stops it and deletes its folder once this is dropped.
    watchdog: Child,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

impl Cluster {
    /// An empty folder, on a free port.
    fn place() -> Self {
        // Only some of its programs may be linked elsewhere.
        let programs = std::fs::canonicalize(binaries().join("initdb")).unwrap();
        let (bin, user) = (programs.parent().unwrap().to_owned(), other_user_if_root());
        let folder = own_folder(user);
        let data = folder.join("data");
        let watchdog = watch(user, &bin, &data, &folder);
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { bin, user, data, port, watchdog }
    }

    fn primary() -> Self {
        let cluster = Self::place();
        initdb(cluster.user, &cluster.bin, &cluster.data);
        cluster.start();
        cluster
    }

    /// A copy of a running primary, which follows it.
    fn standby(of: &Self) -> Self {
        let cluster = Self::place();
        let from = format!("host=127.0.0.1 port={} user=kyodaku application_name=standby", of.port);
        let data = cluster.data.to_str().unwrap();
        let words = ["-D", data, "-d", &from, "-R", "-X", "stream", "-c", "fast", "--no-sync"];
        run(cluster.user, &cluster.bin.join("pg_basebackup"), &words);
        cluster.start();
        cluster
    }

    fn start(&self) {
        let log = self.data.with_file_name("server.txt");
        let settings = format!(
            "-c listen_addresses=127.0.0.1 -c port={} -c unix_socket_directories='' -c shared_buffers=32MB -c fsync=on \
             -c max_connections=200",
            self.port
        );
        self.control(&["-l", log.to_str().unwrap(), "-o", &settings, "-w", "-t", "60", "start"]);
    }

    fn control(&self, words: &[&str]) {
        let data = ["-D", self.data.to_str().unwrap()];
        run(self.user, &self.bin.join("pg_ctl"), &[&data, words].concat());
    }

    /// As when its machine loses power.
    fn die(&self) {
        self.control(&["-m", "immediate", "stop"]);
    }

    fn promote(&self) {
        self.control(&["-w", "promote"]);
    }

    async fn say(&self, text: &'static str) {
        let url = format!("postgres://kyodaku@127.0.0.1:{}/postgres?sslmode=disable", self.port);
        let mut connection = PgConnection::connect(&url).await.unwrap();
        for text in text.split(';') {
            sqlx::query(text).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
    }

    /// From now on a commit is acknowledged when the standby has applied it.
    async fn wait_for_standby(&self) {
        self.say(
            "ALTER SYSTEM SET synchronous_standby_names = 'standby';ALTER SYSTEM SET synchronous_commit = \
             'remote_apply';SELECT pg_reload_conf()",
        )
        .await;
        let url = format!("postgres://kyodaku@127.0.0.1:{}/postgres?sslmode=disable", self.port);
        let mut connection = PgConnection::connect(&url).await.unwrap();
        let text = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        for _ in 0..300 {
            let synchronous: i64 = sqlx::query_scalar(text).fetch_one(&mut connection).await.unwrap();
            if synchronous == 1 {
                return connection.close().await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("no synchronous standby");
    }
}

/// A registry on this cluster, behind a proxy that stands for its address.
async fn registry(primary: &Cluster) -> (Rig, Proxy) {
    let proxy = Proxy::start(Target::Port(primary.port)).await;
    let folder = tempfile::tempdir().unwrap();
    let url = proxy.url("postgres");
    let world = World { engine: Engine::Postgres, url, folder, clock: Clock::system() };
    (Rig::new(world, 2).await, proxy)
}

fn story(story: impl AsyncFnOnce()) {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().build().unwrap().block_on(story());
}

#[test]
fn a_synchronous_standby_that_is_promoted_has_all_that_was_acknowledged() {
    story(async || {
        for round in 0..count(1, 10) {
            let primary = Cluster::primary();
            let (rig, proxy) = registry(&primary).await;
            let standby = Cluster::standby(&primary);
            primary.wait_for_standby().await;
            let nodes = rig.nodes(2);
            let load = Load::start(&rig, nodes.iter().map(|node| node.url.clone()).collect(), 4);
            tokio::time::sleep(Duration::from_millis(1_500 + 300 * round as u64)).await;
            primary.die();
            let begun = stopwatch();
            standby.promote();
            proxy.point(Target::Port(standby.port));
            let back = answered_again(&rig, &nodes).await;
            let away = begun.elapsed();
            tokio::time::sleep(Duration::from_secs(1)).await;
            let told = load.stop().await;
            println!(
                "promoted: {} grants, {} checks and {} races acknowledged, {} times asked again, back after {away:.1?} \
                 ({back} tries), 0 lost",
                told.grants.len(),
                told.checks.len(),
                told.races,
                told.again
            );
            assert!(told.grants.len() > 5 && told.checks.len() > 5 && told.races > 0);
            drop(nodes);
            nothing_is_lost(&rig, &told, &["n0", "n1"]).await;
        }
    });
}

/// Waits until both nodes answer.
async fn answered_again(rig: &Rig, nodes: &[Server]) -> usize {
    let (developer, begun, mut tries) = (rig.developer(), stopwatch(), 0);
    for node in nodes {
        while developer.post(&format!("{}/v1/checks", node.url), &check_body(&rig.works[0])).await.status
            != 200
        {
            assert!(begun.elapsed() < Duration::from_mins(1), "they do not find the new primary");
            tokio::time::sleep(Duration::from_millis(50)).await;
            tries += 1;
        }
    }
    tries
}

/// What asynchronous replication loses is not served on: not one permit that the new primary does not know.
#[test]
fn a_standby_that_lacks_what_was_acknowledged_is_not_believed() {
    story(async || {
        let primary = Cluster::primary();
        let (rig, proxy) = registry(&primary).await;
        let standby = Cluster::standby(&primary);
        let nodes = rig.nodes(2);
        let (holder, developer, work) = (rig.holder(), rig.developer(), &rig.works[0]);
        holder.grant(&nodes[0].url, work).await;
        assert!(developer.check(&nodes[1].url, work).await.is_permitted());
        tokio::time::sleep(Duration::from_secs(1)).await;
        standby.control(&["-m", "fast", "stop"]);
        let lost = holder.grant(&nodes[0].url, &rig.works[1]).await;
        assert!(developer.check(&nodes[1].url, &rig.works[1]).await.is_permitted());
        primary.die();
        standby.start();
        standby.promote();
        proxy.point(Target::Port(standby.port));
        for node in &nodes {
            // However long one asks.
            for _ in 0..5 {
                for work in &rig.works {
                    let reply = developer.post(&format!("{}/v1/checks", node.url), &check_body(work)).await;
                    assert_eq!(reply.status, 503, "{lost:?} {reply:?}");
                }
                let act = grant(&work.id);
                let act =
                    holder.try_post(&format!("{}/v1/grants", node.url), &act, &fresh_key()).await.unwrap();
                assert_eq!(act.status, 503, "{act:?}");
            }
            assert_eq!(holder.get(&format!("{}/readyz", node.url)).await.status, 503);
        }
        drop(nodes);
        for node in ["n0", "n1"] {
            let again = crate::cli::said(rig.command(node, &rig.world.url).output().unwrap());
            assert_eq!(again.code, 1, "{}", again.err);
            assert!(again.err.contains("were published"), "{}", again.err);
        }
    });
}
