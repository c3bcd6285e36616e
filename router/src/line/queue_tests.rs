//! The waiting room's promises: its order, its bounds, whose place is whose, and that nothing is lost or done twice.

use super::*;
use crate::line::entrant::Work;
use crate::mix::mix;

const ROOM: Room = Room { places: 8, bytes: 8_000 };

fn of(tenant: u64) -> Entrant {
    let work = Work { prompt_tokens: 100, output_tokens: 50.0, ..Work::default() };
    Entrant { tenant, weight: 1, bytes: 100, work, ..Entrant::default() }
}

fn until(tenant: u64, deadline: u64) -> Entrant {
    Entrant { deadline: Some(Tick(deadline)), ..of(tenant) }
}

fn first<W>(queue: &Queue<W>) -> Option<u64> {
    queue.in_order().next().map(|(ticket, _)| ticket)
}

/// A room where each waits under a name.
struct Named {
    queue: Queue<&'static str>,
    seats: u64,
}

impl Named {
    fn new(room: Room) -> Named {
        Named { queue: Queue::new(room), seats: 0 }
    }

    fn waits(&mut self, entrant: Entrant, who: &'static str) -> u64 {
        self.queue.enter(entrant, None, || who).expect("there is a place")
    }

    /// The first in order goes.
    fn goes(&mut self) -> Option<&'static str> {
        let ticket = first(&self.queue)?;
        let entrant = self.queue.lend(ticket)?;
        self.seats += 1;
        self.queue.go(ticket, self.seats, entrant)
    }

    fn all_go(&mut self) -> Vec<&'static str> {
        std::iter::from_fn(|| self.goes()).collect()
    }
}

#[test]
fn priority_comes_first_then_the_deadline_then_who_came_first() {
    let mut room = Named::new(ROOM);
    room.waits(of(1), "no deadline");
    room.waits(until(1, 900), "late");
    room.waits(until(1, 500), "early");
    room.waits(until(1, 500), "as early but later");
    room.waits(Entrant { priority: 3, ..of(1) }, "important");
    assert_eq!(room.all_go(), ["important", "early", "as early but later", "late", "no deadline"]);
}

#[test]
fn tenants_take_turns_by_what_they_have_had() {
    let mut room = Named::new(ROOM);
    room.waits(of(1), "a1");
    room.waits(of(1), "a2");
    room.waits(of(1), "a3");
    room.waits(of(2), "b1");
    room.waits(of(2), "b2");
    assert_eq!(room.all_go(), ["a1", "b1", "a2", "b2", "a3"]);
}

#[test]
fn a_tenant_of_twice_the_weight_goes_twice_as_often() {
    let mut room = Named::new(Room { places: 100, bytes: 1 << 20 });
    for _ in 0..20 {
        room.waits(Entrant { weight: 2, ..of(1) }, "heavy");
        room.waits(of(2), "light");
    }
    let first: Vec<_> = (0..15).filter_map(|_| room.goes()).collect();
    assert_eq!(first.iter().filter(|who| **who == "heavy").count(), 10);
}

#[test]
fn who_was_idle_has_saved_nothing_up() {
    let mut room = Named::new(Room { places: 100, bytes: 1 << 20 });
    room.waits(of(2), "b");
    assert_eq!(room.goes(), Some("b"));
    for _ in 0..30 {
        room.waits(of(1), "a");
    }
    for _ in 0..20 {
        assert_eq!(room.goes(), Some("a"));
    }
    for _ in 0..10 {
        room.waits(of(2), "b");
    }
    let next: Vec<_> = (0..10).filter_map(|_| room.goes()).collect();
    assert_eq!(next.iter().filter(|who| **who == "b").count(), 5, "it has its share from now on: {next:?}");
}

#[test]
fn an_answer_longer_than_expected_is_charged_to_its_tenant() {
    let mut room = Named::new(ROOM);
    for who in ["a1", "a2"] {
        room.waits(of(1), who);
    }
    for who in ["b1", "b2", "b3"] {
        room.waits(of(2), who);
    }
    assert_eq!(room.goes(), Some("a1"));
    room.queue.settle(1, 150); // 100 more than expected, each counts twice: as much as one more request
    room.queue.release(1);
    assert_eq!(room.all_go(), ["b1", "b2", "a2", "b3"]);
}

#[test]
fn a_flood_can_not_keep_others_out_of_a_full_room() {
    let mut room = Named::new(ROOM);
    for _ in 0..8 {
        room.waits(of(1), "flood");
    }
    assert_eq!(room.queue.enter(of(1), None, || "more"), None, "not for its own");
    room.waits(of(2), "b");
    assert_eq!(room.queue.displaced(), Some("flood"));
    for _ in 0..3 {
        room.waits(of(2), "b");
    }
    assert_eq!(room.queue.enter(of(2), None, || "more"), None, "each has half");
    room.waits(Entrant { weight: 3, ..of(3) }, "heavy");
    assert_eq!(room.queue.len(), 8);
}

