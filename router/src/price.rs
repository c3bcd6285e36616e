//! Prices and amounts: integer nano-USD, one rounding, up, per attempt.

mod amount;
mod listed;
mod own;

pub use amount::{NanoUsd, PriceError};
pub use listed::{Listed, Rate};
pub use own::{FREE_LOAD, OwnGpus, shadow_share};

use serde::{Deserialize, Serialize};

/// Tokens of one attempt with the OpenAI meaning: `prompt` includes `cached` and `cache_write`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Tokens of the prompt, cached ones included.
    pub prompt: u32,
    /// Prompt tokens that came from a cache, at most `prompt`.
    pub cached: u32,
    /// Prompt tokens that were written to a cache for later requests, at most `prompt` less `cached`.
    #[serde(default)]
    pub cache_write: u32,
    /// Tokens produced.
    pub output: u32,
}

impl Tokens {
    /// Prompt tokens that have neither come from a cache nor been written to one.
    pub fn fresh(&self) -> u32 {
        self.prompt.saturating_sub(self.cached).saturating_sub(self.cache_write)
    }

    /// The same with parts of the prompt that are no larger than it.
    fn clamped(self) -> Tokens {
        let cached = self.cached.min(self.prompt);
        Tokens { cached, cache_write: self.cache_write.min(self.prompt - cached), ..self }
    }
}

/// What an expert charges, in nano-USD per million tokens: so that every published price is an integer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// Per million prompt tokens that no cache has to do with.
    pub input: i64,
    /// Per million prompt tokens that came from a cache.
    pub cached_input: i64,
    /// Per million prompt tokens that were written to a cache.
    #[serde(default)]
    pub cache_write: i64,
    /// Per million tokens produced.
    pub output: i64,
    /// For each attempt that used any tokens, in nano-USD.
    #[serde(default)]
    pub per_request: i64,
    /// What a replica costs an hour whether or not it works, in nano-USD, where it runs on GPUs of one's own: then the
    /// prices above are those at full load, and the most that is charged ([`crate::Occupancy`]). 0 for whoever is paid for
    /// tokens.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub replica_hour: i64,
}

fn is_zero(amount: &i64) -> bool {
    *amount == 0
}

impl Price {
    /// The exact cost of an attempt, rounded up once to a whole nano-USD. Who has used nothing was not accepted, and
    /// pays no fee either.
    pub fn cost(&self, tokens: Tokens) -> NanoUsd {
        let tokens = tokens.clamped();
        if tokens == Tokens::default() {
            return NanoUsd::ZERO;
        }
        let part = |tokens: u32, price: i64| i128::from(tokens) * i128::from(price);
        let per_million = part(tokens.fresh(), self.input)
            + part(tokens.cached, self.cached_input)
            + part(tokens.cache_write, self.cache_write)
            + part(tokens.output, self.output);
        let nano = (per_million + 999_999).div_euclid(1_000_000) + i128::from(self.per_request);
        NanoUsd(i64::try_from(nano).unwrap_or(i64::MAX))
    }

    /// The most that an attempt can cost whatever caches do: every prompt token at the dearest of its prices.
    pub fn worst(&self, prompt: u32, output: u32) -> NanoUsd {
        let dearest = self.input.max(self.cached_input).max(self.cache_write);
        let price = Price { input: dearest, ..*self };
        price.cost(Tokens { prompt, output, ..Tokens::default() })
    }

    /// The expected cost for token counts that are estimates, in nano-USD; for choosing only, never for booking.
    pub fn expected(&self, input_tokens: f64, output_tokens: f64) -> f64 {
        let tokens = (input_tokens * self.input as f64 + output_tokens * self.output as f64) / 1e6;
        tokens + self.per_request as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mix::mix;

    const FREE: Price =
        Price { input: 0, cached_input: 0, cache_write: 0, output: 0, per_request: 0, replica_hour: 0 };

    fn tokens(prompt: u32, cached: u32, cache_write: u32, output: u32) -> Tokens {
        Tokens { prompt, cached, cache_write, output }
    }

    #[test]
    fn a_cost_is_rounded_up_once() {
        let price = Price { input: 37_500_000, cached_input: 1, cache_write: 1, output: 1, ..FREE };
        assert_eq!(price.cost(tokens(3, 1, 1, 1)), NanoUsd(38)); // 37.5 + three times 0.000001, up
        assert_eq!(price.cost(Tokens::default()), NanoUsd::ZERO);
    }

    #[test]
    fn more_cached_than_prompt_counts_as_all_cached() {
        let price = Price { input: 2_000_000, cached_input: 1_000_000, cache_write: 5_000_000, ..FREE };
        assert_eq!(price.cost(tokens(3, 9, 9, 0)), NanoUsd(3));
        assert_eq!(price.cost(tokens(3, 2, 9, 0)), NanoUsd(7));
    }

    #[test]
    fn a_fee_is_paid_by_whoever_was_accepted() {
        let price = Price { per_request: 500, ..FREE };
        assert_eq!(price.cost(Tokens::default()), NanoUsd::ZERO);
        assert_eq!(price.cost(tokens(1, 0, 0, 0)), NanoUsd(500));
        assert_eq!(price.worst(1, 1), NanoUsd(500));
        assert_eq!(price.expected(1.0, 1.0), 500.0);
    }

    #[test]
    fn prices_of_before_caches_and_fees_are_read() {
        let old: Price = serde_json::from_str(r#"{"input":1,"cached_input":2,"output":3}"#).expect("read");
        assert_eq!(old, Price { input: 1, cached_input: 2, output: 3, ..FREE });
    }

    #[test]
    fn nothing_costs_more_than_the_worst_case() {
        let mut state = 1_u64;
        let mut below = |most: u64| {
            state = mix(state);
            (state >> 16) % (most + 1)
        };
        for _ in 0..10_000 {
            let mut price = || below(1_000_000_000).cast_signed();
            let (input, cached_input, cache_write, output, per_request) =
                (price(), price(), price(), price(), price());
            let price = Price { input, cached_input, cache_write, output, per_request, ..FREE };
            let mut count = || u32::try_from(below(2_000_000)).expect("small");
            let used = tokens(count(), count(), count(), count());
            assert!(price.cost(used) <= price.worst(used.prompt, used.output), "{price:?} {used:?}");
        }
    }
}
