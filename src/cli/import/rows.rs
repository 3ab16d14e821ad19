//! The rows of a catalogue: lines of JSON, or records of a CSV file under their headings.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Bytes, Read};
use std::path::Path;

use clap::ValueEnum;
use indicatif::ProgressBar;

use super::cell::Cell;
use crate::cli::Failure;

/// The longest row, in bytes, without the end of its line.
const MAX_ROW_BYTES: usize = 256 * 1024;

/// How much the reader of CSV may have read of later rows.
const READ_AHEAD: usize = 16 * 1024;

/// How a catalogue is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// One JSON object a line
    Ndjson,
    /// Values separated by commas, with headings in the first line
    Csv,
}

impl Format {
    /// By the ending of the file's name.
    fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        match ending.as_str() {
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }
}

/// One row.
#[derive(Debug)]
pub(super) struct Row {
    /// The number of its (first) line, from 1.
    pub(super) line: u64,
    /// The row; or why it can't be read.
    pub(super) cells: Result<Cell, String>,
}

/// The rows of a file, one after the other, in flat memory.
pub(super) enum Rows {
    Ndjson { lines: BufReader<Box<dyn Read + Send>>, line: u64 },
    Csv { reader: csv::Reader<OneLineEnd>, headings: Vec<String> },
}

impl Rows {
    /// The rows of a file, or with `-` of standard input. The bar moves with what is read.
    pub(super) fn open(path: &Path, format: Option<Format>, bar: &ProgressBar) -> Result<Self, Failure> {
        let shown = path.display();
        let is_stdin = path == Path::new("-");
        let format = format.or_else(|| Format::of(path)).ok_or_else(|| {
            Failure::usage(format!("say how `{shown}` is written with `--format ndjson` or `--format csv`"))
        })?;
        let source: Box<dyn Read + Send> = if is_stdin {
            Box::new(io::stdin())
        } else {
            let file = File::open(path)
                .map_err(|error| Failure::usage(format!("`{shown}` can't be read: {error}")))?;
            bar.set_length(file.metadata().map_or(0, |data| data.len()));
            Box::new(bar.wrap_read(file))
        };
        match format {
            Format::Ndjson => Ok(Self::Ndjson { lines: BufReader::new(source), line: 0 }),
            Format::Csv => Self::csv(source),
        }
    }

    fn csv(source: Box<dyn Read + Send>) -> Result<Self, Failure> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(OneLineEnd::new(source));
        let headings = reader.headers().map_err(|error| Failure::usage(of_csv(&error)))?;
        let headings: Vec<String> = headings.iter().map(|heading| heading.trim().to_owned()).collect();
        let twice = headings.iter().enumerate().find(|(at, heading)| {
            !heading.is_empty() && headings.iter().skip(at + 1).any(|other| other == *heading)
        });
        match twice {
            Some((_, heading)) => Err(Failure::usage(format!("the heading `{heading}` is there twice"))),
            None => Ok(Self::Csv { reader, headings }),
        }
    }

    /// The headings, where there are any.
    pub(super) fn headings(&self) -> Option<&[String]> {
        match self {
            Self::Ndjson { .. } => None,
            Self::Csv { headings, .. } => Some(headings),
        }
    }

    /// The next row that is not blank; none after the last.
    pub(super) fn next(&mut self) -> Result<Option<Row>, Failure> {
        match self {
            Self::Ndjson { lines, line } => next_line(lines, line),
            Self::Csv { reader, headings } => next_record(reader, headings),
        }
    }
}

