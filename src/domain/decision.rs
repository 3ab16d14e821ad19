//! The answer to a question, and why.

use serde::{Deserialize, Serialize};
use smallvec::{Array, SmallVec};

use super::act::Condition;
use super::ids::{GrantId, HoldingId, OrgId, WorkId};
use super::index::Mostly1;
use super::key::Sha256;
use super::uses::Use;

/// The overall answer. There is no third value; the default is [`Verdict::NotPermitted`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every use is covered, for every match, by every holder of everything.
    Permitted,
    /// Anything else.
    #[default]
    NotPermitted,
}

macro_rules! codes {
    ($(#[$top:meta])* $type:ident { $($(#[$doc:meta])* $name:ident,)* }) => {
        $(#[$top])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $type { $($(#[$doc])* $name,)* }

        impl $type {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

codes! {
    /// Why a use is not permitted: the closed list.
    ReasonCode {
        /// No key of the item is tied to any work.
        NotRegistered,
        /// The work was withdrawn, or the key was taken off it.
        Withdrawn,
        /// Nobody holds the work.
        NoHolder,
        /// A holder is not confirmed.
        HolderUnconfirmed,
        /// The tie between key and work is not confirmed.
        BindingUnconfirmed,
        /// Not all holders have declared the list of holders complete.
        RosterIncomplete,
        /// Not all holders have declared the list of layers complete.
        LayersIncomplete,
        /// An outsider claims the work.
        Claimed,
        /// A dispute is open.
        Disputed,
        /// The developer is not a verified AI developer in good standing.
        DeveloperUnverified,
        /// A holder has granted nothing that could apply.
        NoGrant,
        /// Some holders have granted, this one has not.
        PartlyGranted,
        /// A holder refuses.
        Denied,
        /// The nearest grant is for another use.
        UseNotCovered,
        /// The nearest grant is for another developer.
        DeveloperNotCovered,
        /// The nearest grant is for another model; or the model is not registered.
        ModelNotCovered,
        /// The nearest grant is for another territory.
        TerritoryNotCovered,
        /// The item is known by its place alone, and the nearest grant does not say that this is enough.
        LocationOnly,
        /// The nearest grant begins later.
        NotYetEffective,
        /// The nearest grant has ended.
        Expired,
        /// The nearest grant was revoked, or stopped with its holder or mandate.
        Revoked,
        /// Something that the work incorporates is not permitted.
        LayerNotPermitted,
        /// A part that was asked for is not permitted.
        PartNotPermitted,
        /// A similar work is denied.
        NearDenied,
        /// The question could not be read.
        Unreadable,
    }
}

codes! {
    /// A fact that never changes a verdict.
    NoteCode {
        /// Rights are reserved by an opt-out.
        OptOutRecorded,
        /// A foreign signal reads as an allowance, which is not consent.
        AllowSignalRecorded,
        /// A claim was made that no longer suspends.
        ClaimNoted,
    }
}

/// The entries that something rests on: seldom more than two, which take no more room than a list that lies elsewhere.
pub type Entries = SmallVec<[u64; 2]>;

/// One reason, with what it rests on and whom to ask.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// Which.
    pub code: ReasonCode,
    /// For a layer or a part: what stands in the way there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<ReasonCode>,
    /// The work that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<WorkId>,
    /// Whom to ask: sorted, distinct; may be empty where only the registrar can help.
    #[serde(default, skip_serializing_if = "SmallVec::is_empty")]
    pub ask: Mostly1<OrgId>,
    /// The entries that it rests on: sorted, distinct; empty where it rests on an absence.
    #[serde(default, skip_serializing_if = "SmallVec::is_empty")]
    pub entries: Entries,
}

impl Reason {
    /// A reason that says no more than its code.
    pub const fn of(code: ReasonCode) -> Self {
        Self { code, because: None, work: None, ask: SmallVec::new_const(), entries: SmallVec::new_const() }
    }
}

/// One note.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// Which.
    pub code: NoteCode,
    /// The work that it is about, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<WorkId>,
    /// The entries that it rests on: sorted, distinct.
    pub entries: Vec<u64>,
}

/// A list with at least one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NonEmpty<T>(Mostly1<T>);

impl<T> NonEmpty<T> {
    /// The list, or `None` when it is empty.
    pub fn new(members: impl Into<Mostly1<T>>) -> Option<Self> {
        let members = members.into();
        if members.is_empty() { None } else { Some(Self(members)) }
    }

    /// The members, as a list that may lose some.
    pub fn into_list(self) -> Mostly1<T> {
        self.0
    }

    /// The members.
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }

    /// The members.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }
}

impl<'a, T> IntoIterator for &'a NonEmpty<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The proof of one permitted use: every match, in each everything of its closure, in each every holding, at each leaf
/// one grant. Only [`mod@super::decide`] makes one, and no list in it can be empty: the type is the proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permitted {
    pub(super) works: NonEmpty<CoveredWork>,
}

impl Permitted {
    /// The matched works.
    pub fn works(&self) -> &NonEmpty<CoveredWork> {
        &self.works
    }

    /// All leaves.
    pub fn leaves(&self) -> impl Iterator<Item = &Leaf> {
        self.works.iter().flat_map(|work| work.members.iter()).flat_map(|member| member.leaves.iter())
    }

    /// The leaves in these works.
    pub fn leaves_of(&self, is_wanted: impl Fn(WorkId) -> bool) -> impl Iterator<Item = &Leaf> {
        let members = self.works.iter().flat_map(|work| work.members.iter());
        members.filter(move |member| is_wanted(member.work)).flat_map(|member| member.leaves.iter())
    }

    /// The entries that the permission rests on in these works: sorted, distinct.
    pub fn entries_of(&self, is_wanted: impl Fn(WorkId) -> bool) -> Vec<u64> {
        sorted(self.leaves_of(is_wanted).map(|leaf| leaf.entry))
    }

    /// The entries that the permission rests on: sorted, distinct.
    pub fn entries(&self) -> Entries {
        distinct(self.leaves().map(|leaf| leaf.entry).collect())
    }

    /// The conditions of all its grants: sorted, distinct.
    pub fn conditions(&self) -> Vec<Condition> {
        sorted(self.leaves().flat_map(|leaf| leaf.conditions.iter().copied()))
    }

    /// The digests of the terms of all its grants: sorted, distinct.
    pub fn terms(&self) -> Vec<Sha256> {
        sorted(self.leaves().filter_map(|leaf| leaf.terms))
    }
}

/// A matched work, all of whose closure is covered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoveredWork {
    /// The work.
    pub work: WorkId,
    /// Itself, its parts if asked for, and everything incorporated.
    pub members: NonEmpty<CoveredMember>,
}

