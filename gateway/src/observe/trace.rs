//! One span per stage of a request, named by the OpenTelemetry conventions for servers and for generative AI.
//!
//! Spans are of level `debug`: with the usual filter `info` they cost a comparison. `otel.name` and `otel.kind` are
//! what the OpenTelemetry bridge for `tracing` reads; prompts and answers have no attribute.

use crate::error::FaultCode;
use crate::request::{Front, Request};
use sluice_router::{NanoUsd, Tokens};
use std::future::Future;
use tracing::Instrument as _;
use tracing::field::Empty;
use tracing::instrument::Instrumented;

/// A stage under way. Dropping the last clone ends it.
#[derive(Debug, Clone)]
pub struct Span(tracing::Span);

/// An expert about to be called.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The expert.
    pub expert: &'a str,
    /// The pool.
    pub pool: &'a str,
    /// The replica's address.
    pub replica: &'a str,
    /// Who makes the engine, as in `gen_ai.provider.name`: `openai` for its dialect, `sluice` for workers of our own.
    pub provider: &'a str,
    /// Most output tokens asked for.
    pub max_tokens: u32,
    /// Which try of the request it is, from 0.
    pub attempt: u8,
}

impl Span {
    /// The server's span: from the door to the last byte.
    pub fn request(request: &Request) -> Span {
        let (system, name) = match request.front {
            Front::Grpc => ("grpc", "sluice.v1.Gateway/Generate"),
            Front::OpenAi => ("http", "POST /v1/chat/completions"),
        };
        Span(tracing::debug_span!(
            "request",
            otel.name = name,
            otel.kind = "server",
            rpc.system = system,
            sluice.request.id = %request.label,
            gen_ai.request.model = %request.body.model,
            gen_ai.request.stream = request.streams,
            sluice.cost.nanousd = Empty,
            sluice.baseline.nanousd = Empty,
            otel.status_code = Empty,
            error.type = Empty,
        ))
    }

    /// Classification and decision.
    pub fn route(route: &str) -> Span {
        Span(tracing::debug_span!(
            "sluice.route",
            otel.kind = "internal",
            sluice.route = route,
            sluice.decision.id = Empty,
            sluice.expert = Empty,
            sluice.propensity = Empty,
        ))
    }

    /// The wait for a slot in a pool.
    pub fn join(pool: &str) -> Span {
        Span(tracing::debug_span!("sluice.join", otel.kind = "internal", sluice.pool = pool))
    }

    /// One try at one replica, until its last byte: `chat {model}`.
    pub fn call(call: Call<'_>) -> Span {
        Span(tracing::debug_span!(
            "chat",
            otel.name = %format_args!("chat {}", call.expert),
            otel.kind = "client",
            gen_ai.operation.name = "chat",
            gen_ai.provider.name = call.provider,
            gen_ai.request.model = call.expert,
            gen_ai.request.max_tokens = call.max_tokens,
            server.address = call.replica,
            sluice.pool = call.pool,
            sluice.attempt = call.attempt,
            gen_ai.response.finish_reasons = Empty,
            gen_ai.usage.input_tokens = Empty,
            gen_ai.usage.cache_read.input_tokens = Empty,
            gen_ai.usage.cache_creation.input_tokens = Empty,
            gen_ai.usage.output_tokens = Empty,
            otel.status_code = Empty,
            error.type = Empty,
        ))
    }

    /// What was decided, for the span of [`Span::route`].
    pub fn decided(&self, decision_id: &str, expert: &str, propensity: f64) {
        self.0.record("sluice.decision.id", decision_id);
        self.0.record("sluice.expert", expert);
        self.0.record("sluice.propensity", propensity);
    }

    /// How an answer ended, for the span of [`Span::call`].
    pub fn answered(&self, finish_reason: &str, tokens: Tokens) {
        self.0.record("gen_ai.response.finish_reasons", finish_reason);
        self.0.record("gen_ai.usage.input_tokens", tokens.prompt);
        self.0.record("gen_ai.usage.cache_read.input_tokens", tokens.cached);
        self.0.record("gen_ai.usage.cache_creation.input_tokens", tokens.cache_write);
        self.0.record("gen_ai.usage.output_tokens", tokens.output);
    }

    /// What a request cost, for the span of [`Span::request`].
    pub fn settled(&self, cost: NanoUsd, baseline: NanoUsd) {
        self.0.record("sluice.cost.nanousd", cost.0);
        self.0.record("sluice.baseline.nanousd", baseline.0);
    }

    /// Why it failed, for the spans of [`Span::request`] and [`Span::call`].
    pub fn failed(&self, code: FaultCode) {
        self.0.record("otel.status_code", "ERROR");
        self.0.record("error.type", code.name());
    }

    /// Runs `work`, which doesn't wait, as a part of this stage.
    pub fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        self.0.in_scope(work)
    }
}

/// Futures that run as a part of a stage.
pub trait Traced: Future + Sized {
    /// The same future; whatever it starts is a child of `span`.
    fn within(self, span: &Span) -> Instrumented<Self> {
        self.instrument(span.0.clone())
    }
}

impl<F: Future> Traced for F {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::testing::lines_of;

    #[test]
    fn a_call_is_a_client_span_named_for_its_operation_and_expert() {
        let lines = lines_of("debug", || {
            let call = Call {
                expert: "small",
                pool: "small-a",
                replica: "127.0.0.1:1",
                provider: "openai",
                max_tokens: 64,
                attempt: 1,
            };
            let span = Span::call(call);
            span.answered("stop", Tokens { prompt: 10, cached: 4, cache_write: 2, output: 20 });
            span.failed(FaultCode::UpstreamError);
        });
        let span = &lines.last().expect("closed")["span"];
        let expected = [
            ("otel.name", "chat small".into()),
            ("otel.kind", "client".into()),
            ("gen_ai.operation.name", "chat".into()),
            ("gen_ai.provider.name", "openai".into()),
            ("gen_ai.request.model", "small".into()),
            ("gen_ai.request.max_tokens", 64.into()),
            ("gen_ai.response.finish_reasons", "stop".into()),
            ("gen_ai.usage.input_tokens", 10.into()),
            ("gen_ai.usage.cache_read.input_tokens", 4.into()),
            ("gen_ai.usage.output_tokens", 20.into()),
            ("error.type", "upstream_error".into()),
        ];
        for (name, value) in expected {
            let value: serde_json::Value = value;
            assert_eq!(span[name], value, "{name} in {span}");
        }
    }

    #[test]
    fn stages_are_children_of_the_stage_that_they_run_in() {
        let lines = lines_of("debug", || {
            let outer = Span::join("small-a");
            outer.in_scope(|| {
                let route = Span::route("auto");
                route.decided("d-1", "small", 0.5);
            });
        });
        let route = lines.iter().find(|line| line["span"]["name"] == "sluice.route").expect("closed");
        assert_eq!(route["span"]["sluice.decision.id"], "d-1");
        assert_eq!(route["spans"][0]["name"], "sluice.join");
    }

    #[test]
    fn spans_are_off_where_only_the_usual_lines_are_asked_for() {
        let lines = lines_of("info", || drop(Span::route("auto")));
        assert!(lines.is_empty(), "{lines:?}");
    }
}
