//! The position of a work: for every use what is on record, as the caller may see it, with the reasons in words.

use serde::Serialize;

use super::authority::{Proof, Roles, Verified};
use super::failure::Failure;
use super::names::Known;
use super::node::Registry;
use super::permissions::{ReservationView, reservation_view};
use super::reach::{Asking, Context, EFFORT, Opened};
use super::record::{self, OrgName, WorkView};
use crate::domain::decide::{Effort, TooMuch};
use crate::domain::decision::{Decision, Note, NoteCode, Outcome, Reason, ReasonCode};
use crate::domain::explain::{self, Lang};
use crate::domain::ids::{OrgId, ReservationId, WorkId};
use crate::domain::index::records::Work;
use crate::domain::index::{AsOf, Ix};
use crate::domain::uses::Use;
use crate::domain::view::{Viewer, of_works, view};

/// The most developers shown for one use, and contexts tried.
const MAX_CONTEXTS: usize = 50;
/// How often it may be said whom to ask: each time with a name.
const MAX_ASKED: usize = 250_000;
/// The most opt-outs shown.
const MAX_OPT_OUTS: usize = 100;

/// A sentence in both languages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Words {
    /// In Japanese.
    pub ja: String,
    /// In English.
    pub en: String,
}

impl Words {
    /// The same in each language.
    pub fn of(tell: impl Fn(Lang) -> String) -> Self {
        Self { ja: tell(Lang::Ja), en: tell(Lang::En) }
    }
}

/// A reason with its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReasonView {
    /// Which.
    pub code: ReasonCode,
    /// For a layer or part: what stands in the way there.
    pub because: Option<ReasonCode>,
    /// The work that it is about.
    pub work: Option<WorkId>,
    /// Whom to ask.
    pub ask: Vec<OrgName>,
    /// The entries that it rests on.
    pub entries: Vec<u64>,
    /// In words.
    pub words: Words,
}

impl ReasonView {
    /// A reason, with names.
    pub fn of(reason: &Reason, names: &Known) -> Self {
        let named = |org: &OrgId| OrgName { organization: *org, name: names.org_name(*org) };
        Self {
            code: reason.code,
            because: reason.because,
            work: reason.work,
            ask: reason.ask.iter().map(named).collect(),
            entries: reason.entries.to_vec(),
            words: Words::of(|lang| explain::words(reason, lang, names)),
        }
    }
}

/// What is on record for a use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Permitted: to the developer who reads this, or to any developer when another reads it.
    Granted,
    /// Permitted to certain developers, models or territories only.
    GrantedToSome,
    /// Somebody refuses.
    Denied,
    /// Not permitted.
    NotPermitted,
}

/// One use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UsePosition {
    /// The use.
    pub r#use: Use,
    /// What is on record.
    pub state: State,
    /// That in words.
    pub words: Words,
    /// To whom, where it is granted to some and the caller may know.
    pub to: Vec<Opened>,
    /// The entries of the grants on works whose grants the caller may know, where it is granted.
    pub rests_on: Vec<u64>,
    /// What stands in the way of all others, or of the caller.
    pub reasons: Vec<ReasonView>,
}

/// Opt-outs and foreign signals, which change no answer.
#[derive(Clone, Debug, Serialize)]
pub struct OptOuts {
    /// That they are no permission, and their absence none either.
    pub words: Words,
    /// What is told of them, in words.
    pub notes: Vec<Words>,
    /// Standing reservations on the work and on what it is part of.
    pub items: Vec<ReservationView>,
}

/// The position of a work.
#[derive(Clone, Debug, Serialize)]
pub struct PositionView {
    /// Its record.
    pub work: WorkView,
    /// `developer` (for itself), `all` (holders, auditors, the registrar), or `public`.
    pub seen_as: &'static str,
    /// Each use.
    pub uses: Vec<UsePosition>,
    /// Opt-outs, in a block of their own.
    pub opt_outs: OptOuts,
    /// At which moment.
    pub at: String,
    /// The version of the rules.
    pub rule_version: u32,
}

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    Developer(OrgId),
    All,
    Public,
}

impl Reader {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Developer(_) => "developer",
            Self::All => "all",
            Self::Public => "public",
        }
    }
}

