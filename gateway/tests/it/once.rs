//! Requests that come again under one idempotency key, over both wires: one answer, one engine call, one booking.

use crate::edge_kit::{RawAnswer, connect, exchange, post_chat, read_until, within};
use crate::peer::{Do, Scripts, done, stop};
use crate::support::{Gateway, experts, request};
use crate::tenants::{authorization, tenant, with_key};
use futures::future::join_all;
use rusqlite::Connection;
use serde_json::Value;
use sluice_gateway::MemoryShared;
use sluice_proto::v1;
use sluice_proto::v1::generate_event::Event;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tonic::Code;

const KEY: &str = "slk_once-77c2";
const OTHER: &str = "slk_once-3e90";

/// An engine's answer of two words, the second after a while.
fn words(ms: u64) -> Vec<Do> {
    let usage = r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}"#;
    vec![
        Do::Head,
        Do::Token("two ".to_owned()),
        Do::Sleep(Duration::from_millis(ms)),
        Do::Token("words".to_owned()),
        stop(),
        Do::Event(usage.to_owned()),
        done(),
        Do::End,
    ]
}

async fn config(scripts: &Arc<Scripts>) -> String {
    let experts = experts(&[("big", "openai", vec![scripts.peer().await])]);
    [experts, tenant("acme", KEY, ""), tenant("other", OTHER, "")].concat()
}

fn body(text: &str, more: &str) -> String {
    format!(r#"{{"model":"big","max_tokens":20,"messages":[{{"role":"user","content":"{text}"}}]{more}}}"#)
}

fn post(secret: &str, once: &str, body: &str) -> Vec<u8> {
    post_chat(&format!("{}idempotency-key: {once}\r\n", authorization(secret)), body)
}

async fn ask(addr: SocketAddr, secret: &str, once: &str, text: &str) -> RawAnswer {
    exchange(addr, &post(secret, once, &body(text, ""))).await
}

/// Text, decision and cost of a whole answer.
fn told(answer: &RawAnswer) -> (String, String, i64) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let json = answer.json();
    let text = json["choices"][0]["message"]["content"].as_str().expect("text").to_owned();
    let decision = json["sluice"]["decision"].as_str().expect("a decision").to_owned();
    assert_eq!(answer.header("x-sluice-decision"), decision);
    (text, decision, json["sluice"]["cost_nanousd"].as_i64().expect("a cost"))
}

