//! Acts of the registrar and of the installation about the registry itself.

use super::check::Check;
use super::limits;
use crate::domain::act::{Act, JournalSealed, KeyRotated, LogContinued};
use crate::domain::admit::code;
use crate::domain::admit::opening::{MAX_ORIGIN_BYTES, is_origin};
use crate::domain::decide::KNOWN_RULES;
use crate::domain::index::Rotation;

pub(super) fn admit(check: &mut Check<'_>, act: &Act) {
    match act {
        Act::SettingsChanged(_) => {
            check.registrar_only();
            check.two_persons();
        }
        Act::RulesActivated(act) => {
            check.registrar_only();
            check.two_persons();
            let active = check.seen.rule_version();
            if !KNOWN_RULES.contains(&act.version) {
                let detail = format!("this program knows no version {} of the rules", act.version);
                check.refuse(code::UNKNOWN, "/version", detail);
            } else if act.version <= active {
                let detail = format!("version {active} is active: rules only go upwards");
                check.refuse(code::ALREADY, "/version", detail);
            }
        }
        Act::KeyRotated(act) => rotate(check, act),
        Act::JournalSealed(act) => seal(check, act),
        Act::LogContinued(act) => continued(check, act),
        Act::PayloadErased(act) => {
            check.registrar_only();
            check.two_persons();
            entry(check, act.entry);
        }
        _ => {}
    }
}

/// An entry that is in the log already.
pub(super) fn entry(check: &mut Check<'_>, entry: u64) {
    let size = check.index.size();
    if entry >= size {
        let detail = format!("there is no entry {entry}: the log has {size}");
        check.refuse(code::UNKNOWN, "/entry", detail);
    }
}

fn rotate(check: &mut Check<'_>, act: &KeyRotated) {
    check.registrar_only();
    for (pointer, key) in [("/old", &act.old), ("/new", &act.new)] {
        // A verifier key of C2SP signed-note: name, hash and key, with plus signs between them.
        if !is_name(key) || key.split('+').filter(|part| !part.is_empty()).count() < 3 {
            let detail = "expected a verifier key: `name+hash+key`, visible ASCII".to_owned();
            check.refuse(code::OUT_OF_BOUNDS, pointer, detail);
        }
    }
    if act.old == act.new {
        check.refuse(code::ITSELF, "/new", "the new key is the old one: name another".to_owned());
    }
    if let Some(ended) = check.seen.end_of_key(&act.old) {
        let detail = format!("entry {} has ended this key already", ended.at);
        check.refuse(code::ALREADY, "/old", detail);
    }
    let before = |rotation: &&Rotation| rotation.act.old == act.new || rotation.act.new == act.new;
    if let Some(used) = check.seen.rotations().find(before) {
        let detail =
            format!("this key was used before (entry {}), and none comes back: make another", used.at);
        check.refuse(code::ALREADY, "/new", detail);
    }
}

fn continued(check: &mut Check<'_>, act: &LogContinued) {
    check.installation_only();
    if !is_origin(&act.origin) {
        let detail = format!(
            "the origin of a log is 1 to {MAX_ORIGIN_BYTES} visible ASCII characters without spaces or `+`"
        );
        check.refuse(code::OUT_OF_BOUNDS, "/origin", detail);
    }
    if check.seen.origins().any(|(_, origin)| origin == act.origin) {
        let detail = format!("the log had the name `{}` before: take another", act.origin);
        check.refuse(code::ALREADY, "/origin", detail);
    }
    if check.seen.origins().last().is_none_or(|(_, origin)| origin != act.from) {
        let detail = format!("`{}` is not the name of this log", act.from);
        check.refuse(code::UNKNOWN, "/from", detail);
    }
    let size = check.index.size();
    if act.size != size {
        let detail = format!("the log has {size} entries, and this act is the next one: say so");
        check.refuse(code::OUT_OF_BOUNDS, "/size", detail);
    }
}

fn seal(check: &mut Check<'_>, act: &JournalSealed) {
    check.installation_only();
    if !is_name(&act.journal) {
        let detail = format!("a journal has a name of 1 to {} visible ASCII characters", limits::NAME_BYTES);
        check.refuse(code::OUT_OF_BOUNDS, "/journal", detail);
    }
    if act.size == 0 || act.size > limits::JOURNAL_SIZE {
        let detail = format!("a journal is sealed at a size of 1 to {}", limits::JOURNAL_SIZE);
        check.refuse(code::OUT_OF_BOUNDS, "/size", detail);
    }
}

fn is_name(text: &str) -> bool {
    (1..=limits::NAME_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
