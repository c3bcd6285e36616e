//! Requests at a gateway: held, sent, settled, whatever their end.

use crate::journal::Record;
use crate::story::{Flaw, PATIENCE_MS};
use crate::truth::{Attempt, State};
use crate::world::{Event, Request, Waits, World, usd};
use sluice_router::{Mark, Short};

impl World {
    pub(crate) fn arrives(&mut self, at: usize) {
        if !self.is_wild() {
            return;
        }
        let gap = self.draws.below(2 * self.story.gap_ms);
        self.later(gap, Event::Arrives(at));
        let amount = match self.draws.below(4) {
            0 => self.story.largest_hold,
            _ => self.draws.between(1, self.story.largest_hold),
        };
        let (id, until, is_hedged) = (self.next(), self.now + PATIENCE_MS, self.draws.percent(10));
        let Some(run) = &mut self.gateways[at].run else { return };
        run.requests.insert(
            id,
            Request { amount, until, waits: Waits::Grant, is_due: false, is_hedged, least_left: i64::MAX },
        );
        self.try_to_hold(at, id);
    }

    pub(crate) fn tries(&mut self, at: usize, run: u64, request: u64) {
        let Some(found) = self.run_of(at, run).and_then(|run| run.requests.get_mut(&request)) else { return };
        found.is_due = false;
        if found.waits == Waits::Grant {
            self.try_to_hold(at, request);
        }
    }

    /// All that wait for this try again.
    pub(crate) fn try_all(&mut self, at: usize, waits: Waits) {
        let Some(run) = &self.gateways[at].run else { return };
        let waiting = run.requests.iter().filter(|(_, request)| request.waits == waits);
        for id in waiting.map(|(id, _)| *id).collect::<Vec<u64>>() {
            self.try_to_hold(at, id);
        }
    }

    fn try_to_hold(&mut self, at: usize, id: u64) {
        let period = self.period(at);
        self.open_book(at, period);
        let Some(run) = &mut self.gateways[at].run else { return };
        let (Some(request), Some(book)) = (run.requests.get_mut(&id), run.books.get_mut(&period)) else {
            return;
        };
        let amount = request.amount;
        match book.share.hold(usd(amount)) {
            Ok(hold) => {
                let is_hedged = request.is_hedged;
                run.requests.remove(&id);
                let attempt = self.attempt(at, period, amount);
                if let Some(run) = &mut self.gateways[at].run {
                    run.holds.insert(attempt, hold);
                }
                self.held(at, period, attempt);
                if is_hedged {
                    self.hedge(at, period, attempt);
                }
            }
            Err(Short::Mark) => {
                request.waits = Waits::Mark(period);
                self.raise(at, period, amount);
            }
            Err(Short::Grant { free, held }) => self.is_short(at, period, id, (free + held).0),
        }
    }

    fn is_short(&mut self, at: usize, period: i64, id: u64, own: i64) {
        let (now, left) = (self.now, self.left(period));
        if self.is_flawed(Flaw::SettledWithoutHold) && self.draws.percent(20) {
            return self.send_without_hold(at, period, id);
        }
        let Some(run) = &mut self.gateways[at].run else { return };
        let (Some(request), Some(book)) = (run.requests.get_mut(&id), run.books.get_mut(&period)) else {
            return;
        };
        request.waits = Waits::Grant;
        request.least_left = request.least_left.min(left);
        let least_left = request.least_left;
        let (amount, answer, number) = (request.amount, book.share.last_answer(), run.number);
        let has_asked = answer.number > 0 && now > request.until - PATIENCE_MS + 300;
        let is_hopeless = has_asked && amount > own + answer.free.0 + answer.elsewhere.0;
        if now >= request.until || is_hopeless {
            run.requests.remove(&id);
            self.is_refused(period, amount, least_left);
        } else if !std::mem::replace(&mut request.is_due, true) {
            let pause = self.draws.between(50, 300);
            self.later(pause, Event::Tries { at, run: number, request: id });
        }
        self.tell_if_due(at, period);
    }

    fn attempt(&mut self, at: usize, period: i64, hold: i64) -> u64 {
        let full_cost = match self.draws.below(20) {
            0 => hold + self.draws.below(hold),
            1 => 0,
            2..=7 => hold,
            _ => self.draws.below(hold + 1),
        };
        let (id, lasts_ms) = (self.next(), self.draws.between(1, 1_500));
        let (run, epoch) = self.gateways[at].run.as_ref().map_or((0, 0), |run| (run.number, run.epoch));
        let (gateway, state, twin) = (at, State::Waits, None);
        let attempt = Attempt { gateway, run, epoch, period, hold, full_cost, lasts_ms, state, twin };
        self.truth.attempts.insert(id, attempt);
        id
    }

    /// With holds that are synced, nothing leaves before its own hold is durable.
    fn held(&mut self, at: usize, period: i64, attempt: u64) {
        if self.story.holds_are_synced {
            let amount = self.truth.attempts[&attempt].hold;
            self.write(at, Record::Hold { period, attempt, amount });
        } else {
            self.send(attempt);
            self.raise(at, period, 0);
        }
        self.tell_if_due(at, period);
    }

