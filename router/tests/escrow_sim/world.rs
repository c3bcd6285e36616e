//! Everything there is in a story, and its events one after the other.

use crate::draws::Draws;
use crate::journal::{Entry, Journal, Record};
use crate::store::{Message, Reply, Store};
use crate::story::{END_MS, Flaw, Story, WILD_MS};
use crate::tally::Tally;
use crate::truth::Truth;
use sluice_router::{EscrowShare, Hold, NanoUsd, ShareReport, Vault, VaultAnswer};
use std::collections::BTreeMap;

pub(crate) struct World {
    pub(crate) story: Story,
    pub(crate) draws: Draws,
    /// Milliseconds since the story's begin.
    pub(crate) now: i64,
    queue: BTreeMap<(i64, u64), Event>,
    count: u64,
    pub(crate) gateways: Vec<Gateway>,
    pub(crate) store: Store,
    pub(crate) truth: Truth,
    pub(crate) tally: Tally,
    /// What each crash may leave unattributed, by gateway, start and period.
    pub(crate) windows: BTreeMap<(usize, u64, i64), i64>,
    pub(crate) wrong: Option<String>,
}

pub(crate) enum Event {
    Arrives(usize),
    Tries { at: usize, run: u64, request: u64 },
    EngineEnds(u64),
    IsLeft(u64),
    Synced { at: usize, run: u64 },
    Reaches(Box<Message>),
    Comes(Box<Reply>),
    TimesOut { at: usize, run: u64, period: i64, send: u64 },
    Beats { at: usize, run: u64 },
    Crashes(usize),
    Falls(usize),
    Calms,
    Starts(usize),
    Jumps(usize),
    CutOff { at: usize, until: i64 },
    Funded,
    Hears { at: usize, funded: i64 },
}

pub(crate) struct Gateway {
    pub(crate) name: String,
    pub(crate) journal: Journal,
    pub(crate) skew_ms: i64,
    /// The budget's amount as this gateway's configuration has it.
    pub(crate) funded: i64,
    pub(crate) run: Option<Run>,
    pub(crate) is_gone: bool,
    pub(crate) cut_off_until: i64,
}

/// One start of a gateway.
pub(crate) struct Run {
    pub(crate) number: u64,
    pub(crate) epoch: u64,
    /// Its books by period.
    pub(crate) books: BTreeMap<i64, Book>,
    pub(crate) requests: BTreeMap<u64, Request>,
    pub(crate) holds: BTreeMap<u64, Hold>,
}

pub(crate) struct Book {
    pub(crate) share: EscrowShare,
    /// What the vault is being told.
    pub(crate) telling: Option<Telling>,
    pub(crate) told_ms: i64,
}

pub(crate) struct Telling {
    pub(crate) send: u64,
    pub(crate) report: ShareReport,
    pub(crate) stage: Stage,
}

pub(crate) enum Stage {
    Asked,
    /// Closings are on their way to the journal; then the swap goes.
    Journals {
        upto: usize,
        message: Box<Message>,
        answer: VaultAnswer,
    },
    Swapping(VaultAnswer),
}

pub(crate) struct Request {
    pub(crate) amount: i64,
    pub(crate) until: i64,
    pub(crate) waits: Waits,
    /// It tries again by itself, later.
    pub(crate) is_due: bool,
    pub(crate) is_hedged: bool,
    /// The least that was idle whenever it was short of money.
    pub(crate) least_left: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waits {
    Mark(i64),
    Grant,
}

impl World {
    pub(crate) fn new(seed: u64, tell: impl Fn(&mut Draws) -> Story) -> World {
        let mut draws = Draws::new(seed.wrapping_mul(0xD129_0D3B_3F1F_4A71));
        let story = tell(&mut draws);
        let gateways = (0..story.gateways).map(|at| Gateway {
            name: format!("g{at}"),
            journal: Journal::default(),
            skew_ms: 0,
            funded: story.budget,
            run: None,
            is_gone: false,
            cut_off_until: 0,
        });
        let (queue, store, truth, tally, windows) = Default::default();
        let gateways = gateways.collect();
        World { story, draws, now: 0, queue, count: 0, gateways, store, truth, tally, windows, wrong: None }
    }

    /// The whole story. What went wrong first, with the time.
    pub(crate) fn run(&mut self) -> Result<(), String> {
        self.begin();
        while let Some(((at, _), event)) = self.queue.pop_first() {
            if at > END_MS {
                break;
            }
            self.now = at;
            self.tally.steps += 1;
            if self.tally.steps > 300_000 {
                return Err(format!("at {} ms: it never comes to an end", self.now));
            }
            self.happens(event);
            self.check_step();
            if let Some(wrong) = self.wrong.take().or_else(|| self.store.wrong.take()) {
                return Err(format!("at {} ms: {wrong}", self.now));
            }
        }
        self.check_end()
    }

