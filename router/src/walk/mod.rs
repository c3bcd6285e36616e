//! The way of one request through its plan, as a pure state machine: which step on which replicas next, what a failure
//! leads to, when to wait, when to give up, and which of two tries is the one that answers.
//!
//! A request is tried again only while its client has seen nothing (before the first event of a stream, before the end
//! of an answer that is wanted whole), on another replica of the pool first, then at the next step; at most
//! [`MAX_ATTEMPTS`] times in all, within its cost bound, and each time out of the gateway's retry budget. A pool whose
//! replicas ask to wait is left alone for that long. Going past a full line sends nothing twice, so it is no retry. The
//! gateway and the load test in virtual time both walk with it.

mod failure;
mod hedge;

pub use failure::{Failure, Help};
pub use hedge::hedge_after_ms;

use crate::decision::{Decision, Step};
use crate::price::NanoUsd;
use crate::retry::{MAX_ATTEMPTS, RetryBudget};
use crate::time::Tick;

/// One request's way through its plan.
#[derive(Debug)]
pub struct Walk {
    stages: Vec<Stage>,
    bounds: Bounds,
    running: Vec<Running>,
    committed: Option<u8>,
    attempts: usize,
    /// What the tries that have ended cost.
    spent: NanoUsd,
    /// Something was sent and failed, and what follows has not been paid out of the retry budget.
    owes_retry: bool,
    hedged: bool,
    waited: bool,
    is_over: bool,
}

/// What bounds a walk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    /// All tries together may cost this much.
    pub max_cost: Option<NanoUsd>,
    /// When the answer must be complete.
    pub deadline: Option<Tick>,
}

/// A step, and what has become of it so far.
#[derive(Debug)]
struct Stage {
    step: Step,
    worst: NanoUsd,
    /// Replicas that have failed the request.
    tried: Vec<usize>,
    /// The last of them lost its connection; it may be tried once more.
    lost: bool,
    repeated: bool,
    /// How many replicas asked to wait, and until when at the soonest.
    asked: usize,
    not_before: Option<Tick>,
    /// It is not tried again.
    is_done: bool,
}

/// A try under way.
#[derive(Debug, Clone, Copy)]
struct Running {
    id: u8,
    stage: usize,
    replica: usize,
}

/// One try to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Try {
    /// Where in the plan.
    pub stage: usize,
    /// What to try.
    pub step: Step,
    /// Replicas of its pool that are not to be asked.
    pub tried: Vec<usize>,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Enter the line of this step's pool, and tell [`Walk::sent`] or [`Walk::turned_away`].
    Try(Try),
    /// Ask again at this time: every pool that is left has asked to wait.
    Wait(Tick),
    /// Another try is under way: its end or its first event decides.
    Await,
    /// Give up, for the reason that was met last.
    Fail {
        /// When a pool that asked to wait may be asked again, if one did.
        retry_after_ms: Option<u64>,
    },
}

/// What a walk must know of the pools' lines as they are now.
pub trait Lines {
    /// Whether a replica of the pool other than those in `tried` takes work.
    fn has_another(&self, pool: usize, tried: &[usize]) -> bool;
}

impl Walk {
    /// At the beginning of a decision's plan.
    pub fn new(decision: &Decision, bounds: Bounds) -> Walk {
        let worst = |step: &Step| decision.quotes.iter().find(|quote| quote.expert == step.expert);
        let stage = |step: &Step| Stage::new(*step, worst(step).map_or(NanoUsd::ZERO, |quote| quote.worst));
        Walk {
            stages: decision.steps.iter().map(stage).collect(),
            bounds,
            running: Vec::new(),
            committed: None,
            attempts: 0,
            spent: NanoUsd::ZERO,
            owes_retry: false,
            hedged: false,
            waited: false,
            is_over: false,
        }
    }

