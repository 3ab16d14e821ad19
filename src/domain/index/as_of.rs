//! The index as of a size of the log: the questions that rules ask of it.
//!
//! Section 2 of `docs/rules.md` defines the words used here.

use super::records::{
    Declarer, Denial, Grant, HandedOn, Holding, LayerLink, Listing, Mandate, Marks, Org, OrgRef, PartLink,
    Reservation, Revocation, Standing, Work,
};
use super::{Few, Index, Ix};
use crate::domain::act::{Power, Role};
use crate::domain::ids::{OrgId, PersonId, WorkId};
use crate::domain::key::{Key, packed};
use crate::domain::scope::Scope;

/// The index, of which only the entries below `size` are seen.
#[derive(Clone, Copy)]
pub struct AsOf<'a> {
    /// The index.
    pub index: &'a Index,
    /// The size.
    pub size: u64,
}

/// One way in which a key is tied to a work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyMatch {
    /// The binding.
    pub binding: Ix<super::records::Binding>,
    /// Whether it only says where the item lies.
    pub by_location: bool,
}

impl<'a> AsOf<'a> {
    pub(super) const fn new(index: &'a Index, size: u64) -> Self {
        Self { index, size }
    }

    /// Whether the entry is among those seen.
    #[inline]
    pub fn seen(self, entry: impl Into<u64>) -> bool {
        entry.into() < self.size
    }

    /// The version of the rules; 0 before any is activated.
    pub fn rule_version(self) -> u32 {
        let active = self.index.rules.iter().rev().find(|(at, _)| self.seen(*at));
        active.map_or(0, |(_, version)| *version)
    }

    /// Whether the registrar needs a second person.
    pub fn second_person(self) -> bool {
        let set = self.index.second_person.iter().rev().find(|(at, _)| self.seen(*at));
        set.is_none_or(|(_, on)| *on)
    }

    // Organizations and people.

    /// The place of a registered organization.
    pub fn org(self, id: OrgId) -> Option<Ix<Org>> {
        self.index.orgs.find(id).filter(|org| self.seen(self.index.orgs.at(*org).registered))
    }

    /// The id of an organization.
    pub fn org_id(self, org: Ix<Org>) -> OrgId {
        self.index.orgs.id(org)
    }

    /// The last verification, suspension or reinstatement.
    pub fn standing(self, org: Ix<Org>) -> Option<(u64, Standing)> {
        self.index.orgs.at(org).standing.iter().rev().find(|(at, _)| self.seen(*at)).copied()
    }

    /// Whether it is verified and not suspended.
    pub fn in_good_standing(self, org: Ix<Org>) -> bool {
        matches!(self.standing(org), Some((_, Standing::Good)))
    }

    /// The entry that suspended it, if it is suspended.
    pub fn suspension(self, org: Ix<Org>) -> Option<u64> {
        match self.standing(org) {
            Some((at, Standing::Suspended)) => Some(at),
            _ => None,
        }
    }

    /// Whether it has the role.
    pub fn has_role(self, org: Ix<Org>, role: Role) -> bool {
        self.index.orgs.at(org).roles.contains(&role)
    }

    /// For whom a person stands.
    pub fn stands_for(self, person: PersonId) -> Option<OrgRef> {
        let person = self.index.people.at(self.index.people.find(person)?);
        let standing =
            person.stands_for.iter().find(|(_, since, until)| self.seen(*since) && !self.seen(*until));
        standing.map(|(org, _, _)| *org)
    }

    /// The mandate, given first of those in force, under which the agent has this power over all these works.
    pub fn mandate(
        self,
        principal: Ix<Org>,
        agent: Ix<Org>,
        power: Power,
        works: &[Ix<Work>],
        moment_ms: i64,
    ) -> Option<Ix<Mandate>> {
        let mandates = self.index.by_mandate.get((principal, agent)).iter().copied();
        let mut in_force = mandates.filter(|ix| {
            let mandate = self.index.mandates.at(*ix);
            self.seen(mandate.given)
                && !self.seen(mandate.ended)
                && mandate.term.contains(moment_ms)
                && mandate.powers.contains(&power)
                && works.iter().all(|work| self.mandate_covers(mandate, *work))
        });
        in_force.next()
    }

