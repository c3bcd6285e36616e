//! Prices and amounts: integer nano-USD, one rounding, up, per attempt.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

/// An amount of money in nano-USD (10^-9 USD).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NanoUsd(pub i64);

impl NanoUsd {
    /// Nothing.
    pub const ZERO: NanoUsd = NanoUsd(0);

    /// Reads a decimal string of USD, for instance `"0.05"`, exactly.
    ///
    /// # Errors
    /// Not a plain decimal number, more than nine places, or out of range.
    pub fn from_usd(text: &str) -> Result<NanoUsd, PriceError> {
        parse_nano(text).map(NanoUsd)
    }

    /// The amount in USD, for people and reports only.
    pub fn to_usd(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl fmt::Display for NanoUsd {
    /// Exact decimal USD, at least two places: `0.05`, `0.000012345`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let nano = self.0.unsigned_abs();
        let fraction = format!("{:09}", nano % 1_000_000_000);
        let shown = fraction.trim_end_matches('0');
        write!(f, "{sign}{}.{shown:0<2}", nano / 1_000_000_000)
    }
}

impl Add for NanoUsd {
    type Output = NanoUsd;
    fn add(self, other: NanoUsd) -> NanoUsd {
        NanoUsd(self.0.saturating_add(other.0))
    }
}

impl Sub for NanoUsd {
    type Output = NanoUsd;
    fn sub(self, other: NanoUsd) -> NanoUsd {
        NanoUsd(self.0.saturating_sub(other.0))
    }
}

impl AddAssign for NanoUsd {
    fn add_assign(&mut self, other: NanoUsd) {
        *self = *self + other;
    }
}

impl Sum for NanoUsd {
    fn sum<I: Iterator<Item = NanoUsd>>(amounts: I) -> NanoUsd {
        amounts.fold(NanoUsd::ZERO, Add::add)
    }
}

/// Tokens of one attempt with the OpenAI meaning: `prompt` includes `cached`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Tokens of the prompt, cached ones included.
    pub prompt: u32,
    /// Prompt tokens that came from a cache, at most `prompt`.
    pub cached: u32,
    /// Tokens produced.
    pub output: u32,
}

/// What an expert charges, in nano-USD per million tokens: so that every published price is an integer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// Per million uncached prompt tokens.
    pub input: i64,
    /// Per million cached prompt tokens.
    pub cached_input: i64,
    /// Per million tokens produced.
    pub output: i64,
}

impl Price {
    /// Reads decimal strings of USD per million tokens; no cached price means the input price.
    ///
    /// # Errors
    /// A string that is not a decimal number of at least 0 with at most nine places.
    pub fn from_decimals(input: &str, cached: Option<&str>, output: &str) -> Result<Price, PriceError> {
        let input = parse_price(input)?;
        let cached_input = cached.map(parse_price).transpose()?.unwrap_or(input);
        Ok(Price { input, cached_input, output: parse_price(output)? })
    }

    /// The exact cost of an attempt, rounded up once to a whole nano-USD.
    pub fn cost(&self, tokens: Tokens) -> NanoUsd {
        let cached = tokens.cached.min(tokens.prompt);
        let fresh = tokens.prompt - cached;
        let per_million = i128::from(fresh) * i128::from(self.input)
            + i128::from(cached) * i128::from(self.cached_input)
            + i128::from(tokens.output) * i128::from(self.output);
        let nano = (per_million + 999_999).div_euclid(1_000_000);
        NanoUsd(i64::try_from(nano).unwrap_or(i64::MAX))
    }

    /// The expected cost for token counts that are estimates, in nano-USD; for choosing only, never for booking.
    pub fn expected(&self, input_tokens: f64, output_tokens: f64) -> f64 {
        (input_tokens * self.input as f64 + output_tokens * self.output as f64) / 1e6
    }
}

/// A price or amount that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// Not a plain decimal number.
    #[error("{0:?} is not a decimal number such as \"0.25\"")]
    NotDecimal(String),
    /// Finer than a nano-USD.
    #[error("{0:?} has more than nine decimal places")]
    TooFine(String),
    /// Below zero.
    #[error("{0:?} is negative; a price is at least 0")]
    Negative(String),
    /// Too large for 64 bits.
    #[error("{0:?} is too large; the most is about 9 billion USD")]
    TooLarge(String),
}

fn parse_price(text: &str) -> Result<i64, PriceError> {
    match parse_nano(text)? {
        nano if nano < 0 => Err(PriceError::Negative(text.to_owned())),
        nano => Ok(nano),
    }
}

fn parse_nano(text: &str) -> Result<i64, PriceError> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) {
        return Err(PriceError::NotDecimal(text.to_owned()));
    }
    if fraction.len() > 9 {
        return Err(PriceError::TooFine(text.to_owned()));
    }
    let too_large = || PriceError::TooLarge(text.to_owned());
    let whole: i64 = whole.parse().map_err(|_| too_large())?;
    let fraction: i64 = format!("{fraction:0<9}").parse().map_err(|_| too_large())?;
    let nano = whole.checked_mul(1_000_000_000).and_then(|nano| nano.checked_add(fraction));
    Ok(sign * nano.ok_or_else(too_large)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_prices_are_exact() {
        let price = Price::from_decimals("0.0375", None, "0.15").expect("valid");
        assert_eq!(price, Price { input: 37_500_000, cached_input: 37_500_000, output: 150_000_000 });
    }

    #[test]
    fn a_cost_is_rounded_up_once() {
        let price = Price { input: 37_500_000, cached_input: 1, output: 1 };
        let cost = price.cost(Tokens { prompt: 2, cached: 1, output: 1 });
        assert_eq!(cost, NanoUsd(38)); // 37.5 + 0.000001 + 0.000001, up
        assert_eq!(price.cost(Tokens::default()), NanoUsd::ZERO);
    }

    #[test]
    fn more_cached_than_prompt_counts_as_all_cached() {
        let price = Price { input: 2_000_000, cached_input: 1_000_000, output: 0 };
        assert_eq!(price.cost(Tokens { prompt: 3, cached: 9, output: 0 }), NanoUsd(3));
    }

    #[test]
    fn amounts_read_and_show_alike() {
        for text in ["0.05", "12.00", "0.000000001", "-3.25"] {
            assert_eq!(NanoUsd::from_usd(text).expect("valid").to_string(), text);
        }
    }

    #[test]
    fn bad_prices_say_why() {
        assert!(matches!(Price::from_decimals("1e3", None, "1"), Err(PriceError::NotDecimal(_))));
        assert!(matches!(Price::from_decimals("-1", None, "1"), Err(PriceError::Negative(_))));
        assert!(matches!(NanoUsd::from_usd("0.0000000001"), Err(PriceError::TooFine(_))));
        assert!(matches!(NanoUsd::from_usd("99999999999"), Err(PriceError::TooLarge(_))));
        assert!(matches!(NanoUsd::from_usd(""), Err(PriceError::NotDecimal(_))));
    }
}
