//! Writing RFC 8785 in one pass: the members of an object are put in order where they stand.
//!
//! Every act that is recorded and every entry that is verified is written once; a general writer, which keeps each object as a map of
//! texts, takes several times as long (`cargo bench --bench table`).

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Display;
use std::io::Write;
use std::ops::Range;

use serde::ser::{self, Serialize};
use smallvec::SmallVec;

use super::{CanonicalError, MAX_INTEGER};
use crate::domain::escapes::plain_length;

/// The names under which `serde_json` serializes JSON text that it embeds unparsed, and numbers that it keeps as text.
const RAW: [&str; 2] = ["$serde_json::private::RawValue", "$serde_json::private::Number"];

impl ser::Error for CanonicalError {
    fn custom<T: Display>(message: T) -> Self {
        Self::Unwritable(ser::Error::custom(message))
    }
}

type Written = Result<(), CanonicalError>;

/// Writes values behind what is written.
#[derive(Default)]
pub(super) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    fn byte(&mut self, byte: u8) {
        self.out.push(byte);
    }

    fn integer(&mut self, value: i128) -> Written {
        if value.unsigned_abs() > u128::from(MAX_INTEGER) {
            return Err(CanonicalError::Integer(value.to_string()));
        }
        write!(self.out, "{value}").map_err(ser::Error::custom)
    }

    /// A string with the escapes of section 3.2.2.2, and no others.
    fn text(&mut self, text: &str) {
        self.byte(b'"');
        let mut rest = text.as_bytes();
        loop {
            let (plain, after) = rest.split_at_checked(plain_length(rest)).unwrap_or((rest, &[]));
            self.out.extend_from_slice(plain);
            let Some((escaped, after)) = after.split_first() else { break };
            self.escape(*escaped);
            rest = after;
        }
        self.byte(b'"');
    }

    fn escape(&mut self, byte: u8) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let short = match byte {
            b'"' | b'\\' => byte,
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0c => b'f',
            b'\r' => b'r',
            _ => {
                let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
                self.out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
                return;
            }
        };
        self.out.extend_from_slice(&[b'\\', short]);
    }

    fn object(&mut self, closing: &'static str) -> Object<'_> {
        self.byte(b'{');
        let start = self.out.len();
        Object { writer: self, start, members: SmallVec::new(), key: None, closing }
    }

    fn list(&mut self, closing: &'static str) -> List<'_> {
        self.byte(b'[');
        List { writer: self, is_first: true, closing }
    }

    /// What stands around the value of a variant that has one.
    fn variant(&mut self, variant: &str) {
        self.byte(b'{');
        self.text(variant);
        self.byte(b':');
    }
}

macro_rules! integers {
    ($($method:ident: $type:ty),*) => {$(
        fn $method(self, value: $type) -> Written {
            self.integer(i128::from(value))
        }
    )*};
}

impl<'a> ser::Serializer for &'a mut Writer {
    type Ok = ();
    type Error = CanonicalError;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = List<'a>;
    type SerializeTupleVariant = List<'a>;
    type SerializeMap = Object<'a>;
    type SerializeStruct = Object<'a>;
    type SerializeStructVariant = Object<'a>;

    integers! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64
    }

    fn serialize_u128(self, value: u128) -> Written {
        let number = i128::try_from(value).map_err(|_| CanonicalError::Integer(value.to_string()))?;
        self.integer(number)
    }

    fn serialize_f32(self, _: f32) -> Written {
        Err(CanonicalError::Float)
    }

    fn serialize_f64(self, _: f64) -> Written {
        Err(CanonicalError::Float)
    }

    fn serialize_bool(self, value: bool) -> Written {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_char(self, value: char) -> Written {
        self.text(value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Written {
        self.text(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Written {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Written {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Written {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Written {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Written {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        self.variant(variant);
        value.serialize(&mut *self)?;
        self.byte(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List<'a>, CanonicalError> {
        Ok(self.list("]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<List<'a>, CanonicalError> {
        Ok(self.list("]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<List<'a>, CanonicalError> {
        Ok(self.list("]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<List<'a>, CanonicalError> {
        self.variant(variant);
        Ok(self.list("]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Object<'a>, CanonicalError> {
        Ok(self.object("}"))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Object<'a>, CanonicalError> {
        if RAW.contains(&name) {
            return Err(CanonicalError::Raw);
        }
        Ok(self.object("}"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Object<'a>, CanonicalError> {
        self.variant(variant);
        Ok(self.object("}}"))
    }
}

/// A list that is written.
pub(super) struct List<'a> {
    writer: &'a mut Writer,
    is_first: bool,
    closing: &'static str,
}

impl List<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        if !std::mem::replace(&mut self.is_first, false) {
            self.writer.byte(b',');
        }
        value.serialize(&mut *self.writer)
    }

    fn close(self) {
        self.writer.out.extend_from_slice(self.closing.as_bytes());
    }
}

macro_rules! lists {
    ($($trait:ident::$method:ident),*) => {$(
        impl ser::$trait for List<'_> {
            type Ok = ();
            type Error = CanonicalError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
                self.element(value)
            }

            fn end(self) -> Written {
                self.close();
                Ok(())
            }
        }
    )*};
}

lists! {
    SerializeSeq::serialize_element, SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field, SerializeTupleVariant::serialize_field
}

/// A member of an object: its key as it is compared, and where it stands.
type Member = (Cow<'static, str>, Range<usize>);

/// An object that is written.
pub(super) struct Object<'a> {
    writer: &'a mut Writer,
    /// Where its first member begins.
    start: usize,
    members: SmallVec<[Member; 12]>,
    key: Option<Cow<'static, str>>,
    closing: &'static str,
}

impl Object<'_> {
    fn member<T: Serialize + ?Sized>(&mut self, key: Cow<'static, str>, value: &T) -> Written {
        if !self.members.is_empty() {
            self.writer.byte(b',');
        }
        let from = self.writer.out.len();
        self.writer.text(&key);
        self.writer.byte(b':');
        value.serialize(&mut *self.writer)?;
        self.members.push((key, from..self.writer.out.len()));
        Ok(())
    }

    fn close(mut self) -> Written {
        if !self.members.is_sorted_by(|one, next| order(&one.0, &next.0).is_lt()) {
            self.sort()?;
        }
        self.writer.out.extend_from_slice(self.closing.as_bytes());
        Ok(())
    }

    /// Puts the members in order: with their commas they take as much room as before.
    fn sort(&mut self) -> Written {
        self.members.sort_unstable_by(|one, other| order(&one.0, &other.0));
        let same = self.members.windows(2).find_map(|pair| match pair {
            [one, next] if one.0 == next.0 => Some(one.0.clone()),
            _ => None,
        });
        if let Some(key) = same {
            return Err(ser::Error::custom(format_args!("the key `{key}` stands twice")));
        }
        let mut sorted = Vec::with_capacity(self.writer.out.len() - self.start);
        for (_, place) in &self.members {
            if !sorted.is_empty() {
                sorted.push(b',');
            }
            sorted.extend_from_slice(self.writer.out.get(place.clone()).unwrap_or_default());
        }
        self.writer.out.truncate(self.start);
        self.writer.out.extend_from_slice(&sorted);
        Ok(())
    }
}

/// The order of keys, section 3.2.3: by their UTF-16 code units.
fn order(one: &str, other: &str) -> Ordering {
    if one.is_ascii() && other.is_ascii() {
        one.cmp(other)
    } else {
        one.encode_utf16().cmp(other.encode_utf16())
    }
}

impl ser::SerializeMap for Object<'_> {
    type Ok = ();
    type Error = CanonicalError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        self.key = Some(Cow::Owned(key_of(key)?));
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        let key = self
            .key
            .take()
            .ok_or_else(|| <CanonicalError as ser::Error>::custom("a value without its key"))?;
        self.member(key, value)
    }

    fn end(self) -> Written {
        self.close()
    }
}

macro_rules! structs {
    ($($trait:ident),*) => {$(
        impl ser::$trait for Object<'_> {
            type Ok = ();
            type Error = CanonicalError;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Written {
                self.member(Cow::Borrowed(key), value)
            }

            fn end(self) -> Written {
                self.close()
            }
        }
    )*};
}

structs! { SerializeStruct, SerializeStructVariant }

/// The key of a map: a text, or an integer that is written as one.
fn key_of<T: Serialize + ?Sized>(key: &T) -> Result<String, CanonicalError> {
    let mut writer = Writer::default();
    key.serialize(&mut writer)?;
    match writer.out.first() {
        Some(b'"') => Ok(serde_json::from_slice(&writer.out)?),
        Some(b'-' | b'0'..=b'9') => Ok(String::from_utf8_lossy(&writer.out).into_owned()),
        _ => Err(ser::Error::custom("a key must be a string")),
    }
}