    /// What to do now.
    pub fn next(&mut self, lines: &impl Lines, retries: &RetryBudget, now: Tick) -> Next {
        if !self.running.is_empty() {
            return Next::Await;
        }
        let is_over = self.is_over || self.committed.is_some() || self.is_late(now);
        if is_over || self.attempts >= MAX_ATTEMPTS {
            return self.fail(now);
        }
        let Some(at) = self.candidate(lines, now) else { return self.wait(now) };
        if self.owes_retry && !retries.spend() {
            return self.fail(now);
        }
        self.owes_retry = false;
        Next::Try(self.try_of(at))
    }

    /// The line took nobody: it is full, or none of its replicas takes work.
    pub fn turned_away(&mut self, from: &Try) {
        self.stages[from.stage].is_done = true;
    }

    /// The try has got a place on this replica, where it is sent now. Returns the number that it is called by.
    pub fn sent(&mut self, made: &Try, replica: usize) -> u8 {
        // At most `MAX_ATTEMPTS`.
        let id = self.attempts as u8;
        self.attempts += 1;
        self.running.push(Running { id, stage: made.stage, replica });
        id
    }

    /// The first event of a try has come: it answers, and no other may. Returns false when another answers already.
    pub fn answers(&mut self, id: u8) -> bool {
        if self.committed.is_none() && self.running.iter().any(|running| running.id == id) {
            self.committed = Some(id);
        }
        self.committed == Some(id)
    }

    /// A try has failed.
    pub fn failed(&mut self, id: u8, failure: Failure, now: Tick) {
        let Some(running) = self.end(id, failure.cost) else { return };
        let is_final = failure.help == Help::Nothing || self.committed == Some(id);
        self.is_over |= is_final;
        self.owes_retry = true;
        let stage = &mut self.stages[running.stage];
        stage.tried.push(running.replica);
        stage.lost = failure.connection_lost;
        if let Some(ms) = failure.retry_after_ms {
            stage.ask_to_wait(now.plus_ms(ms));
        }
        stage.is_done |= failure.help == Help::OtherPool;
    }

    /// The try that answers broke off, and nothing of it has reached the client: another may answer. Its connection was
    /// no old one, so its replica is not asked again.
    pub fn broke(&mut self, id: u8, failure: Failure, now: Tick) {
        if self.committed == Some(id) {
            self.committed = None;
        }
        self.failed(id, Failure { connection_lost: false, ..failure }, now);
    }

    /// A try was given up because another answers.
    pub fn lost(&mut self, id: u8, cost: NanoUsd) {
        self.end(id, cost);
    }

    /// The try that answers, once one does.
    pub fn committed(&self) -> Option<u8> {
        self.committed
    }

    /// How many tries were sent.
    pub fn attempts(&self) -> usize {
        self.attempts
    }

    fn end(&mut self, id: u8, cost: NanoUsd) -> Option<Running> {
        let at = self.running.iter().position(|running| running.id == id)?;
        self.spent += cost;
        Some(self.running.remove(at))
    }

    /// The first stage that is worth a try now; those that never will be again are done with.
    fn candidate(&mut self, lines: &impl Lines, now: Tick) -> Option<usize> {
        for at in 0..self.stages.len() {
            // The plan's first step was chosen within the bound.
            let affords = self.attempts == 0 || self.affords(at);
            if self.stages[at].is_done || self.asks_to_wait(at, now) {
                continue;
            }
            if affords && self.stages[at].has_another(lines) {
                return Some(at);
            }
            if affords && self.stages[at].may_repeat(lines) {
                if self.is_last_for_another(at, lines, now) {
                    continue;
                }
                self.stages[at].repeat();
                return Some(at);
            }
            self.stages[at].is_done = true;
        }
        None
    }

