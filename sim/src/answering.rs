//! One request at the worker: accepted or refused, then its answer piece by piece, whatever the protocol.

use crate::batches::Batches;
use crate::faults::{Fault, Faults};
use crate::pool::Chain;
use crate::prefix;
use crate::text::{Answer, Answers, Words, cut, input_tokens};
use crate::worker::{Gauges, Refused, Ticket, Worker};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// How long written bytes get to leave before a connection is broken under them.
const FLUSH: Duration = Duration::from_millis(5);

/// A worker with its answers and its failures.
pub(crate) struct Desk {
    pub(crate) worker: Worker,
    pub(crate) answers: Arc<dyn Answers>,
    pub(crate) faults: Faults,
    pub(crate) model: String,
    pub(crate) api_key: Option<String>,
    /// Changes when the worker stops: streams that would go on for ever end then.
    pub(crate) closing: watch::Receiver<()>,
    /// Tokens of context that a sequence may have at most.
    pub(crate) context: u64,
    /// Set where the engine takes whole batches, and nothing else.
    pub(crate) batches: Option<Batches>,
    /// Whether it has a prefix cache.
    pub(crate) caches: bool,
}

/// An answer before any work: its words, its length, and how it will end.
pub(crate) struct Prepared {
    answer: Answer,
    input: u32,
    reason: &'static str,
}

impl Prepared {
    fn end(&self) -> Piece {
        let is_simulated = self.answer.text.is_none();
        let (input, output) = (self.input, self.answer.output_tokens);
        Piece::End { reason: self.reason, input, cached: 0, output, is_simulated }
    }

    /// The whole answer at once, and its end.
    pub(crate) fn whole(self) -> (String, Piece) {
        let (end, output) = (self.end(), self.answer.output_tokens);
        (Words::new(self.answer.text, output).between(0, output), end)
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    Status(u16),
    Busy(Option<Duration>),
    TooLong { need: u64, capacity: u64 },
    HangUp,
}

/// What an answer consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    End { reason: &'static str, input: u32, cached: u32, output: u32, is_simulated: bool },
}

/// A switch that breaks the connection under a response.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cut(Arc<AtomicBool>);

impl Cut {
    /// One that has been thrown.
    pub(crate) fn thrown() -> Cut {
        let cut = Cut::default();
        cut.throw();
        cut
    }

    pub(crate) fn throw(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn is_thrown(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// An answer in the making. Dropping it cancels the work.
pub(crate) struct Answering {
    ticket: Ticket,
    words: Words,
    end: Piece,
    output: u32,
    sent: u32,
    is_over: bool,
    fault: Option<Fault>,
    pub(crate) cut: Cut,
}

impl Desk {
    /// Queues a request. What prompts of one salt begin with is not shared with those of another.
    pub(crate) async fn open(
        &self,
        prompt: &str,
        salt: Option<&str>,
        max_tokens: u32,
    ) -> Result<Answering, Refusal> {
        let fault = self.faults.take();
        match fault {
            Some(Fault::HangUp) => return Err(Refusal::HangUp),
            Some(Fault::Status(status)) => return Err(Refusal::Status(status)),
            Some(Fault::Busy { retry_after }) => return Err(Refusal::Busy(retry_after)),
            Some(Fault::SlowFirst { wall }) => tokio::time::sleep(wall).await,
            Some(Fault::BreakAfter { .. } | Fault::EndAfter { .. } | Fault::StallAfter { .. }) | None => {}
        }
        if self.batches.is_some() {
            return Err(Refusal::Status(501));
        }
        self.queue(self.prepare(prompt, max_tokens)?, prompt, salt, fault)
    }

    /// What will be answered.
    pub(crate) fn prepare(&self, prompt: &str, max_tokens: u32) -> Result<Prepared, Refusal> {
        let answer = self.answers.answer(prompt, max_tokens);
        let input = input_tokens(&answer, prompt);
        let room = self.context.saturating_sub(u64::from(input));
        if room == 0 {
            return Err(Refusal::TooLong { need: u64::from(input) + 1, capacity: self.context });
        }
        let limit = max_tokens.min(u32::try_from(room).unwrap_or(u32::MAX));
        let (answer, is_whole) = cut(answer, limit);
        Ok(Prepared { answer, input, reason: if is_whole { "stop" } else { "length" } })
    }

    fn queue(
        &self,
        prepared: Prepared,
        prompt: &str,
        salt: Option<&str>,
        fault: Option<Fault>,
    ) -> Result<Answering, Refusal> {
        let (end, output) = (prepared.end(), prepared.answer.output_tokens);
        let words = Words::new(prepared.answer.text, output);
        let chain = || prefix::chain(prompt, prepared.input, &words.between(0, output), salt);
        let chain = if self.caches { chain() } else { Chain::default() };
        let ticket = self.worker.submit(prepared.input, output, chain).map_err(|refused| match refused {
            Refused::Full => Refusal::Busy(Some(Duration::from_secs(1))),
            Refused::TooLong { need, capacity } => Refusal::TooLong { need, capacity },
        })?;
        Ok(Answering { ticket, end, words, output, sent: 0, is_over: false, fault, cut: Cut::default() })
    }

    pub(crate) fn gauges(&self) -> Gauges {
        let gauges = self.worker.gauges();
        let (running, waiting) = self.batches.as_ref().map_or((0, 0), Batches::rows);
        Gauges { running: gauges.running + running, waiting: gauges.waiting + waiting, ..gauges }
    }
}

impl Answering {
    /// The next piece; `None` after the end, or where a failure was ordered.
    pub(crate) async fn next(&mut self) -> Option<Piece> {
        if self.is_over {
            return None;
        }
        loop {
            let stop_at = match self.fault {
                Some(
                    Fault::BreakAfter { tokens } | Fault::EndAfter { tokens } | Fault::StallAfter { tokens },
                ) => tokens,
                _ => u32::MAX,
            };
            if self.sent >= stop_at {
                return self.fail().await;
            }
            if self.sent == self.output {
                self.is_over = true;
                return Some(self.end.clone());
            }
            let progress = self.ticket.progress().await;
            if let Piece::End { cached, .. } = &mut self.end {
                *cached = progress.cached;
            }
            let produced = progress.produced.min(stop_at);
            let text = self.words.between(self.sent, produced);
            self.sent = produced;
            if !text.is_empty() {
                return Some(Piece::Text(text));
            }
        }
    }

    async fn fail(&mut self) -> Option<Piece> {
        match self.fault {
            Some(Fault::StallAfter { .. }) => std::future::pending().await,
            Some(Fault::BreakAfter { .. }) => {
                // What has been written is to arrive; a connection that breaks drops what is still in its buffer.
                tokio::time::sleep(FLUSH).await;
                self.cut.throw();
            }
            _ => {}
        }
        self.is_over = true;
        None
    }
}
