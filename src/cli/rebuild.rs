//! `kyodaku rebuild`: folds the log again and compares.

use indicatif::{ProgressBar, ProgressStyle};

use super::settings::{SettingsArgs, registry_settings};
use super::{Exit, Failure, Outcome, output};
use crate::clock::Clock;
use crate::registry::offline::Report;
use crate::registry::rebuild::{examine, is_mendable, rebuild};

/// Fold the log into fresh tables and a fresh index, and compare them with what is stored
///
/// Every entry, tile, checkpoint, payload and seal is verified. Where only the catalogue differs it is written anew;
/// a fault in a log itself is told and left alone.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Change nothing; end with 1 if anything differs
    #[arg(long)]
    check: bool,
}

pub(super) async fn run(args: Args) -> Outcome {
    let config = args.settings.load()?;
    let settings = registry_settings(&config);
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} of {len} entries, {elapsed}") {
        bar.set_style(style);
    }
    let shown = bar.clone();
    let progress = move |done, of| {
        shown.set_length(of);
        shown.set_position(done);
    };
    let clock = Clock::system();
    let report = if args.check {
        examine(&settings, &clock, &progress).await
    } else {
        rebuild(&settings, &clock, &progress).await
    };
    bar.finish_and_clear();
    let report = report.map_err(|error| Failure::new(error.to_string()))?;
    Ok(tell(&report, args.check))
}

fn tell(report: &Report, check: bool) -> Exit {
    for log in &report.logs {
        output::line(format_args!("log `{}`: {} entries", log.log, log.size));
    }
    let checkpoints: u64 = report.logs.iter().map(|log| log.checkpoints).sum();
    output::line(format_args!("{checkpoints} checkpoints verified"));
    for what in &report.unverified {
        output::warning(format_args!("not verified: {}", output::plain(what)));
    }
    for finding in report.findings.kept() {
        output::line(format_args!("differs: {}", output::plain(&finding.to_string())));
    }
    let (is_clean, is_mendable) = (report.findings.total() == 0, is_mendable(report));
    match (is_clean, is_mendable, check) {
        (true, _, _) => output::line("everything stored is what the log says"),
        (false, true, false) => output::line("the catalogue was written anew from the log"),
        (false, _, _) => output::line("nothing was changed"),
    };
    if is_clean || (!check && is_mendable) { Exit::Done } else { Exit::Differs }
}
