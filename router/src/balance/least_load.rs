//! The replica where the request would be complete first; equals take turns.

use super::{Pick, ReplicaLoad, by_finish, with_room};

pub(super) fn pick(replicas: &[ReplicaLoad], ask: Pick) -> Option<usize> {
    let room = with_room(replicas);
    let least = room.iter().copied().min_by(|&a, &b| by_finish(&replicas[a], &replicas[b]))?;
    let equals: Vec<usize> =
        room.into_iter().filter(|&at| by_finish(&replicas[at], &replicas[least]).is_eq()).collect();
    Some(equals[(ask.turn % equals.len() as u64) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_is_judged_by_the_share_of_room_in_use() {
        let small = ReplicaLoad { in_flight: 1, limit: 2, is_up: true, ..ReplicaLoad::default() };
        let large = ReplicaLoad { in_flight: 3, limit: 16, is_up: true, ..ReplicaLoad::default() };
        assert_eq!(pick(&[small, large], Pick::default()), Some(1));
    }
}
