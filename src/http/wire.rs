//! Forms on the wire that several operations share.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use validator::{Validate, ValidationError, ValidationErrors};

use super::problem::pointer::SELF;
use super::problem::{Code, Problem};
use super::text::{Note, Title};
use crate::domain::act::Revocable;
use crate::domain::ids::OrgId;
use crate::domain::key::{Key, KeyError, Sha256};
use crate::domain::payload;
use crate::domain::scope::{From, MAX_MOMENT_MS, Until};
use crate::registry::orders::Evidence;

/// What a detail quotes of an input is cut here.
const MAX_DETAIL_CHARS: usize = 300;

/// The milliseconds of a moment: RFC 3339, in UTC (`Z`), from 1970 on, to the millisecond at most.
pub fn moment_ms(text: &str) -> Result<i64, String> {
    let not =
        || "must be a moment in UTC such as `2026-04-01T00:00:00Z`, to the millisecond at most".to_owned();
    if !text.ends_with('Z') || text.len() > 24 {
        return Err(not());
    }
    let at: jiff::Timestamp = text.parse().map_err(|_| not())?;
    let at_ms = at.as_millisecond();
    let is_exact = jiff::Timestamp::from_millisecond(at_ms).is_ok_and(|exact| exact == at);
    if is_exact && (0..=MAX_MOMENT_MS).contains(&at_ms) { Ok(at_ms) } else { Err(not()) }
}

macro_rules! moments {
    ($($(#[$doc:meta])* $name:ident: $type:ident::$variant:ident = $word:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name(pub $type);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<str>::deserialize(deserializer)?;
                if text == $word {
                    return Ok(Self($type::$variant));
                }
                let at = moment_ms(&text).map_err(|why| {
                    serde::de::Error::custom(format!(concat!("invalid value: {}, or `", $word, "`"), why))
                })?;
                Ok(Self($type::At(at)))
            }
        }
    )*};
}

moments! {
    /// The beginning of a term: `"on_record"`, or a moment.
    Begin: From::OnRecord = "on_record";
    /// The end of a term, itself outside it: `"open"`, or a moment.
    End: Until::Open = "open";
}

/// Whether and how a grant can be taken back: `"never"`, or `{"notice_days": 30}`; 0 days is at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// Not before its end.
    Never,
    /// With so many days of notice.
    NoticeDays(u16),
}

impl std::convert::From<Notice> for Revocable {
    fn from(notice: Notice) -> Self {
        match notice {
            Notice::Never => Self::Never,
            Notice::NoticeDays(days) => Self::NoticeMs(i64::from(days) * 86_400_000),
        }
    }
}

/// A key as a client writes it; the server brings it into its normal form.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum KeyIn {
    /// A web address.
    Url {
        /// It.
        value: String,
    },
    /// A web address and all below it.
    UrlPrefix {
        /// It.
        value: String,
    },
    /// The hash of a file.
    Sha256 {
        /// 64 hexadecimal digits.
        value: String,
    },
    /// An identifier of some scheme.
    Id {
        /// The scheme.
        scheme: String,
        /// The value.
        value: String,
    },
    /// An ISCC unit.
    Iscc {
        /// Four hexadecimal digits.
        header: String,
        /// The body.
        body: String,
    },
}

impl KeyIn {
    /// The key in its normal form.
    pub fn normal(&self) -> Result<Key, KeyError> {
        match self {
            Self::Url { value } => Key::url(value),
            Self::UrlPrefix { value } => Key::url_prefix(value),
            Self::Sha256 { value } => value.to_ascii_lowercase().parse().map(Key::sha256),
            Self::Id { scheme, value } => Key::identifier(scheme, value),
            Self::Iscc { header, body } => Key::iscc(header, body),
        }
    }

    /// The same, once the body was validated.
    pub fn key(&self) -> Result<Key, Problem> {
        self.normal().map_err(|error| Problem::new(Code::InvalidBody).detail(error.to_string()))
    }
}

