//! The interval of a mean score: exact where grades are right or wrong, else normal for many rows and Hoeffding's for
//! few.

use crate::measures;
use sluice_router::clopper_pearson;

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

const NORMAL_ROWS: usize = 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_or_wrong_gets_the_exact_interval() {
        let half = of_mean(&[1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0], 0.95);
        assert!((half.low - 0.1871).abs() < 1e-4 && (half.high - 0.8129).abs() < 1e-4);
        assert_eq!(half.method, "clopper_pearson");
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