    /// Whether the works of a mandate include this one.
    pub fn mandate_covers(self, mandate: &Mandate, work: Ix<Work>) -> bool {
        match &mandate.works {
            Scope::Any => true,
            Scope::Only(works) => self.names(works, self.canonical(work)),
        }
    }

    /// Whether the membership is accepted and not ended.
    pub fn is_member(self, member: Ix<Org>, association: Ix<Org>) -> bool {
        self.index.by_membership.get((member, association)).iter().any(|ix| {
            let membership = self.index.memberships.at(*ix);
            self.seen(membership.accepted) && !self.seen(membership.ended)
        })
    }

    // Works and who holds them.

    /// The place of a registered work.
    pub fn work(self, id: WorkId) -> Option<Ix<Work>> {
        self.index.works.find(id).filter(|work| self.seen(self.index.works.at(*work).registered))
    }

    /// The id of a work.
    pub fn work_id(self, work: Ix<Work>) -> WorkId {
        self.index.works.id(work)
    }

    /// What the work was merged into, followed to the end.
    pub fn canonical(self, mut work: Ix<Work>) -> Ix<Work> {
        while let Some((at, into)) = self.index.ties_of(work).and_then(|ties| ties.merged_into) {
            if !self.seen(at) {
                break;
            }
            work = into;
        }
        work
    }

    /// Whether a list of works names this one, by itself or by something merged into it.
    pub fn names(self, list: &[WorkId], work: Ix<Work>) -> bool {
        list.iter().any(|id| self.work(*id).is_some_and(|named| self.canonical(named) == work))
    }

    /// A canonical work and all that was merged into it.
    pub fn records_of(self, work: Ix<Work>) -> Few<Ix<Work>> {
        let mut records: Few<_> = std::iter::once(work).collect();
        let mut next = 0;
        while let Some(record) = records.get(next).copied() {
            next += 1;
            let Some(ties) = self.index.ties_of(record) else { continue };
            let absorbed = self.index.absorbed.chain(ties.absorbed, |it| it.before).into_iter();
            let absorbed = absorbed.map(|ix| self.index.absorbed.at(ix));
            records.extend(absorbed.filter(|it| self.seen(it.at)).map(|it| it.work));
        }
        records
    }

    /// The standing holdings of a canonical work, oldest first.
    pub fn holdings(self, work: Ix<Work>) -> Few<Ix<Holding>> {
        let mut standing = Few::new();
        for record in self.records_of(work) {
            let holdings = self.index.holdings_of(record).into_iter();
            standing.extend(holdings.filter(|holding| self.holding_stands(*holding)));
        }
        standing.sort_unstable();
        standing
    }

    /// Whether a holding was asserted and neither rejected nor relinquished.
    pub fn holding_stands(self, holding: Ix<Holding>) -> bool {
        let holding = self.index.holding(holding);
        self.seen(holding.asserted) && !self.seen(holding.ended)
    }

    /// Whether a holding is confirmed.
    pub fn is_confirmed(self, holding: Ix<Holding>) -> bool {
        self.seen(self.index.holding(holding).confirmed)
    }

    /// Who holds it now.
    pub fn holder(self, holding: Ix<Holding>) -> Option<Ix<Org>> {
        self.holder_before(holding, self.size)
    }

    /// Who held it just after this entry; nobody if it was asserted later.
    pub fn holder_after(self, holding: Ix<Holding>, entry: impl Into<u64>) -> Option<Ix<Org>> {
        self.holder_before(holding, entry.into().saturating_add(1).min(self.size))
    }

    /// Whether it held this at that entry, and its word then counts: it holds it still, or a registrar confirmed the holding
    /// before it handed it on. What was never confirmed gives no power that a transfer could carry further (R1, R4).
    pub fn held_well(self, holding: Ix<Holding>, entry: u64, org: Ix<Org>) -> bool {
        let record = self.index.holding(holding);
        if record.handed_on.is_none() {
            let asserted = record.asserted.get();
            return record.first_holder == org && asserted <= entry && self.seen(asserted);
        }
        if self.holder_after(holding, entry) != Some(org) {
            return false;
        }
        let later =
            self.handed_on(&record).filter(|to| self.seen(to.at)).take_while(|to| to.at.get() > entry);
        later.last().is_none_or(|next| self.seen(record.confirmed) && record.confirmed < next.at)
    }

