//! The mean of bounded values, tested by betting against it.

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

#[cfg(test)]
mod tests {
    use super::*;

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
