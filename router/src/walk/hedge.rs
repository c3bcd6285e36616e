//! When a second try is worth its cost: the first one is later than nearly all are.

use super::{Running, Try, Walk};
use crate::decision::{Decision, Step};
use crate::fleet::PoolState;
use crate::quote::Quote;
use crate::retry::{HedgeBudget, MAX_ATTEMPTS};
use crate::time::Tick;

/// How long a try of `step` may be without its first event before a second one may be started: the 95th percentile of
/// the time to the first token, as it was predicted for the request. `None` while nothing was seen of its pool.
///
/// A pool of the plan that the quote is not for has no prediction of its own: there it is the percentile of an
/// exponential tail behind the pool's mean, ln 20 means.
///
/// `whole`: the answer comes in one piece, so what counts is its end; its tokens may take twice what was foreseen.
pub fn hedge_after_ms(decision: &Decision, pools: &[PoolState], step: &Step, whole: bool) -> Option<f64> {
    let seen_ms = pools.get(step.pool).map(|pool| pool.ttft_ms).filter(|ms| *ms > 0.0)?;
    let is_for = |quote: &&Quote| quote.expert == step.expert && quote.pool == Some(step.pool);
    let quote = decision.quotes.iter().find(is_for);
    let predicted_ms = quote.map(|quote| quote.ttft_p95_ms);
    let rest_ms = quote.filter(|_| whole).map_or(0.0, |quote| 2.0 * quote.output_tokens * quote.tpot_ms);
    Some(predicted_ms.filter(|ms| *ms > 0.0).unwrap_or(seen_ms * LN_20) + rest_ms)
}

const LN_20: f64 = 2.995_732_273_553_991;

impl Walk {
    /// Starts a second try beside the one that runs, where budget, cost bound and time allow, on another replica of its
    /// pool, else on the next step that keeps the route's floor. `enter` takes a place that is free right now: a hedge
    /// never waits in line.
    ///
    /// The try counts as begun when [`Walk::sent`] is told of it.
    pub fn hedge<S>(
        &mut self,
        budget: &HedgeBudget,
        now: Tick,
        mut enter: impl FnMut(&Try) -> Option<S>,
    ) -> Option<(Try, S)> {
        let &[running] = self.running.as_slice() else { return None };
        let may = !self.hedged && self.committed.is_none() && !self.is_over && !self.is_late(now);
        if !may || self.attempts >= MAX_ATTEMPTS || !budget.spend() {
            return None;
        }
        let candidates = self.beside(running, now);
        let found = candidates.into_iter().find_map(|found| enter(&found).map(|place| (found, place)));
        match &found {
            Some(_) => self.hedged = true,
            None => budget.give_back(),
        }
        found
    }

    /// Tries that may run beside this one, best first.
    fn beside(&self, running: Running, now: Tick) -> Vec<Try> {
        let is_next =
            |at: usize| at > running.stage && !self.stages[at].is_done && !self.asks_to_wait(at, now);
        let others = (0..self.stages.len()).filter(|&at| is_next(at) && self.stages[at].step.floor_held);
        let all = std::iter::once(running.stage).chain(others);
        let mut tries: Vec<Try> = all.filter(|&at| self.affords(at)).map(|at| self.try_of(at)).collect();
        if let Some(same) = tries.iter_mut().find(|found| found.stage == running.stage) {
            same.tried.push(running.replica);
        }
        tries
    }
}
