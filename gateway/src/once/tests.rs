//! What a claim means, and what is kept of an outcome.

use super::claim::{Claim, KeptFault, Meaning, State};
use super::outcome::{MOST_BYTES, Outcome, Tape, replay};
use crate::error::{Fault, FaultCode, Retry};
use crate::request::OutEvent;
use sluice_proto::v1;
use sluice_router::NanoUsd;

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
    Some(OutEvent::Failed(Fault::passing(FaultCode::UpstreamTimeout, 1_000, "silent")))
}

#[test]
fn a_failure_that_cost_nothing_frees_the_key() {
    let (told, outcome) = Tape::default().end(failed(), NanoUsd::ZERO);
    assert!(matches!(outcome, Outcome::Nothing));
    assert!(matches!(told, OutEvent::Failed(Fault { retry: Retry::AfterMs(1_000), .. })));
}

#[test]
fn a_failure_that_was_charged_is_final_and_told_again() {
    let mut tape = Tape::default();
    tape.keep(&OutEvent::Started(v1::Started { expert: "big".to_owned(), ..v1::Started::default() }));
    let (told, outcome) = tape.end(failed(), NanoUsd(1));
    let (OutEvent::Failed(told), Outcome::Kept(events, fault)) = (told, outcome) else { panic!("not kept") };
    assert_eq!((told.retry, told.replayed), (Retry::Never, false));
    let again = replay(Claim { events, fault, ..claim(State::Done) });
    let [OutEvent::Started(started), OutEvent::Failed(fault)] = &again[..] else { panic!("{again:?}") };
    assert!(started.replayed && started.expert == "big");
    assert_eq!(*fault, Fault { replayed: true, ..told });
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
        tape.keep(&OutEvent::Finished(finished.clone()));
        tape.end(Some(OutEvent::Finished(finished)), NanoUsd(1)).1
    };
    let most = MOST_BYTES / 1_024;
    assert!(matches!(kept(most - 2), Outcome::Kept(events, None) if events.len() == most - 1));
    assert!(matches!(kept(most), Outcome::TooLarge));
}
