//! How much work a replica was sent lately, over short times and over long ones.

use crate::fleet::RATES_OVER_MS;
use crate::time::Tick;

/// Sums that fade, one for each of [`RATES_OVER_MS`].
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lately {
    at: Tick,
    sums: [f64; RATES_OVER_MS.len()],
}

impl Lately {
    pub(super) fn add(&mut self, tokens: f64, now: Tick) {
        *self = Lately { sums: self.sums(now).map(|sum| sum + tokens), at: self.at.max(now) };
    }

    /// Tokens a second.
    pub(super) fn rates(&self, now: Tick) -> [f64; RATES_OVER_MS.len()] {
        let mut rates = self.sums(now);
        for (rate, over_ms) in rates.iter_mut().zip(RATES_OVER_MS) {
            *rate *= 1e3 / over_ms;
        }
        rates
    }

    fn sums(&self, now: Tick) -> [f64; RATES_OVER_MS.len()] {
        let mut sums = self.sums;
        for (sum, over_ms) in sums.iter_mut().zip(RATES_OVER_MS) {
            *sum *= libm::exp(-now.since_ms(self.at) / over_ms);
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_flow_is_seen_by_all_and_a_sudden_one_first_by_the_shortest() {
        let mut lately = Lately::default();
        let at = |ms| Tick(0).plus_ms(ms);
        for n in 0..1_000 {
            lately.add(50.0, at(n * 100));
        }
        let steady = lately.rates(at(100_000));
        assert!(steady.iter().all(|rate| (rate / 500.0 - 1.0).abs() < 0.1), "{steady:?}");
        for n in 0..10 {
            lately.add(500.0, at(100_000 + n * 100));
        }
        let sudden = lately.rates(at(101_000));
        assert!(sudden.is_sorted_by(|a, b| a > b) && sudden[0] > 3_000.0, "{sudden:?}");
        assert!(lately.rates(at(400_000)).iter().all(|rate| *rate < 1.0));
    }
}
