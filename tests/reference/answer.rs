//! Sections 3 and 4 of the rules: the answer, and what its reasons rest on.

use std::collections::{BTreeMap, BTreeSet};

use kyodaku::domain::act::{ReservedSubject, Role, Signal};
use kyodaku::domain::decision::{NoteCode, ReasonCode};
use kyodaku::domain::ids::WorkId;
use kyodaku::domain::key::{Key, SubjectKey};
use kyodaku::domain::question::{MAX_KEYS, Question};
use kyodaku::domain::scope::{Scope, Until};
use kyodaku::domain::uses::Use;

use super::attach::{Case, Way};
use super::facts::{Binding, Denial, Facts, Grant, Holding, List};

/// The most members of a closure.
const MAX_MEMBERS: usize = 1_024;

/// A reason: its code, for layers and parts the reason there, and the work.
pub(crate) type Why = (ReasonCode, Option<ReasonCode>, Option<WorkId>);
type Reasons = BTreeMap<Why, BTreeSet<u64>>;

/// What is compared with the fast implementation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) unreadable: bool,
    pub(crate) matched: Vec<WorkId>,
    /// For each use the reasons with their entries; without reasons it is permitted.
    pub(crate) uses: Vec<(Use, Reasons)>,
    /// For each note the entries that it names, about whatever work.
    pub(crate) notes: BTreeMap<NoteCode, BTreeSet<u64>>,
}

/// A matched work, and what matched it.
#[derive(Default)]
struct Match<'a> {
    by_id: bool,
    confirmed: Vec<&'a Binding>,
    unconfirmed: Vec<&'a Binding>,
    removed: Vec<u64>,
}

impl Match<'_> {
    fn is_good(&self) -> bool {
        self.by_id || !self.confirmed.is_empty()
    }

    fn is_by_location_only(&self) -> bool {
        !self.confirmed.is_empty() && self.confirmed.iter().all(|binding| binding.key.is_location())
    }
}

fn add(reasons: &mut Reasons, why: Why, entries: impl IntoIterator<Item = u64>) {
    reasons.entry(why).or_default().extend(entries);
}

impl Facts {
    pub(crate) fn answer(&self, question: &Question, moment: i64) -> Answer {
        if is_unreadable(question) {
            return Answer {
                unreadable: true,
                matched: Vec::new(),
                uses: Vec::new(),
                notes: BTreeMap::new(),
            };
        }
        let matches = self.matches(question);
        let uses = question.uses.iter().map(|leaf| {
            let mut reasons = Reasons::new();
            self.judge_developer(question, &mut reasons);
            if matches.is_empty() {
                add(&mut reasons, (ReasonCode::NotRegistered, None, None), []);
            }
            for (work, found) in &matches {
                judge_match(*work, found, &mut reasons);
                let by_location_only = found.is_by_location_only();
                let case = Case { question, r#use: *leaf, moment, by_location_only };
                self.judge_work(*work, &case, &mut reasons);
            }
            self.judge_near(question, *leaf, moment, &matches, &mut reasons);
            (*leaf, reasons)
        });
        let uses = uses.collect();
        let notes = self.notes(question, moment, &matches);
        Answer { unreadable: false, matched: matches.keys().copied().collect(), uses, notes }
    }

    /// 2. Developer and model.
    fn judge_developer(&self, question: &Question, reasons: &mut Reasons) {
        let good = self
            .orgs
            .get(&question.developer)
            .is_some_and(|org| org.roles.contains(&Role::AiDeveloper) && org.verified && !org.suspended);
        if !good {
            add(reasons, (ReasonCode::DeveloperUnverified, None, None), []);
        }
        let Some(model) = question.model else { return };
        let known = self
            .models
            .get(&model)
            .is_some_and(|(owner, span)| *owner == question.developer && span.stands(self.size));
        if !known {
            add(reasons, (ReasonCode::ModelNotCovered, None, None), []);
        }
    }

    /// 3. Matches.
    fn matches(&self, question: &Question) -> BTreeMap<WorkId, Match<'_>> {
        let mut matches: BTreeMap<WorkId, Match<'_>> = BTreeMap::new();
        for subject in &question.subject {
            match subject {
                SubjectKey::Work(work) if self.works.contains_key(&work.id) => {
                    matches.entry(self.canonical(work.id)).or_default().by_id = true;
                }
                SubjectKey::Work(_) => {}
                SubjectKey::Key(key) => self.match_key(key, &mut matches),
            }
        }
        matches
    }