fn next_line(lines: &mut impl BufRead, line: &mut u64) -> Result<Option<Row>, Failure> {
    loop {
        let mut bytes = Vec::new();
        let read = lines.by_ref().take(MAX_ROW_BYTES as u64 + 2).read_until(b'\n', &mut bytes);
        if read.map_err(|error| broken(&error))? == 0 {
            return Ok(None);
        }
        *line += 1;
        let is_whole = bytes.pop_if(|byte| *byte == b'\n').is_some();
        bytes.pop_if(|byte| *byte == b'\r');
        if bytes.len() > MAX_ROW_BYTES {
            if !is_whole {
                skip_line(lines)?;
            }
            let cells = Err(format!("it is longer than {MAX_ROW_BYTES} bytes: split it"));
            return Ok(Some(Row { line: *line, cells }));
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes).trim_ascii();
        if !bytes.is_empty() {
            let cells = serde_json::from_slice(bytes).map_err(|error| match error.classify() {
                serde_json::error::Category::Data => error.to_string(),
                _ => format!("it is not JSON: {error}"),
            });
            let cells = cells.and_then(|cell| match cell {
                Cell::Map(_) => Ok(cell),
                _ => Err("it is not a JSON object: write one object a line (`jq -c '.[]'` does)".to_owned()),
            });
            return Ok(Some(Row { line: *line, cells }));
        }
    }
}

fn skip_line(lines: &mut impl BufRead) -> Result<(), Failure> {
    loop {
        let buffer = lines.fill_buf().map_err(|error| broken(&error))?;
        let (used, ended) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        lines.consume(used);
        if ended {
            return Ok(());
        }
    }
}

fn next_record(reader: &mut csv::Reader<OneLineEnd>, headings: &[String]) -> Result<Option<Row>, Failure> {
    loop {
        let mut record = csv::ByteRecord::new();
        reader.get_mut().begin();
        let begun = reader.position().line();
        let more = reader.read_byte_record(&mut record).map_err(|error| match error.kind() {
            csv::ErrorKind::Io(cause) if cause.kind() == io::ErrorKind::FileTooLarge => Failure::new(format!(
                "the row that begins in line {begun} does not end within {MAX_ROW_BYTES} bytes: is a quote not closed?"
            )),
            _ => Failure::new(of_csv(&error)),
        })?;
        if !more {
            return Ok(None);
        }
        let line = record.position().map_or(0, csv::Position::line);
        if record.iter().any(|field| !field.trim_ascii().is_empty()) {
            return Ok(Some(Row { line, cells: cells_of(&record, headings) }));
        }
    }
}

fn cells_of(record: &csv::ByteRecord, headings: &[String]) -> Result<Cell, String> {
    if record.as_slice().len() > MAX_ROW_BYTES {
        return Err(format!("it is longer than {MAX_ROW_BYTES} bytes: split it"));
    }
    if record.len() != headings.len() {
        return Err(format!(
            "it has {} values under {} headings: put values that hold commas or line breaks in quotes",
            record.len(),
            headings.len()
        ));
    }
    let fields = headings.iter().zip(record).map(|(heading, field)| {
        let text = str::from_utf8(field)
            .map_err(|_| format!("`{heading}` is not UTF-8: save the file as CSV in UTF-8"))?;
        Ok((heading.clone(), Cell::Text(text.to_owned())))
    });
    fields.collect::<Result<_, String>>().map(Cell::Map)
}

/// Bytes in which every line ends with a line feed alone: the reader of CSV counts lines right only then.
pub(super) struct OneLineEnd {
    bytes: Bytes<BufReader<Box<dyn Read + Send>>>,
    held: Option<u8>,
    since: usize,
}

impl OneLineEnd {
    fn new(source: Box<dyn Read + Send>) -> Self {
        Self { bytes: BufReader::new(source).bytes(), held: None, since: 0 }
    }

    /// A record begins, somewhere in what was read already: an open quote must not read the whole file into memory.
    fn begin(&mut self) {
        self.since = 0;
    }

    fn next(&mut self) -> io::Result<Option<u8>> {
        let byte = match self.held.take() {
            Some(byte) => Some(byte),
            None => self.bytes.next().transpose()?,
        };
        if byte != Some(b'\r') {
            return Ok(byte);
        }
        let after = self.bytes.next().transpose()?;
        if after == Some(b'\n') {
            return Ok(after);
        }
        self.held = after;
        Ok(byte)
    }
}

