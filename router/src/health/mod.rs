//! Whether a replica takes work: ejection after failures, return by trial, slow start; a pure state machine.
//!
//! It is ejected by what real requests tell, so a dead replica costs a few tries. After an ejection has run out there is
//! one trial at a time, a probe or a request; a yes or a first event brings the replica back on probation, where its
//! next failure ejects it again. Each ejection is twice as long as the one before, and only answers in a calm time make
//! them shorter again: a replica that says yes to probes and fails its requests is soon left alone.

mod cooldown;
mod outlier;
mod window;

pub use cooldown::{Cooldown, DEFAULT_COOLDOWN_MS, LONGEST_COOLDOWN_MS};
pub(crate) use outlier::stands_out;
pub(crate) use window::Window;

use crate::time::Tick;

/// The health of one replica.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Health {
    state: State,
    /// When the state began.
    since: Tick,
    /// Why it was ejected the last time.
    why: Option<Why>,
    /// Failures since the last complete answer.
    failures: u32,
    /// Ejections that are not forgiven yet; each doubles the next one's length.
    strikes: u32,
    ejections: u32,
    /// Complete answers in a row since the last ejection or forgiveness.
    answered: u32,
    /// When the time began that may bring forgiveness.
    calm_since: Tick,
    ramps_from: Option<Tick>,
    /// It has asked for a pause.
    rests: Cooldown,
    window: Window,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Up,
    /// Takes work; the next failure ejects it.
    Probation,
    Ejected {
        until: Tick,
    },
    /// One trial is under way.
    Trial,
}

/// Why a replica was ejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// No connection could be made.
    Unreachable,
    /// [`EJECT_AFTER`] failures came in a row.
    FailuresInRow,
    /// Half of its answers failed, and those of the pool's others did not.
    FailureShare,
    /// Its trial failed, or the first request after its return.
    TrialFailed,
}

impl Why {
    /// All of them.
    pub const ALL: [Why; 4] = [Why::Unreachable, Why::FailuresInRow, Why::FailureShare, Why::TrialFailed];

    /// As written in metrics and the admin page.
    pub fn name(self) -> &'static str {
        match self {
            Why::Unreachable => "unreachable",
            Why::FailuresInRow => "failures_in_row",
            Why::FailureShare => "failure_share",
            Why::TrialFailed => "trial_failed",
        }
    }
}

/// What a replica does now, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Takes work.
    Up,
    /// Takes a part of the work that it may have, more by the second.
    SlowStart,
    /// Has asked for a pause, or its quota has.
    Resting,
    /// Takes no work.
    Ejected,
    /// One trial is under way.
    Trial,
    /// Is leaving the pool: ends what it has and takes nothing new.
    Draining,
}

impl Condition {
    /// As written on the admin page.
    pub fn name(self) -> &'static str {
        match self {
            Condition::Up => "up",
            Condition::SlowStart => "slow_start",
            Condition::Resting => "resting",
            Condition::Ejected => "ejected",
            Condition::Trial => "trial",
            Condition::Draining => "draining",
        }
    }
}

impl Health {
    /// A replica that has just joined a pool at work: it starts slowly.
    pub fn joining(now: Tick) -> Health {
        Health { ramps_from: Some(now), since: now, ..Health::default() }
    }

    /// Whether a request may go there now.
    pub fn takes_work(&self, now: Tick) -> bool {
        let is_open = match self.state {
            State::Up | State::Probation => true,
            State::Ejected { until } => now >= until,
            State::Trial => false,
        };
        is_open && !self.rests.is_on(now)
    }

    /// Whether it is neither ejected nor on trial.
    pub fn is_up(&self) -> bool {
        matches!(self.state, State::Up | State::Probation)
    }

    /// Whether its ejection has run out, so that a trial may begin.
    pub fn is_due(&self, now: Tick) -> bool {
        matches!(self.state, State::Ejected { .. }) && self.takes_work(now)
    }

