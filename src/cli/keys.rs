//! `kyodaku keys`: the keys with which the registry signs.

use clap::Subcommand;

use super::lock::Lock;
use super::settings::{SettingsArgs, clock, registry_settings};
use super::{Exit, Failure, Outcome, output};
use crate::clock::Clock;
use crate::config::{Origin, Value};
use crate::registry::authority::{Registrar, Scope};
use crate::registry::credential::{Credential, Secret};
use crate::registry::fsck::refuse_missing_file;
use crate::registry::keys::{self, Continued, KeyName, KeyState, ListedKey, Rotated};
use crate::registry::{Registry, Settings, SubmitError};
use crate::store::Db;

/// List the keys with which the registry signs, and let one give way to another
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
    Prepare(Prepare),
    Rotate(Rotate),
    NewOrigin(NewOrigin),
}

/// Which key.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Use {
    /// It signs checkpoints of the act log
    ActLog,
    /// It signs checkpoints of the journals
    Journal,
    /// It signs receipts
    Receipt,
    /// It signs access tokens
    Token,
}

impl From<Use> for KeyName {
    fn from(of: Use) -> Self {
        match of {
            Use::ActLog => Self::ActLog,
            Use::Journal => Self::Journal,
            Use::Receipt => Self::Receipt,
            Use::Token => Self::Token,
        }
    }
}

/// Make the next key, and publish it beside the one of today; prints its public half
///
/// Copy its file to the data folder of every node, and start each again: from then on both sign, and everybody who follows can learn
/// it. Run it where the server runs, also while it runs.
#[derive(Debug, clap::Args)]
struct Prepare {
    /// Which key
    of: Use,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Let the key of today give way to the one that was prepared (as the registrar)
///
/// The log shows it. The old one is deleted from the data folder; where a setting says that it is elsewhere, it is yours to replace. Run it where the server runs, also while it runs; then start each node again.
#[derive(clap::Args)]
struct Rotate {
    /// Which key
    of: Use,
    /// The API key of a person of the registrar, given in the environment
    #[arg(long, env = "KYODAKU_API_KEY", hide_env_values = true, value_name = "KEY")]
    api_key: Option<String>,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Let the log go on under another name and key: the way out when the key of the act log was lost or stolen
///
/// The same tree goes on; its first entry under the new name commits to the last checkpoint under the old one. Stop every server first,
/// and read "The key of the act log is lost, or stolen" in `docs/operating.md`: others must be told.
#[derive(Debug, clap::Args)]
struct NewOrigin {
    /// The new name, which the log never had: a URL without its scheme
    #[arg(value_parser = origin)]
    name: Origin,
    /// Give up for ever what was published, by whichever node, and is not in the database any more; the log shows it
    #[arg(long)]
    give_up: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

fn origin(text: &str) -> Result<Origin, String> {
    Origin::read(text, &())
}

impl std::fmt::Debug for Rotate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rotate").field("of", &self.of).finish_non_exhaustive()
    }
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
        Command::Prepare(args) => prepare(args).await,
        Command::Rotate(args) => rotate(args).await,
        Command::NewOrigin(args) => new_origin(args).await,
    }
}

fn refuse(error: impl std::fmt::Display) -> Failure {
    Failure::new(error.to_string())
}

/// The database of these settings, which is not made.
async fn database(settings: &Settings) -> Result<Db, Failure> {
    refuse_missing_file(&settings.database_url).map_err(refuse)?;
    Db::connect(&settings.database_url).await.map_err(refuse)
}

async fn list(args: List) -> Outcome {
    let settings = registry_settings(&args.settings.load()?);
    let db = database(&settings).await?;
    let listed = keys::list(&settings, &db, &Clock::system()).await;
    db.close().await;
    let listed = listed.map_err(refuse)?;
    if args.json {
        output::line(serde_json::to_string_pretty(&listed).map_err(refuse)?);
        return Ok(Exit::Done);
    }
    for key in &listed {
        output::line(line(key));
    }
    Ok(Exit::Done)
}

async fn prepare(args: Prepare) -> Outcome {
    let settings = registry_settings(&args.settings.load()?);
    let db = database(&settings).await?;
    let prepared = keys::prepare(&settings, &db, &Clock::system(), args.of.into()).await;
    db.close().await;
    let prepared = prepared.map_err(refuse)?;
    for key in &prepared.keys {
        output::line(key);
    }
    let file = prepared.file.display();
    output::say(format_args!(
        "it is published; copy `{file}` to the data folder of every node, start each again, let those who follow learn it, then \
         `kyodaku keys rotate`"
    ));
    Ok(Exit::Done)
}

