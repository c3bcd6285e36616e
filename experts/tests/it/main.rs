//! Calls over real sockets: against a peer that does as told, and against the simulator.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod contract;
mod openai;
mod peer;
mod rows;

use sluice_experts::{Call, Endpoint, Engine, Event, Events, ExpertError, Secret, protocol};
use sluice_proto::v1::{GenerateRequest, Message};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// An endpoint with short patience.
fn endpoint(addr: SocketAddr) -> Endpoint {
    Endpoint {
        url: format!("http://{addr}"),
        model: "engine-model".to_owned(),
        api_key: Some(Secret::new("key-4711")),
        headers: vec![("x-team".to_owned(), "law".to_owned())],
        dial: sluice_experts::Tcp::shared(),
        connect_timeout: Duration::from_secs(2),
        first_token_timeout: Duration::from_secs(5),
        idle_timeout: Duration::from_secs(5),
    }
}

fn engine(name: &str, endpoint: Endpoint) -> Arc<dyn Engine> {
    (protocol(name).expect("a known dialect").connect)(endpoint).unwrap_or_else(|error| panic!("{error}"))
}

fn call(prompt: &str, max_tokens: u32) -> Call {
    let message = Message { role: "user".into(), content: prompt.into(), json: String::new() };
    let body = GenerateRequest { messages: vec![message], ..GenerateRequest::default() };
    Call { request_id: "req-1".into(), body: Arc::new(body), max_tokens, ..Call::default() }
}

/// Reads to the end: the text, and how it ended.
async fn read(mut events: Events) -> (String, Option<Result<Event, ExpertError>>) {
    use futures::StreamExt as _;
    let mut text = String::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Delta { text: more, .. }) => text.push_str(&more),
            end => {
                assert!(events.next().await.is_none(), "nothing follows the end");
                return (text, Some(end));
            }
        }
    }
    (text, None)
}
