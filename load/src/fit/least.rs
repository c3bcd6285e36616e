//! Non-negative least squares for a handful of unknowns.

/// The non-negative solution of `rows` (coefficients, value) with the smallest sum of squared errors, each relative to
/// its value; `None` when the rows don't tell the unknowns apart at all.
///
/// Every set of unknowns above 0 is tried: with three unknowns these are seven, and there is nothing to converge.
pub(super) fn solve<const N: usize>(rows: &[([f64; N], f64)]) -> Option<[f64; N]> {
    solve_and_tell(rows).map(|(_, all)| all)
}

/// The same, with the sum of squared relative errors.
pub(super) fn solve_and_tell<const N: usize>(rows: &[([f64; N], f64)]) -> Option<(f64, [f64; N])> {
    let rows: Vec<([f64; N], f64)> = rows
        .iter()
        .filter(|(_, value)| *value > 0.0)
        .map(|(row, value)| (row.map(|cell| cell / value), 1.0))
        .collect();
    let tries = (1u32..1 << N).filter_map(|set| {
        let free: Vec<usize> = (0..N).filter(|n| set & (1 << n) != 0).collect();
        let found = plain(&rows, &free)?;
        let mut all = [0.0; N];
        free.iter().zip(&found).for_each(|(n, value)| all[*n] = *value);
        all.iter().all(|value| *value >= 0.0).then(|| (errors(&rows, &all), all))
    });
    tries.min_by(|a, b| a.0.total_cmp(&b.0))
}

fn errors<const N: usize>(rows: &[([f64; N], f64)], unknowns: &[f64; N]) -> f64 {
    let error = |(row, value): &([f64; N], f64)| {
        let said: f64 = row.iter().zip(unknowns).map(|(a, b)| a * b).sum();
        (said - value) * (said - value)
    };
    rows.iter().map(error).sum()
}

/// Ordinary least squares over the unknowns `free`, by the normal equations with columns of length 1.
fn plain<const N: usize>(rows: &[([f64; N], f64)], free: &[usize]) -> Option<Vec<f64>> {
    let length = |n: usize| libm::sqrt(rows.iter().map(|(row, _)| row[n] * row[n]).sum());
    let scale: Vec<f64> = free.iter().map(|n| length(*n)).collect();
    if rows.len() < free.len() || scale.iter().any(|scale| *scale <= 0.0) {
        return None;
    }
    let cell = |row: &[f64; N], k: usize| row[free[k]] / scale[k];
    let mut system: Vec<Vec<f64>> = (0..free.len())
        .map(|i| {
            let product = |j: usize| rows.iter().map(|(row, _)| cell(row, i) * cell(row, j)).sum();
            let mut line: Vec<f64> = (0..free.len()).map(product).collect();
            line.push(rows.iter().map(|(row, value)| cell(row, i) * value).sum());
            line
        })
        .collect();
    let found = eliminate(&mut system)?;
    Some(found.iter().zip(&scale).map(|(value, scale)| value / scale).collect())
}

/// Gauss with pivots; `None` when the system is singular.
fn eliminate(system: &mut [Vec<f64>]) -> Option<Vec<f64>> {
    /// Columns of length 1 that are closer to each other than this can't be told apart.
    const LEAST: f64 = 1e-9;
    let n = system.len();
    for at in 0..n {
        let best = (at..n).max_by(|a, b| system[*a][at].abs().total_cmp(&system[*b][at].abs()))?;
        system.swap(at, best);
        if system[at][at].abs() < LEAST {
            return None;
        }
        let pivot = system[at].clone();
        for (number, line) in system.iter_mut().enumerate() {
            if number != at {
                let factor = line[at] / pivot[at];
                line.iter_mut().zip(&pivot).for_each(|(cell, pivot)| *cell -= factor * pivot);
            }
        }
    }
    Some((0..n).map(|at| system[at][n] / system[at][at]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknowns_come_back_and_none_is_negative() {
        let row = |a: f64, b: f64| ([1.0, a, b], 5.0 + 2.0 * a + 0.5 * b);
        let found = solve(&[row(1.0, 100.0), row(2.0, 300.0), row(4.0, 100.0), row(8.0, 900.0)]).unwrap();
        for (got, want) in found.iter().zip([5.0, 2.0, 0.5]) {
            assert!((got - want).abs() < 1e-6, "{found:?}");
        }
        // A falling line has no non-negative slope: the best is a constant.
        let falling = solve(&[([1.0, 1.0], 4.0), ([1.0, 2.0], 3.0), ([1.0, 3.0], 2.0)]).unwrap();
        assert_eq!(falling[1], 0.0);
        assert!((2.0..4.0).contains(&falling[0]), "{falling:?}");
        assert_eq!(solve::<2>(&[]), None);
    }
}
