//! Moments as people write them.

/// A moment in milliseconds since 1970, UTC, of RFC 3339 such as `2027-01-31T12:00:00Z`, or of a date such as
/// `2027-01-31`, whose end is meant.
///
/// # Errors
/// For people.
pub fn expiry_ms(text: &str) -> Result<i64, String> {
    read(text, DAY_MS)
}

/// The same of something that begins: of a date the first moment is meant.
///
/// # Errors
/// For people.
pub(crate) fn begin_ms(text: &str) -> Result<i64, String> {
    read(text, 0)
}

fn read(text: &str, into_day_ms: i64) -> Result<i64, String> {
    let wrong =
        || format!("{text:?} is neither a date such as 2027-01-31 nor a time such as 2027-01-31T12:00:00Z");
    let moment = match text.split_once(['T', 't', ' ']) {
        None => date(text).map(|day| day * DAY_MS + into_day_ms),
        Some((day, time)) => date(day).zip(time_ms(time)).map(|(day, ms)| day * DAY_MS + ms),
    };
    moment.ok_or_else(wrong)
}

/// Whether a text may name a tenant, project or key.
pub fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

/// Days since 1970-01-01.
fn date(text: &str) -> Option<i64> {
    let (year, rest) = text.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    let (year, month, day) = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    (1..=longest).contains(&day).then(|| days_from_civil(year, month, day))
}

/// Milliseconds since midnight in UTC, which an offset may put into another day.
fn time_ms(text: &str) -> Option<i64> {
    let at = text.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = text.split_at(at);
    let (clock, fraction) = clock.split_once('.').map_or((clock, "0"), |(clock, fraction)| (clock, fraction));
    let mut parts = clock.split(':');
    let (hour, minute, second) =
        (number(parts.next()?, 2)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths: String = fraction.chars().chain("00".chars()).take(3).collect();
    let ms = thousandths.parse::<i64>().ok()?;
    Some(((hour * 60 + minute) * 60 + second) * 1_000 + ms - offset_ms(zone)?)
}

fn offset_ms(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, zone) = (if zone.starts_with('-') { -1 } else { 1 }, &zone[1..]);
    let (hours, minutes) = zone.split_once(':')?;
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60_000)
}

/// A number of exactly so many digits.
fn number(text: &str, digits: usize) -> Option<i64> {
    let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

const DAY_MS: i64 = 24 * 3_600 * 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact_and_a_date_means_its_end() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01", DAY_MS),
            ("2024-02-29T12:30:15.250Z", 1_709_209_815_250),
            ("2024-02-29t13:30:15.25+01:00", 1_709_209_815_250),
            ("2024-02-28T23:30:15.2504-13:00", 1_709_209_815_250),
            ("2026-12-31", 1_798_761_600_000),
        ];
        for (text, ms) in cases {
            assert_eq!(expiry_ms(text), Ok(ms), "{text}");
        }
        assert_eq!(begin_ms("2026-12-31"), Ok(1_798_675_200_000));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let cases = [
            "",
            "tomorrow",
            "2027-13-01",
            "2027-02-29",
            "2027-00-10",
            "2027-1-1",
            "2027-01-31T12:00Z",
            "2027-01-31T24:00:00Z",
            "2027-01-31T12:00:00",
            "2027-01-31T12:00:00+0100",
            "2027-01-31T12:00:00.Z",
            "2027-01-31T12:00:00+24:00",
            "+027-01-31",
            "2027-01-31T12:00:00€",
        ];
        for text in cases {
            assert!(expiry_ms(text).is_err(), "{text}");
        }
    }
}
