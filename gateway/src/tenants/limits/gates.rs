//! The limits of all levels, by their ids.

use super::gate::Gate;
use super::pass::{Held, Pass};
use super::place::Place;
use super::standing::{Standing, StandingRate};
use crate::app::{App, Clock};
use crate::error::{Fault, FaultCode};
use crate::shared::Shared;
use crate::tenants::{Identity, Level, Limits};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Every limit that this gateway has met.
pub(crate) struct Gates {
    place: Place,
    gates: RwLock<HashMap<String, Arc<Gate>>>,
    /// Those that want more before they need it.
    hungry: Mutex<Vec<Arc<Gate>>>,
    asked: Notify,
}

impl Gates {
    /// Limits that are kept in a place, by a gateway of this name.
    pub(crate) fn new(shared: Arc<dyn Shared>, who: String, clock: Clock) -> Gates {
        Gates {
            place: Place::new(shared, who, clock),
            gates: RwLock::default(),
            hungry: Mutex::default(),
            asked: Notify::new(),
        }
    }

    /// Lets one more request in, by all levels of its identity or by none.
    ///
    /// # Errors
    /// [`FaultCode::RequestsLimited`]: the limit that is used up, and when it is not any more.
    ///
    /// # Cancel safety
    /// Dropping the future frees the slots that were taken; a request that was counted stays so.
    pub(crate) async fn enter(&self, identity: &Identity) -> Result<Pass, Fault> {
        let mut pass = Pass::default();
        for level in limited(identity) {
            let gate = self.gate(&level.id);
            match self.enter_level(level, gate).await {
                Ok(held) => pass.held.push(held),
                Err(fault) => {
                    pass.undo();
                    return Err(fault);
                }
            }
        }
        Ok(pass)
    }

    async fn enter_level(&self, level: &Level, gate: Arc<Gate>) -> Result<Held, Fault> {
        let mut slot = None;
        if let Some(limit) = level.limits.concurrent {
            slot = gate.running.enter(&self.place, u64::from(limit)).await;
            if slot.is_none() {
                return Err(full(level, limit));
            }
        }
        let mut requests = 0;
        if let Some(per_min) = level.limits.requests_per_min {
            let taken = gate.requests.take(&self.place, per_min, 1).await;
            let is_short = taken.map_err(|wait_ms| used_up(level, "requests", per_min, wait_ms))?;
            requests = 1;
            self.feed(is_short, &gate);
        }
        Ok(Held { gate, _slot: slot, requests, tokens: None })
    }

    /// Takes the tokens that a request is expected to use, at all levels of its identity or at none.
    ///
    /// # Errors
    /// [`FaultCode::TokensLimited`]: the limit that is used up, and when it is not any more.
    pub(crate) async fn take_tokens(
        &self,
        identity: &Identity,
        pass: &mut Pass,
        tokens: u64,
    ) -> Result<(), Fault> {
        for (at, level) in limited(identity).enumerate() {
            let Some(per_min) = level.limits.tokens_per_min else { continue };
            let gate = pass.held[at].gate.clone();
            match gate.tokens.take(&self.place, per_min, tokens).await {
                Ok(is_short) => {
                    pass.held[at].tokens = Some(tokens);
                    self.feed(is_short, &gate);
                }
                Err(wait_ms) => {
                    pass.undo();
                    return Err(used_up(level, "tokens", per_min, wait_ms));
                }
            }
        }
        Ok(())
    }

    /// How far the limits of an identity are used up: what its next request meets.
    pub(crate) fn standing(&self, identity: &Identity) -> Standing {
        let mut standing = Standing::default();
        for level in limited(identity) {
            let gate = self.gate(&level.id);
            let rates = [
                (&mut standing.requests, &gate.requests, level.limits.requests_per_min),
                (&mut standing.tokens, &gate.tokens, level.limits.tokens_per_min),
            ];
            for (tightest, rate, per_min) in rates {
                let Some(per_min) = per_min else { continue };
                let own = rate.standing(&self.place, per_min);
                let is_tighter = |other: &StandingRate| own.remaining < other.remaining;
                if tightest.as_ref().is_none_or(is_tighter) {
                    *tightest = Some(own);
                }
            }
        }
        standing
    }

    fn gate(&self, level: &str) -> Arc<Gate> {
        if let Some(gate) = self.gates.read().unwrap_or_else(PoisonError::into_inner).get(level) {
            return gate.clone();
        }
        let mut gates = self.gates.write().unwrap_or_else(PoisonError::into_inner);
        gates.entry(level.to_owned()).or_insert_with(|| Arc::new(Gate::new(level))).clone()
    }

    fn feed(&self, is_short: bool, gate: &Arc<Gate>) {
        if !is_short {
            return;
        }
        let mut hungry = self.hungry.lock().unwrap_or_else(PoisonError::into_inner);
        if !hungry.iter().any(|other| Arc::ptr_eq(other, gate)) {
            hungry.push(gate.clone());
            self.asked.notify_one();
        }
    }

    pub(super) async fn top_up(&self) {
        let hungry = std::mem::take(&mut *self.hungry.lock().unwrap_or_else(PoisonError::into_inner));
        for gate in hungry {
            gate.requests.top_up(&self.place).await;
            gate.tokens.top_up(&self.place).await;
        }
    }

    /// Looks after all of them, and forgets those that nobody has used for long.
    pub(super) async fn look_after(&self) {
        let all: Vec<Arc<Gate>> =
            self.gates.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        if !all.is_empty() {
            self.place.announce().await;
        }
        for gate in all {
            gate.look_after(&self.place).await;
        }
        let since_ms = self.place.now_ms() - FORGOTTEN_MS;
        let is_known =
            |_: &String, gate: &mut Arc<Gate>| gate.is_used_since(since_ms) || Arc::strong_count(gate) > 1;
        self.gates.write().unwrap_or_else(PoisonError::into_inner).retain(is_known);
    }
}

/// Keeps the limits of a gateway until it ends: fetches ahead of need, gives back what lies idle.
pub(crate) async fn keep(app: Arc<App>, stop: CancellationToken) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = every.tick() => app.limits.look_after().await,
            () = app.limits.asked.notified() => app.limits.top_up().await,
        }
    }
}

fn limited(identity: &Identity) -> impl Iterator<Item = &Level> {
    identity.levels.iter().filter(|level| level.limits != Limits::default())
}

fn used_up(level: &Level, what: &str, per_min: u64, wait_ms: u64) -> Fault {
    let code = if what == "tokens" { FaultCode::TokensLimited } else { FaultCode::RequestsLimited };
    let (kind, id) = (level.kind.name(), &level.id);
    let detail = format!(
        "the limit of {per_min} {what} in 1m of {kind} {id} is used up; there is room again in {wait_ms} ms"
    );
    Fault::passing(code, u32::try_from(wait_ms).unwrap_or(u32::MAX), detail)
}

fn full(level: &Level, limit: u32) -> Fault {
    let (kind, id) = (level.kind.name(), &level.id);
    let detail = format!(
        "the limit of {limit} requests at once of {kind} {id} is used up; there is room again when one of them ends"
    );
    Fault::passing(FaultCode::RequestsLimited, FULL_MS, detail)
}

/// How often idle shares are looked for.
const EVERY: Duration = Duration::from_secs(1);
/// What nobody uses for so long is forgotten, in milliseconds.
const FORGOTTEN_MS: i64 = 600_000;
/// When it is worth trying again where all slots are in use, in milliseconds: nobody knows when an answer ends.
const FULL_MS: u32 = 1_000;
