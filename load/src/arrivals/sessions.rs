//! Conversations: each arrival begins a session, and its further turns follow the answers.

use super::{Arrivals, nanos};
use crate::sample::Planned;
use std::collections::HashMap;

/// Prompts of one session stand side by side in the numbering: turn `t` of session `s` is `s * turns + t`.
struct Sessions {
    starts: Box<dyn Arrivals>,
    turns: usize,
    think: u64,
    /// Turns done by session, and the request that began it.
    open: HashMap<u64, (usize, Planned)>,
}

/// Sessions of so many turns, each begun by one of `starts`.
pub(super) fn wrap(starts: Box<dyn Arrivals>, turns: usize, think_s: f64) -> Box<dyn Arrivals> {
    Box::new(Sessions { starts, turns: turns.max(1), think: nanos(think_s), open: HashMap::new() })
}

impl Sessions {
    fn begin(&mut self, start: Planned) -> Planned {
        let session = start.prompt as u64;
        self.open.insert(session, (0, start));
        self.turn(session, 0, start.at)
    }

    fn turn(&self, session: u64, turn: usize, at: u64) -> Planned {
        let prompt = session as usize * self.turns + turn;
        Planned { at, prompt, session: Some(session), ..Planned::default() }
    }
}

impl Arrivals for Sessions {
    fn next(&mut self) -> Option<Planned> {
        let start = self.starts.next()?;
        Some(self.begin(start))
    }

    fn follow(&mut self, ended: &Planned, now: u64, is_ok: bool) -> Option<Planned> {
        let session = ended.session?;
        let (done, start) = self.open.remove(&session)?;
        let turn = done + 1;
        if is_ok && turn < self.turns {
            self.open.insert(session, (turn, start));
            return Some(self.turn(session, turn, now.saturating_add(self.think)));
        }
        let start = self.starts.follow(&start, now, is_ok)?;
        Some(self.begin(start))
    }
}
