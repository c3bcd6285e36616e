//! Integers shared out so that not one is lost.

/// Shares of `amount`, at least 0, in proportion to `weights`, by largest remainder: they add up to it exactly, and each is
/// within one of its exact part. Of equal remainders the first gains. Weights that are all 0 leave everything to the first
/// share; without weights there are no shares.
///
/// Weights beyond 64 bits in sum lose their last bits, alike.
pub fn split(amount: i64, weights: &[u128]) -> Vec<i64> {
    if weights.is_empty() {
        return Vec::new();
    }
    let amount = u128::from(amount.max(0).cast_unsigned());
    let weights = within_64_bits(weights);
    let sum: u128 = weights.iter().sum();
    if sum == 0 {
        let first = |at| if at == 0 { to_i64(amount) } else { 0 };
        return (0..weights.len()).map(first).collect();
    }
    let mut shares: Vec<u128> = weights.iter().map(|weight| amount * weight / sum).collect();
    let mut by_remainder: Vec<usize> = (0..weights.len()).collect();
    by_remainder.sort_by_key(|&at| std::cmp::Reverse(amount * weights[at] % sum));
    let left = amount - shares.iter().sum::<u128>();
    // Fewer are left than there are shares, for each lacks less than one.
    for at in by_remainder.into_iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
        shares[at] += 1;
    }
    shares.into_iter().map(to_i64).collect()
}

/// The same proportions, so small that their product with an amount fits.
fn within_64_bits(weights: &[u128]) -> Vec<u128> {
    // The sum of so many has at most so many bits more than the largest.
    let of_count = usize::BITS - weights.len().leading_zeros();
    let of_largest = u128::BITS - weights.iter().max().map_or(u128::BITS, |weight| weight.leading_zeros());
    let shift = (of_largest + of_count).saturating_sub(u64::BITS);
    weights.iter().map(|weight| weight >> shift).collect()
}

fn to_i64(share: u128) -> i64 {
    i64::try_from(share).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mix::mix;

    #[test]
    fn what_is_left_goes_to_the_largest_remainders() {
        assert_eq!(split(10, &[1, 1, 1]), [4, 3, 3]);
        assert_eq!(split(100, &[1, 2, 4]), [14, 29, 57]); // 14.29, 28.57, 57.14
        assert_eq!(split(7, &[0, 5, 0]), [0, 7, 0]);
        assert_eq!(split(7, &[0, 0]), [7, 0]);
        assert_eq!(split(0, &[3, 4]), [0, 0]);
        assert_eq!(split(5, &[]), [0_i64; 0]);
    }

    #[test]
    fn shares_add_up_and_are_within_one_of_their_part() {
        let mut state = 7_u64;
        let mut draw = || {
            state = mix(state);
            state
        };
        for round in 0..20_000_u64 {
            let bits = draw() % 64;
            let amount = (draw() >> (1 + bits % 63)).cast_signed();
            let width = usize::try_from(1 + draw() % 9).expect("small");
            let weights: Vec<u128> =
                (0..width).map(|_| u128::from(draw() >> bits) * u128::from(draw() % 3)).collect();
            let shares = split(amount, &weights);
            assert_eq!(shares.iter().sum::<i64>(), amount, "round {round}");
            let sum: u128 = weights.iter().sum();
            if sum > 0 && sum < 1 << 32 && amount < 1 << 40 {
                for (share, weight) in shares.iter().zip(&weights) {
                    let exact = amount as f64 * *weight as f64 / sum as f64;
                    assert!((*share as f64 - exact).abs() < 1.001, "round {round}: {share} for {exact}");
                }
            }
        }
    }

    #[test]
    fn the_largest_amounts_and_weights_fit() {
        let shares = split(i64::MAX, &[u128::MAX, u128::MAX, u128::MAX]);
        assert_eq!(shares.iter().sum::<i64>(), i64::MAX);
        assert_eq!(split(i64::MAX, &[u128::MAX, 1]), [i64::MAX, 0]);
        assert_eq!(split(-3, &[1, 1]), [0, 0]);
    }
}
