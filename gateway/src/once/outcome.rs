//! What a request came to: written down as it comes, kept in its claim, and given again.

use super::ask::Ask;
use super::claim::{Claim, KeptFault, State};
use super::desk::Place;
use crate::error::{Fault, FaultCode, Retry};
use crate::request::OutEvent;
use prost::Message as _;
use sluice_proto::v1;
use sluice_proto::v1::generate_event::Event;
use sluice_router::NanoUsd;

/// The events of an answer so far, as long as they are not too many to be kept.
#[derive(Default)]
pub(super) struct Tape {
    events: Vec<v1::GenerateEvent>,
    bytes: usize,
}

/// What a request came to.
pub(super) enum Outcome {
    /// Nothing, and it cost nothing: whoever sends it again is served.
    Nothing,
    /// It was answered or charged: whoever sends it again gets these.
    Kept(Vec<v1::GenerateEvent>, Option<KeptFault>),
    /// It was answered or charged, with more than can be kept.
    TooLarge,
}

impl Tape {
    /// Writes an event down.
    pub(super) fn keep(&mut self, event: &OutEvent) {
        let event = match event.clone() {
            OutEvent::Started(started) => Event::Started(*started),
            OutEvent::Delta(delta) => Event::Text(delta),
            OutEvent::Finished(finished) => Event::Finished(*finished),
            OutEvent::Failed(_) => return,
        };
        let event = v1::GenerateEvent { event: Some(event) };
        self.bytes = self.bytes.saturating_add(event.encoded_len());
        match self.bytes <= MOST_BYTES {
            true => self.events.push(event),
            false => self.events = Vec::new(),
        }
    }

    /// How the client is told of the end, and what is kept. A failure that was charged is final under its key, so its
    /// client is not advised to send the same again.
    pub(super) fn end(self, end: Option<OutEvent>, cost: NanoUsd) -> (OutEvent, Outcome) {
        match end {
            Some(OutEvent::Failed(fault)) if cost == NanoUsd::ZERO => {
                (OutEvent::Failed(fault), Outcome::Nothing)
            }
            Some(OutEvent::Failed(fault)) => {
                let fault = Box::new(Fault {
                    retry: Retry::Never,
                    detail: format!(
                        "{}; it was charged, so a retry needs a new idempotency key",
                        fault.detail
                    ),
                    ..*fault
                });
                let kept = KeptFault {
                    code: fault.code.name().to_owned(),
                    detail: fault.detail.clone(),
                    param: fault.param.clone(),
                };
                (OutEvent::Failed(fault), self.outcome(Some(kept)))
            }
            Some(end) => (end, self.outcome(None)),
            None => {
                let fault = Fault::new(FaultCode::Internal, "the answer ended without saying how");
                (OutEvent::Failed(Box::new(fault)), Outcome::Nothing)
            }
        }
    }

    fn outcome(self, fault: Option<KeptFault>) -> Outcome {
        match self.bytes <= MOST_BYTES {
            true => Outcome::Kept(self.events, fault),
            false => Outcome::TooLarge,
        }
    }
}

impl Outcome {
    /// The claim of this request with its end.
    pub(super) fn claim(self, place: &Place<'_>, ask: &Ask) -> Claim {
        match self {
            Outcome::Nothing => place.claim(ask, State::Free),
            Outcome::Kept(events, fault) => Claim { events, fault, ..place.claim(ask, State::Done) },
            Outcome::TooLarge => Claim { is_too_large: true, ..place.claim(ask, State::Done) },
        }
    }
}

/// The events of a kept outcome, marked as given again.
pub(super) fn replay(claim: Claim) -> Vec<OutEvent> {
    let events = claim.events.into_iter().filter_map(|event| event.event);
    let fault = claim.fault.map(|kept| OutEvent::Failed(Box::new(fault(kept))));
    let again = events.map(|event| match event {
        Event::Started(started) => OutEvent::Started(Box::new(v1::Started { replayed: true, ..started })),
        Event::Text(delta) => OutEvent::Delta(delta),
        Event::Finished(finished) => OutEvent::Finished(Box::new(finished)),
    });
    again.chain(fault).collect()
}

fn fault(kept: KeptFault) -> Fault {
    let code = FaultCode::ALL.iter().find(|code| code.name() == kept.code);
    let code = code.copied().unwrap_or(FaultCode::Internal);
    Fault { param: kept.param, replayed: true, ..Fault::new(code, kept.detail) }
}

/// The most that is kept of one outcome.
pub(super) const MOST_BYTES: usize = 256 << 10;
