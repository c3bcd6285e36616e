//! Amounts: integer nano-USD, and the decimal strings that they are read from.

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
    /// A currency that is worth nothing.
    #[error("the rate is 0; write what one unit is worth in USD, such as \"0.1380\"")]
    NoWorth,
    /// Too large for 64 bits.
    #[error("{0:?} is too large; the most is about 9 billion USD")]
    TooLarge(String),
}

/// A price of at least 0, in billionths of its unit.
pub(super) fn parse_price(text: &str) -> Result<i64, PriceError> {
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
    fn amounts_read_and_show_alike() {
        for text in ["0.05", "12.00", "0.000000001", "-3.25"] {
            assert_eq!(NanoUsd::from_usd(text).expect("valid").to_string(), text);
        }
    }

    #[test]
    fn amounts_that_are_none_say_why() {
        assert!(matches!(NanoUsd::from_usd("0.0000000001"), Err(PriceError::TooFine(_))));
        assert!(matches!(NanoUsd::from_usd("99999999999"), Err(PriceError::TooLarge(_))));
        assert!(matches!(NanoUsd::from_usd(""), Err(PriceError::NotDecimal(_))));
    }
}
