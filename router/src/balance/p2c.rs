//! Power of two choices: draw two replicas, take the one where the request would be complete first.
//!
//! Source: Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing" (2001): nearly as even as knowing
//! every load, without the herd that a stale minimum attracts.

use super::{Pick, ReplicaLoad, by_finish, with_room};
use crate::mix::mix;

pub(super) fn pick(replicas: &[ReplicaLoad], ask: Pick) -> Option<usize> {
    let room = with_room(replicas);
    let count = room.len() as u64;
    if count < 2 {
        return room.first().copied();
    }
    // The turn as well: many clients send one seed with every request, which would draw one pair for ever.
    let drawn = mix(ask.seed ^ mix(ask.turn));
    let first = drawn % count;
    let second = (first + 1 + (drawn >> 32) % (count - 1)) % count;
    let (a, b) = (room[first as usize], room[second as usize]);
    Some(if by_finish(&replicas[b], &replicas[a]).is_lt() { b } else { a })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_with_one_seed_reach_every_replica() {
        let idle = [ReplicaLoad { in_flight: 0, limit: 4, is_up: true, ..ReplicaLoad::default() }; 8];
        let picked: std::collections::BTreeSet<_> =
            (0..200).map(|turn| pick(&idle, Pick { seed: 42, turn, ..Pick::default() })).collect();
        assert_eq!(picked.len(), 8);
    }

    #[test]
    fn the_less_loaded_of_two_wins() {
        let replicas = [3, 1].map(|in_flight| ReplicaLoad {
            in_flight,
            limit: 4,
            is_up: true,
            ..ReplicaLoad::default()
        });
        for seed in 0..50 {
            assert_eq!(pick(&replicas, Pick { seed, turn: 0, ..Pick::default() }), Some(1));
        }
    }
}
