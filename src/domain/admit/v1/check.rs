//! What holds for every act: who acts, for whom, with what power; and what was found against it.

use std::fmt::Display;

use super::limits;
use crate::domain::act::{Power, Role};
use crate::domain::admit::{Refusal, code};
use crate::domain::command::Command;
use crate::domain::ids::OrgId;
use crate::domain::index::records::{Org, OrgRef, Standing, Work};
use crate::domain::index::{AsOf, Index, Ix};
use crate::domain::scope::Scope;

/// One act under examination.
pub(super) struct Check<'a> {
    pub(super) index: &'a Index,
    pub(super) seen: AsOf<'a>,
    pub(super) at_ms: i64,
    command: &'a Command,
    act: &'static str,
    /// Who acts, if it is anybody.
    party: Option<OrgRef>,
    /// Whose right is exercised, if it is a registered organization.
    principal: Option<Ix<Org>>,
    needs_two: bool,
    readers: Vec<OrgId>,
    refusals: Vec<Refusal>,
}

/// The works over which an agent needs its power.
#[derive(Clone, Copy)]
pub(super) enum Over<'w> {
    /// One that is not registered yet: only a mandate for `any` work covers it.
    NewWork,
    /// These.
    Works(&'w [Ix<Work>]),
}

impl<'a> Check<'a> {
    pub(super) fn new(index: &'a Index, command: &'a Command, act: &'static str, at_ms: i64) -> Self {
        Self {
            index,
            seen: index.latest(),
            at_ms,
            command,
            act,
            party: None,
            principal: None,
            needs_two: false,
            readers: Vec::new(),
            refusals: Vec::new(),
        }
    }

    /// Notes a problem.
    pub(super) fn refuse(&mut self, code: &'static str, pointer: impl Into<String>, detail: String) {
        let refusal = Refusal { act: 0, pointer: pointer.into(), code, detail };
        if self.refusals.last() != Some(&refusal) {
            self.refusals.push(refusal);
        }
    }

    /// Whether anything was found against the act. Who would have to search far for more need not.
    pub(super) const fn is_refused(&self) -> bool {
        !self.refusals.is_empty()
    }

    /// Notes that the party may not do this, and who may.
    pub(super) fn unauthorized(&mut self, pointer: &str, who_may: impl Display) {
        let detail = format!("`{}` may not record `{}` here: {who_may}", self.acting(), self.act);
        let is_told = |told: &Refusal| told.pointer == pointer && told.detail == detail;
        if !self.refusals.iter().any(is_told) {
            self.refuse(code::UNAUTHORIZED, pointer, detail);
        }
    }

    /// The id of the organization whose right is exercised.
    fn acting(&self) -> OrgId {
        self.command.on_behalf_of.unwrap_or(self.command.party)
    }

    /// The readers of the entry, or everything found against the act.
    pub(super) fn finish(mut self) -> Result<Vec<OrgId>, Vec<Refusal>> {
        if self.refusals.is_empty()
            && self.needs_two
            && self.seen.second_person()
            && self.command.by.len() < 2
        {
            let detail = format!("`{}` needs a second person of `{}`", self.act, self.command.party);
            self.refuse(code::SECOND_PERSON_REQUIRED, "", detail);
        }
        if !self.refusals.is_empty() {
            return Err(self.refusals);
        }
        self.readers.sort_unstable();
        Ok(self.readers)
    }

    // Who may read the entry.

    /// Lets an organization read the entry, while there is room; who is named first goes first.
    pub(super) fn read_by(&mut self, org: Ix<Org>) {
        self.read_by_id(self.seen.org_id(org));
    }

    fn read_by_id(&mut self, org: OrgId) {
        if self.readers.len() < limits::READERS && !self.readers.contains(&org) {
            self.readers.push(org);
        }
    }

    /// Lets the organizations of an `only` list read the entry.
    pub(super) fn read_by_named(&mut self, orgs: &Scope<OrgId>) {
        if let Scope::Only(orgs) = orgs {
            for org in orgs {
                self.read_by_id(*org);
            }
        }
    }

