//! The mean of values that come in groups: values of one group resemble each other, the groups are independent.

/// A mean with its standard error by groups.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct GroupedMean {
    /// Mean over all values, each counted once.
    pub(crate) mean: f64,
    /// Standard error if the groups are independent draws, whatever goes on within them.
    pub(crate) standard_error: f64,
    /// Degrees of freedom of that error.
    pub(crate) degrees: f64,
}

impl GroupedMean {
    /// From each group's sum and size.
    ///
    /// The mean is a ratio of two sums over groups, so its error is that of `sum - mean * size` (linearisation). Degrees of
    /// freedom are those of as many equal groups as would weigh the same: groups minus one where all have one value,
    /// fewer where a few groups hold most of the values.
    ///
    /// Source: Liang and Zeger (1986), the sandwich estimator for a mean; effective groups after Kish (1965).
    pub(crate) fn of(sums: &[f64], sizes: &[f64]) -> GroupedMean {
        let n: f64 = sizes.iter().sum();
        let groups = sums.len() as f64;
        if n < 1.0 || groups < 2.0 {
            return GroupedMean { mean: sums.iter().sum::<f64>() / n.max(1.0), ..GroupedMean::default() };
        }
        let mean = sums.iter().sum::<f64>() / n;
        let residual = |(sum, size): (&f64, &f64)| sum - mean * size;
        let squares: f64 = sums.iter().zip(sizes).map(|pair| residual(pair).powi(2)).sum();
        let effective = n * n / sizes.iter().map(|size| size * size).sum::<f64>();
        GroupedMean {
            mean,
            standard_error: libm::sqrt(squares * groups / (groups - 1.0)) / n,
            degrees: effective - 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Moments;

    #[test]
    fn single_values_are_a_plain_sample() {
        let values = [0.2, -0.4, 0.9, 0.1, 0.0];
        let moments = Moments::of(values.into_iter());
        let grouped = GroupedMean::of(&values, &[1.0; 5]);
        assert!((grouped.mean - moments.mean).abs() < 1e-15);
        assert!((grouped.standard_error - moments.standard_error()).abs() < 1e-15);
        assert!((grouped.degrees - 4.0).abs() < 1e-12);
    }

    #[test]
    fn copies_of_a_value_add_nothing() {
        let values = [0.2, -0.4, 0.9, 0.1, 0.0];
        let plain = GroupedMean::of(&values, &[1.0; 5]);
        let tripled = GroupedMean::of(&values.map(|value| 3.0 * value), &[3.0; 5]);
        assert!((tripled.mean - plain.mean).abs() < 1e-12);
        assert!((tripled.standard_error - plain.standard_error).abs() < 1e-12);
        assert!((tripled.degrees - plain.degrees).abs() < 1e-12);
        assert!((GroupedMean::of(&[3.0, 1.0], &[3.0, 1.0]).degrees - 0.6).abs() < 1e-12);
    }
}