    fn holder_before(self, holding: Ix<Holding>, size: u64) -> Option<Ix<Org>> {
        let record = self.index.holding(holding);
        let first = (record.asserted.get() < size).then_some(record.first_holder);
        if record.handed_on.is_none() {
            return first;
        }
        self.handed_on(&record).find(|to| to.at.get() < size).map(|to| to.to).or(first)
    }

    /// Everybody who holds a holding or ever did, and who came to hold it later than what is seen.
    pub fn ever_held(self, holding: Ix<Holding>) -> impl Iterator<Item = Ix<Org>> {
        let record = self.index.holding(holding);
        std::iter::once(record.first_holder).chain(self.handed_on(&record).map(|to| to.to))
    }

    /// To whom a holding went over, the last first, seen or not.
    pub(super) fn handed_on(self, holding: &Holding) -> impl Iterator<Item = &'a HandedOn> + use<'a> {
        let at = move |ix: Option<Ix<HandedOn>>| ix.map(|ix| self.index.handed_on.at(ix));
        std::iter::successors(at(holding.handed_on), move |to| at(to.before))
    }

    /// Whether the organization holds the canonical work, confirmed or not.
    pub fn is_holder(self, org: Ix<Org>, work: Ix<Work>) -> bool {
        self.holdings(work).into_iter().any(|holding| self.holder(holding) == Some(org))
    }

    /// Whether it holds a confirmed holding of the canonical work.
    pub fn is_confirmed_holder(self, org: Ix<Org>, work: Ix<Work>) -> bool {
        let mut holdings = self.holdings(work).into_iter();
        holdings.any(|holding| self.holder(holding) == Some(org) && self.is_confirmed(holding))
    }

    /// Whether any holding of the canonical work is confirmed.
    pub fn has_confirmed_holding(self, work: Ix<Work>) -> bool {
        self.holdings(work).into_iter().any(|holding| self.is_confirmed(holding))
    }

    /// Whether it speaks for the canonical work, and not only for a share in it: as one that [`AsOf::stands_behind`] it, or as
    /// the registrant of a work whose registration listed no holder, while none is confirmed.
    pub fn speaks_for(self, org: Ix<Org>, work: Ix<Work>) -> bool {
        let lists_none = || {
            let listed = self.index.holdings_of(work);
            !listed.into_iter().any(|holding| self.is_listed(holding, work))
        };
        let is_registrant = { self.index.works.at(work).registrant } == org;
        self.stands_behind(org, work) || is_registrant && !self.has_confirmed_holding(work) && lists_none()
    }

    /// Whether it is a confirmed holder of the canonical work or, while there is none, the holder of what the registration
    /// listed and nobody rejected. Who lists itself as a holder of another's work is neither (R1).
    pub fn stands_behind(self, org: Ix<Org>, work: Ix<Work>) -> bool {
        let has_confirmed = self.has_confirmed_holding(work);
        let counts = |holding: Ix<Holding>| {
            if has_confirmed { self.is_confirmed(holding) } else { self.is_listed(holding, work) }
        };
        let mut holdings = self.holdings(work).into_iter().filter(|holding| counts(*holding));
        holdings.any(|holding| self.holder(holding) == Some(org))
    }

    /// Whether the registration of the work itself listed this holding, whatever became of it.
    fn is_listed(self, holding: Ix<Holding>, work: Ix<Work>) -> bool {
        let holding = self.index.holding(holding);
        holding.work == work && holding.asserted == { self.index.works.at(work).registered }
    }

    // Completeness.

    /// Whether the list of holders of a canonical work counts.
    pub fn roster_complete(self, work: Ix<Work>) -> bool {
        self.roster_complete_by(work, &self.holdings(work))
    }

    /// The same, for who knows the standing holdings already.
    pub fn roster_complete_by(self, work: Ix<Work>, holdings: &[Ix<Holding>]) -> bool {
        let list = self.index.ties_of(work).and_then(|ties| ties.roster);
        !holdings.is_empty() && self.is_declared(work, Marks::ROSTER, list, holdings)
    }

    /// Whether the list of layers of a canonical work counts.
    pub fn layers_complete(self, work: Ix<Work>) -> bool {
        self.layers_complete_by(work, &self.holdings(work))
    }

    /// The same, for who knows the standing holdings already.
    pub fn layers_complete_by(self, work: Ix<Work>, holdings: &[Ix<Holding>]) -> bool {
        let list = self.index.ties_of(work).and_then(|ties| ties.layering);
        self.is_declared(work, Marks::LAYERING, list, holdings)
    }

