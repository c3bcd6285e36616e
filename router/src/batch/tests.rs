//! The batcher's promises, by example and over random histories: nothing lost, nothing twice, nobody starves, bounds hold.

use super::*;
use crate::mix::mix;
use std::collections::BTreeSet;

const RULES: BatchRules = BatchRules { max_batch: 4, max_cost: None, hold_us: 0 };

fn until_ms(deadline_ms: u64) -> Item {
    Item { deadline: Some(Tick::default().plus_ms(deadline_ms)), ..Item::default() }
}

fn at_ms(ms: u64) -> Tick {
    Tick::default().plus_ms(ms)
}

/// An engine that takes `10 + b` ms, with its batcher, which knows that.
struct Engine {
    batcher: Batcher<&'static str>,
}

impl Engine {
    fn new(rules: BatchRules) -> Engine {
        let mut batcher = Batcher::new(rules);
        for rows in [1, 2, 3, 4].into_iter().cycle().take(400) {
            batcher.curve.add(rows, 10.0 + rows as f64);
        }
        Engine { batcher }
    }

    fn join(&mut self, item: Item, now: Tick, who: &'static str) -> Joined {
        self.batcher.join(item, now, || who)
    }

    /// Whoever has to be told something now: a batch by its names, or one who is late.
    fn calls(&mut self, now: Tick) -> (Option<u64>, Vec<&'static str>, Vec<&'static str>) {
        let (mut number, mut gone, mut late) = (None, Vec::new(), Vec::new());
        while let Some(called) = self.batcher.call(now) {
            match called {
                Called::Go(batch) => {
                    number = Some(batch.number);
                    gone.extend(batch.rows.into_iter().map(|row| row.who));
                }
                Called::Late(who) => late.push(who),
            }
        }
        (number, gone, late)
    }
}

#[test]
fn an_idle_engine_never_waits_and_the_next_batch_gathers_while_it_works() {
    let mut engine = Engine::new(RULES);
    engine.join(Item::default(), at_ms(0), "a");
    let (number, gone, _) = engine.calls(at_ms(0));
    assert_eq!(gone, ["a"]);
    for who in ["b", "c"] {
        engine.join(Item::default(), at_ms(3), who);
        assert!(engine.batcher.call(at_ms(3)).is_none());
    }
    engine.batcher.end(number.unwrap(), Ended::Done, at_ms(11));
    assert_eq!(engine.calls(at_ms(11)).1, ["b", "c"]);
}

#[test]
fn priority_comes_first_then_the_deadline_and_only_one_kind_shares_a_batch() {
    let mut engine = Engine::new(RULES);
    let other = Item { kind: 7, ..until_ms(500) };
    engine.join(until_ms(900), at_ms(0), "lax");
    engine.join(until_ms(400), at_ms(0), "tight");
    engine.join(other, at_ms(0), "other");
    engine.join(Item { priority: 3, ..Item::default() }, at_ms(0), "important");
    let (first, gone, _) = engine.calls(at_ms(0));
    assert_eq!(gone, ["important", "tight", "lax"]);
    engine.batcher.end(first.unwrap(), Ended::Done, at_ms(13));
    assert_eq!(engine.calls(at_ms(13)).1, ["other"]);
}

#[test]
fn whoever_can_not_make_its_deadline_is_refused_at_once() {
    let mut engine = Engine::new(RULES);
    assert!(matches!(engine.join(until_ms(5), at_ms(0), "hopeless"), Joined::Late(6..=7)));
    for who in ["a", "b", "c", "d"] {
        engine.join(until_ms(1_000), at_ms(0), who);
    }
    assert_eq!(engine.calls(at_ms(0)).1, ["a", "b", "c", "d"]);
    // 14 ms are under way, and its own batch takes at least 11 more.
    assert!(matches!(engine.join(until_ms(20), at_ms(2), "late"), Joined::Late(_)));
    assert!(matches!(engine.join(until_ms(40), at_ms(2), "in time"), Joined::Waits(_)));
}