#[test]
fn the_last_one_of_whoever_holds_the_most_gives_way() {
    let mut room = Named::new(Room { places: 3, bytes: 8_000 });
    room.waits(until(1, 300), "second");
    room.waits(until(1, 900), "last");
    room.waits(until(1, 100), "first");
    room.waits(of(2), "newcomer");
    assert_eq!((room.queue.displaced(), room.queue.displaced()), (Some("last"), None));
}

#[test]
fn in_a_full_room_the_higher_priority_stays() {
    let mut room = Named::new(Room { places: 2, bytes: 8_000 });
    room.waits(of(1), "low");
    room.waits(Entrant { priority: 1, ..of(1) }, "high");
    room.waits(Entrant { priority: 1, ..of(1) }, "high too");
    assert_eq!(room.queue.displaced(), Some("low"));
    assert_eq!(room.queue.enter(of(2), None, || "low"), None, "not even of another tenant");
}

#[test]
fn bytes_are_bounded_as_places_are_and_nobody_goes_for_one_that_is_too_large_even_so() {
    let mut room = Named::new(ROOM);
    for _ in 0..3 {
        room.waits(Entrant { bytes: 2_500, ..of(1) }, "large");
    }
    assert_eq!(room.queue.enter(Entrant { bytes: 7_000, ..of(2) }, None, || "huge"), None);
    assert_eq!((room.queue.len(), room.queue.displaced()), (3, None));
    room.waits(Entrant { bytes: 2_500, ..of(2) }, "large");
    assert_eq!(room.queue.displaced(), Some("large"));
    assert_eq!(room.queue.enter(Entrant { bytes: 9_000, ..of(3) }, None, || "never"), None);
}

#[test]
fn one_that_was_displaced_may_still_leave_by_itself() {
    let mut room = Named::new(Room { places: 1, bytes: 8_000 });
    let ticket = room.waits(of(1), "low");
    room.waits(Entrant { priority: 1, ..of(2) }, "high");
    assert_eq!((room.queue.leave(ticket), room.queue.leave(ticket)), (Some("low"), None));
    assert_eq!(room.queue.displaced(), None);
}

#[test]
fn what_is_ahead_is_what_the_order_says() {
    let mut room = Named::new(Room { places: 100, bytes: 1 << 20 });
    for _ in 0..40 {
        room.waits(of(1), "flood");
    }
    assert_eq!(room.queue.ahead(&of(1)), 40);
    assert_eq!(room.queue.ahead(&of(2)), 1, "one turn of the other's at most");
    room.waits(of(2), "b");
    assert_eq!(room.queue.ahead(&of(2)), 3);
    assert_eq!(room.queue.ahead(&until(2, 5)), 1, "its deadline is before that of the other");
    assert_eq!(room.queue.ahead(&Entrant { priority: 1, ..of(2) }), 0);
    room.waits(Entrant { priority: 1, ..of(3) }, "high");
    assert_eq!(room.queue.ahead(&of(1)), 1 + 40 + 1);
}

/// Draws for one seeded run.
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = mix(self.0);
        (self.0 >> 16) % bound
    }
}

/// What the tests know of the room by themselves.
#[derive(Default)]
struct Ledger {
    waiting: BTreeMap<u64, (Entrant, u64)>,
    ended: BTreeSet<u64>,
}

impl Ledger {
    fn ends(&mut self, who: u64) -> Entrant {
        assert!(self.ended.insert(who), "{who} ended twice");
        let ticket = self.waiting.iter().find(|(_, (_, other))| *other == who).map(|(ticket, _)| *ticket);
        self.waiting.remove(&ticket.expect("it waited")).expect("it waited").0
    }
}