    /// Lets the holders of a work read the entry.
    pub(super) fn read_by_holders(&mut self, work: Ix<Work>) {
        if self.readers.len() < limits::READERS {
            for holder in self.seen.holders(work) {
                self.read_by(holder);
            }
        }
    }

    // Who acts.

    /// Examines the party, its persons and its principal.
    pub(super) fn who(&mut self) {
        self.readers.push(self.command.party);
        self.readers.extend(self.command.on_behalf_of.filter(|org| *org != self.command.party));
        if self.index.registry() == Some(self.command.party) {
            self.party = Some(OrgRef::Installation);
            if self.command.on_behalf_of.is_some() {
                self.refuse(code::NOT_BY_AGENT, "", "the installation acts for nobody else".to_owned());
            }
            if !self.command.by.is_empty() {
                let detail = "no person stands for the installation: leave `by` empty".to_owned();
                self.refuse(code::BAD_PERSONS, "", detail);
            }
            return;
        }
        let party = self.acting_org(self.command.party);
        self.party = party.map(OrgRef::Org);
        self.persons();
        self.principal = match self.command.on_behalf_of {
            None => party,
            Some(principal) if principal == self.command.party => {
                let detail = format!("`{principal}` can't act on behalf of itself: leave `on_behalf_of` out");
                self.refuse(code::ITSELF, "", detail);
                None
            }
            Some(principal) => self.acting_org(principal),
        };
    }

    /// A registered organization; that it can't act is noted, and the rest of the act is examined all the same.
    fn acting_org(&mut self, id: OrgId) -> Option<Ix<Org>> {
        let org = self.org("", id)?;
        self.good("", org);
        Some(org)
    }

    fn persons(&mut self) {
        let by = &self.command.by;
        if by.is_empty() || by.len() > limits::PERSONS {
            let detail = format!("{} persons act: a command has one or two", by.len());
            self.refuse(code::BAD_PERSONS, "", detail);
        }
        for (place, person) in by.iter().enumerate() {
            if by.iter().take(place).any(|earlier| earlier == person) {
                let detail = format!("`{person}` stands twice in `by`: a second person is another one");
                self.refuse(code::BAD_PERSONS, "", detail);
            } else if self.party.is_some() && self.seen.stands_for(*person) != self.party {
                let detail = format!("`{person}` does not stand for `{}`", self.command.party);
                self.refuse(code::NOT_ITS_PERSON, "", detail);
            }
        }
    }

    /// Whether the party is the installation.
    pub(super) fn is_installation(&self) -> bool {
        self.party == Some(OrgRef::Installation)
    }

    /// Whether the party is a registrar, and acts for itself.
    pub(super) fn is_registrar(&self) -> bool {
        let is_role = |org| self.seen.has_role(org, Role::Registrar);
        self.command.on_behalf_of.is_none() && matches!(self.party, Some(OrgRef::Org(org)) if is_role(org))
    }

    /// The organization that acts, itself or for another.
    pub(super) fn party(&self) -> Option<Ix<Org>> {
        match self.party {
            Some(OrgRef::Org(org)) => Some(org),
            _ => None,
        }
    }

    /// Whether the party acts for another.
    pub(super) fn is_agent(&self) -> bool {
        self.command.on_behalf_of.is_some()
    }

    /// The organization whose right is exercised. The installation has none.
    pub(super) fn principal(&mut self) -> Option<Ix<Org>> {
        if self.is_installation() {
            self.unauthorized("", "it is for an organization to do");
        }
        self.principal
    }

    /// The same, where nobody may act for it.
    pub(super) fn itself(&mut self) -> Option<Ix<Org>> {
        if self.is_agent() {
            let detail = format!("`{}` can't be recorded on behalf of another", self.act);
            self.refuse(code::NOT_BY_AGENT, "", detail);
        }
        self.principal()
    }

    /// Only the installation may.
    pub(super) fn installation_only(&mut self) {
        if !self.is_installation() {
            self.unauthorized("", "only the installation may");
        }
    }

    /// Only a registrar may.
    pub(super) fn registrar_only(&mut self) {
        if !self.is_registrar() {
            self.unauthorized("", "only a registrar may");
        }
    }

    /// Two persons must act.
    pub(super) fn two_persons(&mut self) {
        self.needs_two = true;
    }