#[test]
fn whoever_becomes_late_while_it_waits_is_told_and_does_not_go() {
    let mut engine = Engine::new(RULES);
    engine.join(Item::default(), at_ms(0), "slow");
    let (number, ..) = engine.calls(at_ms(0));
    engine.join(until_ms(60), at_ms(1), "waits");
    assert!(engine.calls(at_ms(20)).2.is_empty());
    assert_eq!(engine.calls(at_ms(50)).2, ["waits"], "it would need 11 ms");
    engine.batcher.end(number.unwrap(), Ended::Done, at_ms(55));
    assert_eq!(engine.calls(at_ms(55)).1.len(), 0);
}

#[test]
fn a_batch_is_made_smaller_only_where_that_makes_nobody_late() {
    let gather = |others_ms: u64| {
        let mut engine = Engine::new(BatchRules { hold_us: 2_000, ..RULES });
        // From 2 ms on it is answered at 13 alone, at 14 beside one other.
        engine.join(Item { deadline: Some(Tick(13_500)), ..Item::default() }, at_ms(0), "tight");
        engine.join(until_ms(others_ms), at_ms(0), "b");
        engine.join(until_ms(others_ms), at_ms(0), "c");
        engine.calls(at_ms(2))
    };
    let (_, gone, late) = gather(60);
    assert_eq!((gone, late), (vec!["tight"], vec![]), "the others make theirs in the next one");
    let (_, gone, late) = gather(20);
    assert_eq!((gone, late), (vec!["b", "c"], vec!["tight"]), "one is late rather than two");
}

#[test]
fn lower_priorities_make_nobody_late() {
    let mut engine = Engine::new(BatchRules { hold_us: 2_000, ..RULES });
    engine.join(Item { priority: 1, deadline: Some(Tick(13_500)), ..Item::default() }, at_ms(0), "important");
    engine.join(until_ms(17), at_ms(0), "b");
    engine.join(until_ms(17), at_ms(0), "c");
    let (number, gone, _) = engine.calls(at_ms(2));
    assert_eq!(gone, ["important"]);
    engine.batcher.end(number.unwrap(), Ended::Done, at_ms(14));
}

#[test]
fn rows_cost_no_more_together_than_the_rules_allow_and_one_alone_goes_whatever_it_costs() {
    let mut engine = Engine::new(BatchRules { max_cost: Some(100), ..RULES });
    let of = |cost: u64| Item { cost, ..Item::default() };
    for (who, cost) in [("a", 500), ("b", 60), ("c", 40), ("d", 1)] {
        engine.join(of(cost), at_ms(0), who);
    }
    for want in [vec!["a"], vec!["b", "c"], vec!["d"]] {
        let (number, gone, _) = engine.calls(at_ms(0));
        assert_eq!(gone, want);
        engine.batcher.end(number.unwrap(), Ended::Undone, at_ms(0));
    }
}

#[test]
fn one_who_leaves_before_its_batch_goes_has_no_row() {
    let mut engine = Engine::new(RULES);
    let Joined::Waits(ticket) = engine.join(Item::default(), at_ms(0), "leaves") else { panic!("it waits") };
    engine.join(Item::default(), at_ms(0), "stays");
    assert_eq!(engine.batcher.leave(ticket), Some("leaves"));
    assert_eq!(engine.calls(at_ms(0)).1, ["stays"]);
    assert_eq!(engine.batcher.leave(ticket), None);
}

