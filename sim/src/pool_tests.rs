//! A worker's promises: the law, chunks, memory, cancellation, its prefix cache.

use super::*;

const TIMING: Timing = Timing {
    base_ns: 10_000_000,
    per_seq_ns: 100_000,
    per_kv_ns: 80,
    prefill_ns: 100_000.0,
    prefill_half: 20_000.0,
    chunk: 512,
    noise: 0.0,
};

fn pool(kv_tokens: u64, max_seqs: usize) -> Pool {
    Pool::new(Capacity { timing: TIMING, kv_tokens, max_seqs, prefix_tokens: 6_400, outside: None })
}

/// The milestones of a pool left to itself.
fn drain(pool: &mut Pool) -> Vec<Event> {
    pool.step(u64::MAX / 2)
}

fn finished_at(events: &[Event], id: u64) -> u64 {
    let at = events.iter().find_map(|event| match event {
        Event::Finished { id: other, at } if *other == id => Some(*at),
        _ => None,
    });
    at.unwrap()
}

fn first_at(events: &[Event], id: u64) -> u64 {
    let at = events.iter().find_map(|event| match event {
        Event::First { id: other, at, .. } if *other == id => Some(*at),
        _ => None,
    });
    at.unwrap()
}

#[test]
fn alone_a_sequence_takes_what_the_law_says() {
    let mut pool = pool(100_000, 8);
    pool.submit(1, 300, 50).unwrap();
    let events = drain(&mut pool);
    let first = TIMING.mixed_ns(0, 0, TIMING.weight(0, 300));
    assert_eq!(first_at(&events, 1), first);
    // The context is 301 when the second token is made.
    assert_eq!(finished_at(&events, 1), first + TIMING.run_ns(1, 301, 49));
}

#[test]
fn a_long_prompt_is_worked_on_in_chunks_that_share_steps_with_others() {
    let mut pool = pool(100_000, 8);
    pool.submit(1, 1, 1_000).unwrap();
    pool.step(11_000_000);
    assert_eq!(pool.produced(1), Some(1));
    pool.submit(2, 2_000, 2).unwrap();
    let events = drain(&mut pool);
    // A decode step is under way until it ends; then 2,000 tokens go in chunks of 511 beside one running sequence.
    let mut at = TIMING.mixed_ns(0, 0, TIMING.weight(0, 1)) + TIMING.decode_ns(1, 2);
    let chunks = [(0, 511), (511, 511), (1_022, 511), (1_533, 467)];
    for (context, (done, tokens)) in (3..).zip(chunks) {
        at += TIMING.mixed_ns(1, context, TIMING.weight(done, tokens));
    }
    assert_eq!(first_at(&events, 2), at);
}

/// Looked at only when it says so, a noisy worker does what it does when left to itself, and not what the bare law says.
#[test]
fn noise_is_the_same_however_often_one_looks() {
    let noisy = |noise| {
        let timing = Timing { noise, ..TIMING };
        let capacity = Capacity { timing, kv_tokens: 100_000, max_seqs: 8, prefix_tokens: 0, outside: None };
        let mut pool = Pool::new(capacity);
        for id in 0..20 {
            pool.submit(id, 300 + 50 * id as u32, 40 + 7 * id as u32).unwrap();
        }
        pool
    };
    let (mut watched, mut seen, mut looks) = (noisy(0.1), Vec::new(), 0);
    while let Some(next) = watched.next_event() {
        let events = watched.step(next);
        let is_late = |event: &Event| match event {
            Event::First { at, .. } | Event::Finished { at, .. } => *at < next,
        };
        assert!(!events.iter().any(is_late), "nothing was due before {next}");
        seen.extend(events);
        looks += 1;
    }
    assert_eq!(seen, drain(&mut noisy(0.1)));
    let bare = drain(&mut noisy(0.0));
    let last = |events: &[Event]| finished_at(events, 19) as f64;
    assert_ne!(last(&seen), last(&bare));
    assert!((last(&seen) / last(&bare) - 1.0).abs() < 0.1);
    assert!(looks < 400, "{looks} looks for {} steps", watched.steps);
}

/// So many blocks of a session's prompt, and its answer's.
fn chain(session: u64, prompt_blocks: u64, answer_blocks: u64) -> Chain {
    let blocks = (0..prompt_blocks + answer_blocks).map(|n| session << 32 | n).collect();
    let whole = Prefix { blocks, block_tokens: BLOCK_TOKENS };
    Chain { whole, prompt_blocks: usize::try_from(prompt_blocks).unwrap() }
}

fn cached(events: &[Event], id: u64) -> u32 {
    let cached = events.iter().find_map(|event| match event {
        Event::First { id: other, cached, .. } if *other == id => Some(*cached),
        _ => None,
    });
    cached.unwrap()
}

#[test]
fn a_beginning_that_is_in_the_cache_needs_no_work() {
    let mut pool = pool(100_000, 8);
    pool.submit_chain(1, 640, 128, chain(1, 10, 2)).unwrap();
    let events = drain(&mut pool);
    assert_eq!(cached(&events, 1), 0);
    let begun = pool.now();
    pool.submit_chain(2, 1_280, 5, chain(1, 20, 0)).unwrap();
    pool.submit_chain(3, 1_280, 5, chain(2, 20, 0)).unwrap();
    let first = pool.step(begun + 1_000_000_000_000);
    assert_eq!((cached(&first, 2), cached(&first, 3)), (768, 0), "prompt and answer of the turn before");
    // 512 tokens at their true depth, all of one chunk.
    let took = first_at(&first, 2) - begun;
    assert_eq!(took, TIMING.mixed_ns(0, 0, TIMING.weight(768, 512)));
    // One token at least is worked on: the last one makes the first of the answer.
    pool.submit_chain(4, 1_280, 5, chain(1, 20, 0)).unwrap();
    assert_eq!(cached(&pool.step(begun + 2_000_000_000_000), 4), 1_279);
}

