//! Forms on the wire that several operations share.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};

use crate::domain::scope::{From, MAX_MOMENT_MS, Until};

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
}