/// A batch of these, of which `bad` spoils every call that it is part of. Returns who was served, who failed, and how
/// many calls that took.
fn bisect(count: u32, bad: &[u32], blame: Blame, budget: usize) -> (Vec<u32>, Vec<u32>, usize) {
    let mut batcher = Batcher::new(BatchRules { max_batch: 64, ..RULES });
    for who in 0..count {
        batcher.join(Item::default(), at_ms(0), || who);
    }
    let (mut served, mut failed, mut calls, mut left) = (Vec::new(), Vec::new(), 0, budget);
    while let Some(Called::Go(batch)) = batcher.call(at_ms(0)) {
        calls += 1;
        batcher.end(batch.number, Ended::Undone, at_ms(0));
        if !batch.rows.iter().any(|row| bad.contains(&row.who)) {
            served.extend(batch.rows.into_iter().map(|row| row.who));
            continue;
        }
        let spend = || {
            left = left.saturating_sub(1);
            left > 0
        };
        match halves(batch.rows, blame, spend) {
            Ok(parts) => batcher.again(parts.into_iter()),
            Err(rows) => failed.extend(rows.into_iter().map(|row| row.who)),
        }
    }
    served.sort_unstable();
    failed.sort_unstable();
    (served, failed, calls)
}

#[test]
fn the_row_that_spoils_a_batch_fails_alone_and_the_others_are_served_once() {
    for count in 1..=33 {
        for bad in 0..count {
            let (served, failed, calls) = bisect(count, &[bad], Blame::Request, 0);
            assert_eq!(failed, [bad]);
            assert_eq!(served, (0..count).filter(|who| *who != bad).collect::<Vec<_>>());
            assert!(
                calls <= 1 + 2 * (32 - (count - 1).leading_zeros()) as usize,
                "{calls} calls for {count}"
            );
        }
    }
    let (served, failed, _) = bisect(16, &[3, 4, 15], Blame::Request, 0);
    assert_eq!((served.len(), failed), (13, vec![3, 4, 15]));
}

#[test]
fn an_engine_that_fails_is_asked_again_only_while_the_budget_lasts() {
    let all: Vec<u32> = (0..16).collect();
    assert_eq!(bisect(16, &all, Blame::Engine, 0), (vec![], all.clone(), 1));
    let (_, failed, calls) = bisect(16, &all, Blame::Engine, 20);
    assert!(failed == all && calls <= 3, "{calls}");
    assert_eq!(bisect(16, &[5], Blame::Engine, 1_000).1, [5]);
    assert_eq!(bisect(16, &[5], Blame::Circumstances, 1_000), (vec![], all, 1));
}

#[test]
fn a_stream_of_deadlines_does_not_starve_one_who_has_none() {
    let mut engine = Engine::new(RULES);
    let (mut now, mut went) = (0, None);
    engine.join(Item::default(), at_ms(0), "patient");
    // Four come for each batch of four: there is always one with a deadline, most of them refused or served.
    engine.join(Item { priority: 0, ..until_ms(1) }, at_ms(0), "x");
    while went.is_none() && now < 60_000 {
        for _ in 0..6 {
            engine.join(until_ms(now + 100), at_ms(now), "hasty");
        }
        let (number, gone, _) = engine.calls(at_ms(now));
        went = gone.contains(&"patient").then_some(now);
        now += 14;
        if let Some(number) = number {
            engine.batcher.end(number, Ended::Done, at_ms(now));
        }
    }
    assert!(went.is_some_and(|at| at <= 10_100), "{went:?}");
}

/// A random history: requests come, leave, are called and end, batches fail and are halved.
struct History {
    batcher: Batcher<u64>,
    seed: u64,
    draws: u64,
    now: u64,
    waiting: BTreeSet<(u64, u64)>,
    working: Option<Batch<u64>>,
    joined: u64,
    over: BTreeSet<u64>,
}

impl History {
    fn new(seed: u64) -> History {
        let rules = BatchRules { max_batch: 1 + seed as usize % 7, max_cost: Some(40), hold_us: 0 };
        History {
            batcher: Batcher::new(rules),
            seed,
            draws: 0,
            now: 0,
            waiting: BTreeSet::new(),
            working: None,
            joined: 0,
            over: BTreeSet::new(),
        }
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.draws += 1;
        mix(self.seed ^ mix(self.draws)) % limit
    }

    /// It has been answered or refused, or has left: once.
    fn is_over(&mut self, who: u64) {
        assert!(self.over.insert(who), "seed {}: {who} twice", self.seed);
    }

