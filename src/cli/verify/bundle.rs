//! `kyodaku verify bundle`: what an evidence bundle proves, without the registry, a database or a network.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Tally;
use crate::cli::cosigners::{CosignerArgs, Quorum};
use crate::cli::output::plain;
use crate::cli::{Failure, Outcome, output};
use crate::domain::ids::InquiryId;
use crate::log::checkpoint::VerifierKey;
use crate::log::evidence::{Evidence, Found, MAX_ARCHIVE_BYTES, Trust, Written, pack, unpack};
use crate::log::merkle::TreeHead;
use crate::registry::offline::complete::missing;
use crate::registry::offline::{Folder, LogError};

/// Verify evidence bundles offline; ends with 0 only if all of it holds, with 65 if anything does not, else with 69 if one can't be read
///
/// Each entry and each receipt is proved by the signed checkpoints, what was typed by the digests in the entries, and everything must be what
/// the inquiry lays open. The manifest, the summaries and the archive itself are made again from the contents, and must come out the same.
/// That nothing is left out shows only beside the whole log: `--folder`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The bundles
    #[arg(value_name = "FILE", required = true)]
    bundles: Vec<PathBuf>,
    /// A key of the act log or of a journal, `name+id+base64`, from somebody you trust; as often as there are keys
    #[arg(long = "log", value_name = "KEY")]
    logs: Vec<VerifierKey>,
    /// Believe the keys that a bundle tells of itself, where none is named: whoever made it could have made them too
    #[arg(long, conflicts_with = "logs")]
    trust_its_own_keys: bool,
    #[command(flatten)]
    cosigners: CosignerArgs,
    /// A folder that `kyodaku export` wrote, with an auditor's key: whatever the inquiry lays open in it must be in the bundle too
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Print one JSON object a bundle
    #[arg(long)]
    json: bool,
}

const OWN_KEYS: &str = "the keys are those that the bundle tells of itself: whoever made it could have made them too; name keys from \
    somebody you trust with `--log`";

/// What was found of one bundle.
#[derive(Serialize)]
struct Told {
    bundle: String,
    holds: bool,
    faults: Vec<String>,
    #[serde(flatten)]
    of: Option<Contents>,
}

#[derive(Serialize)]
struct Contents {
    inquiry: InquiryId,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_size: Option<u64>,
    entries: usize,
    texts: usize,
    checks: usize,
    cosigned: usize,
    /// Whether the keys are those that the bundle tells of itself.
    self_told_keys: bool,
    /// How many of the texts are told to be erased, which nothing proves.
    told_erased: usize,
    /// Whether it was held against the whole logs.
    is_complete: bool,
}

pub(in crate::cli) async fn run(args: Args) -> Outcome {
    let Quorum { witnesses, needed } = args.cosigners.quorum()?;
    let trust = Trust { logs: args.logs.clone(), witnesses };
    let mut tally = Tally::default();
    for path in &args.bundles {
        let told = match judge(path, &args, &trust, needed).await {
            Ok(told) => told,
            Err(failure) => {
                tally.unread(failure)?;
                continue;
            }
        };
        tally.judged(told.holds);
        if args.json {
            output::line(serde_json::to_string(&told).map_err(|error| Failure::new(error.to_string()))?);
        } else {
            tell(&told);
        }
    }
    Ok(tally.end())
}

async fn judge(path: &Path, args: &Args, trust: &Trust, needed: usize) -> Result<Told, Failure> {
    let bundle = path.display().to_string();
    let bytes =
        read(path).map_err(|error| Failure::unavailable(format!("`{bundle}` can't be read: {error}")))?;
    let written = unpack(&bytes).map_err(|error| error.to_string());
    let written = written.and_then(|files| Evidence::read(files).map_err(|error| error.to_string()));
    let Written { evidence, mut differences } = match written {
        Ok(written) => written,
        Err(why) => return Ok(Told { bundle, holds: false, faults: vec![why], of: None }),
    };
    if differences.is_empty() {
        let packed = evidence.files().and_then(|files| Ok(pack(&files)?));
        if packed.map_err(|error| Failure::new(error.to_string()))? != bytes {
            differences.push("the archive is not the one that its files make".to_owned());
        }
    }
    let Found { faults, acts, is_self_told, cosigned, told_erased } = evidence.verify(trust);
    differences.extend(faults.iter().map(ToString::to_string));
    if is_self_told && !args.trust_its_own_keys {
        differences.push(OWN_KEYS.to_owned());
    }
    if cosigned < needed {
        differences.push(format!("{cosigned} of the witnesses cosigned the checkpoint, and {needed} should"));
    }
    if let (Some(folder), Some((origin, head))) = (&args.folder, &acts) {
        differences.extend(left_out(folder, &evidence, origin, *head).await?);
    }
    let of = Contents {
        inquiry: evidence.inquiry,
        log_size: acts.as_ref().map(|(_, head)| head.size),
        log: acts.map(|(origin, _)| origin),
        entries: evidence.entries.len(),
        texts: evidence.texts.len(),
        checks: evidence.checks.len(),
        cosigned,
        self_told_keys: is_self_told,
        told_erased,
        is_complete: args.folder.is_some(),
    };
    Ok(Told { bundle, holds: differences.is_empty(), faults: differences, of: Some(of) })
}

/// A file, as far as an archive can be long.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_ARCHIVE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What the inquiry lays open in the folder, and is not in the bundle.
async fn left_out(
    folder: &Path,
    evidence: &Evidence,
    origin: &str,
    head: TreeHead,
) -> Result<Vec<String>, Failure> {
    match missing(&Folder::new(folder), evidence, origin, head).await {
        Ok(missing) => Ok(missing.into_iter().map(|what| format!("{what} is left out")).collect()),
        Err(LogError::Other(why)) => Ok(vec![format!("`{}`: {why}", folder.display())]),
        Err(LogError::Unreadable(why)) => Err(Failure::unavailable(why.to_string())),
    }
}

fn tell(told: &Told) {
    let bundle = plain(&told.bundle);
    output::line(format_args!("{bundle}: {}", if told.holds { "holds" } else { "DOES NOT HOLD" }));
    if let Some(of) = &told.of {
        let Contents { inquiry, entries, texts, checks, told_erased, .. } = of;
        output::line(format_args!("  {inquiry}: {entries} entries, {texts} typed texts, {checks} checks"));
        if let (Some(log), Some(size)) = (&of.log, of.log_size) {
            output::line(format_args!("  from {size} entries of `{}`", plain(log)));
        }
        if *told_erased > 0 {
            output::line(format_args!(
                "  {told_erased} of the texts are told to be erased, which nothing in it proves"
            ));
        }
        let complete = if of.is_complete {
            "nothing that the folder holds is left out"
        } else {
            "that nothing is left out shows only with `--folder`"
        };
        if told.holds {
            output::line(format_args!("  {complete}"));
        }
        if of.self_told_keys {
            output::warning(OWN_KEYS);
        }
    }
    for fault in &told.faults {
        output::line(format_args!("  {}", plain(fault)));
    }
}
