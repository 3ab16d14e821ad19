//! The bytes in which entries are stored and hashed: RFC 8785, the JSON canonicalization scheme.

mod writer;

use serde::Serialize;

use writer::Writer;

/// The largest integer, in magnitude, that is written: 2^53. Larger ones travel as strings.
pub const MAX_INTEGER: u64 = 1 << 53;

/// Why a value has no canonical form here.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalError {
    /// A floating point number, even one without a fraction.
    #[error("a floating point number cannot be logged; use an integer or a string")]
    Float,
    /// An integer beyond ±2^53, which JSON readers round.
    #[error("the integer `{0}` is beyond 2^53 and would be rounded; write it as a string")]
    Integer(String),
    /// JSON text embedded unparsed.
    #[error("unparsed JSON cannot be logged; use a typed value")]
    Raw,
    /// The value's own `Serialize` failed, or a map has a key that is neither a string nor an integer, or stands twice.
    #[error("the value cannot be written as canonical JSON: {0}")]
    Unwritable(#[from] serde_json::Error),
}

/// The RFC 8785 bytes of `value`: UTF-8, keys sorted by UTF-16 code units, no blanks.
///
/// # Errors
/// Refuses floats and integers beyond ±2^53 rather than round them, and raw JSON fragments, map keys that are neither strings nor
/// integers, and keys that stand twice. As deep as the value is the stack: acts and entries have a bounded depth.
pub fn to_canonical<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    let mut writer = Writer::default();
    value.serialize(&mut writer)?;
    Ok(writer.into_bytes())
}
