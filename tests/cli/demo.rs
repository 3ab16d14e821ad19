//! `kyodaku demo`: the story ends as it must, once, however often and however badly it is interrupted.

use kyodaku::clock::Clock;
use kyodaku::registry::{MailSettings, Registry, Settings};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::serve::Server;
use super::{Said, kyodaku, run, said};

/// The verdicts of the story, scene by scene.
const VERDICTS: [bool; 11] = [false, false, false, false, false, false, true, false, false, true, false];

fn demo(folder: &Path) -> Command {
    let mut command = kyodaku();
    command.args(["demo", "--story-only", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder);
    command.env("LC_ALL", "C.UTF-8");
    command
}

fn told(folder: &Path) -> Said {
    said(demo(folder).output().unwrap())
}

fn verdicts(said: &Said) -> Vec<bool> {
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    let answers = said.out.lines().filter(|line| line.contains("(log size "));
    answers.map(|line| !line.contains("not permitted")).collect()
}

/// What the demo noted in a folder.
fn notes(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("demo.json")).unwrap()).unwrap()
}

fn checked(folder: &Path) -> String {
    let folder = folder.to_str().unwrap();
    let words = ["rebuild", "--check", "--data-dir", folder, "--origin", "demo.kyodaku.example/log"];
    let said = run(words);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    said.out
}

#[test]
fn the_story_is_told_and_told_again_from_the_log_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("demo");
    let first = told(&folder);
    assert_eq!(verdicts(&first), VERDICTS);
    let reasons = [
        "not_registered: ",
        "no_grant: ",
        "opt_out_recorded: ",
        "partly_granted: ",
        "layer_not_permitted: ",
        "revoked: ",
    ];
    for reason in reasons {
        assert!(first.out.contains(reason), "{reason}: {}", first.out);
    }
    let before = notes(&folder);
    let again = told(&folder);
    assert_eq!(verdicts(&again), VERDICTS);
    assert!(again.out.contains("was told before"), "{}", again.out);
    let answers = |said: &Said| {
        said.out.lines().filter(|line| line.contains("(log size ")).map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(answers(&first), answers(&again));
    assert_eq!(notes(&folder), before, "nothing was done again");
    let japanese = said(demo(&folder).args(["--lang", "ja"]).output().unwrap());
    assert!(japanese.out.contains("○ 許諾あり") && japanese.out.contains("× 許諾なし"), "{}", japanese.out);
    checked(&folder);
}

#[cfg(unix)]
#[test]
fn the_keys_of_the_demo_are_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("demo");
    assert_eq!(told(&folder).code, 0);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&folder.join("demo.json"))), (0o700, 0o600));
}

/// How many works, grants, denials and reservations are on record in a folder.
async fn on_record(folder: &Path) -> [usize; 4] {
    let settings = Settings {
        database_url: format!("sqlite:{}", folder.join("kyodaku.db").display()),
        data_dir: folder.to_owned(),
        origin: "demo.kyodaku.example/log".to_owned(),
        node: "main".to_owned(),
        recheck_max_ms: 1_000,
        mail: MailSettings::folder(folder),
        four_eyes: false,
        admitting: kyodaku::registry::sequencer::ADMITTING,
        keys: kyodaku::registry::keys::KeySettings::default(),
    };
    let registry = Registry::open(settings, Clock::system()).await.unwrap();
    let counts = registry.read(|now| {
        let index = now.index;
        [
            index.works.iter().count(),
            index.grants.len(),
            index.denials.len(),
            index.reservations.iter().count(),
        ]
    });
    let counts = counts.await.unwrap();
    registry.db().close().await;
    counts
}

/// Killed after any step, the demo goes on where it stopped, and every work and permission is on record once.
#[tokio::test]
async fn a_killed_demo_goes_on_where_it_stopped() {
    let whole = tempfile::tempdir().unwrap();
    let whole = whole.path().join("demo");
    assert_eq!(verdicts(&told(&whole)), VERDICTS);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("demo");
    let mut killed = 0;
    let done = || {
        std::fs::read(folder.join("demo.json"))
            .map_or(0, |_| notes(&folder)["steps"].as_object().unwrap().len())
    };
    for steps in [1, 9, 20, 31, 45] {
        let mut child = demo(&folder).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while done() < steps && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        killed += usize::from(!child.wait().unwrap().success());
    }
    assert!(killed > 0, "it was never killed");
    assert_eq!(verdicts(&told(&folder)), VERDICTS);
    let (one, other) = (notes(&whole), notes(&folder));
    let names = |notes: &Value| notes["steps"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&one), names(&other));
    assert_eq!(on_record(&folder).await, on_record(&whole).await);
    checked(&folder);
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("kyodaku.db"), "a registry").unwrap();
    let refused = told(folder.path());
    assert_eq!((refused.code, refused.out.as_str()), (2, ""), "{}", refused.err);
    assert!(refused.err.contains("not the demo's") && refused.err.contains("--data-dir"), "{}", refused.err);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn the_demo_goes_on_to_serve_and_says_what_to_try() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("demo");
    assert_eq!(told(&folder).code, 0);
    let out = folder.with_extension("out");
    let mut command = kyodaku();
    command.args(["demo", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&folder).env("LC_ALL", "C.UTF-8");
    let mut child =
        command.stdout(std::fs::File::create(&out).unwrap()).stderr(Stdio::null()).spawn().unwrap();
    let text = loop {
        let text = std::fs::read_to_string(&out).unwrap();
        if text.contains("/position -H") && text.ends_with('\n') {
            break text;
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended: {text}");
        std::thread::sleep(Duration::from_millis(20));
    };
    let mut server = Server::of(child);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| {
            line.starts_with("export ") || line.starts_with("KYODAKU_API_KEY=") || line.starts_with("curl ")
        })
        .collect();
    assert_eq!(lines.len(), 4, "{text}");
    // Revoked: the check ends with 10; the others with 0.
    for (line, code) in lines[1..].iter().zip([10, 0, 0]) {
        let script = format!("{}\n{line}", lines[0]);
        let tried = said(Command::new("sh").args(["-c", &script]).output().unwrap());
        assert_eq!(tried.code, code, "{script}: {}{}", tried.out, tried.err);
    }
    assert_eq!(server.stop(), 0);
}

#[test]
fn the_demo_reads_no_settings_of_a_registry_and_takes_none_of_its_keys() {
    let folder = tempfile::tempdir().unwrap();
    let (key, own) = (folder.path().join("production.key"), folder.path().join("demo"));
    std::fs::write(&key, "ab".repeat(32)).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let settings = format!("act_log_key = '{0}'\njournal_key = '{0}'\nnode = 'production'\n", key.display());
    std::fs::write(folder.path().join("kyodaku.toml"), settings).unwrap();
    let mut command = demo(&own);
    command.current_dir(folder.path()).env("KYODAKU_RECEIPT_KEY", &key).env("KYODAKU_NODE", "no name");
    assert_eq!(verdicts(&said(command.output().unwrap())), VERDICTS);
    for name in ["act-log.key", "journal.key", "receipts.key"] {
        let made = std::fs::read_to_string(own.join(name)).unwrap();
        assert_ne!(made.trim_end(), "ab".repeat(32), "{name}");
    }
}
