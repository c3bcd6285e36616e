//! Quantiles of the normal and of Student's t distribution.

use super::Moments;

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
}
