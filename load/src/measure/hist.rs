//! A histogram of times: nanoseconds in, milliseconds out, mergeable, bounded in memory.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Serialize};
use std::fmt;

/// HDR histogram of nanoseconds. Values are kept to a share of themselves (3 digits: 0.1 %, 2 digits: 1 %), below
/// that to half a microsecond, however long the run: about 100 KB for a range up to a minute.
#[derive(Clone)]
pub struct Hist(Histogram<u64>);

impl Hist {
    /// One that keeps `digits` significant decimal digits, 1 to 5.
    pub fn new(digits: u8) -> Hist {
        let mut counts = Histogram::new_with_bounds(LOWEST_NS, 2 * LOWEST_NS, digits)
            .expect("the bounds are constants, and digits are written in this crate");
        counts.auto(true);
        Hist(counts)
    }

    /// Adds one time.
    pub fn record(&mut self, ns: u64) {
        // Beyond the bound is beyond every timeout; it also keeps the histogram's own size bounded.
        self.0.record(ns.min(HIGHEST_NS)).expect("it grows up to the bound");
    }

    /// Adds all of another's times.
    pub fn merge(&mut self, other: &Hist) {
        self.0.add(&other.0).expect("both are of the same kind, and grow as needed");
    }

    /// How many times it holds.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The smallest time that at least the share `q` of all times doesn't exceed (nearest rank), in milliseconds.
    pub fn quantile_ms(&self, q: f64) -> Option<f64> {
        (!self.0.is_empty()).then(|| self.middle_ms(self.0.value_at_quantile(q)))
    }

    /// Mean in milliseconds.
    pub fn mean_ms(&self) -> Option<f64> {
        (!self.0.is_empty()).then(|| self.0.mean() / 1e6)
    }

    /// The longest time in milliseconds.
    pub fn max_ms(&self) -> Option<f64> {
        (!self.0.is_empty()).then(|| self.middle_ms(self.0.max()))
    }

    /// Whether the quantile is at most `limit_ms`, as far as the histogram can tell them apart.
    pub fn holds(&self, q: f64, limit_ms: f64) -> bool {
        self.0.lowest_equivalent(self.0.value_at_quantile(q)) <= ns(limit_ms)
    }

    /// How many times are above `limit_ms`, as far as the histogram can tell them apart.
    pub fn above(&self, limit_ms: f64) -> u64 {
        let limit = ns(limit_ms);
        self.0
            .iter_recorded()
            .filter(|row| self.0.lowest_equivalent(row.value_iterated_to()) > limit)
            .map(count)
            .sum()
    }

    /// Every distinct time in milliseconds with its count, from short to long.
    pub fn rows(&self) -> impl Iterator<Item = (f64, u64)> {
        self.0.iter_recorded().map(|row| (self.middle_ms(row.value_iterated_to()), count(row)))
    }

    /// The middle of the bucket, which halves the error of its upper end.
    fn middle_ms(&self, value: u64) -> f64 {
        self.0.median_equivalent(value) as f64 / 1e6
    }
}

/// The same times; how much room each has for more doesn't matter.
impl PartialEq for Hist {
    fn eq(&self, other: &Hist) -> bool {
        self.0.sigfig() == other.0.sigfig() && self.rows().eq(other.rows())
    }
}

/// Short: its thousands of counts would hide everything around them.
impl fmt::Debug for Hist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hist({} times, {:?} to {:?} ms)", self.count(), self.quantile_ms(0.0), self.max_ms())
    }
}

fn ns(ms: f64) -> u64 {
    (ms.max(0.0) * 1e6) as u64
}

fn count(row: hdrhistogram::iterators::IterationValue<u64>) -> u64 {
    row.count_at_value()
}

/// Times below are told apart by this much.
const LOWEST_NS: u64 = 512;
/// One day.
const HIGHEST_NS: u64 = 86_400_000_000_000;

/// The standard text form of HDR histograms (V2, deflate, base64), which other tools read too.
impl Serialize for Hist {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&self.0, &mut bytes).map_err(S::Error::custom)?;
        to.serialize_str(&STANDARD.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Hist {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Hist, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = STANDARD.decode(text).map_err(D::Error::custom)?;
        let read = Deserializer::new().deserialize(&mut bytes.as_slice());
        let mut counts: Histogram<u64> = read.map_err(|error| D::Error::custom(format!("{error:?}")))?;
        if counts.low() != LOWEST_NS {
            return Err(D::Error::custom("a histogram of another unit"));
        }
        counts.auto(true);
        Ok(Hist(counts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(times_ms: impl IntoIterator<Item = u64>) -> Hist {
        let mut hist = Hist::new(3);
        times_ms.into_iter().for_each(|ms| hist.record(ms * 1_000_000));
        hist
    }

    #[test]
    fn quantiles_are_nearest_ranks_within_a_thousandth() {
        let hist = of(1..=1000);
        for (q, should) in [(0.5, 500.0), (0.9, 900.0), (0.99, 990.0), (0.999, 999.0), (1.0, 1000.0)] {
            let is = hist.quantile_ms(q).unwrap_or_default();
            assert!((is / should - 1.0).abs() < 0.001, "{q}: {is} not {should}");
        }
        assert_eq!(hist.above(990.5), 10);
        assert_eq!(hist.rows().map(|(_, count)| count).sum::<u64>(), 1000);
        assert_eq!(Hist::new(3).quantile_ms(0.5), None);
    }

    #[test]
    fn short_times_are_told_apart_to_half_a_microsecond() {
        let mut hist = Hist::new(3);
        hist.record(12_000);
        let is = hist.quantile_ms(0.5).unwrap_or_default();
        assert!((is - 0.012).abs() < 0.0006, "{is}");
    }

    #[test]
    fn merging_is_adding_and_the_text_form_gives_the_same_back() {
        let (mut low, high, all) = (of(1..=50), of(51..=9000), of(1..=9000));
        low.merge(&high);
        assert_eq!(low, all);
        let text = serde_json::to_string(&all).unwrap();
        assert!(text.starts_with("\"HISTFAAAA"), "{text}");
        let mut back: Hist = serde_json::from_str(&text).unwrap();
        assert_eq!(back, all);
        back.record(HIGHEST_NS * 2);
        assert_eq!(
            back.max_ms().unwrap_or_default().round(),
            back.quantile_ms(1.0).unwrap_or_default().round()
        );
        assert!(serde_json::from_str::<Hist>("\"AAAA\"").is_err());
    }
}
