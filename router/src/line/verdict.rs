//! What an answer tells of the replica that gave it, and what becomes of the replica.

use super::{Line, Seat};
use crate::health::Why;
use crate::time::Tick;

/// What the use of a place tells about its replica.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// It answered, with these times.
    Answered {
        /// Dispatch to first event.
        ttft_ms: f64,
        /// Per token after the first; `None` when there was at most one.
        tpot_ms: Option<f64>,
        /// Dispatch to end.
        service_ms: f64,
    },
    /// It answered in one piece.
    Whole {
        /// Tokens of the answer.
        output_tokens: u32,
        /// Dispatch to end.
        service_ms: f64,
    },
    /// It refused or was cut for a reason that tells nothing about it.
    Neutral,
    /// It had no room, which tells nothing of its health.
    Busy {
        /// How long to stay away.
        retry_after_ms: u64,
        /// Whether the quota is used up, that the whole pool shares, and not this replica's own room.
        is_quota: bool,
    },
    /// It failed by its own fault.
    Ill {
        /// No connection could be made.
        unreachable: bool,
    },
}

/// What has become of a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It takes work again.
    Back,
    /// It was taken out of work.
    Ejected(Why),
}

impl<W> Line<W> {
    /// The first event of an answer has come. Returns whether that has brought the replica back: then turns may have
    /// come.
    pub fn on_answering(&mut self, seat: Seat, now: Tick) -> bool {
        let replica = &mut self.replicas[seat.replica];
        // An answer in one piece has only an end.
        if !replica.work.is_whole(seat.number) {
            self.limits.first_token(seat, now);
            replica.work.first(seat.number, &mut self.speed, now, self.tpot_ms.value());
        }
        replica.health.on_answering(now)
    }

    /// Ends the use of a seat and frees it: turns may have come. Returns what has become of the replica, where
    /// something has.
    pub fn end(&mut self, seat: Seat, verdict: Verdict, now: Tick) -> Option<Change> {
        self.queue.release(seat.number);
        let verdict = self.in_parts(seat, verdict, now);
        let answered = match verdict {
            Verdict::Answered { tpot_ms, service_ms, .. } => Some((tpot_ms, service_ms)),
            Verdict::Whole { .. } | Verdict::Neutral | Verdict::Busy { .. } | Verdict::Ill { .. } => None,
        };
        self.limits.end(seat, answered);
        self.pass(now);
        let replica = &mut self.replicas[seat.replica];
        replica.in_flight -= 1;
        let tpot_ms = answered.and_then(|(tpot_ms, _)| tpot_ms);
        replica.work.end(seat.number, tpot_ms, &mut self.speed, now, self.tpot_ms.value());
        let change = self.judge(seat.replica, verdict, now);
        if let Verdict::Answered { ttft_ms, tpot_ms, service_ms } = verdict {
            self.ttft_ms.add(ttft_ms);
            self.places.answered(service_ms, now);
            if let Some(tpot_ms) = tpot_ms {
                self.tpot_ms.add(tpot_ms);
            }
        }
        self.vacate(seat.replica);
        change
    }

    /// An answer in one piece as one of which the first token was seen, with the parts of its time as they are thought
    /// to be.
    fn in_parts(&mut self, seat: Seat, verdict: Verdict, now: Tick) -> Verdict {
        let Verdict::Whole { output_tokens, service_ms } = verdict else { return verdict };
        let pace_ms = self.tpot_ms.value();
        let work = &mut self.replicas[seat.replica].work;
        let (ttft_ms, tpot_ms) = work.parts(seat.number, output_tokens, service_ms);
        work.complete(seat.number, ttft_ms, &mut self.speed, now, pace_ms);
        self.limits.first_token_after(seat, ttft_ms, now);
        Verdict::Answered { ttft_ms, tpot_ms, service_ms }
    }

    /// What a verdict means for the replica's health.
    fn judge(&mut self, at: usize, verdict: Verdict, now: Tick) -> Option<Change> {
        let health = &mut self.replicas[at].health;
        match verdict {
            Verdict::Answered { .. } | Verdict::Whole { .. } => {
                health.on_success(now).then_some(Change::Back)
            }
            Verdict::Neutral => {
                health.on_unknown(now);
                None
            }
            Verdict::Busy { retry_after_ms, is_quota: true } => {
                health.on_unknown(now);
                self.cooldown.ask(retry_after_ms, now);
                None
            }
            Verdict::Busy { retry_after_ms, is_quota: false } => {
                health.on_busy(retry_after_ms, now);
                None
            }
            Verdict::Ill { unreachable } => {
                let why = health.on_failure(now, unreachable).or_else(|| self.compare(at, now));
                if why.is_some() || unreachable {
                    // An engine that comes back has most likely lost its cache.
                    self.replicas[at].prefixes.clear();
                }
                why.map(Change::Ejected)
            }
        }
    }
}
