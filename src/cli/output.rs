//! Where words go: data to stdout, everything else to stderr. A reader that went away ends nothing badly; output that is
//! lost for another reason, such as a full disk, does: see [`is_lost`].

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::domain::explain::Lang;

/// Whether anything could not be written.
static LOST: AtomicBool = AtomicBool::new(false);

/// Writes a line of data to stdout; false when nobody reads any more.
pub(super) fn line(text: impl Display) -> bool {
    raw(format!("{text}\n").as_bytes())
}

/// Writes data to stdout as it is; false when nobody reads any more.
pub(super) fn raw(bytes: &[u8]) -> bool {
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    if written.as_ref().is_err_and(|error| error.kind() != ErrorKind::BrokenPipe) {
        LOST.store(true, Ordering::Relaxed);
    }
    written.is_ok()
}

/// Whether some output was lost, though somebody would have read it: a command must not end well then.
pub(super) fn is_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// Writes a line for people to stderr.
pub(super) fn say(text: impl Display) {
    // Without stderr there is nobody to tell.
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

/// Says what went wrong.
pub(super) fn error(text: impl Display) {
    say(format_args!("{} {text}", bold("error:", 31)));
}

/// Says what is right but seldom meant.
pub(super) fn warning(text: impl Display) {
    say(format_args!("{} {text}", bold("warning:", 33)));
}

/// The text in bold and in a colour of the terminal, unless there is none or `NO_COLOR` is set.
fn bold(text: &str, colour: u8) -> String {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || !std::io::stderr().is_terminal();
    if plain { text.to_owned() } else { format!("\x1b[1;{colour}m{text}\x1b[0m") }
}

/// The language in which people are told things: Japanese where the terminal's is, else English.
pub(super) fn language() -> Lang {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = set("LC_ALL").or_else(|| set("LC_MESSAGES")).or_else(|| set("LANG"));
    if locale.is_some_and(|locale| locale.starts_with("ja")) { Lang::Ja } else { Lang::En }
}

/// The text of somebody else, safe to show on a terminal: control, direction-changing and unseen characters are escaped.
pub(super) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        let is_unseen = matches!(letter, '\u{061C}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}');
        if letter.is_control() || is_unseen {
            shown.extend(letter.escape_unicode());
        } else {
            shown.push(letter);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn a_title_cannot_write_over_the_terminal() {
        assert_eq!(plain("夜の庭\u{1b}[2J\n\u{202e}x"), "夜の庭\\u{1b}[2J\\u{a}\\u{202e}x");
    }
}
