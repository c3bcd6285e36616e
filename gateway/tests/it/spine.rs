//! The spine before simulated engines: choosing, failing over, cutting, booking.

use crate::support::{Gateway, Sim, experts, request};
use sluice_gateway::By;
use sluice_proto::v1::generate_event::Event;
use sluice_sim::Fault;
use tonic::Code;

#[tokio::test]
async fn an_answer_carries_who_gave_it_and_its_exact_cost_and_so_does_the_ledger() {
    let sim = Sim::start().await;
    let gateway = Gateway::start(&experts(&[("big", "native", vec![sim.url()])])).await;
    let answer = gateway.ask(request("auto", "How are you?", 20)).await;
    assert_eq!(answer.expert(), "big");
    let finished = answer.finished.expect("complete");
    let usage = finished.usage.expect("counted");
    let tokens = i64::from(usage.prompt_tokens + usage.output_tokens);
    assert!(!usage.estimated && usage.output_tokens <= 20 && !answer.text.is_empty());
    assert_eq!(finished.cost_nanousd, tokens * 10_000, "10 USD per million tokens");
    assert_eq!(finished.baseline_nanousd, finished.cost_nanousd, "the reference itself answered");
    let report = gateway.report(vec![By::Expert]).await;
    assert_eq!((report.total.requests, report.total.attempts, report.total.entries), (1, 1, 1));
    assert_eq!(report.total.cost.0, finished.cost_nanousd);
    assert_eq!(report.groups.len(), 1);
}

#[tokio::test]
async fn a_pinned_expert_answers_and_its_baseline_is_its_own_cost() {
    let (big, small) = (Sim::start().await, Sim::start().await);
    let text = experts(&[("big", "native", vec![big.url()]), ("small", "openai", vec![small.url()])]);
    let gateway = Gateway::start(&format!("[aliases]\n\"gpt-4o\" = \"small\"\n{text}")).await;
    for name in ["small", "gpt-4o"] {
        let answer = gateway.ask(request(name, "hello", 5)).await;
        assert_eq!(answer.expert(), "small");
        let finished = answer.finished.expect("complete");
        assert_eq!(finished.cost_nanousd, finished.baseline_nanousd);
    }
    assert_eq!(gateway.ask(request("", "hello", 5)).await.expert(), "big");
    assert_eq!(gateway.ask(request("nobody", "hello", 5)).await.code(), Code::NotFound);
}

#[tokio::test]
async fn a_dead_replica_costs_no_request_its_answer() {
    let (dead, alive) = (Sim::start().await, Sim::start().await);
    let url = dead.url();
    drop(dead);
    let gateway = Gateway::start(&experts(&[("big", "native", vec![url, alive.url()])])).await;
    for _ in 0..20 {
        assert_eq!(gateway.ask(request("auto", "hello", 3)).await.expert(), "big");
    }
    let report = gateway.report(vec![]).await;
    assert_eq!(report.total.requests, 20);
    assert!(
        (21..=25).contains(&report.total.attempts),
        "ejected after its first failure: {}",
        report.total.attempts
    );
    assert_eq!(gateway.metric("sluice_replica_state{pool=\"big-pool\",state=\"up\"}").await, 1.0);
}

#[tokio::test]
async fn a_replica_that_is_back_takes_work_again_without_a_request_to_try_it() {
    for protocol in ["native", "openai"] {
        let sim = Sim::start().await;
        let (url, addr) = (sim.url(), sim.running.addr);
        let gateway = Gateway::start(&experts(&[("big", protocol, vec![url])])).await;
        drop(sim);
        assert_eq!(gateway.ask(request("auto", "hello", 3)).await.code(), Code::Unavailable);
        let up = "sluice_replica_state{pool=\"big-pool\",state=\"up\"}";
        assert_eq!(gateway.metric(up).await, 0.0, "{protocol}");
        let _back = Sim::listening(addr, 1_000.0).await;
        wait_until(async || gateway.metric(up).await == 1.0).await;
        assert_eq!(gateway.ask(request("auto", "hello", 3)).await.expert(), "big", "{protocol}");
        let report = gateway.report(vec![]).await;
        assert_eq!((report.total.requests, report.total.attempts), (2, 2), "{protocol}: none was a trial");
    }
}