/// Whether the caller may see all of a canonical work: an auditor, the registrar, a confirmed holder. Who stands behind it
/// unconfirmed may where it incorporates nobody else's work: else anybody could probe another's licences with a work of its
/// own.
pub(super) fn sees_all(now: AsOf<'_>, by: &impl Proof, work: Ix<Work>) -> bool {
    let actor = by.actor();
    if actor.roles().meets(Roles::REGISTRAR | Roles::AUDITORS) {
        return true;
    }
    let Some(org) = now.org(actor.org()) else { return false };
    let hosts = || std::iter::once(work).chain(now.ancestors(work));
    let layers =
        || hosts().flat_map(|host| now.layer_links(host)).map(|link| now.index.layers.at(link).layer);
    now.is_confirmed_holder(org, work)
        || now.stands_behind(org, work) && layers().all(|layer| now.stands_behind(org, now.canonical(layer)))
}

/// Whether the caller may know how near the grants of a work come.
pub(super) fn is_own<'a>(now: AsOf<'a>, by: &'a impl Proof) -> impl Fn(WorkId) -> bool + 'a {
    let sees_everything = by.actor().roles().meets(Roles::REGISTRAR | Roles::AUDITORS);
    let org = now.org(by.actor().org());
    move |work| {
        let work = now.work(work).map(|work| now.canonical(work));
        sees_everything || org.zip(work).is_some_and(|(org, work)| now.stands_behind(org, work))
    }
}

/// Who the caller is to a canonical work.
fn reader(now: AsOf<'_>, by: &Verified, work: Ix<Work>) -> Reader {
    let actor = by.actor();
    if sees_all(now, by, work) {
        Reader::All
    } else if actor.roles().meets(Roles::DEVELOPERS) {
        Reader::Developer(actor.org())
    } else {
        Reader::Public
    }
}

/// What was asked of the index under its lock.
struct Read {
    record: WorkView,
    reader: Reader,
    decision: Decision,
    obstacles: Vec<Vec<Reason>>,
    rests_on: Vec<Vec<u64>>,
    opened: Vec<Opened>,
    opt_outs: Vec<(ReservationId, u64, Option<u64>)>,
}