impl Read for OneLineEnd {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        for slot in buffer {
            let Some(byte) = self.next()? else { break };
            *slot = byte;
            filled += 1;
        }
        self.since += filled;
        if self.since > MAX_ROW_BYTES + READ_AHEAD {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(filled)
    }
}

fn broken(error: &io::Error) -> Failure {
    Failure::new(format!("the file can't be read to its end: {error}"))
}

fn of_csv(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "the headings are not UTF-8: save the file as CSV in UTF-8".to_owned(),
        _ => format!("the file can't be read as CSV: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_rows(name: &str, bytes: &[u8]) -> Result<Vec<Row>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let mut rows = Rows::open(&path, None, &ProgressBar::hidden()).map_err(|failure| failure.message)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(|failure| failure.message)? {
            found.push(row);
        }
        Ok(found)
    }

    #[test]
    fn lines_keep_their_numbers_and_a_broken_one_is_one_mistake() {
        let long = "x".repeat(MAX_ROW_BYTES + 10);
        let text = format!("\u{feff}{{\"a\":1}}\r\n\n{long}\n[]\n{{\"a\":1,\"a\":2}}\n{{\"a\":2}}");
        let rows = read_rows("c.ndjson", text.as_bytes()).unwrap();
        let told: Vec<_> = rows.iter().map(|row| (row.line, row.cells.is_ok())).collect();
        assert_eq!(told, [(1, true), (3, false), (4, false), (5, false), (6, true)]);
    }

    #[test]
    fn a_row_of_the_longest_length_swallows_nothing() {
        for end in ["\n", "\r\n"] {
            for (more, is_read) in [(-1_isize, true), (0, true), (1, false), (2, false)] {
                let length = MAX_ROW_BYTES.checked_add_signed(more).unwrap();
                let text = format!("{{\"a\":\"{}\"}}{end}{{\"a\":2}}{end}", "x".repeat(length - 8));
                let rows = read_rows("c.ndjson", text.as_bytes()).unwrap();
                let told: Vec<_> = rows.iter().map(|row| (row.line, row.cells.is_ok())).collect();
                assert_eq!(told, [(1, is_read), (2, true)], "{more} {end:?}");
            }
        }
    }

    #[test]
    fn a_quote_that_is_not_closed_does_not_swallow_the_file() {
        let text = format!("a,b\n1,2\n\"3,4\n{}", "5,6\n".repeat(200_000));
        let told = read_rows("c.csv", text.as_bytes()).unwrap_err();
        assert!(told.contains("begins in line 3") && told.contains("quote"), "{told}");
        let text = format!("a,b\n{}", "\"5\",6\n".repeat(200_000));
        assert_eq!(read_rows("c.csv", text.as_bytes()).unwrap().len(), 200_000);
    }

    #[test]
    fn records_stand_under_their_headings() {
        let rows = read_rows("c.csv", "\u{feff}title, kind\r\n\"a\nb, c\",comic\n,\nx\n".as_bytes()).unwrap();
        assert_eq!(rows.len(), 2);
        let cells = rows[0].cells.as_ref().unwrap();
        assert_eq!((rows[0].line, cells.at("title").and_then(Cell::text)), (2, Some("a\nb, c")));
        assert_eq!(cells.at("kind").and_then(Cell::text), Some("comic"));
        assert!(rows[1].cells.as_ref().unwrap_err().contains("1 values under 2 headings"));
    }

    #[test]
    fn what_is_not_utf_8_is_told_as_such() {
        let shift_jis = b"title\n\x90\xaf\n";
        let rows = read_rows("c.csv", shift_jis).unwrap();
        assert!(rows[0].cells.as_ref().unwrap_err().contains("UTF-8"));
        assert!(read_rows("c.csv", b"\x90\xaf\nx\n").unwrap_err().contains("UTF-8"));
        assert!(read_rows("c.csv", b"a,a\n").unwrap_err().contains("twice"));
        assert!(read_rows("c.txt", b"a").unwrap_err().contains("--format"));
    }
}
