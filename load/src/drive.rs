//! Carries out a plan over a wire: every request at its time, whatever the target does.

use crate::arrivals::Arrivals;
use crate::clock::{Clock, spawn};
use crate::overhead::{Meter, Overhead};
use crate::pacer::{Pacer, Told};
use crate::prompts::Prompts;
use crate::request::Sender;
use crate::sample::{End, FaultKind, Sample};
use crate::target::Target;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// A test that is ready to be carried out.
pub struct Run {
    /// When to send.
    pub arrivals: Box<dyn Arrivals>,
    /// What to send.
    pub prompts: Arc<dyn Prompts>,
    /// Where to.
    pub target: Arc<dyn Target>,
    /// The tenants' names; empty for one without a name.
    pub tenants: Vec<String>,
    /// The expert whose known scores are the reference's quality.
    pub reference: Option<String>,
    /// Whether turns of a session carry the earlier turns with them.
    pub is_conversational: bool,
    /// Most requests under way. What is due beyond them waits, and the wait counts as latency.
    pub max_open: usize,
    /// How long an answer may take from when it was sent.
    pub timeout: Duration,
    /// The run ends when for so long nothing came but failures to connect.
    pub give_up_after: Duration,
    /// How far the run is, for whoever shows it.
    pub gauge: Arc<Gauge>,
}

/// How far a run is.
#[derive(Debug, Default)]
pub struct Gauge {
    /// Requests sent.
    pub sent: AtomicU64,
    /// Requests that ended.
    pub ended: AtomicU64,
    /// The run's clock, once it has begun.
    pub clock: OnceLock<Clock>,
}

impl Gauge {
    /// Requests under way.
    pub fn open(&self) -> u64 {
        let ended = self.ended.load(Ordering::Relaxed);
        self.sent.load(Ordering::Relaxed).saturating_sub(ended)
    }
}

/// Why a run was over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Everything that was planned was sent and has ended.
    Complete,
    /// It was told to stop.
    Stopped,
    /// The target could not be reached any more; what the last failure said.
    TargetGone(String),
}

/// The end of a run.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Why.
    pub why: Why,
    /// Requests under way at that time; they were cancelled and have no sample.
    pub unfinished: u64,
    /// Nanoseconds from the start to the end.
    pub took: u64,
    /// What the tester itself cost.
    pub overhead: Overhead,
}

/// Carries out a run until all has ended, `stop` says so, or the target is gone. Each sample goes to `sink` when its
/// request has ended.
pub async fn drive(run: Run, stop: impl Future<Output = ()>, sink: &mut dyn FnMut(Sample)) -> Ended {
    let clock = Clock::start();
    let (samples, mut came) = mpsc::channel(SAMPLES);
    // Each request under way tells of its end once, and the end of the run is told once.
    let (tell, told) = std::sync::mpsc::sync_channel(run.max_open + 1);
    let (halt, halted) = watch::channel(false);
    let mut meter = Meter::start(clock);
    let lag = spawn(meter.watch_lag());
    let mut gone = Gone::new(run.give_up_after);
    let gauge = run.gauge.clone();
    gauge.clock.get_or_init(|| clock);
    let sender = Sender {
        clock,
        target: run.target,
        reference: run.reference,
        timeout: run.timeout,
        samples,
        tell: tell.clone(),
        halted,
        gauge: run.gauge,
        keeps_text: run.is_conversational,
    };
    let pacer =
        Pacer::new(clock, run.arrivals, run.prompts, run.tenants, run.max_open, run.is_conversational);
    pacer.start(told, sender);
    let mut stop = std::pin::pin!(stop);
    let why = loop {
        tokio::select! {
            biased;
            () = &mut stop => break Why::Stopped,
            sample = came.recv() => match sample {
                None => break Why::Complete,
                Some(Finished { sample, detail }) => {
                    meter.note(&sample);
                    gone.note(&sample, &detail);
                    sink(sample);
                }
            },
        }
        if let Some(detail) = gone.is_certain() {
            break Why::TargetGone(detail);
        }
    };
    // Neither can fail but by having ended already.
    let _ = (tell.try_send(Told::Stop), halt.send(true));
    lag.abort();
    let took = clock.now();
    let unfinished = gauge.open();
    while let Some(Finished { .. }) = came.recv().await {}
    Ended { why, unfinished, took, overhead: meter.finish() }
}

/// Samples that may wait for the sink.
const SAMPLES: usize = 4_096;

/// A sample, and what went wrong in words.
pub(crate) struct Finished {
    pub(crate) sample: Sample,
    pub(crate) detail: String,
}

/// Notices that a target is gone.
struct Gone {
    patience: u64,
    /// Since when nothing but failures to connect came, and what the last one said.
    since: Option<(u64, u64, String)>,
}

impl Gone {
    fn new(patience: Duration) -> Gone {
        Gone { patience: u64::try_from(patience.as_nanos()).unwrap_or(u64::MAX), since: None }
    }

    fn note(&mut self, sample: &Sample, detail: &str) {
        match &sample.end {
            End::Failed { kind: FaultKind::Connect, .. } => {
                let since = self.since.as_ref().map_or(sample.ended, |(since, ..)| *since);
                self.since = Some((since, sample.ended, detail.to_owned()));
            }
            _ => self.since = None,
        }
    }

    fn is_certain(&self) -> Option<String> {
        let (since, last, detail) = self.since.as_ref()?;
        (last - since >= self.patience).then(|| detail.clone())
    }
}
