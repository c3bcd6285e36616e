//! Records for tests: whole, repeatable, each told apart by a number.

use crate::record::{Account, AttemptRecord, LedgerEntry, Phase, Record, Settled};
use sluice_router::{
    ChosenBy, Decision, NanoUsd, Needs, Receipt, Signals, Step, Tick, Tokens, Trigger, Versions,
};
use uuid::Uuid;

/// The configuration that every receipt names.
pub(crate) const CONFIG: &str = "c0ffee";

pub(crate) fn snapshot() -> Record {
    Record::Snapshot { config: CONFIG.to_owned(), json: r#"{"fleet":"of the test"}"#.to_owned() }
}

/// A request whose first try broke off and whose second one answered; every third one is of another tenant.
pub(crate) fn settled(n: u64) -> Settled {
    let wasted = NanoUsd(100 + n as i64 % 7);
    let spent = NanoUsd(1_000 + n as i64 % 1_000);
    Settled {
        request_id: id(n),
        label: format!("r-{n}"),
        at_unix_ms: 1_700_000_000_000 + n as i64 * 1_000,
        tenant: if n.is_multiple_of(3) { "acme" } else { "default" }.to_owned(),
        project: String::new(),
        key: String::new(),
        route: "auto".to_owned(),
        front: "grpc",
        domain: if n.is_multiple_of(2) { "law" } else { "math" }.to_owned(),
        language: "en".to_owned(),
        status: "ok",
        expert: "small".to_owned(),
        floor_held: !n.is_multiple_of(10),
        cost: wasted + spent,
        baseline: NanoUsd(9_000),
        ttft_ms: Some(12.5),
        total_ms: 80.25,
        tags: vec![("team".to_owned(), "a \"b\"".to_owned())],
        receipt: Some(Box::new(receipt(n))),
        attempts: vec![attempt(0, "broken", wasted), attempt(1, "done", spent)],
        entries: vec![entry(0, Account::Overhead, wasted), entry(1, Account::Spent, spent)],
        charges: vec![],
    }
}

pub(crate) fn record(n: u64) -> Record {
    Record::Settled(Box::new(settled(n)))
}

pub(crate) fn id(n: u64) -> Uuid {
    Uuid::from_u128((1 << 100) + u128::from(n))
}

pub(crate) fn decision_id(n: u64) -> String {
    format!("decision-{n}")
}

pub(crate) fn attempt(n: u8, end: &'static str, cost: NanoUsd) -> AttemptRecord {
    AttemptRecord {
        n,
        expert: "small".to_owned(),
        pool: "small-a".to_owned(),
        replica: "127.0.0.1:1".to_owned(),
        end,
        detail: String::new(),
        tokens: Tokens { prompt: 10, cached: 4, cache_write: 2, output: 20 },
        estimated: n == 0,
        cost,
        wait_ms: 0.5,
        ttft_ms: Some(12.5),
        total_ms: 40.0,
    }
}

pub(crate) fn entry(attempt: u8, debit: Account, amount: NanoUsd) -> LedgerEntry {
    let price_version = CONFIG.to_owned();
    LedgerEntry { attempt, phase: Phase::Settle, debit, credit: Account::Funded, amount, price_version }
}

fn receipt(n: u64) -> Receipt {
    let step = Step { expert: 0, pool: 0, max_output_tokens: 64, trigger: Trigger::First, floor_held: true };
    Receipt {
        id: decision_id(n),
        route: "auto".to_owned(),
        signals: Signals::default(),
        needs: Needs::default(),
        pools: vec![],
        now: Tick(n),
        decision: Decision {
            steps: vec![step],
            ceiling: NanoUsd(5_000),
            quotes: vec![],
            propensity: 0.1 + 0.2,
            chosen_by: ChosenBy::Certificate,
            seed: n,
        },
        versions: Versions { model: String::new(), config: CONFIG.to_owned() },
    }
}
