//! How long a batch takes by its size, learned from those that have ended.

use crate::speed::Ridge;

/// `s(b) = base + each x b`, in milliseconds, both at least 0.
///
/// Until batches have ended it is a guess that hardly refuses anybody. After that it is a fit by ridge regression on
/// relative errors, of which about the last thousand batches count.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Curve(Ridge<2>);

impl Default for Curve {
    fn default() -> Curve {
        Curve(Ridge::new(GUESS_MS, LEAST_MS))
    }
}

impl Curve {
    /// What a batch of so many rows takes.
    pub(super) fn batch_us(&self, rows: usize) -> u64 {
        let [base, each] = self.0.theta();
        ((base + each * rows as f64) * 1e3) as u64
    }

    /// The same as base and each, in milliseconds.
    pub(super) fn law_ms(&self) -> (f64, f64) {
        let [base, each] = self.0.theta();
        (base, each)
    }

    /// A batch of so many rows has taken so long.
    pub(super) fn add(&mut self, rows: usize, took_ms: f64) {
        self.0.add([1.0, rows as f64], took_ms);
    }
}

/// Faster than any engine, so that nobody is refused for a guess.
const GUESS_MS: [f64; 2] = [0.5, 0.05];
/// Below this, errors don't count relatively.
const LEAST_MS: f64 = 0.1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_and_slope_are_found_from_a_few_batches_of_several_sizes() {
        let mut curve = Curve::default();
        for rows in [1, 2, 5, 1, 9, 30, 64, 3, 17, 40, 1, 8] {
            curve.add(rows, 8.0 + 0.5 * rows as f64);
        }
        for (rows, want) in [(1, 8_500.0), (64, 40_000.0)] {
            let got = curve.batch_us(rows) as f64;
            assert!((got / want - 1.0).abs() < 0.05, "{rows}: {got} for {want}");
        }
    }

    #[test]
    fn one_size_alone_is_told_right_and_nothing_turns_negative() {
        let mut curve = Curve::default();
        for _ in 0..50 {
            curve.add(64, 40.0);
        }
        assert!((curve.batch_us(64) as f64 / 40_000.0 - 1.0).abs() < 0.02);
        let mut falling = Curve::default();
        for rows in 1..60 {
            falling.add(rows, 100.0 - rows as f64);
        }
        let (base, each) = falling.law_ms();
        assert!(base > 0.0 && each >= 0.0, "{base} {each}");
    }
}
