//! `kyodaku restore`: a registry from a backup.

use std::path::PathBuf;

use super::lock::Lock;
use super::settings::{SettingsArgs, registry_settings};
use super::{Exit, Failure, Outcome, output};
use crate::clock::Clock;
use crate::registry::backup::restore;

/// Make a registry from a backup, in an empty database of either kind
///
/// Everything in the backup is verified first; where anything differs nothing is changed.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder that `kyodaku backup` wrote
    #[arg(value_name = "FOLDER")]
    from: PathBuf,
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(super) async fn run(args: Args) -> Outcome {
    let config = args.settings.load()?;
    let _lock = Lock::take(&config)?;
    let settings = registry_settings(&config);
    let restored = restore(&settings, &Clock::system(), &args.from, &|_, _| {}).await;
    let restored = restored.map_err(|error| Failure::new(error.to_string()))?;
    for (log, head) in &restored.manifest.logs {
        output::line(format_args!("log `{log}`: {} entries, root {}", head.size, head.root));
    }
    for what in &restored.unverified {
        output::warning(format_args!("not verified: {}", output::plain(what)));
    }
    for key in &restored.keys_missing {
        output::warning(format_args!("`{key}` is neither in the backup nor in the data folder"));
    }
    Ok(Exit::Done)
}
