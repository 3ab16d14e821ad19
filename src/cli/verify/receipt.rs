//! `kyodaku verify receipt`: what a receipt proves, without the registry, a database or a network.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cli::explain::verdict_words;
use crate::cli::output::plain;
use crate::cli::receipt::read_answers;
use crate::cli::{Failure, Outcome, output};
use crate::domain::decision::Verdict;
use crate::domain::entry::Entry;
use crate::domain::ids::{CheckId, OrgId};
use crate::domain::uses::Use;
use crate::log::checkpoint::{VerifierKey, verify_by_any};
use crate::log::merkle::{Hash, TreeHead};
use crate::log::proof::verify_consistency;
use crate::log::receipt::{Answer, CheckRecord, Expected, Receipt, Recorded, Shown, Verified, entries_of};
use crate::registry::answer::moment;

use super::Tally;
use super::signed::{self, OwnWorks, read_keys};

/// Verify receipts offline; ends with 0 only if every one holds, with 65 if one does not, else with 69 if one can't be read
///
/// Nothing but the keys that you give is believed: take them from somebody you trust, once, and keep them. `GET /logs` tells those
/// of the logs, `GET /receipts/jwks` those of signed receipts.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    pub(super) proof: ProofArgs,
    /// The keys of signed receipts: a file with the answer of `GET /receipts/jwks`
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// A checkpoint of the act log that you kept, earlier or later: the log of the receipt must be the same history
    #[arg(long, value_name = "FILE", requires = "consistency")]
    pub(super) checkpoint: Option<PathBuf>,
    /// The proof of that: a file with the answer of `GET /logs/acts/proofs/consistency`
    #[arg(long, value_name = "FILE", requires = "checkpoint")]
    consistency: Option<PathBuf>,
    /// Print one JSON object a receipt
    #[arg(long)]
    json: bool,
}

/// Which receipts, and what they are held against.
#[derive(Debug, clap::Args)]
pub(super) struct ProofArgs {
    /// The receipts: JSON, or a JWS, that of a holder's own works too; that is held against the receipt of its check where both are named
    #[arg(value_name = "FILE", required = true)]
    receipts: Vec<PathBuf>,
    /// A key of the act log or of a journal, `name+id+base64`; as often as there are keys
    #[arg(long = "log", value_name = "KEY")]
    pub(super) keys: Vec<VerifierKey>,
    /// The answer as it came: its items and what is said of all of them must be what the receipt binds, and its words are bound by
    /// nothing; may be repeated
    #[arg(long = "answer", value_name = "FILE")]
    answers: Vec<PathBuf>,
    /// Whose questions they must be
    #[arg(long, value_name = "ORG")]
    pub(super) developer: Option<OrgId>,
}

/// A file, and the receipt in it; or why that does not hold, or why it can't be read.
pub(super) type Judged<'a> = (&'a Path, Result<Result<Proof, String>, Failure>);

/// A receipt that holds, and the items that it shows to be what was answered.
pub(super) struct Proof {
    pub(super) receipt: Receipt,
    pub(super) verified: Verified,
    /// Those in the receipt, or all where the answer is at hand; each with its place.
    pub(super) items: Vec<(u64, String)>,
}

impl ProofArgs {
    /// Every receipt, verified; or why it does not hold, or can't be read.
    pub(super) fn read(&self) -> Result<Vec<Judged<'_>>, Failure> {
        let kept = self.kept()?;
        let judge = |path| read(path).map(|bytes| self.verify(&bytes, &kept));
        Ok(self.receipts.iter().map(|path| (path.as_path(), judge(path))).collect())
    }

    fn kept(&self) -> Result<Vec<Answer>, Failure> {
        Ok(self.answers.iter().map(|path| read_answers(path)).collect::<Result<Vec<_>, _>>()?.concat())
    }

    /// What is expected of the receipt of a check.
    pub(super) fn expected(&self, check: CheckId, kept: &[Answer]) -> Result<Expected, String> {
        let answer = kept.iter().find(|answer| answer.check == check).cloned();
        if answer.is_none() && !kept.is_empty() {
            return Err(format!("none of the answers is one to the check `{check}`"));
        }
        Ok(Expected { check: None, developer: self.developer, answer })
    }

    fn verify(&self, bytes: &[u8], kept: &[Answer]) -> Result<Proof, String> {
        let receipt = Receipt::read(bytes).map_err(|error| error.to_string())?;
        let expected = self.expected(receipt.check, kept)?;
        let verified = receipt.verify(&self.keys, &expected).map_err(|error| error.to_string())?;
        let items = match expected.answer {
            Some(answer) => (0..).zip(answer.items).collect(),
            None => receipt.items.iter().map(|shown| (shown.index, shown.item.clone())).collect(),
        };
        Ok(Proof { receipt, verified, items })
    }
}

