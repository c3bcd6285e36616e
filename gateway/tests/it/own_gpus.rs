//! GPUs of one's own: their minutes in the ledger, against the bill and against what requests were charged.

use crate::support::{Gateway, Sim, request};
use crate::tenants::tenant;
use futures::future::join_all;
use rusqlite::Connection;
use sluice_gateway::By;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Two replicas at 3,600 USD an hour: a second of one costs a dollar.
fn config(addresses: &[String], more: &str) -> String {
    format!(
        "[[expert]]\nname = \"own\"\ncontext_tokens = 8192\nmax_output_tokens = 512\n\
         price = {{ gpu_hour = \"1800\", gpus = 2{more} }}\n\
         [[expert.pool]]\nname = \"own-pool\"\nprotocol = \"native\"\nendpoints = {addresses:?}\n"
    )
}

fn sum(folder: &Path, sql: &str) -> i64 {
    let ledger = Connection::open(folder.join("sluice.db")).expect("it is there");
    ledger.query_row(sql, [], |row| row.get(0)).expect("it adds up")
}

#[expect(clippy::disallowed_methods, reason = "the bill is for real time")]
fn wall() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970")
}

/// Serves 60 requests and ends; checks everything that holds whatever they are charged. Returns bill and charges.
async fn a_day_s_work(more: &str) -> (i64, i64) {
    let (one, two) = (Sim::at_scale(200.0).await, Sim::at_scale(200.0).await);
    let before = wall();
    let gateway = Gateway::start(&config(&[one.url(), two.url()], more)).await;
    let started = wall();
    let mut told = 0;
    for answer in join_all((0..60).map(|_| gateway.ask(request("own", "hello", 40)))).await {
        told += answer.finished.expect("complete").cost_nanousd;
    }
    let (stopping, folder) = (wall(), gateway.folder.clone());
    gateway.running.drain().await.expect("drained");
    let stopped = wall();
    let minutes = |what: &str| sum(&folder, &format!("SELECT coalesce(sum({what}), 0) FROM minutes"));
    let (bill, charged) = (minutes("bill_nanousd"), minutes("charged_nanousd"));
    assert_eq!(charged, told, "what clients were told is what the minutes have");
    assert_eq!(charged, sum(&folder, "SELECT sum(amount_nanousd) FROM entries"));
    let idle =
        sum(&folder, "SELECT coalesce(sum(amount_nanousd), 0) FROM ledger_entries WHERE phase = 'idle'");
    assert_eq!(charged + idle, bill, "shares and idle time are the bill");
    assert_eq!(sum(&folder, "SELECT sum(amount_nanousd) FROM ledger_entries"), bill);
    // The bill is for the time in which there was a gateway.
    let dollars = |span: Duration| 2 * i64::try_from(span.as_nanos()).expect("short");
    let slack = 2 * 2_000_000; // clocks of whole milliseconds
    let (least, most) = (dollars(stopping - started) - slack, dollars(stopped - before) + slack);
    assert!((least..=most).contains(&bill), "{bill} of {least} to {most}");
    (bill, charged)
}

#[tokio::test]
async fn tokens_are_charged_at_the_price_of_a_full_replica_and_the_rest_is_idle() {
    // 1 USD for 10,000 tokens: so little that no request comes near its part of the time.
    let (bill, charged) = a_day_s_work(", tokens_per_s = 10000000, prompt_tokens_per_s = 10000000").await;
    assert!(0 < charged && charged < bill / 2, "{charged} of {bill}");
}

#[tokio::test]
async fn nobody_is_charged_more_than_the_time_that_was_worked() {
    // A dollar a token: much more than a request's part of the time.
    let (bill, charged) = a_day_s_work(", tokens_per_s = 1, prompt_tokens_per_s = 1").await;
    assert!(charged > 0 && charged <= bill, "{charged} of {bill}");
}

#[tokio::test]
async fn a_hard_budget_holds_on_own_gpus_and_the_report_tells_idle_time_apart() {
    let sim = Sim::start().await;
    let budget = tenant("acme", "slk_gpu-5d31", "budget = { usd = \"0.02\", period = \"ever\" }");
    let text = config(&[sim.url()], ", tokens_per_s = 100000") + &budget;
    let gateway = Gateway::start(&text).await;
    let ask = || {
        let mut request = tonic::Request::new(request("own", "hello", 100));
        request.metadata_mut().insert("authorization", "Bearer slk_gpu-5d31".parse().expect("ascii"));
        let mut client = gateway.client.clone();
        async move { client.generate_once(request).await.is_ok() }
    };
    let answered = join_all((0..64).map(|_| ask())).await;
    assert!(answered.iter().any(|&done| done), "some are answered");
    let folder = gateway.folder.clone();
    let running = gateway.running;
    running.drain().await.expect("drained");
    let url = format!("sqlite:{}", folder.join("sluice.db").display());
    let ledger = sluice_gateway::open_ledger(&url).expect("it is there");
    let by = vec![By::Tenant, By::Expert];
    let report = ledger.report(&sluice_gateway::ReportAsk { by, ..Default::default() }).expect("sums");
    assert!(report.total.cost.0 <= 20_000_000, "{}", report.total.cost);
    assert_eq!(report.total.overrun.0, 0);
    let booked = sum(&folder, "SELECT sum(bill_nanousd) FROM minutes");
    assert_eq!((report.total.cost + report.total.idle).0, booked, "cost and idle time are the bill");
    let idle: Vec<_> = report.groups.iter().filter(|group| group.idle.0 > 0).collect();
    assert_eq!(idle.len(), 1);
    assert_eq!(idle[0].by, ["", "own"], "of no tenant");
}
