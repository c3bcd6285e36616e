//! The figures that an SLO or a gate may name, each with its unit.

use crate::measure::summary::Summary;
use crate::measure::tally::Tally;
use std::fmt;

/// Which time of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Time {
    /// To the first token.
    Ttft,
    /// Per token after the first.
    Tpot,
    /// To the end.
    E2e,
    /// Between one text event and the next.
    Itl,
}

/// One figure of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Figure {
    /// A percentile of a time: `ttft_p99`. The share is between 0 and 1.
    Percentile(Time, f64),
    /// One of the others, by its place in their table.
    Plain(usize),
}

/// What a figure is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds.
    Ms,
    /// A share of 1, written with or without %.
    Share,
    /// Percent: `20` and `20%` are the same.
    Percent,
    /// US dollars.
    Usd,
    /// Per second.
    PerSecond,
    /// No unit.
    Plain,
}

/// A figure that isn't a percentile.
pub(crate) struct Row {
    /// As it is written.
    pub(crate) name: &'static str,
    /// Its unit.
    pub(crate) unit: Unit,
    value: fn(&Summary) -> Option<f64>,
}

/// Every figure that isn't a percentile of a time.
pub(crate) const PLAIN: &[Row] = &[
    Row { name: "cost_per_1k", unit: Unit::Usd, value: |s| s.cost_per_1k },
    Row { name: "error_rate", unit: Unit::Share, value: |s| s.error_rate },
    Row { name: "goodput_rps", unit: Unit::PerSecond, value: |s| s.goodput_rps },
    Row { name: "rate_rps", unit: Unit::PerSecond, value: |s| s.rate_rps },
    Row { name: "quality", unit: Unit::Share, value: |s| s.quality },
    Row { name: "quality_ratio", unit: Unit::Share, value: |s| s.quality_ratio },
    Row { name: "saved_pct", unit: Unit::Percent, value: |s| s.saved_pct },
    Row { name: "fairness", unit: Unit::Plain, value: |s| s.fairness.as_ref().map(|f| f.jain) },
];

const TIMES: &[(&str, Time)] =
    &[("ttft", Time::Ttft), ("tpot", Time::Tpot), ("e2e", Time::E2e), ("itl", Time::Itl)];

impl Figure {
    /// The figure that `name` stands for.
    pub fn named(name: &str) -> Option<Figure> {
        if let Some(at) = PLAIN.iter().position(|row| row.name == name) {
            return Some(Figure::Plain(at));
        }
        let (time, percentile) = name.split_once("_p")?;
        let time = TIMES.iter().find(|(word, _)| *word == time)?.1;
        let is_number = percentile.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let percentile: f64 = percentile.parse().ok().filter(|_| is_number)?;
        ((1.0..=99.99).contains(&percentile)).then(|| Figure::Percentile(time, percentile / 100.0))
    }

    /// What may be named, for messages.
    pub fn known() -> String {
        let plain: Vec<&str> = PLAIN.iter().map(|row| row.name).collect();
        format!("ttft_p50 to ttft_p99.9, tpot_p.., e2e_p.., itl_p.., {}", plain.join(", "))
    }

    /// Its unit.
    pub fn unit(self) -> Unit {
        match self {
            Figure::Percentile(..) => Unit::Ms,
            Figure::Plain(at) => PLAIN[at].unit,
        }
    }

    /// Its value in a run; `None` when the run doesn't know it.
    pub fn value(self, tally: &Tally, summary: &Summary) -> Option<f64> {
        match self {
            Figure::Percentile(time, q) => tally.times(time).quantile_ms(q),
            Figure::Plain(at) => (PLAIN[at].value)(summary),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Figure::Percentile(time, q) => {
                let word = TIMES.iter().find(|(_, row)| row == time).map_or("", |(word, _)| word);
                // The share comes from a percentile with at most two decimals.
                write!(f, "{word}_p{}", (q * 1e4).round() / 100.0)
            }
            Figure::Plain(at) => f.write_str(PLAIN[*at].name),
        }
    }
}

impl Unit {
    /// A number as written with this unit, as a number in it.
    ///
    /// # Errors
    /// What is wrong with the text, and what would be right.
    pub fn read(self, text: &str) -> Result<f64, String> {
        let text = if self == Unit::Usd { text.trim_start_matches('$') } else { text };
        let end = text.find(|c: char| !(c.is_ascii_digit() || "+-.e".contains(c))).unwrap_or(text.len());
        // "5e" of "5e2e" is no number, but then neither is anything else of it.
        let (number, unit) = text.split_at(end);
        let number: f64 =
            number.parse().map_err(|_| format!("{text:?} is not a number{}", self.example()))?;
        let factor = match (self, unit.trim()) {
            (Unit::Ms, "us") => 1e-3,
            (Unit::Ms, "ms") | (Unit::Percent, "" | "%") | (Unit::Usd, "" | "USD" | "usd") => 1.0,
            (Unit::Ms, "s") => 1e3,
            (Unit::Share, "%") => 0.01,
            (Unit::Share | Unit::PerSecond | Unit::Plain, "") | (Unit::PerSecond, "rps" | "/s") => 1.0,
            (Unit::Ms, "") => return Err(format!("{text:?} has no unit{}", self.example())),
            (_, other) => return Err(format!("{other:?} is no unit of this figure{}", self.example())),
        };
        Ok(number * factor)
    }

    fn example(self) -> &'static str {
        match self {
            Unit::Ms => "; write 500us, 20ms or 1.5s",
            Unit::Share => "; write 0.01 or 1%",
            Unit::Percent => "; write 20 or 20%",
            Unit::Usd | Unit::PerSecond | Unit::Plain => "; write a number such as 0.5",
        }
    }

    /// A value in this unit as people read it.
    pub fn show(self, value: f64) -> String {
        match self {
            Unit::Ms => crate::report::text::ms(value),
            Unit::Share => format!("{}%", crate::report::text::digits(value * 100.0)),
            Unit::Percent => format!("{}%", crate::report::text::digits(value)),
            Unit::Usd => format!("${}", crate::report::text::digits(value)),
            Unit::PerSecond => format!("{}/s", crate::report::text::digits(value)),
            Unit::Plain => crate::report::text::digits(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written_alike() {
        for name in ["ttft_p50", "tpot_p99.9", "e2e_p95", "itl_p99", "cost_per_1k", "fairness"] {
            assert_eq!(Figure::named(name).map(|figure| figure.to_string()).as_deref(), Some(name));
        }
        for name in ["ttft", "ttft_p", "ttft_p100", "ttft_p0", "ttft_p-1", "ttft_pnan", "x_p50", "cost", ""] {
            assert_eq!(Figure::named(name), None, "{name}");
        }
    }

    #[test]
    fn units_are_converted_and_missing_ones_asked_for() {
        for (unit, text, value) in [
            (Unit::Ms, "500us", 0.5),
            (Unit::Ms, "20ms", 20.0),
            (Unit::Ms, "1.5s", 1500.0),
            (Unit::Share, "0.1%", 0.001),
            (Unit::Share, "0.02", 0.02),
            (Unit::Percent, "20%", 20.0),
            (Unit::Usd, "0.5", 0.5),
        ] {
            let read = unit.read(text).unwrap_or(f64::NAN);
            assert!((read - value).abs() < 1e-12, "{text}: {read}");
        }
        for (unit, text) in [(Unit::Ms, "500"), (Unit::Ms, "5m"), (Unit::Usd, "1ms"), (Unit::Plain, "x")] {
            assert!(unit.read(text).is_err_and(|error| error.contains("write")), "{text}");
        }
    }
}
