//! `kyodaku monitor`: a registry's log, followed from outside.

mod eye;
mod keys;
mod memory;
mod witnesses;

use std::path::PathBuf;
use std::time::Duration;

use eye::{Eye, EyeArgs, NoLook};
use memory::Memory;

use super::cosigners::{CosignerArgs, Quorum};
use super::{Exit, Failure, Outcome, output};
use crate::clock::Clock;
use crate::log::checkpoint::{Checkpoint, CheckpointError, VerifierKey, verify_by_any};
use crate::log::merkle::{TreeHead, leaf_hash};
use crate::log::proof::{ProofError, verify_consistency, verify_inclusion};

/// Follow a log from outside, keep its checkpoints, and tell what is wrong with it
///
/// Each look fetches the newest checkpoint, verifies its signature, and has proved that it continues the last one that was
/// kept. What is wrong is a line on stdout that begins with `alarm`. A false signature, one by a key that gave way, a fork, a log
/// that shrank and a false cosignature end the command with 1; the checkpoint is kept as evidence. A log that stands still or that
/// too few witnesses cosign, and a watched entry, are told and, with `--once`, end it with 1 too.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    eye: EyeArgs,
    /// A public key of the log, `name+id+base64`, from somebody you trust; as often as there are keys
    #[arg(long = "log", value_name = "KEY", required = true)]
    keys: Vec<VerifierKey>,
    /// The folder in which checkpoints are kept
    #[arg(long, value_name = "FOLDER", default_value = "kyodaku-monitor")]
    folder: PathBuf,
    /// How many seconds lie between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    every: u64,
    /// Look once
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    cosigners: CosignerArgs,
    /// Within how many seconds enough of the witnesses must have cosigned a checkpoint; needed with `--witness`
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    witnessed_within: Option<u64>,
    /// After how many seconds a log that does not grow is told; 0 is never
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    stall: u64,
    /// The id of a work, an organization or anything else: entries that name it are told, of those that the API key may list
    #[arg(long, value_name = "ID")]
    watch: Vec<String>,
}

/// Something is wrong with the log.
struct Alarm {
    what: String,
    /// Whether nothing that the log says can be believed any more.
    is_final: bool,
}

impl Alarm {
    fn fatal(what: impl Into<String>) -> Self {
        Self { what: what.into(), is_final: true }
    }

    fn note(what: impl Into<String>) -> Self {
        Self { what: what.into(), is_final: false }
    }
}

pub(super) async fn run(args: Args) -> Outcome {
    if !args.watch.is_empty() && !args.eye.has_key() {
        return Err(Failure::usage("`--watch` needs an API key: set `KYODAKU_API_KEY`"));
    }
    let quorum = args.cosigners.quorum()?;
    if quorum.needed > 0 && args.witnessed_within.is_none() {
        return Err(Failure::usage(
            "`--witness` needs `--witnessed-within SECONDS`: how long a checkpoint may wait for it",
        ));
    }
    let eye = Eye::open(&args.eye)?;
    let mut memory = Memory::open(&args.folder, &args.keys)?;
    loop {
        match look(&args, &quorum, &eye, &mut memory).await {
            Ok(alarms) => {
                for alarm in &alarms {
                    output::line(format_args!("alarm {}", output::plain(&alarm.what)));
                }
                if alarms.iter().any(|alarm| alarm.is_final || args.once) {
                    return Ok(Exit::Differs);
                }
            }
            Err(NoLook::Failure(failure)) => return Err(failure),
            Err(NoLook::NoAnswer(why)) if args.once => return Err(Failure { code: 69, message: why }),
            Err(NoLook::NoAnswer(why)) => output::warning(format_args!("no answer, trying again: {why}")),
        }
        if args.once {
            return Ok(Exit::Done);
        }
        tokio::time::sleep(Duration::from_secs(args.every)).await;
    }
}

/// What is looked at.
struct Look<'a> {
    keys: &'a [VerifierKey],
    quorum: &'a Quorum,
    /// For how many seconds a checkpoint may wait for witnesses.
    witnessed_within_s: Option<u64>,
    newest: &'a Checkpoint,
    /// The newest checkpoint as it is told.
    note: &'a str,
    now_ms: i64,
}

