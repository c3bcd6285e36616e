//! When a busy engine says to come back: `retry-after` in seconds or as a date, and `retry-after-ms`,
//! which gRPC calls `grpc-retry-pushback-ms`.

use http::HeaderMap;
use std::time::Duration;

/// Longer waits than this are cut: one confused engine must not take itself out for a day.
const LONGEST: Duration = Duration::from_secs(60);

/// How long to stay away, at most 60 s; `None` when nothing usable is said.
///
/// `retry-after-ms` wins, being more exact. A date counts from the response's own `date` header, so no clock is needed
/// and a wrong clock at either end does no harm.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| Some(headers.get(name)?.to_str().ok()?.trim());
    let named = |name: &str| text(name).and_then(|ms| seconds(ms, 1e-3));
    let millis = named("retry-after-ms").or_else(|| named("grpc-retry-pushback-ms"));
    let after = || {
        let value = text("retry-after")?;
        seconds(value, 1.0).or_else(|| {
            let wait = unix_seconds(value)?.saturating_sub(unix_seconds(text("date")?)?);
            Some(Duration::from_secs(u64::try_from(wait).unwrap_or(0)))
        })
    };
    millis.or_else(after).map(|wait| wait.min(LONGEST))
}

fn seconds(text: &str, unit: f64) -> Option<Duration> {
    let count: f64 = text.parse().ok()?;
    if count.is_nan() || count < 0.0 {
        return None;
    }
    Some(Duration::from_secs_f64((count * unit).min(LONGEST.as_secs_f64())))
}

/// Seconds since 1970 of a date such as `Wed, 21 Oct 2026 07:28:00 GMT` (RFC 9110, section 5.6.7, preferred form).
fn unix_seconds(date: &str) -> Option<i64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = date.split_once(", ")?.1.split(' ');
    let day: i64 = words.next()?.parse().ok()?;
    let month_name = words.next()?;
    let month = i64::try_from(MONTHS.iter().position(|month| *month == month_name)?).ok()? + 1;
    let year: i64 = words.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let in_range = (1..=31).contains(&day) && (1970..=9999).contains(&year);
    if words.next() != Some("GMT") || !in_range || !(0..24).contains(&hour) || !(0..60).contains(&minute) {
        return None;
    }
    // Days from the civil calendar, counting years from March so that the leap day comes last.
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * shifted_year + shifted_year / 4 - shifted_year / 100 + shifted_year / 400 + day_of_year
        - 719_468;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &'static str)], want_ms: Option<u64>) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, http::HeaderValue::from_static(value));
        }
        assert_eq!(retry_after(&map), want_ms.map(Duration::from_millis), "{headers:?}");
    }

    #[test]
    fn row_11_seconds_dates_and_milliseconds_are_read_and_clamped() {
        check(&[], None);
        check(&[("retry-after", "3")], Some(3_000));
        check(&[("retry-after", "0")], Some(0));
        check(&[("retry-after", "1.5")], Some(1_500));
        check(&[("retry-after", "86400")], Some(60_000));
        check(&[("retry-after", "1e300")], Some(60_000));
        check(&[("retry-after-ms", "250"), ("retry-after", "3")], Some(250));
        check(&[("retry-after-ms", "soon"), ("retry-after", "3")], Some(3_000));
        let date = ("date", "Tue, 24 Nov 2026 23:59:50 GMT");
        check(&[("retry-after", "Wed, 25 Nov 2026 00:00:05 GMT"), date], Some(15_000));
        check(&[("retry-after", "Tue, 24 Nov 2026 23:00:00 GMT"), date], Some(0));
        check(&[("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT"), date], Some(60_000));
        check(&[("retry-after", "Wed, 25 Nov 2026 00:00:05 GMT")], None);
    }

    #[test]
    fn row_11_garbage_says_nothing() {
        for value in [
            "",
            "-1",
            "NaN",
            "soon",
            "Wed, 99 Foo 2026 00:00:05 GMT",
            "Wed, 25 Nov 2026",
            "Wed, 25 Nov 2026 a:b:c GMT",
        ] {
            check(&[("retry-after", value), ("date", "Tue, 24 Nov 2026 23:59:50 GMT")], None);
        }
    }

    #[test]
    fn dates_count_like_the_calendar() {
        assert_eq!(unix_seconds("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(unix_seconds("Thu, 29 Feb 2024 12:00:00 GMT"), Some(1_709_208_000));
        assert_eq!(unix_seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
    }
}