impl Validate for KeyIn {
    fn validate(&self) -> Result<(), ValidationErrors> {
        let Err(error) = self.normal() else { return Ok(()) };
        let detail: String = error.to_string().chars().take(MAX_DETAIL_CHARS).collect();
        let mut errors = ValidationErrors::new();
        errors.add(SELF, ValidationError::new("invalid_key").with_message(detail.into()));
        Err(errors)
    }
}

/// A title as a client writes it.
#[derive(Clone, Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct TitleIn {
    /// The text.
    #[validate(nested)]
    text: Title,
    /// Its language.
    #[validate(custom(function = language))]
    lang: String,
    /// How it is read.
    #[validate(nested)]
    #[serde(default, deserialize_with = "given")]
    reading: Option<Title>,
}

impl std::convert::From<TitleIn> for payload::Title {
    fn from(title: TitleIn) -> Self {
        Self {
            text: title.text.into_string(),
            lang: title.lang,
            reading: title.reading.map(Title::into_string),
        }
    }
}

/// The titles of a work: 1 to 50, the main one first.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct Titles(Vec<TitleIn>);

impl Titles {
    /// As they are kept.
    pub fn into_payload(self) -> Vec<payload::Title> {
        self.0.into_iter().map(Into::into).collect()
    }
}

impl Validate for Titles {
    fn validate(&self) -> Result<(), ValidationErrors> {
        let mut own = ValidationErrors::new();
        if !(1..=50).contains(&self.0.len()) {
            own.add(SELF, ValidationError::new("length").with_message("must hold 1 to 50 titles".into()));
            return Err(own);
        }
        self.0.validate()
    }
}

/// The shape of a BCP 47 tag: subtags of letters and digits, the first of 2 to 8 letters.
fn language(tag: &str) -> Result<(), ValidationError> {
    let mut parts = tag.split('-');
    let first = parts.next().unwrap_or("");
    let is_first = (2..=8).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_alphabetic());
    let is_rest =
        parts.all(|it| (1..=8).contains(&it.len()) && it.bytes().all(|b| b.is_ascii_alphanumeric()));
    if is_first && is_rest && tag.len() <= 35 {
        return Ok(());
    }
    Err(ValidationError::new("invalid_language")
        .with_message("must be a BCP 47 tag such as `ja` or `zh-Hant`".into()))
}

/// A year, a month or a day: `1988`, `1988-04`, `1988-04-16` (EDTF level 0).
pub fn is_published(text: &str) -> Result<(), ValidationError> {
    let is_number =
        |part: &str, length: usize| part.len() == length && part.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<_> = text.split('-').collect();
    let is_date = match parts.as_slice() {
        [year] => is_number(year, 4),
        [year, month] => is_number(year, 4) && is_number(month, 2) && ("01"..="12").contains(month),
        [_, _, _] => text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok(),
        _ => false,
    };
    if is_date {
        return Ok(());
    }
    let message = "must be a year, month or day such as `1988`, `1988-04` or `1988-04-16`";
    Err(ValidationError::new("invalid_date").with_message(message.into()))
}

/// The body of an act that needs no more than its path.
#[derive(Debug, Default, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct Plain {
    /// For whom, when it is done for another.
    #[serde(default, deserialize_with = "given")]
    pub on_behalf_of: Option<OrgId>,
}

/// The body of an act with a reason in words.
#[derive(Debug, Default, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct Reasoned {
    /// For whom, when it is done for another.
    #[serde(default, deserialize_with = "given")]
    pub on_behalf_of: Option<OrgId>,
    /// Why. It is kept beside the log, and can be erased.
    #[validate(nested)]
    #[serde(default, deserialize_with = "given")]
    pub note: Option<Note>,
}

/// The evidence for a judgement: exactly one of `{"text": …}` and `{"sha256": …}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceIn {
    /// In words.
    Text(Note),
    /// The digest of a document kept elsewhere.
    Sha256(Sha256),
}

