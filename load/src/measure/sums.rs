//! Exact sums of values and of pairs, so that merging in any order gives the same mean and interval to the last bit.

use serde::{Deserialize, Serialize};

/// Count, sum and sum of squares of whole numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// How many.
    pub n: u64,
    /// Their sum.
    #[serde(with = "wide")]
    pub sum: i128,
    /// The sum of their squares.
    #[serde(with = "wide")]
    pub squares: i128,
}

impl Sums {
    /// Adds one value.
    pub fn add(&mut self, value: i64) {
        let value = i128::from(value);
        self.n += 1;
        self.sum += value;
        self.squares += value * value;
    }

    /// Adds all of another's values.
    pub fn merge(&mut self, other: &Sums) {
        self.n += other.n;
        self.sum += other.sum;
        self.squares += other.squares;
    }

    /// Their mean.
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then(|| self.sum as f64 / self.n as f64)
    }

    /// Standard error of the mean; `None` with fewer than two values.
    pub fn standard_error(&self) -> Option<f64> {
        let mean = self.mean()?;
        // Exact up to here: n x squares - sum^2 can't be lost to rounding.
        let spread =
            i128::from(self.n).checked_mul(self.squares)?.checked_sub(self.sum.checked_mul(self.sum)?)?;
        let n = self.n as f64;
        (self.n > 1 && mean.is_finite()).then(|| libm::sqrt(spread as f64 / (n * (n - 1.0)) / n))
    }
}

/// Sums over pairs of whole numbers, for a ratio of means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairSums {
    /// The first of each pair.
    pub first: Sums,
    /// The second of each pair.
    pub second: Sums,
    /// The sum of their products.
    #[serde(with = "wide")]
    pub products: i128,
}

impl PairSums {
    /// Adds one pair.
    pub fn add(&mut self, first: i64, second: i64) {
        self.first.add(first);
        self.second.add(second);
        self.products += i128::from(first) * i128::from(second);
    }

    /// Adds all of another's pairs.
    pub fn merge(&mut self, other: &PairSums) {
        self.first.merge(&other.first);
        self.second.merge(&other.second);
        self.products += other.products;
    }

    /// Mean of the first over mean of the second.
    pub fn ratio(&self) -> Option<f64> {
        (self.second.sum != 0).then(|| self.first.sum as f64 / self.second.sum as f64)
    }

    /// Standard error of the ratio by the delta method: the spread of `first - ratio x second`.
    pub fn ratio_error(&self) -> Option<f64> {
        let ratio = self.ratio()?;
        let n = self.first.n as f64;
        let squares = self.first.squares as f64 - 2.0 * ratio * self.products as f64
            + ratio * ratio * self.second.squares as f64;
        let deviation = libm::sqrt(squares.max(0.0) / (n - 1.0));
        (self.first.n > 1).then(|| deviation / libm::sqrt(n) / (self.second.sum as f64 / n).abs())
    }
}

/// Numbers beyond 64 bits as text: JSON readers would make floats of them.
pub(crate) mod wide {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(value: &i128, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<i128, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(is: Option<f64>, should: f64) {
        let is = is.unwrap_or(f64::NAN);
        assert!((is - should).abs() < 1e-9, "{is} not {should}");
    }

    #[test]
    fn means_and_errors_are_those_by_hand() {
        let mut sums = Sums::default();
        [2, 4, 4, 4, 5, 5, 7, 9].into_iter().for_each(|value| sums.add(value));
        near(sums.mean(), 5.0);
        // Variance 32 / 7, over 8.
        near(sums.standard_error(), libm::sqrt(32.0 / 7.0 / 8.0));
        assert_eq!(Sums::default().mean(), None);
    }

    #[test]
    fn a_constant_ratio_has_no_error_and_another_one_the_delta_methods() {
        let mut pairs = PairSums::default();
        for second in [10, 20, 30] {
            pairs.add(2 * second, second);
        }
        near(pairs.ratio(), 2.0);
        near(pairs.ratio_error(), 0.0);
        let mut pairs = PairSums::default();
        for (first, second) in [(1, 1), (3, 1), (1, 1), (3, 1)] {
            pairs.add(first, second);
        }
        // With a constant second it is the mean's own error: variance 4 / 3, over 4.
        near(pairs.ratio_error(), libm::sqrt(4.0 / 3.0 / 4.0));
    }

    #[test]
    fn sums_beyond_64_bits_survive_their_file() {
        let mut sums = Sums::default();
        (0..3).for_each(|_| sums.add(i64::MAX / 2));
        let back: Sums = serde_json::from_str(&serde_json::to_string(&sums).unwrap()).unwrap();
        assert_eq!(back, sums);
    }
}
