//! What a chat answer looks like: chunks, the whole response, usage and the `sluice` object.

use crate::edge::marks;
use serde::Serialize;
use serde_json::{Map, Value};
use sluice_proto::openai::{PromptTokensDetails, Usage};
use sluice_proto::v1;

/// One server-sent chunk.
#[derive(Serialize)]
pub(super) struct Chunk<'a> {
    pub(super) id: &'a str,
    pub(super) object: &'static str,
    pub(super) created: u64,
    pub(super) model: &'a str,
    pub(super) choices: Vec<ChunkChoice<'a>>,
    /// Outer `None`: no key. Inner `None`: null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage: Option<Option<Usage>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sluice: Option<About>,
}

#[derive(Serialize)]
pub(super) struct ChunkChoice<'a> {
    pub(super) index: u32,
    pub(super) delta: Delta<'a>,
    pub(super) logprobs: Option<()>,
    pub(super) finish_reason: Option<&'a str>,
}

/// What a chunk adds to the message.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Delta<'a> {
    /// Text and nothing else, as nearly always.
    Text {
        /// The text.
        content: &'a str,
    },
    /// Anything.
    Object(Map<String, Value>),
}

/// The answer to a request that doesn't stream.
#[derive(Serialize)]
pub(super) struct Whole {
    pub(super) id: String,
    pub(super) object: &'static str,
    pub(super) created: u64,
    pub(super) model: String,
    pub(super) choices: [WholeChoice; 1],
    pub(super) usage: Usage,
    pub(super) sluice: About,
}

#[derive(Serialize)]
pub(super) struct WholeChoice {
    pub(super) index: u32,
    pub(super) message: Map<String, Value>,
    pub(super) logprobs: Option<()>,
    pub(super) finish_reason: String,
}

/// The `sluice` object: who answered, why, and what it cost.
#[derive(Serialize)]
pub(super) struct About {
    decision: String,
    route: String,
    expert: String,
    pool: String,
    replica: u32,
    cost_nanousd: i64,
    baseline_nanousd: i64,
    tokens: u64,
    simulated: bool,
    floor_held: bool,
    /// `budget` when the answer was cut at what a budget covers.
    #[serde(skip_serializing_if = "String::is_empty")]
    truncated: String,
    /// True when an earlier request with the same idempotency key was answered so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replayed: bool,
}

impl About {
    pub(super) fn new(started: &v1::Started, finished: &v1::Finished) -> About {
        About {
            decision: started.decision_id.clone(),
            route: started.route.clone(),
            expert: started.expert.clone(),
            pool: started.pool.clone(),
            replica: started.replica,
            cost_nanousd: finished.cost_nanousd,
            baseline_nanousd: finished.baseline_nanousd,
            tokens: marks::total_tokens(finished),
            simulated: finished.simulated,
            floor_held: started.floor_held,
            truncated: finished.truncated.clone(),
            replayed: started.replayed,
        }
    }
}

/// Usage as OpenAI writes it.
pub(super) fn usage(finished: &v1::Finished) -> Usage {
    let usage = finished.usage.unwrap_or_default();
    Usage {
        prompt_tokens: usage.prompt_tokens,
        completion_tokens: usage.output_tokens,
        total_tokens: usage.prompt_tokens.saturating_add(usage.output_tokens),
        prompt_tokens_details: Some(PromptTokensDetails { cached_tokens: usage.cached_tokens }),
    }
}
