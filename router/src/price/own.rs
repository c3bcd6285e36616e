//! The price of a token on GPUs of one's own: what a replica costs an hour over the tokens that it gives at full load.

use super::amount::parse_price;
use super::{Price, PriceError, Rate};

/// A replica on GPUs of one's own, as it is written down.
#[derive(Debug, Clone, Copy)]
pub struct OwnGpus<'a> {
    /// What one GPU costs an hour: a decimal string in some currency.
    pub gpu_hour: &'a str,
    /// GPUs of one replica, at least 1.
    pub gpus: u32,
    /// Tokens a second that a replica produces at full load, over all its requests, at least 1.
    pub tokens_per_s: u32,
    /// Tokens of prompts a second that a replica reads when it does nothing else, at least 1.
    pub prompt_tokens_per_s: u32,
}

impl Price {
    /// The most that a token costs on one's own GPUs: its part of a replica that is wholly used. Each price is rounded up
    /// once, to a whole nano-USD per million tokens. A token that comes from a cache takes no work and costs nothing.
    ///
    /// # Errors
    /// As [`Price::from_listed`].
    pub fn from_gpu_hour(own: OwnGpus<'_>, rate: Rate) -> Result<Price, PriceError> {
        let too_large = || PriceError::TooLarge(own.gpu_hour.to_owned());
        let one = rate.convert(parse_price(own.gpu_hour)?, own.gpu_hour)?;
        let replica_hour = one.checked_mul(i64::from(own.gpus)).filter(|hour| *hour <= DEAREST_HOUR);
        let replica_hour = replica_hour.ok_or_else(too_large)?;
        let per_mtok = |tokens_per_s: u32| {
            let tokens_per_h = i128::from(tokens_per_s.max(1)) * SECONDS_OF_HOUR;
            let nano = (i128::from(replica_hour) * 1_000_000 + tokens_per_h - 1) / tokens_per_h;
            i64::try_from(nano).map_err(|_| too_large())
        };
        let input = per_mtok(own.prompt_tokens_per_s)?;
        let output = per_mtok(own.tokens_per_s)?;
        Ok(Price { input, cached_input: 0, cache_write: input, output, per_request: 0, replica_hour })
    }

    /// Whether it is that of GPUs of one's own.
    pub fn is_own(&self) -> bool {
        self.replica_hour > 0
    }
}

/// What one more token takes from others, as a share of its price at full load: 0 to 2, for choosing only.
///
/// `load` is what a pool has to do over what it can do at once. A GPU that is paid for anyway costs nothing more for one
/// more request while it has room; from [`FREE_LOAD`] on each request slows others down or makes them wait, and the share
/// rises in a straight line: 1 at full load, 2 when as much again of that stretch waits. Charging the mean cost instead
/// would make an idle pool look dear, and keep it idle.
///
/// Source: the price of a resource is the dual variable of its capacity, 0 while that does not bind: F. Kelly, A. Maulloo,
/// D. Tan, "Rate control for communication networks: shadow prices, proportional fairness and stability", J. Oper. Res. Soc.
/// 49 (1998). The straight line is a choice of ours.
pub fn shadow_share(load: f64) -> f64 {
    ((load - FREE_LOAD) / (1.0 - FREE_LOAD)).clamp(0.0, MOST_SHARE)
}

/// Load up to which one more request costs nothing.
pub const FREE_LOAD: f64 = 0.6;
const MOST_SHARE: f64 = 2.0;
const SECONDS_OF_HOUR: i128 = 3_600;
/// A million dollars: the arithmetic of shares holds up to there with room to spare.
const DEAREST_HOUR: i64 = 1_000_000_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: OwnGpus<'_> =
        OwnGpus { gpu_hour: "2.50", gpus: 2, tokens_per_s: 1_000, prompt_tokens_per_s: 10_000 };

    #[test]
    fn a_full_replica_earns_what_it_costs() {
        let price = Price::from_gpu_hour(OWN, Rate::USD).expect("valid");
        assert_eq!(price.replica_hour, 5_000_000_000);
        assert_eq!(price.output, 1_388_888_889); // 5 USD over 3.6 million tokens, up
        assert_eq!(price.input, 138_888_889);
        assert_eq!((price.cached_input, price.cache_write, price.is_own()), (0, price.input, true));
        let hour = price.cost(crate::Tokens { output: 3_600_000, ..Default::default() });
        assert!((5_000_000_000..5_000_000_004).contains(&hour.0), "{hour}");
    }

    #[test]
    fn an_hour_in_another_currency_is_converted_once_and_up() {
        let rate = Rate::from_usd("0.1380").expect("a rate");
        let price = Price::from_gpu_hour(OwnGpus { gpu_hour: "10.000000001", ..OWN }, rate).expect("valid");
        assert_eq!(price.replica_hour, 2 * 1_380_000_001);
    }

    #[test]
    fn an_hour_that_is_none_says_why() {
        let of = |gpu_hour| Price::from_gpu_hour(OwnGpus { gpu_hour, ..OWN }, Rate::USD);
        assert!(matches!(of("-1"), Err(PriceError::Negative(_))));
        assert!(matches!(of("2,50"), Err(PriceError::NotDecimal(_))));
        assert!(matches!(of("600000"), Err(PriceError::TooLarge(_))));
        assert!(!of("0").expect("a gift").is_own());
    }

    #[test]
    fn a_pool_with_room_is_free_and_one_that_is_full_is_not() {
        let shares = [0.0, 0.6, 0.8, 1.0, 1.4, 9.0].map(shadow_share);
        let expected = [0.0, 0.0, 0.5, 1.0, 2.0, 2.0];
        assert!(shares.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{shares:?}");
    }
}
