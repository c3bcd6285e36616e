//! What a line remembers of its replicas' caches: where a beginning was sent, as long as it is likely to be there.

use super::*;
use crate::health::FIRST_EJECTION_MS;

const NOW: Tick = Tick(1_000);

fn line(prefix_tokens: u64) -> Line<()> {
    Line::new(LineRules {
        replicas: 3,
        max_concurrency: 8,
        limit: LimitRule::Fixed,
        max_queue: 8,
        max_queue_bytes: 1 << 20,
        balancer: crate::balance::balancer("prefix").expect("a known balancer").pick,
        prefix_tokens,
        declared: None,
    })
}

/// So many blocks of a session's prompt.
fn prefix(session: u64, blocks: u64) -> Prefix {
    Prefix { blocks: (0..blocks).map(|n| session << 32 | n).collect(), block_tokens: BLOCK_TOKENS }
}

fn entrant(prefix: Prefix) -> Entrant {
    let work = Work {
        prompt_tokens: prefix.tokens(prefix.blocks.len()) + 10,
        output_tokens: 5.0,
        ..Work::default()
    };
    Entrant { prefix, work, ..Entrant::default() }
}

fn go(line: &mut Line<()>, prefix: Prefix) -> Seat {
    match line.enter(entrant(prefix), NOW, || ()) {
        Entered::Go(seat) => seat,
        other => panic!("{other:?}"),
    }
}

fn hits(line: &Line<()>, prefix: Prefix) -> Vec<u32> {
    let state = line.pool_state_for(NOW, &entrant(prefix));
    state.replicas.iter().map(|replica| replica.hit_tokens).collect()
}

#[test]
fn a_session_goes_where_its_beginning_went_and_quotes_know_of_it() {
    let mut line = line(1 << 20);
    for session in 0..30 {
        let first = go(&mut line, prefix(session, 4));
        line.end(first, Verdict::Neutral, NOW);
        let held = hits(&line, prefix(session, 9));
        assert_eq!(held.iter().sum::<u32>(), 4 * BLOCK_TOKENS, "one replica has it");
        assert_eq!(held[first.replica], 4 * BLOCK_TOKENS);
        let second = go(&mut line, prefix(session, 9));
        line.end(second, Verdict::Neutral, NOW);
        assert_eq!(second.replica, first.replica);
    }
}

#[test]
fn what_a_cache_has_no_room_for_is_forgotten() {
    let mut line = line(u64::from(8 * BLOCK_TOKENS));
    for session in 0..20 {
        let seat = go(&mut line, prefix(session, 4));
        line.end(seat, Verdict::Neutral, NOW);
    }
    let held: u32 = (0..20).map(|session| hits(&line, prefix(session, 4)).iter().sum::<u32>()).sum();
    assert!(held <= 3 * 8 * BLOCK_TOKENS && held > 0, "{held}");
}

#[test]
fn a_replica_that_was_ejected_or_replaced_has_nothing_in_its_cache() {
    let mut line = line(1 << 20);
    let seat = go(&mut line, prefix(1, 4));
    line.end(seat, Verdict::Ill { unreachable: true }, NOW);
    assert_eq!(hits(&line, prefix(1, 4)), [0, 0, 0]);

    let later = NOW.plus_ms(10 * FIRST_EJECTION_MS);
    let Entered::Go(seat) = line.enter(entrant(prefix(2, 4)), later, || ()) else { panic!("there is room") };
    line.end(seat, Verdict::Neutral, later);
    line.retire_replica(seat.replica);
    assert_eq!(line.add_replica(later), seat.replica, "the index is given away again");
    assert_eq!(hits(&line, prefix(2, 4)), [0, 0, 0]);
}

#[test]
fn without_a_cache_nothing_is_remembered() {
    let mut line = line(0);
    let seat = go(&mut line, prefix(1, 4));
    line.end(seat, Verdict::Neutral, NOW);
    assert_eq!(hits(&line, prefix(1, 4)), [0, 0, 0]);
}
