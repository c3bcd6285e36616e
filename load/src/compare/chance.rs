//! How probable a difference is when nothing changed.

use crate::Random;
use crate::measure::{Hist, Tally, Time, effect};

/// Two-sided p of `difference` under a normal distribution around 0; 1 when both are 0.
pub(crate) fn two_sided(difference: f64, standard_error: f64) -> f64 {
    if standard_error <= 0.0 {
        return if difference == 0.0 { 1.0 } else { 0.0 };
    }
    libm::erfc((difference / standard_error).abs() / core::f64::consts::SQRT_2)
}

/// p of the difference between the `q`-quantiles of two runs, by bootstrap; `None` when a run has too few values beyond
/// the quantile.
///
/// The quantile of a resample of n values is the original's at a share that follows Beta(nq, n(1 - q)), so it is drawn
/// without resampling. n counts samples over their design effect, since a queue makes neighbours alike.
pub(crate) fn differ_at_quantile(a: &Tally, b: &Tally, time: Time, q: f64) -> Option<f64> {
    let (a, b) = (Drawn::of(a, time, q)?, Drawn::of(b, time, q)?);
    // The same two runs give the same p each time.
    let mut random = Random::new(0, 0);
    let mut below = 0.0;
    for _ in 0..DRAWS {
        let (x, y) = (a.draw(&mut random), b.draw(&mut random));
        below += if x < y {
            1.0
        } else if x > y {
            0.0
        } else {
            0.5
        };
    }
    let tail = (below + 0.5) / (f64::from(DRAWS) + 1.0);
    Some((2.0 * f64::min(tail, 1.0 - tail)).min(1.0))
}

const DRAWS: u32 = 2000;
/// Values that must lie beyond the quantile.
const FEWEST_BEYOND: f64 = 5.0;

/// A histogram to draw bootstrap quantiles from.
struct Drawn {
    /// Time and share of values up to it.
    shares: Vec<(f64, f64)>,
    n: f64,
    q: f64,
}

impl Drawn {
    fn of(tally: &Tally, time: Time, q: f64) -> Option<Drawn> {
        let hist = tally.times(time);
        let n = hist.count() as f64 / effect(tally, time, hist.quantile_ms(q)?);
        (n * (1.0 - q).min(q) >= FEWEST_BEYOND).then(|| Drawn { shares: shares(hist), n, q })
    }

    fn draw(&self, random: &mut Random) -> f64 {
        let share = beta(random, self.n * self.q, self.n * (1.0 - self.q));
        let at = self.shares.partition_point(|(_, up_to)| *up_to < share).min(self.shares.len() - 1);
        self.shares[at].0
    }
}

fn beta(random: &mut Random, a: f64, b: f64) -> f64 {
    let (x, y) = (random.gamma(a), random.gamma(b));
    x / (x + y)
}

fn shares(hist: &Hist) -> Vec<(f64, f64)> {
    let all = hist.count() as f64;
    let mut sum = 0;
    hist.rows()
        .map(|(ms, count)| {
            sum += count;
            (ms, sum as f64 / all)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_is_that_of_the_table() {
        assert!((two_sided(1.959_964, 1.0) - 0.05).abs() < 1e-6);
        assert_eq!((two_sided(0.0, 0.0), two_sided(1.0, 0.0)), (1.0, 0.0));
    }

    #[test]
    fn beta_has_its_mean_and_variance() {
        let mut random = Random::new(1, 0);
        let (a, b) = (30.0, 10.0);
        let draws: Vec<f64> = (0..20_000).map(|_| beta(&mut random, a, b)).collect();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!((mean - 0.75).abs() < 0.002, "{mean}");
        assert!((variance / (0.75 * 0.25 / 41.0) - 1.0).abs() < 0.05, "{variance}");
    }
}
