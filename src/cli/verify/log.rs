//! `kyodaku verify log`: whole logs, computed anew.

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::cli::cosigners::{CosignerArgs, Quorum};
use crate::cli::export::remote::{Remote, RemoteArgs};
use crate::cli::{Exit, Failure, Outcome, output};
use crate::registry::offline::{Asked, Finding, Folder, GivenKey, Kind, LogReport, Report, Voucher, verify};

/// Verify the logs in a folder that `kyodaku export` wrote, or those of a server
///
/// Every leaf is computed from its entry, every tile and root from the leaves, and every checkpoint verified by the key that
/// stood when it was signed. Each act is judged by the rules that stood and folded, by the code that records acts. Journals are
/// held against the act log, and its seals against them. No database is needed, and for a folder no network.
///
/// Ends with 0 when everything holds, with 65 when something does not, with 2 when it was called wrongly, and with 69 when
/// nothing can be read.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder, or the address of a server (`http://…` or `https://…`)
    #[arg(value_name = "FOLDER|URL")]
    place: String,
    /// A public key of a log, `name+id+base64`, from somebody you trust; as often as there are keys. With `@SIZE` after it, the
    /// size after which it signs, which is otherwise taken from the list of logs
    #[arg(long = "log", value_name = "KEY[@SIZE]")]
    keys: Vec<GivenKey>,
    #[command(flatten)]
    cosigners: CosignerArgs,
    /// Refuse logs of which there are only hashes
    #[arg(long)]
    entries: bool,
    /// Compute hashes and verify signatures, and neither decode entries nor judge acts: faster, in memory that does not grow
    #[arg(long)]
    only_hashes: bool,
    /// How many findings of a kind are told; the others are counted
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    findings: u32,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

impl Args {
    fn asked(&self) -> Result<Asked, Failure> {
        let Quorum { witnesses, needed: witnesses_needed } = self.cosigners.quorum()?;
        let most = usize::try_from(self.findings).unwrap_or(usize::MAX);
        let only_hashes = self.only_hashes;
        Ok(Asked {
            only_hashes,
            keys: self.keys.clone(),
            witnesses,
            witnesses_needed,
            needs_entries: self.entries,
            most,
            teller: None,
        })
    }
}

pub(super) async fn run(args: Args) -> Outcome {
    let asked = args.asked()?;
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} of {len} entries, {elapsed}") {
        bar.set_style(style);
    }
    let progress = |done, of| {
        bar.set_length(of);
        bar.set_position(done);
    };
    let is_server = args.place.starts_with("http://") || args.place.starts_with("https://");
    let verified = if is_server {
        verify(&Remote::open(&args.place, &args.remote)?, &asked, &progress).await
    } else {
        let folder = Folder::new(&args.place);
        verify(&folder, &asked, &progress).await.and_then(|mut report| {
            folder.examine_rest(&mut report)?;
            Ok(report)
        })
    };
    bar.finish_and_clear();
    let report = verified?;
    if args.json {
        tell_json(&report)?;
    } else {
        tell(&report, &asked);
    }
    Ok(if report.findings.total() == 0 { Exit::Done } else { Exit::DoesNotHold })
}

/// What is printed with `--json`.
#[derive(Serialize)]
struct Told<'a> {
    holds: bool,
    logs: &'a [LogReport],
    findings: &'a [Finding],
    counts: &'a std::collections::BTreeMap<Kind, u64>,
    not_verified: &'a [String],
}

/// Prints what was found as JSON.
pub(in crate::cli) fn tell_json(report: &Report) -> Result<(), Failure> {
    let told = Told {
        holds: report.findings.total() == 0,
        logs: &report.logs,
        findings: report.findings.kept(),
        counts: report.findings.counts(),
        not_verified: &report.unverified,
    };
    output::line(serde_json::to_string(&told).map_err(|error| Failure::new(error.to_string()))?);
    Ok(())
}

fn tell(report: &Report, asked: &Asked) {
    for log in &report.logs {
        output::line(of_log(log, asked));
    }
    if report.logs.iter().any(|log| log.keys == Voucher::SelfTold) {
        output::warning(
            "the keys are those that the logs tell of themselves: whoever made the folder could have made them too; \
             name keys from somebody you trust with `--log`",
        );
    }
    tell_findings(report);
}

/// Prints what could not be verified, what does not hold, and how much that is.
pub(in crate::cli) fn tell_findings(report: &Report) {
    for what in &report.unverified {
        output::warning(format_args!("not verified: {}", output::plain(what)));
    }
    for finding in report.findings.kept() {
        output::line(output::plain(&format!("does not hold: {finding}")));
    }
    let total = report.findings.total();
    let untold = total - report.findings.kept().len() as u64;
    if untold > 0 {
        output::line(format_args!("and {untold} more: see `--findings`"));
    }
    match total {
        0 => output::line("everything holds"),
        1 => output::line("one thing does not hold"),
        _ => output::line(format_args!("{total} things do not hold")),
    };
}

fn of_log(log: &LogReport, asked: &Asked) -> String {
    let LogReport { log: name, size, root, checkpoints, tiles, replayed, .. } = log;
    let read = match (log.from_entries, log.rules) {
        (false, _) => "from hashes of entries alone".to_owned(),
        (true, _) if asked.only_hashes => "every entry hashed".to_owned(),
        (true, None) => format!("{replayed} entries read"),
        (true, Some(rules)) => {
            format!("{replayed} acts replayed, under version {rules} of the rules at the end")
        }
    };
    let keys = match log.keys {
        Voucher::Given => "keys as given",
        Voucher::SelfTold => "keys of its own telling",
        Voucher::Nobody => "no keys",
    };
    let witnesses = match asked.witnesses.len() {
        0 => String::new(),
        all => format!(", {} of {all} witnesses", log.witnesses),
    };
    format!(
        "log `{name}`: {size} entries, root {root}, {checkpoints} checkpoints, {tiles} tiles, {read}, {keys}{witnesses}"
    )
}
