//! `kyodaku config`: what the settings are, and where each comes from.

use clap::Subcommand;
use serde::Serialize;

use super::settings::SettingsArgs;
use super::{Exit, Failure, Outcome, output};
use crate::config::Config;

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
            output::say("the settings can be used");
            Ok(Exit::Done)
        }
    }
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
