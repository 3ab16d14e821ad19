//! Layers and parts: no circles, no second link, not too many.

use super::stage::Stage;
use kyodaku::domain::act::*;
use kyodaku::domain::ids::WorkId;

#[test]
fn a_layer_is_linked_once_and_never_in_a_circle() {
    let mut stage = Stage::new();
    let (aki, registrar) = (stage.holder(), stage.registrar.clone());
    let works: Vec<WorkId> = (0..4).map(|_| stage.work(&[&aki]).0).collect();
    let act = stage.layer(works[0], works[0]);
    stage.no(&aki, act, &[("itself", "/layer")]);
    let act = stage.layer(works[0], works[1]);
    stage.ok(&aki, act.clone());
    stage.no(&aki, act.clone(), &[("id_taken", "/link"), ("already", "/layer")]);
    let next = stage.layer(works[1], works[2]);
    stage.ok(&aki, next);
    for from in [1, 2] {
        let back = stage.layer(works[from], works[0]);
        stage.no(&aki, back.clone(), &[("cycle", "/layer")]);
        stage.no(&registrar, back, &[("cycle", "/layer")]);
    }
    // The other relation is another matter: a part may incorporate its whole.
    stage.link(&aki, works[0], works[2]);
    // Once the link is gone, the way back is free, and so is the same link.
    stage.ok(&registrar, LinkRemoved { link: act.link });
    stage.no(&registrar, LinkRemoved { link: act.link }, &[("ended", "/link")]);
    let back = stage.layer(works[2], works[0]);
    stage.ok(&aki, back);
    let again = stage.layer(works[0], works[1]);
    stage.no(&aki, again, &[("cycle", "/layer")]);
}

#[test]
fn parts_make_no_circle_even_before_links_are_effective() {
    let mut stage = Stage::new();
    let (aki, beni, registrar) = (stage.holder(), stage.holder(), stage.registrar.clone());
    let works: Vec<WorkId> = (0..3).map(|_| stage.work(&[&aki]).0).collect();
    let (foreign, _) = stage.work(&[&beni]);
    let act = stage.part(works[0], works[0]);
    stage.no(&aki, act, &[("itself", "/whole")]);
    // Beni has not assented: the link stands, without effect.
    let link = stage.link(&aki, works[0], foreign);
    let again = stage.part(works[0], foreign);
    stage.no(&beni, again, &[("already", "/whole")]);
    let back = stage.part(foreign, works[0]);
    stage.no(&beni, back, &[("cycle", "/whole")]);
    stage.link(&aki, works[1], works[0]);
    let back = stage.part(foreign, works[1]);
    stage.no(&beni, back.clone(), &[("cycle", "/whole")]);
    stage.ok(&registrar, LinkRemoved { link });
    stage.ok(&beni, back);
}

#[test]
fn circles_through_merged_works_are_seen() {
    let mut stage = Stage::new();
    let (aki, registrar) = (stage.holder(), stage.registrar.clone());
    let works: Vec<WorkId> = (0..6).map(|_| stage.work(&[&aki]).0).collect();
    // The first is part of the second; the third, which becomes the second, of the fourth.
    stage.link(&aki, works[0], works[1]);
    stage.link(&aki, works[2], works[3]);
    let act = stage.layer(works[0], works[2]);
    stage.ok(&aki, act);
    let act = stage.layer(works[2], works[4]);
    stage.ok(&aki, act);
    stage.merge(works[2], works[1]);
    let act = stage.part(works[3], works[0]);
    stage.no(&aki, act, &[("cycle", "/whole")]);
    let act = stage.layer(works[4], works[0]);
    stage.no(&aki, act, &[("cycle", "/layer")]);
    // The same link by another name.
    let act = stage.layer(works[0], works[1]);
    stage.no(&aki, act, &[("already", "/layer")]);
    // A merge that would close one.
    let act = WorksMerged { duplicate: works[3], into: works[0] };
    stage.no(&registrar, act, &[("cycle", "/duplicate")]);
    let act = WorksMerged { duplicate: works[0], into: works[3] };
    stage.no(&registrar, act, &[("cycle", "/duplicate")]);
    let act = WorksMerged { duplicate: works[4], into: works[0] };
    stage.no(&registrar, act, &[("cycle", "/duplicate")]);
    stage.ok(&registrar, WorksMerged { duplicate: works[4], into: works[5] });
}