    /// Whether one try is left and a later stage could have it: a replica that has just failed must not.
    fn is_last_for_another(&self, at: usize, lines: &impl Lines, now: Tick) -> bool {
        let may = |other: usize| {
            let stage = &self.stages[other];
            !stage.is_done
                && !self.asks_to_wait(other, now)
                && self.affords(other)
                && stage.has_another(lines)
        };
        self.attempts + 1 >= MAX_ATTEMPTS && (at + 1..self.stages.len()).any(may)
    }

    /// Whether enough replicas of the stage's pool have asked to wait that it is left alone.
    fn asks_to_wait(&self, at: usize, now: Tick) -> bool {
        self.stages[at].asked >= SPEAK_FOR_THE_POOL
            && self.stages[at].not_before.is_some_and(|until| until > now)
    }

    /// Whether the stage at its worst keeps the bound, after what was spent and beside what may yet be.
    fn affords(&self, at: usize) -> bool {
        let running: NanoUsd = self.running.iter().map(|running| self.stages[running.stage].worst).sum();
        self.bounds.max_cost.is_none_or(|bound| self.spent + running + self.stages[at].worst <= bound)
    }

    /// Once, and only for a moment, a pool is waited for that has asked for it.
    fn wait(&mut self, now: Tick) -> Next {
        let is_soon = |until: Tick| {
            until.since_ms(now) <= LONGEST_WAIT_MS
                && self.bounds.deadline.is_none_or(|deadline| until < deadline)
        };
        let may = |at: &usize| self.stages[*at].not_before.is_some_and(is_soon) && self.affords(*at);
        let soonest = (0..self.stages.len()).filter(may).min_by_key(|&at| self.stages[at].not_before);
        let Some(at) = soonest.filter(|_| !self.waited) else { return self.fail(now) };
        self.waited = true;
        let until = self.stages[at].not_before.unwrap_or(now);
        self.stages[at].begin_again();
        Next::Wait(until)
    }

    fn fail(&self, now: Tick) -> Next {
        let soonest = self.stages.iter().filter_map(|stage| stage.not_before).min();
        Next::Fail { retry_after_ms: soonest.map(|until| until.since_us(now).div_ceil(1_000)) }
    }

    fn is_late(&self, now: Tick) -> bool {
        self.bounds.deadline.is_some_and(|deadline| now >= deadline)
    }

    fn try_of(&self, at: usize) -> Try {
        Try { stage: at, step: self.stages[at].step, tried: self.stages[at].tried.clone() }
    }
}

impl Stage {
    fn new(step: Step, worst: NanoUsd) -> Stage {
        let tried = Vec::new();
        Stage { step, worst, tried, lost: false, repeated: false, asked: 0, not_before: None, is_done: false }
    }

    /// Whether a replica is left that has not failed the request; the first time the line itself tells.
    fn has_another(&self, lines: &impl Lines) -> bool {
        self.tried.is_empty() || lines.has_another(self.step.pool, &self.tried)
    }

    /// Whether the replica that lost its connection just now may be asked once more, and it alone: those before it have
    /// failed too, and a whole pool that has died must leave a try for the next step.
    fn may_repeat(&self, lines: &impl Lines) -> bool {
        let others = self.tried.split_last().map_or(&[][..], |(_, others)| others);
        self.lost && !self.repeated && lines.has_another(self.step.pool, others)
    }

    fn repeat(&mut self) {
        self.repeated = true;
        self.tried.pop();
    }

    fn ask_to_wait(&mut self, until: Tick) {
        self.asked += 1;
        self.not_before = Some(self.not_before.map_or(until, |other| other.min(until)));
    }

    /// What it asked for is granted: all its replicas may be tried.
    fn begin_again(&mut self) {
        self.tried.clear();
        self.asked = 0;
        self.not_before = None;
        self.is_done = false;
    }
}

/// One replica that asks to wait may be full alone; two of them speak for their pool.
const SPEAK_FOR_THE_POOL: usize = 2;
/// A client that is told to come back later than this can do better than wait here.
const LONGEST_WAIT_MS: f64 = 1_000.0;

#[cfg(test)]
mod tests;
