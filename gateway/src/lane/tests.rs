//! What a lane adds to its line: tasks wait for their turn, and nobody who leaves costs another a place.

use super::*;
use futures::FutureExt as _;
use std::time::Duration;

const NOW: Tick = Tick(1_000);

fn lane(replicas: usize, max_concurrency: u32, max_queue: usize) -> Arc<Lane> {
    let config = PoolConfig {
        name: "pool".to_owned(),
        expert: 0,
        protocol: "openai".to_owned(),
        endpoints: (0..replicas).map(|at| format!("http://127.0.0.1:{}", at + 1)).collect(),
        model: "m".to_owned(),
        api_key: None,
        max_concurrency,
        limit: sluice_router::LimitRule::Fixed,
        max_queue,
        max_queue_bytes: 1 << 20,
        balance: "least_load".to_owned(),
        connect_timeout: Duration::from_secs(1),
        first_token_timeout: Duration::from_secs(1),
        idle_timeout: Duration::from_secs(1),
        headers: vec![],
        sim: None,
    };
    Arc::new(Lane::new(config, &sluice_experts::Tcp::shared()).expect("addresses are valid"))
}

fn entrant(seed: u64, tried: &[usize]) -> Entrant {
    Entrant { seed, tried: tried.to_vec(), ..Entrant::default() }
}

/// A slot that must be free now.
fn now(lane: &Arc<Lane>, tried: &[usize]) -> Slot {
    match lane.enter(entrant(0, tried), NOW) {
        Ok(Entered::Granted(slot)) => slot,
        Ok(Entered::Waiting(_)) => panic!("it has to wait"),
        Err(fault) => panic!("refused: {fault}"),
    }
}

fn refused(lane: &Arc<Lane>, tried: &[usize]) -> FaultCode {
    match lane.enter(entrant(0, tried), NOW) {
        Ok(_) => panic!("it may wait or go"),
        Err(fault) => fault.code,
    }
}

/// A request that has to wait in line.
fn waits(lane: &Arc<Lane>) -> std::pin::Pin<Box<impl Future<Output = Result<Slot, Fault>> + use<>>> {
    match lane.enter(entrant(1, &[]), NOW) {
        Ok(Entered::Waiting(place)) => Box::pin(place.turn()),
        Ok(Entered::Granted(_)) => panic!("it may go at once"),
        Err(fault) => panic!("refused: {fault}"),
    }
}

fn answered() -> Verdict {
    Verdict::Answered { ttft_ms: 1.0, tpot_ms: Some(1.0), service_ms: 10.0 }
}

const ILL: Verdict = Verdict::Ill { unreachable: true };

#[test]
fn a_freed_slot_goes_to_the_first_in_line() {
    let lane = lane(1, 1, 8);
    let slot = now(&lane, &[]);
    let mut first = waits(&lane);
    let mut second = waits(&lane);
    assert!(first.as_mut().now_or_never().is_none());
    assert!(second.as_mut().now_or_never().is_none());
    assert_eq!(lane.counts(NOW).queued, 2);
    slot.end(answered(), NOW);
    let granted = first.as_mut().now_or_never().expect("granted").unwrap_or_else(|fault| panic!("{fault}"));
    assert!(second.as_mut().now_or_never().is_none());
    drop(granted);
    assert!(second.as_mut().now_or_never().is_some());
}

#[test]
fn whoever_leaves_the_line_loses_nothing_for_the_others() {
    let lane = lane(1, 1, 8);
    let slot = now(&lane, &[]);
    let mut leaves = waits(&lane);
    let mut stays = waits(&lane);
    assert!(leaves.as_mut().now_or_never().is_none() && stays.as_mut().now_or_never().is_none());
    drop(leaves);
    drop(slot);
    assert!(stays.as_mut().now_or_never().is_some(), "the place went past the one who left");
    drop(stays);
    assert_eq!(lane.counts(NOW).in_flight, 0);
}

#[test]
fn a_slot_granted_to_one_who_left_comes_back() {
    let lane = lane(1, 1, 8);
    let slot = now(&lane, &[]);
    let mut leaves = waits(&lane);
    assert!(leaves.as_mut().now_or_never().is_none());
    drop(slot); // granted, but never taken
    drop(leaves);
    assert_eq!(lane.counts(NOW).in_flight, 0);
    now(&lane, &[]);
}

#[test]
fn a_full_line_refuses() {
    let lane = lane(1, 1, 1);
    let _slot = now(&lane, &[]);
    let mut waiting = waits(&lane);
    assert!(waiting.as_mut().now_or_never().is_none());
    assert_eq!(refused(&lane, &[]), FaultCode::NoCapacity);
}

#[test]
fn an_ill_replica_gets_no_work_and_those_who_wait_go_elsewhere() {
    let lane = lane(1, 1, 8);
    let slot = now(&lane, &[]);
    let mut waiting = waits(&lane);
    assert!(waiting.as_mut().now_or_never().is_none());
    assert_eq!(slot.end(ILL, NOW), Some(false));
    let end = waiting.as_mut().now_or_never().expect("told at once");
    assert_eq!(end.err().map(|fault| fault.code), Some(FaultCode::UpstreamError));
    assert_eq!((lane.pool_state(NOW, &Entrant::default()).replicas_up, lane.counts(NOW).ejected), (0, 1));
    let later = NOW.plus_ms(sluice_router::FIRST_EJECTION_MS);
    let Ok(Entered::Granted(trial)) = lane.enter(entrant(0, &[]), later) else { panic!("a trial is due") };
    assert_eq!(trial.end(answered(), later), Some(true));
}

#[test]
fn a_replica_that_is_due_for_a_trial_is_offered_to_those_who_wait() {
    let lane = lane(2, 1, 8);
    let (first, _second) = (now(&lane, &[]), now(&lane, &[]));
    let at = first.replica();
    first.end(ILL, NOW);
    let mut waiting = waits(&lane);
    assert!(waiting.as_mut().now_or_never().is_none());
    let due = NOW.plus_ms(sluice_router::FIRST_EJECTION_MS);
    lane.wake(due);
    let trial = waiting.as_mut().now_or_never().expect("granted").expect("a slot");
    assert_eq!(trial.replica(), at);
}

#[test]
fn nobody_overtakes_those_who_wait() {
    let lane = lane(2, 1, 8);
    let (first, _second) = (now(&lane, &[]), now(&lane, &[]));
    first.end(ILL, NOW);
    let mut waiting = waits(&lane);
    let due = NOW.plus_ms(sluice_router::FIRST_EJECTION_MS);
    let Ok(Entered::Waiting(_late)) = lane.enter(entrant(0, &[]), due) else { panic!("it came later") };
    assert!(waiting.as_mut().now_or_never().is_some(), "the trial is the first one's");
}
