//! R12 and R13: when, and what is not consent.

use std::cell::Cell;

use kyodaku::domain::act::{Act, GrantRecorded, GrantRevoked, Revocable};
use kyodaku::domain::scope::{From, Until};

use super::agreement::{permitted_now, questions_now};
use super::compare::Asked;
use super::generate::deeds::{DAY_MS, holders_of};
use super::on_histories;
use super::speakers::{again, leaves};

#[test]
fn r12_prior() {
    on_histories(23, |teller| {
        let facts = teller.history.facts();
        let now = teller.history.now();
        for work in facts.works.keys() {
            for holder in holders_of(&facts, *work) {
                let Act::GrantRecorded(grant) = teller.grant(*work, true) else { unreachable!() };
                for from in [now - 1, now - DAY_MS] {
                    let early = GrantRecorded { from: From::At(from), until: Until::Open, ..grant.clone() };
                    let step = teller.history.step(holder, early);
                    if teller.history.admits(vec![step.clone()]) {
                        return Err(format!("a grant reaches back: {step:?}"));
                    }
                }
            }
        }
        // What is granted now was not permitted before, at any moment, as of the sizes before.
        for one in permitted_now(teller, 60) {
            for leaf in leaves(&one.decide(&teller.history.index)) {
                let before = Asked { size: leaf.entry, ..one.clone() };
                if leaves(&before.decide(&teller.history.index)).iter().any(|other| other.grant == leaf.grant)
                {
                    return Err(format!("{} permits before its entry", leaf.grant));
                }
                let granted_ms = teller.history.entries[leaf.entry as usize].at_ms;
                let past = Asked { moment: granted_ms - 1, ..one.clone() };
                if leaves(&past.decide(&teller.history.index)).iter().any(|other| other.grant == leaf.grant) {
                    return Err(format!("{} permits at a moment before its entry", leaf.grant));
                }
            }
        }
        Ok(())
    });
}

#[test]
fn r12_an_acknowledged_revocation_is_never_followed_by_a_permit() {
    let revoked = Cell::new(0);
    on_histories(24, |teller| {
        let mut gone = Vec::new();
        for one in permitted_now(teller, 60) {
            for leaf in leaves(&one.decide(&teller.history.index)) {
                let facts = teller.history.facts();
                let terms = &facts.grants[&leaf.grant].terms;
                let now = GrantRevoked { grant: leaf.grant, from: From::OnRecord };
                let at_once = teller.history.step(leaf.holder, now);
                match terms.revocable {
                    Revocable::NoticeMs(0) if !gone.contains(&leaf.grant) && gone.len() < 8 => {
                        if teller.history.play(at_once) {
                            gone.push(leaf.grant);
                        }
                    }
                    Revocable::NoticeMs(0) => {}
                    Revocable::Never => {
                        if teller.history.admits(vec![at_once]) {
                            return Err(format!("{} is revoked though it never may", leaf.grant));
                        }
                    }
                    Revocable::NoticeMs(notice) => {
                        let from = |ms| GrantRevoked { grant: leaf.grant, from: From::At(ms) };
                        let due = teller.history.now() + notice;
                        let short = teller.history.step(leaf.holder, from(due - 1));
                        let right = teller.history.step(leaf.holder, from(due));
                        if teller.history.admits(vec![short]) || teller.history.admits(vec![at_once]) {
                            return Err(format!("{} is revoked without its notice", leaf.grant));
                        }
                        teller.history.suppose(vec![right], |history, all| {
                            let after = Asked { moment: due, ..again(&one, history) };
                            let leaves = leaves(&after.decide(&history.index));
                            if all && leaves.iter().any(|other| other.grant == leaf.grant) {
                                return Err(format!("{} still stands when its notice is over", leaf.grant));
                            }
                            Ok(())
                        })?;
                    }
                }
            }
        }
        revoked.set(revoked.get() + gone.len());
        for round in 0..8 {
            for one in questions_now(teller, 25) {
                let moment = one.moment + round * DAY_MS;
                let decision = Asked { moment, ..one }.decide(&teller.history.index);
                if let Some(leaf) = leaves(&decision).iter().find(|leaf| gone.contains(&leaf.grant)) {
                    return Err(format!("{} permits after it was revoked", leaf.grant));
                }
            }
            teller.go_on();
        }
        Ok(())
    });
    assert!(revoked.get() > 2, "only {} grants were revoked", revoked.get());
}

#[test]
fn r13_opt_outs_requests_and_offers_change_no_verdict() {
    let changed = Cell::new((0, 0));
    on_histories(25, |teller| {
        let asked = questions_now(teller, 80);
        let verdicts = |teller: &super::Teller| -> Vec<bool> {
            asked.iter().map(|one| again(one, &teller.history).is_permitted(&teller.history.index)).collect()
        };
        let before = verdicts(teller);
        for _ in 0..12 {
            let (now, steps) = (teller.history.now(), teller.history.steps.len());
            teller.idle_acts();
            let (noted, recorded) = changed.get();
            changed.set((noted, recorded + teller.history.steps.len() - steps));
            assert_eq!(before, verdicts(teller), "after {:?}", teller.history.steps.last());
            assert!(teller.history.now() >= now);
        }
        let seen =
            asked.iter().map(|one| again(one, &teller.history).decide(&teller.history.index).notes.len());
        let (noted, recorded) = changed.get();
        changed.set((noted + seen.sum::<usize>(), recorded));
        Ok(())
    });
    let (noted, recorded) = changed.get();
    assert!(noted > 10 && recorded > 20, "{recorded} acts recorded, {noted} notes: they show too little");
}
