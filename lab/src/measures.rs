//! Measures of predictions and of routing: Brier, ECE, AUC, APGR, CPT, intervals.

use sluice_router::{Moments, normal_quantile};

/// Mean squared error of predicted scores.
pub fn brier(predicted: &[f64], scores: &[f64]) -> f64 {
    let squares = predicted.iter().zip(scores).map(|(p, s)| (p - s) * (p - s));
    squares.sum::<f64>() / predicted.len().max(1) as f64
}

/// Expected calibration error: mean |mean predicted - mean score| over 15 bins of equal mass by prediction.
pub fn ece(predicted: &[f64], scores: &[f64]) -> f64 {
    let mut pairs: Vec<(f64, f64)> = predicted.iter().copied().zip(scores.iter().copied()).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let n = pairs.len();
    let bin = |at: usize| {
        let bin = &pairs[at * n / ECE_BINS..(at + 1) * n / ECE_BINS];
        bin.iter().map(|(p, s)| p - s).sum::<f64>().abs()
    };
    (0..ECE_BINS).map(bin).sum::<f64>() / n.max(1) as f64
}

/// Area under the ROC curve of "score above 0.5", ties counted half; 0.5 when all scores are alike.
pub fn auc(predicted: &[f64], scores: &[f64]) -> f64 {
    let mut pairs: Vec<(f64, bool)> =
        predicted.iter().copied().zip(scores.iter().map(|&score| score > 0.5)).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let right = pairs.iter().filter(|(_, right)| *right).count() as f64;
    let wrong = pairs.len() as f64 - right;
    if right == 0.0 || wrong == 0.0 {
        return 0.5;
    }
    let (mut below, mut area) = (0.0, 0.0);
    for tied in pairs.chunk_by(|a, b| a.0 == b.0) {
        let here = tied.iter().filter(|(_, right)| *right).count() as f64;
        let missed = tied.len() as f64 - here;
        area += here * (below + missed / 2.0);
        below += missed;
    }
    area / (right * wrong)
}

/// How well a pair is ranked: what calling the strong one for a share of the prompts recovers of its lead.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairCurve {
    /// Mean share of the performance gap recovered, over all shares of strong calls; a random order gives 0.5.
    pub apgr: f64,
    /// Least share of strong calls, in percent, that recovers 50 % of the gap; `None` without a gap.
    pub cpt50: Option<f64>,
    /// The same for 80 %.
    pub cpt80: Option<f64>,
}

/// The curve of a pair: `gains` ranks the prompts by predicted gain of the strong one, highest first.
///
/// Source: RouteLLM (arXiv 2406.18665), APGR and CPT; the area by the trapezoid rule over every row.
pub fn pair_curve(gains: &[f64], strong: &[f64], weak: &[f64]) -> PairCurve {
    let n = gains.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| gains[b].total_cmp(&gains[a]).then(a.cmp(&b)));
    let gap: f64 = strong.iter().sum::<f64>() - weak.iter().sum::<f64>();
    if n == 0 || gap <= 0.0 {
        return PairCurve { apgr: 0.0, cpt50: None, cpt80: None };
    }
    let (mut recovered, mut area) = (0.0, 0.0);
    let (mut cpt50, mut cpt80) = (None, None);
    for (calls, row) in order.into_iter().enumerate() {
        let before = recovered;
        recovered += (strong[row] - weak[row]) / gap;
        area += f64::midpoint(before, recovered);
        let share = 100.0 * (calls + 1) as f64 / n as f64;
        if recovered >= 0.5 {
            cpt50.get_or_insert(share);
        }
        if recovered >= 0.8 {
            cpt80.get_or_insert(share);
        }
    }
    PairCurve { apgr: area / n as f64, cpt50, cpt80 }
}

/// The mean of some values with its confidence interval by the normal approximation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanCi {
    /// The mean.
    pub mean: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Standard error of the mean.
    pub standard_error: f64,
}

/// Mean and two-sided interval at `confidence`, for instance of paired differences.
pub fn mean_ci(values: &[f64], confidence: f64) -> MeanCi {
    let moments = Moments::of(values.iter().copied());
    let standard_error = moments.standard_error();
    let reach = normal_quantile(f64::midpoint(1.0, confidence)) * standard_error;
    MeanCi { mean: moments.mean, low: moments.mean - reach, high: moments.mean + reach, standard_error }
}

const ECE_BINS: usize = 15;

#[cfg(test)]
mod tests {
    use super::*;

    fn close(is: f64, should: f64) {
        assert!((is - should).abs() < 1e-9, "{is} not {should}");
    }

    #[test]
    fn measures_are_those_computed_by_hand() {
        close(brier(&[0.5, 1.0], &[1.0, 1.0]), 0.125);
        close(auc(&[0.1, 0.4, 0.35, 0.8], &[0.0, 0.0, 1.0, 1.0]), 0.75);
        close(auc(&[0.5, 0.5], &[0.0, 1.0]), 0.5);
        close(auc(&[0.5, 0.6], &[1.0, 1.0]), 0.5);
        close(ece(&[0.7; 30], &[1.0; 30]), 0.3);
        let alternate: Vec<f64> = (0..300).map(|at| f64::from(at % 2)).collect();
        close(ece(&[0.5; 300], &alternate), 0.0);
        close(ece(&[], &[]), 0.0);
    }

    #[test]
    fn a_perfect_order_recovers_the_gap_first() {
        // Four prompts, the strong one is better on two of them.
        let (strong, weak) = ([1.0, 1.0, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0]);
        let perfect = pair_curve(&[1.0, 0.0, 0.9, 0.0], &strong, &weak);
        close(perfect.apgr, (0.25 + 0.75 + 1.0 + 1.0) / 4.0);
        assert_eq!((perfect.cpt50, perfect.cpt80), (Some(25.0), Some(50.0)));
        let worst = pair_curve(&[0.0, 1.0, 0.1, 0.9], &strong, &weak);
        close(worst.apgr, 1.0 - perfect.apgr);
        assert_eq!(pair_curve(&[1.0], &[0.0], &[1.0]).cpt50, None);
    }

    #[test]
    fn intervals_have_the_known_width() {
        let values: Vec<f64> = (0..10_000).map(|at| f64::from(at % 2)).collect();
        let ci = mean_ci(&values, 0.95);
        close(ci.mean, 0.5);
        assert!((ci.high - ci.low - 2.0 * 1.959964 * 0.005).abs() < 1e-5);
    }
}
