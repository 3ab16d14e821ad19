//! The command line: one file a command.
//!
//! Data goes to stdout, everything else to stderr. A command ends with 0; with 1 when it could not do its work; with 2
//! when it was called wrongly; with 65 when what it was given, or what a server tells, contradicts what was signed; with 69 when
//! a server does not answer, or nothing can be read, which is never a permission. `check` alone says by its
//! end whether a use is permitted, and ends with 10 when not everything is: that of `explain` says nothing about it.

mod admin;
mod backup;
mod check;
mod checks;
mod client;
mod compare;
mod completions;
mod config;
mod context;
mod cosigners;
mod demo;
mod explain;
mod export;
mod fsck;
mod import;
mod inquiry;
mod keys;
mod lock;
mod log;
mod logging;
mod monitor;
mod output;
mod pages;
mod rebuild;
mod receipt;
mod restore;
mod serve;
mod settings;
#[cfg(feature = "opentelemetry")]
mod telemetry;
mod transport;
mod unanswered;
mod verify;
mod witness;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what it was asked; for `check`: everything is permitted.
    Done,
    /// It found what it looks for: a difference.
    Differs,
    /// `verify`: something that was signed does not hold.
    DoesNotHold,
    /// `verify`: what could be read holds, and something could not be read, as it said.
    Unread,
    /// `import`: some rows were refused.
    Partly,
    /// `check`: not everything is permitted.
    NotPermitted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::Differs | Exit::Partly => Self::from(1),
            Exit::DoesNotHold => Self::from(65),
            Exit::Unread => Self::from(UNAVAILABLE),
            Exit::NotPermitted => Self::from(10),
        }
    }
}

/// The code with which a command ends when nobody answers, or something can't be read.
const UNAVAILABLE: u8 = 69;

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// It could not.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { code: 1, message: message.into() }
    }

    /// It was called wrongly.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: 2, message: message.into() }
    }

    /// What was given, or told, contradicts what was signed.
    pub(crate) fn contradiction(message: impl Into<String>) -> Self {
        Self { code: 65, message: message.into() }
    }

    /// Nobody answers, or nothing can be read.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self { code: UNAVAILABLE, message: message.into() }
    }
}

type Outcome = Result<Exit, Failure>;

/// A registry of permissions to train AI on creative works.
///
/// Only a rights holder's affirmative permission, recorded before the use, is consent.
#[derive(Debug, Parser)]
#[command(name = "kyodaku", version, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Serve(serve::Args),
    Import(import::Args),
    Check(check::Args),
    Explain(explain::Args),
    Compare(compare::Args),
    Receipt(receipt::Args),
    Admin(admin::Args),
    Keys(keys::Args),
    Config(config::Args),
    Backup(backup::Args),
    Restore(restore::Args),
    Fsck(fsck::Args),
    Rebuild(rebuild::Args),
    Log(log::Args),
    Checks(checks::Args),
    Unanswered(unanswered::Args),
    Inquiry(inquiry::Args),
    Export(export::Args),
    Verify(verify::Args),
    Witness(witness::Args),
    Monitor(monitor::Args),
    Completions(completions::Args),
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to stdout and end with 0, mistakes to stderr with 2.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let ended = match cli.command {
        Command::Demo(args) => on_runtime(demo::run(args)),
        Command::Serve(args) => on_runtime(serve::run(args)),
        Command::Admin(args) => on_runtime(admin::run(args)),
        Command::Import(args) => on_runtime(import::run(args)),
        Command::Check(args) => on_runtime(check::run(args)),
        Command::Explain(args) => on_runtime(explain::run(args)),
        Command::Compare(args) => on_runtime(compare::run(args)),
        Command::Receipt(args) => on_runtime(receipt::run(args)),
        Command::Keys(args) => on_runtime(keys::run(args)),
        Command::Config(args) => config::run(&args),
        Command::Completions(args) => Ok(completions::run(&args)),
        Command::Backup(args) => on_runtime(backup::run(args)),
        Command::Restore(args) => on_runtime(restore::run(args)),
        Command::Fsck(args) => on_runtime(fsck::run(args)),
        Command::Rebuild(args) => on_runtime(rebuild::run(args)),
        Command::Log(args) => on_runtime(log::run(args)),
        Command::Checks(args) => on_runtime(checks::run(args)),
        Command::Unanswered(args) => on_runtime(unanswered::run(args)),
        Command::Inquiry(args) => on_runtime(inquiry::run(args)),
        Command::Export(args) => on_runtime(export::run(args)),
        Command::Verify(args) => on_runtime(verify::run(args)),
        Command::Monitor(args) => on_runtime(monitor::run(args)),
        Command::Witness(args) => on_runtime(witness::run(args)),
    };
    match ended {
        Ok(Exit::Done) if output::is_lost() => {
            output::error("the output could not be written: what it said is lost");
            ExitCode::from(1)
        }
        Ok(exit) => exit.into(),
        Err(failure) => {
            output::error(&failure.message);
            ExitCode::from(failure.code)
        }
    }
}

/// Runs a command that waits for the network or the disk.
fn on_runtime(command: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(format!("the runtime can't start: {error}")))?;
    let outcome = runtime.block_on(command);
    // Somebody may still wait for a line of standard input, which never comes.
    runtime.shutdown_background();
    outcome
}
