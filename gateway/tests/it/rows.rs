//! Rows of the fault matrix as a client of the OpenAI paths meets them, to the letter of what it reads.

use crate::edge_grpc::{frame, raw_call};
use crate::edge_kit::{RawAnswer, exchange, post_chat};
use crate::failover::{ask, gateway, is_idle};
use crate::peer::{Do, Scripts, answer, stop};
use crate::support::{Gateway, Sim, experts, request};
use serde_json::Value;
use sluice_gateway::By;
use sluice_sim::Fault;
use std::time::Duration;
use tokio::time::Instant;

/// Asks over HTTP/1.1, with more headers and more fields.
async fn post(gateway: &Gateway, headers: &str, more: &str) -> RawAnswer {
    let body = format!(r#"{{"model":"auto","messages":[{{"role":"user","content":"hello"}}]{more}}}"#);
    exchange(gateway.running.data(), &post_chat(headers, &body)).await
}

/// The last line of a stream.
fn last_event(answer: &RawAnswer) -> Value {
    let body = answer.text();
    let last = body.trim_end().rsplit("\n\n").next().expect("a frame");
    serde_json::from_str(last.strip_prefix("data: ").expect("an event")).expect("JSON")
}

/// An answer that breaks off is an error in the stream, whoever spoke: never `[DONE]`, and booked once.
async fn assert_broken(fault: Fault) {
    for protocol in ["openai", "native"] {
        let (sim, other) = (Sim::start().await, Sim::start().await);
        let text = experts(&[("big", protocol, vec![sim.url()]), ("small", "native", vec![other.url()])]);
        let gateway = Gateway::start(&text).await;
        sim.always(Some(fault));
        let answer = post(&gateway, "", r#","max_tokens":400,"stream":true"#).await;
        assert_eq!(answer.status, 200, "{protocol}: it had begun");
        assert_eq!(last_event(&answer)["error"]["code"], "upstream_error", "{protocol}");
        assert!(answer.text().contains("\"content\":") && !answer.text().contains("[DONE]"), "{protocol}");
        assert!(!answer.text().contains(r#""finish_reason":"stop""#), "{protocol}");
        let report = gateway.report(vec![By::Status]).await;
        let total = &report.total;
        assert_eq!((total.requests, total.attempts, total.entries), (1, 1, 1), "{protocol}: no second try");
        assert!(total.cost.0 > 0, "{protocol}: what it used is paid");
        assert_eq!(report.groups[0].by[0], "upstream_error", "{protocol}");
    }
}

#[tokio::test]
async fn row_03_a_reset_mid_stream_is_an_error_in_the_stream_and_never_done() {
    assert_broken(Fault::BreakAfter { tokens: 4 }).await;
}

#[tokio::test]
async fn row_04_an_end_without_a_terminal_signal_is_an_error_in_the_stream_and_never_done() {
    assert_broken(Fault::EndAfter { tokens: 4 }).await;
}

#[tokio::test]
async fn row_08_an_engine_that_goes_on_after_its_finish_is_cancelled() {
    let more = Do::Token(" and more".to_owned());
    let scripts = Scripts::usually(vec![Do::Head, Do::Token("all".to_owned()), stop(), more, Do::AwaitClose]);
    let gateway = gateway(&scripts, 1, "", "").await;
    let answered = ask(&gateway, 20).await;
    assert_eq!((answered.expert(), answered.text.as_str()), ("big", "all"));
    is_idle(&gateway, &scripts).await;
    assert_eq!((scripts.closed().len(), gateway.report(vec![]).await.total.entries), (1, 1));
}

#[tokio::test]
async fn row_11_whatever_a_429_advises_another_expert_answers_and_no_replica_is_ill() {
    // Advice of each kind, and the pause that it makes: at most a minute, and a second where it can't be read.
    let cases = [
        ("retry-after: 7\r\n", 6_000..=7_000),
        ("retry-after-ms: 2500\r\n", 2_000..=2_500),
        (
            "retry-after: Tue, 24 Nov 2026 23:59:59 GMT\r\ndate: Tue, 24 Nov 2026 23:59:50 GMT\r\n",
            8_000..=9_000,
        ),
        ("retry-after: 99999999999999999999\r\n", 59_000..=60_000),
        ("retry-after: soon\r\n", 1..=1_000),
    ];
    for (advice, pause) in cases {
        let (busy, well) = (Scripts::usually(vec![Do::Refuse(429, advice.to_owned())]), Sim::start().await);
        let text =
            experts(&[("big", "openai", vec![busy.peer().await]), ("small", "native", vec![well.url()])]);
        let gateway = Gateway::start(&text).await;
        assert_eq!(ask(&gateway, 3).await.expert(), "small", "{advice}");
        assert_eq!(busy.seen(), 1, "{advice}");
        let page = crate::support::get(&format!("http://{}/pools", gateway.running.admin())).await;
        let page: Value = serde_json::from_str(&page).expect("JSON");
        let pool = &page["pools"][0];
        assert!(pool["cools_for_ms"].as_u64().is_some_and(|ms| pause.contains(&ms)), "{advice}: {pool}");
        assert_eq!(pool["replicas"][0]["ejections"], 0, "{advice}");
    }
}

#[tokio::test]
async fn row_13_in_a_storm_on_all_refusals_are_fast_503s_that_say_when_to_come_back() {
    let scripts = Scripts::usually(vec![Do::Refuse(500, String::new())]);
    let gateway = gateway(&scripts, 3, "", "").await;
    let requests = 300;
    let mut refusals: Vec<Duration> = Vec::new();
    for n in 0..requests {
        let sent = Instant::now();
        let answer = post(&gateway, "", "").await;
        if answer.status == 503 {
            assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|s| s >= 1), "request {n}");
            refusals.push(sent.elapsed());
        }
    }
    let reached = scripts.seen();
    assert!(reached * 10 <= requests * 11, "{reached} tries of {requests} requests");
    assert!(refusals.len() * 10 >= requests * 9, "{} of {requests} are 503", refusals.len());
    refusals.sort();
    assert!(refusals[refusals.len() / 2] < Duration::from_millis(100), "{refusals:?}");
}

#[tokio::test]
async fn row_50_a_deadline_in_the_past_is_refused_and_an_absent_or_endless_one_is_served() {
    let scripts = Scripts::usually(answer("here"));
    let gateway = gateway(&scripts, 1, "", "").await;
    let deadline = |ms: &str| format!("x-sluice-deadline-ms: {ms}\r\n");
    for wrong in ["0", "-1", "1.5", "99999999999999999999999"] {
        let answer = post(&gateway, &deadline(wrong), "").await;
        assert_eq!((answer.status, answer.error_code().as_str()), (400, "invalid_value"), "{wrong}");
    }
    // A client of gRPC would give up by itself.
    let call = frame(&request("auto", "hello", 20));
    let (_, trailers) = raw_call(gateway.running.data(), "Generate", &[("grpc-timeout", "0n")], call).await;
    assert_eq!(trailers["grpc-status"], (tonic::Code::DeadlineExceeded as i32).to_string());
    let report = gateway.report(vec![]).await;
    assert_eq!((scripts.seen(), report.total.attempts), (0, 0), "nothing was sent");
    for enough in [String::new(), deadline("315360000000"), deadline(&u64::MAX.to_string())] {
        let answer = post(&gateway, &enough, "").await;
        assert_eq!(answer.status, 200, "{enough}: {}", answer.text());
    }
    assert_eq!(scripts.seen(), 3);
}

#[tokio::test]
async fn row_50_a_deadline_of_a_millisecond_costs_no_more_than_its_prompt() {
    let scripts = Scripts::usually(vec![Do::AwaitClose]);
    let gateway = gateway(&scripts, 1, "", "").await;
    let sent = Instant::now();
    let answer = post(&gateway, "x-sluice-deadline-ms: 1\r\n", "").await;
    assert!([504, 429].contains(&answer.status), "{}", answer.text());
    assert!(sent.elapsed() < Duration::from_secs(2), "{:?}", sent.elapsed());
    is_idle(&gateway, &scripts).await;
    assert!(gateway.report(vec![]).await.total.cost.0 <= 2 * 10_000);
}
