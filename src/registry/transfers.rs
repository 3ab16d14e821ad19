//! Offers of holdings, as both sides and the registrar read them.

use serde::Serialize;

use super::authority::{Proof, Roles, Verified};
use super::failure::Failure;
use super::node::Registry;
use crate::domain::ids::{HoldingId, OrgId, TransferId, WorkId};

/// A transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TransferView {
    /// Its id.
    pub transfer: TransferId,
    /// The holding.
    pub holding: HoldingId,
    /// Of which work.
    pub work: WorkId,
    /// Who offered it.
    pub from: OrgId,
    /// To whom.
    pub to: OrgId,
    /// `offered`, or `ended` when it was accepted or withdrawn, or when the holding ended or went elsewhere.
    pub state: &'static str,
    /// Its entry.
    pub entry: u64,
}

/// A transfer, to either side, auditors and the registrar.
pub async fn one(registry: &Registry, by: &Verified, id: TransferId) -> Result<TransferView, Failure> {
    let found = registry.read(|now| {
        let transfer = now.index.transfers.at(now.index.transfers.find(id)?);
        let sides = [now.org_id(transfer.from), now.org_id(transfer.to)];
        let sees =
            sides.contains(&by.actor().org()) || by.actor().roles().meets(Roles::REGISTRAR | Roles::AUDITORS);
        let stands = !now.seen(transfer.ended)
            && now.holding_stands(transfer.holding)
            && now.holder(transfer.holding) == Some(transfer.from);
        (sees && now.seen(transfer.offered)).then(|| TransferView {
            transfer: id,
            holding: now.index.holdings.id(transfer.holding),
            work: now.work_id(now.index.holdings.work(transfer.holding)),
            from: now.org_id(transfer.from),
            to: now.org_id(transfer.to),
            state: if stands { "offered" } else { "ended" },
            entry: transfer.offered,
        })
    });
    found.await?.ok_or(Failure::NotFound)
}
