//! How far a long work is: on a terminal, and only once it has taken two seconds.

use sluice_lab::Stopwatch;
use std::io::{IsTerminal as _, Write as _};

/// One line of stderr that is written over.
pub(super) struct Progress {
    what: &'static str,
    clock: Stopwatch,
    is_shown: bool,
}

impl Progress {
    pub(super) fn new(what: &'static str) -> Progress {
        Progress { what, clock: Stopwatch::start(), is_shown: false }
    }

    /// `done` of `all` are behind.
    pub(super) fn at(&mut self, done: usize, all: usize) {
        let is_long = self.clock.seconds() >= LONG_S;
        if std::io::stderr().is_terminal() && (self.is_shown || (is_long && done < all)) {
            self.is_shown = true;
            let end = if done == all { "\n" } else { "" };
            // A closed stderr must not end the work.
            let _ = write!(std::io::stderr().lock(), "\r{}: {done}/{all}{end}", self.what);
        }
    }
}

const LONG_S: f64 = 2.0;
