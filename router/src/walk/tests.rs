//! The rules of a walk one by one, then all of them over random worlds.

use super::*;
use crate::decision::{ChosenBy, Trigger};
use crate::mix::mix;
use crate::quote::Quote;
use crate::retry::HedgeBudget;

const NOW: Tick = Tick(1_000_000);

/// Replicas that are up, by pool.
struct Up(Vec<Vec<bool>>);

impl Lines for Up {
    fn has_another(&self, pool: usize, tried: &[usize]) -> bool {
        self.0[pool].iter().enumerate().any(|(at, up)| *up && !tried.contains(&at))
    }
}

fn up(replicas: &[usize]) -> Up {
    Up(replicas.iter().map(|&count| vec![true; count]).collect())
}

/// A plan of a step for each worst cost, each with a pool of its own.
fn decision(worst: &[i64]) -> Decision {
    let step = |at: usize| Step {
        expert: at,
        pool: at,
        max_output_tokens: 10,
        trigger: if at == 0 { Trigger::First } else { Trigger::Elsewhere },
        floor_held: true,
    };
    let quote = |(at, &worst): (usize, &i64)| Quote {
        expert: at,
        pool: Some(at),
        p_capable: 1.0,
        p_lower: 1.0,
        graded: false,
        cost: NanoUsd::ZERO,
        worst: NanoUsd(worst),
        max_output_tokens: 10,
        output_tokens: 10.0,
        replica: None,
        wait_ms: 0.0,
        ttft_ms: 0.0,
        ttft_p95_ms: 0.0,
        tpot_ms: 0.0,
        total_ms: 0.0,
        hit_tokens: 0,
        p_miss: 0.0,
        harmed: 0.0,
        shadow: None,
        money: 0.0,
        reason: None,
    };
    Decision {
        steps: (0..worst.len()).map(step).collect(),
        ceiling: NanoUsd(worst.iter().copied().max().unwrap_or(0)),
        quotes: worst.iter().enumerate().map(quote).collect(),
        propensity: 1.0,
        chosen_by: ChosenBy::Reference,
        seed: 0,
    }
}

fn walk(worst: &[i64]) -> Walk {
    Walk::new(&decision(worst), Bounds::default())
}

/// The next thing to do is this try.
fn expect_try(walk: &mut Walk, lines: &Up, stage: usize, tried: &[usize]) -> Try {
    match walk.next(lines, &RetryBudget::new(), NOW) {
        Next::Try(made) => {
            assert_eq!((made.stage, made.tried.as_slice()), (stage, tried));
            made
        }
        other => panic!("not a try: {other:?}"),
    }
}

/// Sends the next try to a replica, where it fails.
fn fails(walk: &mut Walk, lines: &Up, stage: usize, tried: &[usize], replica: usize, failure: Failure) {
    let made = expect_try(walk, lines, stage, tried);
    let id = walk.sent(&made, replica);
    assert_eq!(walk.next(lines, &RetryBudget::new(), NOW), Next::Await);
    walk.failed(id, failure, NOW);
}

fn gives_up(walk: &mut Walk, lines: &Up) {
    let next = walk.next(lines, &RetryBudget::new(), NOW);
    assert!(matches!(next, Next::Fail { .. }), "{next:?}");
}

const ILL: Failure =
    Failure { help: Help::OtherReplica, connection_lost: false, retry_after_ms: None, cost: NanoUsd::ZERO };

fn busy(retry_after_ms: u64) -> Failure {
    Failure { retry_after_ms: Some(retry_after_ms), ..ILL }
}

#[test]
fn another_replica_is_tried_first_then_the_next_step_and_four_times_in_all() {
    let lines = up(&[2, 3]);
    let mut walk = walk(&[1, 1]);
    fails(&mut walk, &lines, 0, &[], 1, ILL);
    fails(&mut walk, &lines, 0, &[1], 0, ILL);
    fails(&mut walk, &lines, 1, &[], 0, ILL);
    fails(&mut walk, &lines, 1, &[0], 2, ILL);
    gives_up(&mut walk, &lines);
    assert_eq!(walk.attempts(), MAX_ATTEMPTS);
}

