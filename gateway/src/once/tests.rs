//! What a claim means, and what is kept of an outcome.

use super::ask::{Ask, shard_path};
use super::claim::{Claim, KeptFault, Meaning, State};
use super::desk::Desk;
use super::outcome::{MOST_BYTES, Outcome, Tape, replay};
use super::sweep::sweep;
use crate::error::{Fault, FaultCode, Retry};
use crate::request::OutEvent;
use crate::shared::{MemoryShared, Shared as _};
use prost::Message as _;
use sluice_proto::v1;
use sluice_router::NanoUsd;
use uuid::Uuid;

fn claim(state: State) -> Claim {
    Claim { state: state.into(), hash: vec![1], until_ms: 100, expires_ms: 1_000, ..Claim::default() }
}

#[test]
fn a_claim_is_waited_for_repeated_or_taken() {
    let large = Claim { is_too_large: true, ..claim(State::Done) };
    for (claim, hash, now_ms, is_dead, meaning) in [
        (claim(State::Free), [1], 0, false, Meaning::Open),
        (claim(State::Free), [2], 0, false, Meaning::Open),
        (claim(State::Running), [1], 99, false, Meaning::Wait),
        (claim(State::Running), [2], 99, false, Meaning::OtherRequest),
        (claim(State::Running), [2], 99, true, Meaning::Open),
        (claim(State::Running), [1], 100, false, Meaning::Open),
        (claim(State::Done), [1], 999, true, Meaning::Repeat),
        (claim(State::Done), [2], 999, true, Meaning::OtherRequest),
        (claim(State::Done), [2], 1_000, false, Meaning::Open),
        (large, [1], 999, false, Meaning::TooLarge),
    ] {
        assert_eq!(claim.meaning(&hash, now_ms, is_dead), meaning, "{claim:?} at {now_ms}");
    }
}

fn failed() -> Option<OutEvent> {
    Some(OutEvent::Failed(Box::new(Fault::passing(FaultCode::UpstreamTimeout, 1_000, "silent"))))
}

#[test]
fn a_failure_that_cost_nothing_frees_the_key() {
    let (told, outcome) = Tape::default().end(failed(), NanoUsd::ZERO);
    assert!(matches!(outcome, Outcome::Nothing));
    assert!(matches!(told, OutEvent::Failed(fault) if fault.retry == Retry::AfterMs(1_000)));
}

#[test]
fn a_failure_that_was_charged_is_final_and_told_again() {
    let mut tape = Tape::default();
    tape.keep(&OutEvent::Started(Box::new(v1::Started {
        expert: "big".to_owned(),
        ..v1::Started::default()
    })));
    let (told, outcome) = tape.end(failed(), NanoUsd(1));
    let (OutEvent::Failed(told), Outcome::Kept(events, fault)) = (told, outcome) else { panic!("not kept") };
    assert_eq!((told.retry, told.replayed), (Retry::Never, false));
    let again = replay(Claim { events, fault, ..claim(State::Done) });
    let [OutEvent::Started(started), OutEvent::Failed(fault)] = &again[..] else { panic!("{again:?}") };
    assert!(started.replayed && started.expert == "big");
    assert_eq!(**fault, Fault { replayed: true, ..*told });
}

#[test]
fn a_name_that_no_code_has_is_ours() {
    let kept = KeptFault { code: "of_the_future".to_owned(), ..KeptFault::default() };
    let again = replay(Claim { fault: Some(kept), ..claim(State::Done) });
    assert!(matches!(&again[..], [OutEvent::Failed(fault)] if fault.code == FaultCode::Internal));
}

#[test]
fn an_answer_is_kept_up_to_its_bound() {
    let kept = |deltas: usize| {
        let mut tape = Tape::default();
        let delta = v1::TextDelta { text: "x".repeat(1_024), delta_json: String::new() };
        (0..deltas).for_each(|_| tape.keep(&OutEvent::Delta(delta.clone())));
        let finished = v1::Finished::default();
        tape.keep(&OutEvent::Finished(Box::new(finished.clone())));
        tape.end(Some(OutEvent::Finished(Box::new(finished))), NanoUsd(1)).1
    };
    let most = MOST_BYTES / 1_024;
    assert!(matches!(kept(most - 2), Outcome::Kept(events, None) if events.len() == most - 1));
    assert!(matches!(kept(most), Outcome::TooLarge));
}

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn ask() -> Ask {
    Ask { path: format!("{}acme/web/key/order-1", shard_path(7)), hash: vec![1] }
}

#[test]
fn a_running_claim_is_dead_when_its_gateway_knows_that_nobody_serves_it() {
    let desk = |gateway: &str, epoch: u64| Desk::new(gateway.to_owned(), epoch);
    let (me, before, after) = (desk("me", 2), desk("me", 1), desk("me", 3));
    let other = desk("other", 9);
    let place = me.place(id(10), 0, 1_000);
    let running = place.claim(&ask(), State::Running);
    for (desk, is_dead) in [(&me, false), (&before, false), (&after, true), (&other, false)] {
        assert_eq!(desk.is_dead(&running), is_dead);
    }
    drop(place);
    assert!(me.is_dead(&running), "its request has gone");
    assert_eq!(running.until_ms, 31_000);
    assert_eq!(me.place(id(11), 0, u64::MAX).claim(&ask(), State::Running).expires_ms, i64::MAX);
}

#[tokio::test]
async fn whoever_was_taken_over_ends_nothing() {
    let (shared, ask) = (MemoryShared::default(), ask());
    let desk = Desk::new("me".to_owned(), 1);
    let (late, next) = (desk.place(id(10), 0, 1_000), desk.place(id(11), 0, 1_000));
    for (seen, place) in [(None, &late), (Some(1), &next)] {
        let running = place.claim(&ask, State::Running).encode_to_vec();
        assert_eq!(shared.swap(&ask.path, seen, running).await, Ok(true));
    }
    for (place, version) in [(&late, 2), (&next, 3), (&next, 3)] {
        let end = place.claim(&ask, State::Done);
        place.end(&shared, &ask, &end).await.expect("reached");
        let found = shared.get(&ask.path).await.expect("reached").expect("there");
        assert_eq!(found.version, version);
        assert_eq!(Claim::decode(&*found.value).expect("ours").request, id(11).as_bytes());
    }
}

#[tokio::test]
async fn a_sweep_removes_what_has_expired_and_nothing_else() {
    let shared = MemoryShared::default();
    let path = |shard: u8, name: &str| format!("{}{name}", shard_path(shard));
    for (path, expires_ms) in [(path(7, "old"), 1_000), (path(7, "new"), 1_001), (path(8, "old"), 1_000)] {
        let claim = Claim { expires_ms, ..claim(State::Done) };
        assert_eq!(shared.swap(&path, None, claim.encode_to_vec()).await, Ok(true));
    }
    assert_eq!(shared.swap(&path(7, "strange"), None, vec![255]).await, Ok(true));
    sweep(&shared, 7, 1_000).await.expect("reached");
    let left: Vec<String> =
        shared.list("once/").await.expect("reached").into_iter().map(|(path, _)| path).collect();
    assert_eq!(left, [path(7, "new"), path(7, "strange"), path(8, "old")]);
}
