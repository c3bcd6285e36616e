//! Pools over real sockets: replicas that join and leave, storms, quotas, reports; rows of the fault matrix by number.

use crate::spine::wait_until;
use crate::support::{Gateway, Sim, experts, get, request};
use futures::future::join_all;
use serde_json::Value;
use sluice_proto::v1::generate_event::Event;
use sluice_sim::Fault;
use std::time::Duration;
use tonic::Code;

/// What `/pools` says of the first pool.
async fn first_pool(gateway: &Gateway) -> Value {
    let page = get(&format!("http://{}/pools", gateway.running.admin())).await;
    let page: Value = serde_json::from_str(&page).expect("JSON");
    page["pools"][0].clone()
}

/// Asks until the end of the stream; true when it was complete.
async fn is_whole(gateway: &Gateway, tokens: u32) -> bool {
    let mut client = gateway.client.clone();
    let Ok(begun) = client.generate(request("auto", "a long story", tokens)).await else { return false };
    let mut events = begun.into_inner();
    let mut is_whole = false;
    while let Ok(Some(event)) = events.message().await {
        is_whole |= matches!(event.event, Some(Event::Finished(_)));
    }
    is_whole
}

#[tokio::test]
async fn replicas_found_in_a_file_come_and_go_under_streams_and_none_is_dropped() {
    let sims = [Sim::at_scale(20.0).await, Sim::at_scale(20.0).await, Sim::at_scale(20.0).await];
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("law.txt");
    let write = |of: &[usize]| {
        let lines: Vec<String> = of.iter().map(|&at| sims[at].url()).collect();
        std::fs::write(&file, lines.join("\n")).expect("our file");
    };
    write(&[0, 1]);
    let text = experts(&[("big", "native", vec![])])
        .replace("endpoints = []", &format!("discover = {{ file = {:?} }}", file.display().to_string()));
    let gateway = Gateway::start(&text).await;
    let up = "sluice_replica_state{pool=\"big-pool\",state=\"up\"}";
    assert_eq!(gateway.metric(up).await, 2.0, "they are there before the first request");
    let streams = async {
        let mut wholes = Vec::new();
        for _ in 0..4 {
            wholes.extend(join_all((0..12).map(|_| is_whole(&gateway, 400))).await);
        }
        wholes
    };
    let changes = async {
        for (of, bad) in [(&[0, 1, 2][..], ""), (&[2], ""), (&[2], "nonsense"), (&[0, 2], "")] {
            if bad.is_empty() {
                write(of);
                wait_until(async || gateway.metric(up).await == of.len() as f64).await;
            } else {
                std::fs::write(&file, bad).expect("our file");
                let failed = "sluice_discoveries_total{pool=\"big-pool\",outcome=\"failed\"}";
                wait_until(async || gateway.metric(failed).await == 1.0).await;
                assert_eq!(gateway.metric(up).await, of.len() as f64, "a bad file keeps what is known");
            }
        }
    };
    let (wholes, ()) = tokio::join!(streams, changes);
    assert_eq!(wholes.iter().filter(|whole| **whole).count(), 48);
    let report = gateway.report(vec![]).await;
    assert_eq!((report.total.requests, report.total.attempts), (48, 48), "no try was lost");
    let pool = first_pool(&gateway).await;
    assert!(pool["discover"].as_str().is_some_and(|shown| shown.starts_with("file ")), "{pool}");
    assert_eq!(pool["replicas"].as_array().map(Vec::len), Some(2), "{pool}");
}

#[tokio::test]
async fn a_reload_that_changes_endpoints_keeps_the_line_and_the_streams() {
    let (first, second) = (Sim::at_scale(20.0).await, Sim::at_scale(20.0).await);
    let text = |of: &[&Sim]| experts(&[("big", "native", of.iter().map(|sim| sim.url()).collect())]);
    let gateway = Gateway::start(&text(&[&first])).await;
    let running = "sluice_inflight_requests{pool=\"big-pool\"}";
    let streams = join_all((0..20).map(|_| is_whole(&gateway, 500)));
    let reload = async {
        wait_until(async || gateway.metric(running).await == 20.0).await;
        let moved = Gateway::config(&gateway.folder, &text(&[&second]));
        gateway.running.reload(moved).await.expect("only an address has changed");
        let pool = first_pool(&gateway).await;
        let states: Vec<&str> = pool["replicas"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|replica| replica["state"].as_str())
            .collect();
        assert!(states.contains(&"draining"), "the old replica is still in the same line: {pool}");
        let answer = gateway.ask(request("auto", "hello", 3)).await;
        assert_eq!(answer.expert(), "big");
    };
    let (wholes, ()) = tokio::join!(streams, reload);
    assert!(wholes.iter().all(|whole| *whole), "{wholes:?}");
    let pool = first_pool(&gateway).await;
    assert_eq!(pool["replicas"].as_array().map(Vec::len), Some(1), "{pool}");
    assert_eq!(pool["replicas"][0]["address"], second.url(), "{pool}");
}