#[test]
fn a_wrong_request_is_tried_nowhere_else_and_a_pool_that_can_t_is_left() {
    let lines = up(&[2, 2]);
    let mut wrong = walk(&[1, 1]);
    fails(&mut wrong, &lines, 0, &[], 0, Failure::new(Help::Nothing));
    gives_up(&mut wrong, &lines);
    let mut too_long = walk(&[1, 1]);
    fails(&mut too_long, &lines, 0, &[], 0, Failure::new(Help::OtherPool));
    expect_try(&mut too_long, &lines, 1, &[]);
}

#[test]
fn an_answer_that_broke_unseen_begins_again_on_another_replica_and_never_on_the_same() {
    let lines = up(&[2]);
    let mut walk = walk(&[1]);
    for (replica, tried) in [(0, &[][..]), (1, &[0])] {
        let made = expect_try(&mut walk, &lines, 0, tried);
        let id = walk.sent(&made, replica);
        assert!(walk.answers(id));
        walk.broke(id, Failure { connection_lost: true, ..ILL }, NOW);
        assert_eq!(walk.committed(), None);
    }
    gives_up(&mut walk, &lines);
}

#[test]
fn after_the_first_event_nothing_is_tried_again() {
    let lines = up(&[2, 2]);
    let mut walk = walk(&[1, 1]);
    let made = expect_try(&mut walk, &lines, 0, &[]);
    let id = walk.sent(&made, 0);
    assert!(walk.answers(id));
    walk.failed(id, ILL, NOW);
    gives_up(&mut walk, &lines);
}

#[test]
fn a_lost_connection_is_made_once_more_where_there_is_no_other_replica() {
    let lost = Failure { connection_lost: true, ..ILL };
    let lines = up(&[1]);
    let mut walk = walk(&[1]);
    fails(&mut walk, &lines, 0, &[], 0, lost);
    fails(&mut walk, &lines, 0, &[], 0, lost);
    gives_up(&mut walk, &lines);
}

#[test]
fn a_pool_that_dies_as_a_whole_leaves_a_try_for_the_next_step() {
    let lost = Failure { connection_lost: true, ..ILL };
    let (two, three) = (up(&[2, 1]), up(&[3, 1]));
    let mut once_more = walk(&[1, 1]);
    fails(&mut once_more, &two, 0, &[], 0, lost);
    fails(&mut once_more, &two, 0, &[0], 1, lost);
    fails(&mut once_more, &two, 0, &[0], 1, lost);
    fails(&mut once_more, &two, 1, &[], 0, lost);
    let mut last = walk(&[1, 1]);
    fails(&mut last, &three, 0, &[], 0, lost);
    fails(&mut last, &three, 0, &[0], 1, lost);
    fails(&mut last, &three, 0, &[0, 1], 2, lost);
    let elsewhere = expect_try(&mut last, &three, 1, &[]);
    last.turned_away(&elsewhere);
    expect_try(&mut last, &three, 0, &[0, 1]);
}

#[test]
fn going_past_a_full_line_is_no_retry() {
    let (lines, empty) = (up(&[1, 1]), RetryBudget::new());
    while empty.spend() {}
    let mut walk = walk(&[1, 1]);
    let Next::Try(full) = walk.next(&lines, &empty, NOW) else { panic!("the first try is free") };
    walk.turned_away(&full);
    let Next::Try(second) = walk.next(&lines, &empty, NOW) else { panic!("nothing was sent") };
    assert_eq!((second.stage, walk.attempts()), (1, 0));
    let id = walk.sent(&second, 0);
    walk.failed(id, Failure { connection_lost: true, ..ILL }, NOW);
    assert!(matches!(walk.next(&lines, &empty, NOW), Next::Fail { .. }), "this would be a retry");
}

#[test]
fn all_tries_together_keep_the_bound_on_the_cost() {
    let lines = up(&[3, 1]);
    let bounds = Bounds { max_cost: Some(NanoUsd(100)), deadline: None };
    let mut walk = Walk::new(&decision(&[80, 60]), bounds);
    fails(&mut walk, &lines, 0, &[], 0, Failure { cost: NanoUsd(30), ..ILL });
    expect_try(&mut walk, &lines, 1, &[]);
}

