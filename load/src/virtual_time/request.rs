//! Requests under way: what each holds and has used, as the gateway's lease does.

use super::failure::Failure;
use crate::sample::Planned;
use sluice_router::{NanoUsd, Prefix, Seat, Step, Tick, Try, Walk};

/// Names a request as long as it is under way, and never another: where it is kept, and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    number: u64,
    at: u32,
}

impl Id {
    /// As a replica knows it; later requests have greater ones.
    pub(super) fn to_sequence(self) -> u64 {
        self.number << SLOT_BITS | u64::from(self.at)
    }

    pub(super) fn from_sequence(sequence: u64) -> Id {
        Id { number: sequence >> SLOT_BITS, at: (sequence & ((1 << SLOT_BITS) - 1)) as u32 }
    }
}

/// Requests under way at once that an id can tell apart: 16 million.
const SLOT_BITS: u32 = 24;

/// One request under way.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) n: u64,
    pub(super) planned: Planned,
    /// Tokens of the session's earlier turns, which it carries.
    pub(super) carried: u32,
    /// What its prompt begins with, where a pool has caches.
    pub(super) prefix: Prefix,
    pub(super) sent: u64,
    /// The way through what was decided.
    pub(super) walk: Option<Walk>,
    /// What was offered, by the plan's steps.
    pub(super) expected: Vec<Expected>,
    pub(super) seed: u64,
    pub(super) place: Place,
    /// Time spent in lines.
    pub(super) waited: u64,
    /// What the tries that have ended cost.
    pub(super) cost: NanoUsd,
    /// Why the last try failed.
    pub(super) last: Option<Failure>,
    /// The try that was given up after its first token, with the tokens that it had by then: the client has those.
    pub(super) begun: Option<(Running, u32)>,
}

/// What was offered for one step of the plan.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Expected {
    pub(super) pool: usize,
    /// Tokens of the answer.
    pub(super) output_tokens: f64,
    /// The replica that the offer was made for.
    pub(super) replica: Option<usize>,
    /// Decision to first token.
    pub(super) ttft_ms: f64,
}

/// Where a request is.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Nowhere,
    Waiting {
        ticket: u64,
        since: u64,
        made: Try,
    },
    /// Every pool that is left has asked to wait.
    Resting {
        until: Tick,
    },
    Running(Running),
}

/// A try on a replica.
#[derive(Debug, Clone, Copy)]
pub(super) struct Running {
    /// What the walk calls it.
    pub(super) n: u8,
    pub(super) step: Step,
    pub(super) pool: usize,
    pub(super) seat: Seat,
    pub(super) replica: usize,
    pub(super) dispatched: u64,
    pub(super) first: Option<u64>,
    pub(super) input: u32,
    pub(super) cached: u32,
    pub(super) output: u32,
}

/// All that are under way.
#[derive(Debug, Default)]
pub(super) struct Requests {
    kept: Vec<Option<(u64, Request)>>,
    free: Vec<u32>,
    number: u64,
}

impl Requests {
    pub(super) fn add(&mut self, request: Request) -> Id {
        self.number += 1;
        let at = self.free.pop().unwrap_or_else(|| {
            self.kept.push(None);
            (self.kept.len() - 1) as u32
        });
        self.kept[at as usize] = Some((self.number, request));
        Id { number: self.number, at }
    }

    pub(super) fn get(&mut self, id: Id) -> Option<&mut Request> {
        let kept = self.kept.get_mut(id.at as usize)?.as_mut();
        kept.filter(|(number, _)| *number == id.number).map(|(_, request)| request)
    }

    pub(super) fn has(&self, id: Id) -> bool {
        matches!(self.kept.get(id.at as usize), Some(Some((number, _))) if *number == id.number)
    }

    pub(super) fn remove(&mut self, id: Id) -> Option<Request> {
        if !self.has(id) {
            return None;
        }
        self.free.push(id.at);
        self.kept[id.at as usize].take().map(|(_, request)| request)
    }

    /// Those on this replica, in the order in which they came.
    pub(super) fn on(&self, pool: usize, replica: usize) -> Vec<Id> {
        let is_there = |request: &Request| matches!(&request.place, Place::Running(at) if at.pool == pool && at.replica == replica);
        let kept = self.kept.iter().enumerate().filter_map(|(at, kept)| Some((at, kept.as_ref()?)));
        let there = kept.filter(|(_, (_, request))| is_there(request));
        let mut ids: Vec<Id> = there.map(|(at, &(number, _))| Id { number, at: at as u32 }).collect();
        ids.sort_unstable();
        ids
    }

    pub(super) fn is_empty(&self) -> bool {
        self.free.len() == self.kept.len()
    }

    /// The most that were under way at once.
    pub(super) fn most(&self) -> usize {
        self.kept.len()
    }
}
