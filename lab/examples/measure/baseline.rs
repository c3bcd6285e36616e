//! The plain rival: one ridge over TF-IDF, one penalty for all experts, the mean of output tokens over all rows.

use crate::figures::{Answers, scores};
use crate::folds::FOLDS;
use crate::{Set, words};
use sluice_lab::brier;

type Rows = Vec<Vec<(u32, f32)>>;

/// The best of a few penalties by the Brier score of these very folds, which is kind to it.
pub(crate) fn predict(set: &Set) -> Answers {
    let texts: Vec<&str> = set.rows.iter().map(|row| row.prompt.as_str()).collect();
    let (rows, features) = words::weigh(&texts);
    let grades: Vec<Vec<f64>> = (0..set.experts.len()).map(|at| scores(set, at)).collect();
    let error = |predicted: &Vec<f64>| {
        let of = |at: usize| {
            let column: Vec<f64> = predicted.iter().skip(at).step_by(set.experts.len()).copied().collect();
            brier(&column, &grades[at])
        };
        (0..set.experts.len()).map(of).sum::<f64>()
    };
    let tried = PENALTIES.map(|penalty| fitted(set, &rows, features, &grades, penalty));
    let best = tried.into_iter().min_by(|a, b| error(a).total_cmp(&error(b)));
    Answers { scores: best.unwrap_or_default(), tokens: tokens(set) }
}

fn fitted(set: &Set, rows: &Rows, features: usize, grades: &[Vec<f64>], penalty: f32) -> Vec<f64> {
    let width = set.experts.len();
    let mut predicted = vec![0.0; set.rows.len() * width];
    let folds: Vec<(Vec<usize>, Vec<Vec<f64>>)> = std::thread::scope(|scope| {
        let fit = |fold: u8| {
            let tested = set.inside(fold);
            let seen: Vec<usize> = (0..set.rows.len()).filter(|&row| set.folds[row] != fold).collect();
            let of = |grades: &Vec<f64>| one(rows, features, &seen, &tested, grades, penalty);
            (tested.clone(), grades.iter().map(of).collect())
        };
        let running: Vec<_> = (0..FOLDS).map(|fold| scope.spawn(move || fit(fold))).collect();
        running.into_iter().map(|fold| fold.join().expect("it doesn't panic")).collect()
    });
    for (tested, columns) in folds {
        for (at, column) in columns.into_iter().enumerate() {
            tested.iter().zip(column).for_each(|(row, value)| predicted[row * width + at] = value);
        }
    }
    predicted
}

/// One expert in one fold: (XX' + penalty I) a = t by conjugate gradient.
fn one(
    rows: &Rows,
    features: usize,
    seen: &[usize],
    tested: &[usize],
    grades: &[f64],
    penalty: f32,
) -> Vec<f64> {
    let mean = seen.iter().map(|&row| grades[row]).sum::<f64>() / seen.len().max(1) as f64;
    let mut residual: Vec<f32> = seen.iter().map(|&row| (grades[row] - mean) as f32).collect();
    let (mut dual, mut direction) = (vec![0.0f32; seen.len()], residual.clone());
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    let transposed = |duals: &[f32]| {
        let mut weights = vec![0.0f32; features];
        for (&row, dual) in seen.iter().zip(duals) {
            rows[row].iter().for_each(|&(at, value)| weights[at as usize] += dual * value);
        }
        weights
    };
    let apply = |row: usize, weights: &[f32]| -> f32 {
        rows[row].iter().map(|&(at, value)| value * weights[at as usize]).sum()
    };
    let mut square = dot(&residual, &residual);
    for _ in 0..STEPS {
        let weights = transposed(&direction);
        let product: Vec<f32> =
            seen.iter().zip(&direction).map(|(&row, along)| apply(row, &weights) + penalty * along).collect();
        let step = (square / dot(&direction, &product).max(f64::MIN_POSITIVE)) as f32;
        dual.iter_mut().zip(&direction).for_each(|(dual, along)| *dual += step * along);
        residual.iter_mut().zip(&product).for_each(|(left, product)| *left -= step * product);
        let next = dot(&residual, &residual);
        let kept = (next / square.max(f64::MIN_POSITIVE)) as f32;
        direction.iter_mut().zip(&residual).for_each(|(along, left)| *along = left + kept * *along);
        square = next;
    }
    let weights = transposed(&dual);
    tested.iter().map(|&row| (mean + f64::from(apply(row, &weights))).clamp(0.0, 1.0)).collect()
}

/// Each expert's mean of output tokens over the other folds.
fn tokens(set: &Set) -> Vec<f64> {
    let width = set.experts.len();
    let mut tokens = vec![0.0; set.rows.len() * width];
    for fold in 0..FOLDS {
        for (at, (name, _)) in set.experts.iter().enumerate() {
            let seen = set.rows.iter().zip(&set.folds).filter(|(_, of)| **of != fold);
            let lengths = seen.filter_map(|(row, _)| row.outcome(name)?.output_tokens).map(f64::from);
            let (sum, n) = lengths.fold((0.0, 0.0), |(sum, n), length| (sum + length, n + 1.0));
            set.inside(fold).into_iter().for_each(|row| tokens[row * width + at] = sum / f64::max(n, 1.0));
        }
    }
    tokens
}

const PENALTIES: [f32; 3] = [1.0, 3.0, 10.0];
const STEPS: usize = 12;
