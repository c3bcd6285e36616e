//! Cases of the translators: HTTP to a request and back, a call to an engine's HTTP and back, bytes to events.

use crate::counted::Bench;
use crate::peer::{Answers, Peer, TOKEN, canned_answer, engine, post_chat, runtime};
use crate::{door, prompt};
use futures::StreamExt as _;
use sluice_experts::{Call, Endpoint, Engine, Event, SseParser, Tcp, protocol};
use sluice_proto::v1;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

/// A request of 2 KB through the HTTP edge: connection, body, hints, and a canned answer written back.
pub(super) fn edge_short(bench: &Bench) {
    edge(bench, 2_048);
}

/// The same with 220 KB, most of which is the body's parse.
pub(super) fn edge_long(bench: &Bench) {
    edge(bench, 220_000);
}

fn edge(bench: &Bench, bytes: usize) {
    let runtime = runtime();
    let request = post_chat(&prompt(7, bytes), false);
    let mut client = runtime.block_on(async { Peer::connect(door::open().await).await });
    bench.count(|times| {
        runtime.block_on(async {
            for _ in 0..times {
                client.send(&request).await;
                let answer = client.message().await.expect("an answer");
                assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(answer));
            }
        });
    });
}

/// A call of 2 KB to an engine of the OpenAI dialect: its body written, its answer of sixteen tokens read as events.
pub(super) fn engine_short(bench: &Bench) {
    engine_call(bench, 2_048);
}

/// The same with 220 KB, most of which is the body's writing.
pub(super) fn engine_long(bench: &Bench) {
    engine_call(bench, 220_000);
}

fn engine_call(bench: &Bench, bytes: usize) {
    let runtime = runtime();
    let text = prompt(7, bytes);
    let engine = runtime.block_on(connected());
    bench.count(|times| {
        runtime.block_on(async {
            for _ in 0..times {
                let mut events = engine.generate(call(&text)).await.expect("it answers");
                let mut last = None;
                while let Some(event) = events.next().await {
                    last = Some(event.expect("it goes well"));
                }
                assert!(matches!(last, Some(Event::Finished(_))));
            }
        });
    });
}

async fn connected() -> Arc<dyn Engine> {
    let addr = engine(Answers::Canned(canned_answer())).await;
    let endpoint = Endpoint {
        url: format!("http://{addr}"),
        model: "qwen2-7b".to_owned(),
        api_key: None,
        headers: vec![],
        dial: Tcp::shared(),
        connect_timeout: PATIENCE,
        first_token_timeout: PATIENCE,
        idle_timeout: PATIENCE,
    };
    let openai = protocol("openai").expect("a row of the table");
    (openai.connect)(endpoint).expect("an address")
}

fn call(text: &str) -> Call {
    let message = v1::Message { role: "user".to_owned(), content: text.to_owned(), json: String::new() };
    Call {
        request_id: "018f0000-0000-7000-8000-000000000000".to_owned(),
        body: Arc::new(v1::GenerateRequest {
            messages: vec![message],
            temperature: Some(0.7),
            ..Default::default()
        }),
        max_tokens: 4_000,
        ..Call::default()
    }
}

/// One event of an engine's stream, from the bytes of a packet of its own.
pub(super) fn sse(bench: &Bench) {
    let bytes = format!("data: {TOKEN}\n\n");
    let mut parser = SseParser::new();
    let mut events = Vec::new();
    bench.count(|times| {
        for _ in 0..times {
            parser.push(black_box(bytes.as_bytes()), &mut events).expect("small events");
            assert_eq!(black_box(&events).len(), 1);
            events.clear();
        }
    });
}

/// Emulated instructions take their time.
const PATIENCE: Duration = Duration::from_secs(600);
