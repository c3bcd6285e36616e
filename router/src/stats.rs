//! The statistics behind a certificate, each tested against known values.

/// Count, mean and variance of a sample.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Moments {
    /// How many values.
    pub n: usize,
    /// Their mean; 0 without values.
    pub mean: f64,
    /// Their variance with n - 1 in the denominator; 0 for fewer than two.
    pub variance: f64,
}

impl Moments {
    /// Two passes, so that equal values have variance 0 exactly.
    pub fn of(values: impl Iterator<Item = f64> + Clone) -> Moments {
        let (mut n, mut sum) = (0usize, 0.0);
        for value in values.clone() {
            n += 1;
            sum += value;
        }
        if n == 0 {
            return Moments::default();
        }
        let mean = sum / n as f64;
        let squares: f64 = values.map(|value| (value - mean) * (value - mean)).sum();
        Moments { n, mean, variance: squares / (n.max(2) - 1) as f64 }
    }

    /// Standard error of the mean; 0 for an empty sample.
    pub fn standard_error(&self) -> f64 {
        libm::sqrt(self.variance / self.n.max(1) as f64)
    }
}

/// The quantile of the standard normal distribution at `p` in (0, 1); accurate to 1e-9.
///
/// Source: P. J. Acklam's rational approximation (relative error 1.15e-9).
pub fn normal_quantile(p: f64) -> f64 {
    let horner = |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum, c| sum * x + c);
    if p <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if p >= 1.0 {
        return f64::INFINITY;
    }
    if p > 0.5 {
        return -normal_quantile(1.0 - p);
    }
    if p < LOW {
        let q = libm::sqrt(-2.0 * libm::log(p));
        return horner(&C, q) / horner(&D, q);
    }
    let q = p - 0.5;
    let r = q * q;
    q * horner(&A, r) / horner(&B, r)
}

/// The quantile of Student's t at `p` with `degrees` >= 30 of freedom, to about 1e-5.
///
/// Source: Cornish-Fisher expansion around the normal quantile, Abramowitz and Stegun 26.7.5.
pub(crate) fn t_quantile(p: f64, degrees: f64) -> f64 {
    let z = normal_quantile(p);
    let (z3, z5, z7) = (z.powi(3), z.powi(5), z.powi(7));
    z + (z3 + z) / (4.0 * degrees)
        + (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * degrees.powi(2))
        + (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * z) / (384.0 * degrees.powi(3))
}

/// Lower confidence bound of a mean by the one-sided t test: asymptotic, for many rows.
pub(crate) fn normal_lower(moments: &Moments, confidence: f64) -> f64 {
    moments.mean - t_quantile(confidence, (moments.n.max(31) - 1) as f64) * moments.standard_error()
}

/// Whether betting rejects "the mean of `values` is at most `bar`" at this confidence; values are at least `-least`.
///
/// Ten fixed bets against the null, each a fortune that can't grow in expectation under it; their mean reaches
/// 1 / (1 - confidence) with at most probability 1 - confidence (Markov). Valid for any n, order-free.
///
/// Source: Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting (2024), with a mixture of
/// fixed bets in place of predictable ones.
pub(crate) fn bets_reject(values: &[f64], bar: f64, least: f64, confidence: f64) -> bool {
    let worst = least + bar; // no value is below bar - worst
    let fortune = |bet: &f64| -> f64 {
        let bet = bet / worst.max(f64::MIN_POSITIVE);
        values.iter().map(|value| libm::log1p(bet * (value - bar))).sum()
    };
    let logs = BETS.map(|bet| fortune(&bet));
    let most = logs.iter().fold(f64::NEG_INFINITY, |most, log| most.max(*log));
    let mean = logs.iter().map(|log| libm::exp(log - most)).sum::<f64>() / BETS.len() as f64;
    most + libm::log(mean) >= -libm::log(1.0 - confidence)
}

