//! What gateways tell the vault, over a network that loses, repeats and delays.

use crate::journal::Record;
use crate::store::{Ask, Closed, Message, Reply, Sender, Told, unfenced};
use crate::story::{Flaw, LIFE_MS, Transport};
use crate::world::{Book, Event, Stage, Telling, Waits, World, usd};
use sluice_router::{EscrowShare, Holder, NanoUsd, ShareRules, Vault, VaultAnswer};

impl World {
    /// The gateway's side of a period's budget, from the first time that it is needed.
    pub(crate) fn open_book(&mut self, at: usize, period: i64) {
        let rules = ShareRules { holds_are_synced: self.story.holds_are_synced, life_ms: LIFE_MS };
        let gateway = self.gateways[at].name.clone();
        let Some(run) = &mut self.gateways[at].run else { return };
        let holder = Holder { gateway, epoch: run.epoch };
        let new = || Book { share: EscrowShare::new(holder, rules), telling: None, told_ms: 0 };
        run.books.entry(period).or_insert_with(new);
    }

    pub(crate) fn tell_if_due(&mut self, at: usize, period: i64) {
        if self.book(at, period).is_some_and(|book| book.share.is_report_due()) {
            self.tell(at, period);
        }
    }

    /// Tells the vault where the share stands, unless that is under way.
    pub(crate) fn tell(&mut self, at: usize, period: i64) {
        let is_over = period != self.period(at);
        let (is_twice, now) = (self.is_flawed(Flaw::ReturnedTwice), self.now);
        let Some(run) = &mut self.gateways[at].run else { return };
        let waiting = run.requests.values().filter(|request| request.waits == Waits::Grant);
        let waiting = if is_over { NanoUsd::ZERO } else { waiting.map(|request| usd(request.amount)).sum() };
        let Some(book) = run.books.get_mut(&period) else { return };
        if book.telling.is_some() {
            return;
        }
        let mut report = book.share.report(waiting, is_over);
        if is_twice {
            report.returned += report.returned;
        }
        book.told_ms = now;
        book.telling = Some(Telling { send: 0, report, stage: Stage::Asked });
        self.post(at, period);
    }

    fn post(&mut self, at: usize, period: i64) {
        let now_ms = self.wall(at);
        let close = self.closings(at, period);
        let funded = usd(self.gateways[at].funded);
        let send = self.next();
        let Some(book) = self.book(at, period) else { return };
        let Some(telling) = &mut book.telling else { return };
        (telling.send, telling.stage) = (send, Stage::Asked);
        let report = telling.report.clone();
        let ask = match self.story.transport {
            Transport::Swap => Ask::Get,
            Transport::Call => Ask::Call { close, report, funded, now_ms },
        };
        self.ship(at, period, send, ask);
    }

    fn ship(&mut self, at: usize, period: i64, send: u64, ask: Ask) {
        let Some(run) = &self.gateways[at].run else { return };
        let from = Sender { gateway: at, run: run.number, period, send };
        let patience = self.draws.between(100, 400);
        self.later(patience, Event::TimesOut { at, run: from.run, period, send });
        let message = Message { from, ask };
        self.carry(at, || Event::Reaches(Box::new(message.clone())));
    }

    /// A message's way: once, never, twice, soon or late.
    fn carry(&mut self, at: usize, event: impl Fn() -> Event) {
        let faults = self.story.faults;
        if !self.is_wild() {
            let delay = self.draws.between(1, 5);
            return self.later(delay, event());
        }
        if self.gateways[at].cut_off_until > self.now || self.draws.percent(faults.lost) {
            self.tally.lost += 1;
            return;
        }
        let copies = 1 + i64::from(self.draws.percent(faults.twice));
        self.tally.twice += copies as u64 - 1;
        for _ in 0..copies {
            let is_late = self.draws.percent(faults.late);
            self.tally.late += u64::from(is_late);
            let delay = if is_late { self.draws.between(200, 5_000) } else { self.draws.between(1, 15) };
            self.later(delay, event());
        }
    }

    pub(crate) fn reaches(&mut self, message: Message) {
        let to = message.from;
        let has_fences = !self.is_flawed(Flaw::NoFence);
        let told = self.store.take(message, has_fences);
        let reply = Reply { to, told };
        self.carry(to.gateway, || Event::Comes(Box::new(reply.clone())));
    }

    pub(crate) fn comes(&mut self, reply: Reply) {
        let Sender { gateway: at, run, period, send } = reply.to;
        let Some(book) = self.run_of(at, run).and_then(|run| run.books.get_mut(&period)) else { return };
        let is_awaited = book.telling.as_ref().is_some_and(|telling| telling.send == send);
        match reply.told {
            // Whatever the vault itself has done is done, however late it is heard of.
            Told::Called(Ok(answer)) => {
                if is_awaited {
                    book.telling = None;
                }
                self.answered(at, period, answer);
            }
            Told::Called(Err(unlawful)) => self.is_wrong(format!("a lawful gateway is refused: {unlawful}")),
            Told::Found(version, vault) if is_awaited => self.finds(at, period, version, vault),
            Told::Swapped(is_done) if is_awaited => self.is_swapped(at, period, is_done),
            Told::Found(..) | Told::Swapped(_) => (),
        }
    }

