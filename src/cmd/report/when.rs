//! Instants as people write them: a date, which means its first moment in UTC, or an RFC 3339 time.

/// Milliseconds since 1970 of `2026-08-01`, `2026-08-01T12:30:00Z` or `2026-08-01T20:30:00.250+08:00`. Digits
/// beyond milliseconds are cut off.
///
/// A parser of our own: two formats don't need a calendar library.
pub(in crate::cmd) fn parse(text: &str) -> Result<i64, String> {
    read(text)
        .ok_or_else(|| "write a date such as 2026-08-01 or a time such as 2026-08-01T12:30:00Z".to_owned())
}

fn read(text: &str) -> Option<i64> {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let date_ms = days(date)? * DAY_MS;
    match time {
        Some(time) => Some(date_ms + time_ms(time)?),
        None => Some(date_ms),
    }
}

/// Days since 1970 of `YYYY-MM-DD` in the Gregorian calendar.
fn days(text: &str) -> Option<i64> {
    let [year, month, day] = numbers(text, '-', &[4, 2, 2])?;
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *lengths.get(usize::try_from(month - 1).ok()?)?;
    if !(1..=length).contains(&day) {
        return None;
    }
    let before = year - 1;
    let years = before * 365 + before / 4 - before / 100 + before / 400;
    let months: i64 = lengths[..usize::try_from(month - 1).ok()?].iter().sum();
    Some(years + months + day - 1 - DAYS_BEFORE_1970)
}

/// Milliseconds since midnight in UTC of `hh:mm:ss[.fff](Z|+hh:mm|-hh:mm)`; negative or beyond a day by the offset.
fn time_ms(text: &str) -> Option<i64> {
    let at = text.find(['Z', 'z', '+', '-'])?;
    let (clock, offset) = text.split_at(at);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [hour, minute, second] = numbers(clock, ':', &[2, 2, 2])?;
    // A leap second counts as the next one's start.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some(((hour * 60 + minute) * 60 + second) * 1_000 + millis(fraction)? - offset_ms(offset)?)
}

fn millis(fraction: &str) -> Option<i64> {
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{fraction:0<3}")[..3].parse().ok()
}

fn offset_ms(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, rest) = match text.split_at(1) {
        ("+", rest) => (1, rest),
        (_, rest) => (-1, rest),
    };
    let [hours, minutes] = numbers(rest, ':', &[2, 2])?;
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes) * 60_000)
}

/// Exactly these many numbers of exactly these many digits.
fn numbers<const N: usize>(text: &str, between: char, digits: &[usize; N]) -> Option<[i64; N]> {
    let mut out = [0; N];
    let mut parts = text.split(between);
    for (number, &width) in out.iter_mut().zip(digits) {
        let part = parts.next()?;
        if part.len() != width || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(out)
}

const DAY_MS: i64 = 86_400_000;
/// From the first day of year 1.
const DAYS_BEFORE_1970: i64 = 719_162;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_are_read_exactly() {
        for (text, ms) in [
            ("1970-01-01", 0),
            ("2000-02-29", 951_782_400_000),
            ("2026-08-01", 1_785_542_400_000),
            ("1969-12-31T23:59:59Z", -1_000),
            ("2026-08-01T12:30:00Z", 1_785_587_400_000),
            ("2026-08-01T20:30:00+08:00", 1_785_587_400_000),
            ("2026-08-01 00:00:00.25-00:30", 1_785_544_200_250),
            ("2026-08-01t00:00:00.123999z", 1_785_542_400_123),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        ] {
            assert_eq!(parse(text), Ok(ms), "{text}");
        }
    }

    #[test]
    fn anything_else_says_what_to_write() {
        for text in [
            "",
            "yesterday",
            "2026-8-1",
            "2026-02-29",
            "1900-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-01-32",
            "2026-08-01T12:30",
            "2026-08-01T12:30:00",
            "2026-08-01T24:00:00Z",
            "2026-08-01T00:00:00.Z",
            "2026-08-01T00:00:00+8",
            "2026-08-01T00:00:00ZZ",
            "+026-08-01",
            "2026-08-01T00:00:00.½Z",
            "1785542400",
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains("2026-08-01T12:30:00Z"), "{text}: {error}");
        }
    }
}