async fn rotate(args: Rotate) -> Outcome {
    let Some(secret) = args.api_key.as_deref() else {
        return Err(Failure::usage("it is an act of the registrar: set `KYODAKU_API_KEY`"));
    };
    let config = args.settings.load()?;
    refuse_missing_file(config.database_url.reveal()).map_err(refuse)?;
    let registry = Registry::open(registry_settings(&config), clock(&config)?).await.map_err(refuse)?;
    let rotated = as_registrar(&registry, secret, args.of.into()).await;
    registry.db().close().await;
    let rotated = rotated.map_err(told)?;
    for act in &rotated.acts {
        output::line(format_args!("{} gave way to {}", act.old, act.new));
    }
    output::say(done(rotated.old_stays_in, args.of.into()));
    Ok(Exit::Done)
}

/// What is left to be done after a rotation.
fn done(old_stays_in: Option<&str>, name: KeyName) -> String {
    let (next, setting) = (name.next_file(), name.setting());
    match old_stays_in {
        None => "it is recorded, and the old key is deleted here; start each node again".to_owned(),
        Some(place) => format!(
            "it is recorded; the old key is still where the setting `{setting}` says ({place}): put what is in `{next}` there in its place, \
             start each node again, and then delete that file"
        ),
    }
}

async fn new_origin(args: NewOrigin) -> Outcome {
    let config = args.settings.load()?;
    let _lock = Lock::take(&config)?;
    let (settings, clock) = (registry_settings(&config), clock(&config)?);
    let db = database(&settings).await?;
    let name = args.name.to_string();
    let continued = keys::continue_log(&settings, &name, &db, &clock, args.give_up).await;
    db.close().await;
    let Continued { from, key, set_aside } = continued.map_err(refuse)?;
    match from {
        Some((from, head)) => {
            output::line(format_args!("`{from}` ends with {} entries, root {}", head.size, head.root));
        }
        None => output::say("it went on before; what was left over is done"),
    }
    output::line(format_args!("`{name}` goes on, signed by {key}"));
    if let Some(file) = set_aside {
        output::warning(format_args!(
            "what was published and is not here is given up; `{file}` says what that was"
        ));
    }
    output::say(format_args!(
        "set `origin` to `{name}` and give every node a `node` name that none has had; `docs/operating.md` says whom to tell"
    ));
    Ok(Exit::Done)
}

async fn as_registrar(
    registry: &Registry,
    secret: &str,
    name: KeyName,
) -> Result<Rotated, crate::registry::Failure> {
    let wrong = crate::registry::Failure::NotYou("the key is unknown, over, or was ended");
    let Ok(secret) = Secret::read(secret) else { return Err(wrong) };
    let actor = registry.authenticate(&Credential::Key(secret)).await?.ok_or(wrong)?;
    keys::rotate(registry, &Registrar::prove(&actor, Scope::Register)?, name).await
}

/// A failure with everything that the rules say against it.
fn told(failure: crate::registry::Failure) -> Failure {
    match failure {
        crate::registry::Failure::Submit(SubmitError::Refused(refusals)) => {
            let why: Vec<String> = refusals.into_iter().map(|refusal| refusal.detail).collect();
            Failure::new(why.join("; "))
        }
        other => refuse(other),
    }
}

/// A key as people read it.
fn line(key: &ListedKey) -> String {
    let state = match key.state {
        KeyState::Signs => "signs",
        KeyState::Next => "next",
        KeyState::Published => "published",
    };
    let since = key.since.as_ref().map(|since| format!(" since {since}")).unwrap_or_default();
    let size = key.first_size.map(|size| format!(" (after {size} entries)")).unwrap_or_default();
    let until = key.until.as_ref().zip(key.ended_by);
    let until = until.map(|(until, at)| format!(" until {until} (entry {at})")).unwrap_or_default();
    let secret = key.secret.map(|secret| format!(", secret: {secret}")).unwrap_or_default();
    format!("{} {state} {}{since}{size}{until}{secret}", key.r#use, key.key)
}