#[test]
fn a_pool_that_asks_to_wait_is_skipped_and_waited_for_once_where_nothing_else_is_left() {
    let lines = up(&[2, 1]);
    let mut walk = walk(&[1, 1]);
    fails(&mut walk, &lines, 0, &[], 0, busy(300));
    fails(&mut walk, &lines, 0, &[0], 1, busy(200));
    fails(&mut walk, &lines, 1, &[], 0, ILL);
    let retries = RetryBudget::new();
    assert_eq!(walk.next(&lines, &retries, NOW), Next::Wait(NOW.plus_ms(200)));
    let later = NOW.plus_ms(200);
    let Next::Try(again) = walk.next(&lines, &retries, later) else { panic!("its time has come") };
    assert_eq!((again.stage, again.tried.as_slice()), (0, [].as_slice()));
    let id = walk.sent(&again, 1);
    walk.failed(id, busy(400), later);
    assert_eq!(walk.next(&lines, &retries, later), Next::Fail { retry_after_ms: Some(400) });
}

#[test]
fn a_long_wait_and_one_past_the_deadline_are_the_clients_to_make() {
    let lines = up(&[1]);
    let mut long = walk(&[1]);
    fails(&mut long, &lines, 0, &[], 0, busy(30_000));
    let told = Next::Fail { retry_after_ms: Some(30_000) };
    assert_eq!(long.next(&lines, &RetryBudget::new(), NOW), told);
    let bounds = Bounds { max_cost: None, deadline: Some(NOW.plus_ms(100)) };
    let mut late = Walk::new(&decision(&[1]), bounds);
    fails(&mut late, &lines, 0, &[], 0, busy(200));
    gives_up(&mut late, &lines);
}

/// A walk whose first try runs on this replica.
fn running(walk: &mut Walk, lines: &Up, replica: usize) -> u8 {
    let made = expect_try(walk, lines, 0, &[]);
    walk.sent(&made, replica)
}

#[test]
fn a_hedge_goes_to_another_replica_else_to_the_next_step_and_once() {
    let (lines, budget) = (up(&[2, 1]), HedgeBudget::new(1.0));
    let mut first = walk(&[1, 1]);
    running(&mut first, &lines, 1);
    let (made, ()) = first.hedge(&budget, NOW, |_| Some(())).expect("there is room");
    assert_eq!((made.stage, made.tried.as_slice()), (0, [1].as_slice()));
    first.sent(&made, 0);
    assert_eq!(first.hedge(&budget, NOW, |_| Some(())), None);
    let mut second = walk(&[1, 1]);
    running(&mut second, &lines, 1);
    let room_at_the_next = |made: &Try| (made.stage == 1).then_some(());
    let (made, ()) = second.hedge(&budget, NOW, room_at_the_next).expect("there is room");
    assert_eq!((made.stage, made.tried.len()), (1, 0));
}

#[test]
fn a_hedge_needs_budget_room_and_money_and_gives_back_what_it_does_not_use() {
    let (lines, budget) = (up(&[2]), HedgeBudget::new(0.05));
    let mut no_room = walk(&[1]);
    running(&mut no_room, &lines, 0);
    assert!((0..100).all(|_| no_room.hedge::<()>(&budget, NOW, |_| None).is_none()));
    let mut dear = Walk::new(&decision(&[60]), Bounds { max_cost: Some(NanoUsd(100)), deadline: None });
    running(&mut dear, &lines, 0);
    assert_eq!(dear.hedge(&budget, NOW, |_| Some(())), None);
    while budget.spend() {}
    let mut poor = walk(&[1]);
    running(&mut poor, &lines, 0);
    assert_eq!(poor.hedge(&budget, NOW, |_| Some(())), None);
}

