//! A limit before a small model of an engine: it comes to what the engine holds, from too high and from too low, and
//! costs no throughput.

use super::*;
use crate::mix::mix;
use std::collections::VecDeque;

/// A batch engine: so many slots; a step takes on prompts up to a chunk and makes a token for each sequence.
struct Engine {
    slots: usize,
    base_ms: f64,
    per_seq_ms: f64,
    per_prompt_token_ms: f64,
    waiting: VecDeque<Job>,
    batch: Vec<Job>,
}

#[derive(Clone, Copy)]
struct Job {
    seat: u64,
    prompt_left: f64,
    output_left: u32,
    output: u32,
    dispatched: f64,
    first: f64,
}

const CHUNK: f64 = 2_048.0;

impl Engine {
    fn new(slots: usize) -> Engine {
        Engine {
            slots,
            base_ms: 20.0,
            per_seq_ms: 0.2,
            per_prompt_token_ms: 0.05,
            waiting: VecDeque::new(),
            batch: Vec::new(),
        }
    }

    /// One step that begins at `now`. Returns when it ends; jobs whose first token it made and those that it ended.
    fn step(&mut self, now: f64) -> (f64, Vec<Job>, Vec<Job>) {
        while self.batch.len() < self.slots
            && let Some(job) = self.waiting.pop_front()
        {
            self.batch.push(job);
        }
        let running = self.batch.iter().filter(|job| job.prompt_left <= 0.0).count();
        let (mut room, mut firsts) = (CHUNK, Vec::new());
        for job in self.batch.iter_mut().filter(|job| job.prompt_left > 0.0) {
            let read = job.prompt_left.min(room);
            job.prompt_left -= read;
            room -= read;
        }
        let reading = (CHUNK - room) * self.per_prompt_token_ms;
        let end = now + self.base_ms.max(reading) + running as f64 * self.per_seq_ms;
        let mut ended = Vec::new();
        for job in self.batch.iter_mut().filter(|job| job.prompt_left <= 0.0) {
            if job.first == 0.0 {
                job.first = end;
                firsts.push(*job);
            }
            job.output_left -= 1;
            if job.output_left == 0 {
                ended.push(*job);
            }
        }
        self.batch.retain(|job| job.output_left > 0);
        (end, firsts, ended)
    }
}

/// What a run has come to.
struct Ran {
    /// Tokens per second of its second half.
    rate: f64,
    /// The limit at each second.
    limits: Vec<u32>,
    /// The most that ever waited inside in the second half.
    queued: usize,
}

/// Prompts and answers of one kind of traffic.
#[derive(Clone, Copy)]
struct Kind {
    prompt: u32,
    output: u32,
}

/// `demand` requests want to be in work at every moment, for so many seconds.
fn run(rule: LimitRule, begins: u32, slots: usize, demand: usize, kind: Kind, seconds: f64) -> Ran {
    let mut limits = Limits::new(rule, 1, begins);
    let mut engine = Engine::new(slots);
    let (mut now, mut seats, mut in_flight) = (0.0, 0u64, 0u32);
    let mut ran = Ran { rate: 0.0, limits: Vec::new(), queued: 0 };
    while now < seconds * 1e3 {
        while in_flight < limits.of(0) && (in_flight as usize) < demand {
            seats += 1;
            in_flight += 1;
            let draw = mix(seats);
            let prompt = kind.prompt / 2 + (draw % u64::from(kind.prompt)) as u32;
            let output = kind.output / 2 + ((draw >> 32) % u64::from(kind.output)) as u32;
            limits.begin(Seat { replica: 0, number: seats }, in_flight, prompt, tick(now));
            let prompt_left = f64::from(prompt);
            let output = output.max(1);
            engine.waiting.push_back(Job {
                seat: seats,
                prompt_left,
                output_left: output,
                output,
                dispatched: now,
                first: 0.0,
            });
        }
        let (end, firsts, ended) = engine.step(now);
        if end as u64 / 1_000 > now as u64 / 1_000 {
            ran.limits.push(limits.of(0));
        }
        now = end;
        for job in firsts {
            limits.first_token(Seat { replica: 0, number: job.seat }, tick(now));
        }
        for job in ended {
            in_flight -= 1;
            let tpot = (job.output > 1).then(|| (now - job.first) / f64::from(job.output - 1));
            limits.end(Seat { replica: 0, number: job.seat }, Some((tpot, now - job.dispatched)));
            if now > seconds * 500.0 {
                ran.rate += f64::from(job.output) / (seconds / 2.0);
            }
        }
        if now > seconds * 500.0 {
            ran.queued = ran.queued.max(engine.waiting.len());
        }
    }
    ran
}

fn tick(ms: f64) -> Tick {
    Tick((ms * 1e3) as u64)
}

const CHAT: Kind = Kind { prompt: 400, output: 200 };
const LONG: Kind = Kind { prompt: 6_000, output: 100 };