#[test]
fn the_cache_is_bounded_and_without_room_there_is_none() {
    let mut small = pool(100_000, 8);
    for session in 0..30 {
        small.submit_chain(session, 640, 5, chain(session, 10, 0)).unwrap();
    }
    drain(&mut small);
    assert_eq!(small.cache.len(), 100, "6,400 tokens");
    let mut none = Pool::new(Capacity { prefix_tokens: 0, ..small.capacity });
    for id in 0..2 {
        none.submit_chain(id, 640, 5, chain(1, 10, 0)).unwrap();
        assert_eq!(cached(&none.step((id + 1) << 40), id), 0);
    }
    assert!(none.chains.is_empty() && small.chains.is_empty());
}

#[test]
fn the_next_event_is_when_something_really_happens() {
    let mut pool = pool(100_000, 8);
    for id in 0..5 {
        pool.submit(id, 40 * (u32::try_from(id).unwrap() + 1), 30).unwrap();
    }
    let mut wakes = 0;
    while let Some(at) = pool.next_event() {
        assert!(pool.step(at - 1).is_empty(), "nothing happens before {at}");
        pool.step(at);
        wakes += 1;
    }
    // Two steps for 600 prompt tokens, then a jump to the end of the first four and one to that of the fifth.
    assert_eq!(wakes, 4);
    assert_eq!(pool.running() + pool.waiting(), 0);
}

#[test]
fn what_can_never_fit_is_refused() {
    assert_eq!(pool(100, 8).submit(1, 90, 11), Err(TooLong { need: 101, capacity: 100 }));
    assert_eq!(pool(100, 8).submit(1, 90, 10), Ok(()));
}

#[test]
fn cancelling_frees_memory_and_lets_the_next_in() {
    let mut pool = pool(1_000, 8);
    pool.submit(1, 500, 400).unwrap();
    pool.submit(2, 500, 400).unwrap();
    pool.submit(3, 10, 10).unwrap();
    pool.step(60_000_000);
    assert_eq!((pool.running(), pool.waiting()), (1, 2));
    pool.cancel(1);
    assert_eq!(pool.kv_usage(), 0.0);
    pool.cancel(1);
    let events = drain(&mut pool);
    assert!(!events.iter().any(|event| matches!(event, Event::Finished { id: 1, .. })));
    assert!(finished_at(&events, 3) < finished_at(&events, 2));
    assert_eq!((pool.running(), pool.waiting(), pool.context), (0, 0, 0));
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) % bound
    }
}

#[test]
fn every_sequence_ends_once_and_memory_is_never_overfull() {
    for seed in 1..40 {
        let mut random = Random(seed * 0x9e37_79b9);
        let mut pool = pool(2_000, 1 + usize::try_from(random.below(6)).unwrap());
        let mut open: BTreeMap<u64, u32> = BTreeMap::new();
        let (mut now, mut firsts) = (0, 0_u64);
        for id in 0..200 {
            now += random.below(40_000_000);
            for event in pool.step(now) {
                match event {
                    Event::First { id, .. } => {
                        firsts += 1;
                        assert!(open.contains_key(&id));
                    }
                    Event::Finished { id, .. } => assert!(open.remove(&id).is_some(), "{id} ended twice"),
                }
            }
            let output = 1 + u32::try_from(random.below(60)).unwrap();
            pool.submit(id, 1 + u32::try_from(random.below(900)).unwrap(), output).unwrap();
            open.insert(id, output);
            if random.below(5) == 0 {
                let victim = random.below(id + 1);
                pool.cancel(victim);
                open.remove(&victim);
            }
            for (id, output) in &open {
                assert!(pool.produced(*id).unwrap() < *output);
            }
            assert!(pool.kv_usage() <= 1.0 && pool.context <= 2_000);
            let held: u64 = pool
                .seqs
                .values()
                .filter(|seq| seq.admitted)
                .map(|seq| u64::from(seq.input + seq.output))
                .sum();
            assert_eq!(held, pool.kv_reserved);
        }
        for event in drain(&mut pool) {
            if let Event::Finished { id, .. } = event {
                assert!(open.remove(&id).is_some());
            }
        }
        assert!(open.is_empty() && firsts > 0, "seed {seed}: {open:?} never ended");
        assert_eq!((pool.running(), pool.kv_reserved, pool.context), (0, 0, 0), "seed {seed}");
    }
}

#[test]
fn more_at_once_is_never_slower_in_all() {
    let throughput = |at_once: u64| {
        let mut pool = pool(1_000_000, 512);
        for id in 0..at_once {
            pool.submit(id, 100, 200).unwrap();
        }
        let end = drain(&mut pool).into_iter().map(|event| match event {
            Event::First { at, .. } | Event::Finished { at, .. } => at,
        });
        at_once * 200 * 1_000_000_000_000 / end.max().unwrap()
    };
    let rates: Vec<u64> = [1, 2, 4, 8, 16, 32, 64, 128].into_iter().map(throughput).collect();
    assert!(rates.is_sorted(), "{rates:?}");
}