    fn begin(&mut self) {
        let faults = self.story.faults;
        for at in 0..self.gateways.len() {
            self.starts(at);
            let first = self.draws.below(500);
            self.later(first, Event::Arrives(at));
            if faults.crash_ms > 0 {
                let first = self.draws.below(2 * faults.crash_ms);
                self.later(first, Event::Crashes(at));
            }
            if faults.jumps {
                let first = self.draws.below(WILD_MS / 2);
                self.later(first, Event::Jumps(at));
            }
            if faults.partitions {
                let (first, lasts) = (self.draws.below(WILD_MS), self.draws.between(500, 4_000));
                self.later(first, Event::CutOff { at, until: first + lasts });
            }
        }
        if faults.funding {
            self.later(2_000, Event::Funded);
        }
        self.later(WILD_MS, Event::Calms);
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Arrives(at) => self.arrives(at),
            Event::Tries { at, run, request } => self.tries(at, run, request),
            Event::EngineEnds(attempt) => self.attempt_ends(attempt, false),
            Event::IsLeft(attempt) => self.attempt_ends(attempt, true),
            Event::Synced { at, run } => self.synced(at, run),
            Event::Reaches(message) => self.reaches(*message),
            Event::Comes(reply) => self.comes(*reply),
            Event::TimesOut { at, run, period, send } => self.times_out(at, run, period, send),
            Event::Beats { at, run } => self.beats(at, run),
            Event::Crashes(at) => self.crashes(at),
            Event::Falls(at) => self.falls(at),
            Event::Calms => self.calms(),
            Event::Starts(at) => self.starts(at),
            Event::Jumps(at) => self.jumps(at),
            Event::CutOff { at, until } => self.gateways[at].cut_off_until = until,
            Event::Funded => self.is_funded(),
            Event::Hears { at, funded } => self.gateways[at].funded = funded,
        }
    }

    pub(crate) fn later(&mut self, in_ms: i64, event: Event) {
        self.count += 1;
        self.queue.insert((self.now + in_ms, self.count), event);
    }

    /// A number that nothing else has.
    pub(crate) fn next(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    pub(crate) fn is_wild(&self) -> bool {
        self.now < WILD_MS
    }

    pub(crate) fn is_flawed(&self, flaw: Flaw) -> bool {
        self.story.flaw == flaw
    }

    /// Wall time as a gateway's clock has it.
    pub(crate) fn wall(&self, at: usize) -> i64 {
        self.story.begin_ms + self.now + self.gateways[at].skew_ms
    }

    /// The period that a gateway takes it to be.
    pub(crate) fn period(&self, at: usize) -> i64 {
        self.story.period.span(self.wall(at)).begin_ms
    }

    pub(crate) fn is_wrong(&mut self, what: String) {
        self.wrong.get_or_insert(what);
    }

    /// The run of a gateway, if it is that one.
    pub(crate) fn run_of(&mut self, at: usize, run: u64) -> Option<&mut Run> {
        self.gateways[at].run.as_mut().filter(|found| found.number == run)
    }

    pub(crate) fn book(&mut self, at: usize, period: i64) -> Option<&mut Book> {
        self.gateways[at].run.as_mut()?.books.get_mut(&period)
    }

    /// Hands a record to the journal's thread, which commits what it has whenever it is free.
    pub(crate) fn write(&mut self, at: usize, record: Record) {
        let period = record.period();
        let book = period.and_then(|period| self.book(at, period));
        let exposed = book.map_or(0, |book| (book.share.held() + book.share.waiting()).0);
        let gateway = &mut self.gateways[at];
        let Some(run) = &gateway.run else { return };
        let (epoch, number) = (run.epoch, run.number);
        gateway.journal.entries.push(Entry { epoch, record, exposed });
        if gateway.journal.committing.is_none() {
            self.commit(at, number);
        }
        // Crashes like to come where something is half done.
        if self.story.faults.crash_ms > 0 && self.draws.below(1_000) < 5 {
            let soon = self.draws.below(6);
            self.later(soon, Event::Falls(at));
        }
    }

    /// The journal's thread takes what there is.
    pub(crate) fn commit(&mut self, at: usize, run: u64) {
        let journal = &mut self.gateways[at].journal;
        journal.committing = Some(journal.entries.len());
        let lasts =
            if self.draws.percent(3) { self.draws.between(20, 200) } else { self.draws.between(1, 8) };
        self.later(lasts, Event::Synced { at, run });
    }

    /// The vault of a period as it is kept.
    pub(crate) fn vault(&self, period: i64) -> Option<&Vault> {
        self.store.vaults.get(&period).map(|(_, vault)| vault)
    }
}

pub(crate) fn usd(nano: i64) -> NanoUsd {
    NanoUsd(nano)
}