impl Validate for EvidenceIn {
    fn validate(&self) -> Result<(), ValidationErrors> {
        match self {
            Self::Text(text) => ValidationErrors::merge(Ok(()), "text", text.validate()),
            Self::Sha256(_) => Ok(()),
        }
    }
}

impl std::convert::From<EvidenceIn> for Evidence {
    fn from(evidence: EvidenceIn) -> Self {
        match evidence {
            EvidenceIn::Text(text) => Self::in_words(text.into_string()),
            EvidenceIn::Sha256(digest) => Self::Digest(digest),
        }
    }
}

/// Reads a field that must be there, though it may be `null`: nothing is left to a default.
pub fn stated<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

/// Reads a field that may be left out, but not be `null`: a program that has lost a value must not be taken for one that
/// leaves it to what is said without it.
pub fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_in_utc_and_exact() {
        assert_eq!(moment_ms("2025-10-27T00:00:00Z"), Ok(1_761_523_200_000));
        assert_eq!(moment_ms("2025-10-27T00:00:00.123Z"), Ok(1_761_523_200_123));
        for bad in [
            "",
            "Z",
            "2025-10-27",
            "2025-10-27T00:00:00",
            "2025-10-27T09:00:00+09:00",
            "1969-12-31T23:59:59Z",
            "2025-10-27T00:00:00.1234Z",
            "2025-02-30T00:00:00Z",
            "+010000-01-01T00:00:00Z",
            "on_record",
        ] {
            assert!(moment_ms(bad).is_err(), "{bad}");
        }
        let begin = |text: &str| serde_json::from_str::<Begin>(text).map(|it| it.0).ok();
        assert_eq!(begin(r#""on_record""#), Some(From::OnRecord));
        assert_eq!(begin(r#""open""#), None);
        assert_eq!(begin("1761523200000"), None);
    }

    #[test]
    fn a_notice_is_stated_one_way_or_the_other() {
        let read = |text: &str| serde_json::from_str::<Notice>(text).ok().map(Revocable::from);
        assert_eq!(read(r#""never""#), Some(Revocable::Never));
        assert_eq!(read(r#"{"notice_days":2}"#), Some(Revocable::NoticeMs(172_800_000)));
        for bad in [r#"{"notice_days":-1}"#, r#"{"notice_days":1,"never":1}"#, "{}", "null", r#""at_once""#] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_key_is_brought_into_its_normal_form_or_told() {
        let key: KeyIn =
            serde_json::from_str(r#"{"type":"url","value":"HTTPS://Example.com/%7Ea#b"}"#).unwrap();
        assert_eq!(key.normal().unwrap(), Key::url("https://example.com/~a").unwrap());
        assert!(key.validate().is_ok());
        let bad: KeyIn = serde_json::from_str(r#"{"type":"url","value":"javascript:1"}"#).unwrap();
        assert!(bad.validate().is_err());
        assert!(
            serde_json::from_str::<KeyIn>(r#"{"type":"url","value":"https://a.example/","x":1}"#).is_err()
        );
        assert!(serde_json::from_str::<KeyIn>(r#"{"type":"url","value":"a","value":"b"}"#).is_err());
    }

    #[test]
    fn dates_and_languages_have_one_form() {
        for good in ["1988", "1988-04", "1988-04-16"] {
            assert!(is_published(good).is_ok(), "{good}");
        }
        for bad in
            ["", "88", "1988-13", "1988-00", "1988-4", "1988-02-30", "1988-04-16T00", "19880416", "1988-04-1"]
        {
            assert!(is_published(bad).is_err(), "{bad}");
        }
        assert!(language("zh-Hant").is_ok() && language("ja").is_ok());
        for bad in ["", "j", "日本", "ja_JP", "ja-", "-ja", &"ja-a".repeat(12)] {
            assert!(language(bad).is_err(), "{bad}");
        }
    }
}
