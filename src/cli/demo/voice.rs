//! The story on the terminal.

use std::io::IsTerminal;

use super::acts::Cast;
use super::script::{ANIME, Both, Scene};
use crate::cli::explain::Words;
use crate::cli::{Failure, output};
use crate::domain::decision::Verdict;
use crate::domain::explain::Lang;

/// How wide a line of the story is, in columns.
const WIDTH: usize = 92;

/// What is said before the first scene.
pub(super) fn opening(lang: Lang, is_again: bool) {
    let first = Both {
        en: "Only an affirmative permission, recorded before the use, is consent. All names here are invented.",
        ja: "利用の前に記録された明示の許諾だけが許諾です。登場する名称はすべて架空です。",
    };
    let again = Both {
        en: "The story was told before. Here it is again, from the log as it was at each moment.",
        ja: "この物語は以前に語られました。各時点の記録にもとづいて、もう一度お見せします。",
    };
    paragraph("", first.told(lang));
    if is_again {
        paragraph("", again.told(lang));
    }
}

/// The title of a scene, what happens in it, and the question.
pub(super) fn scene(lang: Lang, number: u32, scene: &Scene) {
    let asks = Both {
        en: "asks: may we train a generative model on",
        ja: "の照会：生成AIの学習に利用できますか",
    };
    let who = match scene.ask.who {
        "kumo" => "Kumo Systems",
        _ => "Nimbus Lab",
    };
    output::line("");
    output::line(bold(&format!("{number}. {}", scene.title.told(lang)), "1"));
    paragraph("   ", scene.told.told(lang));
    output::line(format_args!("   {who} {} {}", asks.told(lang), scene.ask.url));
}

/// The verdict, and what its reasons mean.
pub(super) fn answer(lang: Lang, verdict: Verdict, words: &[Words], log_size: u64) {
    let (mark, text, colour) = match verdict {
        Verdict::Permitted => ("○", Both { en: "permitted", ja: "許諾あり" }, "1;32"),
        Verdict::NotPermitted => ("×", Both { en: "not permitted", ja: "許諾なし" }, "1;31"),
    };
    let verdict = bold(&format!("{mark} {}", text.told(lang)), colour);
    let size = match lang {
        Lang::En => format!("log size {log_size}"),
        Lang::Ja => format!("記録{log_size}件の時点"),
    };
    output::line(format_args!("   {verdict}  ({size})"));
    for words in words {
        paragraph("     ", &format!("{}: {}", words.code, words.text));
    }
}

/// What can be tried while the server runs.
pub(super) fn hints(cast: &Cast) -> Result<(), Failure> {
    let notes = &cast.notes;
    let (url, anime) = (&cast.url, notes.work("anime")?);
    let served = Both {
        en: "The registry is served. Try, in another terminal (Ctrl-C here ends it; run it again to continue):",
        ja: "登録簿を提供しています。別の端末でお試しください（Ctrl-C で終了、再実行で続きから）：",
    };
    let program =
        std::env::current_exe().map_or_else(|_| "kyodaku".into(), |path| quoted(&path.display().to_string()));
    output::line("");
    paragraph("", served.told(cast.lang));
    let key = |who: &str| notes.key(who).map(ToOwned::to_owned);
    output::line(format_args!("\n   export KYODAKU_URL={url}"));
    output::line("\n   # an AI developer asks before use");
    output::line(format_args!(
        "   KYODAKU_API_KEY={} {program} check --use train.generative {ANIME}",
        key("nimbus")?
    ));
    output::line("\n   # an auditor asks why, as of any moment");
    output::line(format_args!(
        "   KYODAKU_API_KEY={} {program} explain --use train.generative --developer {} {ANIME}",
        key("review")?,
        notes.org("nimbus")?
    ));
    output::line("\n   # a rights holder sees what is on record for each use of its work");
    output::line(format_args!(
        "   curl -s {url}/v1/works/{anime}/position -H 'Authorization: Bearer {}'",
        key("sakura")?
    ));
    Ok(())
}

/// A path as a shell takes it.
fn quoted(path: &str) -> String {
    let is_plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte));
    if is_plain { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

/// Words in lines of at most [`WIDTH`] columns, each after `indent`.
fn paragraph(indent: &str, text: &str) {
    let text = output::plain(text);
    let options = textwrap::Options::new(WIDTH).initial_indent(indent).subsequent_indent(indent);
    for line in textwrap::wrap(&text, options) {
        output::line(line);
    }
}

/// In a style of the terminal, unless there is none or `NO_COLOR` is set.
fn bold(text: &str, style: &str) -> String {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || !std::io::stdout().is_terminal();
    if plain { text.to_owned() } else { format!("\x1b[{style}m{text}\x1b[0m") }
}
