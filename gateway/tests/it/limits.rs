//! Limits as clients meet them: refusals, delays and headers through the public port.

use crate::edge_kit::{RawAnswer, connect, exchange, post_chat, read_until, within};
use crate::spine::wait_until;
use crate::support::{Gateway, Sim, experts, request};
use crate::tenants::{authorization, chat, get, tenant, with_key};
use futures::future::join_all;
use sluice_gateway::{MemoryShared, Shared};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;
use tonic::Code;
use tonic_types::StatusExt as _;

const KEY: &str = "slk_limits-7c55e0";

async fn gateway(limits: &str) -> (Sim, Gateway) {
    let sim = Sim::start().await;
    let text = experts(&[("big", "native", vec![sim.url()])]);
    let gateway =
        Gateway::start(&format!("{text}{}", tenant("acme", KEY, &format!("limits = {limits}")))).await;
    (sim, gateway)
}

async fn ask(addr: SocketAddr) -> RawAnswer {
    exchange(addr, &post_chat(&authorization(KEY), &chat("auto"))).await
}

/// A header's number.
fn number(answer: &RawAnswer, name: &str) -> u64 {
    answer.header(name).parse().unwrap_or_else(|_| panic!("{name}: {:?}", answer.headers))
}

/// Milliseconds of a duration such as `17ms`, `1.5s` or `1m0s`.
fn ms(text: &str) -> f64 {
    if let Some(ms) = text.strip_suffix("ms") {
        return ms.parse().expect("a number");
    }
    let (minutes, seconds) = text.split_once('m').unwrap_or(("0", text));
    let seconds: f64 = seconds.trim_end_matches('s').parse().expect("a number");
    (minutes.parse::<f64>().expect("a number") * 60.0 + seconds) * 1e3
}

#[tokio::test]
async fn headers_of_requests_agree_with_what_the_next_one_meets() {
    let (_sim, gateway) = gateway("{ requests_per_min = 120 }").await;
    let data = gateway.running.data();
    let mut last = ask(data).await;
    assert_eq!((last.status, number(&last, "x-ratelimit-limit-requests")), (200, 120));
    // As many as are said to remain pass, at once; two come back each second.
    let began = Instant::now();
    let remaining = number(&last, "x-ratelimit-remaining-requests");
    assert!((118..=119).contains(&remaining), "{remaining}");
    let all = join_all((0..remaining).map(|_| ask(data))).await;
    assert!(all.iter().all(|answer| answer.status == 200), "every one that was promised");
    let came_back = |began: Instant| began.elapsed().as_secs_f64() * 2.0 + 1.0;
    for n in 0.. {
        last = ask(data).await;
        if last.status == 429 {
            break;
        }
        assert!(f64::from(n) <= came_back(began), "only what came back meanwhile passes");
    }
    assert_eq!(last.error_code(), "rate_limit_exceeded");
    let error = last.json()["error"].clone();
    assert_eq!(error["type"], "requests");
    let message = error["message"].as_str().expect("text");
    assert!(message.contains("120 requests in 1m of tenant acme is used up"), "{message}");
    assert_eq!((number(&last, "x-ratelimit-remaining-requests"), last.header("x-should-retry")), (0, "true"));
    let wait_ms = number(&last, "retry-after-ms");
    assert!(
        wait_ms <= 500 && number(&last, "retry-after") == 1,
        "one comes back in half a second: {wait_ms}"
    );
    assert!(ms(last.header("x-ratelimit-reset-requests")) > 50_000.0, "{:?}", last.headers);
    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    assert_eq!(ask(data).await.status, 200, "it waited as told");
}

#[tokio::test]
async fn every_answer_has_the_headers_whatever_it_says() {
    let (_sim, gateway) = gateway("{ requests_per_min = 100, tokens_per_min = 5000 }").await;
    let data = gateway.running.data();
    let key = authorization(KEY);
    let answers = [
        ask(data).await,
        exchange(data, &post_chat(&key, &chat("nobody"))).await,
        exchange(data, &post_chat(&key, "{")).await,
        exchange(data, &get("/v1/models", &key)).await,
        exchange(data, &get("/no/such/path", &key)).await,
    ];
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 404, 400, 200, 404]);
    for answer in &answers {
        assert_eq!(number(answer, "x-ratelimit-limit-requests"), 100);
        assert_eq!(number(answer, "x-ratelimit-limit-tokens"), 5_000);
        assert!(number(answer, "x-ratelimit-remaining-tokens") <= 5_000);
        assert!(ms(answer.header("x-ratelimit-reset-tokens")) <= 60_000.0);
    }
    let stranger = exchange(data, &get("/v1/models", "")).await;
    assert_eq!((stranger.status, stranger.header("x-ratelimit-limit-requests")), (401, ""));
    let mut client = gateway.client.clone();
    let answered = client.generate(with_key(request("auto", "hello", 5), KEY)).await.expect("it answers");
    assert_eq!(answered.metadata().get("x-ratelimit-limit-requests").expect("there"), "100");
}

