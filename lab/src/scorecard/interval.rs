//! The interval of a mean score: exact where grades are right or wrong, else normal for many rows and Hoeffding's for
//! few.

use crate::measures;

pub(super) struct Interval {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) method: &'static str,
}

/// The two-sided interval of the mean of `scores`, which are 0 to 1.
pub(super) fn of_mean(scores: &[f64], confidence: f64) -> Interval {
    let n = scores.len();
    if scores.iter().all(|&score| score == 0.0 || score == 1.0) {
        let right = scores.iter().filter(|&&score| score == 1.0).count();
        let (low, high) = clopper_pearson(right, n, confidence);
        return Interval { low, high, method: "clopper_pearson" };
    }
    if n < NORMAL_ROWS {
        let reach = libm::sqrt(libm::log(2.0 / (1.0 - confidence)) / (2 * n) as f64);
        let mean = scores.iter().sum::<f64>() / n as f64;
        return Interval { low: (mean - reach).max(0.0), high: (mean + reach).min(1.0), method: "hoeffding" };
    }
    let ci = measures::mean_ci(scores, confidence);
    Interval { low: ci.low.max(0.0), high: ci.high.min(1.0), method: "normal" }
}

/// The exact two-sided interval of a share; (0, 1) without tries.
///
/// Source: Clopper and Pearson (1934), each tail with half of what is not covered.
pub(super) fn clopper_pearson(successes: usize, n: usize, confidence: f64) -> (f64, f64) {
    let tail = (1.0 - confidence) / 2.0;
    let low = |share: &f64| successes == 0 || 1.0 - at_most(successes - 1, n, *share) > tail;
    let high = |share: &f64| successes < n && at_most(successes, n, *share) < tail;
    (first(low), if successes < n { first(high) } else { 1.0 })
}

/// The first share for which a claim holds, that holds for all larger ones.
fn first(holds: impl Fn(&f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    if holds(&low) {
        return low;
    }
    while high - low > 1e-9 {
        let middle = f64::midpoint(low, high);
        if holds(&middle) { high = middle } else { low = middle }
    }
    high
}

/// The probability of at most `successes` in `n` tries.
fn at_most(successes: usize, n: usize, share: f64) -> f64 {
    if share <= 0.0 || successes >= n {
        return 1.0;
    }
    if share >= 1.0 {
        return 0.0;
    }
    let (n, mut k) = (n as f64, successes as f64);
    let choose = libm::lgamma(n + 1.0) - libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0);
    let mut term = libm::exp(choose + k * libm::log(share) + (n - k) * libm::log1p(-share));
    let mut sum = term;
    // Downwards; terms rise until the mode and are nothing soon below it.
    while k >= 1.0 && (term > 1e-18 || k > n * share) {
        term *= k / (n - k + 1.0) * (1.0 - share) / share;
        sum += term;
        k -= 1.0;
    }
    sum.min(1.0)
}

const NORMAL_ROWS: usize = 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_intervals_are_those_of_the_tables() {
        for ((right, n), (low, high)) in [
            ((0, 10), (0.0, 0.3085)),
            ((10, 10), (0.6915, 1.0)),
            ((5, 10), (0.1871, 0.8129)),
            ((81, 263), (0.2527, 0.3676)),
        ] {
            let found = clopper_pearson(right, n, 0.95);
            assert!(
                (found.0 - low).abs() < 1e-4 && (found.1 - high).abs() < 1e-4,
                "{right} of {n}: {found:?}"
            );
        }
        assert_eq!(clopper_pearson(0, 0, 0.95), (0.0, 1.0));
    }

    #[test]
    fn few_graded_in_between_get_a_wide_interval_and_many_a_narrow_one() {
        let few = of_mean(&[0.5; 4], 0.95);
        assert!(few.method == "hoeffding" && few.low == 0.0 && few.high == 1.0);
        let many: Vec<f64> = (0..400).map(|at| f64::from(at % 3) / 2.0).collect();
        let many = of_mean(&many, 0.95);
        assert!(many.method == "normal" && many.high - many.low < 0.09);
    }
}
