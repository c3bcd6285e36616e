//! A fleet as large as one gateway has to choose from: experts with pools of many replicas.

use crate::world::route;
use crate::{fleet, prompt};
use sluice_router::{
    Ask, Certificate, Fleet, Needs, PoolState, ReplicaState, Route, Signals, estimate_tokens,
};
use std::sync::Arc;

/// What a request meets: 8 experts, each with one pool of 64 replicas that do this and that.
pub struct Wide {
    fleet: Arc<Fleet>,
    route: Arc<Route>,
    pools: Vec<PoolState>,
    /// What is asked.
    pub text: String,
}

impl Wide {
    /// With a prompt of so many bytes.
    pub fn of(bytes: usize) -> Wide {
        let mut fleet = fleet();
        fleet.experts.truncate(ASKED);
        fleet.pools.truncate(ASKED);
        let pools = (0..ASKED).map(pool).collect();
        let route = Route { explore: 0.01, certificate: Some(certificate()), ..route(ASKED) };
        Wide { fleet: Arc::new(fleet), route: Arc::new(route), pools, text: prompt(7, bytes) }
    }

    /// What there is to decide for a prompt with these signals.
    pub fn ask(&self, signals: Signals) -> Ask {
        Ask {
            fleet: self.fleet.clone(),
            route: self.route.clone(),
            signals,
            needs: Needs {
                prompt_tokens: estimate_tokens(&self.text),
                prompt_bytes: self.text.len() as u32,
                ..Needs::default()
            },
            pools: self.pools.clone(),
        }
    }
}

fn pool(number: usize) -> PoolState {
    let replica = |at: usize| ReplicaState {
        is_up: !(at + number).is_multiple_of(17),
        in_flight: ((at * 7 + number) % 23) as u32,
        limit: 64,
        decoding: (at % 11) as u32,
        context_tokens: (at * 500) as f64,
        prefill_tokens: (at * 90) as f64,
        ..ReplicaState::default()
    };
    let replicas: Vec<ReplicaState> = (0..REPLICAS).map(replica).collect();
    PoolState {
        replicas_up: replicas.iter().filter(|replica| replica.is_up).count() as u32,
        in_flight: replicas.iter().map(|replica| replica.in_flight).sum(),
        limit: 64 * REPLICAS as u32,
        ttft_ms: 120.0 + number as f64,
        tpot_ms: 20.0,
        service_ms: 2_000.0,
        replicas,
        ..PoolState::default()
    }
}

fn certificate() -> Certificate {
    Certificate {
        lambda: 1e-7,
        floor: 0.95,
        confidence: 0.95,
        method: "normal".to_owned(),
        rows: 1_500,
        lower_bound: 0.0,
        quality_ratio: 1.0,
        saved_pct: 50.0,
        ..Certificate::default()
    }
}

/// Experts that are asked.
pub const ASKED: usize = 8;
/// Replicas of each one's pool.
pub const REPLICAS: usize = 64;
