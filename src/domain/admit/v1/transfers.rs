//! Holdings that change hands.

use super::check::{Check, HOLDERS, Over};
use super::holdings::held_by_principal;
use crate::domain::act::{Act, Power, TransferAccepted, TransferOffered};
use crate::domain::admit::code;
use crate::domain::ids::TransferId;
use crate::domain::index::records::{NEVER, Transfer};

pub(super) fn admit(check: &mut Check<'_>, act: &Act) {
    match act {
        Act::TransferOffered(act) => offer(check, act),
        Act::TransferAccepted(act) => accept(check, act),
        Act::TransferWithdrawn(act) => {
            let principal = check.itself();
            let Some(transfer) = standing(check, act.transfer) else { return };
            if principal.is_some() && check.seen.holder(transfer.holding) != principal {
                check.unauthorized("/transfer", "only who holds the holding may");
            }
        }
        _ => {}
    }
}

fn offer(check: &mut Check<'_>, act: &TransferOffered) {
    check.fresh("/transfer", check.index.transfers.find(act.transfer).is_some(), act.transfer);
    let holding = check.standing_holding("/holding", act.holding);
    held_by_principal(check, holding);
    let Some(to) = check.org_with("/to", act.to, HOLDERS) else { return };
    check.good("/to", to);
    check.read_by(to);
    if holding.is_some_and(|holding| check.seen.holder(holding) == Some(to)) {
        let detail = format!("`{}` holds it already: name another", act.to);
        check.refuse(code::ITSELF, "/to", detail);
    }
}

/// A transfer that was neither accepted nor withdrawn.
fn standing<'a>(check: &mut Check<'a>, id: TransferId) -> Option<&'a Transfer> {
    let index = check.index;
    let ix = check.known("/transfer", index.transfers.find(id), id)?;
    let transfer = index.transfers.at(ix);
    check.read_by(transfer.from);
    check.read_by(transfer.to);
    check.read_by_holders(check.seen.canonical(index.holdings.work(transfer.holding)));
    if transfer.ended != NEVER {
        check.ended("/transfer", id);
        return None;
    }
    Some(transfer)
}

fn accept(check: &mut Check<'_>, act: &TransferAccepted) {
    let principal = check.principal();
    let Some(transfer) = standing(check, act.transfer) else { return };
    let work = check.index.holdings.work(transfer.holding);
    check.agent_has(Power::Transfer, Over::Works(&[work]), false);
    if principal.is_some_and(|principal| principal != transfer.to) {
        check.unauthorized("/transfer", "only the one that it was offered to may");
    }
    if !check.seen.holding_stands(transfer.holding) {
        let id = check.index.holdings.id(transfer.holding);
        check.ended("/transfer", id);
    }
    // Without a break since the offer: an offer does not come back to life with a holding that returns.
    let is_same_tenure = check.seen.holder(transfer.holding) == Some(transfer.from)
        && check.seen.held_since(transfer.holding) < transfer.offered;
    if !is_same_tenure {
        let detail = format!("who offered `{}` no longer holds the holding", act.transfer);
        check.refuse(code::ENDED, "/transfer", detail);
    }
}