#[tokio::test]
async fn tokens_are_counted_as_they_were_used_and_refused_with_their_own_type() {
    let (_sim, gateway) = gateway("{ tokens_per_min = 3000 }").await;
    let data = gateway.running.data();
    // The bound of its answer is far above the limit; what counts is what is expected, and then what was used.
    let body = r#"{"model":"auto","max_tokens":500,"messages":[{"role":"user","content":"hello"}]}"#;
    let first = exchange(data, &post_chat(&authorization(KEY), body)).await;
    let used = first.json()["usage"]["total_tokens"].as_u64().expect("counted");
    wait_until(async || {
        let listed = exchange(data, &get("/v1/models", &authorization(KEY))).await;
        let remaining = number(&listed, "x-ratelimit-remaining-tokens");
        (3_000 - used..3_000 - used + 200).contains(&remaining)
    })
    .await;
    let refused = within(async {
        loop {
            let answer = exchange(data, &post_chat(&authorization(KEY), body)).await;
            if answer.status != 200 {
                return answer;
            }
        }
    })
    .await;
    assert_eq!((refused.status, refused.error_code().as_str()), (429, "rate_limit_exceeded"));
    assert_eq!(refused.json()["error"]["type"], "tokens");
    let mut client = gateway.client.clone();
    let status = client.generate(with_key(request("auto", "hello", 500), KEY)).await.expect_err("used up");
    assert_eq!(status.code(), Code::ResourceExhausted);
    let delay = status.get_error_details().retry_info().expect("when to try again").retry_delay;
    assert!(delay.is_some_and(|delay| delay <= Duration::from_secs(20)), "{delay:?}");
}

#[tokio::test]
async fn a_slot_is_held_until_the_stream_s_end_and_free_on_every_way_out() {
    let sim = Sim::at_scale(1.0).await;
    let text = experts(&[("big", "native", vec![sim.url()])]);
    let limits = tenant("acme", KEY, "limits = { concurrent = 2 }");
    let gateway = Gateway::start(&format!("{text}{limits}")).await;
    let data = gateway.running.data();
    let stream = r#"{"model":"auto","stream":true,"max_tokens":512,"messages":[{"role":"user","content":"a long story"}]}"#;
    let begin = async || {
        let mut connection = connect(data).await;
        connection.write_all(&post_chat(&authorization(KEY), stream)).await.expect("sent");
        let head = read_until(&mut connection, "data: ").await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        connection
    };
    let (first, _second) = (begin().await, begin().await);
    let refused = ask(data).await;
    assert_eq!((refused.status, refused.error_code().as_str()), (429, "rate_limit_exceeded"));
    let message = refused.json()["error"]["message"].as_str().expect("text").to_owned();
    assert!(message.contains("2 requests at once of tenant acme"), "{message}");
    drop(first);
    wait_until(async || ask(data).await.status == 200).await;
    // An answer that fails and one that ends leave nothing behind either.
    sim.always(Some(sluice_sim::Fault::Status(500)));
    for _ in 0..5 {
        assert_ne!(ask(data).await.status, 429);
    }
}

#[tokio::test]
async fn over_three_gateways_a_limit_is_passed_by_no_more_than_one_share() {
    let sim = Sim::start().await;
    let text = experts(&[("big", "native", vec![sim.url()])]);
    let text = format!("{text}{}", tenant("acme", KEY, "limits = { requests_per_min = 300 }"));
    let shared: Arc<dyn Shared> = Arc::new(MemoryShared::default());
    let mut gateways = Vec::new();
    for _ in 0..3 {
        gateways.push(Gateway::start_sharing(&text, shared.clone()).await);
    }
    let began = Instant::now();
    let mut passed = 0;
    for _ in 0..10 {
        let asks = (0..60).map(|n| ask(gateways[n % 3].running.data()));
        passed += join_all(asks).await.iter().filter(|answer| answer.status == 200).count() as u64;
    }
    let came_back = began.elapsed().as_millis() as u64 * 300 / 60_000;
    let share = 300 / 20;
    assert!(passed <= 300 + came_back + share, "{passed}, and {came_back} came back");
    assert!(passed >= 300 - 3 * share, "{passed}");
}
