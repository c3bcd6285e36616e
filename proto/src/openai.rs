//! The OpenAI chat shapes that both the HTTP edge and the `openai` expert dialect speak.
//!
//! Unknown fields are kept in `rest`, so that what Sluice doesn't know passes through untouched.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Body of `POST /v1/chat/completions`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChatRequest {
    /// A route, an expert or an alias at the gateway; the engine's own name upstream.
    pub model: String,
    /// The conversation, oldest first; each an object with `role` and usually `content`.
    pub messages: Vec<Map<String, Value>>,
    /// Most tokens to produce (the older name).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Most tokens to produce (the newer name); wins over `max_tokens`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_completion_tokens: Option<u32>,
    /// 0 to 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f32>,
    /// One string or several that end the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<OneOrMany>,
    /// Makes the answer repeatable where the engine can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// Whether to answer as server-sent events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// Options of the stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_options: Option<StreamOptions>,
    /// Everything else, passed through.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A field that may be one string or a list of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One string.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl OneOrMany {
    /// The strings, however they were written.
    pub fn into_vec(self) -> Vec<String> {
        match self {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        }
    }
}

/// `stream_options` of a chat request.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct StreamOptions {
    /// Whether to send one more chunk with the usage before `[DONE]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_usage: Option<bool>,
    /// Everything else, passed through.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// One server-sent chunk of a chat answer, as engines send it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChatChunk {
    /// At most one is read; empty in the usage chunk.
    #[serde(default)]
    pub choices: Vec<ChunkChoice>,
    /// Present in the usage chunk.
    #[serde(default)]
    pub usage: Option<Usage>,
}

/// One choice of a chunk.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChunkChoice {
    /// Which of `n` answers this belongs to.
    #[serde(default)]
    pub index: u32,
    /// What is new: `role`, `content`, `tool_calls`, ...
    #[serde(default)]
    pub delta: Map<String, Value>,
    /// Why the answer ended, in its last content chunk.
    #[serde(default)]
    pub finish_reason: Option<String>,
}

/// A whole chat answer, as engines send it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChatResponse {
    /// The answers.
    #[serde(default)]
    pub choices: Vec<Choice>,
    /// Tokens used, where the engine counts.
    #[serde(default)]
    pub usage: Option<Usage>,
}

/// One answer of a whole chat response.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Choice {
    /// `role`, `content`, `tool_calls`, ...
    pub message: Map<String, Value>,
    /// Why the answer ended.
    #[serde(default)]
    pub finish_reason: Option<String>,
}

/// Token usage with the OpenAI meaning: `prompt_tokens` includes cached ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    #[serde(default)]
    pub prompt_tokens: u32,
    /// Tokens produced.
    #[serde(default)]
    pub completion_tokens: u32,
    /// Their sum.
    #[serde(default)]
    pub total_tokens: u32,
    /// How many prompt tokens came from a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_tokens_details: Option<PromptTokensDetails>,
}

/// Details of the prompt's tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptTokensDetails {
    /// Tokens read from the prefix cache.
    #[serde(default)]
    pub cached_tokens: u32,
}

/// The error body: `{"error": {...}}`, all four keys always present.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorObject,
}

/// The inside of an error body.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ErrorObject {
    /// For people: what is wrong, whose fault, what to do.
    pub message: String,
    /// The class, for instance `invalid_request_error`.
    pub r#type: String,
    /// The field at fault.
    pub param: Option<String>,
    /// The machine-readable code.
    pub code: Option<String>,
}

/// Joins the text of a message's `content`: a string, or the text parts of a list of parts.
pub fn content_text(message: &Map<String, Value>) -> String {
    match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            let texts: Vec<&str> = parts.iter().filter_map(|part| part.get("text")?.as_str()).collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}