    fn step(&mut self) {
        self.now += self.below(3_000);
        match self.below(10) {
            0..6 => self.comes(),
            6 => self.leaves(),
            _ => self.ends(),
        }
        self.calls();
    }

    fn comes(&mut self) {
        let who = self.joined;
        self.joined += 1;
        let deadline = (self.below(3) > 0).then(|| Tick(self.now + 1_000 + self.below(40_000)));
        let item =
            Item { deadline, priority: self.below(2) as u8, kind: self.below(2), cost: 1 + self.below(30) };
        match self.batcher.join(item, Tick(self.now), || who) {
            Joined::Waits(ticket) => {
                self.waiting.insert((ticket, who));
            }
            Joined::Late(_) => self.is_over(who),
        }
    }

    fn leaves(&mut self) {
        let count = self.waiting.len() as u64;
        if count > 0 {
            let at = self.below(count) as usize;
            let (ticket, who) = *self.waiting.iter().nth(at).unwrap();
            let is_sent =
                self.working.as_ref().is_some_and(|batch| batch.rows.iter().any(|row| row.who == who));
            let left = self.batcher.leave(ticket);
            assert_eq!(left, (!is_sent).then_some(who), "seed {}", self.seed);
            if left.is_some() {
                self.waiting.remove(&(ticket, who));
                self.is_over(who);
            }
        }
    }

    fn ends(&mut self) {
        let Some(batch) = self.working.take() else { return };
        let fails = self.below(4) == 0;
        let ended = if fails { Ended::Undone } else { Ended::Done };
        self.batcher.end(batch.number, ended, Tick(self.now));
        let blame = if fails { Blame::Request } else { Blame::Circumstances };
        match halves(batch.rows, blame, || false) {
            Ok(parts) => self.batcher.again(parts.into_iter()),
            Err(rows) => {
                for row in rows {
                    assert!(self.waiting.remove(&(row.ticket, row.who)));
                    self.is_over(row.who);
                }
            }
        }
    }

    fn calls(&mut self) {
        while let Some(called) = self.batcher.call(Tick(self.now)) {
            match called {
                Called::Go(batch) => self.goes(batch),
                Called::Late(who) => {
                    self.waiting.retain(|(_, waiting)| *waiting != who);
                    self.is_over(who);
                }
            }
        }
        let is_idle = self.working.is_none();
        assert!(!is_idle || self.batcher.waiting() == 0, "seed {}: idle while some wait", self.seed);
    }

    fn goes(&mut self, batch: Batch<u64>) {
        assert!(self.working.is_none(), "seed {}: two batches at once", self.seed);
        let rows = batch.rows.len();
        assert!((1..=1 + self.seed as usize % 7).contains(&rows), "seed {}: {rows} rows", self.seed);
        let cost: u64 = batch.rows.iter().map(|row| row.item.cost).sum();
        assert!(cost <= 40 || rows == 1, "seed {}: cost {cost}", self.seed);
        assert!(batch.rows.iter().all(|row| row.item.kind == batch.rows[0].item.kind));
        let names: BTreeSet<u64> = batch.rows.iter().map(|row| row.who).collect();
        assert_eq!(names.len(), rows);
        for row in &batch.rows {
            assert!(!self.over.contains(&row.who), "seed {}: {} goes after its end", self.seed, row.who);
            assert!(self.waiting.contains(&(row.ticket, row.who)), "seed {}: a stranger", self.seed);
        }
        self.working = Some(batch);
    }
}

#[test]
fn over_random_histories_nothing_is_lost_and_nothing_goes_twice() {
    for seed in 0..400 {
        let mut history = History::new(seed);
        for _ in 0..300 {
            history.step();
            assert!(history.batcher.waiting() <= history.waiting.len());
        }
        // Left alone, everything comes to its end.
        for _ in 0..2_000 {
            history.now += 5_000;
            history.ends();
            history.calls();
        }
        assert_eq!((history.batcher.waiting(), history.working.is_none()), (0, true), "seed {seed}");
        assert_eq!(history.over.len() as u64, history.joined, "seed {seed}: some are lost");
    }
}
