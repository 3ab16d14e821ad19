//! `kyodaku backup`: everything as of one moment, in a folder.

use std::path::PathBuf;

use super::settings::{SettingsArgs, registry_settings};
use super::{Exit, Failure, Outcome, output};
use crate::clock::Clock;
use crate::registry::backup::backup;

/// Write a backup of one moment into a folder; the server may run meanwhile
///
/// It holds the logs, the catalogue, what people typed, accounts, and answers given. Keep it as you keep the database:
/// it can be read by whoever has it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A folder that is empty or not there yet
    #[arg(value_name = "FOLDER")]
    to: PathBuf,
    /// Put the signing keys into it too: whoever has them can sign as this registry
    #[arg(long)]
    with_keys: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(super) async fn run(args: Args) -> Outcome {
    let config = args.settings.load()?;
    let made = backup(&registry_settings(&config), &Clock::system(), &args.to, args.with_keys).await;
    let manifest = made.map_err(|error| Failure::new(error.to_string()))?;
    for (log, head) in &manifest.logs {
        output::line(format_args!("log `{log}`: {} entries, root {}", head.size, head.root));
    }
    if !args.with_keys {
        output::say("the signing keys are not in it: keep them elsewhere, or say `--with-keys`");
    }
    Ok(Exit::Done)
}