/// The same of a streamed one.
fn told_in_a_stream(text: &str) -> (String, String, i64) {
    let (mut content, mut decision, mut cost) = (String::new(), String::new(), 0);
    let chunks = text.lines().filter_map(|line| line.strip_prefix("data: {"));
    for chunk in chunks.map(|chunk| serde_json::from_str::<Value>(&format!("{{{chunk}")).expect("JSON")) {
        content.push_str(chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
        if let Some(about) = chunk["sluice"].as_object() {
            decision = about["decision"].as_str().expect("a decision").to_owned();
            cost = about["cost_nanousd"].as_i64().expect("a cost");
        }
    }
    (content, decision, cost)
}

/// Requests and bookings in the ledger.
async fn booked(gateway: &Gateway) -> (i64, i64) {
    gateway.running.flush().await.expect("the journal works");
    counted(&gateway.folder)
}

fn counted(folder: &Path) -> (i64, i64) {
    let ledger = Connection::open(folder.join("sluice.db")).expect("it is there");
    let sql = "SELECT (SELECT count(*) FROM requests), (SELECT count(*) FROM ledger_entries)";
    ledger.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("it counts")
}

#[tokio::test]
async fn a_repeat_gets_what_the_first_got_whole_or_as_a_stream() {
    let scripts = Scripts::usually(words(0));
    let gateway = Gateway::start(&config(&scripts).await).await;
    let addr = gateway.running.data();
    let first = ask(addr, KEY, "order-1", "hello").await;
    assert_eq!(first.header("x-sluice-replayed"), "");
    let again = ask(addr, KEY, "order-1", "hello").await;
    assert_eq!(again.header("x-sluice-replayed"), "true");
    assert_eq!(again.json()["sluice"]["replayed"], true);
    assert_eq!(told(&again), told(&first));
    assert_eq!(told(&first).0, "two words");
    assert_eq!(told(&first).2, 70_000);
    let other_name = authorization(KEY) + "x-sluice-idempotency-key: order-1\r\n";
    let streamed = exchange(addr, &post_chat(&other_name, &body("hello", r#","stream":true"#))).await;
    assert_eq!((streamed.status, streamed.header("x-sluice-replayed")), (200, "true"));
    assert_eq!(told_in_a_stream(&streamed.text()), told(&first));
    assert!(streamed.text().contains("[DONE]"));
    assert_eq!((scripts.seen(), booked(&gateway).await), (1, (1, 1)));
    assert_eq!(
        gateway.metric("sluice_requests_total{route=\"big\",expert=\"big\",status=\"200\"}").await,
        3.0
    );
    assert_eq!(gateway.metric("sluice_cost_nanousd_total{tenant=\"acme\"").await, 70_000.0);
}

#[tokio::test]
async fn so_it_does_over_grpc() {
    let scripts = Scripts::usually(words(0));
    let gateway = Gateway::start(&config(&scripts).await).await;
    let mut client = gateway.client.clone();
    let asked = |text: &str| {
        let mut asked = with_key(request("big", text, 20), KEY);
        asked.metadata_mut().insert("idempotency-key", "order-1".parse().expect("ASCII"));
        asked
    };
    let first = client.generate_once(asked("hello")).await.expect("answered").into_inner();
    assert!(!first.started.as_ref().expect("begun").replayed);
    let again = client.generate_once(asked("hello")).await.expect("answered");
    assert_eq!(again.metadata().get("x-sluice-replayed").expect("marked"), "true");
    let again = again.into_inner();
    assert_eq!((&again.text, &again.finished), (&first.text, &first.finished));
    let started = v1::Started { replayed: true, ..first.started.expect("begun") };
    assert_eq!(again.started.as_ref(), Some(&started));
    let mut stream = client.generate(asked("hello")).await.expect("answered").into_inner();
    let mut text = String::new();
    while let Some(event) = stream.message().await.expect("whole") {
        match event.event.expect("one") {
            Event::Started(begun) => assert_eq!(begun, started),
            Event::Text(delta) => text.push_str(&delta.text),
            Event::Finished(finished) => assert_eq!(Some(finished), first.finished),
        }
    }
    assert_eq!(text, "two words");
    let refused = client.generate_once(asked("something else")).await.expect_err("another request");
    assert_eq!(refused.code(), Code::AlreadyExists);
    assert_eq!((scripts.seen(), booked(&gateway).await), (1, (1, 1)));
}

#[tokio::test]
async fn twenty_at_once_are_one_call_of_an_engine() {
    let scripts = Scripts::usually(words(150));
    let shared = Arc::new(MemoryShared::default());
    let text = config(&scripts).await;
    let gateways =
        [Gateway::start_sharing(&text, shared.clone()).await, Gateway::start_sharing(&text, shared).await];
    let asked = (0..20).map(async |n: usize| {
        let addr = gateways[n % 2].running.data();
        told(&ask(addr, KEY, "order-1", "hello").await)
    });
    let answers = within(join_all(asked)).await;
    assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:?}");
    let (one, other) = (booked(&gateways[0]).await, booked(&gateways[1]).await);
    assert_eq!((scripts.seen(), one.0 + other.0, one.1 + other.1), (1, 1, 1));
}

#[tokio::test]
async fn another_request_under_the_same_key_is_refused_and_another_holder_s_is_its_own() {
    let scripts = Scripts::usually(words(0));
    let gateway = Gateway::start(&config(&scripts).await).await;
    let addr = gateway.running.data();
    let first = told(&ask(addr, KEY, "order-1", "hello").await);
    for bytes in [
        post(KEY, "order-1", &body("something else", "")),
        post(KEY, "order-1", &body("hello", r#","temperature":0.5"#)),
        post(KEY, "order-1\r\nx-sluice-floor: 0.5", &body("hello", "")),
    ] {
        let refused = exchange(addr, &bytes).await;
        assert_eq!((refused.status, refused.error_code().as_str()), (409, "idempotency_conflict"));
        assert_eq!(refused.header("x-should-retry"), "false");
    }
    assert_eq!(scripts.seen(), 1);
    let other = ask(addr, OTHER, "order-1", "something else").await;
    assert_eq!(other.header("x-sluice-replayed"), "");
    assert_ne!(told(&other).1, first.1);
    assert_ne!(told(&ask(addr, KEY, "order-2", "hello").await).1, first.1);
    assert_eq!((scripts.seen(), booked(&gateway).await), (3, (3, 3)));
}

#[tokio::test]
async fn a_first_that_failed_and_cost_nothing_can_be_tried_again() {
    let scripts = Scripts::usually(vec![Do::Refuse(503, String::new())]);
    let gateway = Gateway::start(&config(&scripts).await).await;
    let addr = gateway.running.data();
    let failed = ask(addr, KEY, "order-1", "hello").await;
    assert_eq!((failed.status, failed.header("x-should-retry")), (502, "true"), "{}", failed.text());
    scripts.next((0..20).map(|_| words(0)));
    // The replica may have been given a rest.
    let answered = within(async {
        loop {
            let answer = ask(addr, KEY, "order-1", "hello").await;
            if answer.status < 500 {
                break answer;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    assert_eq!(answered.header("x-sluice-replayed"), "");
    assert_eq!(told(&ask(addr, KEY, "order-1", "hello").await), told(&answered));
    assert_eq!(booked(&gateway).await.1, 1);
}

#[tokio::test]
async fn whoever_has_lost_its_connection_gets_the_whole_answer_and_pays_once() {
    let scripts = Scripts::usually(words(200));
    let gateway = Gateway::start(&config(&scripts).await).await;
    let addr = gateway.running.data();
    let mut stream = connect(addr).await;
    let asked = post(KEY, "order-1", &body("hello", r#","stream":true"#));
    stream.write_all(&asked).await.expect("sent");
    read_until(&mut stream, "two ").await;
    drop(stream);
    let again = within(exchange(addr, &asked)).await;
    assert_eq!(again.header("x-sluice-replayed"), "true");
    let (text, _, cost) = told_in_a_stream(&again.text());
    assert_eq!((text.as_str(), cost), ("two words", 70_000));
    assert_eq!((scripts.seen(), booked(&gateway).await), (1, (1, 1)));
}

#[tokio::test]
async fn an_outcome_that_is_too_large_is_not_charged_again() {
    let mut script = words(0);
    let large = Do::Token("x".repeat(64 << 10));
    script.splice(1..2, vec![large; 5]);
    let scripts = Scripts::usually(script);
    let text = config(&scripts).await.replace("max_output_tokens = 512", "max_output_tokens = 400000");
    let gateway = Gateway::start(&text.replace("context_tokens = 8192", "context_tokens = 1000000")).await;
    let addr = gateway.running.data();
    let asked = post(KEY, "order-1", &body("hello", "").replace(":20,", ":400000,"));
    let first = exchange(addr, &asked).await;
    let again = exchange(addr, &asked).await;
    assert_eq!((again.status, again.error_code().as_str()), (409, "idempotency_conflict"));
    assert!(again.text().contains("over 256 KiB"), "{}", again.text());
    assert_eq!((first.status, scripts.seen(), booked(&gateway).await.1), (200, 1, 1));
}

#[tokio::test]
async fn an_outcome_outlives_its_gateway() {
    let scripts = Scripts::usually(words(0));
    let text = config(&scripts).await;
    let folder = tempfile::TempDir::new().expect("a folder");
    let start =
        async || sluice_gateway::start(Gateway::config(folder.path(), &text)).await.expect("it starts");
    let before = start().await;
    let first = told(&ask(before.data(), KEY, "order-1", "hello").await);
    before.drain().await.expect("written out");
    let after = start().await;
    let again = ask(after.data(), KEY, "order-1", "hello").await;
    assert_eq!((told(&again), again.header("x-sluice-replayed")), (first, "true"));
    after.drain().await.expect("written out");
    assert_eq!((scripts.seen(), counted(folder.path())), (1, (1, 1)));
}
