//! Which replica of a pool gets a request, asked when the request really goes.

mod least_load;
mod p2c;
mod prefix;
mod round_robin;

/// What a balancer knows of one replica.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ReplicaLoad {
    /// Requests that it is answering.
    pub in_flight: u32,
    /// Requests that it may answer at once.
    pub limit: u32,
    /// Load that isn't ours, as far as its engine's report is believed; it takes no room, but counts as load.
    pub foreign: u32,
    /// Whether it takes work: healthy and not draining.
    pub is_up: bool,
    /// Predicted time until the request would be complete there, in milliseconds; 0 when nothing is known.
    pub finish_ms: f64,
    /// Tokens of the request's prompt that its cache probably holds.
    pub hit_tokens: u32,
    /// The prompt's other tokens.
    pub uncached_tokens: f64,
    /// Tokens that it has to work on for us: prompts ahead, and answers in work at what they weigh beside them.
    pub work_tokens: f64,
    /// What it was given of that lately, ended or not.
    pub sent_tokens: f64,
}

impl ReplicaLoad {
    /// Whether one more request may go there now.
    pub fn has_room(&self) -> bool {
        self.is_up && self.in_flight < self.limit
    }
}

/// What is known of the request that looks for a replica.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pick {
    /// The request's seed.
    pub seed: u64,
    /// How many requests the pool has sent before.
    pub turn: u64,
    /// The replica that the decision was made for, if that is known.
    pub decided: Option<usize>,
}

/// Chooses among the replicas that have room; `None` when none has.
pub type Balancer = fn(&[ReplicaLoad], Pick) -> Option<usize>;

/// A balancer that a configuration may name.
pub struct Row {
    /// Its name in the configuration.
    pub name: &'static str,
    /// The choice.
    pub pick: Balancer,
    /// For the reference page.
    pub about: &'static str,
}

/// Every balancer that a configuration may name. The order is the order in the reference.
pub const BALANCERS: &[Row] = &[
    Row {
        name: "p2c",
        pick: p2c::pick,
        about: "of two drawn at random, the one that would be done first; the default",
    },
    Row {
        name: "least_load",
        pick: least_load::pick,
        about: "the one that the decision was made for, if it has room, else the one that would be done first",
    },
    Row {
        name: "prefix",
        pick: prefix::pick,
        about: "the one whose cache holds most of the prompt, unless it has too much work; else the one with the least",
    },
    Row { name: "round_robin", pick: round_robin::pick, about: "one after the other" },
];

/// The balancer with this name.
pub fn balancer(name: &str) -> Option<&'static Row> {
    BALANCERS.iter().find(|row| row.name == name)
}

/// Positions of the replicas that have room.
fn with_room(replicas: &[ReplicaLoad]) -> Vec<usize> {
    (0..replicas.len()).filter(|&at| replicas[at].has_room()).collect()
}

/// Orders two replicas by when the request would be complete there; of equals by the share of their room that is used, by
/// whomever, exact, in integers.
fn by_finish(a: &ReplicaLoad, b: &ReplicaLoad) -> std::cmp::Ordering {
    let load = |replica: &ReplicaLoad| u64::from(replica.in_flight) + u64::from(replica.foreign);
    let by_use = (load(a) * u64::from(b.limit)).cmp(&(load(b) * u64::from(a.limit)));
    a.finish_ms.total_cmp(&b.finish_ms).then(by_use)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mix::mix;

    fn replica(in_flight: u32, is_up: bool) -> ReplicaLoad {
        ReplicaLoad { in_flight, limit: 4, is_up, ..ReplicaLoad::default() }
    }

    /// What every row must keep, whatever it prefers.
    #[test]
    fn every_balancer_picks_only_where_there_is_room() {
        let replicas = [replica(4, true), replica(0, false), replica(3, true), replica(1, true)];
        for row in BALANCERS {
            for seed in 0..200 {
                let at = (row.pick)(&replicas, Pick { seed, turn: seed, ..Pick::default() })
                    .expect("two have room");
                assert!(replicas[at].has_room(), "{} picked {at}", row.name);
            }
            assert_eq!((row.pick)(&replicas[..2], Pick::default()), None, "{}", row.name);
            assert_eq!((row.pick)(&[], Pick::default()), None, "{}", row.name);
        }
    }

    /// The same over replicas at random, with limits that have shrunk below what is open and times that aren't known.
    #[test]
    fn a_balancer_finds_a_place_exactly_when_there_is_one() {
        let draw = |case: u64, n: u64, bound: u64| (mix(mix(case) ^ n) >> 16) % bound;
        for case in 0..2_000 {
            let replica = |at: u64| ReplicaLoad {
                in_flight: draw(case, 8 * at, 6) as u32,
                limit: draw(case, 8 * at + 1, 5) as u32,
                foreign: draw(case, 8 * at + 2, 1 << 32) as u32,
                is_up: draw(case, 8 * at + 3, 3) > 0,
                finish_ms: [0.0, 1.0, 1e300, f64::INFINITY][draw(case, 8 * at + 4, 4) as usize],
                hit_tokens: draw(case, 8 * at + 5, 3) as u32 * 500,
                uncached_tokens: draw(case, 8 * at + 6, 3_000) as f64,
                work_tokens: draw(case, 8 * at + 7, 100_000) as f64,
                sent_tokens: 0.0,
            };
            let replicas: Vec<ReplicaLoad> = (0..draw(case, 1 << 20, 9)).map(replica).collect();
            let has_room = replicas.iter().any(ReplicaLoad::has_room);
            for row in BALANCERS {
                let picked = (row.pick)(&replicas, Pick { seed: mix(case), turn: case, ..Pick::default() });
                assert_eq!(picked.is_some(), has_room, "{}, case {case}", row.name);
                assert!(picked.is_none_or(|at| replicas[at].has_room()), "{}, case {case}", row.name);
            }
        }
    }

    #[test]
    fn every_balancer_reaches_every_equal_replica() {
        let replicas = [replica(0, true), replica(0, true), replica(0, true)];
        for row in BALANCERS {
            let mut seen = [false; 3];
            for turn in 0..300u64 {
                let seed = turn.wrapping_mul(0x9E37_79B9_7F4A_7C15);
                seen[(row.pick)(&replicas, Pick { seed, turn, ..Pick::default() }).expect("all have room")] =
                    true;
            }
            assert_eq!(seen, [true; 3], "{}", row.name);
        }
    }

    #[test]
    fn names_are_unique() {
        for (at, row) in BALANCERS.iter().enumerate() {
            assert!(BALANCERS[..at].iter().all(|other| other.name != row.name), "{}", row.name);
        }
    }
}
