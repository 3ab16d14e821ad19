//! `kyodaku config`: what the settings are, and where each comes from.

use clap::Subcommand;
use serde::Serialize;

use super::settings::{SettingsArgs, witnesses};
use super::{Exit, Failure, Outcome, logging, output};
use crate::config::Config;
use crate::registry::mail::Mailer;

/// Show or check the settings
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print every setting with its value and where it comes from; the output is a settings file
    Print {
        #[command(flatten)]
        settings: SettingsArgs,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Read all settings and say what is wrong or seldom meant; nothing is opened
    Check {
        #[command(flatten)]
        settings: SettingsArgs,
    },
}

#[derive(Serialize)]
struct Line<'a> {
    key: &'a str,
    value: &'a str,
    source: &'a str,
    help: &'a str,
}

pub(super) fn run(args: &Args) -> Outcome {
    match &args.command {
        Command::Print { settings, json } => print(&settings.load()?, *json),
        Command::Check { settings } => {
            let config = settings.load()?;
            for warning in config.warnings() {
                output::warning(warning);
            }
            let unusable = unusable(&config);
            if !unusable.is_empty() {
                return Err(Failure::usage(unusable.join("\n")));
            }
            output::say("the settings can be used");
            Ok(Exit::Done)
        }
    }
}

/// What the server would refuse of settings that are read only when it starts, all at once.
fn unusable(config: &Config) -> Vec<String> {
    let [url, sender] = Mailer::faults(config.mail_url.reveal(), &config.mail_from);
    let of_mail = [("mail_url", url), ("mail_from", sender)]
        .into_iter()
        .filter_map(|(key, fault)| fault.map(|fault| format!("the setting `{key}` can't be used: {fault}")));
    let read = [witnesses(config).err(), logging::filter(config).err()];
    read.into_iter().flatten().map(|failure| failure.message).chain(of_mail).collect()
}

fn print(config: &Config, json: bool) -> Outcome {
    let shown = config.shown();
    if json {
        let lines: Vec<Line<'_>> = shown
            .iter()
            .map(|it| Line { key: it.key, value: &it.value, source: it.source.as_str(), help: it.help })
            .collect();
        let text = serde_json::to_string_pretty(&lines).map_err(|error| Failure::new(error.to_string()))?;
        output::line(text);
        return Ok(Exit::Done);
    }
    for setting in shown {
        let assignment = format!("{} = {}", setting.key, setting.value);
        output::line(format_args!("# {}\n{assignment} # {}\n", setting.help, setting.source.as_str()));
    }
    Ok(Exit::Done)
}