/// What was found of one receipt.
#[derive(Serialize)]
struct Finding {
    receipt: String,
    holds: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    proved: Option<Said>,
}

/// What holds: of a whole check, or of a holder's own works in one.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Said {
    Check(Proved),
    Works(OwnWorks),
}

/// What a receipt proves.
#[derive(Serialize)]
pub(super) struct Proved {
    check: CheckId,
    developer: OrgId,
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_by: Option<OrgId>,
    at: String,
    uses: Vec<Use>,
    items: u64,
    permitted: u64,
    log: String,
    log_size: u64,
    rule_version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    recheck_by: Option<String>,
    /// The entry that sealed it, and when; none where it was not sealed yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    sealed_by: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
    shown: Vec<ShownItem>,
    basis: Vec<ProvedEntry>,
    /// By whose word alone: a key of signed receipts. None where the logs prove it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signed_by: Option<String>,
}

/// An item, all of it from the item itself: it may say otherwise than the context.
#[derive(Serialize)]
struct ShownItem {
    item: u64,
    verdict: Verdict,
    keys: Vec<String>,
    uses: Vec<UseText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    territory: Option<String>,
    with_parts: bool,
    /// The name that whoever asked gave it: nothing vouches for what it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    /// Entries that it names and that are not in the receipt.
    unproved: Vec<u64>,
}

#[derive(Serialize)]
struct ProvedEntry {
    entry: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<&'static str>,
}

/// A file on the way to what is said of it.
enum Step {
    Unread(Failure),
    Judged(Box<Result<Said, String>>),
    /// A JWS, not judged yet.
    Signed(Vec<u8>),
}

pub(in crate::cli) fn run(args: &Args) -> Outcome {
    let kept = args.proof.kept()?;
    let jwks = args.jwks.as_deref().map(read_keys).transpose()?.unwrap_or_default();
    let later = match (&args.checkpoint, &args.consistency) {
        (Some(checkpoint), Some(proof)) => Some(Later::read(checkpoint, proof)?),
        _ => None,
    };
    // What a holder was told is held against the receipts that hold, wherever they stand.
    let mut held = Vec::new();
    let steps: Vec<Step> = args
        .proof
        .receipts
        .iter()
        .map(|path| match read(path) {
            Err(failure) => Step::Unread(failure),
            Ok(bytes) if bytes.first() == Some(&b'{') => {
                let proved = by_logs(args, &bytes, &kept, later.as_ref());
                Step::Judged(Box::new(proved.map(|(entry, proved)| {
                    held.push(entry);
                    Said::Check(proved)
                })))
            }
            Ok(bytes) => Step::Signed(bytes),
        })
        .collect();
    let mut tally = Tally::default();
    for (path, step) in args.proof.receipts.iter().zip(steps) {
        let proved = match step {
            Step::Unread(failure) => {
                tally.unread(failure)?;
                continue;
            }
            Step::Judged(proved) => *proved,
            Step::Signed(bytes) => signed::judge(args, &bytes, &jwks, &kept, &held),
        };
        tally.judged(proved.is_ok());
        let (proved, why) = proved.map_or_else(|why| (None, Some(why)), |proved| (Some(proved), None));
        tell(args, &Finding { receipt: path.display().to_string(), holds: why.is_none(), why, proved })?;
    }
    Ok(tally.end())
}

fn tell(args: &Args, finding: &Finding) -> Result<(), Failure> {
    if args.json {
        output::line(serde_json::to_string(finding).map_err(|error| Failure::new(error.to_string()))?);
    } else {
        output::line(finding.to_string().trim_end());
    }
    Ok(())
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let refuse = |error| Failure::unavailable(format!("`{}` can't be read: {error}", path.display()));
    std::fs::read(path).map_err(refuse)
}

fn by_logs(
    args: &Args,
    bytes: &[u8],
    kept: &[Answer],
    later: Option<&Later>,
) -> Result<(Recorded, Proved), String> {
    let Proof { receipt, verified, .. } = args.proof.verify(bytes, kept)?;
    if let Some(later) = later {
        later.verify(&args.proof.keys, &verified)?;
    }
    let proved = proved(&receipt, &verified)?;
    Ok((receipt.journal, proved))
}

