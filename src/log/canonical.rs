//! The bytes in which entries are stored and hashed: RFC 8785, the JSON canonicalization scheme.

use std::cell::Cell;
use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

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
    /// The value's own `Serialize` failed, or a map has a key that is not a string or stands twice.
    #[error("the value cannot be written as canonical JSON: {0}")]
    Unwritable(#[from] serde_json::Error),
}

/// The RFC 8785 bytes of `value`: UTF-8, keys sorted by UTF-16 code units, no blanks.
///
/// # Errors
/// Refuses floats and integers beyond ±2^53 rather than round them, and raw JSON fragments, map keys that are not
/// strings, and keys that stand twice.
pub fn to_canonical<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    let refused = Cell::new(None);
    let mut check = Serializer::with_formatter(io::sink(), Check(&refused));
    let checked = value.serialize(&mut check);
    if let Some(why) = refused.take() {
        return Err(why);
    }
    checked?;
    Ok(serde_json_canonicalizer::to_vec(&value)?)
}

/// Walks a value as `serde_json` would write it, writes nothing, and stops at a number that would be rounded.
struct Check<'a>(&'a Cell<Option<CanonicalError>>);

impl Check<'_> {
    fn refuse(&self, why: CanonicalError) -> io::Result<()> {
        self.0.set(Some(why));
        Err(io::ErrorKind::InvalidData.into())
    }

    fn integer<N: Copy + ToString + TryInto<i128>>(&self, value: N) -> io::Result<()> {
        match value.try_into() {
            Ok(number) if number.unsigned_abs() <= u128::from(MAX_INTEGER) => Ok(()),
            _ => self.refuse(CanonicalError::Integer(value.to_string())),
        }
    }
}

impl Formatter for Check<'_> {
    fn write_i64<W: ?Sized + io::Write>(&mut self, _: &mut W, value: i64) -> io::Result<()> {
        self.integer(value)
    }

    fn write_u64<W: ?Sized + io::Write>(&mut self, _: &mut W, value: u64) -> io::Result<()> {
        self.integer(value)
    }

    fn write_i128<W: ?Sized + io::Write>(&mut self, _: &mut W, value: i128) -> io::Result<()> {
        self.integer(value)
    }

    fn write_u128<W: ?Sized + io::Write>(&mut self, _: &mut W, value: u128) -> io::Result<()> {
        self.integer(value)
    }

    fn write_f32<W: ?Sized + io::Write>(&mut self, _: &mut W, _: f32) -> io::Result<()> {
        self.refuse(CanonicalError::Float)
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, _: &mut W, _: f64) -> io::Result<()> {
        self.refuse(CanonicalError::Float)
    }

    // Only called when some dependency turns on serde_json's `arbitrary_precision`.
    fn write_number_str<W: ?Sized + io::Write>(&mut self, _: &mut W, value: &str) -> io::Result<()> {
        match value.parse::<i128>() {
            Ok(number) => self.integer(number),
            Err(_) if value.bytes().all(|b| b.is_ascii_digit() || b == b'-') => {
                self.refuse(CanonicalError::Integer(value.to_owned()))
            }
            Err(_) => self.refuse(CanonicalError::Float),
        }
    }

    fn write_raw_fragment<W: ?Sized + io::Write>(&mut self, _: &mut W, _: &str) -> io::Result<()> {
        self.refuse(CanonicalError::Raw)
    }
}
