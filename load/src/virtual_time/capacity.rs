//! How many replicas each pool needs: grows the bottleneck until the objective holds, then trims what isn't needed.

/// What came of a run with so many replicas.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trial {
    /// Whether the objective held.
    pub holds: bool,
    /// For each pool, how much points at it as the bottleneck: requests that missed the objective there.
    pub missed: Vec<u64>,
    /// For each pool, tries that it took on.
    pub used: Vec<u64>,
}

/// The fewest replicas that hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Needed {
    /// For each pool; 0 where nothing went.
    pub replicas: Vec<usize>,
    /// Whether the objective holds with them; if not, `replicas` are the most that were allowed where it was short.
    pub holds: bool,
    /// How many runs it took.
    pub runs: usize,
}

/// Looks for the fewest replicas of each pool, at most `most`, that make `trial` hold. `prices` are what one replica
/// of each pool costs; the dearest pools are trimmed first.
///
/// More replicas are taken to be never worse. The result is a local minimum: no single pool can do with fewer.
pub fn least_replicas(prices: &[f64], most: usize, trial: &mut dyn FnMut(&[usize]) -> Trial) -> Needed {
    let mut runs = 0;
    let mut counted = |replicas: &[usize]| {
        runs += 1;
        trial(replicas)
    };
    let mut replicas = vec![1; prices.len()];
    // What is known to be too few, beside what the others had then.
    let mut too_few = vec![0; prices.len()];
    let mut last = counted(&replicas);
    while !last.holds {
        let Some(at) = bottleneck(&last, &replicas, most) else {
            return Needed { replicas, holds: false, runs };
        };
        too_few[at] = replicas[at];
        replicas[at] = (replicas[at] * 2).min(most);
        last = counted(&replicas);
    }
    for (at, used) in last.used.iter().enumerate() {
        if *used == 0 {
            replicas[at] = 0;
        }
    }
    let mut order: Vec<usize> = (0..prices.len()).collect();
    order.sort_by(|&a, &b| prices[b].total_cmp(&prices[a]));
    for &at in &order {
        trim(at, too_few[at], &mut replicas, &mut counted);
    }
    // Trimming one pool may have sent work to another; one replica less of each shows that nothing is left to take.
    for &at in &order {
        if replicas[at] > 1 {
            trim(at, replicas[at] - 2, &mut replicas, &mut counted);
        }
    }
    Needed { replicas, holds: true, runs }
}

/// The pool to grow: where most requests missed, among those that may grow.
fn bottleneck(last: &Trial, replicas: &[usize], most: usize) -> Option<usize> {
    let may_grow = (0..replicas.len()).filter(|&at| replicas[at] < most);
    may_grow.max_by_key(|&at| (last.missed[at], last.used[at], std::cmp::Reverse(at)))
}

/// Bisects one pool between a number that is too few and the one that holds.
fn trim(at: usize, too_few: usize, replicas: &mut [usize], trial: &mut impl FnMut(&[usize]) -> Trial) {
    let (mut low, mut high) = (too_few, replicas[at]);
    while high > low + 1 && high > 1 {
        let middle = (low + (high - low) / 2).max(1);
        replicas[at] = middle;
        if trial(replicas).holds { high = middle } else { low = middle }
    }
    replicas[at] = high;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Holds when each pool has what it needs.
    fn search(needs: &[usize], most: usize) -> Needed {
        let mut trial = |replicas: &[usize]| Trial {
            holds: replicas.iter().zip(needs).all(|(has, need)| has >= need),
            missed: replicas.iter().zip(needs).map(|(has, need)| need.saturating_sub(*has) as u64).collect(),
            used: needs.iter().map(|need| *need as u64).collect(),
        };
        least_replicas(&vec![1.0; needs.len()], most, &mut trial)
    }

    #[test]
    fn every_pool_gets_what_it_needs_and_no_more() {
        for needs in [vec![1, 1], vec![1, 7, 3], vec![13], vec![5, 0, 16, 2]] {
            let needed = search(&needs, 64);
            assert_eq!((needed.replicas, needed.holds), (needs.clone(), true));
            assert!(needed.runs <= 12 * needs.len(), "{} runs for {needs:?}", needed.runs);
        }
    }

    #[test]
    fn what_can_not_be_reached_is_said() {
        let needed = search(&[1, 100], 8);
        assert_eq!((needed.holds, needed.replicas[1]), (false, 8));
    }
}
