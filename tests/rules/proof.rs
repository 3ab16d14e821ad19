//! An independent check of a permission: walks its tree and holds every leaf against the raw entries.

use std::collections::BTreeSet;

use kyodaku::domain::act::Act;
use kyodaku::domain::decision::{CoveredMember, Decision, Leaf, Outcome, Permitted};
use kyodaku::domain::entry::Entry;
use kyodaku::domain::ids::{HoldingId, OrgId, WorkId};
use kyodaku::domain::uses::Use;

use super::compare::Asked;
use super::history::History;
use crate::reference::Facts;

/// What is wrong with the proofs of a decision, if anything is.
pub(crate) fn check(history: &History, asked: &Asked, decision: &Decision) -> Result<(), String> {
    let facts = history.facts_at(asked.size);
    for answer in &decision.uses {
        if let Outcome::Permitted(permitted) = &answer.outcome {
            let wrong = wrong_with(&facts, &history.entries, asked, decision, answer.r#use, permitted);
            wrong.map_err(|why| format!("{why}\nin the proof of {asked:?}: {permitted:#?}"))?;
        }
    }
    Ok(())
}

fn ensure(good: bool, why: impl Fn() -> String) -> Result<(), String> {
    if good { Ok(()) } else { Err(why()) }
}

fn wrong_with(
    facts: &Facts,
    entries: &[Entry],
    asked: &Asked,
    decision: &Decision,
    leaf_use: Use,
    permitted: &Permitted,
) -> Result<(), String> {
    let works: Vec<WorkId> = permitted.works().iter().map(|work| work.work).collect();
    ensure(!works.is_empty() && works.as_slice() == decision.matched.as_slice(), || {
        "not every match is covered".to_owned()
    })?;
    for work in permitted.works() {
        let members: BTreeSet<WorkId> = work.members.iter().map(|member| member.work).collect();
        ensure(members.contains(&work.work), || "the matched work itself is not covered".to_owned())?;
        for member in &members {
            let layers = layers_of(facts, *member);
            ensure(layers.is_subset(&members), || format!("not every layer of {member} is covered"))?;
        }
        for member in &work.members {
            wrong_with_member(facts, member)?;
            for leaf in &member.leaves {
                wrong_with_leaf(entries, asked, leaf_use, leaf)?;
            }
        }
    }
    Ok(())
}

/// Every standing layer link of the work, whatever its wholes add.
fn layers_of(facts: &Facts, work: WorkId) -> BTreeSet<WorkId> {
    facts.layer_links_of(work).map(|link| facts.canonical(link.layer)).collect()
}

/// Every standing holding has a leaf and is confirmed; nothing else has.
fn wrong_with_member(facts: &Facts, member: &CoveredMember) -> Result<(), String> {
    let covered: BTreeSet<HoldingId> = member.leaves.iter().map(|leaf| leaf.holding).collect();
    let standing: BTreeSet<HoldingId> = facts.holdings(member.work).iter().map(|one| one.id).collect();
    ensure(!standing.is_empty() && covered == standing, || format!("not every holder of {}", member.work))?;
    let unconfirmed = facts.holdings(member.work).into_iter().find(|holding| holding.confirmed.is_none());
    ensure(unconfirmed.is_none(), || format!("{unconfirmed:?} is not confirmed"))
}

/// One earlier grant, by who held the share, whose raw terms cover the question whole.
fn wrong_with_leaf(entries: &[Entry], asked: &Asked, leaf_use: Use, leaf: &Leaf) -> Result<(), String> {
    let entries = &entries[..asked.size as usize];
    let entry = entries.get(leaf.entry as usize).ok_or("the grant is not below the size")?;
    let Act::GrantRecorded(terms) = &entry.act else {
        return Err(format!("entry {} is no grant", leaf.entry));
    };
    let question = &asked.question;
    ensure(terms.grant == leaf.grant, || "another grant than the entry's".to_owned())?;
    let from = terms.from.at(entry.at_ms);
    ensure(entry.at_ms <= from, || "the grant reaches back before its entry".to_owned())?;
    ensure((from..terms.until.at()).contains(&asked.moment), || "the moment is outside the term".to_owned())?;
    ensure(
        terms.uses.covers(Some(&leaf_use))
            && terms.developers.covers(Some(&question.developer))
            && terms.models.covers(question.model.as_ref())
            && terms.territories.covers(question.territory.as_ref()),
        || "the terms do not cover the question".to_owned(),
    )?;
    let revoked = entries.iter().any(|later| match &later.act {
        Act::GrantRevoked(act) => act.grant == leaf.grant && act.from.at(later.at_ms) <= asked.moment,
        _ => false,
    });
    ensure(!revoked, || "the grant was revoked".to_owned())?;
    let held = holders_of(entries, leaf.holding).contains(&entry.principal());
    ensure(held, || format!("{} never held {}", entry.principal(), leaf.holding))
}

/// Everybody who ever held a share, from the raw entries.
fn holders_of(entries: &[Entry], holding: HoldingId) -> BTreeSet<OrgId> {
    let mut holders = BTreeSet::new();
    let mut offered = BTreeSet::new();
    for entry in entries {
        match &entry.act {
            Act::WorkRegistered(act) => {
                let mine = act.holders.iter().filter(|one| one.holding == holding);
                holders.extend(mine.map(|one| one.holder));
            }
            Act::RosterSameAsParent(act) => {
                let mine = act.holders.iter().filter(|one| one.holding == holding);
                holders.extend(mine.map(|one| one.holder));
            }
            Act::HoldingAsserted(act) if act.holding == holding => {
                holders.insert(act.holder);
            }
            Act::TransferOffered(act) if act.holding == holding => {
                offered.insert((act.transfer, act.to));
            }
            Act::TransferAccepted(act) => {
                let mine = offered.iter().filter(|(transfer, _)| *transfer == act.transfer);
                holders.extend(mine.map(|(_, to)| *to));
            }
            _ => {}
        }
    }
    holders
}