/// A member of a closure, all of whose holdings are covered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoveredMember {
    /// The member.
    pub work: WorkId,
    /// One for each holding and each grant that covers it in any way in which the member was reached; every way has one.
    pub leaves: NonEmpty<Leaf>,
}

/// One holding, and the grant that covers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The holding.
    pub holding: HoldingId,
    /// Its present holder.
    pub holder: OrgId,
    /// The grant.
    pub grant: GrantId,
    /// The grant's entry.
    pub entry: u64,
    /// Its conditions.
    pub conditions: Vec<Condition>,
    /// The digest of its terms.
    pub terms: Option<Sha256>,
}

/// What is answered for one use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Permitted, with the proof.
    Permitted(Permitted),
    /// Not permitted, with at least one reason, sorted.
    NotPermitted(NonEmpty<Reason>),
}

/// The answer for one use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UseDecision {
    /// The use.
    pub r#use: Use,
    /// The answer.
    pub outcome: Outcome,
}

impl UseDecision {
    /// Permitted or not.
    pub const fn verdict(&self) -> Verdict {
        match self.outcome {
            Outcome::Permitted(_) => Verdict::Permitted,
            Outcome::NotPermitted(_) => Verdict::NotPermitted,
        }
    }
}

/// The answer to one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The version of the rules that gave it.
    pub rule_version: u32,
    /// As of which size of the log.
    pub log_size: u64,
    /// At which moment.
    pub moment_ms: i64,
    /// The matched works, canonical, sorted.
    pub matched: Mostly1<WorkId>,
    /// Why the question could not be read; then nothing else is answered.
    pub unreadable: Option<Reason>,
    /// One for each use, in the order of the question; empty when it could not be read.
    pub uses: Mostly1<UseDecision>,
    /// Facts that change nothing: sorted.
    pub notes: Vec<Note>,
    /// The earliest moment at which time alone could change the answer; `i64::MAX` when none could.
    pub valid_until_ms: i64,
}

impl Decision {
    /// One that says nothing so far, and permits nothing.
    pub const fn nothing(rule_version: u32, log_size: u64, moment_ms: i64) -> Self {
        Self {
            rule_version,
            log_size,
            moment_ms,
            matched: Mostly1::new_const(),
            unreadable: None,
            uses: Mostly1::new_const(),
            notes: Vec::new(),
            valid_until_ms: i64::MAX,
        }
    }

    /// Makes it one that says nothing, where it lies.
    pub fn clear(&mut self, rule_version: u32, log_size: u64, moment_ms: i64) {
        // Each field is named, so that none can be forgotten: nothing of one answer may stand in the next.
        let Self {
            rule_version: version,
            log_size: size,
            moment_ms: moment,
            matched,
            unreadable,
            uses,
            notes,
            valid_until_ms,
        } = self;
        (*version, *size, *moment) = (rule_version, log_size, moment_ms);
        (*unreadable, *valid_until_ms) = (None, i64::MAX);
        matched.clear();
        uses.clear();
        notes.clear();
    }

    /// Permitted only when the question could be read, there is at least one use, and all are permitted.
    pub fn verdict(&self) -> Verdict {
        let permits = |answer: &UseDecision| answer.verdict() == Verdict::Permitted;
        if self.unreadable.is_none() && !self.uses.is_empty() && self.uses.iter().all(permits) {
            Verdict::Permitted
        } else {
            Verdict::NotPermitted
        }
    }

    /// All reasons, in the order of the uses. That the question can't be read is told apart.
    pub fn reasons(&self) -> impl Iterator<Item = &Reason> {
        self.uses.iter().flat_map(|answer| match &answer.outcome {
            Outcome::Permitted(_) => [].iter(),
            Outcome::NotPermitted(reasons) => reasons.iter(),
        })
    }
}

/// The members sorted, each once.
pub(super) fn distinct<A: Array<Item: Ord>>(mut members: SmallVec<A>) -> SmallVec<A> {
    if members.len() > 1 {
        members.sort_unstable();
        members.dedup();
    }
    members
}

pub(super) fn sorted<T: Ord>(members: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut members: Vec<T> = members.into_iter().collect();
    members.sort_unstable();
    members.dedup();
    members
}
