//! Organizations, people, models, memberships, mandates.

use super::check::{Check, HOLDERS};
use super::limits;
use crate::domain::act::{
    Act, MandateGiven, MembershipOffered, OrgRegistered, PersonAdded, PersonRemoved, Role,
};
use crate::domain::admit::code;
use crate::domain::ids::{MembershipId, OrgId};
use crate::domain::index::Ix;
use crate::domain::index::records::{Membership, NEVER, Org, OrgRef, Standing};

pub(super) fn admit(check: &mut Check<'_>, act: &Act) {
    match act {
        Act::OrgRegistered(act) => register(check, act),
        Act::OrgVerified(act) => {
            if let Some(org) = overseen(check, act.org)
                && check.seen.standing(org).is_some()
            {
                let detail = format!("`{}` was verified before: an organization is verified once", act.org);
                check.refuse(code::ALREADY, "/org", detail);
            }
        }
        Act::OrgSuspended(act) => {
            if let Some(org) = overseen(check, act.org) {
                check.good("/org", org);
            }
        }
        Act::OrgReinstated(act) => {
            if let Some(org) = overseen(check, act.org)
                && !matches!(check.seen.standing(org), Some((_, Standing::Suspended)))
            {
                check.refuse(code::ALREADY, "/org", format!("`{}` is not suspended", act.org));
            }
        }
        Act::PersonAdded(act) => add_person(check, act),
        Act::PersonRemoved(act) => remove_person(check, act),
        Act::ModelRegistered(act) => {
            let developer = check.itself();
            check.principal_is(developer, &[Role::AiDeveloper]);
            check.fresh("/model", check.index.models.find(act.model).is_some(), act.model);
        }
        Act::ModelRetired(act) => {
            let developer = check.itself();
            check.principal_is(developer, &[Role::AiDeveloper]);
            let Some(ix) = check.known("/model", check.index.models.find(act.model), act.model) else {
                return;
            };
            let model = check.index.models.at(ix);
            if developer.is_some_and(|developer| developer != model.developer) {
                check.unauthorized("/model", "only the developer whose model it is may");
            }
            if model.retired != NEVER {
                check.ended("/model", act.model);
            }
        }
        _ => admit_power(check, act),
    }
}

/// An organization that the registrar looks after; the installation, for a registrar.
fn overseen(check: &mut Check<'_>, id: OrgId) -> Option<Ix<Org>> {
    let org = check.org("/org", id);
    if let Some(org) = org {
        check.read_by(org);
        oversees(check, check.seen.has_role(org, Role::Registrar));
    } else if !check.is_installation() {
        check.registrar_only();
    }
    org
}

fn oversees(check: &mut Check<'_>, of_registrar: bool) {
    if of_registrar {
        check.installation_only();
    } else {
        check.registrar_only();
    }
}

fn register(check: &mut Check<'_>, act: &OrgRegistered) {
    let is_registrar = act.roles.contains(&Role::Registrar);
    // Who enters itself is entered by the installation: it is not verified by that, and writes nothing that is read.
    if is_registrar || !check.is_installation() {
        oversees(check, is_registrar);
    }
    let is_taken = check.index.orgs.find(act.org).is_some() || check.index.registry() == Some(act.org);
    check.fresh("/org", is_taken, act.org);
    each_once(check, "/roles", &act.roles);
    if is_registrar && act.roles.len() > 1 {
        let detail = "a registrar has no other role: register another organization for that".to_owned();
        check.refuse(code::WRONG_ROLE, "/roles", detail);
    }
}

/// A list of kinds names at least one, and each once.
fn each_once<T: PartialEq>(check: &mut Check<'_>, pointer: &str, kinds: &[T]) {
    if kinds.is_empty() {
        check.refuse(code::EMPTY, pointer, "the list is empty: name at least one".to_owned());
    }
    if !check.at_most(pointer, kinds.len(), limits::KINDS, "members of the list") {
        return;
    }
    for (place, kind) in kinds.iter().enumerate() {
        if kinds.iter().take(place).any(|earlier| earlier == kind) {
            let detail = "it stands twice in the list: name it once".to_owned();
            check.refuse(code::DUPLICATE, format!("{pointer}/{place}"), detail);
        }
    }
}

/// Only the registrar or the organization itself may say who stands for it; for a registrar only the installation, or
/// one person could make its own second.
fn says_who_stands_for(check: &mut Check<'_>, id: OrgId) -> Option<Ix<Org>> {
    let org = check.org("/org", id)?;
    check.read_by(org);
    if check.seen.has_role(org, Role::Registrar) {
        check.installation_only();
    } else if check.is_agent() {
        check.itself();
    } else if !check.is_registrar() && !check.is_installation() && check.party() != Some(org) {
        check.unauthorized("/org", "only a registrar or the organization itself may");
    }
    Some(org)
}