#[tokio::test]
async fn going_past_a_full_line_is_no_retry_and_has_no_budget() {
    let (big, small) = (Sim::at_scale(0.1).await, Sim::start().await);
    let text = experts(&[("big", "native", vec![big.url()]), ("small", "native", vec![small.url()])]);
    let full = "name = \"big-pool\"\nmax_concurrency = 1\nlimit = \"fixed\"\nmax_queue = 0\n";
    let gateway = Gateway::start(&text.replace("name = \"big-pool\"\n", full)).await;
    let mut client = gateway.client.clone();
    // A prompt whose filler is one of the longest, some six seconds of it.
    let _runs = client.generate(request("auto", "a long story 40", 512)).await.expect("begun");
    for n in 0..150 {
        assert_eq!(gateway.ask(request("auto", "x", 1)).await.expert(), "small", "request {n}");
    }
}

#[tokio::test]
async fn when_the_reference_is_gone_another_expert_answers_and_says_that_the_floor_is_not_held() {
    let (big, small) = (Sim::start().await, Sim::start().await);
    let text = experts(&[("big", "native", vec![big.url()]), ("small", "native", vec![small.url()])]);
    let gateway = Gateway::start(&text).await;
    assert!(gateway.ask(request("auto", "hello", 3)).await.started.expect("begun").floor_held);
    big.always(Some(Fault::Status(500)));
    let answer = gateway.ask(request("auto", "hello", 3)).await;
    assert_eq!(answer.expert(), "small");
    assert!(!answer.started.expect("begun").floor_held);
    let pinned = gateway.ask(request("big", "hello", 3)).await;
    assert_eq!(pinned.code(), Code::Unavailable, "a pinned expert has no substitute");
    assert!(pinned.error.expect("failed").message().contains("big"));
}

#[tokio::test]
async fn a_route_that_refuses_gives_nothing_uncertified() {
    let (big, small) = (Sim::start().await, Sim::start().await);
    let text = experts(&[("big", "native", vec![big.url()]), ("small", "native", vec![small.url()])]);
    let route = "[[route]]\nname = \"auto\"\nreference = \"big\"\nwhen_none = \"refuse\"\n";
    let gateway = Gateway::start(&format!("{text}{route}")).await;
    big.always(Some(Fault::Status(500)));
    let first = gateway.ask(request("auto", "hello", 3)).await;
    assert_eq!(first.code(), Code::Unavailable);
    let report = gateway.report(vec![By::Status]).await;
    assert_eq!((report.total.requests, report.total.cost.0), (1, 0));
}

#[tokio::test]
async fn row_03_a_reset_mid_stream_is_an_error_and_settles_at_what_it_used() {
    let (big, small) = (Sim::start().await, Sim::start().await);
    let text = experts(&[("big", "openai", vec![big.url()]), ("small", "native", vec![small.url()])]);
    let gateway = Gateway::start(&text).await;
    big.always(Some(Fault::BreakAfter { tokens: 4 }));
    let answer = gateway.ask(request("auto", "hello", 400)).await;
    assert!(
        answer.finished.is_none() && !answer.text.is_empty(),
        "no clean end, no second expert: {answer:?}"
    );
    assert_eq!(answer.code(), Code::Unavailable);
    let report = gateway.report(vec![By::Expert]).await;
    assert_eq!((report.total.requests, report.total.attempts, report.total.entries), (1, 1, 1));
    assert!(report.total.cost.0 > 0);
}