#[tokio::test]
async fn row_17_a_name_is_resolved_and_one_that_is_unknown_leaves_the_pool_down_not_broken() {
    let sim = Sim::start().await;
    let named = |place: &str| {
        experts(&[("big", "native", vec![])])
            .replace("endpoints = []", &format!("discover = {{ dns = {place:?} }}"))
    };
    let local = Gateway::start(&named(&format!("127.0.0.1:{}", sim.running.addr.port()))).await;
    assert_eq!(local.ask(request("auto", "hello", 3)).await.expert(), "big");
    let nowhere = Gateway::start(&named("experts.invalid:8000")).await;
    let answer = nowhere.ask(request("auto", "hello", 3)).await;
    assert_eq!(answer.code(), Code::Unavailable);
    let failed = nowhere.metric("sluice_discoveries_total{pool=\"big-pool\",outcome=\"failed\"}").await;
    assert!(failed >= 1.0);
}

#[tokio::test]
async fn row_11_after_a_429_nothing_is_sent_until_the_pause_is_over() {
    let (big, other, small) = (Sim::start().await, Sim::start().await, Sim::start().await);
    let text =
        experts(&[("big", "openai", vec![big.url(), other.url()]), ("small", "native", vec![small.url()])]);
    let gateway = Gateway::start(&text).await;
    for sim in [&big, &other] {
        sim.always(Some(Fault::Busy { retry_after: Some(Duration::from_secs(3_600)) }));
    }
    for n in 0..30 {
        assert_eq!(gateway.ask(request("auto", "hello", 3)).await.expert(), "small", "request {n}");
    }
    let report = gateway.report(vec![]).await;
    assert_eq!(report.total.attempts, 31, "one 429 told the whole pool");
    let pinned = gateway.ask(request("big", "hello", 3)).await.error.expect("its quota is used up");
    assert_eq!(pinned.code(), Code::Unavailable);
    let pool = first_pool(&gateway).await;
    assert!(pool["cools_for_ms"].as_u64().is_some_and(|ms| (50_000..=60_000).contains(&ms)), "{pool}");
    assert_eq!(pool["replicas"][0]["ejections"], 0, "{pool}");
}

#[tokio::test]
async fn row_12_a_storm_of_503_on_one_of_three_costs_no_request_its_answer() {
    let sims = [Sim::start().await, Sim::start().await, Sim::start().await];
    let gateway = Gateway::start(&experts(&[("big", "openai", sims.iter().map(Sim::url).collect())])).await;
    sims[1].always(Some(Fault::Status(503)));
    for n in 0..200 {
        assert_eq!(gateway.ask(request("auto", "hello", 3)).await.expert(), "big", "request {n}");
    }
    let report = gateway.report(vec![]).await;
    assert!(report.total.attempts <= 210, "{} tries for 200 requests", report.total.attempts);
    let pool = first_pool(&gateway).await;
    let ill = pool["replicas"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|replica| replica["address"] == sims[1].url());
    let ill = ill.expect("it is shown");
    assert!(ill["ejections"].as_u64() >= Some(1) && ill["reason"].is_string(), "{pool}");
    let ejections =
        gateway.metric("sluice_replica_ejections_total{pool=\"big-pool\",reason=\"failures_in_row\"}").await;
    assert_eq!(ejections, 1.0);
}