    fn match_key<'a>(&'a self, key: &Key, matches: &mut BTreeMap<WorkId, Match<'a>>) {
        let mut keys = key.covering_prefixes();
        keys.push(key.clone());
        for binding in self.bindings.values().filter(|binding| keys.contains(&binding.key)) {
            let work = self.canonical(binding.work);
            if let Some(removed) = binding.removed_after_confirmation() {
                matches.entry(work).or_default().removed.push(removed);
            }
            if !binding.span.stands(self.size) || self.is_claim(binding) {
                continue;
            }
            let found = matches.entry(work).or_default();
            if binding.is_confirmed(self.size) {
                found.confirmed.push(binding);
            } else {
                found.unconfirmed.push(binding);
            }
        }
    }

    /// 4. The closure: every member with the ways by which it is reached.
    fn closure(&self, roots: &BTreeSet<WorkId>) -> BTreeMap<WorkId, BTreeSet<Way>> {
        let mut members: BTreeMap<WorkId, BTreeSet<Way>> =
            roots.iter().map(|root| (*root, BTreeSet::from([Way::Root]))).collect();
        let mut waiting: Vec<WorkId> = roots.iter().copied().collect();
        while let Some(member) = waiting.pop() {
            let mut hosts = self.ancestors(member);
            hosts.insert(member);
            for host in hosts {
                for link in self.layer_links_of(host) {
                    let layer = self.canonical(link.layer);
                    if !members.contains_key(&layer) {
                        waiting.push(layer);
                    }
                    members.entry(layer).or_default().insert(Way::Layer { host, member });
                }
            }
        }
        members
    }

    /// The matched work and, if asked, its parts.
    fn roots(&self, work: WorkId, question: &Question) -> BTreeSet<WorkId> {
        let mut roots = BTreeSet::from([work]);
        if question.with_parts {
            roots.extend(self.parts(work));
        }
        roots
    }

    /// 11. Notes.
    fn notes(
        &self,
        question: &Question,
        moment: i64,
        matches: &BTreeMap<WorkId, Match<'_>>,
    ) -> BTreeMap<NoteCode, BTreeSet<u64>> {
        let mut notes: BTreeMap<NoteCode, BTreeSet<u64>> = BTreeMap::new();
        let mut works = BTreeSet::new();
        for work in matches.keys() {
            for member in self.closure(&self.roots(*work, question)).into_keys() {
                works.extend(self.ancestors(member));
                works.insert(member);
                let claims = self.claims_on(member, moment).1.into_iter().map(|claim| claim.span.began);
                let bindings = self.binding_claims_on(member, moment).1.into_iter();
                let passed: Vec<u64> = claims.chain(bindings.map(|claim| claim.span.began)).collect();
                if !passed.is_empty() {
                    notes.entry(NoteCode::ClaimNoted).or_default().extend(passed);
                }
            }
        }
        let mut keys = Vec::new();
        for subject in &question.subject {
            if let SubjectKey::Key(key) = subject {
                keys.extend(key.covering_prefixes());
                keys.push(key.clone());
            }
        }
        for reservation in self.reservations.values().filter(|one| one.span.stands(self.size)) {
            let meant = match &reservation.subject {
                ReservedSubject::Work(work) => works.contains(&self.canonical(*work)),
                ReservedSubject::Key(key) => keys.contains(key),
            };
            let code = match reservation.signal {
                Signal::Allow => NoteCode::AllowSignalRecorded,
                Signal::Reserve | Signal::Unclear => NoteCode::OptOutRecorded,
            };
            if meant {
                notes.entry(code).or_default().insert(reservation.span.began);
            }
        }
        notes
    }

    fn judge_work(&self, work: WorkId, case: &Case<'_>, reasons: &mut Reasons) {
        let roots = self.roots(work, case.question);
        let members = self.closure(&roots);
        if members.len() > MAX_MEMBERS {
            add(reasons, (ReasonCode::LayersIncomplete, None, Some(work)), []);
        }
        for (member, ways) in members {
            for (code, entries) in self.judge_member(member, &ways, case) {
                let why = if member == work {
                    (code, None, Some(member))
                } else if roots.contains(&member) {
                    (ReasonCode::PartNotPermitted, Some(code), Some(member))
                } else {
                    (ReasonCode::LayerNotPermitted, Some(code), Some(member))
                };
                add(reasons, why, entries);
            }
        }
    }

    /// 5. One member.
    fn judge_member(
        &self,
        member: WorkId,
        ways: &BTreeSet<Way>,
        case: &Case<'_>,
    ) -> Vec<(ReasonCode, Vec<u64>)> {
        let mut found = self.judge_state(member, case.moment);
        let denials = self.denials_on(member, case.question, case.r#use, case.moment);
        if !denials.is_empty() {
            found.push((ReasonCode::Denied, denials));
        }
        found.extend(self.judge_grants(member, ways, case));
        found
    }

    fn judge_state(&self, member: WorkId, moment: i64) -> Vec<(ReasonCode, Vec<u64>)> {
        let mut found = Vec::new();
        if let Some(at) = self.works[&member].withdrawn {
            found.push((ReasonCode::Withdrawn, vec![at]));
        }
        let holdings = self.holdings(member);
        if holdings.is_empty() {
            found.push((ReasonCode::NoHolder, Vec::new()));
        }
        let unconfirmed = holdings.iter().filter(|holding| holding.confirmed.is_none());
        let unconfirmed: Vec<u64> = unconfirmed.map(|holding| holding.span.began).collect();
        if !unconfirmed.is_empty() {
            found.push((ReasonCode::HolderUnconfirmed, unconfirmed));
        }
        if !self.is_complete(member, List::Roster) {
            found.push((ReasonCode::RosterIncomplete, Vec::new()));
        }
        let mut with_layers = self.ancestors(member);
        with_layers.insert(member);
        if !with_layers.iter().all(|work| self.is_complete(*work, List::Layers)) {
            found.push((ReasonCode::LayersIncomplete, Vec::new()));
        }
        let claims = self.claims_on(member, moment).0.into_iter().map(|claim| claim.span.began);
        let bindings = self.binding_claims_on(member, moment).0.into_iter().map(|claim| claim.span.began);
        let claims: Vec<u64> = claims.chain(bindings).collect();
        if !claims.is_empty() {
            found.push((ReasonCode::Claimed, claims));
        }
        let disputes = self.disputes.values();
        let disputes =
            disputes.filter(|(work, span)| span.stands(self.size) && self.canonical(*work) == member);
        let disputes: Vec<u64> = disputes.map(|(_, span)| span.began).collect();
        if !disputes.is_empty() {
            found.push((ReasonCode::Disputed, disputes));
        }
        found
    }

    /// The denials that stop a use of a work: on itself, or on an ancestor with its parts.
    fn denials_on(&self, work: WorkId, question: &Question, leaf: Use, moment: i64) -> Vec<u64> {
        let ancestors = self.ancestors(work);
        let hits = |denial: &&Denial| {
            let denied = self.canonical(denial.terms.work);
            denied == work || (ancestors.contains(&denied) && denial.terms.parts != Some(false))
        };
        self.denials
            .values()
            .filter(hits)
            .filter(|denial| denial_speaks_of(denial, question, leaf, moment))
            .filter(|denial| !self.denial_rests_on(denial).is_empty())
            .map(|denial| denial.entry)
            .collect()
    }

    /// A covering grant for each holding and each way, or what is nearest to one (8).
    fn judge_grants(
        &self,
        member: WorkId,
        ways: &BTreeSet<Way>,
        case: &Case<'_>,
    ) -> Vec<(ReasonCode, Vec<u64>)> {
        let mut covered = 0;
        let mut nearest = Vec::new();
        for holding in self.holdings(member) {
            for way in ways {
                let attaching = self.attaching(member, holding, *way, case);
                if attaching.iter().any(|(_, misses)| misses.is_empty()) {
                    covered += 1;
                } else {
                    nearest.push(nearest_miss(attaching));
                }
            }
        }
        let nothing = if covered > 0 { ReasonCode::PartlyGranted } else { ReasonCode::NoGrant };
        let name = |miss: Option<(ReasonCode, u64)>| match miss {
            // That there is a grant for others is the secret of its parties.
            Some((ReasonCode::DeveloperNotCovered, _)) if covered > 0 => (nothing, Vec::new()),
            Some((code, entry)) => (code, vec![entry]),
            None => (nothing, Vec::new()),
        };
        nearest.into_iter().map(name).collect()
    }

    fn attaching(
        &self,
        member: WorkId,
        holding: &Holding,
        way: Way,
        case: &Case<'_>,
    ) -> Vec<(&Grant, Vec<ReasonCode>)> {
        self.grants
            .values()
            .filter(|grant| self.attaches(grant, member, holding, way))
            .map(|grant| (grant, self.misses(grant, holding.holder(self.size), case)))
            .collect()
    }

    /// 10. Near works that are denied.
    fn judge_near(
        &self,
        question: &Question,
        leaf: Use,
        moment: i64,
        matches: &BTreeMap<WorkId, Match<'_>>,
        reasons: &mut Reasons,
    ) {
        for subject in &question.subject {
            let SubjectKey::Key(key) = subject else { continue };
            for binding in self.bindings.values() {
                let work = self.canonical(binding.work);
                let counts = binding.span.stands(self.size) && binding.is_confirmed(self.size);
                if !counts || matches.contains_key(&work) || !are_near(key, &binding.key) {
                    continue;
                }
                let denials = self.denials_on(work, question, leaf, moment);
                if !denials.is_empty() {
                    add(reasons, (ReasonCode::NearDenied, None, Some(work)), denials);
                }
            }
        }
    }
}

