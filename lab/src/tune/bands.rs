//! Bands by the bootstrap: near-duplicates are drawn together, since they are not independent.

use super::report::Band;
use super::rows::Graded;
use sluice_router::prompt_hash;

/// How often each group is drawn, in each draw.
pub(super) struct Bootstrap(Vec<Vec<u16>>);

impl Bootstrap {
    pub(super) fn new(rows: &Graded, seed: u64) -> Bootstrap {
        let groups = rows.groups();
        let mut state = prompt_hash(&format!("bootstrap {seed}"));
        let draw = |_| {
            let mut times = vec![0u16; groups];
            for _ in 0..groups {
                times[below(&mut state, groups)] += 1;
            }
            times
        };
        Bootstrap((0..DRAWS).map(draw).collect())
    }
}

/// A number below `bound`, by SplitMix64.
fn below(state: &mut u64, bound: usize) -> usize {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    ((u128::from(z) * bound as u128) >> 64) as usize
}

/// What a choice and the reference score and cost, summed over each group.
pub(super) struct Sums(Vec<[f64; 4]>);

impl Sums {
    pub(super) fn new(rows: &Graded, chosen: &[u16], reference: usize) -> Sums {
        let pairs = &rows.pairs;
        // With a floor of 0 margins are plain scores.
        let scores = pairs.margins(chosen, reference, 0.0);
        let bars = pairs.margins(&pairs.always(reference), reference, 0.0);
        let mut sums = vec![[0.0; 4]; rows.groups()];
        for (row, &group) in rows.group_of.iter().enumerate() {
            let cost = pairs.cell_cost(row, usize::from(chosen[row]));
            let add = [scores[row], bars[row], cost, pairs.cell_cost(row, reference)];
            sums[group].iter_mut().zip(add).for_each(|(sum, add)| *sum += add);
        }
        Sums(sums)
    }

    /// Quality ratio and saving in percent when groups are drawn so often.
    fn drawn(&self, times: &[u16]) -> (f64, f64) {
        let mut all = [0.0; 4];
        for (sums, &times) in self.0.iter().zip(times).filter(|(_, times)| **times > 0) {
            all.iter_mut().zip(sums).for_each(|(all, sum)| *all += f64::from(times) * sum);
        }
        let [score, bar, cost, baseline] = all;
        let saved = if baseline > 0.0 { 100.0 * (1.0 - cost / baseline) } else { 0.0 };
        (if bar > 0.0 { score / bar } else { 1.0 }, saved)
    }
}

pub(super) fn band(bootstrap: &Bootstrap, sums: &Sums) -> Band {
    let (ratios, saved): (Vec<f64>, Vec<f64>) = bootstrap.0.iter().map(|times| sums.drawn(times)).unzip();
    Band { saved_pct: middle(saved), quality_ratio: middle(ratios) }
}

/// The ends of the middle 95 %.
fn middle(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let cut = values.len() / 40;
    match values.len() {
        0 => (0.0, 0.0),
        n => (values[cut], values[n - 1 - cut]),
    }
}

/// Draws.
pub(super) const DRAWS: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_router::Pairs;

    /// Rows of two experts, the second always right at 10, the first right on every other group at 1.
    fn graded(copies: usize, groups: usize) -> Graded {
        let cell = |score: f64, cost: f64| ((score, cost), score, cost);
        let rows = (0..groups).flat_map(|group| std::iter::repeat_n(group, copies));
        let right = |group: usize| f64::from(u8::from(group.is_multiple_of(2)));
        let group_of: Vec<usize> = rows.collect();
        let cells = group_of.iter().map(|&group| vec![cell(right(group), 1.0), cell(1.0, 10.0)]);
        Graded { pairs: Pairs::from_rows(2, cells), group_of: group_of.clone() }
    }

    fn width(rows: &Graded) -> f64 {
        let sums = Sums::new(rows, &rows.pairs.always(0), 1);
        let band = band(&Bootstrap::new(rows, 1), &sums);
        assert!((band.saved_pct.0 - 90.0).abs() < 1e-9 && (band.saved_pct.1 - 90.0).abs() < 1e-9);
        assert!(band.quality_ratio.0 < 0.5 && band.quality_ratio.1 > 0.5);
        band.quality_ratio.1 - band.quality_ratio.0
    }

    #[test]
    fn bands_have_the_width_of_theory_and_copies_do_not_narrow_them() {
        let expected = 2.0 * 1.96 * 0.5 / 20.0; // of a mean of 400 coins
        for copies in [1, 5] {
            let width = width(&graded(copies, 400));
            assert!((width - expected).abs() < 0.02, "{copies} copies: {width}, {expected} expected");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_draws() {
        let rows = graded(1, 50);
        assert_eq!(Bootstrap::new(&rows, 3).0, Bootstrap::new(&rows, 3).0);
        assert_ne!(Bootstrap::new(&rows, 3).0, Bootstrap::new(&rows, 4).0);
    }
}