/// Lower confidence bound of a mean by betting: the largest bar that is rejected, to 1e-4, at least `from`.
///
/// `from` must be rejected already.
pub(crate) fn bets_lower(values: &[f64], from: f64, least: f64, confidence: f64) -> f64 {
    let (mut low, mut high) = (from, 1.0f64.max(from));
    while high - low > 1e-4 {
        let middle = f64::midpoint(low, high);
        if bets_reject(values, middle, least, confidence) { low = middle } else { high = middle }
    }
    low
}

/// Shares of the largest bet that can't go bankrupt.
const BETS: [f64; 10] = [0.02, 0.04, 0.06, 0.08, 0.1, 0.13, 0.17, 0.22, 0.3, 0.4];

const LOW: f64 = 0.02425;
const A: [f64; 6] = [
    -3.969683028665376e1,
    2.209460984245205e2,
    -2.759285104469687e2,
    1.38357751867269e2,
    -3.066479806614716e1,
    2.506628277459239,
];
const B: [f64; 6] = [
    -5.447609879822406e1,
    1.615858368580409e2,
    -1.556989798598866e2,
    6.680131188771972e1,
    -1.328068155288572e1,
    1.0,
];
const C: [f64; 6] = [
    -7.784894002430293e-3,
    -3.223964580411365e-1,
    -2.400758277161838,
    -2.549732539343734,
    4.374664141464968,
    2.938163982698783,
];
const D: [f64; 5] = [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416, 1.0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (p, z) in
            [(0.5, 0.0), (0.95, 1.6448536), (0.975, 1.9599640), (0.99, 2.3263479), (0.001, -3.0902323)]
        {
            assert!((normal_quantile(p) - z).abs() < 1e-6, "{p}: {}", normal_quantile(p));
        }
        for (p, degrees, t) in [(0.95, 30.0, 1.697261), (0.975, 60.0, 2.000298), (0.99, 120.0, 2.357825)] {
            assert!((t_quantile(p, degrees) - t).abs() < 2e-5, "{p}, {degrees}: {}", t_quantile(p, degrees));
        }
        assert_eq!(normal_quantile(0.0), f64::NEG_INFINITY);
        assert_eq!(normal_quantile(1.0), f64::INFINITY);
    }

    #[test]
    fn moments_are_exact() {
        let moments = Moments::of([1.0, 2.0, 3.0, 4.0].into_iter());
        assert_eq!((moments.n, moments.mean), (4, 2.5));
        assert!((moments.variance - 5.0 / 3.0).abs() < 1e-12);
        assert!((moments.standard_error() - (5.0f64 / 12.0).sqrt()).abs() < 1e-12);
        assert_eq!(Moments::of([0.3, 0.3, 0.3].into_iter()).variance, 0.0);
        assert_eq!(Moments::of(std::iter::empty()), Moments::default());
    }

    #[test]
    fn bets_win_as_computed_by_hand() {
        // All values 1, bar 0, least 1: a bet b multiplies by 1 + b each time.
        for n in [1usize, 5, 8, 9, 40] {
            let mean = BETS.iter().map(|bet| (1.0 + bet).powi(n as i32)).sum::<f64>() / 10.0;
            assert_eq!(bets_reject(&vec![1.0; n], 0.0, 1.0, 0.95), mean >= 20.0, "{n}: {mean}");
        }
        assert!(!bets_reject(&[], 0.0, 1.0, 0.5));
        assert!(!bets_reject(&[-1.0; 50], 0.0, 1.0, 0.6));
    }

    #[test]
    fn the_betting_bound_is_below_the_mean_and_rises_with_rows() {
        let sample = |n: usize| (0..n).map(|at| if at % 4 == 0 { 0.0 } else { 1.0 }).collect::<Vec<f64>>();
        let bound = |n| bets_lower(&sample(n), 0.0, 1.0, 0.95);
        assert!(bound(100) < bound(1_000) && bound(1_000) < bound(10_000) && bound(10_000) < 0.75);
        assert!(bound(10_000) > 0.72, "{}", bound(10_000));
    }
}
