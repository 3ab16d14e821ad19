//! Where every field of every act belongs: in the log, in the payload, or nowhere.
//!
//! The log is never erased, so it holds only what `admit`, `fold` and `decide` read: opaque ids, normalized keys,
//! structured terms, digests. What people read is payload, kept in ordinary tables and erasable. Personal data and free
//! text have no place in an act at all. Tests walk the examples of all acts and fail on a field that stands in no row,
//! and on a row that no example has.

/// Where a field belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// In the entry: part of what is hashed, never erased.
    Log,
    /// In the payload: erasable, present in the log only within a salted digest.
    Payload,
    /// In no act: personal data, secrets and free text.
    Forbidden,
}

use Class::{Forbidden, Log, Payload};

/// Fields of one class of one thing.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// An act's name; `entry` for what all entries have; the kind of a payload; `*` for anything at all.
    pub of: &'static str,
    /// Where these fields belong.
    pub class: Class,
    /// Paths below the act, a slash between the names; the members of a list have the path of the list.
    pub fields: &'static [&'static str],
}

/// The class of a field of an act, an entry or a payload kind; `None` when the table does not know it.
///
/// ```
/// use kyodaku::domain::classify::{Class, class};
/// assert_eq!(class("grant.recorded", "uses/only"), Some(Class::Log));
/// assert_eq!(class("grant.recorded", "email"), Some(Class::Forbidden));
/// assert_eq!(class("grant.recorded", "colour"), None);
/// ```
pub fn class(of: &str, path: &str) -> Option<Class> {
    let stands_in = |row: &&Row| row.of == of && row.fields.contains(&path);
    if let Some(row) = FIELDS.iter().find(stands_in) {
        return Some(row.class);
    }
    is_forbidden(path).then_some(Forbidden)
}

/// Whether any name on the path, or any word of such a name, is one that no act may have.
pub fn is_forbidden(path: &str) -> bool {
    let words = path.split(['/', '_']).chain(path.split('/'));
    let names = FIELDS.iter().filter(|row| row.class == Forbidden);
    names.flat_map(|row| row.fields).any(|name| words.clone().any(|word| word == *name))
}