#[test]
fn of_two_tries_exactly_one_answers_and_both_may_fail() {
    let (lines, budget) = (up(&[3]), HedgeBudget::new(1.0));
    let mut raced = walk(&[1]);
    let first = running(&mut raced, &lines, 0);
    let (made, ()) = raced.hedge(&budget, NOW, |_| Some(())).expect("there is room");
    let second = raced.sent(&made, 1);
    assert!(raced.answers(second));
    assert!(!raced.answers(first), "one answers, and stays the one");
    raced.lost(first, NanoUsd(5));
    assert_eq!(raced.committed(), Some(second));
    let mut both = walk(&[1]);
    let first = running(&mut both, &lines, 0);
    let (made, ()) = both.hedge(&budget, NOW, |_| Some(())).expect("there is room");
    let second = both.sent(&made, 1);
    both.failed(first, ILL, NOW);
    assert_eq!(both.next(&lines, &RetryBudget::new(), NOW), Next::Await, "the other may answer yet");
    both.failed(second, ILL, NOW);
    expect_try(&mut both, &lines, 0, &[0, 1]);
}

#[test]
fn a_hedge_comes_after_the_predicted_tail_or_that_of_what_was_seen() {
    let mut decision = decision(&[1, 1]);
    let seen = |ttft_ms| crate::fleet::PoolState { ttft_ms, ..Default::default() };
    let after = |decision: &Decision, ttft_ms| {
        let pools = [seen(ttft_ms), seen(ttft_ms)];
        hedge_after_ms(decision, &pools, &decision.steps[0], false).map(f64::round)
    };
    assert_eq!(after(&decision, 0.0), None);
    assert_eq!(after(&decision, 100.0), Some(300.0));
    decision.quotes[0].ttft_p95_ms = 170.0;
    assert_eq!(after(&decision, 100.0), Some(170.0));
    decision.quotes[0].pool = Some(1);
    assert_eq!(after(&decision, 100.0), Some(300.0));
}

/// Draws from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = mix(self.0.wrapping_add(0x9E37_79B9_7F4A_7C15));
        self.0 % bound
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn failure(&mut self) -> Failure {
        let help = match self.below(8) {
            0 => Help::Nothing,
            1 => Help::OtherPool,
            _ => Help::OtherReplica,
        };
        Failure {
            help,
            connection_lost: self.one_in(4),
            retry_after_ms: self.one_in(3).then(|| self.below(2_500)),
            cost: NanoUsd(self.below(40) as i64),
        }
    }
}

/// What a random walk came to, checked on the way.
#[derive(Default)]
struct Seen {
    sent: usize,
    commits: usize,
    hedges: usize,
    /// Worst cost of each try under way, by its number.
    open: Vec<(u8, Try, usize)>,
    spent: i64,
}

struct World<'a> {
    dice: Dice,
    worst: Vec<i64>,
    lines: Up,
    bounds: Bounds,
    retries: &'a RetryBudget,
    hedges: &'a HedgeBudget,
    now: Tick,
}

