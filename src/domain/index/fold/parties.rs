//! Organizations, people, models, memberships, mandates.

use super::{FoldError, Folded, Step};
use crate::domain::act::Act;
use crate::domain::ids::OrgId;
use crate::domain::index::Index;
use crate::domain::index::records::{Mandate, Membership, Model, NEVER, Org, Person, Standing, Term};

impl Index {
    pub(super) fn apply_party(&mut self, step: Step<'_>) -> Folded {
        match &step.entry.act {
            Act::OrgRegistered(act) => {
                let org = Org { roles: act.roles.clone(), registered: step.at, standing: Vec::new() };
                self.orgs.push(act.org, org);
            }
            Act::OrgVerified(act) => self.set_standing(step, act.org, Standing::Good)?,
            Act::OrgSuspended(act) => self.set_standing(step, act.org, Standing::Suspended)?,
            Act::OrgReinstated(act) => self.set_standing(step, act.org, Standing::Good)?,
            Act::PersonAdded(act) => {
                let org = self.org_ref(step, act.org)?;
                let person = match self.people.find(act.person) {
                    Some(person) => person,
                    None => self.people.push(act.person, Person { stands_for: Vec::new() }),
                };
                self.people.change(person).stands_for.push((org, step.at, NEVER));
            }
            Act::PersonRemoved(act) => {
                let org = self.org_ref(step, act.org)?;
                let person = self.people.find(act.person).ok_or_else(|| step.unknown(act.person))?;
                for (stands_for, _, until) in &mut self.people.change(person).stands_for {
                    if *stands_for == org && *until == NEVER {
                        *until = step.at;
                    }
                }
            }
            Act::ModelRegistered(act) => {
                let developer = self.party(step)?;
                self.models.push(act.model, Model { developer, registered: step.at, retired: NEVER });
            }
            Act::ModelRetired(act) => {
                let model = self.models.find(act.model).ok_or_else(|| step.unknown(act.model))?;
                self.models.change(model).retired = step.at;
            }
            _ => return self.apply_power(step),
        }
        Ok(())
    }

    fn apply_power(&mut self, step: Step<'_>) -> Folded {
        match &step.entry.act {
            Act::MembershipOffered(act) => {
                let member = self.org(step, act.member)?;
                let association = self.org(step, act.association)?;
                let offered_by = self.party(step)?;
                let (offered, accepted, ended) = (step.at, NEVER, NEVER);
                let membership = Membership { member, association, offered_by, offered, accepted, ended };
                let ix = self.memberships.push(act.membership, membership);
                self.by_membership.push((member, association), ix);
            }
            Act::MembershipAccepted(act) => {
                let ix = self.memberships.find(act.membership).ok_or_else(|| step.unknown(act.membership))?;
                self.memberships.change(ix).accepted = step.at;
            }
            Act::MembershipEnded(act) => {
                let ix = self.memberships.find(act.membership).ok_or_else(|| step.unknown(act.membership))?;
                self.memberships.change(ix).ended = step.at;
            }
            Act::MandateGiven(act) => {
                let principal = self.party(step)?;
                let agent = self.org(step, act.agent)?;
                let mandate = Mandate {
                    principal,
                    agent,
                    works: act.works.clone(),
                    powers: act.powers.clone(),
                    term: Term { from_ms: act.from.at(step.entry.at_ms), until_ms: act.until.at() },
                    given: step.at,
                    ended: NEVER,
                    grants_survive: act.grants_survive,
                };
                let ix = self.mandates.push(act.mandate, mandate);
                self.by_mandate.push((principal, agent), ix);
            }
            Act::MandateEnded(act) => {
                let ix = self.mandates.find(act.mandate).ok_or_else(|| step.unknown(act.mandate))?;
                self.mandates.change(ix).ended = step.at;
            }
            _ => {}
        }
        Ok(())
    }

    fn set_standing(&mut self, step: Step<'_>, org: OrgId, standing: Standing) -> Result<(), FoldError> {
        let org = self.org(step, org)?;
        self.orgs.change(org).standing.push((step.at, standing));
        Ok(())
    }
}
