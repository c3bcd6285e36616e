//! The replica whose cache holds most of the prompt, as long as its work is within a bound; else the one with the least.
//!
//! Source: Mirrokni, Thorup and Zadimoghaddam, "Consistent Hashing with Bounded Loads" (2016), with what has really been
//! sent in the place of a hash: nobody takes more than 1.25 times the mean. Work is counted in tokens, since requests
//! differ a thousandfold; and beside the bound there is room for two prompts, or nothing would fit while all are idle.

use super::{Pick, ReplicaLoad, by_finish, with_room};
use crate::mix::mix;
use std::cmp::Ordering;

pub(super) fn pick(replicas: &[ReplicaLoad], ask: Pick) -> Option<usize> {
    let room = with_room(replicas);
    let foreign = foreign_tokens(replicas);
    let work = |at: usize| replicas[at].work_tokens + f64::from(replicas[at].foreign) * foreign;
    let bound = bound(replicas, work);
    let is_home = |at: &usize| {
        let replica = &replicas[*at];
        replica.hit_tokens > 0 && work(*at) + replica.uncached_tokens <= bound
    };
    let by_work =
        |a: usize, b: usize| work(a).total_cmp(&work(b)).then_with(|| by_finish(&replicas[a], &replicas[b]));
    let homes: Vec<usize> = room.iter().copied().filter(is_home).collect();
    if homes.is_empty() {
        let load = |at: usize| work(at) + SENT * replicas[at].sent_tokens;
        return first(&room, |a, b| load(a).total_cmp(&load(b)).then_with(|| by_work(a, b)), ask);
    }
    let by_hits = |a: usize, b: usize| replicas[b].hit_tokens.cmp(&replicas[a].hit_tokens);
    first(&homes, |a, b| by_hits(a, b).then_with(|| by_work(a, b)), ask)
}

/// The most work that a replica may have with the request on it.
fn bound(replicas: &[ReplicaLoad], work: impl Fn(usize) -> f64) -> f64 {
    let up = || (0..replicas.len()).filter(|&at| replicas[at].is_up);
    let count = up().count().max(1) as f64;
    let all: f64 = up().map(work).sum();
    let prompt = replicas.first().map_or(0.0, |one| f64::from(one.hit_tokens) + one.uncached_tokens);
    BOUND * (all + prompt) / count + ROOM * prompt
}

/// What a request that isn't ours is taken to be worth: as much as ours are on average.
fn foreign_tokens(replicas: &[ReplicaLoad]) -> f64 {
    let ours: u32 = replicas.iter().fold(0, |sum, replica| sum.saturating_add(replica.in_flight));
    replicas.iter().map(|replica| replica.work_tokens).sum::<f64>() / f64::from(ours.max(1))
}

/// The first in this order; equals are drawn from.
fn first(of: &[usize], order: impl Fn(usize, usize) -> Ordering, ask: Pick) -> Option<usize> {
    let best = of.iter().copied().min_by(|&a, &b| order(a, b))?;
    let equals: Vec<usize> = of.iter().copied().filter(|&at| order(at, best).is_eq()).collect();
    Some(equals[(mix(ask.seed ^ mix(ask.turn)) % equals.len() as u64) as usize])
}

/// How much more than the mean one replica may have. 1.50 makes little difference.
const BOUND: f64 = 1.25;
/// What may wait beside that, in prompts like this one: what is saved now, and again when the session goes on there.
const ROOM: f64 = 2.0;

/// What a replica was given lately counts a little beside what it has in work: sessions that begin are to even out what
/// those that go on bring, which shows too late in the work of a moment.
const SENT: f64 = 0.03;

#[cfg(test)]
mod tests {
    use super::*;

    fn replica(hit_tokens: u32, work_tokens: f64) -> ReplicaLoad {
        ReplicaLoad {
            in_flight: 4,
            limit: 8,
            is_up: true,
            hit_tokens,
            uncached_tokens: 1_000.0 - f64::from(hit_tokens),
            work_tokens,
            ..ReplicaLoad::default()
        }
    }

    fn picked(replicas: &[ReplicaLoad]) -> Vec<usize> {
        let all: std::collections::BTreeSet<usize> =
            (0..200).filter_map(|turn| pick(replicas, Pick { seed: 42, turn, ..Pick::default() })).collect();
        all.into_iter().collect()
    }

    #[test]
    fn the_cache_that_holds_most_wins_unless_it_has_too_much_work() {
        let idle = replica(0, 0.0);
        assert_eq!(picked(&[idle, replica(640, 0.0), replica(960, 0.0)]), [2]);
        assert_eq!(picked(&[idle, replica(640, 900.0), replica(960, 9_000.0)]), [1], "the next holder");
        assert_eq!(picked(&[idle, replica(64, 9_000.0), idle]), [0, 2], "all holders are over the bound");
    }

    #[test]
    fn without_hits_the_least_work_wins_and_equals_are_drawn_from() {
        assert_eq!(picked(&[replica(0, 500.0), replica(0, 100.0), replica(0, 200.0)]), [1]);
        assert_eq!(picked(&[replica(0, 7.0); 8]).len(), 8);
        assert_eq!(picked(&[replica(128, 7.0); 3]), [0, 1, 2]);
    }

    #[test]
    fn load_that_is_not_ours_counts_as_work() {
        let shared = ReplicaLoad { foreign: 80, ..replica(960, 500.0) };
        assert_eq!(picked(&[replica(0, 500.0), shared]), [0]);
    }

    /// A popular beginning on one of eight replicas: whatever comes, nobody gets more than the bound allows.
    #[test]
    fn one_beginning_for_all_does_not_pile_up_on_one_replica() {
        let mut work = [0.0_f64; 8];
        for turn in 0..4_000 {
            let replicas: Vec<ReplicaLoad> =
                (0..8).map(|at| replica(if at == 3 { 960 } else { 0 }, work[at])).collect();
            let at = pick(&replicas, Pick { seed: turn, turn, ..Pick::default() }).expect("all have room");
            work[at] += replicas[at].uncached_tokens;
            let mean = work.iter().sum::<f64>() / 8.0;
            assert!(work[at] <= BOUND * mean + ROOM * 1_000.0 + 200.0, "{work:?}");
            // Work gets done.
            work.iter_mut().for_each(|work| *work = (*work - 60.0).max(0.0));
        }
    }
}
