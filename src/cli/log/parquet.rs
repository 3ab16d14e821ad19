//! Entries of the act log as a Parquet file, for programs that analyse tables.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::Line;
use crate::cli::Failure;

/// The columns. `bytes` is what was hashed, to the byte.
const SCHEMA: &str = "message log {
    required int64 entry;
    required int64 recorded (TIMESTAMP(MILLIS, true));
    required binary type (STRING);
    required binary party (STRING);
    optional binary on_behalf_of (STRING);
    required group works (LIST) { repeated group list { required binary element (STRING); } }
    required binary text (STRING);
    required binary bytes (STRING);
}";

/// How many rows are held in memory, and written together.
const GROUP: usize = 10_000;

/// A file that is written.
pub(super) struct Table {
    writer: SerializedFileWriter<File>,
    rows: Vec<Line>,
}

impl From<ParquetError> for Failure {
    fn from(error: ParquetError) -> Self {
        Self::new(format!("the table can't be written: {error}"))
    }
}

impl Table {
    /// A new file, which must not be there.
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        let file = File::create_new(path)
            .map_err(|error| Failure::new(format!("`{}` can't be written: {error}", path.display())))?;
        let schema = Arc::new(parse_message_type(SCHEMA)?);
        let writer = SerializedFileWriter::new(file, schema, Arc::new(WriterProperties::builder().build()))?;
        Ok(Self { writer, rows: Vec::new() })
    }

    pub(super) fn push(&mut self, line: Line) -> Result<(), Failure> {
        self.rows.push(line);
        if self.rows.len() == GROUP { self.write() } else { Ok(()) }
    }

    /// Ends the file: before, it is none.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        self.write()?;
        let file = self.writer.into_inner()?;
        file.sync_all().map_err(|error| Failure::new(format!("the table can't be kept: {error}")))
    }

    fn write(&mut self) -> Result<(), Failure> {
        let rows = std::mem::take(&mut self.rows);
        let recorded: Vec<i64> = rows.iter().map(moment_ms).collect::<Result<_, _>>()?;
        let entries: Vec<i64> = rows.iter().map(|row| i64::try_from(row.index).unwrap_or(i64::MAX)).collect();
        let mut group = self.writer.next_row_group()?;
        column::<Int64Type>(&mut group, &entries, None, None)?;
        column::<Int64Type>(&mut group, &recorded, None, None)?;
        texts(&mut group, rows.iter().map(|row| row.r#type.as_str()))?;
        texts(&mut group, rows.iter().map(|row| row.party.as_str()))?;
        let behalf: Vec<ByteArray> =
            rows.iter().filter_map(|row| row.on_behalf_of.as_deref()).map(ByteArray::from).collect();
        let is_said: Vec<i16> = rows.iter().map(|row| i16::from(row.on_behalf_of.is_some())).collect();
        column::<ByteArrayType>(&mut group, &behalf, Some(&is_said), None)?;
        works(&mut group, &rows)?;
        texts(&mut group, rows.iter().map(|row| row.text.as_str()))?;
        texts(&mut group, rows.iter().map(|row| row.entry.as_str()))?;
        group.close()?;
        Ok(())
    }
}

fn moment_ms(row: &Line) -> Result<i64, Failure> {
    let at: Result<jiff::Timestamp, _> = row.recorded.parse();
    let at = at.map_err(|_| Failure::new(format!("entry {} tells no moment", row.index)))?;
    Ok(at.as_millisecond())
}

/// Lists: a row without works has one place, and nothing in it.
fn works(group: &mut SerializedRowGroupWriter<'_, File>, rows: &[Line]) -> Result<(), Failure> {
    let (mut values, mut defined, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        if row.works.is_empty() {
            defined.push(0);
            repeated.push(0);
        }
        for (place, work) in row.works.iter().enumerate() {
            values.push(ByteArray::from(work.as_str()));
            defined.push(1);
            repeated.push(i16::from(place > 0));
        }
    }
    column::<ByteArrayType>(group, &values, Some(&defined), Some(&repeated))
}

fn texts<'a>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    values: impl Iterator<Item = &'a str>,
) -> Result<(), Failure> {
    let values: Vec<ByteArray> = values.map(ByteArray::from).collect();
    column::<ByteArrayType>(group, &values, None, None)
}

fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    values: &[T::T],
    defined: Option<&[i16]>,
    repeated: Option<&[i16]>,
) -> Result<(), Failure> {
    let lost = || Failure::new("the table has fewer columns than are written");
    let mut column = group.next_column()?.ok_or_else(lost)?;
    column.typed::<T>().write_batch(values, defined, repeated)?;
    column.close()?;
    Ok(())
}
