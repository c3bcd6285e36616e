//! Pools whose engines take whole batches, over real sockets: from the client through the gateway to a native engine.

use crate::spine::wait_until;
use crate::support::{Gateway, experts, request};
use futures::future::join_all;
use sluice_gateway::By;
use sluice_sim::{Answer, Answers, Fault, Faults, Profile, SimConfig};
use std::sync::Arc;
use std::time::Duration;
use tonic::Code;

/// Says what it was asked.
struct Echo;

impl Answers for Echo {
    fn answer(&self, prompt: &str, _: u32) -> Answer {
        let output_tokens = u32::try_from(prompt.split(' ').count()).unwrap_or(1);
        Answer { output_tokens, input_tokens: None, text: Some(prompt.to_owned()) }
    }
}

/// An engine that takes whole batches: 100 ms for any, and 1 ms for each row.
async fn engine(faults: &Faults) -> sluice_sim::Running {
    let text = "context_tokens = 200\nwhole_batch = { base_ms = 100, per_item_ms = 1, max_batch = 16 }";
    let profile = Profile::from_toml(text).expect("a profile");
    let config = SimConfig { answers: Arc::new(Echo), faults: faults.clone(), ..SimConfig::new(profile) };
    sluice_sim::start(config).await.expect("loopback")
}

async fn gateway(addresses: &[&sluice_sim::Running]) -> Gateway {
    let urls = addresses.iter().map(|running| format!("http://{}", running.addr)).collect();
    let text = experts(&[("big", "native", urls)]);
    let batching = "batching = { mode = \"window\", max_batch = 16 }\nprotocol";
    Gateway::start(&text.replace("protocol", batching)).await
}

const ROWS: &str = "sluice_batch_size_sum{pool=\"big-pool\"}";
const BATCHES: &str = "sluice_batch_size_count{pool=\"big-pool\"}";
const IN_FLIGHT: &str = "sluice_inflight_requests{pool=\"big-pool\"}";

/// Starts one that goes alone, so that those who come in the next 100 ms gather behind it.
async fn behind_one<T>(gateway: &Gateway, others: impl Future<Output = T>) -> T {
    let before = gateway.metric(BATCHES).await;
    let others = async {
        wait_until(async || gateway.metric(BATCHES).await > before).await;
        others.await
    };
    let (first, others) = tokio::join!(gateway.ask(request("auto", "the first", 50)), others);
    assert_eq!(first.text, "the first");
    others
}

#[tokio::test]
async fn those_who_come_while_the_engine_works_go_together_and_each_gets_its_own_answer() {
    let engine = engine(&Faults::none()).await;
    let gateway = gateway(&[&engine]).await;
    let asked: Vec<String> = (0..10).map(|n| format!("number {n} please")).collect();
    let ask = |text: &String| gateway.ask(request("auto", text, 50));
    let answers = behind_one(&gateway, join_all(asked.iter().map(ask))).await;
    for (answer, asked) in answers.iter().zip(&asked) {
        assert_eq!((&answer.text, answer.expert()), (asked, "big"));
        let usage = answer.finished.as_ref().and_then(|finished| finished.usage).expect("it counts");
        assert_eq!((usage.output_tokens, usage.estimated), (3, false));
    }
    assert_eq!((gateway.metric(BATCHES).await, gateway.metric(ROWS).await), (2.0, 11.0));
    let report = gateway.report(vec![By::Expert]).await;
    assert_eq!((report.total.requests, report.total.attempts), (11, 11));
    assert_eq!(gateway.metric(IN_FLIGHT).await, 0.0);
}

#[tokio::test]
async fn row_63_a_bad_request_fails_alone_and_a_cancelled_one_costs_nobody_an_answer() {
    let engine = engine(&Faults::none()).await;
    let gateway = gateway(&[&engine]).await;
    let long = "too long for this engine ".repeat(50);
    let asked = ["a", &long, "b", "c", "d"];
    let ask = |text: &&str| gateway.ask(request("auto", text, 50));
    let cancelled = async {
        // It gathers with the others, and is gone before they go or while they are answered.
        let early = tokio::time::timeout(Duration::from_millis(30), gateway.ask(request("auto", "e", 50)));
        let late = tokio::time::timeout(Duration::from_millis(150), gateway.ask(request("auto", "f", 50)));
        tokio::join!(early, late)
    };
    let all = async { tokio::join!(join_all(asked.iter().map(ask)), cancelled) };
    let (answers, (early, late)) = behind_one(&gateway, all).await;
    assert!(early.is_err() && late.is_err());
    for (answer, asked) in answers.iter().zip(asked) {
        if asked == long {
            assert_eq!(answer.code(), Code::OutOfRange, "{:?}", answer.error);
        } else {
            assert_eq!((answer.text.as_str(), answer.expert()), (asked, "big"));
        }
    }
    wait_until(async || gateway.metric(IN_FLIGHT).await == 0.0).await;
    assert_eq!(gateway.metric(BATCHES).await, 2.0, "nothing was sent again");
    assert_eq!(gateway.ask(request("auto", "and on", 50)).await.text, "and on");
}

#[tokio::test]
async fn row_63_a_batch_that_is_refused_as_a_whole_is_halved_and_everybody_answered_once() {
    let faults = Faults::none();
    let engine = engine(&faults).await;
    let gateway = gateway(&[&engine]).await;
    let others = async {
        faults.push(Fault::Status(400));
        join_all((0..6).map(|n| gateway.ask(request("auto", &n.to_string(), 50))).collect::<Vec<_>>()).await
    };
    let answers = behind_one(&gateway, others).await;
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!((answer.text.clone(), answer.expert()), (n.to_string(), "big"));
    }
    assert_eq!((gateway.metric(BATCHES).await, gateway.metric(ROWS).await), (4.0, 13.0), "1, 6, 3, 3");
}

#[tokio::test]
async fn row_63_fewer_results_than_requests_are_an_error_for_all_and_no_answer_is_another_s() {
    let faults = Faults::none();
    let engine = engine(&faults).await;
    let gateway = gateway(&[&engine]).await;
    let others = async {
        faults.push(Fault::EndAfter { tokens: 0 });
        join_all((0..5).map(|n| gateway.ask(request("auto", &n.to_string(), 50))).collect::<Vec<_>>()).await
    };
    for answer in behind_one(&gateway, others).await {
        assert_eq!((answer.code(), answer.text.as_str()), (Code::Unavailable, ""), "{:?}", answer.error);
    }
}

#[tokio::test]
async fn a_deadline_that_the_batches_ahead_can_not_keep_is_refused_at_once() {
    let engine = engine(&Faults::none()).await;
    let gateway = gateway(&[&engine]).await;
    for n in 0..3 {
        gateway.ask(request("auto", &n.to_string(), 50)).await.expert();
    }
    let begun = tokio::time::Instant::now();
    let mut hasty = tonic::Request::new(request("auto", "hasty", 50));
    hasty.set_timeout(Duration::from_millis(60));
    let status = gateway.client.clone().generate(hasty).await.err();
    let status = match status {
        Some(status) => status,
        None => panic!("it was let in"),
    };
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert!(begun.elapsed() < Duration::from_millis(60), "{:?}", begun.elapsed());
}
