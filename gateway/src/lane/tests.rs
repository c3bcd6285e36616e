//! What a lane adds to its line: tasks wait for their turn, and nobody who leaves costs another a place.

use super::*;
use futures::FutureExt as _;
use sluice_router::Why;
use std::time::Duration;

const NOW: Tick = Tick(1_000);

fn lane(replicas: usize, max_concurrency: u32, max_queue: usize) -> Arc<Lane> {
    let config = PoolConfig {
        name: "pool".to_owned(),
        expert: 0,
        protocol: "openai".to_owned(),
        endpoints: (0..replicas).map(|at| format!("http://127.0.0.1:{}", at + 1)).collect(),
        discover: None,
        quota_group: "pool".to_owned(),
        hears_reports: false,
        asks_whole: false,
        model: "m".to_owned(),
        api_key: None,
        max_concurrency,
        limit: sluice_router::LimitRule::Fixed,
        max_queue,
        max_queue_bytes: 1 << 20,
        window: None,
        balance: "least_load".to_owned(),
        prefix_tokens: 0,
        profile: None,
        declared: None,
        connect_timeout: Duration::from_secs(1),
        first_token_timeout: Duration::from_secs(1),
        idle_timeout: Duration::from_secs(1),
        headers: vec![],
        sim: None,
    };
    Arc::new(Lane::new(config, Arc::default(), &sluice_experts::Tcp::shared()).expect("addresses are valid"))
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
    assert_eq!(slot.end(ILL, NOW), Some(Change::Ejected(Why::Unreachable)));
    let end = waiting.as_mut().now_or_never().expect("told at once");
    assert_eq!(end.err().map(|fault| fault.code), Some(FaultCode::UpstreamError));
    assert_eq!((lane.pool_state(NOW, &Entrant::default()).replicas_up, lane.counts(NOW).ejected), (0, 1));
    let later = NOW.plus_ms(sluice_router::FIRST_EJECTION_MS);
    let Ok(Entered::Granted(trial)) = lane.enter(entrant(0, &[]), later) else { panic!("a trial is due") };
    assert_eq!(trial.end(answered(), later), Some(Change::Back));
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

fn addresses(of: &[u16]) -> Vec<String> {
    of.iter().map(|port| format!("http://127.0.0.1:{port}")).collect()
}

fn regroup(lane: &Arc<Lane>, ports: &[u16]) -> (usize, usize) {
    let addresses = addresses(ports);
    let newcomers = lane.newcomers(&addresses).expect("addresses are valid");
    lane.regroup(&addresses, newcomers, NOW)
}

#[test]
fn replicas_that_leave_end_what_they_have_and_newcomers_take_over() {
    let lane = lane(2, 1, 8);
    let slots = [now(&lane, &[]), now(&lane, &[])];
    let mut waiting = waits(&lane);
    assert!(waiting.as_mut().now_or_never().is_none());
    assert_eq!(regroup(&lane, &[2, 3]), (1, 1));
    let third = waiting.as_mut().now_or_never().expect("granted").expect("a slot");
    assert_eq!(third.address(), "http://127.0.0.1:3");
    assert_eq!((lane.counts(NOW).draining, lane.counts(NOW).up), (1, 2));
    let mut held: Vec<&str> = slots.iter().map(Slot::address).collect();
    held.sort_unstable();
    assert_eq!(held, ["http://127.0.0.1:1", "http://127.0.0.1:2"], "streams keep their replica");
    drop(slots);
    assert_eq!((lane.counts(NOW).draining, lane.counts(NOW).in_flight), (0, 1));
    assert_eq!(regroup(&lane, &[2, 3, 4]), (1, 0));
    assert_eq!(lane.replica_reports(NOW).len(), 3, "the free index was given away again");
}

#[test]
fn an_address_that_cannot_be_used_changes_nothing() {
    let lane = lane(2, 1, 8);
    assert!(lane.newcomers(&["http://127.0.0.1:1".to_owned(), "nonsense".to_owned()]).is_err());
    assert_eq!(lane.members().len(), 2);
}

#[test]
fn row_11_a_quota_pauses_every_pool_that_shares_it() {
    let quota: Arc<Quota> = Arc::default();
    let of = |lane: Arc<Lane>| {
        Arc::new(
            Lane::new(lane.config.clone(), quota.clone(), &sluice_experts::Tcp::shared()).expect("valid"),
        )
    };
    let (first, second, other) = (of(lane(2, 4, 8)), of(lane(1, 4, 8)), lane(1, 4, 8));
    let slot = now(&first, &[]);
    assert_eq!(slot.end(Verdict::Busy { retry_after_ms: 3_000, is_quota: true }, NOW), None);
    assert_eq!(refused(&first, &[]), FaultCode::NoCapacity);
    assert_eq!(refused(&second, &[]), FaultCode::NoCapacity);
    assert_eq!(
        (first.cools_for_ms(NOW), second.cools_for_ms(NOW), other.cools_for_ms(NOW)),
        (Some(3_000), Some(3_000), None)
    );
    now(&other, &[]);
    assert!(second.enter(entrant(0, &[]), NOW.plus_ms(3_000)).is_ok());
}