    /// The vault as it is: closings first, then the report; then it is swapped if nobody else did meanwhile.
    fn finds(&mut self, at: usize, period: i64, version: u64, mut vault: Vault) {
        vault.fund(usd(self.gateways[at].funded));
        self.expire(at, &mut vault);
        let (now_ms, send) = (self.wall(at), self.next());
        let earlier = self.closings(at, period);
        let Some(run) = &self.gateways[at].run else { return };
        let listed = vault.earlier(&self.gateways[at].name, run.epoch);
        let (Some(book), number) = (run.books.get(&period), run.number) else { return };
        let Some(telling) = &book.telling else { return };
        let report = telling.report.clone();
        let mut closed = Vec::new();
        for (holder, spent, unattributed) in
            earlier.into_iter().filter(|(holder, ..)| listed.contains(&holder.epoch))
        {
            match vault.close(&holder, spent, unattributed) {
                Ok(closing) => closed.push(Closed { holder, closing }),
                Err(unlawful) => return self.is_wrong(format!("a closing is refused: {unlawful}")),
            }
        }
        let answer = match vault.report(&report, now_ms) {
            Ok(answer) => answer,
            Err(unlawful) => return self.is_wrong(format!("a lawful gateway is refused: {unlawful}")),
        };
        if self.is_flawed(Flaw::NoFence) {
            vault = unfenced(&vault);
        }
        if self.is_flawed(Flaw::AnswerBeforeSwap) {
            self.answered(at, period, answer);
        }
        for Closed { holder, closing } in &closed {
            let (spent, unattributed) = (closing.spent.0, closing.unattributed.0);
            self.write(at, Record::Close { period, of: holder.epoch, spent, unattributed });
        }
        let is_empty = closed.is_empty();
        let from = Sender { gateway: at, run: number, period, send };
        let message = Box::new(Message { from, ask: Ask::Swap { seen: version, vault, closed } });
        let upto = if is_empty { 0 } else { self.gateways[at].journal.entries.len() };
        if let Some(telling) = self.book(at, period).and_then(|book| book.telling.as_mut()) {
            // The answer to this swap counts, and nothing that was on its way before.
            telling.send = send;
            telling.stage = Stage::Journals { upto, message, answer };
        }
        self.swap_what_is_journaled(at);
    }

    /// Swaps whose closings have become durable go.
    pub(crate) fn swap_what_is_journaled(&mut self, at: usize) {
        let synced = self.gateways[at].journal.synced;
        let Some(run) = &mut self.gateways[at].run else { return };
        let mut out = Vec::new();
        for (period, book) in &mut run.books {
            let Some(telling) = &mut book.telling else { continue };
            match std::mem::replace(&mut telling.stage, Stage::Asked) {
                Stage::Journals { upto, message, answer } if upto <= synced => {
                    telling.stage = Stage::Swapping(answer);
                    out.push((*period, telling.send, message.ask));
                }
                stage => telling.stage = stage,
            }
        }
        for (period, send, ask) in out {
            self.ship(at, period, send, ask);
        }
    }

    fn is_swapped(&mut self, at: usize, period: i64, is_done: bool) {
        let Some(book) = self.book(at, period) else { return };
        match book.telling.as_ref().map(|telling| &telling.stage) {
            Some(Stage::Swapping(answer)) if is_done => {
                let answer = *answer;
                book.telling = None;
                self.answered(at, period, answer);
            }
            Some(Stage::Swapping(_)) => self.post(at, period),
            _ => (),
        }
    }

    fn answered(&mut self, at: usize, period: i64, answer: VaultAnswer) {
        if let Some(book) = self.book(at, period) {
            book.share.answered(answer);
        }
        self.lower(at, period);
        self.try_all(at, Waits::Grant);
        self.tell_if_due(at, period);
    }

    /// Whether it was done isn't known: the same is said again, or what is true by now.
    pub(crate) fn times_out(&mut self, at: usize, run: u64, period: i64, send: u64) {
        let Some(book) = self.run_of(at, run).and_then(|run| run.books.get_mut(&period)) else { return };
        if book.telling.as_ref().is_none_or(|telling| telling.send != send) {
            return;
        }
        if self.draws.percent(50) {
            return self.post(at, period);
        }
        if let Some(book) = self.book(at, period) {
            book.telling = None;
        }
        self.tell(at, period);
    }

    /// Earlier starts of this gateway, with what its journal says of them.
    fn closings(&self, at: usize, period: i64) -> Vec<(Holder, NanoUsd, NanoUsd)> {
        let gateway = &self.gateways[at];
        let Some(run) = &gateway.run else { return Vec::new() };
        let word = |epoch| {
            let word = gateway.journal.word(epoch, period);
            let open = if self.story.holds_are_synced {
                word.open.values().sum()
            } else {
                (word.mark - word.settled).max(0)
            };
            let (spent, unattributed) = match self.story.flaw {
                Flaw::HoldsForgotten => (word.settled, 0),
                Flaw::JournalIgnored => (0, 0),
                _ => (word.settled, open),
            };
            (Holder { gateway: gateway.name.clone(), epoch }, usd(spent), usd(unattributed))
        };
        (1..run.epoch).map(word).collect()
    }

    fn expire(&self, at: usize, vault: &mut Vault) {
        if !self.is_flawed(Flaw::ExpiryByClock) {
            return;
        }
        let own = &self.gateways[at].name;
        for out in vault.outstanding(self.wall(at)) {
            if out.is_expired && out.holder.gateway != *own {
                vault.close(&out.holder, NanoUsd::ZERO, NanoUsd::ZERO).expect("nothing is always within");
            }
        }
    }
}