/// The table. `type` is the tag of a key; the act's own `type` is a field of the entry.
#[rustfmt::skip]
pub const FIELDS: &[Row] = &[
    Row { of: "entry", class: Log, fields: &["v", "at_ms", "party", "on_behalf_of", "by", "parties", "act", "act/type", "payload", "salt"] },
    Row { of: "log.opened", class: Log, fields: &["continues", "origin", "registry"] },
    Row { of: "settings.changed", class: Log, fields: &["second_person"] },
    Row { of: "rules.activated", class: Log, fields: &["version"] },
    Row { of: "org.registered", class: Log, fields: &["org", "roles"] },
    Row { of: "org.verified", class: Log, fields: &["evidence", "org"] },
    Row { of: "org.suspended", class: Log, fields: &["evidence", "org"] },
    Row { of: "org.reinstated", class: Log, fields: &["evidence", "org"] },
    Row { of: "person.added", class: Log, fields: &["org", "person"] },
    Row { of: "person.removed", class: Log, fields: &["org", "person"] },
    Row { of: "model.registered", class: Log, fields: &["model"] },
    Row { of: "model.retired", class: Log, fields: &["model"] },
    Row { of: "membership.offered", class: Log, fields: &["association", "member", "membership"] },
    Row { of: "membership.accepted", class: Log, fields: &["membership"] },
    Row { of: "membership.ended", class: Log, fields: &["membership"] },
    Row { of: "mandate.given", class: Log, fields: &["agent", "from", "grants_survive", "mandate", "powers", "until", "works", "works/only"] },
    Row { of: "mandate.ended", class: Log, fields: &["mandate"] },
    Row { of: "work.registered", class: Log, fields: &["bindings", "bindings/binding", "bindings/key", "bindings/key/type", "bindings/key/value", "bindings/key/scheme", "bindings/key/body", "bindings/key/header", "holders", "holders/holder", "holders/holding", "kind", "layers", "layers/link", "layers/work", "layers_complete", "part_of", "part_of/link", "part_of/work", "roster_complete", "work"] },
    Row { of: "work.amended", class: Log, fields: &["kind", "work"] },
    Row { of: "work.withdrawn", class: Log, fields: &["work"] },
    Row { of: "works.merged", class: Log, fields: &["duplicate", "into"] },
    Row { of: "holding.asserted", class: Log, fields: &["holder", "holding", "work"] },
    Row { of: "holding.relinquished", class: Log, fields: &["holding"] },
    Row { of: "binding.asserted", class: Log, fields: &["binding", "key", "key/scheme", "key/type", "key/value", "work"] },
    Row { of: "binding.removed", class: Log, fields: &["binding"] },
    Row { of: "assertions.confirmed", class: Log, fields: &["bindings", "evidence", "holdings"] },
    Row { of: "assertions.rejected", class: Log, fields: &["bindings", "evidence", "holdings"] },
    Row { of: "control.proved", class: Log, fields: &["bindings", "evidence", "host", "method", "org"] },
    Row { of: "transfer.offered", class: Log, fields: &["holding", "to", "transfer"] },
    Row { of: "transfer.accepted", class: Log, fields: &["transfer"] },
    Row { of: "transfer.withdrawn", class: Log, fields: &["transfer"] },
    Row { of: "roster.declared", class: Log, fields: &["work"] },
    Row { of: "roster.same_as_parent", class: Log, fields: &["holders", "holders/holder", "holders/holding", "parent", "work"] },
    Row { of: "layers.declared", class: Log, fields: &["work"] },
    Row { of: "layer.linked", class: Log, fields: &["layer", "link", "work"] },
    Row { of: "part.linked", class: Log, fields: &["link", "part", "whole"] },
    Row { of: "part.accepted", class: Log, fields: &["link"] },
    Row { of: "link.removed", class: Log, fields: &["link"] },
    Row { of: "claim.made", class: Log, fields: &["claim", "work"] },
    Row { of: "claim.withdrawn", class: Log, fields: &["claim"] },
    Row { of: "dispute.opened", class: Log, fields: &["claim", "dispute", "work"] },
    Row { of: "dispute.settled", class: Log, fields: &["dispute", "evidence"] },
    Row { of: "grant.recorded", class: Log, fields: &["as_layer_of", "as_layer_of/only", "by_location", "conditions", "covers", "developers", "developers/only", "from", "grant", "models", "models/only", "request", "revocable", "revocable/notice_ms", "terms", "territories", "territories/only", "until", "uses", "uses/only", "work"] },
    Row { of: "grant.revoked", class: Log, fields: &["from", "grant"] },
    Row { of: "denial.recorded", class: Log, fields: &["denial", "developers", "developers/only", "from", "models", "parts", "territories", "territories/only", "until", "uses", "uses/only", "work"] },
    Row { of: "denial.withdrawn", class: Log, fields: &["denial"] },
    Row { of: "reservation.recorded", class: Log, fields: &["evidence", "form", "reservation", "signal", "subject", "subject/key", "subject/key/type", "subject/key/value", "uses", "uses/only"] },
    Row { of: "reservation.withdrawn", class: Log, fields: &["reservation"] },
    Row { of: "offer.published", class: Log, fields: &["conditions", "developers", "from", "offer", "revocable", "terms", "territories", "territories/only", "until", "uses", "uses/only", "works"] },
    Row { of: "offer.withdrawn", class: Log, fields: &["offer"] },
    Row { of: "offer.accepted", class: Log, fields: &["models", "models/only", "offer"] },
    Row { of: "request.made", class: Log, fields: &["answer_by_ms", "from", "models", "request", "territories", "territories/only", "until", "uses", "uses/only", "works"] },
    Row { of: "request.answered", class: Log, fields: &["answer", "request"] },
    Row { of: "request.withdrawn", class: Log, fields: &["request"] },
    Row { of: "request.lapsed", class: Log, fields: &["request"] },
    Row { of: "notice.served", class: Log, fields: &["notice", "to", "uses", "uses/only", "works"] },
    Row { of: "notice.answered", class: Log, fields: &["notice"] },
    Row { of: "notice.closed", class: Log, fields: &["notice"] },
    Row { of: "declaration.made", class: Log, fields: &["declaration", "items", "manifest", "model", "uses", "uses/only"] },
    Row { of: "declaration.corrected", class: Log, fields: &["declaration", "items", "manifest"] },
    Row { of: "document.filed", class: Log, fields: &["digest", "document", "entry"] },
    Row { of: "inquiry.opened", class: Log, fields: &["auditor", "expires_ms", "from", "inquiry", "parties", "parties/only", "until", "works", "works/only"] },
    Row { of: "inquiry.closed", class: Log, fields: &["inquiry"] },
    Row { of: "payload.erased", class: Log, fields: &["entry"] },
    Row { of: "key.rotated", class: Log, fields: &["key_use", "new", "old"] },
    Row { of: "journal.sealed", class: Log, fields: &["journal", "root", "size"] },
    Row { of: "log.continued", class: Log, fields: &["from", "gives_up", "origin", "root", "size"] },
    Row { of: "org", class: Payload, fields: &["name"] },
    Row { of: "model", class: Payload, fields: &["name"] },
    Row { of: "work", class: Payload, fields: &["titles", "titles/text", "titles/lang", "titles/reading", "published"] },
    Row { of: "note", class: Payload, fields: &["text"] },
    Row { of: "evidence", class: Payload, fields: &["salt", "text"] },
    Row { of: "*", class: Forbidden, fields: &["name", "names", "title", "titles", "reading", "person_name", "nickname", "email", "mail", "phone", "telephone", "fax", "address", "street", "city", "postcode", "birth", "birthday", "born", "gender", "nationality", "passport", "photo", "signature", "ip", "user_agent", "cookie", "password", "secret", "token", "bank", "account", "iban", "price", "amount", "text", "note", "message", "comment", "description", "reason", "letter", "remark", "free_text", "lang"] },
];
