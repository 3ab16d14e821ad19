//! `kyodaku keys`: the keys with which the registry signs.

use clap::Subcommand;

use super::settings::{SettingsArgs, registry_settings};
use super::{Exit, Failure, Outcome, output};
use crate::registry::keys::{self, KeyState, ListedKey};
use crate::registry::rebuild::refuse_missing_file;
use crate::store::Db;

/// List the keys with which the registry signs, by their public halves
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
}

/// List every key that signs or ever did: what for, which one, since when, and whether it signs now
///
/// Run it where the server runs, also while it runs. No secret is ever shown.
#[derive(Debug, clap::Args)]
struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(super) async fn run(args: Args) -> Outcome {
    match args.command {
        Command::List(args) => list(args).await,
    }
}

async fn list(args: List) -> Outcome {
    let settings = registry_settings(&args.settings.load()?);
    let refuse = |error: &dyn std::fmt::Display| Failure::new(error.to_string());
    refuse_missing_file(&settings.database_url).map_err(|error| refuse(&error))?;
    let db = Db::connect(&settings.database_url).await.map_err(|error| refuse(&error))?;
    let listed = keys::list(&settings, &db).await;
    db.close().await;
    let listed = listed.map_err(|error| refuse(&error))?;
    if args.json {
        output::line(serde_json::to_string_pretty(&listed).map_err(|error| refuse(&error))?);
        return Ok(Exit::Done);
    }
    for key in &listed {
        output::line(line(key));
    }
    Ok(Exit::Done)
}

/// A key as people read it.
fn line(key: &ListedKey) -> String {
    let state = match key.state {
        KeyState::Signs => "signs",
        KeyState::Published => "published",
    };
    let since = key.since.as_ref().map(|since| format!(" since {since}")).unwrap_or_default();
    let size = key.first_size.map(|size| format!(" (after {size} entries)")).unwrap_or_default();
    let secret = key.secret.map(|secret| format!(", secret: {secret}")).unwrap_or_default();
    format!("{} {state} {}{since}{size}{secret}", key.r#use, key.key)
}
