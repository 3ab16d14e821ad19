//! Opt-outs and other foreign signals, which are evidence and change no verdict (R13).

use super::check::{Check, Over};
use crate::domain::act::{Act, Power, ReservationRecorded, ReservationWithdrawn, ReservedSubject};
use crate::domain::index::records::NEVER;

pub(super) fn admit(check: &mut Check<'_>, act: &Act) {
    match act {
        Act::ReservationRecorded(act) => record(check, act),
        Act::ReservationWithdrawn(act) => withdraw(check, act),
        _ => {}
    }
}

fn record(check: &mut Check<'_>, act: &ReservationRecorded) {
    check.principal();
    if check.is_registrar() {
        check.unauthorized("", "any verified organization but a registrar may");
    }
    check.fresh("/reservation", check.index.reservations.find(act.reservation).is_some(), act.reservation);
    let work = match &act.subject {
        ReservedSubject::Work(id) => check.work("/subject/work", *id),
        ReservedSubject::Key(key) => {
            check.normal("/subject/key", key);
            None
        }
    };
    check.agent_has(Power::Notice, Over::Works(work.as_slice()), true);
    check.scope("/uses", &act.uses);
}

fn withdraw(check: &mut Check<'_>, act: &ReservationWithdrawn) {
    check.principal();
    let index = check.index;
    let Some(ix) = check.known("/reservation", index.reservations.find(act.reservation), act.reservation)
    else {
        return;
    };
    let reservation = index.reservations.at(ix);
    check.agent_has(Power::Notice, Over::Works(&[]), true);
    if check.party().is_some_and(|party| party != reservation.by) {
        check.unauthorized("/reservation", "only who recorded it may");
    }
    if reservation.withdrawn != NEVER {
        check.ended("/reservation", act.reservation);
    }
}
