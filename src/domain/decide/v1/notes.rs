//! R13: opt-outs and foreign signals are told and never change a verdict.

use super::{Asked, Subject, contest};
use crate::domain::act::Signal;
use crate::domain::decision::{Note, NoteCode, sorted};
use crate::domain::index::Ix;
use crate::domain::index::records::{Marks, Reservation, Work};
use crate::domain::key::SubjectKey;

/// All notes, sorted.
pub(super) fn notes(asked: &Asked<'_>, subjects: &[Subject]) -> Vec<Note> {
    let mut notes = Vec::new();
    for work in looked_at(subjects) {
        let mut reservations = Vec::new();
        for record in asked.seen.records_of(work) {
            if asked.seen.index.works.at(record).marks.has(Marks::RESERVED) {
                reservations.extend(asked.seen.index.reserved_works.get(record));
            }
        }
        add(asked, &mut notes, Some(work), &reservations);
    }
    let mut on_keys = Vec::new();
    for key in &asked.question.subject {
        let SubjectKey::Key(key) = key else { continue };
        on_keys.extend(asked.seen.reservations_of(key));
    }
    add(asked, &mut notes, None, &on_keys);
    for member in subjects.iter().flat_map(|subject| &subject.members) {
        let entries = contest::noted(asked, member.work);
        if !entries.is_empty() {
            notes.push(Note {
                code: NoteCode::ClaimNoted,
                work: Some(asked.seen.work_id(member.work)),
                entries,
            });
        }
    }
    sorted(notes)
}

fn looked_at(subjects: &[Subject]) -> Vec<Ix<Work>> {
    let members = subjects.iter().flat_map(|subject| &subject.members);
    sorted(members.flat_map(|member| std::iter::once(member.work).chain(member.ancestors.iter().copied())))
}

fn add(asked: &Asked<'_>, notes: &mut Vec<Note>, work: Option<Ix<Work>>, reservations: &[Ix<Reservation>]) {
    if reservations.is_empty() {
        return;
    }
    let standing = reservations.iter().map(|ix| asked.seen.index.reservations.at(*ix));
    let standing = standing.filter(|it| asked.seen.seen(it.recorded) && !asked.seen.seen(it.withdrawn));
    let (allows, reserves): (Vec<_>, Vec<_>) = standing.partition(|it| it.signal == Signal::Allow);
    for (code, found) in [(NoteCode::OptOutRecorded, reserves), (NoteCode::AllowSignalRecorded, allows)] {
        if !found.is_empty() {
            let work = work.map(|work| asked.seen.work_id(work));
            notes.push(Note { code, work, entries: sorted(found.iter().map(|it| it.recorded)) });
        }
    }
}
