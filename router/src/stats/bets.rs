//! The mean of bounded values, tested by betting against it.

/// Groups of values that are each at least `-least`, with their sums and sizes, and the amounts that are bet on them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bets<'a> {
    /// Sum of each group's values.
    pub(crate) sums: &'a [f64],
    /// How many values each group has.
    pub(crate) sizes: &'a [f64],
    /// No value is below `-least`.
    pub(crate) least: f64,
    /// Share of the fortune that is staked for each unit of a group's sum; chosen without a look at the values.
    pub(crate) stakes: &'a [f64],
}

impl Bets<'_> {
    /// Whether betting rejects "the mean is at most `bar`" at this confidence.
    ///
    /// Fixed bets against the null, each a fortune that can't grow in expectation under it; their mean reaches
    /// 1 / (1 - confidence) with at most probability 1 - confidence (Markov). Valid for any number of groups, order-free.
    /// A group is one bet on its sum, so what goes on within it doesn't matter; the largest group bounds the stakes.
    ///
    /// Source: Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting (2024), with a mixture
    /// of fixed bets in place of predictable ones.
    pub(crate) fn reject(&self, bar: f64, confidence: f64) -> bool {
        let largest = self.sizes.iter().fold(1.0f64, |most, size| most.max(*size));
        let most_stake = SAFE / ((self.least + bar) * largest).max(f64::MIN_POSITIVE);
        let fortune = |stake: &f64| -> f64 {
            let stake = stake.min(most_stake);
            let gains = self.sums.iter().zip(self.sizes).map(|(sum, size)| sum - bar * size);
            gains.map(|gain| libm::log1p(stake * gain)).sum()
        };
        let logs: Vec<f64> = self.stakes.iter().map(fortune).collect();
        let most = logs.iter().fold(f64::NEG_INFINITY, |most, log| most.max(*log));
        let mean = logs.iter().map(|log| libm::exp(log - most)).sum::<f64>() / logs.len() as f64;
        most + libm::log(mean) >= -libm::log(1.0 - confidence)
    }

    /// Lower confidence bound of the mean: the largest bar that is rejected, to 1e-4, at least `from`.
    ///
    /// `from` must be rejected already.
    pub(crate) fn lower(&self, from: f64, confidence: f64) -> f64 {
        let (mut low, mut high) = (from, 1.0f64.max(from));
        while high - low > 1e-4 {
            let middle = f64::midpoint(low, high);
            if self.reject(middle, confidence) { low = middle } else { high = middle }
        }
        low
    }
}

/// The largest share of a fortune that one bet may lose.
const SAFE: f64 = 0.9;

#[cfg(test)]
mod tests {
    use super::*;

    const STAKES: [f64; 3] = [0.05, 0.1, 0.3];

    fn bets<'a>(sums: &'a [f64], sizes: &'a [f64]) -> Bets<'a> {
        Bets { sums, sizes, least: 1.0, stakes: &STAKES }
    }

    #[test]
    fn bets_win_as_computed_by_hand() {
        // All values 1: a stake b multiplies by 1 + b each time.
        for n in [1usize, 5, 11, 15, 40] {
            let mean = STAKES.iter().map(|stake| (1.0 + stake).powi(n as i32)).sum::<f64>() / 3.0;
            let ones = vec![1.0; n];
            assert_eq!(bets(&ones, &ones).reject(0.0, 0.95), mean >= 20.0, "{n}: {mean}");
        }
        assert!(!bets(&[], &[]).reject(0.0, 0.5));
        assert!(!bets(&[-1.0; 50], &[1.0; 50]).reject(0.0, 0.6));
    }

    #[test]
    fn the_bound_is_below_the_mean_and_rises_with_rows() {
        let bound = |n: usize| {
            let sample: Vec<f64> = (0..n).map(|at| if at % 4 == 0 { 0.0 } else { 1.0 }).collect();
            bets(&sample, &vec![1.0; n]).lower(0.0, 0.95)
        };
        assert!(bound(100) < bound(1_000) && bound(1_000) < bound(10_000) && bound(10_000) < 0.75);
        assert!(bound(10_000) > 0.72, "{}", bound(10_000));
    }

    #[test]
    fn a_group_is_one_bet_and_can_t_ruin() {
        let (sums, sizes) = ([20.0, 20.0, -20.0], [20.0; 3]);
        assert!(!bets(&sums, &sizes).reject(0.0, 0.9), "two of three draws prove nothing");
        assert!(bets(&[1.0; 60], &[1.0; 60]).reject(0.0, 0.9));
        let ruin = Bets { stakes: &[5.0], ..bets(&[-1.0, 9.0, 9.0, 9.0], &[1.0; 4]) };
        assert!(ruin.reject(0.0, 0.9), "a stake is cut to what can be lost");
    }
}
