//! How long one step of an engine takes: a law of few parameters, in integer nanoseconds.
//!
//! With `b` running sequences that hold `k` tokens of context, and `p` prompt tokens worked on in the same step:
//!
//! ```text
//! step = max(base, (p + b) / prefill rate) + b * per_seq + k * per_kv      when p > 0
//! step = base + b * per_seq + k * per_kv                                   when p = 0
//! ```
//!
//! The weights are read once a step whatever the step holds, so prompt work hides behind that read until it outgrows it:
//! hence the maximum and not a sum. A prompt token at depth `c` of its prompt counts as `1 + c / half`, as attention
//! looks back at all before it.

/// The parameters, in nanoseconds and tokens. All fields are public: any value is a valid, if odd, engine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    /// One step that reads the weights and little else.
    pub base_ns: u64,
    /// Each further running sequence.
    pub per_seq_ns: u64,
    /// Each token of context that running sequences hold.
    pub per_kv_ns: u64,
    /// One prompt token at the start of its prompt.
    pub prefill_ns: f64,
    /// Depth at which a prompt token counts twice.
    pub prefill_half: f64,
    /// Prompt tokens and running sequences that one step takes on together.
    pub chunk: u32,
    /// How much steps differ from the law: the deviation of their logarithm; 0 for none.
    pub noise: f64,
}

impl Timing {
    /// A step that only decodes.
    pub fn decode_ns(&self, running: u64, context: u64) -> u64 {
        self.base_ns + running * self.per_seq_ns + context * self.per_kv_ns
    }

    /// A step that works on prompts too; `weighted` is the sum of [`Timing::weight`].
    pub fn mixed_ns(&self, running: u64, context: u64, weighted: f64) -> u64 {
        #[allow(clippy::cast_precision_loss, reason = "at most some thousand sequences")]
        let work = (weighted + running as f64) * self.prefill_ns;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, hours at most")]
        let work = work.round() as u64;
        self.decode_ns(running, context) - self.base_ns + work.max(self.base_ns)
    }

    /// The factor on the time of the `step`-th step; it holds for 32 in a row.
    pub fn factor(&self, step: u64) -> f64 {
        if self.noise == 0.0 {
            return 1.0;
        }
        libm::exp(self.noise * normal(step / NOISE_STEPS))
    }

    /// What `tokens` prompt tokens count for when `done` of the prompt came before.
    pub fn weight(&self, done: u32, tokens: u32) -> f64 {
        let depth = f64::from(done) + f64::from(tokens) / 2.0;
        f64::from(tokens) * (1.0 + depth / self.prefill_half)
    }

    /// `steps` steps in a row of the same `running` sequences, whose context grows by one each a step.
    pub fn run_ns(&self, running: u64, context: u64, steps: u64) -> u64 {
        let growth = running * self.per_kv_ns * (steps * steps.saturating_sub(1) / 2);
        steps * self.decode_ns(running, context) + growth
    }
}

/// Steps in a row that are off the law by the same factor.
pub(crate) const NOISE_STEPS: u64 = 32;

/// A normal number that is always the same for the same `n`, by Box and Muller over SplitMix64.
pub(crate) fn normal(n: u64) -> f64 {
    let unit = |n: u64| ((mix(n) >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    let (radius, angle) = (unit(2 * n), unit(2 * n + 1));
    libm::sqrt(-2.0 * libm::log(radius)) * libm::cos(std::f64::consts::TAU * angle)
}

fn mix(n: u64) -> u64 {
    let z = n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: Timing = Timing {
        base_ns: 10_000_000,
        per_seq_ns: 100_000,
        per_kv_ns: 80,
        prefill_ns: 100_000.0,
        prefill_half: 1_000.0,
        chunk: 2_048,
        noise: 0.0,
    };

    #[test]
    fn a_step_follows_the_law() {
        assert_eq!(TIMING.decode_ns(1, 1_000), 10_000_000 + 100_000 + 80_000);
        // 50 tokens hide behind the weights, 1,000 do not.
        assert_eq!(TIMING.mixed_ns(0, 0, 50.0), 10_000_000);
        assert_eq!(TIMING.mixed_ns(2, 100, 998.0), 100_000_000 + 200_000 + 8_000);
    }

    #[test]
    fn depth_makes_prompt_tokens_dearer_and_splitting_changes_nothing() {
        let whole = TIMING.weight(0, 2_000);
        assert!((whole - 4_000.0).abs() < 1e-9);
        assert!((TIMING.weight(0, 700) + TIMING.weight(700, 1_300) - whole).abs() < 1e-9);
    }

    #[test]
    fn a_run_is_the_sum_of_its_steps() {
        let sum: u64 = (0..37).map(|i| TIMING.decode_ns(5, 400 + 5 * i)).sum();
        assert_eq!(TIMING.run_ns(5, 400, 37), sum);
        assert_eq!(TIMING.run_ns(5, 400, 0), 0);
    }
}
