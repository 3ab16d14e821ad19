//! A random history: honest parties who get things done, careless ones, and hostile ones.

mod acts;
pub(crate) mod deeds;
mod later;

use kyodaku::domain::act::{Act, LogOpened, OrgRegistered, OrgVerified, PersonAdded, Role, RulesActivated};
use kyodaku::domain::ids::{Id, Kind, ModelId, OrgId};
use kyodaku::domain::key::{Key, Sha256};
use uuid::Uuid;

use super::history::{History, INSTALLATION, START_MS, Step, persons_of, step_of};
use super::rng::Rng;

/// Who takes part, by what they are.
pub(crate) struct Cast {
    pub(crate) installation: OrgId,
    pub(crate) registrar: OrgId,
    pub(crate) holders: Vec<OrgId>,
    pub(crate) associations: Vec<OrgId>,
    pub(crate) developers: Vec<OrgId>,
    pub(crate) auditor: OrgId,
    /// Verified, and up to no good.
    pub(crate) outsider: OrgId,
    pub(crate) unverified: OrgId,
}

impl Cast {
    fn new() -> Self {
        let org = |number: u128| OrgId::new(Uuid::from_u128(number));
        Self {
            installation: org(INSTALLATION),
            registrar: org(2),
            holders: (10..22).map(org).collect(),
            associations: (30..33).map(org).collect(),
            developers: (40..44).map(org).collect(),
            auditor: org(50),
            outsider: org(60),
            unverified: org(61),
        }
    }

    pub(crate) fn all(&self) -> Vec<OrgId> {
        let mut all = vec![self.outsider, self.auditor, self.unverified, self.registrar];
        all.extend(self.holders.iter().chain(&self.associations).chain(&self.developers));
        all
    }

    fn with_roles(&self) -> Vec<(OrgId, Role)> {
        let mut all = vec![
            (self.auditor, Role::Auditor),
            (self.outsider, Role::RightsHolder),
            (self.unverified, Role::RightsHolder),
        ];
        all.extend(self.holders.iter().map(|org| (*org, Role::RightsHolder)));
        all.extend(self.associations.iter().map(|org| (*org, Role::Association)));
        all.extend(self.developers.iter().map(|org| (*org, Role::AiDeveloper)));
        all
    }
}

/// Tells a history.
pub(crate) struct Teller {
    pub(crate) rng: Rng,
    pub(crate) cast: Cast,
    pub(crate) history: History,
    pub(crate) models: Vec<ModelId>,
    next_id: u128,
    now_ms: i64,
}

/// The history of a seed, after about so many steps.
pub(crate) fn history(seed: u64, steps: usize) -> Teller {
    let mut teller = Teller::opened(seed);
    for _ in 0..4 {
        teller.register_work();
    }
    while teller.history.steps.len() + teller.history.refused.len() < steps {
        teller.go_on();
    }
    teller
}

impl Teller {
    fn new(seed: u64) -> Self {
        let rng = Rng::new(seed);
        Self {
            rng,
            cast: Cast::new(),
            history: History::new(),
            models: Vec::new(),
            next_id: 1 << 64,
            now_ms: START_MS,
        }
    }

    /// Everybody is there; nothing else is told yet.
    pub(crate) fn opened(seed: u64) -> Self {
        let mut teller = Self::new(seed);
        teller.open();
        teller
    }

    pub(crate) fn id<K: Kind>(&mut self) -> Id<K> {
        self.next_id += 1;
        Id::new(Uuid::from_u128(self.next_id))
    }

    pub(crate) fn now(&self) -> i64 {
        self.now_ms
    }

    pub(crate) fn play(&mut self, party: OrgId, on_behalf_of: Option<OrgId>, acts: Vec<Act>) -> bool {
        let step: Step = step_of(party, on_behalf_of.filter(|other| *other != party), acts, self.now_ms);
        self.history.play(step)
    }

    /// Time goes on: mostly not, sometimes by days.
    pub(crate) fn wait(&mut self) {
        const HOUR_MS: i64 = 3_600_000;
        let waits = [0, 0, 0, 1, 1_000, HOUR_MS, 24 * HOUR_MS, 24 * HOUR_MS * 5];
        self.now_ms += self.rng.pick(&waits).unwrap();
    }

    fn open(&mut self) {
        let Cast { installation, registrar, .. } = self.cast;
        let opened =
            LogOpened { origin: "registry.example/acts".into(), registry: installation, continues: None };
        self.must(installation, vec![opened.into()]);
        self.must(installation, vec![RulesActivated { version: 1 }.into()]);
        self.must(installation, enter(registrar, Role::Registrar));
        for (org, role) in self.cast.with_roles() {
            let mut acts = enter(org, role);
            if org == self.cast.unverified {
                acts.retain(|act| !matches!(act, Act::OrgVerified(_)));
            }
            self.must(registrar, acts);
        }
        for developer in self.cast.developers.clone() {
            let model = self.id();
            self.models.push(model);
            self.must(developer, vec![kyodaku::domain::act::ModelRegistered { model }.into()]);
        }
    }

    pub(crate) fn must(&mut self, party: OrgId, acts: Vec<Act>) {
        assert!(self.play(party, None, acts), "{:?}", self.history.refused.last());
    }

    pub(crate) fn go_on(&mut self) {
        self.wait();
        match self.rng.below(100) {
            0..=7 => self.register_work(),
            8..=38 => self.clear_work(),
            39..=46 => self.mandate_and_grant(),
            47..=51 => self.hand_over(),
            52..=57 => self.make_part(),
            58..=65 => self.idle_acts(),
            _ => {
                // Deeds are of many acts, and these of one.
                for _ in 0..2 {
                    self.any_act();
                }
            }
        }
    }

    /// Keys from a small pool, so that works share them.
    pub(crate) fn key(&mut self) -> Key {
        let n = self.rng.below(6);
        match self.rng.below(6) {
            0 => Key::url(&format!("https://site{}.example/a/{n}", n % 2)).unwrap(),
            1 => {
                Key::url_prefix(&format!("https://site{}.example/{}", n % 2, ["", "a", "b"][n % 3])).unwrap()
            }
            2 => Key::sha256(Sha256::of(&[n as u8])),
            3 | 4 => Key::identifier("catalogue", &format!("{n}")).unwrap(),
            _ => Key::iscc("0010", ["0000000000000000", "000000000000003f", "000000000000007f"][n % 3])
                .unwrap(),
        }
    }
}

/// An organization is registered and verified, with its two persons.
pub(crate) fn enter(org: OrgId, role: Role) -> Vec<Act> {
    let mut acts: Vec<Act> =
        vec![OrgRegistered { org, roles: vec![role] }.into(), OrgVerified { org, evidence: None }.into()];
    acts.extend(persons_of(org).into_iter().map(|person| Act::from(PersonAdded { person, org })));
    acts
}
