//! Every command of `README.md`, and of `docs/operating.md`, is executed, in order, in one shell in an empty folder, and shows what
//! is shown there.
//!
//! The two commands stand for themselves: the first is executed with the program that this test was built with, told to end
//! after its story; the second is this very run, and it is looked at that it is the one that `.ci/run` runs too.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use kyodaku::store::Engine;

use crate::world::{self, World};

const README: &str = include_str!("../README.md");
const OPERATING: &str = include_str!("../docs/operating.md");
const FIRST: &str = "cargo run --release -- demo";
const SECOND: &str = "sh tests/run";

/// A block of commands, and what they are said to print.
struct Block {
    commands: String,
    shown: Option<String>,
}

/// How the README ends the server, which the page for the person on call needs.
const STOP: &str = "kill %1";

/// The blocks of the README, and before the server stops those of the page for the person on call.
fn all_blocks() -> Vec<Block> {
    let (mut before, mut after) = (Vec::new(), blocks(README));
    let stop = after.iter().position(|block| block.commands.contains(STOP)).expect("the server is stopped");
    before.extend(after.drain(..stop));
    before.into_iter().chain(blocks(OPERATING)).chain(after).collect()
}

/// The fenced blocks of a text; one of `text` belongs to the commands before it.
fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut fences = text.split("```");
    // What stands between two fences is a block, what follows is prose.
    while let (Some(_), Some(block)) = (fences.next(), fences.next()) {
        let (kind, body) = block.split_once('\n').unwrap();
        match kind {
            "sh" => blocks.push(Block { commands: body.to_owned(), shown: None }),
            "text" => {
                blocks.last_mut().expect("commands before what they show").shown = Some(body.to_owned());
            }
            // Settings: they are read in a test of their own.
            "toml" => {}
            other => panic!("`{other}` is no kind of block that is tested"),
        }
    }
    blocks
}

/// Whether the output is as shown, where `…` stands for anything.
fn is_as_shown(output: &str, shown: &str) -> bool {
    let pieces: Vec<&str> = shown.trim().split('…').collect();
    let (first, last) = (pieces[0], pieces[pieces.len() - 1]);
    let output = output.trim();
    let Some(mut rest) = output.strip_prefix(first) else { return false };
    if pieces.len() == 1 {
        return rest.is_empty();
    }
    for piece in &pieces[1..pieces.len() - 1] {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

#[test]
fn what_is_shown_is_held_against_all_of_the_output() {
    assert!(
        is_as_shown("a b c\n", "a … c")
            && is_as_shown("abc", "abc")
            && is_as_shown("x\na\nb\ny", "…\na\n…\ny")
    );
    for (output, shown) in
        [("abcd", "abc"), ("a b", "a … c"), ("b a", "a…"), ("a", "a…a"), ("b c a", "…a…b…")]
    {
        assert!(!is_as_shown(output, shown), "{output} is not {shown}");
    }
}

/// The commands as a script: each block's output goes to a file of its own.
fn script(blocks: &[Block], port: u16) -> String {
    let mut script = "set -eu\n".to_owned();
    for (number, block) in blocks.iter().enumerate() {
        let commands = match block.commands.trim() {
            FIRST => "kyodaku demo --story-only --listen 127.0.0.1:0\n".to_owned(),
            SECOND => continue,
            _ => block.commands.replace("127.0.0.1:8087", &format!("127.0.0.1:{port}")),
        };
        assert!(!commands.contains("cargo "), "{commands}");
        let parts = [
            &format!("echo {number} > \"$OUT/at\"\n{{"),
            commands.trim(),
            &format!("}} > \"$OUT/{number}\" 2>> \"$OUT/errors\"\n"),
        ];
        script.push_str(&parts.join("\n"));
    }
    script
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Runs a script to its end. Whatever it leaves running is ended with it: nothing waits for a pipe that stays open.
fn execute(script: &str, folder: &Path, out: &Path, database_url: &str) -> bool {
    let programs = Path::new(env!("CARGO_BIN_EXE_kyodaku")).parent().unwrap().to_owned();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    command.args(["-c", script]).current_dir(folder).process_group(0);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("KYODAKU_") {
            command.env_remove(name);
        }
    }
    command.env("PATH", path).env("OUT", out).env("DATABASE_URL", database_url).env("LC_ALL", "C.UTF-8");
    let log = |name: &str| Stdio::from(File::create(out.join(name)).unwrap());
    let mut child = command.stdin(Stdio::null()).stdout(log("stdout")).stderr(log("stderr")).spawn().unwrap();
    let mut ended = None;
    for _ in 0..3_600 {
        ended = child.try_wait().unwrap();
        if ended.is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let group = format!("-{}", child.id());
    // Nothing may be left of it, and then there is nothing to end.
    drop(Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status());
    drop(child.wait());
    ended.is_some_and(|status| status.success())
}

#[test]
fn every_command_does_what_is_said() {
    world::run(Engine::Postgres, async |world: World| {
        let blocks = all_blocks();
        let folder = tempfile::tempdir().unwrap();
        // Programs of this folder are named as who stands at its head names them.
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
        std::os::unix::fs::symlink(docs, folder.path().join("docs")).unwrap();
        let out = tempfile::tempdir().unwrap();
        let good = execute(&script(&blocks, free_port()), folder.path(), out.path(), &world.url);
        let read = |name: &str| std::fs::read_to_string(out.path().join(name)).unwrap_or_default();
        if !good {
            let at: usize = read("at").trim().parse().unwrap();
            let (errors, stderr) = (read("errors"), read("stderr"));
            let last: Vec<&str> = errors.lines().rev().take(20).collect();
            panic!("this did not end well:\n{}\n{stderr}\nbackwards: {last:#?}", blocks[at].commands);
        }
        for (number, block) in blocks.iter().enumerate() {
            let Some(shown) = &block.shown else { continue };
            let output = read(&number.to_string());
            assert!(is_as_shown(&output, shown), "{}\nprints\n{output}\nand not\n{shown}", block.commands);
        }
        let shown = blocks.iter().filter(|block| block.shown.is_some()).count();
        assert!(
            blocks.len() > 12 && shown > 6,
            "{} blocks, {shown} of them with what they show",
            blocks.len()
        );
    });
}

#[test]
fn the_two_commands_are_those_that_are_run() {
    let commands: Vec<String> =
        blocks(README).into_iter().map(|block| block.commands.trim().to_owned()).collect();
    assert_eq!((commands[0].as_str(), commands[1].as_str()), (FIRST, SECOND));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ci = std::fs::read_to_string(root.join(".ci/run")).unwrap();
    assert!(ci.lines().any(|line| line == SECOND), "{ci}");
    let run = std::fs::read_to_string(root.join("tests/run")).unwrap();
    assert!(run.contains("cargo test --locked"), "{run}");
    let contributing = std::fs::read_to_string(root.join("CONTRIBUTING.md")).unwrap();
    assert!(contributing.contains(FIRST) && contributing.contains(SECOND), "{contributing}");
}
