//! What is in none of the domains, fitted on out-of-fold scores: the logistic part, and each domain's lock threshold.

use sluice_router::{Scope, domain_shares, lock_threshold};

/// An out-of-fold text: its scores, and its domain; `None` for one that is in none.
pub(super) struct Scored {
    /// One score for each domain, then the one for "none of these".
    pub(super) scores: Vec<f32>,
    pub(super) domain: Option<usize>,
}

/// `sharpness` is the domain posterior's; `languages` are those of the domain texts.
pub(super) fn fit(texts: &[Scored], domains: usize, sharpness: f32, languages: Vec<String>) -> Scope {
    let [by_best, by_outside, offset] = logistic(texts, domains).map(|value| value as f32);
    let mut scope = Scope { by_best, by_outside, offset, thresholds: vec![0.0; domains], languages };
    let mut own: Vec<Vec<f32>> = vec![vec![]; domains];
    for text in texts {
        let Some(domain) = text.domain else { continue };
        let (named, outside) = text.scores.split_at(domains);
        own[domain].push(domain_shares(named, outside, sharpness, Some(&scope))[domain]);
    }
    scope.thresholds = own.iter_mut().map(|shares| lock_threshold(shares)).collect();
    scope
}

/// Weights of (best domain score, score for none, 1) for the log odds of being in scope, by Newton's method.
///
/// The two kinds of texts weigh as [`OUTSIDE_SHARE`] says, however many there are of each.
fn logistic(texts: &[Scored], domains: usize) -> [f64; 3] {
    let outside = texts.iter().filter(|text| text.domain.is_none()).count();
    let within = texts.len() - outside;
    if outside == 0 || within == 0 {
        return [0.0, 0.0, CERTAIN];
    }
    let mut weights = [0.0f64; 3];
    for _ in 0..NEWTON_STEPS {
        let mut slope = weights.map(|weight| RIDGE * weight);
        let mut curve = [[0.0f64; 3]; 3];
        (0..3).for_each(|at| curve[at][at] = RIDGE);
        for text in texts {
            let (named, none) = text.scores.split_at(domains);
            let best = named.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let x = [f64::from(best), f64::from(none[0]), 1.0];
            let (target, mass) = match text.domain {
                Some(_) => (1.0, (1.0 - OUTSIDE_SHARE) / within as f64),
                None => (0.0, OUTSIDE_SHARE / outside as f64),
            };
            let odds: f64 = x.iter().zip(&weights).map(|(x, weight)| x * weight).sum();
            let p = 1.0 / (1.0 + libm::exp(-odds));
            for at in 0..3 {
                slope[at] += mass * (p - target) * x[at];
                (0..3).for_each(|other| curve[at][other] += mass * p * (1.0 - p) * x[at] * x[other]);
            }
        }
        let step = solve(curve, slope);
        (0..3).for_each(|at| weights[at] -= step[at].clamp(-LONGEST_STEP, LONGEST_STEP));
    }
    weights
}

/// Cramer's rule; the matrix is positive definite.
fn solve(matrix: [[f64; 3]; 3], right: [f64; 3]) -> [f64; 3] {
    let determinant = |m: &[[f64; 3]; 3]| {
        m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
            + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
    };
    let whole = determinant(&matrix);
    std::array::from_fn(|column| {
        let mut replaced = matrix;
        (0..3).for_each(|row| replaced[row][column] = right[row]);
        determinant(&replaced) / whole
    })
}

/// Share of traffic that is taken to be out of scope: nobody knows beforehand.
const OUTSIDE_SHARE: f64 = 0.5;
/// Keeps the weights finite where the two kinds don't overlap.
const RIDGE: f64 = 1e-4;
const NEWTON_STEPS: usize = 25;
/// Newton's method may leap too far where the two kinds hardly overlap.
const LONGEST_STEP: f64 = 4.0;
/// Log odds of being in scope where nothing is known to be out of it.
const CERTAIN: f64 = 20.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equations_are_solved() {
        let (matrix, right) = ([[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]], [8.5, 8.1, 6.9]);
        let x = solve(matrix, right);
        for row in 0..3 {
            let product: f64 = (0..3).map(|at| matrix[row][at] * x[at]).sum();
            assert!((product - right[row]).abs() < 1e-12, "row {row}: {product}");
        }
    }
}
