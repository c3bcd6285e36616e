//! The Hoeffding-Bentkus bound: the mean of values in 0 to 1, told by their number and mean alone.

use super::binomial::at_most;
use super::last_that_holds;

/// How likely a mean as low as `mean` of `n` independent values in 0 to 1 is at most, if the true mean is `bar` or more.
///
/// Valid for any n and any distribution. It doesn't look at the variance, so it is wide where that is small.
///
/// Source: Bates et al., Distribution-free, risk-controlling prediction sets (arXiv 2101.02703), section 3.1.
pub fn hoeffding_bentkus_p(mean: f64, n: usize, bar: f64) -> f64 {
    if n == 0 || bar <= 0.0 || mean >= bar {
        return 1.0;
    }
    let hoeffding = libm::exp(-(n as f64) * divergence(mean, bar.min(1.0)));
    // Sums a hair above a whole number are that number.
    let sum = libm::ceil(mean * n as f64 - 1e-9).max(0.0) as usize;
    let bentkus = std::f64::consts::E * at_most(sum, n, bar.min(1.0));
    hoeffding.min(bentkus).min(1.0)
}

/// Upper confidence bound of the true mean of values in 0 to 1, by their number and mean.
pub fn hoeffding_bentkus_upper(mean: f64, n: usize, confidence: f64) -> f64 {
    let is_likely = |bar: f64| hoeffding_bentkus_p(mean, n, bar) > 1.0 - confidence;
    if is_likely(1.0) { 1.0 } else { last_that_holds(mean, 1.0, is_likely) }
}

/// Kullback-Leibler divergence of two coins: `a` against `b`, with `a` at most `b`.
fn divergence(a: f64, b: f64) -> f64 {
    let term = |p: f64, q: f64| if p <= 0.0 { 0.0 } else { p * libm::log(p / q) };
    term(a, b) + term(1.0 - a, 1.0 - b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::clopper_pearson;

    #[test]
    fn bounds_are_the_known_ones() {
        // Upper 95 % bounds after 3 % were seen.
        for (n, exact, bound) in
            [(300, 5.18, 5.80), (1_000, 4.05, 4.34), (3_000, 3.56, 3.72), (10_000, 3.30, 3.38)]
        {
            let found = 100.0 * hoeffding_bentkus_upper(0.03, n, 0.95);
            assert!((found - bound).abs() < 5e-3, "{n}: {found}");
            // An upper bound is the upper end of a two-sided interval with twice the tail.
            let found = 100.0 * clopper_pearson(n * 3 / 100, n, 0.9).1;
            assert!((found - exact).abs() < 5e-3, "{n}: {found}");
        }
    }

    #[test]
    fn p_falls_with_the_bar_and_rises_with_the_mean() {
        for n in [10, 100, 1_000] {
            let p =
                |mean: u32, bar: u32| hoeffding_bentkus_p(f64::from(mean) / 50.0, n, f64::from(bar) / 50.0);
            for mean in 0..50 {
                for bar in 1..50 {
                    assert!((0.0..=1.0).contains(&p(mean, bar)));
                    assert!(p(mean, bar + 1) <= p(mean, bar) + 1e-12, "{n}, {mean}, {bar}");
                    assert!(p(mean + 1, bar) >= p(mean, bar) - 1e-12, "{n}, {mean}, {bar}");
                }
            }
        }
    }

    #[test]
    fn bounds_stand_in_their_known_order() {
        for n in [20, 200, 5_000] {
            for seen in [0, n / 10, n / 2, n - 1, n] {
                let mean = seen as f64 / n as f64;
                let exact = clopper_pearson(seen, n, 0.9).1;
                let bound = hoeffding_bentkus_upper(mean, n, 0.95);
                let hoeffding = mean + (20f64.ln() / (2.0 * n as f64)).sqrt();
                assert!(mean <= exact && exact <= bound + 1e-9, "{seen}/{n}: {exact} {bound}");
                assert!(bound <= hoeffding.min(1.0) + 1e-9, "{seen}/{n}: {bound} {hoeffding}");
            }
        }
    }
}
