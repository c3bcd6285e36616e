//! Ranks that say what the rows can't tell: a range where experts are too close to call.

use crate::measures;
use sluice_router::clopper_pearson;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    /// By mean score; equal means share a place.
    pub(super) place: usize,
    pub(super) best: usize,
    pub(super) worst: usize,
}

/// The range of each expert, given everybody's scores on the same rows.
///
/// Two experts are told apart by their paired differences. An expert is compared with all others, so each comparison
/// takes its part of what may go wrong (Bonferroni): an expert's range as a whole holds with `confidence`.
pub(super) fn ranges(scores: &[Vec<f64>], confidence: f64) -> Vec<Range> {
    let width = scores.len();
    let each = 1.0 - (1.0 - confidence) / (width.max(2) - 1) as f64;
    let means: Vec<f64> = scores.iter().map(|scores| scores.iter().sum()).collect();
    let range = |at: usize| {
        let others = || (0..width).filter(|&other| other != at);
        let better = others().filter(|&other| is_better(&scores[other], &scores[at], each)).count();
        let worse = others().filter(|&other| is_better(&scores[at], &scores[other], each)).count();
        let ahead = others().filter(|&other| means[other] > means[at] + EQUAL).count();
        Range { place: 1 + ahead, best: 1 + better, worst: width - worse }
    };
    (0..width).map(range).collect()
}

/// Whether the rows show that one has the higher mean: by the exact sign test (McNemar's) where all grades are right or
/// wrong, else by the paired normal interval from 30 rows on.
fn is_better(one: &[f64], other: &[f64], confidence: f64) -> bool {
    let differences: Vec<f64> = one.iter().zip(other).map(|(a, b)| a - b).collect();
    if differences.iter().all(|difference| [-1.0, 0.0, 1.0].contains(difference)) {
        let wins = differences.iter().filter(|&&difference| difference > 0.0).count();
        let losses = differences.iter().filter(|&&difference| difference < 0.0).count();
        return wins > losses && clopper_pearson(wins, wins + losses, confidence).0 > 0.5;
    }
    differences.len() >= LEAST_ROWS && measures::mean_ci(&differences, confidence).low > 0.0
}

/// Sums of scores closer than this are equal.
const EQUAL: f64 = 1e-9;
const LEAST_ROWS: usize = 30;

#[cfg(test)]
mod tests {
    use super::*;

    fn right(share: usize, n: usize, turn: usize) -> Vec<f64> {
        (0..n).map(|at| f64::from(u8::from((at * 7 + turn) % 100 < share))).collect()
    }

    #[test]
    fn what_is_clear_is_a_rank_and_what_is_close_a_range() {
        let scores = [right(90, 1000, 0), right(50, 1000, 3), right(52, 1000, 3), right(10, 1000, 0)];
        let range = |place, best, worst| Range { place, best, worst };
        let ranges = ranges(&scores, 0.95);
        // The two in the middle differ on 20 rows, all in favour of one: that is clear too.
        assert_eq!(ranges, [range(1, 1, 1), range(3, 3, 3), range(2, 2, 2), range(4, 4, 4)]);
        let few: Vec<Vec<f64>> = scores.iter().map(|scores| scores[..4].to_vec()).collect();
        assert!(super::ranges(&few, 0.95).iter().all(|range| (range.best, range.worst) == (1, 4)));
    }

    #[test]
    fn equals_share_a_place_and_one_expert_is_the_first() {
        let equal = ranges(&[right(50, 100, 0), right(50, 100, 0)], 0.95);
        assert!(equal.iter().all(|range| *range == Range { place: 1, best: 1, worst: 2 }));
        assert_eq!(ranges(&[right(50, 100, 0)], 0.95), [Range { place: 1, best: 1, worst: 1 }]);
        assert!(!is_better(&[0.5; 20], &[0.1; 20], 0.95), "20 rows don't tell");
        assert!(is_better(&[0.5; 40], &[0.1; 40], 0.95));
    }
}
