//! Grants, denials, reservations.

use super::{FoldError, Folded, Step};
use crate::domain::act::{Act, DenialRecorded, GrantRecorded, Power, ReservationRecorded, ReservedSubject};
use crate::domain::decision::sorted;
use crate::domain::ids::OrgId;
use crate::domain::index::records::{
    At, Denial, Grant, Licence, Mandate, Marks, NEVER, Org, Refusal, Reservation, Revocation, Term, Work,
};
use crate::domain::index::{Index, Ix};
use crate::domain::key::Key;
use crate::domain::scope::{Scope, Until};

impl Index {
    pub(super) fn apply_consent(&mut self, step: Step<'_>) -> Folded {
        match &step.entry.act {
            Act::GrantRecorded(act) => self.record_grant(step, act),
            Act::GrantRevoked(act) => {
                let grant = self.grants.find(act.grant).ok_or_else(|| step.unknown(act.grant))?;
                let (at, from_ms) = (step.entry_at(), act.from.at(step.entry.at_ms));
                let before = self.grant(grant).revoked;
                let revocation = self.revocations.push(Revocation { before, at, from_ms });
                self.grants.change(grant, &self.works, |it| it.revoked = Some(revocation));
                Ok(())
            }
            Act::DenialRecorded(act) => self.record_denial(step, act),
            Act::DenialWithdrawn(act) => {
                let denial = self.denials.find(act.denial).ok_or_else(|| step.unknown(act.denial))?;
                let principal = self.principal(step)?;
                let holders: Vec<_> =
                    self.denial(denial).holdings.iter().map(|(h, _)| self.latest().holder(*h)).collect();
                self.denials.change(denial, &self.works, |it| {
                    for ((_, lifted), holder) in it.holdings.iter_mut().zip(holders) {
                        if holder == Some(principal) && *lifted == At::NEVER {
                            *lifted = step.entry_at();
                        }
                    }
                });
                Ok(())
            }
            Act::ReservationRecorded(act) => self.record_reservation(step, act),
            Act::ReservationWithdrawn(act) => {
                let ix =
                    self.reservations.find(act.reservation).ok_or_else(|| step.unknown(act.reservation))?;
                self.reservations.change(ix).withdrawn = step.at;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn record_grant(&mut self, step: Step<'_>, act: &GrantRecorded) -> Folded {
        let work = self.works.find(act.work).ok_or_else(|| step.unknown(act.work))?;
        let grantor = self.principal(step)?;
        let recorder = self.party(step)?;
        let mandate = if grantor == recorder {
            None
        } else {
            Some(self.grant_mandate(step, work, grantor, recorder).ok_or_else(|| step.unknown(act.grant))?)
        };
        let at_ms = step.entry.at_ms;
        let grant = Grant {
            work,
            before: self.others_of(self.works.at(work)).grants,
            grantor,
            recorder,
            mandate,
            recorded: step.entry_at(),
            licence: self.licences.share(Licence::of(act)),
            revoked: None,
            term: Term { from_ms: act.from.at(at_ms), until_ms: act.until.at() },
        };
        let ix = self.grants.push(act.grant, &grant, &self.works);
        self.change_others(work, |others| others.grants = Some(ix));
        for party in self.concerned(grantor, recorder, &act.developers) {
            self.granted.push(Some(party), ix);
        }
        if act.developers == Scope::Any {
            self.granted.push(None, ix);
        }
        Ok(())
    }

    /// The mandate that a grant by an agent rests on: the one in force that was given first.
    fn grant_mandate(
        &self,
        step: Step<'_>,
        work: Ix<Work>,
        principal: Ix<Org>,
        agent: Ix<Org>,
    ) -> Option<Ix<Mandate>> {
        self.latest().mandate(principal, agent, Power::Grant, &[work], step.entry.at_ms)
    }

    fn record_denial(&mut self, step: Step<'_>, act: &DenialRecorded) -> Folded {
        let work = self.works.find(act.work).ok_or_else(|| step.unknown(act.work))?;
        let principal = self.principal(step)?;
        let recorder = self.party(step)?;
        let seen = self.latest();
        let holdings = seen.holdings(seen.canonical(work)).into_iter();
        let held = holdings.filter(|holding| seen.holder(*holding) == Some(principal));
        let denial = Denial {
            work,
            before: self.others_of(self.works.at(work)).denials,
            principal,
            recorder,
            recorded: step.entry_at(),
            holdings: held.map(|holding| (holding, At::NEVER)).collect(),
            refusal: self.refusals.share(Refusal::of(act)),
            term: Term {
                from_ms: act.from.map_or(i64::MIN, |from| from.at(step.entry.at_ms)),
                until_ms: act.until.map_or(i64::MAX, Until::at),
            },
        };
        let ix = self.denials.push(act.denial, &denial, &self.works);
        self.change_others(work, |others| others.denials = Some(ix));
        for party in self.concerned(principal, recorder, act.developers.as_ref().unwrap_or(&Scope::Any)) {
            self.denied.push(party, ix);
        }
        Ok(())
    }

    /// Whom a grant or denial concerns, each once.
    fn concerned(&self, principal: Ix<Org>, recorder: Ix<Org>, developers: &Scope<OrgId>) -> Vec<Ix<Org>> {
        let named: &[OrgId] = match developers {
            Scope::Any => &[],
            Scope::Only(developers) => developers,
        };
        let developers = named.iter().filter_map(|id| self.orgs.find(*id));
        sorted([principal, recorder].into_iter().chain(developers))
    }

    fn record_reservation(&mut self, step: Step<'_>, act: &ReservationRecorded) -> Result<(), FoldError> {
        let by = self.party(step)?;
        let work = match &act.subject {
            ReservedSubject::Work(id) => Some(self.works.find(*id).ok_or_else(|| step.unknown(*id))?),
            ReservedSubject::Key(_) => None,
        };
        let reservation =
            Reservation { by, form: act.form, signal: act.signal, recorded: step.at, withdrawn: NEVER };
        let ix = self.reservations.push(act.reservation, reservation);
        self.reserved.push(by, ix);
        match (&act.subject, work) {
            (ReservedSubject::Key(key), _) => {
                self.reserved_keys.push(key.fingerprint(), ix);
                if let (Key::UrlPrefix { .. }, Some(site)) = (key, key.site()) {
                    self.reserved_prefixed.push(site, ());
                }
            }
            (ReservedSubject::Work(_), Some(work)) => {
                self.reserved_works.push(work, ix);
                let marks = &mut self.works.change(work).marks;
                *marks = marks.with(Marks::RESERVED, true);
            }
            (ReservedSubject::Work(_), None) => {}
        }
        Ok(())
    }
}
