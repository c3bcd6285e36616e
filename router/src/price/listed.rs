//! Prices as they are published: decimal strings in some currency.

use super::amount::parse_price;
use super::{Price, PriceError};

/// What a vendor publishes: decimal strings in its currency. Per million tokens, but for the last.
#[derive(Debug, Clone, Copy, Default)]
pub struct Listed<'a> {
    /// Uncached tokens of the prompt.
    pub input: &'a str,
    /// Tokens of the prompt that came from a cache; as `input` when absent.
    pub cached_input: Option<&'a str>,
    /// Tokens of the prompt that were written to a cache; as `input` when absent.
    pub cache_write: Option<&'a str>,
    /// Tokens produced.
    pub output: &'a str,
    /// A fee for each request that is accepted; none when absent.
    pub per_request: Option<&'a str>,
}

/// What one unit of a currency is worth, in nano-USD; above 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(i64);

impl Rate {
    /// A dollar's.
    pub const USD: Rate = Rate(1_000_000_000);

    /// Reads a decimal string of USD for one unit, for instance `"0.1380"`.
    ///
    /// # Errors
    /// Not a decimal number above 0 with at most nine places.
    pub fn from_usd(text: &str) -> Result<Rate, PriceError> {
        match parse_price(text)? {
            0 => Err(PriceError::NoWorth),
            nano => Ok(Rate(nano)),
        }
    }

    /// An amount of the currency in billionths of its unit, as nano-USD, rounded up.
    pub(super) fn convert(self, nano: i64, text: &str) -> Result<i64, PriceError> {
        let product = i128::from(nano) * i128::from(self.0);
        let usd = (product + 999_999_999).div_euclid(1_000_000_000);
        i64::try_from(usd).map_err(|_| PriceError::TooLarge(text.to_owned()))
    }
}

impl Price {
    /// Reads published prices. In dollars they are exact; in another currency each is rounded up once, to a whole
    /// nano-USD per million tokens.
    ///
    /// # Errors
    /// A string that is not a decimal number of at least 0 with at most nine places, or too much of it.
    pub fn from_listed(listed: Listed<'_>, rate: Rate) -> Result<Price, PriceError> {
        let read = |text: &str| rate.convert(parse_price(text)?, text);
        let input = read(listed.input)?;
        let or_input = |text: Option<&str>| text.map_or(Ok(input), read);
        Ok(Price {
            input,
            cached_input: or_input(listed.cached_input)?,
            cache_write: or_input(listed.cache_write)?,
            output: read(listed.output)?,
            per_request: listed.per_request.map_or(Ok(0), read)?,
            replica_hour: 0,
        })
    }

    /// Reads decimal strings of USD per million tokens; no cached price means the input price.
    ///
    /// # Errors
    /// As [`Price::from_listed`].
    pub fn from_decimals(input: &str, cached: Option<&str>, output: &str) -> Result<Price, PriceError> {
        Price::from_listed(Listed { input, cached_input: cached, output, ..Listed::default() }, Rate::USD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_prices_are_exact() {
        let price = Price::from_decimals("0.0375", None, "0.15").expect("valid");
        let input = 37_500_000;
        let expected =
            Price { input, cached_input: input, cache_write: input, output: 150_000_000, ..Price::default() };
        assert_eq!(price, expected);
    }

    #[test]
    fn another_currency_is_converted_once_and_up() {
        let listed = Listed {
            input: "0.8",
            cached_input: Some("0.000000001"),
            cache_write: Some("1"),
            output: "2",
            per_request: Some("0.01"),
        };
        let price = Price::from_listed(listed, Rate::from_usd("0.1380").expect("a rate")).expect("valid");
        let expected = Price {
            input: 110_400_000,
            cached_input: 1,
            cache_write: 138_000_000,
            output: 276_000_000,
            per_request: 1_380_000,
            replica_hour: 0,
        };
        assert_eq!(price, expected);
    }

    #[test]
    fn bad_prices_and_rates_say_why() {
        assert!(matches!(Price::from_decimals("1e3", None, "1"), Err(PriceError::NotDecimal(_))));
        assert!(matches!(Price::from_decimals("-1", None, "1"), Err(PriceError::Negative(_))));
        assert_eq!(Rate::from_usd("0.00"), Err(PriceError::NoWorth));
        let rate = Rate::from_usd("5").expect("a rate");
        let much = Listed { input: "9000000000", output: "1", ..Listed::default() };
        assert!(matches!(Price::from_listed(much, rate), Err(PriceError::TooLarge(_))));
    }
}
