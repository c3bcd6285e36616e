//! One replica after the other, skipping those without room.

use super::{Pick, ReplicaLoad};

pub(super) fn pick(replicas: &[ReplicaLoad], ask: Pick) -> Option<usize> {
    let count = replicas.len();
    let start = (ask.turn % count.max(1) as u64) as usize;
    (0..count).map(|step| (start + step) % count).find(|&at| replicas[at].has_room())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_go_round_and_skip_the_full() {
        let replicas = [0, 4, 0].map(|in_flight| ReplicaLoad {
            in_flight,
            limit: 4,
            is_up: true,
            ..ReplicaLoad::default()
        });
        let picks: Vec<_> =
            (0..4).map(|turn| pick(&replicas, Pick { seed: 0, turn, ..Pick::default() })).collect();
        assert_eq!(picks, [Some(0), Some(2), Some(2), Some(0)]);
    }
}
