//! What no sequence of events may break, whichever balancer chooses and however limits are found.

use super::*;
use crate::balance::BALANCERS;
use crate::health::HOPELESS_AFTER;
use crate::mix::mix;
use std::collections::{BTreeMap, BTreeSet};

const ANSWERED: Verdict = Verdict::Answered { ttft_ms: 50.0, tpot_ms: Some(5.0), service_ms: 500.0 };
const FAILED: Verdict = Verdict::Ill { unreachable: false };
const MAX_CONCURRENCY: u32 = 3;
const MAX_QUEUE: usize = 12;
const MAX_BYTES: u64 = 4_000;

struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = mix(self.0);
        (self.0 >> 16) % bound
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// A line, and what its keeper knows of everybody by itself.
struct Keeper {
    line: Line<u64>,
    now: Tick,
    draws: Draws,
    came: u64,
    /// Who waits, with its ticket and the replicas that have failed it.
    waiting: BTreeMap<u64, (u64, Vec<usize>)>,
    /// Who has a seat; nobody where it is a probe's.
    seats: Vec<(Seat, Option<u64>)>,
    /// Who was refused, told, has left, or was sent and has ended.
    ended: BTreeSet<u64>,
    numbers: BTreeSet<u64>,
}

impl Keeper {
    fn new(seed: u64, limit: LimitRule, balancer: Balancer) -> Keeper {
        let line = Line::new(LineRules {
            replicas: 3,
            max_concurrency: MAX_CONCURRENCY,
            limit,
            max_queue: MAX_QUEUE,
            max_queue_bytes: MAX_BYTES,
            balancer,
            prefix_tokens: 10_000,
            declared: None,
        });
        let (waiting, ended, numbers) = Default::default();
        let draws = Draws(mix(seed));
        Keeper { line, now: Tick(1_000), draws, came: 0, waiting, seats: vec![], ended, numbers }
    }

    fn ends(&mut self, who: u64) {
        assert!(self.ended.insert(who), "{who} ends twice");
    }

    fn takes(&mut self, seat: Seat, who: Option<u64>) {
        assert!(self.numbers.insert(seat.number), "a seat is given twice: {seat:?}");
        assert!(self.line.replicas[seat.replica].is_member(), "work for one that has left: {seat:?}");
        self.seats.push((seat, who));
    }

    fn comes(&mut self, entrant: Entrant) {
        let (who, tried) = (self.came, entrant.tried.clone());
        self.came += 1;
        match self.line.enter(entrant, self.now, || who) {
            Entered::Go(seat) => self.takes(seat, Some(who)),
            Entered::Wait(ticket) => assert!(self.waiting.insert(who, (ticket, tried)).is_none()),
            Entered::Full | Entered::Late { .. } | Entered::AllDown | Entered::Cooling(_) => self.ends(who),
        }
    }

    fn leaves(&mut self) {
        let at = self.draws.below(self.waiting.len().max(1) as u64) as usize;
        let Some((who, ticket)) = self.waiting.iter().nth(at).map(|(who, (ticket, _))| (*who, *ticket))
        else {
            return;
        };
        assert_eq!(self.line.leave(ticket), Some(who));
        self.waiting.remove(&who);
        self.ends(who);
    }

    fn ends_one(&mut self, verdict: Verdict) {
        if self.seats.is_empty() {
            return;
        }
        let at = self.draws.below(self.seats.len() as u64) as usize;
        let (seat, who) = self.seats.swap_remove(at);
        if verdict == ANSWERED {
            self.line.on_answering(seat, self.now);
            self.line.on_output(seat, self.draws.below(100) as u32);
        }
        self.line.end(seat, verdict, self.now);
        who.into_iter().for_each(|who| self.ends(who));
    }

    /// What a keeper does whenever something has changed, and each second.
    fn turns(&mut self) {
        while let Some(turn) = self.line.next_turn(self.now) {
            let (who, seat) = match turn {
                Turn::Go(who, seat) => (who, Some(seat)),
                Turn::AllDown(who) | Turn::Late(who) | Turn::Displaced(who) => (who, None),
            };
            assert!(self.waiting.remove(&who).is_some(), "{who} didn't wait");
            match seat {
                Some(seat) => self.takes(seat, Some(who)),
                None => self.ends(who),
            }
        }
    }

