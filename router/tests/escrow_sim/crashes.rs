//! Crashes, restarts, clocks that jump, budgets that change.

use crate::journal::{Entry, Record};
use crate::truth::State;
use crate::world::{Book, Event, Gateway, Run, World};
use sluice_router::{MARK_WINDOW, NanoUsd};
use std::collections::BTreeMap;

impl World {
    /// A gateway starts: its number is durable before anything else, and what earlier starts left is to be closed.
    pub(crate) fn starts(&mut self, at: usize) {
        let number = self.next();
        let Gateway { journal, run, is_gone, .. } = &mut self.gateways[at];
        if run.is_some() || *is_gone {
            return;
        }
        let epoch = journal.epochs() + 1;
        journal.entries.push(Entry { epoch, record: Record::Start, exposed: 0 });
        journal.synced = journal.entries.len();
        let (books, requests, holds) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        *run = Some(Run { number, epoch, books, requests, holds });
        self.lists(at);
        self.later(200, Event::Beats { at, run: number });
    }

    /// Looks through all vaults for shares of earlier starts. Not once only: what such a one has sent may still arrive.
    fn lists(&mut self, at: usize) {
        let gateway = &self.gateways[at];
        let Some(run) = gateway.run.as_ref().filter(|_| gateway.cut_off_until <= self.now) else { return };
        let listed = self.store.vaults.iter();
        let listed = listed.filter(|(_, (_, vault))| !vault.earlier(&gateway.name, run.epoch).is_empty());
        for period in listed.map(|(period, _)| *period).collect::<Vec<i64>>() {
            self.open_book(at, period);
            self.tell(at, period);
        }
    }

    /// What a gateway does from time to time: it is heard of, and gives back what periods that are over have left.
    pub(crate) fn beats(&mut self, at: usize, run: u64) {
        let now = self.now;
        let Some(run) = self.run_of(at, run) else { return };
        let number = run.number;
        // Who has idle money asks more often whether others are in want of it.
        let pause = |book: &Book| if book.share.free() > NanoUsd::ZERO { 250 } else { 1_000 };
        let books = run.books.iter().map(|(period, book)| (*period, book.told_ms + pause(book)));
        for (period, due_ms) in books.collect::<Vec<(i64, i64)>>() {
            self.lower(at, period);
            if now > due_ms {
                self.tell(at, period);
            }
            self.tell_if_due(at, period);
        }
        self.lists(at);
        self.later(200, Event::Beats { at, run: number });
    }

    pub(crate) fn crashes(&mut self, at: usize) {
        if !self.is_wild() {
            return;
        }
        let again = self.draws.between(50, 2 * self.story.faults.crash_ms);
        self.later(again, Event::Crashes(at));
        self.falls(at);
    }

    pub(crate) fn falls(&mut self, at: usize) {
        if self.is_wild() && self.gateways[at].run.is_some() {
            self.crash(at);
            self.gateways[at].is_gone = self.draws.percent(self.story.faults.gone);
            self.tally.gone += u64::from(self.gateways[at].is_gone);
            let down = self.draws.between(1, 4_000);
            self.later(down, Event::Starts(at));
        }
    }

    /// Everything in memory is gone, and the end of the journal; engines go on or not.
    pub(crate) fn crash(&mut self, at: usize) {
        let Some(run) = self.gateways[at].run.take() else { return };
        self.tally.crashes += 1;
        let journal = &mut self.gateways[at].journal;
        let kept = self.draws.between(journal.synced as i64, journal.entries.len() as i64);
        journal.tear(kept as usize);
        for period in run.books.keys() {
            let window = self.window(at, &run, *period);
            self.windows.insert((at, run.epoch, *period), window);
        }
        let is_cut = self.draws.percent(50);
        let own = self.truth.attempts.iter().filter(|(_, attempt)| attempt.run == run.number);
        let under_way: Vec<(u64, State)> = own.map(|(id, attempt)| (*id, attempt.state)).collect();
        for (id, state) in under_way {
            if state == State::Waits || (is_cut && matches!(state, State::Runs { .. })) {
                self.truth.ended(id, self.now);
            }
        }
    }

    /// What this crash may leave unattributed, by the promise of its mode.
    fn window(&self, at: usize, run: &Run, period: i64) -> i64 {
        let word = self.gateways[at].journal.word(run.epoch, period);
        let own = |attempt: &&crate::truth::Attempt| attempt.run == run.number && attempt.period == period;
        if self.story.holds_are_synced {
            // The holds that were under way, or whose settlement was.
            let attempts =
                self.truth.attempts.iter().filter(|(id, attempt)| own(attempt) && word.open.contains_key(id));
            return attempts.map(|(_, attempt)| attempt.hold).sum();
        }
        let window = run.books[&period].share.window().0.max(self.story.largest_hold * MARK_WINDOW);
        word.exposed + window + self.story.largest_hold
    }

    pub(crate) fn jumps(&mut self, at: usize) {
        if !self.is_wild() {
            return;
        }
        const HOUR_MS: i64 = 3_600_000;
        let by = self.draws.one_of(&[HOUR_MS, 1_000, 5_000]);
        self.gateways[at].skew_ms = self.draws.between(-by, by);
        self.tally.jumps += 1;
        let again = self.draws.between(500, 8_000);
        self.later(again, Event::Jumps(at));
    }

    /// The budget is changed; each gateway hears of it in its own time.
    pub(crate) fn is_funded(&mut self) {
        if !self.is_wild() {
            return;
        }
        let funded = self.draws.below(2 * self.story.budget);
        for at in 0..self.gateways.len() {
            let heard = self.draws.below(1_500);
            self.later(heard, Event::Hears { at, funded });
        }
        let again = self.draws.between(1_000, 8_000);
        self.later(again, Event::Funded);
    }

    /// From now on everything works, and whoever can comes back.
    pub(crate) fn calms(&mut self) {
        for at in 0..self.gateways.len() {
            self.later(0, Event::Starts(at));
        }
    }
}
