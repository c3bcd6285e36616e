//! One test carried out: its samples counted, shown while they come, and ended early where nothing more can come of it.

use super::view::View;
use crate::cmd::Failure;
use sluice_load::measure::Tally;
use sluice_load::report::live::Live;
use sluice_load::search::{Stop, Watch};
use sluice_load::{Clock, Ended, Gauge, Run, Sample, drive};
use std::cell::RefCell;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What came of it.
pub(super) struct Once {
    pub(super) tally: Tally,
    pub(super) ended: Ended,
    pub(super) stop: Option<Stop>,
    /// Whether the user ended it.
    pub(super) is_interrupted: bool,
}

/// The signals that end a run; kept between runs, so that none is lost.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(super) fn new() -> Result<Signals, Failure> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Whether one came within `time`.
    pub(super) async fn within(&mut self, time: Duration) -> bool {
        tokio::select! {
            _ = self.interrupt.recv() => true,
            _ = self.terminate.recv() => true,
            () = tokio::time::sleep(time) => false,
        }
    }
}

/// What a view needs to know beforehand.
pub(super) struct Plan {
    pub(super) title: String,
    pub(super) requests: Option<u64>,
    pub(super) seconds: Option<f64>,
    pub(super) has_colour: bool,
}

/// Carries out `run` into `tally`.
pub(super) async fn once(
    run: Run,
    tally: Tally,
    mut watch: Option<Watch>,
    plan: &Plan,
    view: &mut View,
    signals: &mut Signals,
) -> Once {
    let gauge = run.gauge.clone();
    let tally = RefCell::new(tally);
    let clock = Clock::start();
    let (mut stop, mut is_interrupted) = (None, false);
    let look = async {
        while !is_interrupted && stop.is_none() {
            is_interrupted = signals.within(LOOK_EVERY).await;
            let now = clock.now();
            let tally = tally.borrow();
            let sent = gauge.sent.load(Ordering::Relaxed);
            is_interrupted |= view.show(&live(plan, &tally, &gauge, now));
            stop = watch.as_mut().and_then(|watch| watch.look(&tally, sent, now));
        }
    };
    let ended = drive(run, look, &mut |sample: Sample| tally.borrow_mut().add(&sample)).await;
    Once { tally: tally.into_inner(), ended, stop, is_interrupted }
}

const LOOK_EVERY: Duration = Duration::from_millis(200);

fn live<'a>(plan: &'a Plan, tally: &'a Tally, gauge: &Gauge, now: u64) -> Live<'a> {
    let elapsed_s = now as f64 / 1e9;
    let by_requests = plan.requests.map(|all| tally.sent() as f64 / all.max(1) as f64);
    Live {
        title: &plan.title,
        tally,
        sent: gauge.sent.load(Ordering::Relaxed),
        open: gauge.open(),
        elapsed_s,
        done: plan.seconds.map(|all| elapsed_s / all).or(by_requests),
        has_colour: plan.has_colour,
    }
}
