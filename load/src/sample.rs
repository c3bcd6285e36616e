//! One planned request, and what became of it.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What is asked: a text, and what is known of it beforehand.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prompt {
    /// Its name in the data, or a number.
    pub id: String,
    /// The messages as (role, text), oldest first.
    pub messages: Vec<(String, String)>,
    /// Most tokens to produce; `None` leaves it to the target.
    pub max_tokens: Option<u32>,
    /// Known scores by expert, 0 to 1; empty for prompts that nobody graded.
    pub grades: Arc<Vec<(String, f64)>>,
}

/// One request of the plan. Times are nanoseconds since the start of the run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Planned {
    /// When it is meant to be sent. Latency counts from here, whenever it really goes: a tester that waits for a slow
    /// target before it sends on would hide the very waiting that it should measure (coordinated omission).
    pub at: u64,
    /// Which prompt, as an index into the run's prompts.
    pub prompt: usize,
    /// Whose it is, as an index into the run's tenants.
    pub tenant: u32,
    /// Turns of one session follow each other; `None` for a request by itself.
    pub session: Option<u64>,
    /// Cancelled so long after it was sent, if it is still under way.
    pub cancel_after: Option<u64>,
}

/// Who answered, as far as the target says. Empty strings: it doesn't say, or nobody did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Who {
    /// The route that the target chose by, or the model that was asked for.
    pub route: String,
    /// The expert.
    pub expert: String,
    /// Its pool.
    pub pool: String,
    /// The replica's number within its pool, from 0.
    pub replica: Option<u32>,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Complete.
    Done,
    /// We cancelled it, as planned.
    Cancelled,
    /// It failed.
    Failed {
        /// Whose fault.
        kind: FaultKind,
        /// The target's code, or a short name of what happened.
        code: String,
    },
}

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The target could not be reached.
    Connect,
    /// The target refused for want of room or quota (429, `RESOURCE_EXHAUSTED`), or since it drains.
    Refused,
    /// The target says that the request is wrong.
    Request,
    /// The target, or an engine behind it, failed.
    Target,
    /// The answer broke off after it had begun.
    Broken,
    /// Nothing came within the test's own patience, or the deadline passed.
    Timeout,
    /// The tester itself failed: no more files, sockets or memory.
    Tester,
}

/// What became of one request. Times are nanoseconds since the start of the run; money is integer nano-USD.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its place in the plan.
    pub n: u64,
    /// What was planned.
    pub planned: Planned,
    /// When it really was sent.
    pub sent: u64,
    /// When the first token came; `None` when none did, or when it can't be seen (unary).
    pub first: Option<u64>,
    /// When the last token came, for streams.
    pub last: Option<u64>,
    /// When it was complete, cancelled or failed.
    pub ended: u64,
    /// Time spent in the target's lines, in nanoseconds, where that can be seen.
    pub queued: Option<u64>,
    /// Time between one text event and the next, in microseconds.
    pub gaps_us: Vec<u32>,
    /// Prompt tokens, by the target's count.
    pub input_tokens: u32,
    /// Those of them that were in a prefix cache, where the target says.
    pub cached_tokens: u32,
    /// Produced tokens: by the target's count, else one for each text event.
    pub output_tokens: u32,
    /// Who answered.
    pub who: Who,
    /// How it ended.
    pub end: End,
    /// What it cost, where the target says.
    pub cost_nanousd: Option<i64>,
    /// What the reference would have cost, where the target says.
    pub baseline_nanousd: Option<i64>,
    /// The known score of whoever answered, where the prompt is graded.
    pub quality: Option<f64>,
    /// The known score of the reference, where the prompt is graded and the reference known.
    pub reference_quality: Option<f64>,
}

impl Sample {
    /// Milliseconds from the intended start to the first token.
    pub fn ttft_ms(&self) -> Option<f64> {
        self.first.map(|first| ms(first.saturating_sub(self.planned.at)))
    }

    /// Milliseconds from the true start to the first token: what a tester sees that doesn't correct for coordinated
    /// omission.
    pub fn ttft_from_sent_ms(&self) -> Option<f64> {
        self.first.map(|first| ms(first.saturating_sub(self.sent)))
    }

    /// Mean milliseconds per token after the first; `None` with fewer than two tokens.
    pub fn tpot_ms(&self) -> Option<f64> {
        let span = self.last?.saturating_sub(self.first?);
        (self.output_tokens > 1).then(|| ms(span) / f64::from(self.output_tokens - 1))
    }

    /// Milliseconds from the intended start to the end.
    pub fn e2e_ms(&self) -> f64 {
        ms(self.ended.saturating_sub(self.planned.at))
    }

    /// Whether it was answered completely.
    pub fn is_ok(&self) -> bool {
        self.end == End::Done
    }
}

fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_counts_from_the_intended_start() {
        let sample = Sample {
            n: 0,
            planned: Planned { at: 1_000_000, ..Planned::default() },
            sent: 3_000_000,
            first: Some(5_000_000),
            last: Some(14_000_000),
            ended: 15_000_000,
            queued: None,
            gaps_us: vec![3_000; 3],
            input_tokens: 10,
            cached_tokens: 0,
            output_tokens: 4,
            who: Who::default(),
            end: End::Done,
            cost_nanousd: None,
            baseline_nanousd: None,
            quality: None,
            reference_quality: None,
        };
        assert_eq!((sample.ttft_ms(), sample.ttft_from_sent_ms()), (Some(4.0), Some(2.0)));
        assert_eq!((sample.tpot_ms(), sample.e2e_ms()), (Some(3.0), 14.0));
        let one = Sample { output_tokens: 1, ..sample };
        assert_eq!(one.tpot_ms(), None);
    }
}
