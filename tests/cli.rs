//! The command line: each command through the built binary, with its exit code.

mod check;
mod config;
mod demo;
mod explain;
mod fake;
pub(crate) mod fsck;
pub(crate) mod import;
mod lines;
mod modes;
mod monitor;
mod rebuild;
pub(crate) mod serve;
mod stderr;
mod transport;
mod witness;

use std::ffi::OsStr;
use std::process::{Command, Output, Stdio};

/// The built binary, without anything of the test's own environment that it would read.
pub(crate) fn kyodaku() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kyodaku"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("KYODAKU_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// What a command said and how it ended.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the binary to its end.
pub(crate) fn run(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Said {
    said(kyodaku().args(arguments).output().expect("the binary runs"))
}

pub(crate) fn said(output: Output) -> Said {
    Said {
        code: output.status.code().expect("an exit code"),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

#[test]
fn completions_are_a_script_for_each_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let said = run(["completions", shell]);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{shell}");
        assert!(said.out.contains("rebuild") && said.out.contains("kyodaku"), "{shell}: {}", said.out);
    }
    assert_eq!(run(["completions", "tcsh"]).code, 2);
}

#[test]
fn a_wrong_call_ends_with_2_and_help_with_0() {
    for wrong in [&["frobnicate"][..], &["config"], &["rebuild", "--no-such-flag"], &[]] {
        let said = run(wrong);
        assert_eq!(said.code, 2, "{wrong:?}: {}{}", said.out, said.err);
        assert_eq!(said.out, "");
    }
    let help = run(["--help"]);
    assert_eq!((help.code, help.err.as_str()), (0, ""));
    assert!(run(["--version"]).out.starts_with("kyodaku "));
}
