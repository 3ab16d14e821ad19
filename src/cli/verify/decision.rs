//! `kyodaku verify decision`: what was answered, computed again from the log on which it rested.

use std::path::PathBuf;

use serde::Serialize;

use super::Tally;
use super::receipt::{Proof, ProofArgs};
use crate::cli::{Failure, Outcome, output};
use crate::domain::ids::CheckId;
use crate::log::receipt::CheckRecord;
use crate::registry::offline::decision::{Computed, Past};
use crate::registry::offline::{Folder, LogError, Unreadable};

/// Compute past answers again, offline, from an export of the log; ends with 0 only if every one comes out the same, with 65 if one does
/// not, else with 69 if something can't be read
///
/// Each receipt is verified first. Then the entries on which it rested are read from the folder, hashed to the root that the receipt
/// names, and folded, and each item that is in the receipt, or in the answer beside it, is decided once more, as of its moment and as its
/// developer was to be told it. What comes out must be what was answered, byte for byte.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    proof: ProofArgs,
    /// The folder that `kyodaku export` wrote, with an auditor's key
    #[arg(long, value_name = "FOLDER")]
    folder: PathBuf,
    /// Print one JSON object a receipt
    #[arg(long)]
    json: bool,
}

/// What was found of one receipt.
#[derive(Serialize)]
struct Found {
    receipt: String,
    holds: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<CheckId>,
    /// How many items came out the same.
    same: u64,
    differ: Vec<Difference>,
}

#[derive(Serialize)]
struct Difference {
    item: u64,
    answered: String,
    computed: String,
}

pub(in crate::cli) async fn run(args: Args) -> Outcome {
    let proofs = args.proof.read()?;
    let folder = Folder::new(&args.folder);
    let mut tally = Tally::default();
    for (path, proof) in proofs {
        let mut found = Found {
            receipt: path.display().to_string(),
            holds: false,
            why: None,
            check: None,
            same: 0,
            differ: Vec::new(),
        };
        let computed = match proof {
            Err(unread) => Err(unread),
            Ok(Err(why)) => {
                found.why = Some(why);
                Ok(())
            }
            Ok(Ok(proof)) => compute(&folder, &proof, &mut found).await,
        };
        if let Err(failure) = computed {
            tally.unread(failure)?;
            continue;
        }
        tally.judged(found.holds);
        if args.json {
            output::line(serde_json::to_string(&found).map_err(|error| Failure::new(error.to_string()))?);
        } else {
            tell(&found);
        }
    }
    Ok(tally.end())
}

async fn compute(folder: &Folder, proof: &Proof, found: &mut Found) -> Result<(), Failure> {
    let record = &proof.verified.record;
    found.check = Some(record.check);
    if proof.items.is_empty() {
        found.why = Some("no item is in the receipt: name the answer with `--answer`".to_owned());
        return Ok(());
    }
    let past = match Past::read(folder, &proof.verified.origin, record.log).await {
        Ok(past) => past,
        Err(LogError::Unreadable(Unreadable(why))) => return Err(Failure::unavailable(why)),
        Err(LogError::Other(why)) => {
            found.why = Some(why);
            return Ok(());
        }
    };
    found.why = past.contradicts(record);
    let (mut permitted, mut valid_until_ms) = (0, i64::MAX);
    for (item, answered) in &proof.items {
        match past.compute(record, answered) {
            Ok(Computed::Same { permitted: is_permitted, valid_until_ms: until_ms }) => {
                found.same += 1;
                permitted += u64::from(is_permitted);
                valid_until_ms = valid_until_ms.min(until_ms);
            }
            Ok(Computed::Other(computed)) => {
                found.differ.push(Difference { item: *item, answered: answered.clone(), computed });
            }
            Err(error) => {
                found.why = Some(format!("item {item} can't be read: {error}"));
                return Ok(());
            }
        }
    }
    // What is bound of all items can be counted only where all are at hand.
    if found.same == record.items.size {
        let sums = sums(record, permitted, valid_until_ms);
        found.why = found.why.take().or(sums);
    }
    found.holds = found.differ.is_empty() && found.why.is_none();
    Ok(())
}

/// What the record says of all items together that is not so.
fn sums(record: &CheckRecord, permitted: u64, valid_until_ms: i64) -> Option<String> {
    if permitted != record.permitted {
        return Some(format!("{permitted} items come out permitted, and {} are recorded", record.permitted));
    }
    let late = record.recheck_by_ms.is_some_and(|by_ms| by_ms > valid_until_ms);
    late.then(|| "it is to be asked again only after an answer could have changed".to_owned())
}

fn tell(found: &Found) {
    let receipt = output::plain(&found.receipt);
    match &found.why {
        Some(why) => output::line(format_args!("{receipt}: DOES NOT HOLD: {}", output::plain(why))),
        None if found.holds => {
            output::line(format_args!("{receipt}: holds: {} items come out the same", found.same))
        }
        None => output::line(format_args!("{receipt}: DOES NOT HOLD: not what comes out of the log")),
    };
    for difference in &found.differ {
        let Difference { item, answered, computed } = difference;
        output::line(format_args!("  item {item} was answered {}", output::plain(answered)));
        output::line(format_args!("  and comes out as      {}", output::plain(computed)));
    }
}
