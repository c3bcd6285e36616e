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
    let mut last = counted(&replicas);
    while !last.holds {
        let Some(at) = bottleneck(&last, &replicas, most) else {
            return Needed { replicas, holds: false, runs };
        };
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
        trim(at, &mut replicas, &mut counted);
    }
    // A pool may have been grown for what overflowed from another, and trimming one sends work to the next: the search
    // is over when no pool can give one up.
    while order.iter().any(|&at| gives_one_up(at, &mut replicas, &mut counted)) {}
    Needed { replicas, holds: true, runs }
}

/// The pool to grow: where most requests missed, among those that may grow.
fn bottleneck(last: &Trial, replicas: &[usize], most: usize) -> Option<usize> {
    let may_grow = (0..replicas.len()).filter(|&at| replicas[at] < most);
    may_grow.max_by_key(|&at| (last.missed[at], last.used[at], std::cmp::Reverse(at)))
}

/// Bisects one pool down from a number that holds.
fn trim(at: usize, replicas: &mut [usize], trial: &mut impl FnMut(&[usize]) -> Trial) {
    let (mut low, mut high) = (0, replicas[at]);
    while high > low + 1 {
        replicas[at] = low + (high - low) / 2;
        if trial(replicas).holds { high = replicas[at] } else { low = replicas[at] }
    }
    replicas[at] = high;
}

/// Takes one replica away where the objective holds without it.
fn gives_one_up(at: usize, replicas: &mut [usize], trial: &mut impl FnMut(&[usize]) -> Trial) -> bool {
    if replicas[at] < 2 {
        return false;
    }
    replicas[at] -= 1;
    let holds = trial(replicas).holds;
    replicas[at] += usize::from(!holds);
    holds
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
    fn a_pool_that_grew_for_another_s_overflow_gives_it_back() {
        // What the first lacks comes to the second, which seems to be the bottleneck until the first has grown.
        let mut trial = |replicas: &[usize]| {
            let overflow = 15_usize.saturating_sub(replicas[0]);
            let lacks = (3 + overflow).saturating_sub(replicas[1]);
            Trial { holds: lacks == 0, missed: vec![overflow as u64, 2 * lacks as u64], used: vec![1, 1] }
        };
        let needed = least_replicas(&[1.0, 2.0], 64, &mut trial);
        assert!(needed.holds && needed.replicas[0] + needed.replicas[1] <= 18, "{needed:?}");
    }

    #[test]
    fn what_can_not_be_reached_is_said() {
        let needed = search(&[1, 100], 8);
        assert_eq!((needed.holds, needed.replicas[1]), (false, 8));
    }
}