    fn send(&mut self, attempt: u64) {
        let lasts_ms = self.truth.attempts[&attempt].lasts_ms;
        self.truth.sent(attempt, self.now);
        self.tally.sent += 1;
        self.later(lasts_ms, Event::EngineEnds(attempt));
        if self.draws.percent(15) {
            let left = self.draws.below(lasts_ms);
            self.later(left, Event::IsLeft(attempt));
        }
    }

    /// A second attempt beside the first, if there is money for it; whichever ends first cuts the other.
    fn hedge(&mut self, at: usize, period: i64, first: u64) {
        let amount = self.truth.attempts[&first].hold;
        let Some(book) = self.book(at, period) else { return };
        let Ok(hold) = book.share.hold(usd(amount)) else { return self.raise(at, period, 0) };
        let second = self.attempt(at, period, amount);
        for (one, other) in [(first, second), (second, first)] {
            self.truth.attempts.get_mut(&one).expect("both are kept").twin = Some(other);
        }
        if let Some(run) = &mut self.gateways[at].run {
            run.holds.insert(second, hold);
        }
        self.held(at, period, second);
    }

    fn send_without_hold(&mut self, at: usize, period: i64, id: u64) {
        let Some(run) = &mut self.gateways[at].run else { return };
        let Some(request) = run.requests.remove(&id) else { return };
        let attempt = self.attempt(at, period, request.amount);
        self.send(attempt);
    }

    /// An attempt has ended: by itself, or as its client left or its twin was faster.
    pub(crate) fn attempt_ends(&mut self, id: u64, is_left: bool) {
        let attempt = self.truth.attempts[&id].clone();
        if matches!(attempt.state, State::Ended { .. }) {
            return;
        }
        let is_alive = self.run_of(attempt.gateway, attempt.run).is_some();
        if is_left && !is_alive {
            return; // Nobody is there to tell the engine.
        }
        self.tally.aborted += u64::from(is_left);
        let cost = self.truth.ended(id, self.now);
        if is_alive {
            self.settle(attempt.gateway, id, cost);
            if let Some(twin) = attempt.twin {
                self.attempt_ends(twin, true);
            }
        }
    }

    fn settle(&mut self, at: usize, id: u64, cost: i64) {
        let period = self.truth.attempts[&id].period;
        let Some(run) = &mut self.gateways[at].run else { return };
        let paid = match (run.holds.remove(&id), run.books.get_mut(&period)) {
            (Some(hold), Some(book)) => book.share.settle(hold, usd(cost)).paid.0,
            _ => cost.min(self.truth.attempts[&id].hold),
        };
        self.write(at, Record::Settle { period, attempt: id, paid });
        self.lower(at, period);
        self.try_all(at, Waits::Grant);
        self.tell_if_due(at, period);
    }

    pub(crate) fn raise(&mut self, at: usize, period: i64, amount: i64) {
        let mark = self.book(at, period).and_then(|book| book.share.raise_due(usd(amount)));
        self.mark(at, period, mark);
    }

    pub(crate) fn lower(&mut self, at: usize, period: i64) {
        let is_over = period != self.period(at);
        let mark = self.book(at, period).and_then(|book| book.share.lower_due(is_over));
        self.mark(at, period, mark);
    }

    fn mark(&mut self, at: usize, period: i64, mark: Option<Mark>) {
        let Some(mark) = mark else { return };
        self.write(at, Record::Mark { period, number: mark.number, amount: mark.amount.0 });
        if self.is_flawed(Flaw::MarkBeforeDurable) {
            self.marked(at, period, mark.number, mark.amount.0);
        }
    }

    /// A commit has ended: what it took is durable, and what came meanwhile is the next.
    pub(crate) fn synced(&mut self, at: usize, run: u64) {
        if self.run_of(at, run).is_none() {
            return;
        }
        let journal = &mut self.gateways[at].journal;
        let (from, upto) = (journal.synced, journal.committing.take().unwrap_or(journal.synced));
        journal.synced = upto;
        let durable = journal.entries[from..upto].to_vec();
        if journal.entries.len() > upto {
            self.commit(at, run);
        }
        for entry in durable {
            match entry.record {
                Record::Hold { attempt, .. } if self.truth.attempts[&attempt].state == State::Waits => {
                    self.send(attempt);
                }
                Record::Mark { period, number, amount } if !self.is_flawed(Flaw::MarkBeforeDurable) => {
                    self.marked(at, period, number, amount)
                }
                _ => (),
            }
        }
        self.swap_what_is_journaled(at);
    }

    fn marked(&mut self, at: usize, period: i64, number: u64, amount: i64) {
        let Some(book) = self.book(at, period) else { return };
        book.share.marked(Mark { number, amount: usd(amount) });
        self.try_all(at, Waits::Mark(period));
        self.lower(at, period);
        self.tell_if_due(at, period);
    }
}