#[test]
fn a_work_lies_under_at_most_sixty_four() {
    let mut stage = Stage::new();
    let (aki, registrar) = (stage.holder(), stage.registrar.clone());
    let chain: Vec<WorkId> = (0..66).map(|_| stage.unheld(&aki)).collect();
    for pair in chain[..65].windows(2) {
        stage.link(&aki, pair[0], pair[1]);
    }
    // The lowest has 64 above it. One more at the top is too many for it, though not for the top itself.
    let act = stage.part(chain[64], chain[65]);
    stage.no(&aki, act, &[("too_many", "/part")]);
    let act = stage.part(chain[0], chain[65]);
    stage.no(&aki, act, &[("too_many", "/part")]);
    let mut act = stage.registration(&[]);
    act.part_of = vec![Tie { link: stage.id(), work: chain[0] }];
    stage.no(&aki, act.clone(), &[("too_many", "/part_of")]);
    act.part_of = vec![Tie { link: stage.id(), work: chain[1] }];
    let other = act.work;
    stage.ok(&aki, act);
    // A merge that would put a work under too many.
    let under = stage.unheld(&aki);
    stage.link(&aki, under, chain[65]);
    let act = WorksMerged { duplicate: under, into: chain[0] };
    stage.no(&registrar, act, &[("too_many", "/duplicate")]);
    stage.ok(&registrar, WorksMerged { duplicate: other, into: chain[0] });
}

#[test]
fn each_holder_of_either_side_assents_once() {
    let mut stage = Stage::new();
    let (aki, beni, chie) = (stage.holder(), stage.holder(), stage.holder());
    let registrar = stage.registrar.clone();
    let (part, _) = stage.work(&[&aki, &chie]);
    let (whole, _) = stage.work(&[&beni]);
    let outsider = stage.holder();
    let act = stage.part(part, whole);
    stage.no(&outsider, act.clone(), &[("unauthorized", "")]);
    stage.no(&registrar, act, &[("unauthorized", "")]);
    let link = stage.link(&aki, part, whole);
    stage.no(&aki, PartAccepted { link }, &[("already", "/link")]);
    stage.no(&outsider, PartAccepted { link }, &[("unauthorized", "/link")]);
    let readers = stage.ok(&beni, PartAccepted { link });
    assert!(readers.contains(&aki.party) && readers.contains(&chie.party));
    stage.ok(&chie, PartAccepted { link });
    let layer = stage.layer(part, whole);
    stage.ok(&aki, layer.clone());
    stage.no(&beni, PartAccepted { link: layer.link }, &[("unknown", "/link")]);
    let again = PartLinked { link: layer.link, ..stage.part(whole, part) };
    stage.no(&aki, again, &[("id_taken", "/link"), ("cycle", "/whole")]);
    stage.ok(&registrar, LinkRemoved { link });
    stage.no(&outsider, PartAccepted { link }, &[("ended", "/link"), ("unauthorized", "/link")]);
    let unknown = stage.id();
    stage.no(&registrar, LinkRemoved { link: unknown }, &[("unknown", "/link")]);
}

#[test]
fn a_work_has_at_most_ten_thousand_parts() {
    let mut stage = Stage::new();
    let aki = stage.holder();
    let whole = stage.unheld(&aki);
    let part = |stage: &mut Stage| {
        let mut act = stage.registration(&[]);
        act.part_of = vec![Tie { link: stage.id(), work: whole }];
        act
    };
    for _ in 0..10 {
        let acts = (0..1_000).map(|_| part(&mut stage).into()).collect();
        stage.all(&aki, acts).unwrap();
    }
    let act = part(&mut stage);
    stage.no(&aki, act, &[("too_many", "/part_of/0/work")]);
    let other = stage.unheld(&aki);
    let act = stage.part(other, whole);
    stage.no(&aki, act, &[("too_many", "/whole")]);
}
