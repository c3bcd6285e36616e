//! What befalls a try, row by row of the fault matrix: who answers instead, what the client is told, what is booked.

use crate::peer::{Do, Scripts, answer, answer_after, done, stop};
use crate::spine::wait_until;
use crate::support::{Answer, Gateway, Sim, experts, request};
use futures::StreamExt as _;
use sluice_gateway::By;
use sluice_proto::v1::generate_event::Event;
use sluice_sim::Fault;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tonic::Code;

/// A gateway before `replicas` peers in one pool, with more keys for the pool and for the route.
pub(crate) async fn gateway(scripts: &Arc<Scripts>, replicas: usize, pool: &str, route: &str) -> Gateway {
    let mut urls = Vec::new();
    for _ in 0..replicas {
        urls.push(scripts.peer().await);
    }
    let text = experts(&[("big", "openai", urls)]);
    let name = "name = \"big-pool\"\n";
    let text = text.replace(name, &format!("{name}{pool}\n"));
    Gateway::start(&format!("{text}[[route]]\nname = \"auto\"\n{route}\n")).await
}

pub(crate) async fn ask(gateway: &Gateway, max_tokens: u32) -> Answer {
    gateway.ask(request("auto", "hello", max_tokens)).await
}

async fn outcome(gateway: &Gateway, outcome: &str) -> f64 {
    gateway
        .metric(&format!("sluice_upstream_attempts_total{{pool=\"big-pool\",outcome=\"{outcome}\"}}"))
        .await
}

/// How often tries ended so, of those that a test has made so far.
struct Outcomes {
    lost: f64,
    refused: f64,
}

impl Outcomes {
    async fn of(gateway: &Gateway) -> Outcomes {
        Outcomes { lost: outcome(gateway, "hedge_lost").await, refused: outcome(gateway, "refused").await }
    }

    async fn since(&self, gateway: &Gateway) -> (f64, f64) {
        let now = Outcomes::of(gateway).await;
        (now.lost - self.lost, now.refused - self.refused)
    }
}

pub(crate) async fn is_idle(gateway: &Gateway, scripts: &Scripts) {
    wait_until(async || scripts.open() == 0).await;
    wait_until(async || gateway.metric("sluice_inflight_requests{pool=\"big-pool\"}").await == 0.0).await;
}

const SILENT: &[Do] = &[Do::AwaitClose];

#[tokio::test]
async fn row_01_a_slow_first_token_is_cancelled_and_another_replica_answers_else_it_is_504() {
    let scripts = Scripts::usually(answer("here"));
    let gateway = gateway(&scripts, 2, "first_token_timeout_ms = 300", "").await;
    scripts.next([SILENT.to_vec()]);
    let answered = ask(&gateway, 20).await;
    assert_eq!((answered.expert(), answered.text.as_str()), ("big", "here"));
    is_idle(&gateway, &scripts).await;
    let report = gateway.report(vec![]).await;
    assert_eq!((report.total.attempts, report.total.entries), (2, 2), "the silent one has read the prompt");
    scripts.next([SILENT.to_vec(), SILENT.to_vec()]);
    assert_eq!(ask(&gateway, 20).await.code(), Code::DeadlineExceeded);
    is_idle(&gateway, &scripts).await;
}

#[tokio::test]
async fn row_01_a_deadline_that_comes_first_ends_the_wait_for_a_first_token() {
    let scripts = Scripts::usually(SILENT.to_vec());
    let gateway = gateway(&scripts, 2, "", "").await;
    let mut asked = tonic::Request::new(request("auto", "hello", 20));
    asked.metadata_mut().insert("x-sluice-deadline-ms", "200".parse().expect("ascii"));
    let status = gateway.client.clone().generate(asked).await.expect_err("nothing came");
    assert_eq!(status.code(), Code::DeadlineExceeded);
    is_idle(&gateway, &scripts).await;
    assert_eq!(scripts.seen(), 1, "no time is left for another");
}

