//! What works are made of, and what they are part of.

use serde_json::json;

use super::Order;
use crate::clock::Clock;
use crate::domain::act::{LayerLinked, LayersDeclared, LinkRemoved, PartAccepted, PartLinked};
use crate::domain::ids::{LinkId, WorkId};

/// Says that a work incorporates another.
pub fn link_layer(clock: &Clock, work: WorkId, layer: WorkId) -> Order {
    let link = LinkId::new(clock.new_uuid());
    let fields = json!({ "link": link, "work": work, "layer": layer });
    Order::making(LayerLinked { link, work, layer }, format!("/v1/works/{work}"), &fields)
}

/// Declares the list of layers complete; an empty list too.
pub fn declare_layers(work: WorkId) -> Order {
    Order::doing(LayersDeclared { work }, &json!({ "work": work }))
}

/// Says that a work is part of another.
pub fn link_part(clock: &Clock, part: WorkId, whole: WorkId) -> Order {
    let link = LinkId::new(clock.new_uuid());
    let fields = json!({ "link": link, "part": part, "whole": whole });
    Order::making(PartLinked { link, part, whole }, format!("/v1/works/{whole}"), &fields)
}

/// Assents to that.
pub fn accept_part(link: LinkId) -> Order {
    Order::doing(PartAccepted { link }, &json!({ "link": link }))
}

/// Removes a link.
pub fn remove_link(link: LinkId) -> Order {
    Order::doing(LinkRemoved { link }, &json!({ "link": link }))
}
