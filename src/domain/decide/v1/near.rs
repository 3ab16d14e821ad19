//! R10: a near match can refuse, and never permits.

use super::{Asked, Block, Place, Reasons, Subject, denial};
use crate::domain::decision::ReasonCode;
use crate::domain::index::Ix;
use crate::domain::index::fold::iscc_class;
use crate::domain::index::records::Work;
use crate::domain::key::{Key, NEAR_RADIUS_OF_64, SubjectKey};
use crate::domain::uses::Use;

/// Refuses when a work that resembles the item, and is not among its matches, is denied for this use.
pub(super) fn judge(asked: &Asked<'_>, leaf: Use, subjects: &[Subject], reasons: &mut Reasons) {
    for work in near_works(asked) {
        if subjects.iter().any(|subject| subject.matched.work == work) {
            continue;
        }
        let denials = denial::applying(asked, leaf, work, &asked.seen.ancestors(work));
        if !denials.is_empty() {
            let block = Block {
                code: ReasonCode::NearDenied,
                ask: denials.iter().map(|denial| asked.seen.org_id(denial.principal)).collect(),
                entries: denials.iter().map(|denial| denial.recorded.get()).collect(),
            };
            reasons.add_block(Place::Matched, asked.seen.work_id(work), block);
        }
    }
}

fn near_works(asked: &Asked<'_>) -> Vec<Ix<Work>> {
    let seen = asked.seen;
    let mut works = Vec::new();
    for key in &asked.question.subject {
        let SubjectKey::Key(Key::Iscc { header, body }) = key else { continue };
        for ix in seen.index.by_iscc.get(iscc_class(header, body)) {
            let binding = seen.index.binding(*ix);
            let story = seen.index.bindings.story(&binding);
            let stands =
                seen.seen(binding.confirmed) && !seen.seen(story.rejected) && !seen.seen(story.removed);
            let Key::Iscc { body: other, .. } = seen.index.bindings.key(*ix) else { continue };
            if stands && is_near(body, &other) {
                works.push(seen.canonical(binding.work));
            }
        }
    }
    works.sort_unstable();
    works.dedup();
    works
}

/// Whether two bodies of one length, in hexadecimal, differ in at most the radius.
#[expect(clippy::cast_possible_truncation, reason = "a body has at most 64 digits")]
fn is_near(one: &str, other: &str) -> bool {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or(0);
    let distance: u32 = one.bytes().zip(other.bytes()).map(|(a, b)| (digit(a) ^ digit(b)).count_ones()).sum();
    distance * 16 <= NEAR_RADIUS_OF_64 * one.len() as u32
}