#[tokio::test]
async fn row_04_an_end_without_a_terminal_signal_is_an_error_and_settles_once() {
    for protocol in ["native", "openai"] {
        let sim = Sim::start().await;
        let gateway = Gateway::start(&experts(&[("big", protocol, vec![sim.url()])])).await;
        sim.always(Some(Fault::EndAfter { tokens: 4 }));
        let answered = ask(&gateway, 400).await;
        assert!(answered.finished.is_none() && !answered.text.is_empty(), "{protocol}: {answered:?}");
        assert_eq!(answered.code(), Code::Unavailable, "{protocol}");
        let report = gateway.report(vec![By::Status]).await;
        assert_eq!((report.total.attempts, report.total.entries), (1, 1), "{protocol}");
        assert_eq!(report.groups[0].by[0], "upstream_error", "{protocol}");
    }
}

#[tokio::test]
async fn row_05_an_error_that_is_no_event_is_read_and_told() {
    let tail = r#"{"error":{"message":"out of memory","code":500}}"#;
    let scripts =
        Scripts::usually(vec![Do::Head, Do::Token("a".to_owned()), Do::Raw(tail.to_owned()), Do::End]);
    let gateway = gateway(&scripts, 2, "", "").await;
    let answered = ask(&gateway, 20).await;
    assert!(answered.finished.is_none() && answered.text == "a");
    assert_eq!(answered.code(), Code::Unavailable);
    assert!(answered.error.expect("failed").message().contains("out of memory"));
    assert_eq!(scripts.seen(), 1, "never again after the first byte");
}

#[tokio::test]
async fn row_08_output_after_the_finish_reaches_nobody() {
    let more = Do::Token(" and more".to_owned());
    let script = vec![Do::Head, Do::Token("all".to_owned()), stop(), more, done(), Do::End];
    let scripts = Scripts::usually(script);
    let gateway = gateway(&scripts, 1, "", "").await;
    let answered = ask(&gateway, 20).await;
    assert_eq!((answered.expert(), answered.text.as_str()), ("big", "all"));
}

#[tokio::test]
async fn row_08_an_engine_over_the_limit_of_its_output_is_cut_off_at_it() {
    let scripts = Scripts::usually(vec![Do::Head, Do::Flood]);
    let gateway = gateway(&scripts, 1, "", "").await;
    let answered = ask(&gateway, 20).await;
    let finished = answered.finished.as_ref().expect("cut at its limit, it is complete");
    assert_eq!(finished.finish_reason, "length");
    let usage = finished.usage.expect("counted");
    assert!(usage.estimated && usage.output_tokens == 20, "{usage:?}");
    assert!(answered.text.len() < 400, "{} bytes", answered.text.len());
    is_idle(&gateway, &scripts).await;
    assert_eq!(outcome(&gateway, "overran").await, 1.0);
    assert_eq!(gateway.report(vec![]).await.total.entries, 1);
}

