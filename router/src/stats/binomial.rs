//! The binomial distribution, and the exact interval of a share that comes from it.

use super::last_that_holds;

/// The exact two-sided interval of a share, after `successes` of `n` independent tries; (0, 1) without tries.
///
/// It covers the true share with at least this confidence whatever the share is, at the price of being a little wide.
///
/// Source: Clopper and Pearson (1934), each tail with half of what is not covered.
pub fn clopper_pearson(successes: usize, n: usize, confidence: f64) -> (f64, f64) {
    let tail = (1.0 - confidence) / 2.0;
    let successes = successes.min(n);
    // At the low end so many successes are just too many to be chance, at the high end just too few.
    let is_too_low = |share: f64| successes > 0 && 1.0 - at_most(successes - 1, n, share) <= tail;
    let is_not_too_high = |share: f64| at_most(successes, n, share) >= tail;
    let low = if successes == 0 { 0.0 } else { last_that_holds(0.0, 1.0, is_too_low) };
    let high = if successes == n { 1.0 } else { last_that_holds(0.0, 1.0, is_not_too_high) };
    (low, high)
}

/// The probability of at most `successes` in `n` tries of probability `share`.
pub(super) fn at_most(successes: usize, n: usize, share: f64) -> f64 {
    if successes >= n {
        return 1.0;
    }
    1.0 - incomplete_beta(successes as f64 + 1.0, (n - successes) as f64, share)
}

/// The regularised incomplete beta function; accurate to about 1e-12.
///
/// Source: continued fraction 8.17.22 of the NIST Digital Library of Mathematical Functions, by Lentz's method.
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(b, a, 1.0 - x); // where the fraction converges quickly
    }
    let ln_front =
        libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * libm::log(x) + b * libm::log1p(-x);
    libm::exp(ln_front) * fraction(a, b, x) / a
}

fn fraction(a: f64, b: f64, x: f64) -> f64 {
    let away_from_0 = |value: f64| if value.abs() < f64::MIN_POSITIVE { f64::MIN_POSITIVE } else { value };
    let (mut c, mut d) = (1.0, 1.0 / away_from_0(1.0 - (a + b) * x / (a + 1.0)));
    let mut value = d;
    for m in 1..MOST_TERMS {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        for term in [even, odd] {
            d = 1.0 / away_from_0(1.0 + term * d);
            c = away_from_0(1.0 + term / c);
            value *= c * d;
        }
        if (c * d - 1.0).abs() < 1e-15 {
            break;
        }
    }
    value
}

/// It takes about the square root of the number of tries.
const MOST_TERMS: u32 = 20_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_the_tables() {
        // scipy.stats.binomtest(k, n).proportion_ci(confidence, "exact")
        for (successes, n, confidence, low, high) in [
            (9, 300, 0.9, 0.015_737_99, 0.051_766_06),
            (30, 1_000, 0.9, 0.021_674_78, 0.040_472_24),
            (0, 60, 0.9, 0.0, 0.048_702_91),
            (7, 10, 0.95, 0.347_547_15, 0.933_260_49),
            (10, 10, 0.95, 0.691_502_89, 1.0),
            (300, 10_000, 0.99, 0.025_780_62, 0.034_673_36),
        ] {
            let found = clopper_pearson(successes, n, confidence);
            assert!(
                (found.0 - low).abs() < 1e-7 && (found.1 - high).abs() < 1e-7,
                "{successes}/{n}: {found:?}"
            );
        }
        assert_eq!(clopper_pearson(0, 0, 0.95), (0.0, 1.0));
    }

    #[test]
    fn the_binomial_sums_to_what_its_terms_do() {
        let (n, share) = (12usize, 0.3f64);
        let choose = |k: usize| (0..k).fold(1.0, |ways, at| ways * (n - at) as f64 / (at + 1) as f64);
        let mut sum = 0.0;
        for k in 0..n {
            sum += choose(k) * share.powi(k as i32) * (1.0 - share).powi((n - k) as i32);
            assert!((at_most(k, n, share) - sum).abs() < 1e-12, "{k}");
        }
        assert_eq!(at_most(n, n, share), 1.0);
    }

    #[test]
    fn intervals_hold_the_share_narrow_with_tries_and_widen_with_confidence() {
        for n in [1usize, 5, 40, 700] {
            for successes in (0..=n).step_by(n.div_ceil(7)) {
                let share = successes as f64 / n as f64;
                let (low, high) = clopper_pearson(successes, n, 0.9);
                let (lower, higher) = clopper_pearson(successes, n, 0.99);
                assert!(lower <= low && low <= share && share <= high && high <= higher, "{successes}/{n}");
                let (near, far) = clopper_pearson(successes * 10, n * 10, 0.9);
                assert!(far - near < high - low, "{successes}/{n}");
            }
        }
    }
}