    /// Whether its ejection may be overlooked when most of the pool is ejected: it answers some requests. One that
    /// can't be reached, or has failed many times since its last answer, stays out.
    pub fn may_be_overlooked(&self, now: Tick) -> bool {
        let is_hopeless = self.why == Some(Why::Unreachable) || self.failures >= HOPELESS_AFTER;
        !self.is_up() && !is_hopeless && !self.rests.is_on(now)
    }

    /// Whether it takes its full part of the work.
    pub fn is_seasoned(&self, now: Tick) -> bool {
        self.is_up() && self.share(now) >= 1.0
    }

    /// Whether time alone changes nothing.
    pub fn is_settled(&self, now: Tick) -> bool {
        self.is_up() && self.share(now) >= 1.0 && !self.rests.is_on(now)
    }

    /// Its part of a limit, at least 1: it grows for [`SLOW_START_MS`] after a return.
    pub fn part_of(&self, limit: u32, now: Tick) -> u32 {
        let part = libm::ceil(f64::from(limit) * self.share(now)) as u32;
        part.clamp(1, limit.max(1))
    }

    fn share(&self, now: Tick) -> f64 {
        self.ramps_from
            .map_or(1.0, |from| (now.since_ms(from) / SLOW_START_MS as f64).clamp(LEAST_SHARE, 1.0))
    }

    /// A request goes there: after an ejection it is the trial.
    pub fn on_send(&mut self, now: Tick) {
        if self.is_due(now) {
            self.enter(State::Trial, now);
        }
    }

    /// The first event of an answer has come. A trial need not end for that: a long answer must not keep everybody else
    /// out. Returns whether the replica is back; the next failure ejects it again.
    pub fn on_answering(&mut self, now: Tick) -> bool {
        let is_trial = self.state == State::Trial;
        if is_trial {
            self.come_back(State::Probation, now);
        }
        is_trial
    }

    /// A request was answered. Returns whether that has brought the replica back.
    pub fn on_success(&mut self, now: Tick) -> bool {
        self.failures = 0;
        self.window.add(true, now);
        self.answered += 1;
        match self.state {
            State::Up => {
                self.forgive(now);
                false
            }
            State::Probation => {
                self.enter(State::Up, now);
                false
            }
            State::Trial => {
                self.come_back(State::Up, now);
                true
            }
            // One answer that began before the ejection tells little; several of them tell that it was hasty.
            State::Ejected { .. } => {
                let is_back = self.answered >= CONFIRM_AFTER && self.why != Some(Why::Unreachable);
                if is_back {
                    self.come_back(State::Up, now);
                }
                is_back
            }
        }
    }

    /// A request ended without telling anything of the replica's health (its client left, it was itself at fault): if
    /// it was the trial, another may follow at once.
    pub fn on_unknown(&mut self, now: Tick) {
        if self.state == State::Trial {
            self.enter(State::Ejected { until: now }, now);
        }
    }

    /// The replica has no room and asks for a pause, which tells nothing of its health.
    pub fn on_busy(&mut self, retry_after_ms: u64, now: Tick) {
        self.rests.ask(retry_after_ms, now);
        self.on_unknown(now);
    }

    /// A request failed by the replica's fault; `unreachable` means no connection could be made. Returns why it is
    /// ejected, where that has just happened.
    pub fn on_failure(&mut self, now: Tick, unreachable: bool) -> Option<Why> {
        self.failures = self.failures.saturating_add(1);
        self.answered = 0;
        self.window.add(false, now);
        let why = match self.state {
            State::Ejected { .. } if unreachable => {
                self.why = Some(Why::Unreachable);
                return None;
            }
            State::Ejected { .. } => return None, // sent before the ejection, or although it is ejected: known already
            _ if unreachable => Why::Unreachable,
            State::Probation | State::Trial => Why::TrialFailed,
            State::Up if self.failures >= EJECT_AFTER => Why::FailuresInRow,
            State::Up => return None,
        };
        self.eject(why, now);
        Some(why)
    }