/// The throughput of the best of the fixed limits.
fn best_fixed(slots: usize, kind: Kind) -> f64 {
    let of = |part: usize| {
        run(LimitRule::Fixed, (slots * part / 8).max(1) as u32, slots, 10_000, kind, 400.0).rate
    };
    (2..=16).map(of).fold(0.0, f64::max)
}

#[test]
fn it_comes_to_what_the_engine_holds_from_too_high_and_too_low() {
    for (begins, slots) in [(256, 64), (16, 64), (8, 64), (64, 64), (64, 256), (64, 16)] {
        let ran = run(LimitRule::Adaptive, begins, slots, 10_000, CHAT, 1_200.0);
        let late = &ran.limits[ran.limits.len() / 2..];
        let (low, high) = (*late.iter().min().expect("samples"), *late.iter().max().expect("samples"));
        let slots = slots as u32;
        assert!(low >= slots * 8 / 10, "from {begins} to {slots}: falls to {low}");
        assert!(high <= slots * 13 / 10 + 4, "from {begins} to {slots}: rises to {high}");
    }
}

#[test]
fn throughput_is_nearly_that_of_the_best_fixed_limit() {
    for (begins, slots, kind) in [(128, 32, CHAT), (8, 32, CHAT), (64, 32, LONG), (8, 32, LONG)] {
        let best = best_fixed(slots, kind);
        let ran = run(LimitRule::Adaptive, begins, slots, 10_000, kind, 1_200.0);
        assert!(ran.rate >= 0.95 * best, "from {begins}, {}: {} of {best}", kind.prompt, ran.rate);
        assert!(ran.limits.iter().all(|limit| *limit >= 4), "no stall");
    }
}

#[test]
fn the_engines_own_queue_stays_short() {
    let ran = run(LimitRule::Adaptive, 64, 32, 10_000, CHAT, 1_200.0);
    assert!(ran.queued <= 12, "{} wait inside", ran.queued);
}

#[test]
fn a_lasting_queue_does_not_become_the_usual() {
    let ran = run(LimitRule::Adaptive, 128, 32, 10_000, CHAT, 6_000.0);
    let late = &ran.limits[ran.limits.len() * 3 / 4..];
    assert!(late.iter().all(|limit| (24..=44).contains(limit)), "{:?}", late.iter().max());
}

#[test]
fn an_engine_that_becomes_slow_is_not_choked() {
    let mut limits = Limits::new(LimitRule::Adaptive, 1, 32);
    let seat = |number| Seat { replica: 0, number };
    let mut now = 0;
    for number in 0..20_000 {
        // Whatever the limit, first tokens take ten times as long from some moment on.
        let (ttft_us, in_flight) = (if number < 2_000 { 100_000 } else { 1_000_000 }, limits.of(0));
        limits.begin(seat(number), in_flight, 500, Tick(now));
        limits.first_token(seat(number), Tick(now + ttft_us));
        limits.end(seat(number), Some((Some(10.0), 5_000.0)));
        now += 2_000_000;
    }
    assert!(limits.of(0) >= 32, "it has found that this is how the engine is: {}", limits.of(0));
}

#[test]
fn a_replica_that_is_not_at_its_limit_keeps_it() {
    let ran = run(LimitRule::Adaptive, 64, 128, 20, CHAT, 300.0);
    assert!(ran.limits.iter().all(|limit| *limit == 64), "nothing is known of more or less");
}

#[test]
fn bounds_hold_whatever_is_observed() {
    for seed in 0..50 {
        let mut limits = Limits::new(LimitRule::Adaptive, 2, 8);
        let mut draw = mix(seed);
        let mut next = |bound: u64| {
            draw = mix(draw);
            (draw >> 16) % bound
        };
        let (mut open, mut now) = (Vec::new(), 0);
        for number in 0..3_000 {
            now += next(50_000);
            match next(3) {
                0 => {
                    let seat = Seat { replica: next(2) as usize, number };
                    limits.begin(seat, next(80) as u32, next(100_000) as u32, Tick(now));
                    open.push(seat);
                }
                1 => open.iter().take(1).for_each(|seat| limits.first_token(*seat, Tick(now))),
                _ if open.is_empty() => {}
                _ => {
                    let seat = open.remove(next(open.len() as u64) as usize);
                    limits.first_token(seat, Tick(now));
                    let answered = (next(2) == 0).then(|| (Some(next(1_000) as f64), next(100_000) as f64));
                    limits.end(seat, answered);
                }
            }
            assert!((0..2).all(|at| (4..=64).contains(&limits.of(at))), "seed {seed}");
        }
        open.into_iter().for_each(|seat| limits.end(seat, None));
        assert!(limits.flights.is_empty(), "nothing is kept of those who have ended");
    }
}

#[test]
fn a_fixed_limit_is_what_it_is() {
    let ran = run(LimitRule::Fixed, 40, 8, 10_000, CHAT, 100.0);
    assert!(ran.limits.iter().all(|limit| *limit == 40));
}
