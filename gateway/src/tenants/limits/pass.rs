//! What a request holds of its levels' limits, from the door to the last byte.

use super::gate::Gate;
use super::running::Slot;
use std::sync::Arc;

/// A request's place among those that run, and what was taken of its rates. Dropping it frees the place.
#[derive(Default)]
pub(crate) struct Pass {
    pub(super) held: Vec<Held>,
}

/// What is held at one level.
pub(super) struct Held {
    pub(super) gate: Arc<Gate>,
    pub(super) _slot: Option<Slot>,
    /// Requests taken: 0 or 1.
    pub(super) requests: u64,
    /// Tokens taken, by estimate; `None` where they are not limited.
    pub(super) tokens: Option<u64>,
}

impl Pass {
    /// Corrects the estimate of the tokens to those that were used. Once: what follows changes nothing.
    pub(crate) fn settle(&mut self, used: u64) {
        for held in &mut self.held {
            if let Some(taken) = held.tokens.take() {
                held.gate.tokens.correct(taken, used);
            }
        }
    }

    /// Gives everything back: the request was refused at one of its levels.
    pub(super) fn undo(&mut self) {
        self.settle(0);
        for held in &mut self.held {
            held.gate.requests.correct(std::mem::take(&mut held.requests), 0);
        }
    }
}
