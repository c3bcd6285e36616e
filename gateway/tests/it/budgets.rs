//! Hard budgets, as clients and engines meet them.

use crate::edge_kit::{exchange, post_chat};
use crate::peer::{Do, Scripts, done, stop};
use crate::support::{Gateway, experts, request};
use crate::tenants::tenant;
use futures::future::join_all;
use rusqlite::Connection;
use sluice_gateway::MemoryShared;
use sluice_proto::v1::generate_event::Event;
use sluice_router::estimate_tokens;
use std::collections::HashMap;
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
    let asked = join_all((0..many).map(|_| ask(addr, max_tokens))).await;
    let (mut served, mut refused) = (0, 0);
    for one in asked {
        match one {
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

/// Asks by this name, and leaves as soon as a piece says so. Returns what the pieces are worth, and whether it left.
async fn ask_and_leave(gateway: &Gateway, name: String) -> (u32, bool) {
    let mut request = tonic::Request::new(request("big", "hello", 400));
    request.metadata_mut().insert("authorization", format!("Bearer {KEY}").parse().expect("ASCII"));
    request.metadata_mut().insert("x-request-id", name.parse().expect("ASCII"));
    let mut events = gateway.client.clone().generate(request).await.expect("it is served").into_inner();
    let mut tokens = 0;
    while let Some(event) = events.message().await.expect("no fault") {
        match event.event {
            Some(Event::Text(delta)) => {
                tokens += estimate_tokens(&delta.text);
                if delta.text == LEAVE {
                    return (tokens, true);
                }
            }
            Some(Event::Finished(finished)) => {
                return (finished.usage.expect("counted").output_tokens, false);
            }
            _ => {}
        }
    }
    panic!("an answer has an end");
}

const LEAVE: &str = " leave";

/// Answers of `many` lengths, two of three of which are left at a random point; the third ends with its own count.
fn scripts_to_leave(many: u32) -> Vec<Vec<Do>> {
    let script = |n: u32| {
        // Any order will do: a multiplicative hash.
        let pieces = n.wrapping_mul(2_654_435_761) % 40;
        let mut script = vec![Do::Head];
        script.extend((0..pieces).map(|_| Do::Token(" word".to_owned())));
        if n.is_multiple_of(3) {
            let usage =
                format!(r#"{{"choices":[],"usage":{{"prompt_tokens":7,"completion_tokens":{pieces}}}}}"#);
            script.extend([stop(), Do::Event(usage), done(), Do::End]);
        } else {
            script.extend([Do::Token(LEAVE.to_owned()), Do::AwaitClose]);
        }
        script
    };
    (1..=many).map(script).collect()
}

#[tokio::test]
async fn row_19_two_thousand_streams_are_settled_at_what_was_relayed() {
    const MANY: u32 = 2_000;
    let scripts = Scripts::usually(counts(0, 5, 1));
    scripts.next(scripts_to_leave(MANY));
    let text = config(scripts.peer().await, 1_000_000_000 * TOKEN, "");
    let gateway = Gateway::start(&text).await;
    let mut told: HashMap<String, (u32, bool)> = HashMap::new();
    for hundred in 0..MANY / 50 {
        let names = (0..50).map(|n| format!("r-{hundred}-{n}"));
        let asked = names.map(async |name| (name.clone(), ask_and_leave(&gateway, name).await));
        told.extend(join_all(asked).await);
    }
    // Whoever has left is settled a moment later.
    let path = gateway.folder.join("sluice.db");
    let sql = "SELECT label, output_tokens, estimated, amount_nanousd, ended FROM requests
               JOIN attempts USING (request_id) JOIN entries USING (request_id, attempt)";
    let mut rows: Vec<(String, u32, bool, i64, String)> = Vec::new();
    for _ in 0..100 {
        gateway.running.flush().await.expect("the journal works");
        let ledger = Connection::open(&path).expect("it is there");
        let mut query = ledger.prepare(sql).expect("it is a query");
        let found =
            query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)));
        rows = found.expect("it runs").collect::<Result<_, _>>().expect("rows");
        if rows.len() == MANY as usize {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(rows.len(), MANY as usize, "each is settled, once");
    let (mut left, mut by_engine, mut by_ledger) = (0, 0, 0);
    for (name, output, estimated, amount, ended) in rows {
        let (relayed, has_left) = told[&name];
        assert_eq!((output, estimated), (relayed, has_left), "{name}: {ended}");
        left += u32::from(has_left);
        if !has_left {
            by_engine += i64::from(7 + relayed) * TOKEN;
            by_ledger += amount;
        }
    }
    assert_eq!(by_ledger, by_engine, "of those that ended, to the nano-dollar");
    assert!(left > MANY / 2, "{left} left");
}
