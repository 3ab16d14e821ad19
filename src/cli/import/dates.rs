//! Dates as catalogues write them, brought into the form of the registry: `1988`, `1988-04` or `1988-04-16`.

use serde::{Deserialize, Deserializer};
use unicode_normalization::UnicodeNormalization;

/// How far the clocks of a place are from UTC, such as `+09:00`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offset(jiff::tz::Offset);

impl<'de> Deserialize<'de> for Offset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        offset(&text)
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no offset such as `+09:00`")))
    }
}

fn offset(text: &str) -> Option<jiff::tz::Offset> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    if minutes > 59 {
        return None;
    }
    jiff::tz::Offset::from_seconds(sign * (hours * 3_600 + minutes * 60)).ok()
}

/// The date that a text states, as precisely as it does: with `-`, `/`, `.` or 年月日 between its parts, in full-width
/// digits too. An instant is the day at `offset`, or in UTC.
pub(super) fn published(text: &str, offset: Option<Offset>) -> Result<String, String> {
    let plain: String = text.nfkc().collect();
    let plain = plain.trim();
    if plain.contains('T')
        && let Ok(at) = plain.parse::<jiff::Timestamp>()
    {
        let offset = offset.map_or(jiff::tz::Offset::UTC, |offset| offset.0);
        return Ok(offset.to_datetime(at).date().to_string());
    }
    parts(plain).ok_or_else(|| {
        format!("`{text}` is no date such as `1988`, `1988-04`, `1988/04/16` or `1988年4月16日`")
    })
}

fn parts(text: &str) -> Option<String> {
    let text = text.replace(['年', '月'], "-").replace('日', "");
    let parts: Vec<&str> = text.trim_end_matches('-').split(['-', '/', '.']).collect();
    let number = |part: &str, most: usize| -> Option<i16> {
        let fits = (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| part.parse().ok()).flatten()
    };
    let year = parts.first().filter(|year| year.len() == 4).and_then(|year| number(year, 4))?;
    match parts.get(1..)? {
        [] => Some(format!("{year:04}")),
        [month] => {
            let month = number(month, 2).filter(|month| (1..=12).contains(month))?;
            Some(format!("{year:04}-{month:02}"))
        }
        [month, day] => {
            let (month, day) = (i8::try_from(number(month, 2)?).ok()?, i8::try_from(number(day, 2)?).ok()?);
            jiff::civil::Date::new(year, month, day).ok().map(|date| date.to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_every_precision_are_read() {
        for (text, date) in [
            ("1988", "1988"),
            ("1988-4", "1988-04"),
            ("1988/04/16", "1988-04-16"),
            ("１９８８．４．１６", "1988-04-16"),
            ("1988年4月16日", "1988-04-16"),
            ("1988年4月", "1988-04"),
            ("1988年", "1988"),
            ("1943-04-14T15:00:00.000Z", "1943-04-14"),
        ] {
            assert_eq!(published(text, None).as_deref(), Ok(date), "{text}");
        }
        let tokyo = offset("+09:00").map(Offset);
        assert_eq!(published("1943-04-14T15:00:00.000Z", tokyo).as_deref(), Ok("1943-04-15"));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for bad in [
            "",
            "88",
            "1988-13",
            "1988-02-30",
            "April 1988",
            "1988-04-16-1",
            "1988-04-14T99:00:00Z",
            "約1988年",
        ] {
            assert!(published(bad, None).is_err(), "{bad}");
        }
        for bad in ["", "9", "+9:00", "+09:60", "+99:00", "JST", "é"] {
            assert!(offset(bad).is_none(), "{bad}");
        }
    }
}