fn proved(receipt: &Receipt, verified: &Verified) -> Result<Proved, String> {
    let basis: Vec<u64> = receipt.basis.iter().map(|basis| basis.index).collect();
    let act = |text: &String| serde_json::from_str::<Entry>(text).ok().map(|entry| entry.act.code());
    Ok(Proved {
        sealed_by: verified.sealed.map(|(entry, _)| entry),
        sealed: verified.sealed.map(|(_, at_ms)| moment(at_ms)),
        shown: receipt.items.iter().map(|item| shown(item, &basis)).collect::<Result<_, _>>()?,
        basis: receipt
            .basis
            .iter()
            .map(|basis| ProvedEntry { entry: basis.index, act: basis.entry.as_ref().and_then(act) })
            .collect(),
        signed_by: None,
        ..of_record(&verified.record, &verified.origin)
    })
}

pub(super) fn of_record(record: &CheckRecord, origin: &str) -> Proved {
    Proved {
        check: record.check,
        developer: record.developer,
        asked_by: record.asked_by,
        at: moment(record.at_ms),
        uses: record.context.uses.clone(),
        items: record.items.size,
        permitted: record.permitted,
        log: origin.to_owned(),
        log_size: record.log.size,
        rule_version: record.rule_version,
        recheck_by: record.recheck_by_ms.map(moment),
        sealed_by: None,
        sealed: None,
        shown: Vec::new(),
        basis: Vec::new(),
        signed_by: None,
    }
}

/// What stands in an item that is told of it.
#[derive(Deserialize)]
struct ItemText {
    verdict: Verdict,
    keys: Vec<serde_json::Value>,
    uses: Vec<UseText>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    territory: Option<String>,
    with_parts: bool,
    #[serde(default)]
    reference: Option<String>,
}

#[derive(Deserialize, Serialize)]
struct UseText {
    r#use: Use,
    verdict: Verdict,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    conditions: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    terms: Vec<String>,
}

fn shown(item: &Shown, basis: &[u64]) -> Result<ShownItem, String> {
    let unreadable = |error: serde_json::Error| format!("item {} can't be read: {error}", item.index);
    let text: ItemText = serde_json::from_str(&item.item).map_err(unreadable)?;
    let named = entries_of(&item.item).map_err(unreadable)?;
    let all_are = !text.uses.is_empty() && text.uses.iter().all(|it| it.verdict == Verdict::Permitted);
    if all_are != (text.verdict == Verdict::Permitted) {
        return Err(format!("item {} has another verdict than its uses", item.index));
    }
    Ok(ShownItem {
        item: item.index,
        verdict: text.verdict,
        keys: text.keys.iter().map(key).collect(),
        uses: text.uses,
        model: text.model,
        territory: text.territory,
        with_parts: text.with_parts,
        reference: text.reference,
        unproved: named.into_iter().filter(|entry| !basis.contains(entry)).collect(),
    })
}

fn key(key: &serde_json::Value) -> String {
    let text = |name: &str| key.get(name).and_then(|value| value.as_str());
    let value = text("value").or(text("id")).or(text("body")).unwrap_or_default();
    match text("scheme") {
        Some(scheme) => format!("{scheme}:{value}"),
        None if text("type") == Some("sha256") => format!("sha256:{value}"),
        None => value.to_owned(),
    }
}

/// Each text of somebody else is made safe by itself: none can begin a line of its own.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(said) = &self.proved else {
            let why = plain(self.why.as_deref().unwrap_or_default());
            return write!(f, "{}: DOES NOT HOLD: {why}", plain(&self.receipt));
        };
        writeln!(f, "{}: holds", plain(&self.receipt))?;
        match said {
            Said::Check(proved) => proved.fmt(f),
            Said::Works(works) => works.fmt(f),
        }
    }
}

