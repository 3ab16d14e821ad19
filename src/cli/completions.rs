//! `kyodaku completions`: what a shell needs to finish half-typed commands.

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Exit, output};

/// Print completions for a shell: bash, elvish, fish, powershell or zsh
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &Args) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "kyodaku", &mut script);
    output::raw(&script);
    Exit::Done
}
