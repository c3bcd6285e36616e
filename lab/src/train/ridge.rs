//! Ridge regression on sparse rows, for many columns and several penalties at once.

use super::design::{Block, Design};

/// Solves (XX' + penalty I) a = t on some rows, for every column of `targets` and every penalty. Returns the dual
/// coefficients a for each penalty; the weights are X'a.
///
/// `penalties` rise. Conjugate gradient; the Krylov space doesn't depend on a multiple of I, so the other penalties
/// cost no further product with X.
///
/// Source: B. Jegerlehner, Krylov space solvers for shifted linear systems (hep-lat/9612014), CG-M.
pub(super) fn solve(
    design: &Design,
    rows: &[u32],
    targets: &Block,
    penalties: &[f32],
    steps: usize,
) -> Vec<Block> {
    let width = targets.width;
    let copy = || Block { width, values: targets.values.clone() };
    let mut residual = copy();
    let mut direction = copy();
    let mut shifted: Vec<Shifted> =
        penalties.iter().map(|p| Shifted::new(f64::from(p - penalties[0]), copy())).collect();
    let mut squares = dots(&residual, &residual);
    let enough: Vec<f64> = squares.iter().map(|square| square * CONVERGED + f64::MIN_POSITIVE).collect();
    let (mut beta_before, mut alpha) = (vec![1.0f64; width], vec![0.0f64; width]);
    for _ in 0..steps {
        if squares.iter().zip(&enough).all(|(square, enough)| square <= enough) {
            break;
        }
        let mut product = design.times(rows, &design.transposed_times(rows, &direction));
        add(&mut product, &direction, penalties[0]);
        let curvature = dots(&direction, &product);
        let live = |column: usize| squares[column] > enough[column];
        let beta: Vec<f64> =
            (0..width).map(|at| if live(at) { -squares[at] / curvature[at] } else { 0.0 }).collect();
        for shift in &mut shifted {
            shift.advance(&beta, &beta_before, &alpha);
        }
        add_columns(&mut residual, &product, &beta);
        let next = dots(&residual, &residual);
        alpha = (0..width).map(|at| if live(at) { next[at] / squares[at] } else { 0.0 }).collect();
        blend(&mut direction, &residual, &vec![1.0; width], &alpha);
        for shift in &mut shifted {
            shift.redirect(&residual, &beta, &alpha);
        }
        (squares, beta_before) = (next, beta.iter().map(|&b| if b == 0.0 { 1.0 } else { b }).collect());
    }
    shifted.into_iter().map(|shift| shift.solution).collect()
}

/// The state of one penalty.
struct Shifted {
    shift: f64,
    solution: Block,
    direction: Block,
    zeta: Vec<f64>,
    zeta_before: Vec<f64>,
    /// zeta over the zeta before, of the last step.
    ratio: Vec<f64>,
}

impl Shifted {
    fn new(shift: f64, direction: Block) -> Shifted {
        let width = direction.width;
        let solution = Block { width, values: vec![0.0; direction.values.len()] };
        let ones = vec![1.0; width];
        Shifted { shift, solution, direction, zeta: ones.clone(), zeta_before: ones.clone(), ratio: ones }
    }

    fn advance(&mut self, beta: &[f64], beta_before: &[f64], alpha: &[f64]) {
        let width = self.solution.width;
        let mut step = vec![0.0; width];
        for at in 0..width {
            if beta[at] == 0.0 {
                continue;
            }
            let (zeta, before) = (self.zeta[at], self.zeta_before[at]);
            let bottom = beta[at] * alpha[at] * (before - zeta)
                + before * beta_before[at] * (1.0 - self.shift * beta[at]);
            let next = zeta * before * beta_before[at] / bottom;
            self.ratio[at] = if zeta == 0.0 { 0.0 } else { next / zeta };
            (self.zeta_before[at], self.zeta[at]) = (zeta, if next.is_finite() { next } else { 0.0 });
            step[at] = -beta[at] * self.ratio[at];
        }
        add_columns(&mut self.solution, &self.direction, &step);
    }

    fn redirect(&mut self, residual: &Block, beta: &[f64], alpha: &[f64]) {
        let live = |at: usize| beta[at] != 0.0;
        let width = self.zeta.len();
        let fresh: Vec<f64> = (0..width).map(|at| if live(at) { self.zeta[at] } else { 0.0 }).collect();
        let kept: Vec<f64> = (0..width)
            .map(|at| if live(at) { alpha[at] * self.ratio[at] * self.ratio[at] } else { 0.0 })
            .collect();
        blend(&mut self.direction, residual, &fresh, &kept);
    }
}

/// For each column the sum of products.
fn dots(a: &Block, b: &Block) -> Vec<f64> {
    let mut sums = vec![0.0f64; a.width];
    for (left, right) in a.values.chunks_exact(a.width).zip(b.values.chunks_exact(a.width)) {
        for (sum, (x, y)) in sums.iter_mut().zip(left.iter().zip(right)) {
            *sum += f64::from(*x) * f64::from(*y);
        }
    }
    sums
}

fn add(to: &mut Block, from: &Block, scale: f32) {
    for (to, from) in to.values.iter_mut().zip(&from.values) {
        *to += scale * from;
    }
}

/// to += scale * from, a scale for each column.
fn add_columns(to: &mut Block, from: &Block, scales: &[f64]) {
    let width = to.width;
    for (to, from) in to.values.chunks_exact_mut(width).zip(from.values.chunks_exact(width)) {
        for ((to, from), scale) in to.iter_mut().zip(from).zip(scales) {
            *to += *scale as f32 * from;
        }
    }
}

/// to = fresh * from + kept * to, column by column.
fn blend(to: &mut Block, from: &Block, fresh: &[f64], kept: &[f64]) {
    let width = to.width;
    for (to, from) in to.values.chunks_exact_mut(width).zip(from.values.chunks_exact(width)) {
        for (at, (to, from)) in to.iter_mut().zip(from).enumerate() {
            *to = fresh[at] as f32 * from + kept[at] as f32 * *to;
        }
    }
}

/// A column whose squared residual has fallen by this factor is done.
const CONVERGED: f64 = 1e-8;

#[cfg(test)]
mod tests {
    use super::*;

    /// A small random problem; the residual of the normal equations must vanish for every penalty.
    #[test]
    fn every_penalty_is_solved() {
        let (rows, features) = (60usize, 25u32);
        let mut state = 7u64;
        let mut unit = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 24) as f32
        };
        let mut design = Design::new(features as usize);
        for _ in 0..rows {
            let row: Vec<(u32, f32)> =
                (0..features).map(|at| (at, unit())).filter(|(_, value)| *value > 0.7).collect();
            design.push(&row);
        }
        let all: Vec<u32> = (0..rows as u32).collect();
        let mut targets = Block::zero(rows, 3);
        for at in 0..rows {
            for column in 0..3 {
                targets.row_mut(at)[column] = unit() - 0.5;
            }
        }
        let penalties = [0.5f32, 3.0, 30.0, 100.0];
        for (solution, penalty) in solve(&design, &all, &targets, &penalties, 40).iter().zip(penalties) {
            let product = design.times(&all, &design.transposed_times(&all, solution));
            for at in 0..rows {
                for column in 0..3 {
                    let is = product.row(at)[column] + penalty * solution.row(at)[column];
                    let off = (is - targets.row(at)[column]).abs();
                    assert!(off < 2e-3, "penalty {penalty}, row {at}, column {column}: off by {off}");
                }
            }
        }
    }
}
