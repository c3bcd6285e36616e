//! A fleet's common ledger and shared store, through whole gateways; skipped, aloud, where no Postgres answers.

use crate::support::{Gateway, Sim, experts, request};
use sluice_gateway::{ReportAsk, open_ledger};
use std::io::Write as _;
use tokio_postgres::NoTls;

/// Runs SQL on the server that tests may use; `None` where none answers.
async fn say(sql: &str) -> Option<String> {
    let url = std::env::var("SLUICE_TEST_POSTGRES")
        .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/test".to_owned());
    let Ok((client, wire)) = tokio_postgres::connect(&url, NoTls).await else {
        let said = writeln!(std::io::stderr(), "SKIPPED a fleet's ledger: no Postgres answers at {url}");
        said.expect("stderr");
        return None;
    };
    let done = futures::future::select(Box::pin(client.batch_execute(sql)), Box::pin(wire)).await;
    match done {
        futures::future::Either::Left((done, _)) => done.expect("it is allowed"),
        futures::future::Either::Right(_) => panic!("the connection ended"),
    }
    Some(url)
}

#[tokio::test]
async fn two_gateways_ship_to_one_ledger_and_a_drain_ships_the_rest() {
    let schema = format!("sluice_test_it_{}", std::process::id());
    let fresh = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
    let Some(url) = say(&fresh).await else { return };
    let url = format!("{url}?options=-csearch_path%3D{schema}");
    let sim = Sim::start().await;
    let text = format!(
        "[store]\nledger = \"{url}\"\nshared = \"{url}\"\n{}",
        experts(&[("big", "native", vec![sim.url()])])
    );
    let (one, two) = (Gateway::start(&text).await, Gateway::start(&text).await);
    let mut decision = String::new();
    for _ in 0..5 {
        decision = one.ask(request("auto", "hello", 3)).await.started.expect("begun").decision_id;
        assert_eq!(two.ask(request("auto", "hello", 3)).await.expert(), "big");
    }
    let (here, there) = (one.report(vec![]).await.total, two.report(vec![]).await.total);
    one.running.drain().await.expect("drained");
    two.running.drain().await.expect("drained");
    let read = move || {
        let ledger = open_ledger(&url).expect("it is there");
        (ledger.report(&ReportAsk::default()).expect("sums").total, ledger.receipt(&decision))
    };
    let (total, receipt) = read();
    assert_eq!((total.requests, total.entries), (10, 10));
    assert_eq!(total.cost, here.cost + there.cost);
    assert!(receipt.expect("readable").is_some(), "any gateway's decision can be explained");
    say(&format!("DROP SCHEMA {schema} CASCADE")).await;
}

#[tokio::test]
async fn while_too_much_waits_for_the_ledger_what_is_free_goes_on_and_what_is_paid_is_refused() {
    let sim = Sim::start().await;
    let free = experts(&[("free", "native", vec![sim.url()])]).replace("\"1\"", "\"0\"");
    let text = format!(
        "[store]\nledger = \"postgres://nobody@127.0.0.1:1/none\"\nmax_unshipped = 1\n{}{free}",
        experts(&[("big", "native", vec![sim.url()])])
    );
    let gateway = Gateway::start(&text).await;
    // What the first ones leave waits: the snapshot and the requests.
    let refused = loop {
        let answer = gateway.ask(request("big", "hello", 3)).await;
        if answer.error.is_some() {
            break answer;
        }
    };
    assert_eq!(refused.code(), tonic::Code::Unavailable, "{:?}", refused.error);
    assert_eq!(gateway.ask(request("free", "hello", 3)).await.expert(), "free");
    assert_eq!(gateway.ask(request("big", "hello", 3)).await.code(), tonic::Code::Unavailable);
    assert_eq!(gateway.ask(request("free", "hello", 3)).await.expert(), "free");
}