/// Random requests come, go, leave and are displaced: nothing is lost or goes twice, and the bounds hold.
#[test]
fn nothing_is_lost_nothing_goes_twice_and_the_bounds_hold() {
    for seed in 0..60 {
        let mut draws = Draws(mix(seed));
        let room = Room { places: 1 + draws.below(12) as usize, bytes: 500 + draws.below(3_000) };
        let mut queue: Queue<u64> = Queue::new(room);
        let mut ledger = Ledger::default();
        let (mut came, mut refused) = (0u64, 0u64);
        let mut seats = Vec::new();
        for step in 0..400 {
            match draws.below(8) {
                0..=3 => {
                    let entrant = Entrant {
                        weight: draws.below(3) as u32,
                        priority: draws.below(3) as u8,
                        bytes: draws.below(600),
                        deadline: (draws.below(2) == 0).then(|| Tick(draws.below(1_000))),
                        tried: if draws.below(4) == 0 { vec![0] } else { vec![] },
                        ..of(draws.below(5))
                    };
                    came += 1;
                    match queue.enter(entrant.clone(), None, || came) {
                        Some(ticket) => assert!(ledger.waiting.insert(ticket, (entrant, came)).is_none()),
                        None => refused += 1,
                    }
                    while let Some(who) = queue.displaced() {
                        ledger.ends(who);
                    }
                }
                4 | 5 => {
                    let Some(ticket) = first(&queue) else { continue };
                    let entrant = queue.lend(ticket).expect("it waits");
                    seats.push(step);
                    let who = queue.go(ticket, step, entrant).expect("it waits");
                    let gone = ledger.ends(who);
                    let best = ledger.waiting.values().map(|(other, _)| other.priority).max();
                    assert!(best.is_none_or(|best| gone.priority >= best), "a higher priority waits");
                }
                6 => {
                    let at = draws.below(ledger.waiting.len().max(1) as u64) as usize;
                    let Some((ticket, who)) = ledger.waiting.iter().nth(at).map(|(t, (_, w))| (*t, *w))
                    else {
                        continue;
                    };
                    assert_eq!(queue.leave(ticket), Some(who));
                    assert_eq!(queue.leave(ticket), None);
                    ledger.ends(who);
                }
                _ => {
                    if let Some(seat) = seats.pop() {
                        queue.settle(seat, draws.below(400) as u32);
                        queue.release(seat);
                    }
                }
            }
            let bytes: u64 = ledger.waiting.values().map(|(entrant, _)| entrant.bytes).sum();
            assert_eq!((queue.len(), queue.bytes), (ledger.waiting.len(), bytes));
            assert!(queue.len() <= room.places && bytes <= room.bytes, "seed {seed}: the bounds hold");
            assert_eq!(queue.in_order().count(), queue.len(), "seed {seed}: everybody is in order");
            let picky = ledger.waiting.values().filter(|(entrant, _)| !entrant.tried.is_empty()).count();
            assert_eq!(queue.picky().count(), picky);
        }
        assert_eq!(came - refused, (ledger.ended.len() + ledger.waiting.len()) as u64);
        while let Some(ticket) = first(&queue) {
            ledger.ends(queue.leave(ticket).expect("it waits"));
        }
        assert!(ledger.waiting.is_empty() && queue.is_empty() && queue.bytes == 0);
        assert!(queue.groups.is_empty() && queue.order.is_empty() && queue.holders.is_empty());
        assert!(queue.levels.is_empty() && queue.picky.is_empty() && queue.latest.is_empty());
    }
}

/// Tenants that always have something to wait: their counters stay within one request of each other, and so does what
/// each has had for its weight.
#[test]
fn counters_of_backlogged_tenants_stay_within_one_request_and_nobody_starves() {
    for seed in 0..40 {
        let mut draws = Draws(mix(seed ^ 77));
        let weights: Vec<u32> = (0..4).map(|_| 1 + draws.below(4) as u32).collect();
        let mut queue: Queue<(u64, u64)> = Queue::new(Room { places: 1_000, bytes: 1 << 30 });
        let mut had = [0.0f64; 4];
        let mut unserved = [0u32; 4];
        let request = |tenant: u64, draws: &mut Draws| Entrant {
            weight: weights[tenant as usize],
            work: Work {
                prompt_tokens: 1 + draws.below(1_000) as u32,
                output_tokens: 1.0 + draws.below(500) as f64,
                ..Work::default()
            },
            ..of(tenant)
        };
        for tenant in 0..4 {
            for n in 0..5 {
                queue.enter(request(tenant, &mut draws), None, || (tenant, n));
            }
        }
        const MOST: f64 = 1_000.0 + 2.0 * 500.0;
        for seat in 0..2_000 {
            let ticket = first(&queue).expect("all have something");
            let entrant = queue.lend(ticket).expect("it waits");
            let cost = f64::from(entrant.work.prompt_tokens) + 2.0 * entrant.work.output_tokens;
            let (tenant, _) = queue.go(ticket, seat, entrant).expect("it waits");
            queue.release(seat);
            had[tenant as usize] += cost / f64::from(weights[tenant as usize]);
            unserved.iter_mut().for_each(|turns| *turns += 1);
            unserved[tenant as usize] = 0;
            queue.enter(request(tenant, &mut draws), None, || (tenant, seat));
            let most = had.iter().copied().fold(0.0, f64::max);
            let least = had.iter().copied().fold(f64::INFINITY, f64::min);
            assert!(most - least <= MOST + 1.0, "seed {seed}: {had:?}");
            assert!(unserved.iter().all(|turns| *turns < 2_000), "seed {seed}");
        }
        assert!(unserved.iter().all(|turns| *turns < 400), "seed {seed}: nobody starves");
    }
}

/// Tenants that come once and never again must not be remembered for ever.
#[test]
fn memory_of_idle_tenants_is_bounded() {
    let mut queue: Queue<u64> = Queue::new(ROOM);
    for tenant in 0..20_000 {
        queue.charge(tenant, &of(tenant));
        queue.release(tenant);
    }
    assert!(queue.shares.known() <= 1, "without a queue all are forgotten: {}", queue.shares.known());
    queue.enter(of(u64::MAX), None, || 0);
    for tenant in 0..20_000 {
        queue.charge(tenant, &of(tenant));
        queue.release(tenant);
    }
    assert!(queue.shares.known() <= 1_025, "{}", queue.shares.known());
}
