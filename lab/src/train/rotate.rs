//! The axes that outputs are fitted along: what all experts share first, then how they differ.

/// An orthonormal basis of the experts' space, as rows of axes: the mean direction, then the principal axes of the
/// deviations from it. `residuals` is row-major, `experts` wide.
pub(super) fn axes(residuals: &[f32], experts: usize) -> Vec<Vec<f64>> {
    let common = 1.0 / (experts as f64).sqrt();
    let mut covariance = vec![vec![0.0f64; experts]; experts];
    for row in residuals.chunks_exact(experts) {
        let mean = row.iter().map(|&value| f64::from(value)).sum::<f64>() / experts as f64;
        for (at, line) in covariance.iter_mut().enumerate() {
            let left = f64::from(row[at]) - mean;
            for (cell, &value) in line.iter_mut().zip(row) {
                *cell += left * (f64::from(value) - mean);
            }
        }
    }
    // The mean direction explains nothing of the deviations; pushed below 0 it comes last even among zeros.
    let push = (0..experts).map(|at| covariance[at][at]).sum::<f64>() + 1.0;
    covariance.iter_mut().flatten().for_each(|cell| *cell -= push * common * common);
    let mut found = eigen(covariance);
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut axes = vec![vec![common; experts]];
    axes.extend(found.into_iter().take(experts - 1).map(|(_, axis)| axis));
    axes
}

/// Eigenvalues and eigenvectors of a symmetric matrix by cyclic Jacobi rotations.
fn eigen(mut matrix: Vec<Vec<f64>>) -> Vec<(f64, Vec<f64>)> {
    let n = matrix.len();
    let mut vectors: Vec<Vec<f64>> =
        (0..n).map(|at| (0..n).map(|to| f64::from(u8::from(at == to))).collect()).collect();
    let scale: f64 = matrix.iter().flatten().map(|value| value * value).sum();
    for _ in 0..SWEEPS {
        let off: f64 =
            (0..n).flat_map(|p| (0..p).map(move |q| (p, q))).map(|(p, q)| matrix[p][q].powi(2)).sum();
        if off <= 1e-20 * scale {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                turn(&mut matrix, &mut vectors, p, q);
            }
        }
    }
    (0..n).map(|at| (matrix[at][at], vectors[at].clone())).collect()
}

/// Rotates the plane of `p` and `q` so that their covariance vanishes.
fn turn(matrix: &mut [Vec<f64>], vectors: &mut [Vec<f64>], p: usize, q: usize) {
    if matrix[p][q] == 0.0 {
        return;
    }
    let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * matrix[p][q]);
    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let t = if theta == 0.0 { 1.0 } else { t };
    let c = 1.0 / (t * t + 1.0).sqrt();
    let s = t * c;
    for row in matrix.iter_mut() {
        (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
    }
    for at in 0..vectors.len() {
        (matrix[p][at], matrix[q][at]) =
            (c * matrix[p][at] - s * matrix[q][at], s * matrix[p][at] + c * matrix[q][at]);
        (vectors[p][at], vectors[q][at]) =
            (c * vectors[p][at] - s * vectors[q][at], s * vectors[p][at] + c * vectors[q][at]);
    }
}

const SWEEPS: usize = 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_orthonormal_and_sorted_by_what_they_explain() {
        let experts = 4;
        let residuals: Vec<f32> = (0..200)
            .flat_map(|row: i32| {
                let (a, b) = ((row * 37 % 101) as f32 / 50.0 - 1.0, (row * 53 % 89) as f32 / 44.0 - 1.0);
                [a + b, a - b, a + 0.2 * b, a]
            })
            .collect();
        let axes = axes(&residuals, experts);
        assert_eq!(axes.len(), experts);
        for (at, axis) in axes.iter().enumerate() {
            for (to, other) in axes.iter().enumerate() {
                let dot: f64 = axis.iter().zip(other).map(|(x, y)| x * y).sum();
                assert!((dot - f64::from(u8::from(at == to))).abs() < 1e-9, "{at} {to}: {dot}");
            }
        }
        let explained = |axis: &Vec<f64>| -> f64 {
            residuals
                .chunks(experts)
                .map(|row| row.iter().zip(axis).map(|(r, a)| f64::from(*r) * a).sum::<f64>().powi(2))
                .sum()
        };
        assert!(explained(&axes[1]) >= explained(&axes[2]) && explained(&axes[2]) >= explained(&axes[3]));
    }
}