/// 1. Unreadable.
fn is_unreadable(question: &Question) -> bool {
    let distinct: BTreeSet<Use> = question.uses.iter().copied().collect();
    question.uses.is_empty()
        || distinct.len() < question.uses.len()
        || question.subject.is_empty()
        || question.subject.len() > MAX_KEYS
}

fn judge_match(work: WorkId, found: &Match<'_>, reasons: &mut Reasons) {
    if !found.removed.is_empty() {
        add(reasons, (ReasonCode::Withdrawn, None, Some(work)), found.removed.clone());
    }
    if !found.is_good() && !found.unconfirmed.is_empty() {
        let entries = found.unconfirmed.iter().map(|binding| binding.span.began);
        add(reasons, (ReasonCode::BindingUnconfirmed, None, Some(work)), entries);
    }
}

fn denial_speaks_of(denial: &Denial, question: &Question, leaf: Use, moment: i64) -> bool {
    let terms = &denial.terms;
    let from = terms.from.map_or(i64::MIN, |from| from.at(denial.at_ms));
    let until = terms.until.map_or(i64::MAX, Until::at);
    let uses = match &terms.uses {
        None | Some(Scope::Any) => true,
        Some(Scope::Only(named)) => named.iter().any(|named| named.includes(leaf)),
    };
    (from..until).contains(&moment)
        && uses
        && stops(terms.developers.as_ref(), Some(&question.developer))
        && stops(terms.models.as_ref(), question.model.as_ref())
        && stops(terms.territories.as_ref(), question.territory.as_ref())
}

