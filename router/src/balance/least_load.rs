//! The replica that the decision was made for; without room there, the one where the request would be complete first.
//! Equals take turns.

use super::{Pick, ReplicaLoad, by_finish, with_room};

pub(super) fn pick(replicas: &[ReplicaLoad], ask: Pick) -> Option<usize> {
    let has_room = |at: &usize| replicas.get(*at).is_some_and(ReplicaLoad::has_room);
    if let Some(decided) = ask.decided.filter(has_room) {
        return Some(decided);
    }
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
    fn a_decision_is_kept_while_its_replica_has_room() {
        let replica = |in_flight| ReplicaLoad { in_flight, limit: 2, is_up: true, ..ReplicaLoad::default() };
        let decided = |at| Pick { decided: Some(at), ..Pick::default() };
        assert_eq!(pick(&[replica(0), replica(1)], decided(1)), Some(1));
        assert_eq!(pick(&[replica(0), replica(2)], decided(1)), Some(0));
        assert_eq!(pick(&[replica(0)], decided(9)), Some(0), "the pool has become smaller");
    }

    #[test]
    fn load_is_judged_by_the_share_of_room_in_use() {
        let small = ReplicaLoad { in_flight: 1, limit: 2, is_up: true, ..ReplicaLoad::default() };
        let large = ReplicaLoad { in_flight: 3, limit: 16, is_up: true, ..ReplicaLoad::default() };
        assert_eq!(pick(&[small, large], Pick::default()), Some(1));
    }
}
