//! How well a try's times were foreseen: what it took over what its pool was quoted to take.

use crate::lease::Attempt;
use crate::observe::AttemptEnd;
use sluice_router::Decision;

/// Real times over predicted ones; 1 is right, 2 is twice as slow as foreseen.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Foresight {
    /// Of the time from dispatch to the first token; none when no token came.
    pub(crate) ttft_ratio: Option<f64>,
    /// Of the mean time for each token after it; none when the answer is not complete, since then nobody has counted
    /// its tokens, or has a single one.
    pub(crate) tpot_ratio: Option<f64>,
}

/// Compares a request's first try with the quote for its pool. Later ones say nothing: they begin when the pools are no
/// longer as they were when the quote was made.
pub(crate) fn of(decision: &Decision, attempt: &Attempt) -> Foresight {
    if attempt.n > 0 {
        return Foresight::default();
    }
    let quote = decision.quotes.iter().find(|quote| quote.pool == Some(attempt.step.pool));
    let Some(quote) = quote else { return Foresight::default() };
    let tpot_ms = attempt.tpot_ms.filter(|_| attempt.end == AttemptEnd::Done);
    Foresight { ttft_ratio: ratio(attempt.ttft_ms, quote.ttft_ms), tpot_ratio: ratio(tpot_ms, quote.tpot_ms) }
}

fn ratio(real_ms: Option<f64>, predicted_ms: f64) -> Option<f64> {
    real_ms.filter(|_| predicted_ms > 0.0).map(|real_ms| real_ms / predicted_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_router::{ChosenBy, NanoUsd, Quote, Step, Tokens, Trigger};

    fn quote(pool: usize, ttft_ms: f64, tpot_ms: f64) -> Quote {
        Quote {
            expert: pool,
            pool: Some(pool),
            p_capable: 1.0,
            p_lower: 1.0,
            graded: false,
            cost: NanoUsd(1),
            worst: NanoUsd(1),
            max_output_tokens: 9,
            output_tokens: 9.0,
            replica: None,
            wait_ms: 0.0,
            ttft_ms,
            ttft_p95_ms: ttft_ms,
            tpot_ms,
            total_ms: ttft_ms,
            hit_tokens: 0,
            p_miss: 0.0,
            harmed: 0.0,
            shadow: None,
            money: 1.0,
            reason: None,
        }
    }

    fn decision(ttft_ms: f64, tpot_ms: f64) -> Decision {
        Decision {
            steps: vec![],
            ceiling: NanoUsd(1),
            quotes: vec![quote(0, 7.0, 7.0), quote(1, ttft_ms, tpot_ms)],
            propensity: 1.0,
            chosen_by: ChosenBy::Reference,
            seed: 1,
        }
    }

    /// A try of pool 1 whose first token took 60 ms and each further one 5 ms.
    fn attempt(n: u8, end: AttemptEnd) -> Attempt {
        let step =
            Step { expert: 1, pool: 1, max_output_tokens: 9, trigger: Trigger::First, floor_held: true };
        Attempt {
            n,
            step,
            replica: String::new(),
            end,
            detail: String::new(),
            tokens: Tokens { prompt: 1, output: 9, ..Tokens::default() },
            cost: NanoUsd::ZERO,
            overrun: NanoUsd::ZERO,
            estimated: false,
            reached_client: true,
            wait_ms: 0.0,
            ttft_ms: Some(60.0),
            tpot_ms: Some(5.0),
            total_ms: 100.0,
            replica_change: None,
        }
    }

    fn ratios(decision: &Decision, attempt: &Attempt) -> (Option<f64>, Option<f64>) {
        let Foresight { ttft_ratio, tpot_ratio } = of(decision, attempt);
        (ttft_ratio, tpot_ratio)
    }

    #[test]
    fn a_first_try_is_compared_with_the_quote_of_its_own_pool() {
        let quoted = decision(40.0, 10.0);
        assert_eq!(ratios(&quoted, &attempt(0, AttemptEnd::Done)), (Some(1.5), Some(0.5)));
        assert_eq!(
            ratios(&quoted, &attempt(0, AttemptEnd::Cut)),
            (Some(1.5), None),
            "not counted to its end"
        );
        assert_eq!(ratios(&quoted, &attempt(1, AttemptEnd::Done)), (None, None), "a later try");
    }

    #[test]
    fn what_did_not_happen_or_was_not_foreseen_has_no_ratio() {
        let silent = Attempt { ttft_ms: None, tpot_ms: None, ..attempt(0, AttemptEnd::Refused) };
        assert_eq!(ratios(&decision(40.0, 10.0), &silent), (None, None));
        assert_eq!(ratios(&decision(0.0, 0.0), &attempt(0, AttemptEnd::Done)), (None, None));
        let elsewhere = Decision { quotes: vec![quote(0, 7.0, 7.0)], ..decision(1.0, 1.0) };
        assert_eq!(ratios(&elsewhere, &attempt(0, AttemptEnd::Done)), (None, None));
    }
}