impl World<'_> {
    fn carry_out(&mut self) -> Seen {
        let mut walk = Walk::new(&decision(&self.worst), self.bounds);
        let mut seen = Seen::default();
        for _ in 0..1_000 {
            self.now = self.now.plus_ms(self.dice.below(50));
            match walk.next(&self.lines, self.retries, self.now) {
                Next::Try(made) => self.make(&mut walk, &mut seen, made),
                Next::Wait(until) => {
                    assert!(until <= self.now.plus_ms(1_000), "short");
                    assert!(self.bounds.deadline.is_none_or(|deadline| until < deadline));
                    self.now = self.now.max(until);
                }
                Next::Await => {
                    if self.something_happens(&mut walk, &mut seen) {
                        return seen;
                    }
                }
                Next::Fail { .. } => {
                    assert!(seen.open.is_empty(), "nothing is left under way");
                    return seen;
                }
            }
        }
        panic!("it does not end");
    }

    fn make(&mut self, walk: &mut Walk, seen: &mut Seen, made: Try) {
        assert_eq!(seen.commits, 0, "never after the first event");
        let free: Vec<usize> = (0..self.lines.0[made.stage].len())
            .filter(|at| self.lines.0[made.stage][*at] && !made.tried.contains(at))
            .collect();
        if free.is_empty() || self.dice.one_in(6) {
            return walk.turned_away(&made);
        }
        let replica = free[self.dice.below(free.len() as u64) as usize];
        self.begin(walk, seen, made, replica);
    }

    fn begin(&mut self, walk: &mut Walk, seen: &mut Seen, made: Try, replica: usize) {
        assert!(
            !seen.open.iter().any(|(_, other, at)| other.stage == made.stage && *at == replica),
            "twice at once"
        );
        let id = walk.sent(&made, replica);
        seen.sent += 1;
        assert!(seen.sent <= MAX_ATTEMPTS);
        seen.open.push((id, made, replica));
        let worst: i64 = seen.open.iter().map(|(_, made, _)| self.worst[made.stage]).sum();
        let keeps = self.bounds.max_cost.is_none_or(|bound| seen.spent + worst <= bound.0);
        assert!(keeps || seen.sent == 1, "the bound on the cost holds");
    }

    /// A try fails, is hedged, or begins to answer. Returns whether the request has ended.
    fn something_happens(&mut self, walk: &mut Walk, seen: &mut Seen) -> bool {
        if self.dice.one_in(3) {
            let dice = &mut self.dice;
            let lines = &self.lines;
            let free = |made: &Try| {
                let up = lines.0[made.stage].iter().enumerate();
                let mut free = up.filter(|(at, up)| **up && !made.tried.contains(at)).map(|(at, _)| at);
                free.next().filter(|_| !dice.one_in(4))
            };
            if let Some((made, replica)) = walk.hedge(self.hedges, self.now, free) {
                seen.hedges += 1;
                assert!(seen.hedges == 1 && seen.open.len() == 1);
                self.begin(walk, seen, made, replica);
            }
            return false;
        }
        let at = self.dice.below(seen.open.len() as u64) as usize;
        let (id, _, _) = seen.open[at];
        if self.dice.one_in(4) {
            assert!(walk.answers(id));
            seen.commits += 1;
            let losers: Vec<u8> = seen.open.iter().map(|open| open.0).filter(|other| *other != id).collect();
            for loser in losers {
                assert!(!walk.answers(loser), "exactly one");
                walk.lost(loser, NanoUsd(1));
                seen.open.retain(|open| open.0 != loser);
            }
            if self.dice.one_in(2) {
                return true;
            }
        }
        let failure = self.dice.failure();
        seen.spent += failure.cost.0;
        seen.open.retain(|open| open.0 != id);
        walk.failed(id, failure, self.now);
        false
    }
}

#[test]
fn whatever_happens_a_walk_ends_within_its_bounds() {
    for seed in 0..300 {
        let (retries, hedges) = (RetryBudget::new(), HedgeBudget::new(0.05));
        let mut dice = Dice(seed);
        let (mut sent, mut hedged, requests) = (0, 0, 400);
        for n in 0..requests {
            retries.earn();
            hedges.earn();
            let steps = 1 + dice.below(4) as usize;
            let replicas: Vec<Vec<bool>> =
                (0..steps).map(|_| (0..1 + dice.below(4)).map(|_| !dice.one_in(4)).collect()).collect();
            let bounds = Bounds {
                max_cost: dice.one_in(2).then(|| NanoUsd(60 + dice.below(100) as i64)),
                deadline: dice.one_in(3).then(|| NOW.plus_ms(dice.below(3_000))),
            };
            let worst = (0..steps).map(|_| 1 + dice.below(60) as i64).collect();
            let dice = Dice(mix(seed * 1_000 + n));
            let mut world = World {
                dice,
                worst,
                lines: Up(replicas),
                bounds,
                retries: &retries,
                hedges: &hedges,
                now: NOW,
            };
            let seen = world.carry_out();
            assert!(seen.commits <= 1);
            sent += seen.sent;
            hedged += seen.hedges;
        }
        let requests = requests as usize;
        assert!(hedged <= requests / 20 + 10, "seed {seed}: {hedged} hedges");
        assert!(sent - hedged <= requests + requests / 10 + 100, "seed {seed}: {sent} tries");
    }
}