    /// The principal has one of these roles.
    pub(super) fn principal_is(&mut self, principal: Option<Ix<Org>>, roles: &[Role]) {
        let Some(principal) = principal else { return };
        if !roles.iter().any(|role| self.seen.has_role(principal, *role)) {
            self.unauthorized("", format_args!("only {} may", words(roles)));
        }
    }

    /// An agent has the power over these works: by a mandate in force or, where that is enough, as the association of
    /// a member.
    pub(super) fn agent_has(&mut self, power: Power, over: Over<'_>, by_membership: bool) {
        let (true, Some(OrgRef::Org(agent)), Some(principal)) = (self.is_agent(), self.party, self.principal)
        else {
            return;
        };
        if by_membership && self.seen.is_member(principal, agent) {
            return;
        }
        let mandates = self.index.by_mandate.get((principal, agent)).iter();
        let has_power = match over {
            Over::Works(works) => self.seen.mandate(principal, agent, power, works, self.at_ms).is_some(),
            Over::NewWork => mandates.map(|ix| self.index.mandates.at(*ix)).any(|mandate| {
                mandate.works == Scope::Any
                    && !self.seen.seen(mandate.ended)
                    && mandate.term.contains(self.at_ms)
                    && mandate.powers.contains(&power)
            }),
        };
        if !has_power {
            let reach = match over {
                Over::NewWork => "over `any` work, which a new one needs",
                Over::Works(_) => "over every work named",
            };
            let detail = format!(
                "no mandate in force from `{}` gives `{}` the power `{}` {reach}",
                self.acting(),
                self.command.party,
                word(power)
            );
            self.refuse(code::NO_POWER, "", detail);
        }
    }

    // Organizations named in the act.

    /// A registered organization.
    pub(super) fn org(&mut self, pointer: &str, id: OrgId) -> Option<Ix<Org>> {
        self.known(pointer, self.seen.org(id), id)
    }

    /// A registered organization that is verified and not suspended.
    pub(super) fn good_org(&mut self, pointer: &str, id: OrgId) -> Option<Ix<Org>> {
        let org = self.org(pointer, id)?;
        self.good(pointer, org).then_some(org)
    }

    /// Whether an organization is verified and not suspended.
    pub(super) fn good(&mut self, pointer: &str, org: Ix<Org>) -> bool {
        let id = self.seen.org_id(org);
        match self.seen.standing(org) {
            Some((_, Standing::Good)) => return true,
            Some((_, Standing::Suspended)) => {
                let detail = format!("`{id}` is suspended: the registrar must reinstate it first");
                self.refuse(code::SUSPENDED, pointer, detail);
            }
            None => {
                let detail = format!("`{id}` is not verified: the registrar must verify it first");
                self.refuse(code::NOT_VERIFIED, pointer, detail);
            }
        }
        false
    }

    /// A registered organization with one of these roles.
    pub(super) fn org_with(&mut self, pointer: &str, id: OrgId, roles: &[Role]) -> Option<Ix<Org>> {
        let org = self.org(pointer, id)?;
        if roles.iter().any(|role| self.seen.has_role(org, *role)) {
            return Some(org);
        }
        self.refuse(code::WRONG_ROLE, pointer, format!("`{id}` is not {}: name one that is", words(roles)));
        None
    }
}

/// Those who can hold works.
pub(super) const HOLDERS: &[Role] = &[Role::RightsHolder, Role::Association];

fn words(roles: &[Role]) -> String {
    let words: Vec<_> = roles
        .iter()
        .map(|role| match role {
            Role::RightsHolder => "a rights holder",
            Role::Association => "an association",
            Role::AiDeveloper => "an AI developer",
            Role::Auditor => "an auditor",
            Role::Registrar => "a registrar",
            Role::Investigator => "an investigator",
        })
        .collect();
    words.join(" or ")
}

const fn word(power: Power) -> &'static str {
    match power {
        Power::Register => "register",
        Power::Grant => "grant",
        Power::Revoke => "revoke",
        Power::Deny => "deny",
        Power::Notice => "notice",
        Power::Answer => "answer",
        Power::Transfer => "transfer",
    }
}