#[tokio::test]
async fn row_13_a_storm_on_all_reaches_the_engines_little_and_is_refused_fast() {
    let sims = [Sim::start().await, Sim::start().await];
    let gateway = Gateway::start(&experts(&[("big", "openai", sims.iter().map(Sim::url).collect())])).await;
    sims.iter().for_each(|sim| sim.always(Some(Fault::Status(500))));
    for n in 0..300 {
        let status = gateway.ask(request("auto", "hello", 3)).await.error.expect("nobody can answer");
        assert_eq!(status.code(), Code::Unavailable, "request {n}");
    }
    let report = gateway.report(vec![]).await;
    assert!(report.total.attempts <= 60, "{} tries for 300 requests", report.total.attempts);
}

#[tokio::test]
async fn row_14_a_replica_whose_probe_is_well_and_whose_answers_fail_is_left_alone() {
    let sims = [Sim::start().await, Sim::start().await];
    let gateway = Gateway::start(&experts(&[("big", "openai", sims.iter().map(Sim::url).collect())])).await;
    sims[0].always(Some(Fault::Status(500)));
    for _ in 0..400 {
        assert_eq!(gateway.ask(request("auto", "hello", 3)).await.expert(), "big");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let pool = first_pool(&gateway).await;
    let ejections = pool["replicas"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|replica| replica["ejections"].as_u64())
        .sum::<u64>();
    assert!((2..=6).contains(&ejections), "each second one, without growing pauses: {pool}");
}

#[tokio::test]
async fn row_15_load_that_is_not_ours_is_heard_from_both_kinds_of_engines() {
    for protocol in ["openai", "native"] {
        let sims = [Sim::at_scale(0.2).await, Sim::at_scale(0.2).await, Sim::at_scale(0.2).await];
        let urls: Vec<String> = sims.iter().map(Sim::url).collect();
        let gateway = Gateway::start(&experts(&[("big", protocol, urls)])).await;
        let stranger = Gateway::start(&experts(&[("big", protocol, vec![sims[0].url()])])).await;
        let clients: Vec<_> = (0..20).map(|_| stranger.client.clone()).collect();
        let mut open = Vec::new();
        for mut client in clients {
            open.push(client.generate(request("auto", "512 words", 512)).await.expect("begun"));
        }
        let foreign = async || {
            let pool = first_pool(&gateway).await;
            pool["replicas"][0]["report"]["running"].as_u64() >= Some(20)
        };
        wait_until(foreign).await;
        // Ours go elsewhere now.
        let mut ours = Vec::new();
        for _ in 0..12 {
            let mut client = gateway.client.clone();
            ours.push(client.generate(request("auto", "64 words", 64)).await.expect("begun"));
        }
        let pool = first_pool(&gateway).await;
        assert_eq!(pool["replicas"][0]["in_flight"], 0, "{protocol}: {pool}");
        assert!(pool["replicas"][0]["foreign"].as_u64() >= Some(15), "{protocol}: {pool}");
        drop((open, ours));
    }
}

/// Conversations of four turns over three replicas: each turn finds the turns before it in a cache.
#[tokio::test]
async fn the_turns_of_a_conversation_go_to_one_replica_and_its_cached_tokens_are_reported() {
    let sims = [Sim::caching(100_000).await, Sim::caching(100_000).await, Sim::caching(100_000).await];
    let urls = sims.iter().map(Sim::url).collect();
    let text = experts(&[("big", "native", urls)])
        .replace("protocol =", "balance = \"prefix\"\nprefix_cache_tokens = 100000\nprotocol =");
    let gateway = Gateway::start(&text).await;
    for conversation in 0..6 {
        let opening = format!("Conversation {conversation}. {}", "What does the law say? ".repeat(40));
        let mut asked = request("auto", &opening, 20);
        let mut replicas = Vec::new();
        for turn in 0..4 {
            let answer = gateway.ask(asked.clone()).await;
            let usage = answer.finished.as_ref().and_then(|finished| finished.usage).expect("a whole answer");
            assert_eq!(usage.cached_tokens > 0, turn > 0, "turn {turn}: {usage:?}");
            replicas.push(answer.started.expect("an answer has a beginning").replica);
            for (role, content) in [("assistant", answer.text.as_str()), ("user", "And then?")] {
                let (role, content) = (role.to_owned(), content.to_owned());
                asked.messages.push(sluice_proto::v1::Message { role, content, json: String::new() });
            }
        }
        replicas.dedup();
        assert_eq!(replicas.len(), 1, "conversation {conversation}");
    }
}