/// What a denial leaves out it means, and what a question leaves out it may mean.
fn stops<T: Ord>(scope: Option<&Scope<T>>, asked: Option<&T>) -> bool {
    match (scope, asked) {
        (Some(scope @ Scope::Only(_)), Some(asked)) => scope.covers(Some(asked)),
        _ => true,
    }
}

/// 8. The nearest miss, of grants that attach and do not cover.
fn nearest_miss(attaching: Vec<(&Grant, Vec<ReasonCode>)>) -> Option<(ReasonCode, u64)> {
    let order = [
        ReasonCode::DeveloperNotCovered,
        ReasonCode::UseNotCovered,
        ReasonCode::ModelNotCovered,
        ReasonCode::TerritoryNotCovered,
        ReasonCode::LocationOnly,
        ReasonCode::NotYetEffective,
        ReasonCode::Expired,
        ReasonCode::Revoked,
    ];
    let rank = |misses: &[ReasonCode]| order.iter().position(|code| misses.first() == Some(code));
    let (grant, misses) = attaching.into_iter().min_by_key(|(grant, misses)| {
        let other_developer = misses.contains(&ReasonCode::DeveloperNotCovered);
        (other_developer, misses.len(), rank(misses), u64::MAX - grant.entry)
    })?;
    Some((*misses.first()?, grant.entry))
}

/// Two ISCC units of one header and length, at most 6 of 64 bits apart.
fn are_near(asked: &Key, bound: &Key) -> bool {
    let (Key::Iscc { header, body }, Key::Iscc { header: bound_header, body: bound_body }) = (asked, bound)
    else {
        return false;
    };
    let nibble = |digit: char| digit.to_digit(16).unwrap();
    let distance: u32 = body
        .chars()
        .zip(bound_body.chars())
        .map(|(mine, theirs)| (nibble(mine) ^ nibble(theirs)).count_ones())
        .sum();
    let bits = body.len() as u32 * 4;
    header == bound_header && body.len() == bound_body.len() && distance * 64 <= 6 * bits
}
