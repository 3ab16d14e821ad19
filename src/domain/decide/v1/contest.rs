//! R5: claims by others, bindings that are claims, and disputes.

use hashbrown::HashMap;

use super::{Asked, Block};
use crate::domain::decision::{ReasonCode, sorted};
use crate::domain::ids::OrgId;
use crate::domain::index::records::{Binding, Marks, Org, Story, Work};
use crate::domain::index::{Few, Ix};

/// How long a claim suspends, in milliseconds: 14 days.
pub(super) const CLAIM_MS: i64 = 14 * 24 * 60 * 60 * 1_000;

/// One claim on a work, in whatever form.
struct Contest {
    claimant: Ix<Org>,
    entry: u64,
    at_ms: i64,
    /// Whether it is that claimant's first.
    first: bool,
}

/// The claims that suspend a canonical work now, and the disputes about it.
pub(super) fn blocks(asked: &Asked<'_>, work: Ix<Work>) -> Vec<Block> {
    let mut blocks = Vec::new();
    let suspending: Few<Contest> =
        contests(asked, work).into_iter().filter(|contest| suspends(asked, contest)).collect();
    if !suspending.is_empty() {
        let ask: Vec<OrgId> = suspending.iter().map(|contest| asked.seen.org_id(contest.claimant)).collect();
        let entries = suspending.iter().map(|contest| contest.entry).collect();
        blocks.push(Block { code: ReasonCode::Claimed, ask, entries });
    }
    let disputes =
        asked.seen.records_of(work).into_iter().flat_map(|record| asked.seen.index.disputes_of(record));
    let open = disputes.map(|ix| asked.seen.index.disputes.at(ix));
    let open = open.filter(|dispute| asked.seen.seen(dispute.opened) && !asked.seen.seen(dispute.settled));
    let entries: Vec<u64> = open.map(|dispute| dispute.opened).collect();
    if !entries.is_empty() {
        blocks.push(Block { code: ReasonCode::Disputed, ask: Vec::new(), entries });
    }
    blocks
}

/// The entries of claims on a canonical work that suspend nothing (any more).
pub(super) fn noted(asked: &Asked<'_>, work: Ix<Work>) -> Vec<u64> {
    let contests = contests(asked, work).into_iter();
    sorted(contests.filter(|contest| !suspends(asked, contest)).map(|contest| contest.entry))
}

fn suspends(asked: &Asked<'_>, contest: &Contest) -> bool {
    let until_ms = contest.at_ms.saturating_add(CLAIM_MS);
    if !contest.first || asked.seen.suspension(contest.claimant).is_some() || asked.moment_ms >= until_ms {
        return false;
    }
    asked.boundary(until_ms);
    true
}

fn contests(asked: &Asked<'_>, work: Ix<Work>) -> Few<Contest> {
    let mut contests = claims(asked, work);
    contests.extend(bindings(asked, work));
    contests
}

fn claims(asked: &Asked<'_>, work: Ix<Work>) -> Few<Contest> {
    let seen = asked.seen;
    let records = seen.records_of(work);
    let made: Few<_> = records
        .iter()
        .flat_map(|record| seen.index.claims_of(*record))
        .map(|ix| seen.index.claims.at(ix))
        .filter(|claim| seen.seen(claim.made))
        .collect();
    let first = firsts(made.iter().map(|claim| (claim.claimant, claim.made)));
    let standing = made.iter().filter(|claim| !seen.seen(claim.withdrawn));
    standing
        .map(|claim| Contest {
            claimant: claim.claimant,
            entry: claim.made,
            at_ms: claim.made_ms,
            first: first.get(&claim.claimant) == Some(&claim.made),
        })
        .collect()
}

/// The first entry of each claimant.
fn firsts(made: impl Iterator<Item = (Ix<Org>, u64)>) -> HashMap<Ix<Org>, u64> {
    let mut firsts = HashMap::new();
    for (claimant, entry) in made {
        firsts.entry(claimant).and_modify(|first: &mut u64| *first = entry.min(*first)).or_insert(entry);
    }
    firsts
}

/// Bindings of this work's keys to other works, asserted beside a confirmed one.
fn bindings(asked: &Asked<'_>, work: Ix<Work>) -> Vec<Contest> {
    let seen = asked.seen;
    let mut contests = Vec::new();
    // Where no key of a record was ever contested, none of its bindings has anything beside it.
    let contested = |record: &Ix<Work>| seen.index.works.at(*record).marks.has(Marks::CONTESTED);
    let records = seen.records_of(work).into_iter().filter(contested);
    for ix in records.flat_map(|record| seen.index.bindings_of(record)) {
        let own = seen.index.binding(ix);
        let story = seen.index.bindings.story(&own);
        let confirmed = seen.seen(own.confirmed);
        let dropped = seen.seen(story.removed) && !confirmed;
        let contesting = story.contests_from_ms.is_some() && !confirmed;
        if !seen.seen(own.asserted) || seen.seen(story.rejected) || dropped || contesting {
            continue;
        }
        let bucket = beside(asked, ix);
        let first = firsts(bucket.iter().map(|(other, ..)| (other.by, other.asserted.get())));
        for (other, story, at_ms) in &bucket {
            let ended =
                [other.confirmed, story.rejected, story.removed].into_iter().any(|entry| seen.seen(entry));
            if ended || seen.canonical(other.work) == work {
                continue;
            }
            contests.push(Contest {
                claimant: other.by,
                entry: other.asserted.get(),
                at_ms: *at_ms,
                first: first.get(&other.by) == Some(&other.asserted.get()),
            });
        }
    }
    contests
}

/// The bindings of one key that were asserted beside a confirmed one, and when.
fn beside(asked: &Asked<'_>, ix: Ix<Binding>) -> Vec<(Binding, Story, i64)> {
    let bindings = &asked.seen.index.bindings;
    let all = bindings.beside(ix).into_iter().map(|ix| asked.seen.index.binding(ix));
    let contesting = all.filter(|other| asked.seen.seen(other.asserted)).filter_map(|other| {
        let story = bindings.story(&other);
        Some((other, story, story.contests_from_ms?))
    });
    contesting.collect()
}