    fn probes(&mut self) {
        for seat in self.line.due(self.now) {
            self.takes(seat, None);
        }
    }

    fn check(&self) {
        let counts = self.line.counts(self.now);
        assert_eq!((counts.queued, counts.in_flight), (self.waiting.len(), self.seats.len()));
        assert!(self.waiting.len() <= MAX_QUEUE);
        for (who, (_, tried)) in &self.waiting {
            assert!(self.line.has_another(tried, self.now), "{who} waits for nothing");
        }
        let known = self.waiting.len() + self.ended.len();
        let served = self.seats.iter().filter(|(_, who)| who.is_some()).count();
        assert_eq!(known + served, self.came as usize, "nobody is lost");
        // An adaptive limit grows to eight times what it began with. Probes come on top.
        let most = MAX_CONCURRENCY as usize * if self.line.rules.limit == LimitRule::Fixed { 1 } else { 8 };
        for at in 0..self.line.replicas.len() {
            let here = |(seat, who): &&(Seat, Option<u64>)| seat.replica == at && who.is_some();
            assert!(self.seats.iter().filter(here).count() <= most, "replica {at} has more than its limit");
        }
    }

    /// From now on everything works: whoever waits must come to an end.
    fn calm(&mut self) {
        if !self.line.replicas.iter().any(Replica::is_member) {
            self.line.add_replica(self.now);
        }
        // The longest pause and the longest ejection are over by then, and each second frees what is in use.
        for _ in 0..180 {
            self.now = self.now.plus_ms(1_000);
            self.probes();
            for _ in 0..self.seats.len() {
                self.ends_one(ANSWERED);
            }
            self.turns();
            self.check();
        }
        let counts = self.line.counts(self.now);
        assert_eq!((counts.queued, counts.in_flight), (0, 0), "{:?} wait on", self.waiting);
        assert_eq!(self.ended.len() as u64, self.came);
        assert!(counts.up > 0 && counts.ejected == 0, "all are back: {counts:?}");
    }
}

fn entrant(draws: &mut Draws, now: Tick) -> Entrant {
    Entrant {
        seed: draws.below(u64::MAX >> 17),
        tried: if draws.one_in(4) { vec![draws.below(3) as usize] } else { vec![] },
        tenant: draws.below(4),
        weight: draws.below(3) as u32,
        priority: draws.below(2) as u8,
        deadline: draws.one_in(2).then(|| now.plus_ms(draws.below(4_000))),
        bytes: draws.below(900),
        work: Work {
            prompt_tokens: draws.below(500) as u32,
            output_tokens: draws.below(100) as f64,
            ..Work::default()
        },
        ..Entrant::default()
    }
}

fn verdict(draws: &mut Draws) -> Verdict {
    match draws.below(8) {
        0 => FAILED,
        1 => Verdict::Ill { unreachable: true },
        2 => Verdict::Neutral,
        3 => Verdict::Busy { retry_after_ms: draws.below(90_000), is_quota: draws.one_in(6) },
        _ => ANSWERED,
    }
}

/// Requests come and leave, answers end in every way, replicas join and retire: nobody is lost, nobody goes twice, the
/// bounds hold, and when all is calm again everybody's turn has come.
#[test]
fn nobody_is_lost_or_sent_twice_and_in_the_end_everybodys_turn_comes() {
    for (case, row) in (0..30).flat_map(|case| BALANCERS.iter().map(move |row| (case, row))) {
        let limit = if case % 2 == 0 { LimitRule::Fixed } else { LimitRule::Adaptive };
        let mut keeper = Keeper::new(case, limit, row.pick);
        for _ in 0..600 {
            keeper.now = keeper.now.plus_ms(keeper.draws.below(150));
            match keeper.draws.below(16) {
                0..=6 => {
                    let entrant = entrant(&mut keeper.draws, keeper.now);
                    keeper.comes(entrant);
                }
                7 => keeper.leaves(),
                8 => keeper.probes(),
                9 if keeper.draws.one_in(6) => drop(keeper.line.add_replica(keeper.now)),
                10 if keeper.draws.one_in(3) => {
                    let mut members =
                        (0..keeper.line.replicas.len()).filter(|&at| keeper.line.replicas[at].is_member());
                    members.next_back().into_iter().for_each(|at| keeper.line.retire_replica(at));
                }
                _ => {
                    let verdict = verdict(&mut keeper.draws);
                    keeper.ends_one(verdict);
                }
            }
            keeper.turns();
            keeper.check();
        }
        keeper.calm();
    }
}