#[tokio::test]
async fn row_09_a_count_that_can_not_be_meant_is_our_own_or_cut_to_what_was_asked_for() {
    // What the engine counts; prompt and output tokens that are booked, and whether that is an estimate.
    let own = (2, 1, true);
    let cases = [
        (r#"null"#, own),
        (r#"{"prompt_tokens":0,"completion_tokens":0}"#, own),
        (r#"{"prompt_tokens":-5,"completion_tokens":7}"#, own),
        (r#"{"prompt_tokens":5,"completion_tokens":9223372036854775808}"#, own),
        (r#"{"prompt_tokens":5,"completion_tokens":0}"#, (5, 0, false)),
        (r#"{"prompt_tokens":5,"completion_tokens":7}"#, (5, 7, false)),
        (r#"{"prompt_tokens":5,"completion_tokens":7,"total_tokens":3}"#, (5, 7, false)),
        (r#"{"prompt_tokens":5,"completion_tokens":5000000}"#, (5, 20, true)),
        (r#"{"prompt_tokens":5000000,"completion_tokens":7}"#, (2, 7, true)),
    ];
    let scripts = Scripts::usually(Vec::new());
    let gateway = gateway(&scripts, 1, "", "").await;
    let mut cost = 0;
    for (usage, (prompt, output, estimated)) in cases {
        let usage = Do::Event(format!(r#"{{"choices":[],"usage":{usage}}}"#));
        scripts.next([vec![Do::Head, Do::Token("word".to_owned()), stop(), usage.clone(), done(), Do::End]]);
        let finished = ask(&gateway, 20).await.finished.expect("complete");
        let booked = finished.usage.expect("counted");
        let got = (booked.prompt_tokens, booked.output_tokens, booked.estimated);
        assert_eq!(got, (prompt, output, estimated), "{usage:?}");
        assert_eq!(finished.cost_nanousd, i64::from(prompt + output) * 10_000);
        cost += finished.cost_nanousd;
    }
    assert_eq!(gateway.report(vec![]).await.total.cost.0, cost);
}

#[tokio::test]
async fn a_pool_that_asks_to_wait_is_waited_for_a_moment_and_a_longer_wait_is_the_clients() {
    let scripts = Scripts::usually(answer("here"));
    let gateway = gateway(&scripts, 1, "", "").await;
    scripts.next([vec![Do::Refuse(429, "retry-after-ms: 50\r\n".to_owned())]]);
    assert_eq!(ask(&gateway, 20).await.text, "here");
    assert_eq!(scripts.seen(), 2);
    scripts.next([vec![Do::Refuse(429, "retry-after: 30\r\n".to_owned())]]);
    let status = ask(&gateway, 20).await.error.expect("it is told to come back");
    assert_eq!(status.code(), Code::Unavailable);
    let pushback = status.metadata().get("grpc-retry-pushback-ms").expect("told").to_str().expect("ascii");
    assert!((29_000..=30_000).contains(&pushback.parse().expect("a number")), "{pushback}");
    assert_eq!(scripts.seen(), 3);
}

const HEDGE: &str = "hedge = { budget = 0.5 }";

/// A gateway that hedges, and that has seen how fast its engines usually are; what its tries have come to by then.
async fn hedging(scripts: &Arc<Scripts>, replicas: usize) -> (Gateway, Outcomes) {
    let gateway = gateway(scripts, replicas, "", HEDGE).await;
    for _ in 0..5 {
        assert_eq!(ask(&gateway, 20).await.expert(), "big");
    }
    is_idle(&gateway, scripts).await;
    let seen = Outcomes::of(&gateway).await;
    (gateway, seen)
}

#[tokio::test]
async fn row_62_the_second_try_answers_and_the_first_is_cancelled_and_booked() {
    let scripts = Scripts::usually(answer("usual"));
    let (gateway, seen) = hedging(&scripts, 2).await;
    let before = gateway.report(vec![]).await.total;
    scripts.next([SILENT.to_vec(), answer("hedge")]);
    let answered = ask(&gateway, 20).await;
    assert_eq!((answered.expert(), answered.text.as_str()), ("big", "hedge"));
    is_idle(&gateway, &scripts).await;
    let report = gateway.report(vec![]).await.total;
    assert_eq!(seen.since(&gateway).await, (1.0, 0.0));
    assert_eq!((report.attempts - before.attempts, report.entries - before.entries), (2, 2));
    // 2 tokens of the prompt by estimate for the loser; 5 and 1 by the engine's count for the answer.
    assert_eq!(report.cost.0 - before.cost.0, (2 + 5 + 1) * 10_000);
    assert_eq!(answered.finished.expect("complete").cost_nanousd, report.cost.0 - before.cost.0);
}

#[tokio::test]
async fn row_62_the_second_try_fails_and_the_first_answers() {
    let scripts = Scripts::usually(answer("usual"));
    let (gateway, seen) = hedging(&scripts, 2).await;
    scripts.next([answer_after(1_500, "first"), vec![Do::Refuse(500, String::new())]]);
    assert_eq!(ask(&gateway, 20).await.text, "first");
    assert_eq!(seen.since(&gateway).await, (0.0, 1.0));
}

#[tokio::test]
async fn row_62_both_tries_fail_and_the_walk_goes_on() {
    let scripts = Scripts::usually(answer("third"));
    let (gateway, seen) = hedging(&scripts, 3).await;
    let late = vec![Do::Sleep(Duration::from_millis(1_500)), Do::Refuse(500, String::new())];
    scripts.next([late, vec![Do::Refuse(500, String::new())]]);
    assert_eq!(ask(&gateway, 20).await.text, "third");
    assert_eq!(seen.since(&gateway).await, (0.0, 2.0));
}

#[tokio::test]
async fn row_62_when_both_answer_at_once_exactly_one_reaches_the_client_and_both_are_settled() {
    let scripts = Scripts::usually(answer("usual"));
    let (gateway, seen) = hedging(&scripts, 2).await;
    let before = gateway.report(vec![]).await.total;
    let rounds = 20;
    for n in 0..rounds {
        // Whenever the second try begins, in some round both answer at about the same time.
        scripts.next([answer_after(40 + 25 * n, "first"), answer_after(30, "second")]);
        let answered = ask(&gateway, 20).await;
        assert!(
            answered.finished.is_some() && ["first", "second"].contains(&answered.text.as_str()),
            "{answered:?}"
        );
        // A round that had no room or no budget for a second try leaves its script to nobody.
        scripts.forget();
    }
    is_idle(&gateway, &scripts).await;
    let report = gateway.report(vec![]).await.total;
    assert_eq!(report.requests - before.requests, rounds);
    let lost = seen.since(&gateway).await.0 as u64;
    assert_eq!(report.attempts - before.attempts, rounds + lost);
    assert_eq!(report.entries - before.entries, rounds + lost, "each is settled once");
    assert!(lost > 0);
}

#[tokio::test]
async fn first_tries_are_compared_with_what_was_foreseen_and_later_ones_are_not() {
    let scripts = Scripts::usually(answer_after(50, "usual"));
    let gateway = gateway(&scripts, 2, "", "").await;
    let seen = async |what: &str| {
        gateway.metric(&format!("sluice_ttft_prediction_ratio_{what}{{pool=\"big-pool\"}}")).await
    };
    for _ in 0..20 {
        assert_eq!(ask(&gateway, 20).await.expert(), "big");
    }
    let (count, sum) = (seen("count").await, seen("sum").await);
    assert_eq!(count, 20.0);
    for _ in 0..10 {
        assert_eq!(ask(&gateway, 20).await.expert(), "big");
    }
    let mean = (seen("sum").await - sum) / 10.0;
    assert!((0.5..2.0).contains(&mean), "it has learned what 50 ms are: {mean}");
    scripts.next([vec![Do::Refuse(500, String::new())]]);
    assert_eq!(ask(&gateway, 20).await.expert(), "big");
    assert_eq!(
        (seen("count").await, scripts.seen()),
        (30.0, 32),
        "the first had no token, the second is late"
    );
}

#[tokio::test]
async fn without_a_budget_nothing_is_hedged() {
    let scripts = Scripts::usually(answer("usual"));
    let gateway = gateway(&scripts, 2, "", "").await;
    for _ in 0..5 {
        ask(&gateway, 20).await;
    }
    scripts.next([answer_after(500, "first")]);
    assert_eq!(ask(&gateway, 20).await.text, "first");
    assert_eq!(scripts.seen(), 6);
}

#[tokio::test]
async fn a_storm_of_failures_reaches_engines_hardly_more_often_than_requests_come() {
    let scripts = Scripts::usually(vec![Do::Refuse(500, String::new())]);
    let gateway = gateway(&scripts, 3, "", "").await;
    let requests = 500;
    let mut last = None;
    for _ in 0..requests {
        last = ask(&gateway, 20).await.error;
    }
    let reached = scripts.seen();
    assert!(reached * 10 <= requests * 11, "{reached} of {requests}");
    let status = last.expect("all failed");
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.metadata().contains_key("grpc-retry-pushback-ms"), "{status:?}");
}

/// How many clients cancel at once; `SLUICE_CANCEL_CLIENTS=1000` for the full measure (needs 8,192 open files).
fn clients() -> usize {
    std::env::var("SLUICE_CANCEL_CLIENTS").ok().and_then(|count| count.parse().ok()).unwrap_or(100)
}

#[tokio::test]
async fn row_19_clients_that_leave_mid_stream_cancel_their_engines_and_leak_nothing_in_ten_rounds() {
    let scripts = Scripts::usually(vec![Do::Head, Do::Token("one".to_owned()), Do::AwaitClose]);
    let clients = clients();
    let pool = format!("max_concurrency = {clients}");
    let gateway = gateway(&scripts, 2, &pool, "").await;
    for round in 1..=10 {
        // Not all at once: a connection that can't say anything for ten seconds is closed.
        let opening = futures::stream::iter((0..clients).map(|_| begun(&gateway)));
        let streams: Vec<_> = opening.buffer_unordered(50).collect().await;
        assert_eq!(scripts.open(), clients, "round {round}");
        drop(streams);
        is_idle(&gateway, &scripts).await;
        wait_until(async || gateway.report(vec![]).await.total.requests == (round * clients) as u64).await;
    }
    let total = gateway.report(vec![By::Status]).await.total;
    let all = (10 * clients) as u64;
    assert_eq!((total.attempts, total.entries), (all, all), "each is settled once");
    // Two tokens of the prompt by estimate, and the one that was relayed.
    assert_eq!(total.cost.0, (10 * clients * (2 + 1) * 10_000) as i64, "at what was relayed");
    assert_eq!(outcome(&gateway, "cut").await, all as f64);
}

#[tokio::test]
async fn row_19_a_client_that_leaves_has_its_engine_cancelled_at_once() {
    let scripts = Scripts::usually(vec![Do::Head, Do::Token("first".to_owned()), Do::AwaitClose]);
    let gateway = gateway(&scripts, 2, "", "").await;
    let mut after: Vec<Duration> = Vec::new();
    for n in 1..=clients() {
        let stream = begun(&gateway).await;
        let left = Instant::now();
        drop(stream);
        wait_until(async || scripts.open() == 0).await;
        after.extend(scripts.closed().iter().map(|closed| closed.duration_since(left)));
        wait_until(async || gateway.report(vec![]).await.total.entries == n as u64).await;
        assert!(left.elapsed() < Duration::from_secs(5), "client {n} is settled after {:?}", left.elapsed());
    }
    assert_eq!(after.len(), clients());
    after.sort();
    let at = |share: usize| after[(after.len() - 1) * share / 100];
    eprintln!("{} cancelled, p50 {:?}, p99 {:?}", after.len(), at(50), at(99));
    // On a busy machine the median tells of the gateway, and the tail of whoever else runs there.
    assert!(at(50) <= Duration::from_millis(100) && at(99) <= Duration::from_secs(5));
}

/// A stream whose first token has come. Every client has a connection of its own.
async fn begun(gateway: &Gateway) -> impl Sized {
    let url = format!("http://{}", gateway.running.data());
    let mut client = sluice_proto::v1::gateway_client::GatewayClient::connect(url).await.expect("it listens");
    let answer = client.generate(request("auto", "hello", 400)).await.expect("begun");
    let mut events = answer.into_inner();
    while !matches!(
        events.message().await.expect("streams").and_then(|event| event.event),
        Some(Event::Text(_))
    ) {}
    (client, events)
}