async fn look(args: &Args, quorum: &Quorum, eye: &Eye, memory: &mut Memory) -> Result<Vec<Alarm>, NoLook> {
    let note = eye.checkpoint().await?;
    let newest = match verify_by_any(note.as_bytes(), &args.keys) {
        Ok(newest) => newest,
        Err(error) => {
            memory.keep_evidence(&note)?;
            return Ok(vec![of_signature("the newest checkpoint", error)]);
        }
    };
    let now_ms = Clock::system().now_ms();
    let (keys, witnessed_within_s) = (args.keys.as_slice(), args.witnessed_within);
    let look = Look { keys, quorum, witnessed_within_s, newest: &newest, note: &note, now_ms };
    let wrong = match compare(eye, memory, &newest).await? {
        Some(alarm) => Some(alarm),
        None => keys::examine(eye, memory, &look).await?,
    };
    if let Some(alarm) = wrong {
        let kept = memory.keep_evidence(&note)?;
        let what = format!("{}; the checkpoint is kept in `{}`", alarm.what, kept.display());
        return Ok(vec![Alarm { what, ..alarm }]);
    }
    memory.keep(&newest, &note, now_ms)?;
    let mut alarms = witnesses::examine(eye, memory, &look).await?;
    if alarms.iter().any(|alarm| alarm.is_final) {
        return Ok(alarms);
    }
    let still_s = u64::try_from(now_ms.saturating_sub(memory.grown_ms()) / 1_000).unwrap_or_default();
    if args.stall > 0 && still_s >= args.stall {
        let size = newest.size;
        alarms.push(Alarm::note(format!("stall: the log has had {size} entries for {still_s} seconds")));
    }
    if !args.watch.is_empty() {
        watch(args, eye, memory, &newest, &mut alarms).await?;
    }
    Ok(alarms)
}

fn of_signature(which: &str, error: CheckpointError) -> Alarm {
    Alarm::fatal(format!("signature: {which} is not believed: {error}"))
}

fn of_entry(index: u64) -> Alarm {
    Alarm::fatal(format!("entry: {index} is told otherwise than it stands in the log"))
}

/// Why one signed tree does not continue another; none where it does.
async fn told_apart(eye: &Eye, old: TreeHead, new: TreeHead) -> Result<Option<ProofError>, NoLook> {
    // A log whose history is another one may give no proof at all, which is the same.
    let proof = if new.size == old.size {
        Vec::new()
    } else {
        eye.consistency(old.size, new.size).await?.unwrap_or_default()
    };
    Ok(verify_consistency(old, new, &proof).err())
}

/// What is wrong with this checkpoint beside the last one that was kept.
async fn compare(eye: &Eye, memory: &Memory, newest: &Checkpoint) -> Result<Option<Alarm>, NoLook> {
    let Some(last) = memory.last() else { return Ok(None) };
    let (old, new) = (last.size, newest.size);
    if new < old {
        let what = format!("rollback: the log had {old} entries and now has {new}, signed");
        return Ok(Some(Alarm::fatal(what)));
    }
    Ok(told_apart(eye, last, newest.head()).await?.map(|error| {
        let what =
            format!("fork: the {new} entries do not begin with the {old} that were signed before: {error}");
        Alarm::fatal(what)
    }))
}

/// Tells the entries since the last look that name what is watched, each proved to be in the log.
async fn watch(
    args: &Args,
    eye: &Eye,
    memory: &mut Memory,
    newest: &Checkpoint,
    alarms: &mut Vec<Alarm>,
) -> Result<(), NoLook> {
    for (index, entry) in eye.entries(memory.seen(), newest.size).await? {
        let named: Vec<&String> =
            args.watch.iter().filter(|id| entry.contains(&format!("\"{id}\""))).collect();
        if named.is_empty() {
            continue;
        }
        let proof = eye.inclusion(index, newest.size).await?;
        if verify_inclusion(newest.head(), index, leaf_hash(entry.as_bytes()), &proof).is_err() {
            alarms.push(of_entry(index));
            return Ok(());
        }
        for id in named {
            alarms.push(Alarm::note(format!("watched: entry {index} names `{id}`: {entry}")));
        }
    }
    memory.set_seen(newest.size)?;
    Ok(())
}
