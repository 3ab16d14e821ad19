//! What a work is made of, and what it is part of.

use hashbrown::HashSet;

use super::check::{Check, Over};
use super::limits;
use super::search::{Above, ancestors, reach, together};
use super::things::Tie;
use crate::domain::act::{Act, LayerLinked, LinkRemoved, PartAccepted, PartLinked, Power, WorkRegistered};
use crate::domain::admit::code;
use crate::domain::ids::{LinkId, WorkId};
use crate::domain::index::Ix;
use crate::domain::index::records::{PartLink, Work};

pub(super) fn admit(check: &mut Check<'_>, act: &Act) {
    match act {
        Act::LayerLinked(act) => link_layer(check, act),
        Act::PartLinked(act) => link_part(check, act),
        Act::PartAccepted(act) => accept(check, act),
        Act::LinkRemoved(act) => remove(check, act),
        _ => {}
    }
}

/// A link's id is unused by links of both sorts.
fn fresh_link(check: &mut Check<'_>, pointer: &str, id: LinkId) {
    let is_taken = check.index.layers.find(id).is_some() || check.index.parts.find(id).is_some();
    check.fresh(pointer, is_taken, id);
}

/// The ties of a work that is being registered: a new work closes no circle, but may have too many ancestors.
pub(super) fn new_ties(check: &mut Check<'_>, act: &WorkRegistered) {
    check.at_most("/layers", act.layers.len(), limits::LAYERS, "layers");
    check.at_most("/part_of", act.part_of.len(), limits::PARENTS, "wholes");
    let sides = [("/layers", &act.layers), ("/part_of", &act.part_of)];
    let links = sides.iter().flat_map(|(_, ties)| ties.iter().map(|tie| tie.link));
    let in_layers = act.layers.len();
    check.distinct(links, |place| match place.checked_sub(in_layers) {
        None => format!("/layers/{place}/link"),
        Some(place) => format!("/part_of/{place}/link"),
    });
    let mut wholes = Vec::new();
    for (pointer, ties) in sides {
        check.distinct(ties.iter().map(|tie| tie.work), |place| format!("{pointer}/{place}/work"));
        for (place, tie) in ties.iter().enumerate() {
            fresh_link(check, &format!("{pointer}/{place}/link"), tie.link);
            let at_work = format!("{pointer}/{place}/work");
            if tie.work == act.work {
                itself(check, &at_work, tie.work);
            } else if let Some(work) = check.work(&at_work, tie.work)
                && pointer == "/part_of"
            {
                has_room_for_part(check, &at_work, work);
                wholes.push(work);
            }
        }
    }
    if wholes.len() > limits::PARENTS {
        return;
    }
    if let Some(above) = together(check, &wholes) {
        check.at_most("/part_of", above.len(), limits::ANCESTORS, "works above one work");
    } else {
        too_wide(check, "/part_of");
    }
}

fn has_room_for_part(check: &mut Check<'_>, pointer: &str, whole: Ix<Work>) {
    let has_room = check.seen.has_room_for_part(whole, limits::CHILDREN);
    check.has_room(pointer, has_room, limits::CHILDREN, "parts of one work");
}

fn itself(check: &mut Check<'_>, pointer: &str, work: WorkId) {
    check.refuse(code::ITSELF, pointer, format!("`{work}` can't be tied to itself"));
}

fn link_layer(check: &mut Check<'_>, act: &LayerLinked) {
    fresh_link(check, "/link", act.link);
    let (work, layer) = (check.work("/work", act.work), check.work("/layer", act.layer));
    if !check.is_registrar() {
        if let Some(work) = work {
            check.must_be_tied("/work", work, Tie::Speaker);
        }
        check.principal();
        let named: Vec<_> = work.into_iter().chain(layer).collect();
        check.agent_has(Power::Register, Over::Works(&named), false);
    }
    if act.work == act.layer {
        itself(check, "/layer", act.layer);
        return;
    }
    let (Some(work), Some(layer)) = (work, layer) else { return };
    let layers = check.seen.layers_linked(work);
    check.at_most("/work", layers.len() + 1, limits::LAYERS, "layers of one work");
    if layers.contains(&layer) {
        already(check, "/layer", act.layer, act.work);
    }
    if check.is_refused() {
        return;
    }
    let seen = check.seen;
    if let Some(below) = reach(layer, |at| seen.layers_linked(at)) {
        if below.contains(&work) {
            circle(check, "/layer", act.layer, act.work);
        }
    } else {
        too_wide(check, "/layer");
    }
}

fn link_part(check: &mut Check<'_>, act: &PartLinked) {
    fresh_link(check, "/link", act.link);
    let (part, whole) = (check.work("/part", act.part), check.work("/whole", act.whole));
    let principal = check.principal();
    let named: Vec<_> = part.into_iter().chain(whole).collect();
    check.agent_has(Power::Register, Over::Works(&named), false);
    let is_tied = named.iter().any(|work| check.is_tied(*work, Tie::HolderOrSpeaker));
    if principal.is_some() && !named.is_empty() && !is_tied {
        check.unauthorized("", "only a holder of the part or the whole may");
    }
    if act.part == act.whole {
        itself(check, "/whole", act.whole);
        return;
    }
    let (Some(part), Some(whole)) = (part, whole) else { return };
    if check.seen.wholes_linked(part).contains(&whole) {
        already(check, "/whole", act.whole, act.part);
    }
    has_room_for_part(check, "/whole", whole);
    match together(check, &[whole]) {
        Some(above) if above.contains(&part) => circle(check, "/whole", act.whole, act.part),
        Some(above) => stays_shallow(check, "/part", &[part], &above),
        None => too_wide(check, "/whole"),
    }
}