#[tokio::test]
async fn row_19_a_client_that_leaves_cancels_the_engine_and_settles() {
    let sim = Sim::at_scale(1.0).await;
    let gateway = Gateway::start(&experts(&[("big", "native", vec![sim.url()])])).await;
    let mut client = gateway.client.clone();
    let mut events = client.generate(request("auto", "a long story", 512)).await.expect("begun").into_inner();
    while !matches!(
        events.message().await.expect("streams").and_then(|event| event.event),
        Some(Event::Text(_))
    ) {}
    drop((events, client));
    let idle = "sluice_inflight_requests{pool=\"big-pool\"}";
    wait_until(async || gateway.metric(idle).await == 0.0).await;
    wait_until(async || gateway.report(vec![]).await.total.requests == 1).await;
    let metrics = format!("{}/metrics", sim.url());
    wait_until(async || {
        crate::support::get(&metrics).await.contains("vllm:num_requests_running")
            && crate::support::get(&metrics)
                .await
                .lines()
                .any(|line| line.starts_with("vllm:num_requests_running") && line.ends_with(" 0"))
    })
    .await;
    let report = gateway.report(vec![By::Status]).await;
    assert_eq!(report.total.entries, 1, "what was relayed is paid for");
}

#[tokio::test]
async fn a_deadline_ends_a_stream_that_has_begun() {
    let sim = Sim::at_scale(1.0).await;
    let gateway = Gateway::start(&experts(&[("big", "native", vec![sim.url()])])).await;
    let mut request = tonic::Request::new(request("auto", "a long story", 512));
    request.metadata_mut().insert("x-sluice-deadline-ms", "400".parse().expect("ascii"));
    let mut client = gateway.client.clone();
    let mut events = client.generate(request).await.expect("begun").into_inner();
    let status = loop {
        match events.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it ended as if complete"),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_full_line_is_refused_with_advice_to_come_back() {
    let sim = Sim::at_scale(1.0).await;
    let text = experts(&[("big", "native", vec![sim.url()])]).replace(
        "name = \"big-pool\"\n",
        "name = \"big-pool\"\nmax_concurrency = 1\nlimit = \"fixed\"\nmax_queue = 1\n",
    );
    let gateway = Gateway::start(&text).await;
    let (mut runs, mut waits, mut late) =
        (gateway.client.clone(), gateway.client.clone(), gateway.client.clone());
    let stream = runs.generate(request("auto", "a long story", 512)).await.expect("begun");
    let waiting = waits.generate(request("auto", "x", 1));
    let third = async {
        wait_until(async || gateway.metric("sluice_queue_depth{pool=\"big-pool\"}").await == 1.0).await;
        let status = late.generate(request("auto", "x", 1)).await.expect_err("the line is full");
        drop(stream);
        status
    };
    let (waited, status) = tokio::join!(waiting, third);
    assert!(waited.is_ok(), "it got its turn");
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("line is full"), "{status:?}");
}

#[tokio::test]
async fn a_stored_decision_can_be_shown_and_derived_again() {
    let sim = Sim::start().await;
    let gateway = Gateway::start(&experts(&[("big", "native", vec![sim.url()])])).await;
    let answer = gateway.ask(request("auto", "hello", 3)).await;
    let id = answer.started.expect("begun").decision_id;
    let what = sluice_proto::v1::explain_request::What::DecisionId(id.clone());
    let asked = sluice_proto::v1::ExplainRequest { what: Some(what) };
    let shown = gateway.client.clone().explain(asked).await.expect("stored").into_inner();
    assert_eq!(shown.expert, "big");
    let url = format!("sqlite:{}", gateway.folder.join("sluice.db").display());
    let ledger = sluice_gateway::open_ledger(&url).expect("it is there");
    let (receipt, snapshot) = ledger.receipt(&id).expect("readable").expect("stored");
    let receipt: sluice_router::Receipt = serde_json::from_str(&receipt).expect("JSON");
    let snapshot: sluice_router::Snapshot = serde_json::from_str(&snapshot).expect("JSON");
    assert_eq!(receipt.replay(&snapshot).expect("decided"), receipt.decision);
}

/// Looks again and again until `done`; fails the test after ten seconds.
pub(crate) async fn wait_until(done: impl AsyncFn() -> bool) {
    let looking = async {
        while !done().await {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), looking)
        .await
        .expect("it comes within ten seconds");
}