    /// Whether a list, which is as the mark says while it was never changed, is declared complete.
    fn is_declared(
        self,
        work: Ix<Work>,
        mark: Marks,
        list: Option<Ix<Listing>>,
        holdings: &[Ix<Holding>],
    ) -> bool {
        let work = self.index.works.at(work);
        // Only the registrant could have declared it with the work, and that counts while nothing changed it since.
        let first = (work.registered, work.marks.has(mark).then_some(Declarer::Holder(work.registrant)));
        let happened = || self.index.listings(list).map(|it| (it.at, it.declared.by())).chain([first]);
        let seen = || happened().filter(|(at, _)| self.seen(*at));
        let changed = seen().find(|(_, declared)| declared.is_none()).map_or(work.registered, |(at, _)| at);
        let declared = || {
            let since = seen().take_while(move |(at, _)| *at >= changed);
            since.filter_map(|(at, declared)| declared.map(|by| (at, by)))
        };
        if declared().any(|(_, by)| by == Declarer::Registrar) {
            return true;
        }
        let is_declared = |holding: &Ix<Holding>| {
            declared().any(|(at, by)| match by {
                Declarer::Holder(org) => self.held_well(*holding, at.get(), org),
                Declarer::Registrar => true,
            })
        };
        !holdings.is_empty() && holdings.iter().all(is_declared)
    }

    /// The standing layer links of a canonical work.
    pub fn layer_links(self, work: Ix<Work>) -> Few<Ix<LayerLink>> {
        let mut links = Few::new();
        for record in self.records_of(work) {
            let all = self.index.layers_of(record).into_iter();
            links.extend(all.filter(|link| self.layer_link_stands(*link)));
        }
        links
    }

    /// Whether a part link stands, effective or not.
    pub fn part_link_stands(self, link: Ix<PartLink>) -> bool {
        let link = self.index.parts.at(link);
        self.seen(link.linked) && !self.seen(link.removed)
    }

    /// Whether a part link stands and both sides have assented.
    pub fn part_link_effective(self, link: Ix<PartLink>) -> bool {
        let assents = &self.index.parts.at(link).assents;
        self.part_link_stands(link)
            && assents.iter().any(|assent| self.seen(assent.good_on_part))
            && assents.iter().any(|assent| self.seen(assent.good_on_whole))
    }

    /// The effective links from a canonical work to its wholes.
    pub fn parent_links(self, work: Ix<Work>) -> Few<Ix<PartLink>> {
        self.part_links(work, Index::parents_of)
    }

    /// The effective links from a canonical work to its parts.
    pub fn child_links(self, work: Ix<Work>) -> Few<Ix<PartLink>> {
        self.part_links(work, Index::children_of)
    }

    fn part_links(
        self,
        work: Ix<Work>,
        side: fn(&Index, Ix<Work>) -> Few<Ix<PartLink>>,
    ) -> Few<Ix<PartLink>> {
        let mut links = Few::new();
        for record in self.records_of(work) {
            let all = side(self.index, record).into_iter();
            links.extend(all.filter(|link| self.part_link_effective(*link)));
        }
        links
    }

    /// The canonical works that this one is transitively part of, without itself.
    pub fn ancestors(self, work: Ix<Work>) -> Few<Ix<Work>> {
        Self::reach(work, usize::MAX, |at| {
            let links = self.parent_links(at);
            links.into_iter().map(|link| self.canonical(self.index.parts.at(link).whole)).collect()
        })
    }

    /// The canonical works that are transitively part of this one, without itself.
    pub fn descendants(self, work: Ix<Work>) -> Few<Ix<Work>> {
        self.descendants_up_to(work, usize::MAX)
    }

    /// The same, without looking further once there are more than `most`: an answer must not take as long as a franchise is large.
    pub fn descendants_up_to(self, work: Ix<Work>, most: usize) -> Few<Ix<Work>> {
        Self::reach(work, most, |at| {
            let links = self.child_links(at);
            links.into_iter().map(|link| self.canonical(self.index.parts.at(link).part)).collect()
        })
    }

