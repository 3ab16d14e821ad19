//! `kyodaku fsck`: everything that is stored, held against what was signed.

use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};

use super::settings::{SettingsArgs, registry_settings, witnesses};
use super::verify::log::{tell_findings, tell_json};
use super::{Exit, Failure, Outcome, output};
use crate::clock::Clock;
use crate::registry::fsck::{Asked, FsckError, Ground, Scope, examine};
use crate::registry::offline::{LogReport, Report};

/// Hash everything that is stored again, and compare all of it; nothing is written
///
/// Every entry is hashed into tiles and compared, each act judged by the rules that stood, every checkpoint and cosignature verified,
/// every payload held against its digest, and the catalogue, the table of checks and the high-water marks against the logs. It may run
/// beside the server. What was erased is erased by an act, or it is named.
///
/// Ends with 0 when everything holds, with 65 when something does not, with 2 when it was called wrongly, and with 69 when
/// nothing can be read.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Neither judge acts nor compare the catalogue: in memory that does not grow with the log
    #[arg(long)]
    only_hashes: bool,
    /// Where the catalogue is written anew, to be compared; a folder for temporary files where it is not said
    #[arg(long, value_name = "FOLDER")]
    scratch: Option<PathBuf>,
    /// How many findings of a kind are told; the others are counted
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    findings: u32,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Outcome {
    let config = args.settings.load()?;
    let asked = Asked {
        scope: if args.only_hashes { Scope::Hashes } else { Scope::All },
        witnesses: witnesses(&config)?.into_iter().map(|witness| witness.key).collect(),
        most: usize::try_from(args.findings).unwrap_or(usize::MAX),
        ..Asked::all(args.scratch.unwrap_or_else(std::env::temp_dir))
    };
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} of {len} readings of an entry, {elapsed}")
    {
        bar.set_style(style);
    }
    let shown = bar.clone();
    let progress = move |done, of| {
        shown.set_length(of);
        shown.set_position(done);
    };
    let ground =
        Ground::open(&registry_settings(&config), &Clock::system()).await.map_err(|error| unread(&error))?;
    let report = examine(&ground, &asked, &progress).await;
    ground.close().await;
    bar.finish_and_clear();
    let report = report.map_err(|error| unread(&error))?;
    if args.json {
        tell_json(&report)?;
    } else {
        tell(&report);
    }
    Ok(if report.findings.total() == 0 { Exit::Done } else { Exit::DoesNotHold })
}

/// Nothing is said of what is stored.
fn unread(error: &FsckError) -> Failure {
    Failure::unavailable(error.to_string())
}

fn tell(report: &Report) {
    for log in &report.logs {
        let LogReport { log: name, size, root, checkpoints, tiles, replayed, .. } = log;
        let read = match log.rules {
            Some(rules) => format!("{replayed} acts replayed, under version {rules} of the rules at the end"),
            None => format!("{replayed} entries decoded"),
        };
        output::line(format_args!(
            "log `{name}`: {size} entries, root {root}, {checkpoints} checkpoints, {tiles} tiles, {read}"
        ));
    }
    tell_findings(report);
}
