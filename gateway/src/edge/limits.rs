//! How far a key's limits are used up, in the headers of every answer.

use crate::tenants::{Standing, StandingRate};
use http::header::{HeaderMap, HeaderName, HeaderValue};

/// Writes `x-ratelimit-*` for the tightest level; nothing where there is no limit.
pub(crate) fn mark(headers: &mut HeaderMap, standing: Standing) {
    let Standing { requests, tokens } = standing;
    if let Some(rate) = requests {
        write(
            headers,
            rate,
            ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"],
        );
    }
    if let Some(rate) = tokens {
        write(
            headers,
            rate,
            ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"],
        );
    }
}

fn write(headers: &mut HeaderMap, rate: StandingRate, [limit, remaining, reset]: [&'static str; 3]) {
    headers.insert(HeaderName::from_static(limit), HeaderValue::from(rate.limit));
    headers.insert(HeaderName::from_static(remaining), HeaderValue::from(rate.remaining));
    let reset_in = HeaderValue::try_from(duration(rate.reset_ms)).expect("digits and units are ASCII");
    headers.insert(HeaderName::from_static(reset), reset_in);
}

/// As Go writes durations: `17ms`, `1s`, `1.5s`, `6m0s`.
fn duration(ms: u64) -> String {
    let (minutes, ms_of_minute) = (ms / 60_000, ms % 60_000);
    if ms == 0 {
        return "0s".to_owned();
    }
    if ms < 1_000 {
        return format!("{ms}ms");
    }
    let seconds = format!("{}.{:03}", ms_of_minute / 1_000, ms_of_minute % 1_000);
    let seconds = seconds.trim_end_matches('0').trim_end_matches('.');
    if minutes == 0 { format!("{seconds}s") } else { format!("{minutes}m{seconds}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_go_writes_them() {
        let cases = [
            (0, "0s"),
            (17, "17ms"),
            (1_000, "1s"),
            (1_500, "1.5s"),
            (20_000, "20s"),
            (60_000, "1m0s"),
            (360_250, "6m0.25s"),
        ];
        for (ms, text) in cases {
            assert_eq!(duration(ms), text);
        }
    }
}
