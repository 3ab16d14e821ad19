//! What an entry means to the tables that people browse.
//!
//! No decision reads these tables. They are written in the transaction that appends the entry, and can be rebuilt from
//! the log and the payloads by the same function.

use unicode_normalization::UnicodeNormalization;

use crate::domain::act::{Act, WorkKind};
use crate::domain::entry::Entry;
use crate::domain::ids::WorkId;
use crate::domain::index::Index;
use crate::domain::payload::{Payload, Title};
use crate::store::catalogue::{self as tables, HistoryLine};
use crate::store::{StoreError, Tx};

/// One change of the tables.
#[derive(Clone, Debug)]
pub enum Change {
    /// A work and its titles.
    Work(tables::Work, Vec<tables::Title>),
    /// The state of a work.
    WorkState(String, &'static str, u64),
    /// Something else that a work's record says.
    WorkTouched(String, u64),
    /// An organization.
    Org(tables::Org),
    /// The state of an organization.
    OrgState(String, &'static str, u64),
    /// A model.
    Model(tables::Model),
    /// The state of a model.
    ModelState(String, &'static str, u64),
    /// What this entry said of a work is erased.
    WorkErased(String, u64, u64),
    /// The name of an organization is erased.
    OrgErased(String, u64),
    /// The name of a model is erased.
    ModelErased(String, u64),
    /// Somebody stands to a work in a relation.
    Party(String, String, &'static str, u64),
    /// A line of a history.
    History(HistoryLine),
}

/// Writes the changes.
pub async fn write(tx: &mut Tx, changes: &[Change]) -> Result<(), StoreError> {
    for change in changes {
        match change {
            Change::Work(work, titles) => {
                tables::put_work(tx, work).await?;
                tables::put_titles(tx, &work.work, titles).await?;
            }
            Change::WorkState(work, state, index) => tables::set_work_state(tx, work, state, *index).await?,
            Change::WorkTouched(work, index) => tables::touch_work(tx, work, *index).await?,
            Change::Org(org) => tables::put_org(tx, org).await?,
            Change::OrgState(org, state, index) => tables::set_org_state(tx, org, state, *index).await?,
            Change::Model(model) => tables::put_model(tx, model).await?,
            Change::ModelState(model, state, index) => {
                tables::set_model_state(tx, model, state, *index).await?;
            }
            Change::WorkErased(work, described, index) => {
                tables::erase_work(tx, work, *described, *index).await?;
            }
            Change::OrgErased(org, index) => tables::erase_org(tx, org, *index).await?,
            Change::ModelErased(model, index) => tables::erase_model(tx, model, *index).await?,
            Change::Party(party, work, relation, index) => {
                tables::put_party(tx, party, work, relation, *index).await?;
            }
            Change::History(line) => tables::put_history(tx, line).await?,
        }
    }
    Ok(())
}

/// The changes that an entry makes. The index has folded it already. A payload that was erased is not there; `erased` is the
/// entry whose payload this one erases, and its lines stand in the history of the same works.
pub fn changes(
    index: &Index,
    at: u64,
    entry: &Entry,
    payload: Option<&Payload>,
    erased: Option<&Entry>,
) -> Vec<Change> {
    let mut changes = of_act(at, entry, payload);
    changes.extend(new_holders(index, at, &entry.act));
    if let (Act::PayloadErased(act), Some(erased)) = (&entry.act, erased) {
        changes.extend(of_erasure(at, act.entry, &erased.act));
    }
    let about = erased.map_or(&entry.act, |erased| &erased.act);
    // What is inquired into is not told, not even by a line that something happened to a work.
    let works = if about.is_of_inquiry() { Vec::new() } else { index.works_of(about) };
    if entry.act.changes_record() {
        changes.extend(touched(at, &changes, &works));
    }
    // The seals of a journal are found by its name, and the end and the beginning of a key by the key.
    let named = match &entry.act {
        Act::JournalSealed(act) => vec![act.journal.clone()],
        Act::KeyRotated(act) => vec![act.old.clone(), act.new.clone()],
        _ => Vec::new(),
    };
    let parties = entry.parties.iter().map(ToString::to_string);
    let subjects = works.iter().map(ToString::to_string).chain(parties).chain(named);
    changes.extend(subjects.map(|subject| {
        Change::History(HistoryLine {
            subject,
            index: at,
            kind: entry.act.code().to_owned(),
            at_ms: entry.at_ms,
            party: entry.party.to_string(),
        })
    }));
    changes
}

/// That the record of these works says something else now, but for those that are written anyhow.
fn touched(at: u64, changes: &[Change], works: &[WorkId]) -> Vec<Change> {
    let is_written =
        |id: &String| changes.iter().any(|it| matches!(it, Change::Work(row, _) if row.work == *id));
    let others = works.iter().map(ToString::to_string).filter(|id| !is_written(id));
    others.map(|id| Change::WorkTouched(id, at)).collect()
}

/// Who holds a work from this entry on by an act that does not name both.
fn new_holders(index: &Index, at: u64, act: &Act) -> Vec<Change> {
    let holder = |org: String, work: WorkId| Change::Party(org, work.to_string(), "holder", at);
    match act {
        Act::TransferAccepted(act) => {
            let transfer = index.transfers.find(act.transfer).map(|ix| index.transfers.at(ix));
            let accepted = transfer.map(|transfer| {
                let work = index.works.id(index.holdings.work(transfer.holding));
                holder(index.orgs.id(transfer.to).to_string(), work)
            });
            accepted.into_iter().collect()
        }
        Act::RosterSameAsParent(act) => {
            act.holders.iter().map(|holding| holder(holding.holder.to_string(), act.work)).collect()
        }
        _ => Vec::new(),
    }
}

/// What is shown no more when the payload of the entry `described` is erased. What else people read is read from the payloads alone.
fn of_erasure(at: u64, described: u64, act: &Act) -> Option<Change> {
    Some(match act {
        Act::WorkRegistered(act) => Change::WorkErased(act.work.to_string(), described, at),
        Act::WorkAmended(act) => Change::WorkErased(act.work.to_string(), described, at),
        Act::OrgRegistered(act) => Change::OrgErased(act.org.to_string(), at),
        Act::ModelRegistered(act) => Change::ModelErased(act.model.to_string(), at),
        _ => return None,
    })
}

fn of_act(at: u64, entry: &Entry, payload: Option<&Payload>) -> Vec<Change> {
    match &entry.act {
        Act::OrgRegistered(act) => {
            let roles: Vec<String> = act.roles.iter().map(word).collect();
            vec![Change::Org(tables::Org {
                org: act.org.to_string(),
                name: match payload {
                    Some(Payload::Org { name }) => Some(name.clone()),
                    _ => None,
                },
                roles: roles.join(" "),
                state: "registered".to_owned(),
                registered_idx: at,
                registered_ms: entry.at_ms,
                updated_idx: at,
            })]
        }
        Act::OrgVerified(act) => vec![Change::OrgState(act.org.to_string(), "verified", at)],
        Act::OrgSuspended(act) => vec![Change::OrgState(act.org.to_string(), "suspended", at)],
        Act::OrgReinstated(act) => vec![Change::OrgState(act.org.to_string(), "verified", at)],
        Act::ModelRegistered(act) => vec![Change::Model(tables::Model {
            model: act.model.to_string(),
            developer: entry.party.to_string(),
            name: match payload {
                Some(Payload::Model { name }) => Some(name.clone()),
                _ => None,
            },
            state: "registered".to_owned(),
            registered_idx: at,
            registered_ms: entry.at_ms,
            updated_idx: at,
        })],
        Act::ModelRetired(act) => vec![Change::ModelState(act.model.to_string(), "retired", at)],
        Act::WorkRegistered(act) => {
            let registrant = entry.principal().to_string();
            let mut changes = vec![work(at, entry, act.work, act.kind, &registrant, payload)];
            changes.push(Change::Party(registrant, act.work.to_string(), "registrant", at));
            changes.extend(act.holders.iter().map(|holding| {
                Change::Party(holding.holder.to_string(), act.work.to_string(), "holder", at)
            }));
            changes
        }
        Act::WorkAmended(act) => {
            vec![work(at, entry, act.work, act.kind, &entry.principal().to_string(), payload)]
        }
        Act::WorkWithdrawn(act) => vec![Change::WorkState(act.work.to_string(), "withdrawn", at)],
        Act::WorksMerged(act) => vec![Change::WorkState(act.duplicate.to_string(), "merged", at)],
        Act::HoldingAsserted(act) => {
            vec![Change::Party(act.holder.to_string(), act.work.to_string(), "holder", at)]
        }
        _ => Vec::new(),
    }
}

fn work(
    at: u64,
    entry: &Entry,
    id: WorkId,
    kind: WorkKind,
    registrant: &str,
    payload: Option<&Payload>,
) -> Change {
    let titles: &[Title] = match payload {
        Some(Payload::Work { titles, .. }) => titles,
        _ => &[],
    };
    let main = titles.first();
    let row = tables::Work {
        work: id.to_string(),
        kind: word(&kind),
        title: main.map(|title| title.text.clone()),
        title_lang: main.map(|title| title.lang.clone()),
        reading: main.and_then(|title| title.reading.clone()),
        registrant: registrant.to_owned(),
        state: "registered".to_owned(),
        registered_idx: at,
        registered_ms: entry.at_ms,
        updated_idx: at,
    };
    let titles = titles.iter().map(|title| tables::Title {
        work: id.to_string(),
        text: title.text.clone(),
        lang: Some(title.lang.clone()),
        reading: title.reading.clone(),
        search_key: search_key(&title.text),
    });
    Change::Work(row, titles.collect())
}

/// The longest search key, in bytes: what follows is not searched. One character of a title can become eighteen, and
/// neither an entry of an index of the database nor a cursor may grow with them.
const MAX_SEARCH_KEY_BYTES: usize = 300;

/// The form in which titles are searched: NFKC, lower case, white space folded. It finds; it never decides (R10).
pub fn search_key(text: &str) -> String {
    let folded: String = text.nfkc().flat_map(char::to_lowercase).collect();
    let mut key = folded.split_whitespace().collect::<Vec<_>>().join(" ");
    key.truncate(key.floor_char_boundary(MAX_SEARCH_KEY_BYTES));
    key
}

/// The word that a unit variant has on the wire.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|word| word.as_str().map(ToOwned::to_owned)).unwrap_or_default()
}
