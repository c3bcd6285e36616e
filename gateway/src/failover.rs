//! Walks a plan until one try answers: carries out what [`Walk`] says, one step after the other, with at most two tries
//! under way, of which the first one to begin answers.

use crate::app::App;
use crate::attempt::{self, Begun, Opening};
use crate::cover;
use crate::error::{Fault, FaultCode, Retry};
use crate::lease::{Ending, Lease, Place};
use crate::live::Live;
use crate::meter;
use crate::relay::{self, Broken};
use crate::request::Outlet;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use sluice_experts::{ErrorKind, ExpertError};
use sluice_router::{Bounds, Failure, Help, Lines, NanoUsd, Next, Tick, Try, Walk, hedge_after_ms};
use std::sync::Arc;
use std::time::Duration;

/// Tries step after step until one answers, and hands that answer on. One that is wanted whole begins again elsewhere if
/// its engine breaks, as nothing of it has reached the client.
///
/// # Errors
/// Why nobody answered, or why the answer broke off.
///
/// # Cancel safety
/// Dropping the future cancels every engine's work; the lease knows what was used until then.
pub(crate) async fn walk(app: &App, lease: &mut Lease, out: &mut Outlet) -> Result<(), Fault> {
    let mut race = Race::new(lease);
    loop {
        // In a box, as all that is over when the answer begins: it may take long, and what waits for it is to be small.
        let (answering, begun) = Box::pin(race.first(app, lease, out)).await?;
        race.give_up_others(app, lease);
        match relay::relay(app, answering, begun, lease, out).await {
            Ok(()) => return Ok(()),
            Err(Broken::Told(fault)) => return Err(fault),
            Err(Broken::Unseen(error)) => race.broke(app, answering, &error, lease),
        }
    }
}

/// Tries under way, and what the walk makes of them.
struct Race {
    walk: Walk,
    tries: FuturesUnordered<Opening>,
    /// Rings when the try that runs is late enough for a second one.
    late: Option<BoxFuture<'static, ()>>,
    /// Why the last try failed.
    last: Option<Fault>,
}

impl Race {
    fn new(lease: &Lease) -> Race {
        let chosen = lease.decided();
        let max_cost = [chosen.needs.max_cost, chosen.route.max_cost].into_iter().flatten().min();
        let bounds = Bounds { max_cost, deadline: Some(lease.request.ends_by()) };
        let walk = Walk::new(chosen.decision(), bounds);
        Race { walk, tries: FuturesUnordered::new(), late: None, last: None }
    }

    /// Goes on until a try has begun to answer. Returns that try.
    ///
    /// # Errors
    /// Why nobody answers.
    async fn first(&mut self, app: &App, lease: &mut Lease, out: &Outlet) -> Result<(u8, Begun), Fault> {
        loop {
            let now = app.clock.now();
            match self.walk.next(&Lanes { live: &lease.decided().live, now }, &app.retries, now) {
                Next::Try(made) => self.begin(app, made, lease, out).await?,
                Next::Wait(until) => {
                    app.clock.sleep_until(until).await;
                    lease.rested_ms += app.clock.now().since_ms(now);
                }
                Next::Await => {
                    if let Some(first) = self.first_event(app, lease).await {
                        return Ok(first);
                    }
                }
                Next::Fail { retry_after_ms } => return Err(self.failed(retry_after_ms)),
            }
        }
    }

    /// Waits in line, and sends.
    ///
    /// # Errors
    /// The client has left meanwhile: nothing is sent.
    async fn begin(&mut self, app: &App, made: Try, lease: &mut Lease, out: &Outlet) -> Result<(), Fault> {
        if let Err(fault) = cover::hold(app, &made.step, lease).await {
            // The money was enough for one; what was wrong is that its engine failed.
            let failed = self.last.take().filter(|_| self.walk.attempts() > 0);
            self.turned_away(&made, failed.unwrap_or(fault));
            return Ok(());
        }
        let (slot, wait_ms) = match attempt::join(app, &made, lease).await {
            Ok(joined) => joined,
            Err(fault) => {
                self.turned_away(&made, fault);
                return Ok(());
            }
        };
        if out.is_closed() {
            return Err(relay::client_gone());
        }
        self.late = hedge_alarm(app, &made, lease);
        let held = lease.reserve.take().expect("it was held for this try");
        self.send(app, &made, Place { slot, wait_ms, held }, lease);
        Ok(())
    }

    fn turned_away(&mut self, made: &Try, fault: Fault) {
        self.walk.turned_away(made);
        self.last = Some(fault);
    }

    fn send(&mut self, app: &App, made: &Try, place: Place, lease: &mut Lease) {
        let n = self.walk.sent(made, place.slot.replica());
        self.tries.push(attempt::send(app, made.step, n, place, lease));
    }

