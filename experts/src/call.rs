//! One call of an engine: what goes in, and the events that come out.

use crate::dial::Dial;
use crate::error::{ErrorKind, ExpertError};
use crate::report::LoadReport;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use sluice_proto::v1;
use std::sync::Arc;
use std::time::Duration;

/// One request as an engine gets it.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// The gateway's id of the request, for the engine's log.
    pub request_id: String,
    /// The conversation and how it is to be answered, shared by all who have a part in it. Its `model` and `max_tokens` are
    /// what its client said: the endpoint's model and the field below are what counts.
    pub body: Arc<v1::GenerateRequest>,
    /// The messages as their client wrote them: one JSON array, valid, that says what those of `body` do. Empty where
    /// they did not come as JSON. A dialect that speaks the same JSON hands it on as it is.
    pub messages_json: Bytes,
    /// Most tokens to produce, at least 1.
    pub max_tokens: u32,
    /// Set where the answer is wanted in one piece, if the dialect can ask for that; its one delta then comes with its
    /// end. How much longer than a first token it may take, as long as the engine lives.
    pub whole: Option<Duration>,
    /// Time left until the answer must be complete; passed on to engines that take deadlines.
    pub time_left: Option<Duration>,
}

/// What an engine says, in this order: any number of deltas, then one end.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// More of the answer.
    Delta {
        /// New text, possibly empty.
        text: String,
        /// The engine's delta object where it holds more than text (tool calls, reasoning); empty otherwise.
        json: String,
    },
    /// The answer is complete.
    Finished(Finish),
}

/// How an answer ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Finish {
    /// `stop`, `length`, `tool_calls` or `content_filter`.
    pub reason: String,
    /// What the engine counted; `None` when it doesn't count.
    pub usage: Option<Usage>,
    /// True when the text is made up by a simulator.
    pub simulated: bool,
}

/// Tokens as an engine counted them; `prompt` includes `cached` and `cache_write`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt: u32,
    /// Of which came from a cache.
    pub cached: u32,
    /// Of which were written to a cache for later requests.
    pub cache_write: u32,
    /// Tokens produced.
    pub output: u32,
}

/// The events of one answer. It ends after [`Event::Finished`] or the first error; a connection that closes before
/// either is an error too, never a clean end.
///
/// # Cancel safety
/// Dropping it cancels the engine's work.
pub type Events = BoxStream<'static, Result<Event, ExpertError>>;

/// One answer of a batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// The text, possibly empty.
    pub text: String,
    /// The engine's message object where it holds more than text; empty otherwise.
    pub json: String,
    /// How it ended.
    pub finish: Finish,
}

/// The results of a batch, one for each call, in the calls' order.
pub type Answers = Vec<Result<Answer, ExpertError>>;

/// One endpoint of an engine, whatever its dialect.
pub trait Engine: Send + Sync {
    /// Sends a call; resolves when the engine has accepted it and its first event is at hand or known to come.
    ///
    /// # Errors
    /// [`ExpertError`] when nothing was accepted: whose fault it was and whether elsewhere may help.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call.
    fn generate(&self, call: Call) -> BoxFuture<'static, Result<Events, ExpertError>>;

    /// Sends several calls as one batch, for engines that work on whole batches; resolves when all have a result.
    ///
    /// # Errors
    /// [`ExpertError`] when nobody was answered. [`ErrorKind::Protocol`] where the dialect knows no batches, and where
    /// the engine's results don't fit the calls one to one.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the whole batch.
    fn generate_batch(&self, _calls: Vec<Call>) -> BoxFuture<'static, Result<Answers, ExpertError>> {
        let why = "this dialect knows no batches";
        Box::pin(std::future::ready(Err(ExpertError::new(ErrorKind::Protocol, why))))
    }

    /// Whether the engine says that it can serve.
    ///
    /// # Errors
    /// [`ExpertError`] when it can't be reached or says no.
    fn probe(&self) -> BoxFuture<'static, Result<(), ExpertError>>;

    /// What the engine tells of its load, again and again: every so often where it has to be asked, else whenever it
    /// likes. The stream ends where the engine can't tell; after an error it may go on.
    ///
    /// # Cancel safety
    /// Dropping it ends the asking.
    fn reports(&self, _every: Duration) -> Reports {
        Box::pin(futures::stream::empty())
    }
}

/// Reports of an engine's load.
pub type Reports = BoxStream<'static, Result<LoadReport, ExpertError>>;

/// Where an engine is and how patient to be with it.
#[derive(Clone)]
pub struct Endpoint {
    /// `http://host:port` or `https://host:port`, with an optional path prefix.
    pub url: String,
    /// The engine's own name of the model.
    pub model: String,
    /// Sent as `authorization: Bearer`; never shown.
    pub api_key: Option<Secret>,
    /// Further headers, lower-case names.
    pub headers: Vec<(String, String)>,
    /// Opens its connections: [`crate::Tcp`], but in a simulated network.
    pub dial: Arc<dyn Dial>,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long the first event may take once connected.
    pub first_token_timeout: Duration,
    /// How long the stream may be silent after that.
    pub idle_timeout: Duration,
}

/// A key or token. It has no `Display`, and its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret, without surrounding white space (a key file ends with a newline).
    pub fn new(text: &str) -> Secret {
        Secret(text.trim().to_owned())
    }

    /// The secret itself, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}