/// However often each replica fails: while one of them has answered within its last failures, work goes on. A pool that
/// takes nothing is one where nobody has answered for long.
#[test]
fn panic_leaves_a_replica_for_work_unless_all_are_hopeless() {
    let (mut out_of_work, mut overlooked) = (0, 0);
    for case in 0..200 {
        let mut keeper = Keeper::new(case, LimitRule::Fixed, BALANCERS[case as usize % BALANCERS.len()].pick);
        let fails_of_ten: Vec<u64> = (0..3).map(|_| keeper.draws.below(11)).collect();
        let mut failures = [0u32; 3];
        for n in 0..1_000 {
            keeper.now = keeper.now.plus_ms(keeper.draws.below(100));
            if n % 20 == 0 {
                for seat in keeper.line.due(keeper.now) {
                    keeper.line.end(seat, Verdict::Neutral, keeper.now);
                }
            }
            if let Entered::Go(seat) =
                keeper.line.enter(Entrant { seed: n, ..Entrant::default() }, keeper.now, || n)
            {
                let fails = keeper.draws.below(10) < fails_of_ten[seat.replica];
                failures[seat.replica] = if fails { failures[seat.replica] + 1 } else { 0 };
                keeper.line.end(seat, if fails { FAILED } else { ANSWERED }, keeper.now);
            }
            let counts = keeper.line.counts(keeper.now);
            let up = keeper.line.replicas.iter().filter(|replica| replica.health.is_up()).count();
            overlooked += usize::from(counts.up > up);
            if counts.up == 0 {
                out_of_work += 1;
                assert!(
                    failures.iter().all(|failures| *failures >= HOPELESS_AFTER),
                    "case {case}: nothing takes work though they answer: {failures:?}"
                );
            }
        }
    }
    assert!(out_of_work > 0 && overlooked > 0, "both must have been met: {out_of_work}, {overlooked}");
}

/// Tenants that flood the line, served unequally until now: one that comes anew goes after at most one request of each.
#[test]
fn who_comes_anew_goes_after_at_most_one_request_of_every_other_tenant() {
    for case in 0..100u64 {
        let mut draws = Draws(mix(case));
        let tenants = 1 + draws.below(6);
        let balancer = BALANCERS[case as usize % BALANCERS.len()].pick;
        let (limit, max_queue) = (LimitRule::Fixed, 10_000);
        let mut line: Line<u64> = Line::new(LineRules {
            replicas: 1 + draws.below(3) as usize,
            max_concurrency: 1 + draws.below(3) as u32,
            limit,
            max_queue,
            max_queue_bytes: u64::MAX,
            balancer,
            prefix_tokens: 10_000,
            declared: None,
        });
        let work = Work { prompt_tokens: 10, output_tokens: 10.0, ..Work::default() };
        let of = |tenant: u64, seed: u64| Entrant { tenant, seed, work, ..Entrant::default() };
        let now = Tick(1_000);
        let mut seats: Vec<Seat> = Vec::new();
        for n in 0..100 {
            for tenant in 0..tenants {
                if let Entered::Go(seat) = line.enter(of(tenant, n), now, || tenant) {
                    seats.push(seat);
                }
            }
        }
        let newcomer = tenants;
        let comes_at = draws.below(40);
        for n in 0..comes_at + tenants + 1 {
            if n == comes_at {
                assert!(matches!(line.enter(of(newcomer, n), now, || newcomer), Entered::Wait(_)));
            }
            let seat = seats.swap_remove(draws.below(seats.len() as u64) as usize);
            line.on_output(seat, 10);
            line.end(seat, ANSWERED, now);
            let Some(Turn::Go(who, seat)) = line.next_turn(now) else { panic!("case {case}: many wait") };
            if who == newcomer {
                break;
            }
            seats.push(seat);
            assert!(n < comes_at + tenants, "case {case}: {} went before it", n - comes_at + 1);
        }
    }
}