fn add_person(check: &mut Check<'_>, act: &PersonAdded) {
    says_who_stands_for(check, act.org);
    if check.seen.stands_for(act.person).is_some() {
        let detail = format!("`{}` stands for an organization already: remove it there first", act.person);
        check.refuse(code::ALREADY, "/person", detail);
    }
}

fn remove_person(check: &mut Check<'_>, act: &PersonRemoved) {
    let org = says_who_stands_for(check, act.org);
    if check.known("/person", check.index.people.find(act.person), act.person).is_none() {
        return;
    }
    if org.is_some_and(|org| check.seen.stands_for(act.person) != Some(OrgRef::Org(org))) {
        let detail = format!("`{}` does not stand for `{}`", act.person, act.org);
        check.refuse(code::NOT_ITS_PERSON, "/person", detail);
    }
}

fn admit_power(check: &mut Check<'_>, act: &Act) {
    match act {
        Act::MembershipOffered(act) => offer_membership(check, act),
        Act::MembershipAccepted(act) => {
            let party = check.itself();
            let Some(membership) = side_of(check, party, act.membership) else { return };
            if party.is_some_and(|party| party == membership.offered_by) {
                check.unauthorized("/membership", "the other side accepts");
            }
            if membership.accepted != NEVER {
                let detail = format!("`{}` was accepted before", act.membership);
                check.refuse(code::ALREADY, "/membership", detail);
            }
        }
        Act::MembershipEnded(act) => {
            let party = check.itself();
            side_of(check, party, act.membership);
        }
        Act::MandateGiven(act) => give(check, act),
        Act::MandateEnded(act) => {
            let party = check.itself();
            let Some(ix) = check.known("/mandate", check.index.mandates.find(act.mandate), act.mandate)
            else {
                return;
            };
            let mandate = check.index.mandates.at(ix);
            if party.is_some_and(|party| party != mandate.principal && party != mandate.agent) {
                check.unauthorized("/mandate", "only its principal or its agent may");
            }
            check.read_by(mandate.principal);
            check.read_by(mandate.agent);
            if mandate.ended != NEVER {
                check.ended("/mandate", act.mandate);
            }
        }
        _ => {}
    }
}

fn offer_membership(check: &mut Check<'_>, act: &MembershipOffered) {
    let party = check.itself();
    check.fresh("/membership", check.index.memberships.find(act.membership).is_some(), act.membership);
    let member = check.org_with("/member", act.member, &[Role::RightsHolder]);
    let association = check.org_with("/association", act.association, &[Role::Association]);
    if act.member == act.association {
        let detail = format!("`{}` can't be a member of itself", act.member);
        check.refuse(code::ITSELF, "/association", detail);
    }
    if party.is_some() && party != member && party != association {
        check.unauthorized("", "only one of the two sides may");
    }
    let (Some(member), Some(association)) = (member, association) else { return };
    check.read_by(member);
    check.read_by(association);
    let between = check.index.by_membership.get((member, association));
    // A second one would outlive the end of the first.
    if between.iter().any(|ix| check.index.memberships.at(*ix).ended == NEVER) {
        let detail = format!("a membership of `{}` in `{}` stands already", act.member, act.association);
        check.refuse(code::ALREADY, "/association", detail);
    }
}

/// A membership that has not ended, of which the party is one side.
fn side_of<'a>(check: &mut Check<'a>, party: Option<Ix<Org>>, id: MembershipId) -> Option<&'a Membership> {
    let index = check.index;
    let ix = check.known("/membership", index.memberships.find(id), id)?;
    let membership = index.memberships.at(ix);
    check.read_by(membership.member);
    check.read_by(membership.association);
    if party.is_some_and(|party| party != membership.member && party != membership.association) {
        check.unauthorized("/membership", "only one of its two sides may");
    }
    if membership.ended != NEVER {
        check.ended("/membership", id);
        return None;
    }
    Some(membership)
}

fn give(check: &mut Check<'_>, act: &MandateGiven) {
    let principal = check.itself();
    check.principal_is(principal, HOLDERS);
    check.fresh("/mandate", check.index.mandates.find(act.mandate).is_some(), act.mandate);
    if let Some(agent) = check.org_with("/agent", act.agent, HOLDERS) {
        check.read_by(agent);
        if principal == Some(agent) {
            let detail = format!("`{}` can't be its own agent: name another", act.agent);
            check.refuse(code::ITSELF, "/agent", detail);
        }
    }
    check.mentioned_works("/works", &act.works);
    each_once(check, "/powers", &act.powers);
    check.term_from_now(act.from, act.until);
}
