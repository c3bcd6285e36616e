//! Reload and drain under load.

use crate::spine::wait_until;
use crate::support::{Gateway, Sim, experts, request};
use futures::future::join_all;
use sluice_proto::v1::gateway_client::GatewayClient;
use tonic::Code;

#[tokio::test]
async fn a_reload_under_load_drops_no_request_and_takes_effect() {
    let (big, small) = (Sim::at_scale(20.0).await, Sim::start().await);
    let one = experts(&[("big", "native", vec![big.url()])]);
    let two = experts(&[("big", "native", vec![big.url()]), ("small", "native", vec![small.url()])]);
    let gateway = Gateway::start(&one).await;
    let load = join_all((0..60).map(|_| gateway.ask(request("auto", "hello", 60))));
    let reloads = async {
        for turn in 0..10 {
            let text = if turn % 2 == 0 { &two } else { &one };
            let mut config = Gateway::config(&gateway.folder, text);
            config.server = Gateway::config(&gateway.folder, &one).server;
            gateway.running.reload(config).await.expect("valid");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let (answers, ()) = tokio::join!(load, reloads);
    for answer in &answers {
        assert_eq!(answer.expert(), "big");
    }
    assert_eq!(
        gateway.ask(request("small", "hello", 3)).await.code(),
        Code::NotFound,
        "the last one had no small"
    );
    let report = gateway.report(vec![]).await;
    assert_eq!((report.total.requests, report.total.attempts), (61, 60));
}

#[tokio::test]
async fn a_reload_that_needs_a_restart_or_a_model_that_is_none_keeps_the_old_configuration() {
    let big = Sim::start().await;
    let text = experts(&[("big", "native", vec![big.url()])]);
    let gateway = Gateway::start(&text).await;
    let mut other = Gateway::config(&gateway.folder, &text);
    other.server.max_body_bytes += 1;
    let refused = gateway.running.reload(other).await.expect_err("it needs a restart");
    assert!(refused.to_string().contains("restart"), "{refused}");
    let model = gateway.folder.join("broken.sluice");
    std::fs::write(&model, b"not a model").expect("our folder");
    let mut broken = Gateway::config(&gateway.folder, &text);
    broken.model = Some(model);
    let refused = gateway.running.reload(broken).await.expect_err("it is no model");
    assert!(refused.to_string().contains("broken.sluice"), "{refused}");
    assert_eq!(gateway.ask(request("auto", "hello", 3)).await.expert(), "big");
}

#[tokio::test]
async fn a_taken_port_is_told_before_anything_else_is_touched() {
    let big = Sim::start().await;
    let text = experts(&[("big", "native", vec![big.url()])]);
    let gateway = Gateway::start(&text).await;
    let folder = gateway.folder.join("second");
    std::fs::create_dir_all(&folder).expect("our folder");
    let mut second = Gateway::config(&folder, &text);
    second.server.listen = gateway.running.data();
    let refused = sluice_gateway::start(second).await.err().expect("the port is taken");
    assert!(refused.to_string().contains("can't listen"), "{refused}");
    assert_eq!(std::fs::read_dir(&folder).expect("our folder").count(), 0, "no journal was begun");
}

#[tokio::test]
async fn a_drain_lets_streams_finish_and_refuses_new_requests_for_a_while() {
    let big = Sim::at_scale(2.0).await;
    let gateway = Gateway::start(&experts(&[("big", "native", vec![big.url()])])).await;
    let clients: Vec<_> = (0..50).map(|_| gateway.client.clone()).collect();
    let streams = join_all(clients.into_iter().map(|mut client| async move {
        let mut events = client.generate(request("auto", "hello", 200)).await.expect("begun").into_inner();
        let mut finished = false;
        while let Some(event) = events.message().await.expect("not cut") {
            finished |= matches!(event.event, Some(sluice_proto::v1::generate_event::Event::Finished(_)));
        }
        finished
    }));
    let url = format!("http://{}", gateway.running.data());
    let all_begun = "sluice_inflight_requests{pool=\"big-pool\"}";
    let drain = async {
        wait_until(async || gateway.metric(all_begun).await == 50.0).await;
        gateway.running.drain().await.expect("the journal works");
    };
    let (finished, (), code) = tokio::join!(streams, drain, until_refused(&url));
    assert!(finished.iter().all(|&finished| finished), "all fifty are complete");
    assert_eq!(code, Code::Unavailable, "a status that clients try again");
}

/// Asks on a connection of its own, again and again, until it is refused.
async fn until_refused(url: &str) -> Code {
    loop {
        let mut client =
            GatewayClient::connect(url.to_owned()).await.expect("the port is open while streams run");
        if let Err(status) = client.generate(request("auto", "late", 1)).await {
            return status.code();
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
