//! One private PostgreSQL cluster for the test process.
//!
//! It is made by the machine's `initdb`, listens on a socket in a temporary folder only, writes with `fsync` on, and
//! runs as another user where the tests run as root, because PostgreSQL refuses root. A watchdog shell holds the
//! reading end of a pipe: when the test process ends, however it ends, the pipe closes and the shell stops the
//! cluster and deletes the folder.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// What a person without PostgreSQL has to do; the stories are never skipped.
const MISSING: &str = "PostgreSQL's `initdb` and `pg_ctl` are neither on PATH nor in /usr/lib/postgresql/*/bin: \
                       install PostgreSQL 14 or later (Debian: `apt-get install postgresql`)";

struct Cluster {
    folder: PathBuf,
    /// Kept for the pipe to its standard input, which closes with this process.
    _watchdog: Child,
}

static CLUSTER: OnceLock<Cluster> = OnceLock::new();

/// Makes an empty database in the private cluster and gives its address.
pub(crate) async fn fresh_database() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let cluster = CLUSTER.get_or_init(start);
    let name = format!("story_{}", NEXT.fetch_add(1, Ordering::SeqCst));
    tell(cluster, format!("CREATE DATABASE {name}")).await;
    address(&cluster.folder, &name)
}

/// Deletes a database that [`fresh_database`] gave: hundreds of them would fill the disk.
pub(crate) async fn delete(address: &str) {
    let cluster = CLUSTER.get_or_init(start);
    let name = address.trim_start_matches("postgres:///").split('?').next().expect("a name");
    tell(cluster, format!("DROP DATABASE {name} WITH (FORCE)")).await;
}

/// Says this to the cluster; it is made of literals and a number.
async fn tell(cluster: &Cluster, command: String) {
    let address = address(&cluster.folder, "postgres");
    let mut admin = PgConnection::connect(&address).await.expect("the cluster answers");
    sqlx::raw_sql(AssertSqlSafe(command)).execute(&mut admin).await.expect("it is done");
    admin.close().await.expect("the connection closes");
}

fn address(folder: &Path, database: &str) -> String {
    format!("postgres:///{database}?host={}&user=kyodaku", folder.display())
}

/// A shell that stops the cluster in `data` and deletes `folder` once this process is gone, or lets go of it.
pub(crate) fn watch(user: Option<(u32, u32)>, bin: &Path, data: &Path, folder: &Path) -> Child {
    let stop = format!(
        "cat >/dev/null; {prefix}'{pg_ctl}' -D '{data}' -m immediate stop >/dev/null 2>&1; rm -rf '{folder}'",
        prefix = user.map(|(uid, gid)| format!("{} ", as_user(uid, gid).join(" "))).unwrap_or_default(),
        pg_ctl = bin.join("pg_ctl").display(),
        data = data.display(),
        folder = folder.display(),
    );
    Command::new("sh")
        .args(["-c", &stop])
        .current_dir("/")
        .stdin(Stdio::piped())
        // A group of its own: Ctrl-C ends the tests, not the one who cleans up after them.
        .process_group(0)
        .spawn()
        .expect("a shell")
}

/// A folder that the cluster's user owns.
pub(crate) fn own_folder(user: Option<(u32, u32)>) -> PathBuf {
    let folder = tempfile::Builder::new().prefix("kyodaku-pg-").tempdir().expect("a temporary folder").keep();
    if let Some((uid, gid)) = user {
        chown(&folder, Some(uid), Some(gid)).expect("root may give a folder away");
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).expect("own folder");
    folder
}

/// Makes a cluster with the superuser `kyodaku`, whom it trusts.
pub(crate) fn initdb(user: Option<(u32, u32)>, bin: &Path, data: &Path) {
    let program = bin.join("initdb");
    run(
        user,
        &program,
        &[
            "-D",
            text(data),
            "-U",
            "kyodaku",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ],
    );
}

fn start() -> Cluster {
    let bin = binaries();
    let user = other_user_if_root();
    let folder = own_folder(user);
    let data = folder.join("data");

    let watchdog = watch(user, &bin, &data, &folder);
    initdb(user, &bin, &data);
    let settings = format!(
        "-c listen_addresses='' -c unix_socket_directories='{}' -c max_connections=300 -c shared_buffers=64MB \
         -c fsync=on -c synchronous_commit=on -c full_page_writes=on -c log_min_messages=fatal",
        folder.display()
    );
    let log = folder.join("server.txt");
    run(
        user,
        &bin.join("pg_ctl"),
        &["-D", text(&data), "-l", text(&log), "-o", &settings, "-w", "-t", "60", "start"],
    );
    Cluster { folder, _watchdog: watchdog }
}

pub(crate) fn run(user: Option<(u32, u32)>, program: &Path, arguments: &[&str]) {
    let mut command = match user {
        None => Command::new(program),
        Some((uid, gid)) => {
            let prefix = as_user(uid, gid);
            let mut command = Command::new(&prefix[0]);
            command.args(&prefix[1..]).arg(program);
            command
        }
    };
    // A file, not a pipe: the server inherits it and would keep a pipe open for ever.
    let said = tempfile::NamedTempFile::new().expect("a temporary file");
    let status = command
        .args(arguments)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(said.reopen().expect("the same file"))
        .stderr(said.reopen().expect("the same file"))
        .status()
        .unwrap_or_else(|error| panic!("cannot run `{}`: {error}", program.display()));
    let words = fs::read_to_string(said.path()).unwrap_or_default();
    assert!(status.success(), "`{}` failed with {status}:\n{words}", program.display());
}

/// The command before a command that runs it as another user.
fn as_user(uid: u32, gid: u32) -> Vec<String> {
    vec![
        "setpriv".into(),
        format!("--reuid={uid}"),
        format!("--regid={gid}"),
        "--clear-groups".into(),
        "--".into(),
    ]
}

/// `postgres` or else `nobody`, when these tests run as root.
pub(crate) fn other_user_if_root() -> Option<(u32, u32)> {
    if fs::metadata("/proc/self").map_or(1, |me| me.uid()) != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("/etc/passwd");
    ["postgres", "nobody"].iter().find_map(|name| {
        let line = users.lines().find(|line| line.starts_with(&format!("{name}:")))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}

/// The folder that holds `initdb` and `pg_ctl`: on PATH, or the newest of Debian's.
pub(crate) fn binaries() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut debian: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|folders| folders.flatten().map(|folder| folder.path().join("bin")).collect())
        .unwrap_or_default();
    debian.sort_by_key(|bin| {
        bin.parent().and_then(Path::file_name).and_then(|name| name.to_str()?.parse::<u32>().ok())
    });
    std::env::split_paths(&path)
        .chain(debian.into_iter().rev())
        .find(|bin| bin.join("initdb").exists() && bin.join("pg_ctl").exists())
        .unwrap_or_else(|| panic!("{MISSING}"))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}
