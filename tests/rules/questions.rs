//! Questions about a history: about what stands in it, near it and beside it, at its boundaries and between them.

use kyodaku::domain::ids::WorkId;
use kyodaku::domain::key::{Key, SubjectKey};
use kyodaku::domain::question::Question;
use kyodaku::domain::scope::Until;
use smallvec::smallvec;

use super::generate::Teller;
use super::generate::deeds::{USES, territories};
use crate::reference::Facts;

impl Teller {
    /// A question; most are about granted works and could be permitted.
    pub(crate) fn question(&mut self, facts: &Facts) -> Question {
        let developers = self.cast.developers.clone();
        let everybody = self.cast.all();
        let odd = self.rng.percent(3);
        let developer =
            if odd { self.rng.pick(&everybody) } else { self.rng.pick_early(&developers) }.unwrap();
        let own: Vec<_> = facts
            .models
            .iter()
            .filter(|(_, (owner, _))| *owner == developer)
            .map(|(model, _)| *model)
            .collect();
        let all = self.models.clone();
        let models = if self.rng.percent(90) { own } else { all };
        let mut subject = smallvec![self.subject(facts)];
        while self.rng.percent(20) {
            subject.push(self.subject(facts));
        }
        let with_model = self.rng.percent(50);
        let with_territory = self.rng.percent(60);
        Question {
            developer,
            model: self.rng.pick(&models).filter(|_| with_model),
            uses: self.rng.some(&USES, 2).unwrap().into(),
            territory: self.rng.pick(&territories()).filter(|_| with_territory),
            subject,
            with_parts: self.rng.percent(25),
        }
    }

    fn subject(&mut self, facts: &Facts) -> SubjectKey {
        let granted: Vec<WorkId> = facts.grants.values().map(|grant| grant.terms.work).collect();
        let bound: Vec<Key> = facts.bindings.values().map(|binding| binding.key.clone()).collect();
        let any: Vec<WorkId> = facts.works.keys().copied().collect();
        let drawn = match self.rng.below(20) {
            0..=7 => self.rng.pick(&granted).map(SubjectKey::work),
            8..=9 => self.rng.pick(&any).map(SubjectKey::work),
            10..=15 => self.rng.pick(&bound).map(SubjectKey::Key),
            _ => None,
        };
        drawn.unwrap_or_else(|| {
            let n = self.rng.below(9);
            SubjectKey::Key(match self.rng.below(3) {
                0 => Key::url(&format!("https://site{}.example/a/{n}", n % 3)).unwrap(),
                1 => Key::iscc("0010", ["0000000000000001", "00000000000000ff", "000000000000ffff"][n % 3])
                    .unwrap(),
                _ => self.key(),
            })
        })
    }

    /// A moment: now, mostly; otherwise just before, at or after something begins or ends.
    pub(crate) fn moment(&mut self, facts: &Facts) -> i64 {
        let mut bounds = vec![self.history.now()];
        for grant in facts.grants.values() {
            bounds.extend([grant.terms.from.at(grant.at_ms), grant.terms.until.at()]);
            bounds.extend(&grant.revoked_from_ms);
        }
        for denial in facts.denials.values() {
            bounds.extend(denial.terms.until.map(Until::at));
            bounds.extend(denial.terms.from.map(|from| from.at(denial.at_ms)));
        }
        bounds.extend(facts.claims.values().map(|claim| claim.at_ms + 14 * 86_400_000));
        bounds.extend(facts.bindings.values().map(|binding| binding.at_ms + 14 * 86_400_000));
        bounds.extend(facts.mandates.values().map(|mandate| mandate.until_ms));
        bounds.retain(|bound| *bound < i64::MAX / 2);
        let near = self.rng.pick(&[-1, 0, 0, 1, 60_000]).unwrap();
        let is_now = self.rng.percent(50);
        if is_now { self.history.now() } else { self.rng.pick(&bounds).unwrap() + near }
    }
}
