//! Confidence intervals: of a mean, of a quantile, and how much the samples of one run depend on each other.

use serde::{Deserialize, Serialize};
use sluice_router::normal_quantile;

/// How sure every interval of a report is.
pub const CONFIDENCE: f64 = 0.95;

/// A lower and an upper end; `None` where the sample is too small to tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Interval(pub Option<f64>, pub Option<f64>);

impl Interval {
    /// `estimate` plus and minus `quantile` standard errors.
    pub fn around(estimate: f64, standard_error: f64, quantile: f64) -> Interval {
        Interval(Some(estimate - quantile * standard_error), Some(estimate + quantile * standard_error))
    }

    /// Of a mean or a ratio of means over `n` values.
    pub fn of_mean(estimate: Option<f64>, standard_error: Option<f64>, n: u64) -> Option<Interval> {
        let (estimate, error) = (estimate?, standard_error?);
        Some(Interval::around(estimate, error, t_quantile(upper(), n.saturating_sub(1) as f64)))
    }

    /// The standard error that a two-sided interval stands for; `None` where an end is missing.
    pub fn standard_error(&self) -> Option<f64> {
        Some((self.1? - self.0?) / (2.0 * normal_quantile(upper())))
    }
}

/// The probability of the upper end.
fn upper() -> f64 {
    f64::midpoint(1.0, CONFIDENCE)
}

/// Quantile of Student's t; at least 4 degrees of freedom, error below 1 %.
///
/// Source: Cornish-Fisher expansion around the normal quantile, Abramowitz and Stegun 26.7.5.
pub(crate) fn t_quantile(p: f64, degrees: f64) -> f64 {
    let z = normal_quantile(p);
    let d = degrees.max(1.0);
    let (z3, z5, z7) = (z.powi(3), z.powi(5), z.powi(7));
    z + (z3 + z) / (4.0 * d)
        + (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * d.powi(2))
        + (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * z) / (384.0 * d.powi(3))
}

/// The shares of the sorted sample between which the true `q`-quantile lies, with [`CONFIDENCE`], whatever the
/// distribution: order statistics, by the binomial count of values below it. `None` where the sample has no such value.
pub(crate) fn quantile_shares(n: f64, q: f64) -> Interval {
    let n = n.floor();
    if n < 1.0 {
        return Interval(None, None);
    }
    let tail = 1.0 - upper();
    // A rank k stands for the share in its middle, so that rounding can't move it to its neighbour.
    let share = |rank: f64| (rank - 0.5) / n;
    let low = last_below(n, q, tail);
    // The upper rank is the lower one of the mirrored sample.
    let high = last_below(n, 1.0 - q, tail).map(|rank| n + 1.0 - rank);
    Interval(low.map(share), high.map(share))
}

/// The largest rank k >= 1 with P(Binomial(n, q) < k) <= tail.
fn last_below(n: f64, q: f64, tail: f64) -> Option<f64> {
    let (mean, deviation) = (n * q, libm::sqrt(n * q * (1.0 - q)));
    if deviation > EXACT_BELOW {
        let rank = (mean + normal_quantile(tail) * deviation).floor();
        return (rank >= 1.0).then_some(rank);
    }
    let mut below = 0.0;
    // What lies ten deviations below the mean doesn't count.
    let mut k = (mean - 10.0 * deviation - 10.0).floor().max(0.0);
    while k <= n && below + binomial(n, q, k) <= tail {
        below += binomial(n, q, k);
        k += 1.0;
    }
    (k >= 1.0).then_some(k)
}

/// Deviations of the binomial up to which its probabilities are summed; beyond, the normal one is as good.
const EXACT_BELOW: f64 = 30.0;

fn binomial(n: f64, q: f64, k: f64) -> f64 {
    let choose = libm::lgamma(n + 1.0) - libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0);
    libm::exp(choose + k * libm::log(q) + (n - k) * libm::log1p(-q))
}

/// By how much the variance of a share exceeds that of independent samples, at least 1. `batches` are stretches of the
/// run: how many samples, and how many of them were above the quantile.
///
/// A queue makes neighbours alike: a thousand requests in one jam say less than a thousand independent ones. Intervals
/// of percentiles count n over this.
pub(crate) fn design_effect(batches: &[(u64, u64)]) -> f64 {
    let batches: Vec<(f64, f64)> =
        batches.iter().filter(|(n, _)| *n > 0).map(|(n, above)| (*n as f64, *above as f64)).collect();
    let all: f64 = batches.iter().map(|(n, _)| n).sum();
    let share = batches.iter().map(|(_, above)| above).sum::<f64>() / all;
    let expected: f64 = batches.iter().map(|(n, _)| n * share * (1.0 - share)).sum();
    if batches.len() < FEWEST_BATCHES || expected <= 0.0 {
        return 1.0;
    }
    let seen: f64 = batches.iter().map(|(n, above)| (above - n * share).powi(2)).sum();
    let count = batches.len() as f64;
    (seen / expected * count / (count - 1.0)).max(1.0)
}

/// Fewer stretches tell nothing of how they differ.
pub(crate) const FEWEST_BATCHES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_the_tables() {
        // Conover, Practical Nonparametric Statistics: median of 10 at 95 %: the 2nd and the 9th.
        let Interval(low, high) = quantile_shares(10.0, 0.5);
        assert_eq!((low.map(|s| s * 10.0 + 0.5), high.map(|s| s * 10.0 + 0.5)), (Some(2.0), Some(9.0)));
        // The median of 100: the 40th and the 61st.
        let Interval(low, high) = quantile_shares(100.0, 0.5);
        let rank = |share: Option<f64>| (share.unwrap_or_default() * 100.0 + 0.5).round();
        assert_eq!((rank(low), rank(high)), (40.0, 61.0));
        // 100 samples have no upper end for p99, and 5 none for the median.
        assert_eq!(quantile_shares(100.0, 0.99).1, None);
        assert_eq!(quantile_shares(5.0, 0.5), Interval(None, None));
        assert_eq!(quantile_shares(0.0, 0.5), Interval(None, None));
    }

    #[test]
    fn exact_and_normal_ranks_meet() {
        for q in [0.5, 0.9, 0.99] {
            let n = (EXACT_BELOW + 0.1).powi(2) / (q * (1.0 - q));
            let (exact, normal) = (quantile_shares(n * 0.99, q), quantile_shares(n, q));
            let differ = |a: Option<f64>, b: Option<f64>| {
                (a.unwrap_or_default() - b.unwrap_or_default()).abs() / (1.0 - q)
            };
            assert!(
                differ(exact.0, normal.0) < 0.01 && differ(exact.1, normal.1) < 0.01,
                "{exact:?} {normal:?}"
            );
        }
    }

    #[test]
    fn t_is_that_of_the_tables() {
        for (degrees, should) in [(5.0, 2.5706), (10.0, 2.2281), (19.0, 2.0930), (100.0, 1.9840)] {
            let is = t_quantile(0.975, degrees);
            assert!((is / should - 1.0).abs() < 0.002, "{degrees}: {is} not {should}");
        }
    }

    #[test]
    fn a_jam_counts_as_few_samples_and_independent_ones_as_themselves() {
        let jam: Vec<(u64, u64)> = (0..20).map(|at| (100, if at == 7 { 20 } else { 0 })).collect();
        assert!(design_effect(&jam) > 15.0);
        let even: Vec<(u64, u64)> = (0..20).map(|_| (100, 1)).collect();
        assert_eq!(design_effect(&even), 1.0);
        assert_eq!(design_effect(&[(100, 100), (100, 0)]), 1.0, "too few stretches");
    }
}
