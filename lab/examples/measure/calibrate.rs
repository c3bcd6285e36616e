//! Maps from predicted scores to calibrated ones, fitted on the other folds' held-out predictions.

use crate::Set;
use crate::figures::{Answers, column, scores};
use crate::folds::FOLDS;

/// A map fitted on pairs of (predicted, score), which rise by prediction.
type Fit = fn(&[(f64, f64)]) -> Box<dyn Fn(f64) -> f64>;

pub(crate) const MAPS: &[(&str, Fit)] = &[("isotonic", isotonic), ("beta", beta)];

/// Every fold's predictions through a map that was fitted on the others.
pub(crate) fn crossed(set: &Set, answers: &Answers, fit: Fit) -> Vec<f64> {
    let width = set.experts.len();
    let mut mapped = answers.scores.clone();
    for at in 0..width {
        let (predicted, scores) = (column(set, answers, at), scores(set, at));
        for fold in 0..FOLDS {
            let others = (0..set.rows.len()).filter(|&row| set.folds[row] != fold);
            let mut pairs: Vec<(f64, f64)> = others.map(|row| (predicted[row], scores[row])).collect();
            pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
            let map = fit(&pairs);
            set.inside(fold).into_iter().for_each(|row| mapped[row * width + at] = map(predicted[row]));
        }
    }
    mapped
}

/// Pool adjacent violators: steps of (largest prediction, mean score), means rising.
///
/// Source: Ayer et al. (1955).
fn pool(pairs: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut blocks: Vec<(f64, f64, f64)> = vec![]; // (edge, sum, n)
    for tied in pairs.chunk_by(|a, b| a.0 == b.0) {
        blocks.push((tied[0].0, tied.iter().map(|(_, score)| score).sum(), tied.len() as f64));
        while let [.., before, last] = &mut blocks[..]
            && before.1 * last.2 >= last.1 * before.2
        {
            *before = (last.0, before.1 + last.1, before.2 + last.2);
            blocks.pop();
        }
    }
    blocks.into_iter().map(|(edge, sum, n)| (edge, sum / n)).collect()
}

fn isotonic(pairs: &[(f64, f64)]) -> Box<dyn Fn(f64) -> f64> {
    let steps = pool(pairs);
    Box::new(move |p| {
        let at = steps.partition_point(|(edge, _)| *edge < p).min(steps.len().saturating_sub(1));
        steps.get(at).map_or(p, |(_, mean)| *mean)
    })
}

/// Logistic in ln p and -ln(1 - p), by Newton's method.
///
/// Source: Kull, Silva Filho and Flach, Beta calibration (AISTATS 2017), without its constraint on signs.
fn beta(pairs: &[(f64, f64)]) -> Box<dyn Fn(f64) -> f64> {
    let features = |p: f64| {
        let p = p.clamp(1e-3, 1.0 - 1e-3);
        [p.ln(), -(1.0 - p).ln(), 1.0]
    };
    let mut weights = [1.0, 1.0, 0.0];
    let logistic = |weights: &[f64; 3], x: &[f64; 3]| {
        1.0 / (1.0 + (-weights.iter().zip(x).map(|(w, x)| w * x).sum::<f64>()).exp())
    };
    for _ in 0..NEWTON_STEPS {
        let (mut slope, mut curve) = ([0.0; 3], [[0.0; 3]; 3]);
        for &(p, score) in pairs {
            let x = features(p);
            let q = logistic(&weights, &x);
            for a in 0..3 {
                slope[a] += (score - q) * x[a];
                (0..3).for_each(|b| curve[a][b] += q * (1.0 - q) * x[a] * x[b]);
            }
        }
        (0..3).for_each(|a| curve[a][a] += 1e-6);
        weights = std::array::from_fn(|at| weights[at] + solve(curve, slope)[at]);
    }
    Box::new(move |p| logistic(&weights, &features(p)))
}

/// Three equations by Cramer's rule.
fn solve(matrix: [[f64; 3]; 3], right: [f64; 3]) -> [f64; 3] {
    let minor = |m: &[[f64; 3]; 3], a: usize, b: usize| m[1][a] * m[2][b] - m[1][b] * m[2][a];
    let determinant =
        |m: &[[f64; 3]; 3]| m[0][0] * minor(m, 1, 2) - m[0][1] * minor(m, 0, 2) + m[0][2] * minor(m, 0, 1);
    let whole = determinant(&matrix);
    std::array::from_fn(|column| {
        let mut replaced = matrix;
        replaced.iter_mut().zip(right).for_each(|(row, value)| row[column] = value);
        determinant(&replaced) / whole
    })
}

const NEWTON_STEPS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pooling_gives_the_known_steps() {
        // Scores 1, 3, 2, 4, 3.5, 5 pool to 1, 2.5, 2.5, 3.75, 3.75, 5.
        let pairs: Vec<(f64, f64)> =
            [1.0, 3.0, 2.0, 4.0, 3.5, 5.0].into_iter().enumerate().map(|(at, y)| (at as f64, y)).collect();
        assert_eq!(pool(&pairs), [(0.0, 1.0), (2.0, 2.5), (4.0, 3.75), (5.0, 5.0)]);
        assert_eq!(pool(&[(0.5, 1.0), (0.5, 0.0)]), [(0.5, 0.5)]);
        assert!(pool(&[]).is_empty());
    }

    #[test]
    fn three_equations_are_solved() {
        let found = solve([[2.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 4.0]], [4.0, 10.0, 14.0]);
        let expected = [1.0, 2.0, 3.0];
        assert!(found.iter().zip(expected).all(|(is, should)| (is - should).abs() < 1e-12), "{found:?}");
    }

    #[test]
    fn a_calibrated_score_stays_where_it_is() {
        let pairs: Vec<(f64, f64)> = (0..1_000)
            .map(|at| (0.1 + 0.8 * f64::from(at / 100) / 9.0, at))
            .map(|(p, at)| (p, f64::from(u8::from(f64::from(at % 100) < 100.0 * p))))
            .collect();
        for map in [isotonic(&pairs), beta(&pairs)] {
            assert!(
                (0..10)
                    .all(|at| (map(0.1 + 0.8 * f64::from(at) / 9.0) - 0.1 - 0.8 * f64::from(at) / 9.0).abs()
                        < 0.02)
            );
        }
    }
}
