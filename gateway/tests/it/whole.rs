//! Answers that are wanted whole: what breaks off before its end has reached nobody, so it begins again elsewhere.

use crate::edge_kit::{exchange, post_chat};
use crate::failover::{gateway, is_idle};
use crate::peer::{Do, Scripts, answer};
use crate::support::{Gateway, experts, request};
use crate::tenants::tenant;
use sluice_gateway::By;
use sluice_proto::v1;
use std::sync::Arc;
use tonic::Code;

/// What `big` charges for a token of either kind, in nano-USD: 10 USD per million.
const TOKEN: i64 = 10_000;

/// An answer that breaks off after this token.
fn half(text: &str) -> Vec<Do> {
    vec![Do::Head, Do::Token(text.to_owned()), Do::End]
}

async fn ask(gateway: &Gateway, max_tokens: u32) -> Result<v1::GenerateResponse, tonic::Status> {
    let asked = request("auto", "hello", max_tokens);
    gateway.client.clone().generate_once(asked).await.map(tonic::Response::into_inner)
}

fn post(max_tokens: u32) -> Vec<u8> {
    let body = format!(
        r#"{{"model":"auto","max_tokens":{max_tokens},"messages":[{{"role":"user","content":"hello"}}]}}"#
    );
    post_chat("", &body)
}

#[tokio::test]
async fn a_whole_answer_that_breaks_off_begins_again_on_another_replica_and_each_try_is_booked_once() {
    let scripts = Scripts::usually(answer("whole"));
    let gateway = gateway(&scripts, 2, "", "").await;
    scripts.next([half("ha"), answer("whole"), half("ha"), answer("whole")]);
    let answered = ask(&gateway, 20).await.expect("it is answered");
    assert_eq!(answered.text, "whole", "nothing of the first is in it");
    let over_http = exchange(gateway.running.data(), &post(20)).await;
    assert_eq!(over_http.status, 200);
    assert!(over_http.text().contains("whole") && !over_http.text().contains("ha\""));
    is_idle(&gateway, &scripts).await;
    let report = gateway.report(vec![By::Status]).await;
    assert_eq!((report.total.requests, report.total.attempts, report.total.entries), (2, 4, 4));
    assert_eq!(report.groups.len(), 1, "both are ok: {:?}", report.groups);
    // 2 tokens of the prompt and 1 of the answer by estimate, thrown away; 5 and 1 by the engine's count.
    assert_eq!((report.total.cost.0, report.total.overhead.0), (2 * (3 + 6) * TOKEN, 2 * 3 * TOKEN));
    assert_eq!(answered.finished.expect("complete").cost_nanousd, (3 + 6) * TOKEN, "told as it is booked");
}

#[tokio::test]
async fn the_next_expert_answers_where_the_pool_has_no_other_replica() {
    let (breaks, other) = (Scripts::usually(half("ha")), Scripts::usually(answer("other")));
    let urls = (breaks.peer().await, other.peer().await);
    let text = experts(&[("big", "openai", vec![urls.0]), ("small", "openai", vec![urls.1])]);
    let gateway = Gateway::start(&format!("{text}[[route]]\nname = \"auto\"\n")).await;
    let answered = ask(&gateway, 20).await.expect("it is answered");
    assert_eq!((answered.text.as_str(), breaks.seen(), other.seen()), ("other", 1, 1));
    assert_eq!(answered.started.expect("begun").expert, "small");
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_not_begun_again() {
    let scripts = Scripts::usually(half("ha"));
    let gateway = gateway(&scripts, 2, "", "").await;
    let answered = gateway.ask(request("auto", "hello", 20)).await;
    assert_eq!((answered.text.as_str(), answered.code(), scripts.seen()), ("ha", Code::Unavailable, 1));
    assert_eq!(gateway.report(vec![]).await.total.overhead.0, 0, "the client has that much");
}

#[tokio::test]
async fn when_every_try_breaks_off_the_client_is_told_and_all_of_it_is_overhead() {
    let scripts = Scripts::usually(half("ha"));
    let gateway = gateway(&scripts, 2, "", "").await;
    assert_eq!(ask(&gateway, 20).await.expect_err("nobody answers").code(), Code::Unavailable);
    is_idle(&gateway, &scripts).await;
    let report = gateway.report(vec![By::Status]).await;
    assert_eq!((scripts.seen(), report.total.attempts, report.total.entries), (2, 2, 2));
    assert_eq!(report.groups[0].by[0], "upstream_error");
    assert_eq!(report.total.cost, report.total.overhead);
}

#[tokio::test]
async fn both_tries_keep_the_bound_on_the_cost() {
    let scripts = Scripts::usually(answer("whole"));
    let gateway = gateway(&scripts, 2, "", "").await;
    // At worst 73 tokens of the prompt and 20 of the answer: 930,000 nano-USD for one, so one is all that this allows.
    for (usd, tries) in [("0.00094", 1), ("0.00200", 2)] {
        scripts.next([half("ha")]);
        let before = scripts.seen();
        let mut asked = tonic::Request::new(request("auto", "hello", 20));
        asked.metadata_mut().insert("x-sluice-max-cost-usd", usd.parse().expect("ascii"));
        let answered = gateway.client.clone().generate_once(asked).await;
        assert_eq!((answered.is_ok(), scripts.seen() - before), (tries == 2, tries), "{usd}");
    }
}

/// A gateway whose one tenant has a budget of so many tokens' worth.
async fn on_a_budget(scripts: &Arc<Scripts>, tokens: i64) -> Gateway {
    let usd = format!("0.{:09}", tokens * TOKEN);
    let budget = format!("budget = {{ usd = \"{usd}\", period = \"ever\" }}");
    let text = experts(&[("big", "openai", vec![scripts.peer().await, scripts.peer().await])]);
    let tenant = tenant("acme", "slk_whole-77a0", &budget);
    Gateway::start(&format!("{text}[[route]]\nname = \"auto\"\n{tenant}")).await
}

#[tokio::test]
async fn a_budget_that_does_not_cover_both_leaves_it_at_the_first() {
    for (tokens, status, tries) in [(94, 502, 1), (200, 200, 2)] {
        let scripts = Scripts::usually(answer("whole"));
        let gateway = on_a_budget(&scripts, tokens).await;
        scripts.next([half("ha")]);
        let body = r#"{"model":"auto","max_tokens":20,"messages":[{"role":"user","content":"hello"}]}"#;
        let asked = post_chat("authorization: Bearer slk_whole-77a0\r\n", body);
        let answered = exchange(gateway.running.data(), &asked).await;
        assert_eq!(
            (answered.status, scripts.seen()),
            (status, tries),
            "{tokens} tokens: {}",
            answered.text()
        );
        let report = gateway.report(vec![]).await.total;
        assert_eq!((report.attempts, report.entries), (tries as u64, tries as u64));
        assert!(report.cost.0 <= tokens * TOKEN);
    }
}

#[tokio::test]
async fn each_new_beginning_is_paid_out_of_the_retry_budget() {
    let scripts = Scripts::usually(half("ha"));
    let gateway = gateway(&scripts, 2, "", "").await;
    let asked = 400;
    for _ in 0..asked {
        assert!(ask(&gateway, 20).await.is_err());
    }
    // A replica that fails is ejected, so that some requests find nobody to begin with.
    assert!(scripts.seen() <= asked + 100 + asked / 10, "{}", scripts.seen());
}
