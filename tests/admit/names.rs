//! Names are introduced once: `admit` sees to it, and `fold` stops at a log that was written without it.

use super::roles::{Scene, full};
use super::stage::Stage;
use kyodaku::domain::act::*;
use kyodaku::domain::command::record;
use kyodaku::domain::entry::{ENTRY_VERSION, Entry, Salt};
use kyodaku::domain::index::FoldError;

#[test]
fn a_name_is_introduced_once_whoever_wrote_the_log() {
    let mut cast = full();
    let mut stopped = 0;
    for Scene { act, may } in std::mem::take(&mut cast.scenes).into_iter().filter(|it| !it.may.is_empty()) {
        let actor = cast.actor(may[0]);
        let savepoint = cast.stage.index.savepoint();
        let command = Stage::command(&actor, vec![act.clone()]);
        let salt = || Salt([1; 16]);
        let index = &mut cast.stage.index;
        let entries = record(index, &command, cast.stage.now, salt).unwrap();
        let refused = cast.stage.would(&actor, &act).err().unwrap_or_default();
        let is_taken = refused.iter().any(|refusal| refusal.code == "id_taken");
        let (at, index) = (cast.stage.index.size(), &mut cast.stage.index);
        let again = index.fold(at, &entries[0]);
        let stops = matches!(&again, Err(FoldError::UsedName { at: entry, .. }) if *entry == at);
        assert_eq!(stops, is_taken, "{act:?}: {again:?}");
        stopped += usize::from(stops);
        cast.stage.index.undo(savepoint);
    }
    assert!(stopped > 25, "only {stopped} acts introduce a name");
}

#[test]
fn a_name_is_introduced_once_in_one_entry() {
    let mut stage = Stage::new();
    let (aki, beni) = (stage.holder(), stage.holder());
    let (other, _) = stage.work(&[&beni]);
    let mut good = stage.registration(&[&aki, &beni]);
    good.bindings = vec![stage.key("https://a.example/1"), stage.key("https://a.example/2")];
    let (link, more) = (stage.id(), stage.id());
    good.layers = vec![Tie { link, work: other }];
    good.part_of = vec![Tie { link: more, work: other }];
    let mut twice = [good.clone(), good.clone(), good.clone()];
    twice[0].holders[1].holding = good.holders[0].holding;
    twice[1].bindings[1].binding = good.bindings[0].binding;
    twice[2].part_of[0].link = link;
    let entry = |act: WorkRegistered, now| Entry {
        v: ENTRY_VERSION,
        at_ms: now,
        party: aki.party,
        on_behalf_of: None,
        by: aki.by.clone(),
        parties: Vec::new(),
        act: act.into(),
        payload: None,
        salt: Salt([1; 16]),
    };
    let (at, now) = (stage.index.size(), stage.now);
    for act in twice {
        let folded = stage.index.fold(at, &entry(act, now));
        assert!(matches!(folded, Err(FoldError::UsedName { .. })), "{folded:?}");
        assert_eq!(stage.index.size(), at);
    }
    stage.index.fold(at, &entry(good, now)).unwrap();
}