    /// Waits until a try has begun to answer, or has failed, or is late. Returns the try that answers.
    async fn first_event(&mut self, app: &App, lease: &mut Lease) -> Option<(u8, Begun)> {
        let late = self.late.as_mut();
        let is_late = async {
            match late {
                Some(late) => late.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some((n, opened)) = self.tries.next() => match opened {
                Ok(begun) => self.walk.answers(n).then_some((n, begun)),
                Err(error) => {
                    self.fail(app, n, &error, lease);
                    None
                }
            },
            () = is_late => {
                self.late = None;
                self.hedge(app, lease);
                None
            }
        }
    }

    /// Starts a second try, where that is allowed and there is room.
    fn hedge(&mut self, app: &App, lease: &mut Lease) {
        let Some(budget) = lease.decided().hedges.clone() else { return };
        let enter = |made: &Try| {
            let held = cover::hold_at_once(app, &made.step, lease)?;
            match attempt::join_at_once(app, made, lease) {
                Some(slot) => Some(Place { slot, wait_ms: 0.0, held }),
                None => {
                    held.release(&mut lease.charges);
                    None
                }
            }
        };
        if let Some((made, place)) = self.walk.hedge(&budget, app.clock.now(), enter) {
            self.send(app, &made, place, lease);
        }
    }

    fn fail(&mut self, app: &App, n: u8, error: &ExpertError, lease: &mut Lease) {
        let now = app.clock.now();
        self.last = Some(relay::end_failed(app, n, Ending::Failed(error), error, lease));
        self.walk.failed(n, failure(error, last_cost(lease)), now);
    }

    /// The answer broke off, and its client waits for the whole: it may begin again elsewhere.
    fn broke(&mut self, app: &App, n: u8, error: &ExpertError, lease: &mut Lease) {
        let now = app.clock.now();
        self.last = Some(relay::end_failed(app, n, Ending::Unseen(error), error, lease));
        self.walk.broke(n, failure(error, last_cost(lease)), now);
    }

    /// Cancels the tries that did not answer first, and books them.
    fn give_up_others(&mut self, app: &App, lease: &mut Lease) {
        // The engines first: a place is free when nobody works there any more.
        self.tries.clear();
        self.late = None;
        let committed = self.walk.committed();
        for n in lease.running_all().into_iter().filter(|n| Some(*n) != committed) {
            if lease.close(n, Ending::HedgeLost, app.clock.now()).is_some() {
                self.walk.lost(n, last_cost(lease));
                meter::tell_attempt(app, lease);
            }
        }
    }

    /// What the client is told when nothing more is tried.
    fn failed(&mut self, retry_after_ms: Option<u64>) -> Fault {
        let fault = self.last.take().unwrap_or_else(|| {
            Fault::new(FaultCode::DeadlineExceeded, "the deadline passed before anything could be tried")
        });
        match (fault.retry, retry_after_ms) {
            (Retry::AfterMs(_), Some(ms)) => {
                let retry = Retry::AfterMs(u32::try_from(ms).unwrap_or(u32::MAX));
                Fault { retry, ..fault }
            }
            _ => fault,
        }
    }
}

/// When the try is to be hedged; `None` where the route doesn't, or where nothing is known of its pool.
fn hedge_alarm(app: &App, made: &Try, lease: &Lease) -> Option<BoxFuture<'static, ()>> {
    let chosen = lease.decided();
    chosen.hedges.as_ref()?;
    let whole = attempt::asks_whole(&chosen.live.lanes[made.step.pool], &lease.request);
    let after_ms = hedge_after_ms(chosen.decision(), &chosen.receipt.pools, &made.step, whole)?;
    let after_us = u64::try_from(Duration::from_secs_f64(after_ms / 1e3).as_micros()).unwrap_or(u64::MAX);
    Some(app.clock.sleep_until(Tick(app.clock.now().0.saturating_add(after_us))))
}

/// What the try cost that has just been closed.
fn last_cost(lease: &Lease) -> NanoUsd {
    lease.attempts.last().map(|attempt| attempt.cost).unwrap_or_default()
}

/// What a walk is told of an engine's failure.
fn failure(error: &ExpertError, cost: NanoUsd) -> Failure {
    let help = match error.kind {
        _ if !error.may_succeed_elsewhere() => Help::Nothing,
        ErrorKind::ContextTooLong | ErrorKind::Unauthorised => Help::OtherPool,
        _ => Help::OtherReplica,
    };
    let retry_after_ms = match error.kind {
        ErrorKind::Busy { retry_after, .. } => {
            retry_after.and_then(|after| u64::try_from(after.as_millis()).ok())
        }
        _ => None,
    };
    Failure { help, connection_lost: error.kind == ErrorKind::Truncated, retry_after_ms, cost }
}

/// The pools' lines as they are now.
struct Lanes<'a> {
    live: &'a Arc<Live>,
    now: Tick,
}

impl Lines for Lanes<'_> {
    fn has_another(&self, pool: usize, tried: &[usize]) -> bool {
        self.live.lanes[pool].has_another(tried, self.now)
    }
}
