//! R1, R2, R5, R7: what stands against a work whatever the use.

use super::{Asked, Block, contest};
use crate::domain::decision::ReasonCode;
use crate::domain::ids::OrgId;
use crate::domain::index::Ix;
use crate::domain::index::records::{Holding, Work};

/// What stands against a canonical work by itself; and whether the layers of what it is part of are all declared.
pub(super) fn blocks(
    asked: &Asked<'_>,
    work: Ix<Work>,
    complete_above: bool,
    holdings: &[Ix<Holding>],
) -> Vec<Block> {
    let seen = asked.seen;
    let mut blocks = Vec::new();
    let mut block =
        |code, entries: Vec<u64>| blocks.push(Block { code, ask: holders(asked, holdings), entries });

    if let Some(ties) = seen.index.ties_of(work).filter(|ties| seen.seen(ties.withdrawn)) {
        block(ReasonCode::Withdrawn, vec![ties.withdrawn.get()]);
    }
    if holdings.is_empty() {
        block(ReasonCode::NoHolder, Vec::new());
    }
    let unconfirmed = holdings.iter().filter(|holding| !seen.is_confirmed(**holding));
    let unconfirmed: Vec<u64> =
        unconfirmed.map(|holding| seen.index.holding(*holding).asserted.get()).collect();
    if !unconfirmed.is_empty() {
        block(ReasonCode::HolderUnconfirmed, unconfirmed);
    }
    if !seen.roster_complete_by(work, holdings) {
        block(ReasonCode::RosterIncomplete, Vec::new());
    }
    if !complete_above || !seen.layers_complete_by(work, holdings) {
        block(ReasonCode::LayersIncomplete, Vec::new());
    }
    blocks.extend(contest::blocks(asked, work));
    blocks
}

/// The present holders of these holdings.
pub(super) fn holders(asked: &Asked<'_>, holdings: &[Ix<Holding>]) -> Vec<OrgId> {
    let holders = holdings.iter().filter_map(|holding| asked.seen.holder(*holding));
    holders.map(|org| asked.seen.org_id(org)).collect()
}