/// The position of a work. That of a merged work is that of what it was merged into.
pub async fn position(registry: &Registry, by: &Verified, id: WorkId) -> Result<PositionView, Failure> {
    let (moment_ms, anybody) = (registry.moment_ms(), OrgId::new(registry.clock().new_uuid()));
    let read = registry.read(|now| {
        let work = now.canonical(now.work(id)?);
        let effort = Effort::at_most(EFFORT);
        Some(ask(&Asking { now, moment_ms, anybody, effort: &effort }, by, work))
    });
    let Read { mut record, reader, decision, obstacles, rests_on, opened, opt_outs } =
        read.await?.ok_or(Failure::NotFound)??;
    let mut names = record::describe(registry, &mut record).await?;
    let (orgs, works) = mentioned(&obstacles, &opened);
    names.add(registry, orgs, works).await?;
    let uses = decision.uses.iter().zip(&obstacles).zip(rests_on);
    let uses = uses
        .map(|((answer, reasons), rests_on)| use_position(answer.r#use, reasons, rests_on, &opened, &names));
    let uses = uses.collect();
    let mut items = Vec::with_capacity(opt_outs.len());
    for found in opt_outs {
        items.push(reservation_view(registry, found).await?);
    }
    Ok(PositionView {
        seen_as: reader.as_str(),
        uses,
        opt_outs: OptOuts { words: opt_out_words(), notes: notes(&decision.notes, &names), items },
        at: super::answer::moment(moment_ms),
        rule_version: decision.rule_version,
        work: record,
    })
}

fn ask(asking: &Asking<'_>, by: &Verified, work: Ix<Work>) -> Result<Read, TooMuch> {
    let now = asking.now;
    let id = now.work_id(work);
    let reader = reader(now, by, work);
    let context = match reader {
        Reader::Developer(developer) => Context { developer, model: None, territory: None },
        Reader::All | Reader::Public => asking.anyone(),
    };
    let viewer = if reader == Reader::All { Viewer::All } else { Viewer::Developer };
    let decision = view(asking.decide(id, context, Use::ALL)?, viewer);
    let mut obstacles: Vec<_> =
        decision.uses.iter().map(|answer| asking.obstacles(context, answer)).collect();
    // A developer sees what concerns itself, everybody else what concerns works of its own.
    let is_own = is_own(now, by);
    let is_told = |work: WorkId| matches!(reader, Reader::Developer(_)) || is_own(work);
    obstacles = obstacles.into_iter().map(|reasons| of_works(reasons, is_told)).collect();
    can_be_told(obstacles.iter().flatten())?;
    let rests_on = decision.uses.iter().map(|answer| match &answer.outcome {
        Outcome::Permitted(permitted) => permitted.entries_of(is_told),
        Outcome::NotPermitted(_) => Vec::new(),
    });
    let rests_on = rests_on.collect();
    let open: Vec<Use> = decision
        .uses
        .iter()
        .zip(&obstacles)
        .filter(|(_, obstacles)| obstacles.is_empty())
        .map(|(answer, _)| answer.r#use)
        .collect();
    let contexts = match reader {
        Reader::Developer(developer) => asking.contexts(id, Some(developer), MAX_CONTEXTS).0,
        Reader::All => asking.contexts(id, None, MAX_CONTEXTS).0,
        Reader::Public => Vec::new(),
    };
    Ok(Read {
        record: record::read(now, work),
        reader,
        opened: asking.opened(id, &contexts, Use::ALL, &open, is_told)?,
        decision,
        obstacles,
        rests_on,
        opt_outs: opt_outs(now, work),
    })
}

/// Whether all this can be told with names.
pub(super) fn can_be_told<'a>(reasons: impl Iterator<Item = &'a Reason>) -> Result<(), TooMuch> {
    let asked: usize = reasons.map(|reason| reason.ask.len()).sum();
    if asked > MAX_ASKED { Err(TooMuch) } else { Ok(()) }
}

/// Standing reservations on a work and on what it is part of, the newest first.
fn opt_outs(now: AsOf<'_>, work: Ix<Work>) -> Vec<(ReservationId, u64, Option<u64>)> {
    let members = std::iter::once(work).chain(now.ancestors(work));
    let records = members.flat_map(|member| now.records_of(member));
    let mut found: Vec<_> =
        records.flat_map(|record| now.index.reserved_works.get(record).iter().copied()).collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    let standing = found.into_iter().filter_map(|ix| {
        let it = now.index.reservations.at(ix);
        let stands = now.seen(it.recorded) && !now.seen(it.withdrawn);
        stands.then(|| (now.index.reservations.id(ix), it.recorded, None))
    });
    standing.take(MAX_OPT_OUTS).collect()
}

/// Everybody and everything that the words will name.
pub(super) fn mentioned(reasons: &[Vec<Reason>], opened: &[Opened]) -> (Vec<OrgId>, Vec<WorkId>) {
    let all = || reasons.iter().flatten();
    let mut orgs: Vec<_> = all().flat_map(|reason| reason.ask.iter().copied()).collect();
    orgs.extend(opened.iter().filter_map(|it| it.developer));
    let mut works: Vec<_> = all().filter_map(|reason| reason.work).collect();
    orgs.sort_unstable();
    orgs.dedup();
    works.sort_unstable();
    works.dedup();
    (orgs, works)
}

fn use_position(
    leaf: Use,
    reasons: &[Reason],
    rests_on: Vec<u64>,
    opened: &[Opened],
    names: &Known,
) -> UsePosition {
    let to: Vec<Opened> = opened
        .iter()
        .filter(|it| it.uses.contains(&leaf))
        .map(|it| Opened { uses: vec![leaf], ..it.clone() })
        .collect();
    let is_denied = reasons.iter().any(|reason| {
        [Some(reason.code), reason.because].contains(&Some(ReasonCode::Denied))
            || reason.code == ReasonCode::NearDenied
    });
    let state = match (reasons.first(), to.is_empty(), is_denied) {
        (None, ..) => State::Granted,
        (Some(_), false, _) => State::GrantedToSome,
        (Some(_), true, true) => State::Denied,
        (Some(_), true, false) => State::NotPermitted,
    };
    let words = match (state, reasons.first()) {
        (State::Granted, _) | (_, None) => Words::of(|lang| explain::permitted(lang).to_owned()),
        (State::GrantedToSome, _) => Words::of(|lang| explain::permitted_to_some(lang).to_owned()),
        (_, Some(first)) => {
            let denied = reasons.iter().find(|reason| {
                state == State::Denied
                    && [Some(reason.code), reason.because].contains(&Some(ReasonCode::Denied))
            });
            Words::of(|lang| explain::words(denied.unwrap_or(first), lang, names))
        }
    };
    let reasons = reasons.iter().map(|reason| ReasonView::of(reason, names)).collect();
    UsePosition { r#use: leaf, state, words, to, rests_on, reasons }
}

fn opt_out_words() -> Words {
    Words {
        ja: "オプトアウトは許諾ではなく、オプトアウトがないことも許諾ではありません。記録は回答を変えません。"
            .to_owned(),
        en: "An opt-out is not permission, and neither is its absence. What is recorded here changes no answer."
            .to_owned(),
    }
}

fn notes(notes: &[Note], names: &Known) -> Vec<Words> {
    let about = |note: &&Note| note.code != NoteCode::ClaimNoted;
    notes.iter().filter(about).map(|note| Words::of(|lang| explain::note_words(note, lang, names))).collect()
}
