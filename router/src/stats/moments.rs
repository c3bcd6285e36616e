//! Count, mean and variance of a sample.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_exact() {
        let moments = Moments::of([1.0, 2.0, 3.0, 4.0].into_iter());
        assert_eq!((moments.n, moments.mean), (4, 2.5));
        assert!((moments.variance - 5.0 / 3.0).abs() < 1e-12);
        assert!((moments.standard_error() - (5.0f64 / 12.0).sqrt()).abs() < 1e-12);
        assert_eq!(Moments::of([0.3, 0.3, 0.3].into_iter()).variance, 0.0);
        assert_eq!(Moments::of(std::iter::empty()), Moments::default());
    }
}
