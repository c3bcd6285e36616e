//! Requests as they are recorded: a decision between four experts, and a booking for each try.

use crate::world::route;
use crate::{experts, fleet, prompt, trained};
use sluice_gateway::{Account, AttemptRecord, Charge, LedgerEntry, Phase, Record, Settled};
use sluice_router::{
    Ask, NanoUsd, Needs, Params, PoolState, Receipt, Tick, Tokens, Versions, classify, decide,
    estimate_tokens,
};
use std::sync::Arc;
use uuid::Uuid;

/// Makes records of one shape.
pub struct Records {
    receipt: Receipt,
    tries: u8,
}

impl Records {
    /// Records with so many tries each.
    pub fn of(tries: u8) -> Records {
        Records::by(&trained(), tries)
    }

    /// The same, decided by a model that is there already.
    pub fn by(params: &Params, tries: u8) -> Records {
        Records { receipt: receipt(params), tries }
    }

    /// The next record, as of a request that has just ended.
    pub fn next(&self) -> Record {
        let id = Uuid::now_v7();
        let decision = Receipt { id: id.to_string(), ..self.receipt.clone() };
        Record::Settled(Box::new(Settled {
            request_id: id,
            label: id.to_string(),
            at_unix_ms: 1_700_000_000_000,
            tenant: "acme".to_owned(),
            project: "chat".to_owned(),
            key: "key_1".to_owned(),
            route: "auto".to_owned(),
            front: "grpc",
            domain: "domain-3".to_owned(),
            language: "en".to_owned(),
            status: "ok",
            expert: "expert-1".to_owned(),
            floor_held: true,
            cost: NanoUsd(1_000 * i64::from(self.tries)),
            baseline: NanoUsd(9_000),
            ttft_ms: Some(120.5),
            total_ms: 1_800.25,
            tags: vec![("team".to_owned(), "search".to_owned())],
            receipt: Some(Box::new(decision)),
            attempts: (0..self.tries).map(|n| self.attempt(n)).collect(),
            entries: (0..self.tries).map(|n| self.entry(n)).collect(),
            charges: vec![self.charge()],
        }))
    }

    fn attempt(&self, n: u8) -> AttemptRecord {
        AttemptRecord {
            n,
            expert: "expert-1".to_owned(),
            pool: "expert-1-pool".to_owned(),
            replica: "10.0.0.12:8000".to_owned(),
            end: if n + 1 == self.tries { "done" } else { "broken" },
            detail: String::new(),
            tokens: Tokens { prompt: 800, output: 300, ..Tokens::default() },
            estimated: false,
            cost: NanoUsd(1_000),
            wait_ms: 0.25,
            ttft_ms: Some(120.5),
            total_ms: 1_800.25,
        }
    }

    fn charge(&self) -> Charge {
        let amount = NanoUsd(1_000 * i64::from(self.tries));
        Charge { account: "budget/acme/month/2026-11".to_owned(), amount }
    }

    fn entry(&self, attempt: u8) -> LedgerEntry {
        LedgerEntry {
            attempt,
            phase: Phase::Settle,
            debit: if attempt + 1 == self.tries { Account::Spent } else { Account::Overhead },
            credit: Account::Funded,
            amount: NanoUsd(1_000),
            price_version: self.receipt.versions.config.clone(),
        }
    }
}

/// A decision between four experts.
fn receipt(params: &Params) -> Receipt {
    let mut fleet = fleet();
    fleet.experts.truncate(ASKED);
    fleet.pools.truncate(ASKED);
    let names = experts();
    let binding = params.bind(&names[..ASKED].iter().map(String::as_str).collect::<Vec<_>>());
    let text = prompt(7, 2_048);
    let ask = Ask {
        fleet: Arc::new(fleet),
        route: Arc::new(route(ASKED)),
        signals: classify(params, &text, &binding),
        needs: Needs { prompt_tokens: estimate_tokens(&text), prompt_bytes: 2_048, ..Needs::default() },
        pools: vec![PoolState { replicas_up: 2, limit: 64, ..PoolState::default() }; ASKED],
    };
    let decision = decide(&ask, Tick(0), 7).expect("somebody may answer");
    let version = "0123456789abcdef".repeat(4);
    Receipt {
        id: String::new(),
        route: "auto".to_owned(),
        signals: ask.signals,
        needs: ask.needs,
        pools: ask.pools,
        now: Tick(0),
        decision,
        versions: Versions { model: version.clone(), config: version },
    }
}

const ASKED: usize = 4;
