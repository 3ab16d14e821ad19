//! The flags that commands with a database share, and what their settings mean to the floors below.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::Failure;
use crate::clock::Clock;
use crate::config::{Config, KeyText, ScrubScope};
use crate::http::server::Limits;
use crate::registry;
use crate::registry::fsck::Scope;
use crate::registry::keys::{KeyName, KeySettings, KeySource, Seed};
use crate::registry::scrub::ScrubSettings;
use crate::registry::sign_in::ProviderSettings;
use crate::registry::witnesses::WitnessSettings;

/// Where the settings come from.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Settings")]
pub(super) struct SettingsArgs {
    /// The file with settings (TOML); `kyodaku.toml` is read if it is there
    #[arg(long, value_name = "FILE", env = "KYODAKU_CONFIG")]
    config: Option<PathBuf>,
    /// The folder of keys, marks and the embedded database
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<String>,
    /// The database: `sqlite:PATH` or `postgres://USER@HOST/NAME`
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// The address and port of the server
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// The name of this registry's log
    #[arg(long, value_name = "NAME")]
    origin: Option<String>,
    /// The name of this process
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// The form of log lines: `text` or `json`
    #[arg(long, value_name = "FORM")]
    log_format: Option<String>,
    /// Any other setting; `kyodaku config print` lists them
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

impl SettingsArgs {
    /// The settings of all layers.
    pub(super) fn load(&self) -> Result<Config, Failure> {
        let named = [
            ("data_dir", &self.data_dir),
            ("database_url", &self.database_url),
            ("listen", &self.listen),
            ("origin", &self.origin),
            ("node", &self.node),
            ("log_format", &self.log_format),
        ];
        let named = named.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?)));
        // `--set` first: a flag of its own is the plainer word.
        let flags: Vec<_> = self.set.iter().cloned().chain(named).collect();
        // A name that is no text is none that is known; a value that is none is refused by its name.
        let environment =
            std::env::vars_os().map(|(name, value)| (name.to_string_lossy().into_owned(), value));
        Config::load(self.config.as_deref(), environment, flags)
            .map_err(|error| Failure::usage(error.to_string()))
    }
}

/// The machine's clock, and the word of whoever vouches for it.
pub(super) fn clock(config: &Config) -> Result<Clock, Failure> {
    let clock = Clock::system();
    let Some(vouched) = config.accept_clock.0 else { return Ok(clock) };
    clock.vouched(vouched.as_millisecond()).map_err(|behind_ms| {
        let hours = behind_ms / 3_600_000;
        Failure::new(format!(
            "`accept_clock` is `{vouched}`, and the clock of this machine is {hours} hours behind it: one of the two is wrong"
        ))
    })
}

/// What a node is opened with.
pub(super) fn registry_settings(config: &Config) -> registry::Settings {
    registry::Settings {
        database_url: config.database_url.reveal().to_owned(),
        data_dir: config.data_dir.clone(),
        origin: config.origin.to_string(),
        node: config.node.to_string(),
        recheck_max_ms: i64::try_from(config.recheck_max_s.saturating_mul(1_000)).unwrap_or(i64::MAX),
        mail: registry::MailSettings {
            url: config.mail_url.reveal().to_owned(),
            sender: config.mail_from.clone(),
            public_url: config.public_url.to_string(),
        },
        four_eyes: config.four_eyes,
        admitting: registry::sequencer::ADMITTING,
        keys: keys(config),
    }
}

/// Where the keys are.
fn keys(config: &Config) -> KeySettings {
    let stated = config.signing_keys().into_iter().filter_map(|(setting, text)| {
        let source = match text {
            KeyText::None => return None,
            KeyText::File(path) => KeySource::File(path.clone()),
            KeyText::Given(bytes) => KeySource::Given(Seed::from(*bytes)),
        };
        Some((KeyName::of_setting(setting)?, source))
    });
    stated.collect()
}

/// The provider through which people may sign in too, if the settings name one.
pub(super) fn provider(config: &Config) -> Option<ProviderSettings> {
    let issuer = config.oidc_issuer.as_str();
    (!issuer.is_empty()).then(|| ProviderSettings {
        issuer: issuer.to_owned(),
        client_id: config.oidc_client_id.clone(),
        client_secret: config.oidc_client_secret.reveal().to_owned(),
        redirect_url: config.oidc_redirect_url.to_string(),
    })
}

/// The witnesses that the settings name.
pub(super) fn witnesses(config: &Config) -> Result<Vec<WitnessSettings>, Failure> {
    let stated = config.witnesses.as_slice().iter();
    let read = stated.map(|(key, url)| WitnessSettings::new(key, url));
    read.collect::<Result<_, _>>()
        .map_err(|error| Failure::usage(format!("the setting `witnesses` can't be used: {error}")))
}

/// How everything is examined beside answering, unless the settings say that it is not.
pub(super) fn scrub(config: &Config) -> Result<Option<ScrubSettings>, Failure> {
    let scope = match config.scrub {
        ScrubScope::Off => return Ok(None),
        ScrubScope::Hashes => Scope::Hashes,
        ScrubScope::All => Scope::All,
    };
    Ok(Some(ScrubSettings {
        scope,
        percent: u32::try_from(config.scrub_percent).unwrap_or(100),
        interval: Duration::from_secs(config.scrub_interval_s),
        witnesses: witnesses(config)?.into_iter().map(|witness| witness.key).collect(),
    }))
}

/// The limits of the accept loop.
pub(super) fn limits(config: &Config) -> Limits {
    Limits {
        header_read: Duration::from_secs(config.header_read_s),
        idle: Duration::from_secs(config.idle_s),
        stall: Duration::from_secs(config.stall_s),
        connections: usize::try_from(config.connections).unwrap_or(usize::MAX),
        connections_per_network: usize::try_from(config.connections_per_network).unwrap_or(usize::MAX),
        grace: Duration::from_secs(config.grace_s),
        header_fields: usize::try_from(config.header_fields).unwrap_or(usize::MAX),
        head_bytes: usize::try_from(config.head_bytes).unwrap_or(usize::MAX),
        streams: u32::try_from(config.streams).unwrap_or(u32::MAX),
    }
}
