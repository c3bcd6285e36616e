//! One request from its sending to its sample.

use crate::clock::Clock;
use crate::drive::{Finished, Gauge};
use crate::pacer::{Prepared, Told};
use crate::sample::{End, FaultKind, Planned, Prompt, Sample};
use crate::target::{Ask, Failure, Target, Trail};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// What every request of a run shares.
#[derive(Clone)]
pub(crate) struct Sender {
    pub(crate) clock: Clock,
    pub(crate) target: Arc<dyn Target>,
    pub(crate) reference: Option<String>,
    pub(crate) timeout: Duration,
    pub(crate) samples: mpsc::Sender<Finished>,
    pub(crate) tell: SyncSender<Told>,
    pub(crate) halted: watch::Receiver<bool>,
    pub(crate) gauge: Arc<Gauge>,
    pub(crate) keeps_text: bool,
}

/// How a request ended, before it is known what of it was planned.
enum Came {
    Answer(Result<(), Failure>),
    Cancelled,
    TooLate,
}

impl Sender {
    /// Sends a request, waits for its end, and tells of it. The end of the run drops it without a sample.
    pub(crate) async fn send(mut self, n: u64, prepared: Prepared) {
        let Prepared { planned, prompt, tenant } = prepared;
        let sent = self.clock.now();
        let mut trail = Trail::new(self.clock, self.keeps_text && planned.session.is_some());
        let ask = Ask { prompt: prompt.clone(), tenant };
        let came = tokio::select! {
            biased;
            answer = self.target.send(ask, &mut trail) => Came::Answer(answer),
            () = cancelled(self.clock, sent, planned) => Came::Cancelled,
            () = tokio::time::sleep(self.timeout) => Came::TooLate,
            _ = self.halted.changed() => return,
        };
        let ended = self.clock.now();
        let (end, detail) = end_of(came, self.timeout);
        let is_ok = end == End::Done;
        self.tell_pacer(&prompt, planned, ended, is_ok, &mut trail);
        let sample = self.sample(n, planned, sent, ended, end, trail, &prompt);
        self.gauge.ended.fetch_add(1, Ordering::Relaxed);
        // The receiver is gone only when the run is over.
        let _ = self.samples.send(Finished { sample, detail }).await;
    }

    fn tell_pacer(&self, prompt: &Prompt, planned: Planned, now: u64, is_ok: bool, trail: &mut Trail) {
        let history = trail.keeps_text.then(|| {
            let mut messages = prompt.messages.clone();
            messages.push(("assistant".to_owned(), std::mem::take(&mut trail.text)));
            messages
        });
        // There is room for every request under way; the pacer is gone only when the run is over.
        let _ = self.tell.try_send(Told::Ended { planned, now, is_ok, history });
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of a sample, each needed once")]
    fn sample(
        &self,
        n: u64,
        planned: Planned,
        sent: u64,
        ended: u64,
        end: End,
        trail: Trail,
        prompt: &Prompt,
    ) -> Sample {
        let score =
            |expert: &str| prompt.grades.iter().find(|(name, _)| name == expert).map(|(_, score)| *score);
        let is_ok = end == End::Done;
        let answerer = if trail.who.expert.is_empty() { &trail.who.route } else { &trail.who.expert };
        let quality = is_ok.then(|| score(answerer)).flatten();
        let reference_quality = is_ok.then(|| self.reference.as_deref().and_then(score)).flatten();
        Sample {
            n,
            planned,
            sent,
            first: trail.first,
            last: trail.last,
            ended,
            gaps_us: trail.gaps_us,
            input_tokens: trail.input_tokens.unwrap_or(0),
            cached_tokens: trail.cached_tokens,
            output_tokens: trail.output_tokens.unwrap_or(trail.events),
            who: trail.who,
            end,
            cost_nanousd: trail.cost_nanousd,
            baseline_nanousd: trail.baseline_nanousd,
            queued: None,
            quality,
            reference_quality,
        }
    }
}

async fn cancelled(clock: Clock, sent: u64, planned: Planned) {
    match planned.cancel_after {
        Some(after) => clock.until(sent + after).await,
        None => std::future::pending().await,
    }
}

fn end_of(came: Came, timeout: Duration) -> (End, String) {
    match came {
        Came::Answer(Ok(())) => (End::Done, String::new()),
        Came::Cancelled => (End::Cancelled, String::new()),
        Came::TooLate => {
            let detail = format!("no complete answer within {} s", timeout.as_secs_f64());
            (End::Failed { kind: FaultKind::Timeout, code: "tester_timeout".to_owned() }, detail)
        }
        Came::Answer(Err(failure)) => {
            (End::Failed { kind: failure.kind, code: failure.code }, failure.detail)
        }
    }
}
