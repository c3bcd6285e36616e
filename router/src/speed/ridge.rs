//! Coefficients that can't be negative, learned as observations come: ridge regression towards a prior.
//!
//! The squared *relative* error is made small, older observations count less, and whatever the observations don't tell
//! stays at the prior, so that nothing winds up while a pool is idle. Solved by coordinate descent from where it was, a
//! few sweeps for each observation.

/// A linear law of `N` features.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ridge<const N: usize> {
    prior: [f64; N],
    /// How hard each coefficient is drawn towards its prior.
    pull: [f64; N],
    theta: [f64; N],
    /// Sum of weighted products of features.
    xx: [[f64; N]; N],
    /// Sum of weighted products of features and outcomes.
    xy: [f64; N],
    /// Floor of a prediction when errors are taken relative to it.
    least: f64,
}

impl<const N: usize> Ridge<N> {
    /// A law that is `prior`, all above 0, until it is told more. Errors of outcomes below `least` count as if they were
    /// that large.
    pub(crate) fn new(prior: [f64; N], least: f64) -> Ridge<N> {
        Ridge::within(prior, prior.map(|value| value * DOUBT), least)
    }

    /// The same where the prior is right to within `doubt`, all above 0: one deviation of each coefficient.
    pub(crate) fn within(prior: [f64; N], doubt: [f64; N], least: f64) -> Ridge<N> {
        let pull = doubt.map(|doubt| NOISE * NOISE / (doubt * doubt));
        Ridge { prior, pull, theta: prior, xx: [[0.0; N]; N], xy: [0.0; N], least }
    }

    /// What the law says now.
    pub(crate) fn theta(&self) -> [f64; N] {
        self.theta
    }

    /// Takes an observation in.
    pub(crate) fn add(&mut self, x: [f64; N], y: f64) {
        let scale = dot(&self.theta, &x).max(self.least);
        let weight = 1.0 / (scale * scale);
        for i in 0..N {
            for j in 0..N {
                self.xx[i][j] = self.xx[i][j] * KEPT + weight * x[i] * x[j];
            }
            self.xy[i] = self.xy[i] * KEPT + weight * x[i] * y;
        }
        for _ in 0..SWEEPS {
            self.sweep();
        }
    }

    /// Puts each coefficient where it is best while the others stay.
    fn sweep(&mut self) {
        for i in 0..N {
            let others = dot(&self.xx[i], &self.theta) - self.xx[i][i] * self.theta[i];
            let pull = self.pull[i];
            let best = (self.xy[i] - others + pull * self.prior[i]) / (self.xx[i][i] + pull);
            self.theta[i] = best.max(0.0);
        }
    }
}

pub(super) fn dot<const N: usize>(a: &[f64; N], b: &[f64; N]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// What is left of an observation's weight after the next one: about the last thousand count.
const KEPT: f64 = 0.999;
/// Sweeps for each observation; the next ones go on from there.
const SWEEPS: usize = 4;
/// A prior that nobody declared may be off by about so many times itself,
const DOUBT: f64 = 4.5;
/// and an observation by this share of what it is.
const NOISE: f64 = 0.2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mix::mix;

    fn draw(seed: u64) -> f64 {
        (mix(seed) >> 11) as f64 / (1u64 << 53) as f64
    }

    #[test]
    fn a_law_is_found_from_noisy_observations() {
        let law = [20.0, 5.0, 0.5];
        let mut ridge = Ridge::new([10.0, 2.0, 1.0], 1.0);
        for n in 0..3_000 {
            let x = [1.0, 10.0 * draw(2 * n), 40.0 * draw(2 * n + 1)];
            ridge.add(x, dot(&law, &x) * (0.9 + 0.2 * draw(n + 77_777)));
        }
        for (found, true_one) in ridge.theta().iter().zip(law) {
            assert!((found / true_one - 1.0).abs() < 0.1, "{found} for {true_one}");
        }
    }

    #[test]
    fn what_is_not_observed_stays_at_the_prior_for_ever() {
        let mut ridge = Ridge::new([2.0, 3.0], 1.0);
        for _ in 0..100_000 {
            ridge.add([1.0, 0.0], 8.0);
        }
        let [seen, unseen] = ridge.theta();
        assert!((seen - 8.0).abs() < 0.1 && (unseen - 3.0).abs() < 1e-9, "{seen} {unseen}");
    }

    #[test]
    fn a_change_is_followed_and_nothing_turns_negative() {
        let mut ridge = Ridge::new([1.0, 1.0], 1.0);
        for n in 0..9_000u64 {
            let x = [1.0, draw(n)];
            let y = if n < 3_000 { 10.0 } else { 30.0 };
            ridge.add(x, y - 5.0 * x[1]);
        }
        let [base, slope] = ridge.theta();
        assert!((26.0..30.0).contains(&base) && slope < 0.1, "{base} {slope}");
    }
}
