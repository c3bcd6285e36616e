//! Over which time a budget is: calendar spans in UTC.

use serde::{Deserialize, Serialize};

/// How often a budget begins anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// At midnight.
    Day,
    /// On Mondays.
    Week,
    /// On the first.
    #[default]
    Month,
    /// Never: it is for all time.
    Ever,
}

/// One period of a budget, in milliseconds since 1970, UTC; the end is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// When it begins.
    pub begin_ms: i64,
    /// When the next one does; `i64::MAX` for [`Period::Ever`].
    pub end_ms: i64,
}

impl Span {
    /// The day on which the next one begins, as in `2026-12-01`; `None` when none does.
    pub fn ends_on(&self) -> Option<String> {
        let day = self.end_ms.div_euclid(DAY_MS);
        let (year, month) = year_and_month(day);
        let of_month = day - first_of(year, month) + 1;
        (self.end_ms < i64::MAX).then(|| format!("{year:04}-{month:02}-{of_month:02}"))
    }
}

impl Period {
    /// The period that a moment is in.
    pub fn span(self, unix_ms: i64) -> Span {
        let day = unix_ms.div_euclid(DAY_MS);
        let days = |begin: i64, end: i64| Span {
            begin_ms: begin.saturating_mul(DAY_MS),
            end_ms: end.saturating_mul(DAY_MS),
        };
        match self {
            Period::Day => days(day, day + 1),
            Period::Week => {
                // 1970 began on a Thursday.
                let monday = day - (day + 3).rem_euclid(7);
                days(monday, monday + 7)
            }
            Period::Month => {
                let (year, month) = year_and_month(day);
                let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
                days(first_of(year, month), first_of(next.0, next.1))
            }
            Period::Ever => Span { begin_ms: 0, end_ms: i64::MAX },
        }
    }

    /// As written in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Period::Day => "day",
            Period::Week => "week",
            Period::Month => "month",
            Period::Ever => "ever",
        }
    }
}

/// Days from 1970-01-01 to the first of a month of the Gregorian calendar.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
fn first_of(year: i64, month: i64) -> i64 {
    // Years that begin in March, so that the leap day is the last of its year.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year and month of a day, counted from 1970-01-01; `civil_from_days` of the same source.
fn year_and_month(day: i64) -> (i64, i64) {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month)
}

const DAY_MS: i64 = 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_follow_the_calendar() {
        let noon = 1_709_208_000_000; // 2024-02-29T12:00:00Z, a Thursday
        assert_eq!(Period::Day.span(noon), Span { begin_ms: 1_709_164_800_000, end_ms: 1_709_251_200_000 });
        assert_eq!(Period::Week.span(noon), Span { begin_ms: 1_708_905_600_000, end_ms: 1_709_510_400_000 });
        assert_eq!(Period::Month.span(noon), Span { begin_ms: 1_706_745_600_000, end_ms: 1_709_251_200_000 });
        assert_eq!(Period::Month.span(noon).ends_on().as_deref(), Some("2024-03-01"));
        assert_eq!(Period::Week.span(noon).ends_on().as_deref(), Some("2024-03-04"));
        assert_eq!(Period::Ever.span(noon).ends_on(), None);
        assert_eq!(Period::Month.span(-1), Span { begin_ms: -2_678_400_000, end_ms: 0 });
    }

    #[test]
    fn an_absurd_clock_has_a_period_too() {
        for period in [Period::Day, Period::Week, Period::Month, Period::Ever] {
            assert!(period.span(i64::MAX).end_ms == i64::MAX && period.span(i64::MIN).begin_ms <= 0);
        }
    }

    #[test]
    fn periods_are_without_gaps() {
        for period in [Period::Day, Period::Week, Period::Month] {
            let mut at = period.span(0).begin_ms;
            for _ in 0..600 {
                let span = period.span(at);
                assert_eq!((span.begin_ms, period.span(span.end_ms - 1)), (at, span));
                at = span.end_ms;
            }
        }
    }
}
