//! Before any rules are active: the log is opened, and the first rules are activated, by the installation.

use super::{Refusal, code};
use crate::domain::act::Act;
use crate::domain::command::Command;
use crate::domain::decide::KNOWN_RULES;
use crate::domain::ids::OrgId;
use crate::domain::index::Index;

/// The longest origin of a log, in bytes.
pub(super) const MAX_ORIGIN_BYTES: usize = 255;

pub(super) fn admit(index: &Index, command: &Command, act: &Act) -> Result<Vec<OrgId>, Vec<Refusal>> {
    let mut refusals = Vec::new();
    let mut refuse = |pointer: &str, code, detail: String| {
        refusals.push(Refusal { act: 0, pointer: pointer.to_owned(), code, detail });
    };
    let installation = match (act, index.registry()) {
        (Act::LogOpened(opened), None) => {
            if !is_origin(&opened.origin) {
                let detail = format!(
                    "the origin of a log is 1 to {MAX_ORIGIN_BYTES} visible ASCII characters without spaces or `+`"
                );
                refuse("/origin", code::OUT_OF_BOUNDS, detail);
            }
            Some(opened.registry)
        }
        (Act::RulesActivated(activated), Some(registry)) => {
            if !KNOWN_RULES.contains(&activated.version) {
                let detail = format!("this program knows no version {} of the rules", activated.version);
                refuse("/version", code::UNKNOWN, detail);
            }
            Some(registry)
        }
        (_, None) => {
            let detail = format!("`{}` can't begin a log: record `log.opened` first", act.code());
            refuse("", code::NOT_UNDER_THESE_RULES, detail);
            None
        }
        (_, Some(registry)) => {
            let detail = format!("no rules are active that admit `{}`: activate some first", act.code());
            refuse("", code::NOT_UNDER_THESE_RULES, detail);
            Some(registry)
        }
    };
    if installation.is_some_and(|registry| registry != command.party) {
        let detail = format!("`{}` is not the installation, which alone may record this", command.party);
        refuse("", code::UNAUTHORIZED, detail);
    }
    if command.on_behalf_of.is_some() {
        refuse("", code::NOT_BY_AGENT, "the installation acts for nobody else".to_owned());
    }
    if !command.by.is_empty() {
        refuse("", code::BAD_PERSONS, "no person stands for the installation: leave `by` empty".to_owned());
    }
    if refusals.is_empty() { Ok(vec![command.party]) } else { Err(refusals) }
}

/// Whether it can name a log.
pub(super) fn is_origin(origin: &str) -> bool {
    // A space or a plus sign would end the name in a signed note.
    let visible = origin.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'+');
    visible && (1..=MAX_ORIGIN_BYTES).contains(&origin.len())
}
