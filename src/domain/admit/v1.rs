//! Version 1 of the rules.

mod check;
mod consent;
mod contests;
mod holdings;
mod later;
pub mod limits;
mod links;
mod parties;
mod registry;
mod reservations;
mod scopes;
mod search;
mod things;
mod transfers;
mod works;

use super::{Refusal, code};
use crate::domain::act::Act;
use crate::domain::command::Command;
use crate::domain::ids::OrgId;
use crate::domain::index::Index;
use check::Check;

pub(super) fn admit(
    index: &Index,
    command: &Command,
    act: &Act,
    at_ms: i64,
) -> Result<Vec<OrgId>, Vec<Refusal>> {
    let mut check = Check::new(index, command, act.code(), at_ms);
    check.who();
    about(&mut check, act);
    check.finish()
}

fn about(check: &mut Check<'_>, act: &Act) {
    match act {
        Act::LogOpened(_) => check.refuse(code::ALREADY, "", "the log is open already".to_owned()),
        Act::SettingsChanged(_)
        | Act::RulesActivated(_)
        | Act::KeyRotated(_)
        | Act::JournalSealed(_)
        | Act::LogContinued(_)
        | Act::PayloadErased(_) => registry::admit(check, act),
        Act::OrgRegistered(_)
        | Act::OrgVerified(_)
        | Act::OrgSuspended(_)
        | Act::OrgReinstated(_)
        | Act::PersonAdded(_)
        | Act::PersonRemoved(_)
        | Act::ModelRegistered(_)
        | Act::ModelRetired(_)
        | Act::MembershipOffered(_)
        | Act::MembershipAccepted(_)
        | Act::MembershipEnded(_)
        | Act::MandateGiven(_)
        | Act::MandateEnded(_) => parties::admit(check, act),
        Act::WorkRegistered(_)
        | Act::WorkAmended(_)
        | Act::WorkWithdrawn(_)
        | Act::WorksMerged(_)
        | Act::BindingAsserted(_)
        | Act::BindingRemoved(_)
        | Act::LayersDeclared(_) => works::admit(check, act),
        Act::HoldingAsserted(_)
        | Act::HoldingRelinquished(_)
        | Act::AssertionsConfirmed(_)
        | Act::AssertionsRejected(_)
        | Act::ControlProved(_)
        | Act::RosterDeclared(_)
        | Act::RosterSameAsParent(_) => holdings::admit(check, act),
        Act::TransferOffered(_) | Act::TransferAccepted(_) | Act::TransferWithdrawn(_) => {
            transfers::admit(check, act);
        }
        Act::LayerLinked(_) | Act::PartLinked(_) | Act::PartAccepted(_) | Act::LinkRemoved(_) => {
            links::admit(check, act);
        }
        Act::ClaimMade(_) | Act::ClaimWithdrawn(_) | Act::DisputeOpened(_) | Act::DisputeSettled(_) => {
            contests::admit(check, act);
        }
        Act::GrantRecorded(_) | Act::GrantRevoked(_) | Act::DenialRecorded(_) | Act::DenialWithdrawn(_) => {
            consent::admit(check, act);
        }
        Act::ReservationRecorded(_) | Act::ReservationWithdrawn(_) => reservations::admit(check, act),
        Act::OfferPublished(_)
        | Act::OfferWithdrawn(_)
        | Act::OfferAccepted(_)
        | Act::RequestMade(_)
        | Act::RequestAnswered(_)
        | Act::RequestWithdrawn(_)
        | Act::RequestLapsed(_)
        | Act::NoticeServed(_)
        | Act::NoticeAnswered(_)
        | Act::NoticeClosed(_)
        | Act::DeclarationMade(_)
        | Act::DeclarationCorrected(_)
        | Act::DocumentFiled(_)
        | Act::InquiryOpened(_)
        | Act::InquiryClosed(_) => later::admit(check, act),
    }
}