impl fmt::Display for Proved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let it = self;
        let uses: Vec<_> = it.uses.iter().map(|leaf| leaf.code()).collect();
        writeln!(f, "  {} was answered at {}", it.check, it.at)?;
        write!(f, "  asked for {} (where an item says nothing else: {})", it.developer, uses.join(", "))?;
        match it.asked_by {
            Some(contractor) => writeln!(f, ", by its contractor {contractor}")?,
            None => writeln!(f)?,
        }
        writeln!(f, "  {} of {} items permitted", it.permitted, it.items)?;
        writeln!(f, "  from {} entries of `{}`, rules {}", it.log_size, plain(&it.log), it.rule_version)?;
        if let Some(by) = &it.recheck_by {
            writeln!(f, "  to be asked again by {by}")?;
        }
        match (&it.signed_by, it.sealed_by, &it.sealed) {
            (Some(key), _, _) => writeln!(f, "  by the word of the key `{key}` alone, not by the logs")?,
            (None, Some(entry), Some(at)) => writeln!(f, "  sealed by entry {entry} of the act log at {at}")?,
            _ => writeln!(f, "  not sealed yet when the receipt was fetched: by the journal's key alone")?,
        }
        for item in &it.shown {
            item.fmt(f)?;
        }
        for basis in &it.basis {
            let act = basis.act.unwrap_or("not shown to who fetched the receipt");
            writeln!(f, "  entry {}: {act}", basis.entry)?;
        }
        Ok(())
    }
}

impl fmt::Display for ShownItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = plain(&self.keys.join(" "));
        writeln!(f, "  item {}: {}: {keys}", self.item, verdict_words(self.verdict))?;
        for UseText { r#use, verdict, conditions, terms } in &self.uses {
            write!(f, "    {}: {}", r#use.code(), verdict_words(*verdict))?;
            if !conditions.is_empty() {
                write!(f, ", on condition: {}", plain(&conditions.join(", ")))?;
            }
            if !terms.is_empty() {
                write!(f, ", by terms with the digest {}", plain(&terms.join(", ")))?;
            }
            writeln!(f)?;
        }
        for (what, value) in [("with the model", &self.model), ("in", &self.territory)] {
            if let Some(value) = value {
                writeln!(f, "    {what} {}", plain(value))?;
            }
        }
        if self.with_parts {
            writeln!(f, "    with all its parts")?;
        }
        if let Some(reference) = &self.reference {
            // In quotes that it can't close.
            let quoted = serde_json::to_string(reference).map_err(|_| fmt::Error)?;
            writeln!(f, "    who asked called it {}", plain(&quoted))?;
        }
        if !self.unproved.is_empty() {
            writeln!(f, "    names entries that are not in the receipt: {:?}", self.unproved)?;
        }
        Ok(())
    }
}

/// A checkpoint that somebody kept, and the proof that ties the receipt's log to it.
struct Later {
    note: Vec<u8>,
    proof: Consistency,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Consistency {
    old: u64,
    new: u64,
    hashes: Vec<String>,
}

impl Later {
    fn read(checkpoint: &Path, proof: &Path) -> Result<Self, Failure> {
        let wrong = |error: serde_json::Error| {
            Failure::usage(format!(
                "`{}` is not the answer of `proofs/consistency`: {error}",
                proof.display()
            ))
        };
        Ok(Self { note: read(checkpoint)?, proof: serde_json::from_slice(&read(proof)?).map_err(wrong)? })
    }

    fn verify(&self, keys: &[VerifierKey], verified: &Verified) -> Result<(), String> {
        let of_acts: Vec<_> = keys.iter().filter(|key| key.name() == verified.origin).cloned().collect();
        let kept = verify_by_any(&self.note, &of_acts).map_err(|error| format!("the checkpoint: {error}"))?;
        let (own, kept) = (verified.newest, kept.head());
        let (old, new) = if kept.size < own.size { (kept, own) } else { (own, kept) };
        if (self.proof.old, self.proof.new) != (old.size, new.size) {
            let (old, new) = (old.size, new.size);
            return Err(format!("the proof is not one from {old} to {new} entries, ask for that"));
        }
        self.hashes()
            .and_then(|hashes| verify_consistency(old, new, &hashes).map_err(|error| error.to_string()))
            .map_err(|error| fork(old, new, &error))
    }

    fn hashes(&self) -> Result<Vec<Hash>, String> {
        let hashes: Option<Vec<Hash>> =
            self.proof.hashes.iter().map(|text| Hash::from_base64(text)).collect();
        hashes.ok_or_else(|| "a hash is not the base64 of 32 bytes".to_owned())
    }
}

fn fork(old: TreeHead, new: TreeHead, why: &str) -> String {
    let (old, new) = (old.size, new.size);
    format!("the {new} entries of the act log do not continue the {old}: two histories, both signed ({why})")
}
