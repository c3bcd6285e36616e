//! What is tested: one client dialect a file, each sending one request and noting what comes back.

mod address;
mod failure;
mod grpc;
mod http;

pub use address::{Address, Dialect, TargetError};
pub use failure::Failure;

use crate::clock::Clock;
use crate::sample::{Prompt, Who};
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

/// Something that answers.
pub trait Target: Send + Sync {
    /// Sends one request and reads its answer to the end. `trail` says at any time what has come until then.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the request at the target.
    fn send<'a>(&'a self, ask: Ask, trail: &'a mut Trail) -> BoxFuture<'a, Result<(), Failure>>;
}

/// One request as a target gets it.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// What is asked.
    pub prompt: Prompt,
    /// Whose it is; empty for one tenant.
    pub tenant: String,
}

/// How requests are sent.
#[derive(Debug, Clone)]
pub struct Manner {
    /// The model, or route, that is asked for.
    pub model: String,
    /// Whether answers stream.
    pub streams: bool,
    /// Most connections; `None` opens as many as are needed.
    pub connections: Option<usize>,
    /// A secret that is sent as `authorization: Bearer`.
    pub key: Option<String>,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// Further fields of the request, as a JSON object.
    pub extra: serde_json::Map<String, serde_json::Value>,
    /// How long a connection may take.
    pub connect_timeout: Duration,
}

impl Default for Manner {
    fn default() -> Manner {
        Manner {
            model: "auto".to_owned(),
            streams: true,
            connections: None,
            key: None,
            headers: Vec::new(),
            extra: serde_json::Map::new(),
            connect_timeout: Duration::from_secs(5),
        }
    }
}

/// The client for an address. To be called within the runtime that will send.
///
/// # Errors
/// [`TargetError`] when a header can't be sent.
pub fn connect(address: &Address, manner: Manner) -> Result<Arc<dyn Target>, TargetError> {
    match address.dialect {
        Dialect::Grpc => Ok(Arc::new(grpc::Grpc::new(address, manner)?)),
        Dialect::OpenAi => Ok(Arc::new(http::OpenAi::new(address, manner)?)),
    }
}

/// What has come of one answer.
#[derive(Debug, Clone)]
pub struct Trail {
    clock: Clock,
    /// When the first token came.
    pub first: Option<u64>,
    /// When the last one came.
    pub last: Option<u64>,
    /// Time between one text event and the next, in microseconds.
    pub gaps_us: Vec<u32>,
    /// The text so far.
    pub text: String,
    /// Whether the text is wanted; a session's next turn needs it.
    pub keeps_text: bool,
    /// Who answers.
    pub who: Who,
    /// Prompt tokens, where the target counts.
    pub input_tokens: Option<u32>,
    /// Those of them that were in a prefix cache.
    pub cached_tokens: u32,
    /// Produced tokens, where the target counts.
    pub output_tokens: Option<u32>,
    /// Text events, or chunks.
    pub events: u32,
    /// What it cost, where the target says.
    pub cost_nanousd: Option<i64>,
    /// What the reference would have cost, where the target says.
    pub baseline_nanousd: Option<i64>,
}

impl Trail {
    /// Nothing has come yet.
    pub fn new(clock: Clock, keeps_text: bool) -> Trail {
        Trail {
            clock,
            first: None,
            last: None,
            gaps_us: Vec::new(),
            text: String::new(),
            keeps_text,
            who: Who::default(),
            input_tokens: None,
            cached_tokens: 0,
            output_tokens: None,
            events: 0,
            cost_nanousd: None,
            baseline_nanousd: None,
        }
    }

    /// A piece of the answer has come over a stream.
    fn piece(&mut self, text: &str) {
        let now = self.clock.now();
        if let Some(last) = self.last {
            self.gaps_us.push(u32::try_from((now - last) / 1_000).unwrap_or(u32::MAX));
        }
        self.first = self.first.or(Some(now));
        self.last = Some(now);
        self.events += 1;
        self.keep(text);
    }

    /// The text of an answer that came whole.
    fn keep(&mut self, text: &str) {
        if self.keeps_text {
            self.text.push_str(text);
        }
    }
}
