//! The batches of one replica whose engine takes them whole: [`Batcher`] for tasks that wait.
//!
//! A batch is driven by those who wait for its answers, together: there is no task of its own. Whoever leaves before its
//! batch goes has no row; after that its answer is dropped. When nobody is left who waits for a batch, its call is
//! dropped, and with it the engine's work.

mod row;

pub(crate) use row::item;

use crate::app::{App, Clock};
use crate::observe::{Event, Observer};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::StreamExt as _;
use row::{Caller, Told, hear};
use sluice_experts::{Answer, Answers, Call, Engine, ErrorKind, Event as EngineEvent, Events, ExpertError};
use sluice_router::{Batch, BatchRules, Batcher, Blame, Called, Ended, Item, Joined, RetryBudget, halves};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// One replica's batches.
pub(crate) struct Batches {
    pool: String,
    engine: Arc<dyn Engine>,
    batcher: Mutex<Batcher<Caller>>,
}

/// What batches need of the gateway.
#[derive(Clone)]
pub(crate) struct Tools {
    clock: Clock,
    observe: Arc<Observer>,
    retries: Arc<RetryBudget>,
}

impl Tools {
    pub(crate) fn of(app: &App) -> Tools {
        Tools { clock: app.clock, observe: app.observe.clone(), retries: app.retries.clone() }
    }
}

impl Batches {
    pub(crate) fn new(pool: &str, engine: Arc<dyn Engine>, rules: BatchRules) -> Arc<Batches> {
        Arc::new(Batches { pool: pool.to_owned(), engine, batcher: Mutex::new(Batcher::new(rules)) })
    }

    /// Sends a call as a row of a batch; resolves when the batch has ended.
    ///
    /// # Errors
    /// As [`Engine::generate`], and [`ErrorKind::Late`] when it can't be answered by its deadline behind those ahead.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the batch that gathers; of a batch in work its answer is dropped.
    pub(crate) fn generate(
        self: &Arc<Self>,
        tools: Tools,
        item: Item,
        call: Call,
    ) -> BoxFuture<'static, Result<Events, ExpertError>> {
        let batches = self.clone();
        Box::pin(async move { batches.answer(tools, item, call).await.map(events) })
    }

    async fn answer(self: Arc<Self>, tools: Tools, item: Item, call: Call) -> Result<Answer, ExpertError> {
        let time_left = call.time_left;
        let (told, mut hears) = mpsc::channel(row::MOST_TOLD);
        let joined = self.lock().join(item, tools.clock.now(), || Caller { call, told });
        let ticket = match joined {
            Joined::Late(by_ms) => return Err(row::late(by_ms)),
            Joined::Waits(ticket) => ticket,
        };
        let _place = Place { batches: self.clone(), ticket };
        self.call(&tools);
        match time_left {
            None => hear(&mut hears).await,
            Some(left) => {
                let heard = tokio::time::timeout(left, hear(&mut hears)).await;
                heard.unwrap_or_else(|_| Err(row::out_of_time()))
            }
        }
    }

    /// Sends what is to go now, and refuses whoever has become late.
    fn call(self: &Arc<Self>, tools: &Tools) {
        loop {
            let called = self.lock().call(tools.clock.now());
            match called {
                None => return,
                Some(Called::Late(caller)) => caller.tell(Told::Done(Err(row::late(0)))),
                Some(Called::Go(batch)) => self.send(batch, tools),
            }
        }
    }

    /// Lets those who wait for a batch carry it out.
    fn send(self: &Arc<Self>, batch: Batch<Caller>, tools: &Tools) {
        tools.observe.emit(Event::Batch { pool: &self.pool, rows: batch.rows.len() });
        let tellers: Vec<mpsc::Sender<Told>> = batch.rows.iter().map(|row| row.who.told.clone()).collect();
        let under_way = UnderWay { batches: self.clone(), tools: tools.clone(), number: Some(batch.number) };
        let carried = carry_out(under_way, batch).boxed().shared();
        for told in tellers {
            // Whoever has left doesn't carry.
            let _ = told.try_send(Told::Drive(carried.clone()));
        }
    }

    /// Tells every row how it fared; those that may have been spoilt by one of them go again.
    fn settle(&self, batch: Batch<Caller>, outcome: Result<Answers, ExpertError>, tools: &Tools) {
        let error = match outcome {
            Ok(answers) => {
                for (row, answer) in batch.rows.into_iter().zip(answers) {
                    row.who.tell(Told::Done(answer));
                }
                return;
            }
            Err(error) => error,
        };
        let rows = batch.rows.into_iter().filter(|row| !row.who.told.is_closed()).collect();
        match halves(rows, blame(&error), || tools.retries.spend()) {
            Ok(parts) => self.lock().again(parts.into_iter()),
            Err(rows) => rows.into_iter().for_each(|row| row.who.tell(Told::Done(Err(error.clone())))),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Batcher<Caller>> {
        // Nothing under the lock panics between two writes.
        self.batcher.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends a batch to its engine and tells its rows. Lazy: the call begins when it is first polled.
async fn carry_out(mut under_way: UnderWay, batch: Batch<Caller>) {
    let (batches, tools) = (under_way.batches.clone(), under_way.tools.clone());
    let now = tools.clock.now();
    let calls = batch.rows.iter().map(|row| row::call(row, now)).collect();
    let outcome = batches.engine.generate_batch(calls).await;
    under_way.end(if outcome.is_ok() { Ended::Done } else { Ended::Undone });
    batches.settle(batch, outcome, &tools);
    batches.call(&tools);
}

/// A batch that its engine works on. Dropping it frees the engine for the next.
struct UnderWay {
    batches: Arc<Batches>,
    tools: Tools,
    number: Option<u64>,
}

impl UnderWay {
    fn end(&mut self, ended: Ended) {
        if let Some(number) = self.number.take() {
            self.batches.lock().end(number, ended, self.tools.clock.now());
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if self.number.is_some() {
            self.end(Ended::Undone);
            self.batches.call(&self.tools);
        }
    }
}

/// A place in the batcher. Dropping it leaves.
struct Place {
    batches: Arc<Batches>,
    ticket: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        // Dropped after the lock: what its channel holds may be the last of a batch.
        let _left = self.batches.lock().leave(self.ticket);
    }
}

/// A whole answer as the events of a stream.
fn events(answer: Answer) -> Events {
    let Answer { text, json, finish } = answer;
    let delta = (!text.is_empty() || !json.is_empty()).then_some(EngineEvent::Delta { text, json });
    let events = delta.into_iter().chain([EngineEvent::Finished(finish)]).map(Ok);
    futures::stream::iter(events.collect::<Vec<_>>()).boxed()
}

/// What a batch's failure says of its rows.
fn blame(error: &ExpertError) -> Blame {
    match error.kind {
        ErrorKind::Rejected { .. } | ErrorKind::ContextTooLong => Blame::Request,
        ErrorKind::Failed => Blame::Engine,
        ErrorKind::Unreachable
        | ErrorKind::Busy { .. }
        | ErrorKind::Unauthorised
        | ErrorKind::FirstTokenTimeout
        | ErrorKind::IdleTimeout
        | ErrorKind::Truncated
        | ErrorKind::Protocol
        | ErrorKind::Deadline
        | ErrorKind::Late { .. } => Blame::Circumstances,
    }
}

#[cfg(test)]
mod tests;