fn already(check: &mut Check<'_>, pointer: &str, other: WorkId, work: WorkId) {
    let detail = format!("a link between `{work}` and `{other}` stands already");
    check.refuse(code::ALREADY, pointer, detail);
}

fn circle(check: &mut Check<'_>, pointer: &str, other: WorkId, work: WorkId) {
    let detail = format!("`{other}` leads back to `{work}`: remove the link that does first");
    check.refuse(code::CYCLE, pointer, detail);
}

fn too_wide(check: &mut Check<'_>, pointer: &str) {
    let detail = format!("more than {} works hang together here: tie fewer", limits::SEARCHED);
    check.refuse(code::TOO_MANY, pointer, detail);
}

/// With `above` added over the `tops`, neither they nor any work below them have too many ancestors.
fn stays_shallow(check: &mut Check<'_>, pointer: &str, tops: &[Ix<Work>], above: &HashSet<Ix<Work>>) {
    if check.is_refused() {
        return;
    }
    let seen = check.seen;
    let mut below: HashSet<_> = tops.iter().copied().collect();
    for top in tops {
        let Some(parts) = reach(*top, |at| seen.parts_linked(at)) else {
            too_wide(check, pointer);
            return;
        };
        below.extend(parts);
    }
    let mut known = Above::new(seen);
    for work in below {
        let count = known.of(work).map_or(usize::MAX, |known| {
            above.len() + known.iter().filter(|each| !above.contains(*each)).count()
        });
        if !check.at_most(pointer, count, limits::ANCESTORS, "works above one work") {
            return;
        }
    }
}

/// A merge closes no circle of either relation, and leaves no work under too many others.
pub(super) fn merge_closes_no_circle(check: &mut Check<'_>, duplicate: Ix<Work>, into: Ix<Work>) {
    if check.is_refused() {
        return;
    }
    let seen = check.seen;
    let (id, into_id) = (seen.work_id(duplicate), seen.work_id(into));
    for (from, to) in [(duplicate, into), (into, duplicate)] {
        match reach(from, |at| seen.layers_linked(at)) {
            Some(layers) if layers.contains(&to) => circle(check, "/duplicate", into_id, id),
            Some(_) => {}
            None => too_wide(check, "/duplicate"),
        }
        match ancestors(check, from) {
            Some(above) if above.contains(&to) => circle(check, "/duplicate", into_id, id),
            Some(_) => {}
            None => too_wide(check, "/duplicate"),
        }
    }
    let above: Option<HashSet<_>> = [duplicate, into].iter().try_fold(HashSet::new(), |mut above, work| {
        above.extend(ancestors(check, *work)?);
        Some(above)
    });
    if let Some(above) = above {
        stays_shallow(check, "/duplicate", &[duplicate, into], &above);
    }
}

/// The works of a part link, as they are now.
fn sides(check: &Check<'_>, link: &PartLink) -> [Ix<Work>; 2] {
    [check.seen.canonical(link.part), check.seen.canonical(link.whole)]
}

fn accept(check: &mut Check<'_>, act: &PartAccepted) {
    let principal = check.principal();
    let index = check.index;
    let Some(ix) = check.known("/link", index.parts.find(act.link), act.link) else { return };
    let link = index.parts.at(ix);
    let works = sides(check, link);
    for work in works {
        check.read_by_holders(work);
    }
    for assent in &link.assents {
        check.read_by(assent.org);
    }
    check.agent_has(Power::Register, Over::Works(&works), false);
    if !check.seen.part_link_stands(ix) {
        check.ended("/link", act.link);
    }
    let Some(principal) = principal else { return };
    if !works.iter().any(|work| check.seen.is_holder(principal, *work)) {
        check.unauthorized("/link", "only a holder of the part or the whole may");
    }
    if link.assents.iter().any(|assent| assent.org == principal) {
        let detail = format!("`{}` has assented to `{}` already", check.seen.org_id(principal), act.link);
        check.refuse(code::ALREADY, "/link", detail);
    }
}

fn remove(check: &mut Check<'_>, act: &LinkRemoved) {
    check.registrar_only();
    check.two_persons();
    let (index, seen) = (check.index, check.seen);
    let (works, stands) = if let Some(ix) = index.layers.find(act.link) {
        let link = index.layers.at(ix);
        ([seen.canonical(link.work), seen.canonical(link.layer)], seen.layer_link_stands(ix))
    } else if let Some(ix) = check.known("/link", index.parts.find(act.link), act.link) {
        (sides(check, index.parts.at(ix)), seen.part_link_stands(ix))
    } else {
        return;
    };
    for work in works {
        check.read_by_holders(work);
    }
    if !stands {
        check.ended("/link", act.link);
    }
}
