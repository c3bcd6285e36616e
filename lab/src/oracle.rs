//! The best answer to each prompt, the cheapest of equals: nothing chooses better.

use sluice_router::Pairs;

/// The expert of each row, among the first `width`.
pub(crate) fn choice(pairs: &Pairs, width: usize) -> Vec<u16> {
    let scores: Vec<Vec<f64>> = (0..width).map(|at| pairs.margins(&pairs.always(at), at, 0.0)).collect();
    let best = |row: usize| {
        let better = |a: &usize, b: &usize| {
            let by_score = scores[*a][row].total_cmp(&scores[*b][row]);
            by_score.then_with(|| pairs.cell_cost(row, *b).total_cmp(&pairs.cell_cost(row, *a)))
        };
        (0..width).max_by(better).unwrap_or(0) as u16
    };
    (0..pairs.len()).map(best).collect()
}