    /// Takes it out of work.
    pub(crate) fn eject(&mut self, why: Why, now: Tick) {
        let for_ms = ejection_ms(self.strikes);
        self.enter(State::Ejected { until: now.plus_ms(for_ms) }, now);
        self.why = Some(why);
        self.strikes = (self.strikes + 1).min(MOST_STRIKES);
        self.ejections = self.ejections.saturating_add(1);
        self.answered = 0;
    }

    /// The last answers.
    pub(crate) fn window(&self) -> &Window {
        &self.window
    }

    fn come_back(&mut self, state: State, now: Tick) {
        self.enter(state, now);
        self.window = Window::default();
        self.ramps_from = Some(now);
        self.calm_since = now;
        self.answered = 0;
    }

    /// Answers in a calm time that is as long as the last ejection take one strike back.
    fn forgive(&mut self, now: Tick) {
        let calm_ms = ejection_ms(self.strikes.saturating_sub(1)).max(CALM_MS);
        let is_calm = now.since_ms(self.calm_since) >= calm_ms as f64;
        if self.strikes > 0 && self.answered >= CONFIRM_AFTER && is_calm {
            self.strikes -= 1;
            self.answered = 0;
            self.calm_since = now;
        }
    }

    fn enter(&mut self, state: State, now: Tick) {
        self.state = state;
        self.since = now;
    }

    /// What it does now.
    pub fn condition(&self, now: Tick) -> Condition {
        match self.state {
            State::Ejected { .. } => Condition::Ejected,
            State::Trial => Condition::Trial,
            State::Up | State::Probation if self.rests.is_on(now) => Condition::Resting,
            State::Up | State::Probation if self.share(now) < 1.0 => Condition::SlowStart,
            State::Up | State::Probation => Condition::Up,
        }
    }

    /// Why it was ejected the last time, while that still counts: it is out, or not yet forgiven.
    pub fn why(&self) -> Option<Why> {
        self.why.filter(|_| self.strikes > 0 || !self.is_up())
    }

    /// Until when it takes no work, where that is known.
    pub fn out_until(&self) -> Option<Tick> {
        match self.state {
            State::Ejected { until } => Some(until.max(self.rests.until())),
            State::Up | State::Probation | State::Trial => {
                Some(self.rests.until()).filter(|until| until.0 > 0)
            }
        }
    }

    /// When its state began.
    pub fn since(&self) -> Tick {
        self.since
    }

    /// How often it was ejected, ever.
    pub fn ejections(&self) -> u32 {
        self.ejections
    }
}

/// The length of an ejection after so many that are not forgiven.
fn ejection_ms(strikes: u32) -> u64 {
    (FIRST_EJECTION_MS << strikes.min(MOST_STRIKES)).min(LONGEST_EJECTION_MS)
}

/// Failures in a row that eject a replica.
pub const EJECT_AFTER: u32 = 3;
/// Failures since the last answer after which no panic lets a replica work.
pub const HOPELESS_AFTER: u32 = 10;
/// The first ejection's length.
pub const FIRST_EJECTION_MS: u64 = 1_000;
/// Ejections double up to this length.
pub const LONGEST_EJECTION_MS: u64 = 30_000;
/// Answers that make a return, or the forgiveness of an ejection, sure.
pub const CONFIRM_AFTER: u32 = 5;
/// The shortest time between two acts of forgiveness.
pub const CALM_MS: u64 = 10_000;
/// How long a replica that is back, or new, takes to its full share.
pub const SLOW_START_MS: u64 = 10_000;

/// The share that it starts with.
const LEAST_SHARE: f64 = 0.1;
/// Doublings from the first ejection to the longest.
const MOST_STRIKES: u32 = 5;

#[cfg(test)]
mod tests;
