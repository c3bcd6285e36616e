//! One HTTP/2 connection to an engine, replaced when it has fallen silent.
//!
//! A connection whose packets vanish looks like an engine that thinks for long: every call on it waits for its whole
//! patience, until keep-alive finds it dead. So whoever has waited in vain gives it up, and the next call opens another;
//! calls that still run on the old one keep it.

use crate::error::{ErrorKind, ExpertError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tonic::transport::Channel;

/// The connection in use.
pub(crate) struct Wire {
    open: Box<dyn Fn() -> Channel + Send + Sync>,
    held: Mutex<Held>,
}

struct Held {
    number: u64,
    channel: Channel,
}

/// The connection as a call found it.
pub(crate) struct Line {
    pub(crate) channel: Channel,
    number: u64,
}

impl Wire {
    pub(crate) fn new(open: impl Fn() -> Channel + Send + Sync + 'static) -> Wire {
        let held = Mutex::new(Held { number: 0, channel: open() });
        Wire { open: Box::new(open), held }
    }

    pub(crate) fn line(&self) -> Line {
        let held = self.held();
        Line { channel: held.channel.clone(), number: held.number }
    }

    /// Hears how a call on this line has ended.
    pub(crate) fn ended<T>(&self, line: &Line, end: Result<T, ExpertError>) -> Result<T, ExpertError> {
        let is_silent =
            |error: &ExpertError| matches!(error.kind, ErrorKind::FirstTokenTimeout | ErrorKind::IdleTimeout);
        if end.as_ref().is_err_and(is_silent) {
            let mut held = self.held();
            if held.number == line.number {
                *held = Held { number: line.number + 1, channel: (self.open)() };
            }
        }
        end
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing panics under it; were it otherwise, what it holds would still be whole.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