    fn reach(work: Ix<Work>, most: usize, step: impl Fn(Ix<Work>) -> Few<Ix<Work>>) -> Few<Ix<Work>> {
        let mut found = Few::new();
        let mut open = step(work);
        // Most works stand alone: nothing is kept for them.
        if open.is_empty() {
            return found;
        }
        let mut known: hashbrown::HashSet<Ix<Work>> = std::iter::once(work).collect();
        let mut next = 0;
        loop {
            for other in open {
                if found.len() < most && known.insert(other) {
                    found.push(other);
                }
            }
            let Some(at) = found.get(next).filter(|_| found.len() < most) else { return found };
            next += 1;
            open = step(*at);
        }
    }

    // Consent and refusal.

    /// The grants recorded on this very work.
    pub fn grants(self, work: Ix<Work>) -> impl Iterator<Item = (Ix<Grant>, Grant)> + use<'a> {
        let grants = self.index.grants_of(work).into_iter().map(move |ix| (ix, self.index.grant(ix)));
        grants.filter(move |(_, grant)| self.seen(grant.recorded))
    }

    /// The same, the last first.
    pub fn grants_back(self, work: Ix<Work>) -> impl Iterator<Item = (Ix<Grant>, Grant)> + use<'a> {
        let at = move |ix: Option<Ix<Grant>>| ix.map(|ix| (ix, self.index.grant(ix)));
        let all = std::iter::successors(
            at(self.index.others_of(self.index.works.at(work)).grants),
            move |(_, it)| at(it.before),
        );
        all.filter(move |(_, grant)| self.seen(grant.recorded))
    }

    /// The revocations of a grant, the last first.
    pub fn revocations(self, grant: &Grant) -> impl Iterator<Item = &'a Revocation> + use<'a> {
        let at = move |ix: Option<Ix<Revocation>>| ix.map(|ix| self.index.revocations.at(ix));
        let all = std::iter::successors(at(grant.revoked), move |revocation| at(revocation.before));
        all.filter(move |revocation| self.seen(revocation.at))
    }

    /// The denials on a canonical work that rest on a holding which stands and from which they were not lifted.
    pub fn denials(self, work: Ix<Work>) -> Few<Denial> {
        let mut standing = Few::new();
        for record in self.records_of(work) {
            let denials = self.index.denials_of(record).into_iter().map(|ix| self.index.denial(ix));
            standing.extend(denials.filter(|denial| self.denial_stands(denial)));
        }
        standing
    }

    /// Whether a denial is recorded and rests on something.
    pub fn denial_stands(self, denial: &Denial) -> bool {
        let mut holdings = denial.holdings.iter();
        self.seen(denial.recorded)
            && holdings.any(|(holding, lifted)| !self.seen(*lifted) && self.holding_stands(*holding))
    }

    /// The bindings of a key that are neither rejected nor dropped before they were confirmed; for a URL, also those of
    /// every registered prefix that covers it.
    pub fn key_matches(self, key: &Key) -> Few<KeyMatch> {
        let mut matches = Few::new();
        self.add_matches(key, &mut matches);
        for prefix in self.bound_prefixes(key) {
            self.add_matches(&prefix, &mut matches);
        }
        matches
    }

    /// The prefix keys that cover a URL; none where no prefix of its site was ever bound.
    fn bound_prefixes(self, key: &Key) -> Vec<Key> {
        let may_match = key.site().is_some_and(|site| self.index.prefixed.has(site));
        if may_match { key.covering_prefixes() } else { Vec::new() }
    }

    /// The reservations of a key, and of every prefix that covers it.
    pub fn reservations_of(self, key: &Key) -> Few<Ix<Reservation>> {
        let reserved = &self.index.reserved_keys;
        let mut found = Few::new();
        if reserved.is_empty() {
            return found;
        }
        found.extend_from_slice(reserved.get(key.fingerprint()));
        if key.site().is_some_and(|site| self.index.reserved_prefixed.has(site)) {
            for prefix in key.covering_prefixes() {
                found.extend_from_slice(reserved.get(prefix.fingerprint()));
            }
        }
        found
    }

    fn add_matches(self, key: &Key, matches: &mut Few<KeyMatch>) {
        for ix in self.index.bindings.of_key(&packed::of(key)) {
            let binding = self.index.binding(ix);
            let story = self.index.bindings.story(&binding);
            let dropped = self.seen(story.removed) && !self.seen(binding.confirmed);
            if self.seen(binding.asserted) && !self.seen(story.rejected) && !dropped {
                matches.push(KeyMatch { binding: ix, by_location: key.is_location() });
            }
        }
    }
}
