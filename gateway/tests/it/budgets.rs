//! Hard budgets, as clients and engines meet them.

use crate::edge_kit::{exchange, post_chat};
use crate::peer::{Do, Scripts, done, stop};
use crate::support::{Gateway, experts};
use crate::tenants::tenant;
use rusqlite::Connection;
use sluice_gateway::MemoryShared;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const KEY: &str = "slk_budget-5d31";
/// What `big` charges for a token of either kind, in nano-USD: 10 USD per million.
const TOKEN: i64 = 10_000;

/// An engine that counts `prompt` and `output` tokens for each request, after a while.
fn counts(ms: u64, prompt: u32, output: u32) -> Vec<Do> {
    let usage =
        format!(r#"{{"choices":[],"usage":{{"prompt_tokens":{prompt},"completion_tokens":{output}}}}}"#);
    let wait = Do::Sleep(Duration::from_millis(ms));
    vec![wait, Do::Head, Do::Token("words".to_owned()), stop(), Do::Event(usage), done(), Do::End]
}

fn config(url: String, nano: i64, store: &str) -> String {
    let usd = format!("{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000);
    let budget = format!("budget = {{ usd = \"{usd}\", period = \"ever\" }}");
    let experts = experts(&[("big", "openai", vec![url])]);
    format!("{experts}{}[store]\n{store}\n", tenant("acme", KEY, &budget))
}

async fn ask(addr: SocketAddr, max_tokens: u32) -> (u16, String, String) {
    let body = format!(
        r#"{{"model":"big","max_tokens":{max_tokens},"messages":[{{"role":"user","content":"hello"}}]}}"#
    );
    let answer = exchange(addr, &post_chat(&format!("authorization: Bearer {KEY}\r\n"), &body)).await;
    let code = if answer.status == 200 { String::new() } else { answer.error_code() };
    let again = answer.header("x-should-retry").to_owned();
    (answer.status, code, again)
}

async fn ask_many(addr: SocketAddr, many: usize, max_tokens: u32) -> (usize, usize) {
    let asked: Vec<_> = (0..many).map(|_| tokio::spawn(async move { ask(addr, max_tokens).await })).collect();
    let (mut served, mut refused) = (0, 0);
    for one in asked {
        match one.await.expect("no panic") {
            (200, ..) => served += 1,
            (429, code, again) => {
                assert_eq!((code.as_str(), again.as_str()), ("insufficient_quota", "false"));
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    (served, refused)
}

/// What the ledger has booked on the tenant, in nano-USD.
fn booked(folder: &Path) -> i64 {
    let ledger = Connection::open(folder.join("sluice.db")).expect("it is there");
    let sql =
        "SELECT coalesce(sum(amount_nanousd), 0) FROM ledger_entries WHERE debit IN ('spent', 'overhead')";
    ledger.query_row(sql, [], |row| row.get(0)).expect("it adds up")
}

async fn a_third(store: &str) {
    let scripts = Scripts::usually(counts(30, 5, 200));
    let each = 205 * TOKEN;
    let budget = each * 64 / 3;
    let gateway = Gateway::start(&config(scripts.peer().await, budget, store)).await;
    let (served, refused) = ask_many(gateway.running.data(), 64, 200).await;
    assert_eq!(served + refused, 64);
    gateway.running.flush().await.expect("the journal works");
    // The last answers may be cut at what was left: the engine here counts 200 tokens all the same, as one that ignores
    // its cap would, and what goes beyond the hold is the operator's.
    let booked = booked(&gateway.folder);
    assert_eq!(scripts.seen(), served, "nothing is sent that isn't held");
    assert!(booked <= budget, "{booked} of {budget}");
    assert!(booked * 10 >= budget * 9, "{booked} of {budget}");
}

#[tokio::test]
async fn many_at_once_use_a_budget_up_and_never_over() {
    a_third("").await;
}

#[tokio::test]
async fn so_they_do_where_each_hold_is_durable_first() {
    a_third("hold = \"request\"").await;
}

#[tokio::test]
async fn an_answer_is_cut_to_what_is_left_and_a_useless_one_refused() {
    let scripts = Scripts::usually(counts(0, 5, 20));
    // The prompt holds 73 tokens at worst, with the frame of its template.
    let gateway = Gateway::start(&config(scripts.peer().await, 200 * TOKEN, "")).await;
    let addr = gateway.running.data();
    assert_eq!(ask(addr, 500).await.0, 200, "cut to what is there");
    let (status, code, again) = ask(addr, 500).await;
    assert_eq!(status, 200, "{code} {again}: 175 are left");
    for _ in 0..3 {
        ask(addr, 500).await;
    }
    let (status, code, again) = ask(addr, 500).await;
    assert_eq!((status, code.as_str(), again.as_str()), (429, "insufficient_quota", "false"));
    gateway.running.flush().await.expect("the journal works");
    assert!(booked(&gateway.folder) <= 200 * TOKEN);
}

#[tokio::test]
async fn a_budget_outlives_a_crash_and_nothing_of_it_is_spent_twice() {
    for (store, exact) in [("", false), ("hold = \"request\"", true)] {
        let scripts = Scripts::usually(counts(0, 5, 95));
        let shared = Arc::new(MemoryShared::default());
        let budget = 20_000 * TOKEN;
        let text = config(scripts.peer().await, budget, store);
        let first = Gateway::start_sharing(&text, shared.clone()).await;
        assert_eq!(ask_many(first.running.data(), 20, 100).await, (20, 0));
        first.running.flush().await.expect("the journal works");
        let spent = booked(&first.folder);
        assert_eq!(spent, 20 * 100 * TOKEN);
        // As a crash would: its file is copied, and it is never drained.
        let folder = first.folder.join("copy");
        std::fs::create_dir_all(&folder).expect("ours");
        std::fs::copy(first.folder.join("sluice.db"), folder.join("sluice.db")).expect("copied");
        let _ = std::fs::copy(first.folder.join("sluice.db-wal"), folder.join("sluice.db-wal"));
        let again = sluice_gateway::start_sharing(Gateway::config(&folder, &text), shared.clone()).await;
        let again = again.expect("it starts");
        let left = loop {
            let metrics = crate::support::get(&format!("http://{}/metrics", again.admin())).await;
            let line = metrics.lines().find(|line| line.starts_with("sluice_budget_remaining_nanousd{")).map(
                |line| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok()).expect("a number"),
            );
            match line {
                Some(left) if left > 0.0 => break left as i64,
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        again.flush().await.expect("the journal works");
        let ledger = Connection::open(folder.join("sluice.db")).expect("it is there");
        let sql = "SELECT coalesce(sum(amount_nanousd), 0) FROM ledger_entries WHERE debit = 'unattributed'";
        let unattributed: i64 = ledger.query_row(sql, [], |row| row.get(0)).expect("it adds up");
        assert_eq!(left, budget - spent - unattributed, "to the last nano-dollar");
        if exact {
            assert_eq!(unattributed, 0, "each hold was durable, and each is settled");
        } else {
            // Sixteen of the largest hold: 73 and 100 tokens.
            assert!((1..=16 * 173 * TOKEN).contains(&unattributed), "{unattributed}");
        }
    }
}
