//! What is made in a data folder is for its owner's eyes alone, whichever command comes first; what was there keeps its mode.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::serve::{Server, create_registrar, serve, settings};
use super::{Said, kyodaku, said};
use crate::world::{World, both};

/// The same command under the mask that most systems have.
fn usual(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask 022; exec \"$0\" \"$@\""]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

fn run(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Said {
    said(usual(kyodaku().args(arguments)).output().unwrap())
}

fn mode(path: &Path) -> u32 {
    let found = std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    found.permissions().mode() & 0o777
}

/// The database and the files beside it, as far as they are there.
fn is_private(database: &Path) {
    assert_eq!(mode(database), 0o600, "{}", database.display());
    for beside in ["-wal", "-shm"] {
        let mut path = database.as_os_str().to_owned();
        path.push(beside);
        let path = Path::new(&path);
        assert!(!path.exists() || mode(path) == 0o600, "{}", path.display());
    }
}

both!(what_serve_and_restore_make_is_for_the_owner_alone, async |world: World| {
    let data = world.folder.path().join("data");
    let mut server = Server::start(&mut usual(&serve(&world)));
    create_registrar(&world, "first");
    assert_eq!(mode(&data), 0o700);
    if let Some(database) = world.url.strip_prefix("sqlite:") {
        is_private(Path::new(database));
        assert!(Path::new(&format!("{database}-wal")).exists());
        assert_eq!(mode(&data.join("sandbox")), 0o700);
        is_private(&data.join("sandbox/kyodaku.db"));
    }
    assert_eq!(server.stop(), 0);
    assert_eq!(mode(&data.join("index.snapshot")), 0o600);

    let backup = world.folder.path().join("backup");
    let words = ["backup", backup.to_str().unwrap(), "--with-keys"].map(ToOwned::to_owned);
    let made = run(words.iter().chain(&settings(&world)));
    assert_eq!(made.code, 0, "{}{}", made.out, made.err);
    let restored = world.folder.path().join("restored");
    let database = format!("sqlite:{}", restored.join("kyodaku.db").display());
    let restore = |data: &Path| {
        let data = data.to_str().unwrap();
        let origin = ["--origin", "kyodaku.example/log"];
        let words = ["restore", backup.to_str().unwrap(), "--data-dir", data, "--database-url", &database];
        run(words.iter().chain(&origin))
    };
    let made = restore(&restored);
    assert_eq!(made.code, 0, "{}{}", made.out, made.err);
    assert_eq!(mode(&restored), 0o700);
    is_private(&restored.join("kyodaku.db"));
});

#[test]
fn another_command_that_comes_first_makes_a_private_folder_too_and_leaves_one_that_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let (new, old) = (folder.path().join("above/data"), folder.path().join("old"));
    std::fs::create_dir(&old).unwrap();
    std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o750)).unwrap();
    for (data, expected) in [(&new, 0o700), (&old, 0o750)] {
        let words = ["admin", "create-registrar", "--person", "first", "--data-dir", data.to_str().unwrap()];
        let made = run(words);
        assert_eq!(made.code, 0, "{}{}", made.out, made.err);
        assert_eq!(mode(data), expected);
        is_private(&data.join("kyodaku.db"));
    }
    assert_eq!(mode(new.parent().unwrap()), 0o700);
}
