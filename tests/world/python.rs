//! Programs in Python that others published, each in a virtual environment of the build folder.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Two that install the same at once would break each other's folder.
static ONE: Mutex<()> = Mutex::new(());

/// Installs this version of a package, once, and gives the folder of its programs, `python` among them.
pub(crate) fn installed(package: &str, version: &str) -> PathBuf {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{package}-{version}"));
    let programs = folder.join("bin");
    let python = programs.join("python");
    let is_installed = || {
        let import = format!("import {package}");
        Command::new(&python).args(["-c", &import]).status().is_ok_and(|it| it.success())
    };
    if !is_installed() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
        let named = format!("{package}=={version}");
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", &named]));
        assert!(is_installed(), "{package} does not import");
    }
    programs
}

fn run(command: &mut Command) {
    let done = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?} failed:\n{said}");
}
