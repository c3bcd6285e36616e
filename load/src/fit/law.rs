//! From observations of an engine to the parameters of the simulator's law (`sluice_sim::Timing`).

use super::least::{solve, solve_and_tell};

/// A stretch in which the same sequences made tokens and nothing else went on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decode {
    /// Sequences.
    pub running: f64,
    /// Tokens of context that they held together, on average.
    pub context: f64,
    /// Nanoseconds from one token to the next.
    pub step_ns: f64,
}

/// A prompt that an idle engine was asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prefill {
    /// Its tokens, by the engine's count.
    pub tokens: f64,
    /// Nanoseconds to the first token.
    pub ttft_ns: f64,
}

/// The parameters, as found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Law {
    /// A step that reads the weights and little else.
    pub base_ns: f64,
    /// Each running sequence.
    pub per_seq_ns: f64,
    /// Each token of context.
    pub per_kv_ns: f64,
    /// One prompt token at the start of its prompt.
    pub prefill_ns: f64,
    /// Depth at which a prompt token counts twice.
    pub prefill_half: f64,
    /// What each request takes beside the engine's steps: sockets, HTTP, tokeniser. No part of the law; it is added to
    /// each time to first token.
    pub overhead_ns: f64,
}

/// Observations that don't say enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unclear {
    /// No stretch of decoding was long enough.
    #[error("no answer was long enough to see its time per token; give a longer --output-tokens")]
    Decode,
    /// Prompts hide behind the reading of the weights.
    #[error(
        "the time to first token doesn't grow with the prompt; give a longer --input-tokens to see the prompt rate"
    )]
    Prefill,
}

/// Where the law has no growth with depth at all.
const NO_GROWTH: f64 = 1e12;

/// The parameters that explain the observations best.
///
/// # Errors
/// [`Unclear`] when they can't be told.
pub(super) fn law(decodes: &[Decode], prefills: &[Prefill]) -> Result<Law, Unclear> {
    let rows: Vec<_> = decodes.iter().map(|seen| ([1.0, seen.running, seen.context], seen.step_ns)).collect();
    let [base_ns, per_seq_ns, per_kv_ns] = solve(&rows).ok_or(Unclear::Decode)?;
    let (overhead_ns, prefill_ns, prefill_half) = prompts(prefills, base_ns)?;
    Ok(Law { base_ns, per_seq_ns, per_kv_ns, prefill_ns, prefill_half, overhead_ns })
}

/// Overhead, cost of a token, and the depth at which it doubles: the one unknown that isn't linear, so its best value is
/// looked for among many, from the shortest prompt on.
fn prompts(prefills: &[Prefill], base_ns: f64) -> Result<(f64, f64, f64), Unclear> {
    /// From one to the next; closer than any measurement.
    const RATIO: f64 = 1.02;
    /// Longer ones show no growth in prompts that anybody asks.
    const LONGEST: f64 = 1e7;
    let shortest = prefills.iter().map(|seen| seen.tokens).fold(f64::INFINITY, f64::min).max(1.0);
    let halves = std::iter::successors(Some(shortest), |half| Some(half * RATIO));
    let halves = halves.take_while(|half| *half < LONGEST).chain([NO_GROWTH]);
    let tries = halves.filter_map(|half| at_half(prefills, base_ns, half).map(|found| (half, found)));
    let best = tries.min_by(|a, b| a.1.0.total_cmp(&b.1.0));
    let (half, (_, [overhead, prefill])) = best.ok_or(Unclear::Prefill)?;
    Ok((overhead, prefill, half))
}

/// The squared errors, overhead and cost of a token with this half; `None` when prompts cost nothing.
///
/// A short prompt takes one step of `base_ns` however few tokens it has. Which prompts are that short depends on the
/// cost that is looked for, so this goes round until it stays.
fn at_half(prefills: &[Prefill], base_ns: f64, half: f64) -> Option<(f64, [f64; 2])> {
    const ROUNDS: usize = 16;
    let weight = |seen: &Prefill| seen.tokens * (1.0 + seen.tokens / 2.0 / half);
    let mut is_hidden = vec![false; prefills.len()];
    for _ in 0..ROUNDS {
        let rows: Vec<_> = prefills
            .iter()
            .zip(&is_hidden)
            .map(|(seen, is_hidden)| match is_hidden {
                true => ([1.0, 0.0], seen.ttft_ns - base_ns),
                false => ([1.0, weight(seen)], seen.ttft_ns),
            })
            .collect();
        let (errors, found) = solve_and_tell(&rows)?;
        let now: Vec<bool> = prefills.iter().map(|seen| found[1] * weight(seen) < base_ns).collect();
        if now.iter().all(|hidden| *hidden) || found[1] <= 0.0 {
            return None;
        }
        if now == is_hidden {
            return Some((errors, found));
        }
        is_hidden = now;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(running: f64, context: f64) -> Decode {
        Decode { running, context, step_ns: 10e6 + running * 1e5 + context * 80.0 }
    }

    #[test]
    fn short_prompts_that_hide_behind_the_weights_do_not_bend_the_rate() {
        let decodes = [decode(1.0, 100.0), decode(2.0, 900.0), decode(4.0, 300.0), decode(8.0, 5_000.0)];
        let prefills = [10.0, 40.0, 200.0, 800.0, 3_200.0].map(|tokens: f64| {
            let work = 1e5 * tokens * (1.0 + tokens / 2.0 / 2_000.0);
            Prefill { tokens, ttft_ns: 3e6 + work.max(10e6) }
        });
        let law = law(&decodes, &prefills).unwrap();
        let near = |got: f64, want: f64| assert!((got / want - 1.0).abs() < 0.01, "{got} {want}: {law:?}");
        near(law.base_ns, 10e6);
        near(law.per_seq_ns, 1e5);
        near(law.per_kv_ns, 80.0);
        near(law.prefill_ns, 1e5);
        near(law.prefill_half / 2_000.0, 1.0);
        near(law.overhead_ns, 3e6);
    }

    #[test]
    fn what_cannot_be_seen_is_told() {
        let flat = [10.0, 20.0, 40.0].map(|tokens| Prefill { tokens, ttft_ns: 12e6 });
        assert_eq!(law(&[decode(1.0, 10.0), decode(2.0, 900.0)], &flat), Err(Unclear::Prefill));
        assert_eq!(law(&[], &flat), Err(Unclear::Decode));
    }
}
