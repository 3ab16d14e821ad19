//! Log lines on stderr: one event is one line, whatever stands in it.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
#[cfg(feature = "opentelemetry")]
use tracing_subscriber::{Layer, layer::SubscriberExt, util::SubscriberInitExt};

use super::Failure;
#[cfg(feature = "opentelemetry")]
use super::telemetry::Telemetry;
use crate::config::{Config, LogFormat};

/// Starts writing log lines as the settings say, and sending spans where they say so.
#[cfg(feature = "opentelemetry")]
pub(super) fn start_traced(config: &Config) -> Result<Option<Telemetry>, Failure> {
    let Some(telemetry) = Telemetry::open(config)? else { return start(config).map(|()| None) };
    let filter = filter(config)?;
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).log_internal_errors(false);
    let spans = tracing_subscriber::registry().with(telemetry.layer());
    let started = match config.log_format {
        LogFormat::Text => spans.with(lines.with_writer(OneLine).with_filter(filter)).try_init(),
        LogFormat::Json => spans
            .with(lines.json().flatten_event(true).with_writer(io::stderr).with_filter(filter))
            .try_init(),
    };
    started.map_err(|error| Failure::new(format!("log lines can't be written: {error}")))?;
    Ok(Some(telemetry))
}

/// Which log lines are written.
pub(super) fn filter(config: &Config) -> Result<EnvFilter, Failure> {
    let filter = EnvFilter::try_new(&config.log_filter)
        .map_err(|error| Failure::usage(format!("the setting `log_filter` can't be used: {error}")))?;
    // The spans for OpenTelemetry say what the lines say.
    #[cfg(feature = "opentelemetry")]
    let filter = match format!("{}=off", crate::http::traced::TARGET).parse() {
        Ok(none) => filter.add_directive(none),
        Err(_) => filter,
    };
    Ok(filter)
}

/// Starts writing log lines as the settings say.
pub(super) fn start(config: &Config) -> Result<(), Failure> {
    let filter = filter(config)?;
    // A line that can't be written is lost. To say so on stderr too, which is what can't be written, would end the task.
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).log_internal_errors(false);
    let started = match config.log_format {
        LogFormat::Text => lines.with_writer(OneLine).try_init(),
        // JSON escapes by itself.
        LogFormat::Json => lines.json().flatten_event(true).with_writer(io::stderr).try_init(),
    };
    started.map_err(|error| Failure::new(format!("log lines can't be written: {error}")))
}

/// Makes writers that turn every control character within a line into its escape, so that no value of a field can
/// begin a line of its own.
struct OneLine;

impl<'a> MakeWriter<'a> for OneLine {
    type Writer = Escaping<io::Stderr>;

    fn make_writer(&'a self) -> Self::Writer {
        Escaping(io::stderr())
    }
}

struct Escaping<W>(W);

impl<W: Write> Write for Escaping<W> {
    /// The formatter writes each event whole, its line end included.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let line = event.strip_suffix(b"\n").unwrap_or(event);
        let mut escaped = Vec::with_capacity(event.len());
        for letter in String::from_utf8_lossy(line).chars() {
            if letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}') {
                escaped.extend(letter.escape_unicode().map(|c| c as u8));
            } else {
                escaped.extend(letter.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        escaped.push(b'\n');
        self.0.write_all(&escaped)?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line() {
        let mut written = Escaping(Vec::new());
        written.write_all("INFO 夜 why=a\nINFO forged\r\u{1b}[2K\n".as_bytes()).unwrap();
        assert_eq!(String::from_utf8(written.0).unwrap(), "INFO 夜 why=a\\u{a}INFO forged\\u{d}\\u{1b}[2K\n");
    }
}
