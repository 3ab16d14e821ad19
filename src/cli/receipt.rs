//! `kyodaku receipt`: the proof of what was asked and answered, to keep and to hand on.

use std::path::{Path, PathBuf};

use super::client::{ClientArgs, NoAnswer, Server};
use super::{Exit, Failure, Outcome, output};
use crate::domain::ids::CheckId;
use crate::log::receipt::{Answer, CheckRecord, Items, MAX_BASIS, Receipt, answers, entries_of};
use crate::registry::receipts::MAX_BASIS as AT_ONCE;

/// Fetch the receipts of checks, to keep beside the answers and to hand to others
///
/// A receipt proves offline what was asked and what was answered: `kyodaku verify receipt`. The registry keeps no items of an answer:
/// give the answer as it came, and the items go into the receipt, with the entries of the log on which they rest.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The check; those of the answer where none is named
    #[arg(value_name = "CHECK", required_unless_present = "answer")]
    check: Option<CheckId>,
    /// The answer as it came: JSON, or the lines that `kyodaku check --keep` kept
    #[arg(long, value_name = "FILE")]
    answer: Option<PathBuf>,
    /// Put only this item of the answer in, counted from 0, so that the others stay untold; may be repeated
    #[arg(long = "item", value_name = "NUMBER", requires = "answer")]
    items: Vec<u64>,
    /// Write each receipt into a file of this folder, named after its check; to standard output where it is not said
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// The registry's signed word instead, as a JWS
    #[arg(long, conflicts_with_all = ["answer", "items"])]
    jws: bool,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) async fn run(args: Args) -> Outcome {
    let kept = args.answer.as_deref().map(read_answers).transpose()?.unwrap_or_default();
    let wanted: Vec<CheckId> = match args.check {
        Some(check) => vec![check],
        None => kept.iter().map(|answer| answer.check).collect(),
    };
    let server = Server::new(&args.client)?;
    for check in wanted {
        let answer = kept.iter().find(|answer| answer.check == check);
        if args.answer.is_some() && answer.is_none() {
            return Err(Failure::usage(format!("the answer is not one to the check `{check}`")));
        }
        let (text, kind) = if args.jws {
            let path = format!("/v1/checks/{check}/receipt.jws");
            (server.get_text(&path, "application/jose").await.map_err(NoAnswer::told)?, "jws")
        } else {
            let receipt = fetch(&server, check, answer, &args.items).await?;
            (serde_json::to_string(&receipt).map_err(|error| Failure::new(error.to_string()))?, "json")
        };
        match &args.folder {
            Some(folder) => write(folder, &format!("{check}.{kind}"), &text)?,
            None => drop(output::line(text)),
        }
    }
    Ok(Exit::Done)
}

/// The answers in a file.
pub(super) fn read_answers(path: &Path) -> Result<Vec<Answer>, Failure> {
    let shown = path.display();
    let kept =
        std::fs::read(path).map_err(|error| Failure::usage(format!("`{shown}` can't be read: {error}")))?;
    answers(&kept).map_err(|error| Failure::usage(format!("`{shown}` is not the answer to a check: {error}")))
}

async fn fetch(
    server: &Server,
    check: CheckId,
    answer: Option<&Answer>,
    only: &[u64],
) -> Result<Receipt, Failure> {
    let (items, basis) = answer.map(|answer| chosen(answer, only)).transpose()?.unwrap_or_default();
    let mut parts = basis.chunks(AT_ONCE);
    let mut receipt = get(server, check, parts.next().unwrap_or_default()).await?;
    for part in parts {
        let more = get(server, check, part).await?;
        if more.journal.entry != receipt.journal.entry {
            return Err(Failure::new("the registry told two entries of one check"));
        }
        receipt.basis.extend(more.basis);
    }
    if let Some(answer) = answer {
        let record =
            CheckRecord::read(&receipt.journal.entry).map_err(|error| Failure::new(error.to_string()))?;
        let tree = Items::new(&record.salt, &answer.items);
        if (answer.items.len() as u64, tree.root()) != (record.items.size, record.items.root) {
            let why = format!(
                "the answer to `{check}` is not the one that the registry has on record: it was altered, or is not whole"
            );
            return Err(Failure::new(why));
        }
        let shown: Result<Vec<_>, _> = items.into_iter().map(|at| tree.show(at)).collect();
        receipt.items = shown.map_err(|error| Failure::new(error.to_string()))?;
    }
    Ok(receipt)
}

/// Which items go in, and the entries that they name.
fn chosen(answer: &Answer, only: &[u64]) -> Result<(Vec<u64>, Vec<u64>), Failure> {
    let mut wanted = if only.is_empty() { (0..answer.items.len() as u64).collect() } else { only.to_vec() };
    wanted.sort_unstable();
    wanted.dedup();
    let mut basis = Vec::new();
    for number in &wanted {
        let item = usize::try_from(*number).ok().and_then(|at| answer.items.get(at)).ok_or_else(|| {
            Failure::usage(format!("the answer has {} items, and no item {number}", answer.items.len()))
        })?;
        let named = entries_of(item)
            .map_err(|error| Failure::usage(format!("item {number} is not one of an answer: {error}")))?;
        basis.extend(named);
    }
    basis.sort_unstable();
    basis.dedup();
    if basis.len() > MAX_BASIS {
        let why = format!(
            "these items rest on {} entries, and a receipt holds {MAX_BASIS}: choose some with `--item`",
            basis.len()
        );
        return Err(Failure::usage(why));
    }
    Ok((wanted, basis))
}

async fn get(server: &Server, check: CheckId, basis: &[u64]) -> Result<Receipt, Failure> {
    let list: Vec<String> = basis.iter().map(ToString::to_string).collect();
    let query = if list.is_empty() { String::new() } else { format!("?basis={}", list.join(",")) };
    let told = server.get(&format!("/v1/checks/{check}/receipt{query}")).await;
    let receipt: Receipt = told.map_err(NoAnswer::told)?;
    if receipt.check == check { Ok(receipt) } else { Err(Failure::new("the registry told of another check")) }
}

/// A file that is there whole or not at all.
fn write(folder: &Path, name: &str, text: &str) -> Result<(), Failure> {
    let refuse = |error: std::io::Error| {
        Failure::new(format!("`{}` can't be written: {error}", folder.join(name).display()))
    };
    std::fs::create_dir_all(folder).map_err(refuse)?;
    let beside = folder.join(format!("{name}.part"));
    std::fs::write(&beside, format!("{text}\n")).map_err(refuse)?;
    std::fs::rename(&beside, folder.join(name)).map_err(refuse)?;
    output::say(folder.join(name).display());
    Ok(())
}
