//! A moment as people write it, in every command alike.

use super::{Problem, Result};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

/// Below this a bare number can only be seconds: as milliseconds it would be before April 1970.
const SECONDS_BELOW: i64 = 10_000_000_000;

/// Reads RFC 3339, a date or a date and time in `zone`, `now`, `now-2h`, `-48h` or milliseconds since the Unix epoch, and returns
/// those milliseconds.
///
/// # Errors
/// A usage problem that names the option and the forms.
pub fn moment(option: &str, text: &str, now: Timestamp, zone: &TimeZone) -> Result<i64> {
    let text = text.trim();
    let bad = || {
        Problem::usage(format!("{option} {text:?} is no time"))
            .next("write RFC 3339 (2026-05-01T12:00:00Z), a date, now-2h, -48h, or milliseconds since the epoch")
    };
    if let Ok(ms) = text.parse::<i64>()
        && !text.starts_with(['-', '+'])
    {
        if ms > 0 && ms < SECONDS_BELOW {
            return Err(Problem::usage(format!("{option} {text} looks like seconds"))
                .because("a bare number is milliseconds since the epoch")
                .next(format!("write {text}000")));
        }
        return Ok(ms);
    }
    let relative = match text.strip_prefix("now") {
        Some("") => return Ok(now.as_millisecond()),
        Some(rest) if rest.starts_with(['-', '+']) => Some(rest),
        Some(_) => None,
        None => Some(text).filter(|text| text.starts_with('-')),
    };
    if let Some(relative) = relative {
        return shifted(relative, now, zone).ok_or_else(bad);
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at.as_millisecond());
    }
    let civil = text
        .parse::<DateTime>()
        .or_else(|_| text.parse::<Date>().map(|date| date.at(0, 0, 0, 0)));
    let civil = civil.map_err(|_| bad())?;
    let at = civil.to_zoned(zone.clone()).map_err(|_| bad())?;
    Ok(at.timestamp().as_millisecond())
}

/// `-2h`, `+90s`, `-2d12h`.
fn shifted(text: &str, now: Timestamp, zone: &TimeZone) -> Option<i64> {
    let (sign, length) = text.split_at_checked(1)?;
    let length = length.trim();
    if !length.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let back = sign == "-";
    // Hours and shorter are lengths; a day is one of the calendar, which the zone may make shorter.
    let at = match length.parse::<SignedDuration>() {
        Ok(length) if back => now.checked_sub(length).ok()?,
        Ok(length) => now.checked_add(length).ok()?,
        Err(_) => {
            let span: Span = length.parse().ok()?;
            let now = now.to_zoned(zone.clone());
            let at = if back {
                now.checked_sub(span)
            } else {
                now.checked_add(span)
            };
            at.ok()?.timestamp()
        }
    };
    Some(at.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Result<i64> {
        let now = "2026-05-02T12:00:00Z".parse().unwrap();
        moment("--since", text, now, &TimeZone::UTC)
    }

    #[test]
    fn the_forms_of_the_contract() {
        let expected = |text: &str| text.parse::<Timestamp>().unwrap().as_millisecond();
        for (text, same) in [
            ("2026-05-01T12:00:00Z", "2026-05-01T12:00:00Z"),
            ("2026-05-01T12:00:00.250+02:00", "2026-05-01T10:00:00.25Z"),
            ("2026-05-01", "2026-05-01T00:00:00Z"),
            ("2026-05-01T12:30", "2026-05-01T12:30:00Z"),
            ("2026-05-01 12:30:01", "2026-05-01T12:30:01Z"),
            ("now", "2026-05-02T12:00:00Z"),
            ("now-2h", "2026-05-02T10:00:00Z"),
            ("now+1m30s", "2026-05-02T12:01:30Z"),
            ("-48h", "2026-04-30T12:00:00Z"),
            ("-2d", "2026-04-30T12:00:00Z"),
            ("-1w", "2026-04-25T12:00:00Z"),
            ("1777000000000", "2026-04-24T03:06:40Z"),
        ] {
            assert_eq!(at(text), Ok(expected(same)), "{text}");
        }
        assert_eq!(at("0"), Ok(0));
        for bad in [
            "",
            "yesterday",
            "now-",
            "now2h",
            "-",
            "--2h",
            "-5",
            "2026-13-01",
            "1777000000",
            "+2h",
        ] {
            assert!(at(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_judged_without_panic(text in "[-+0-9a-zT:. ]{0,24}") {
            let _ = at(&text);
        }
    }
}
