//! Money for a request: what its budgets cover bounds the decision, and the worst case of each try is held before it is
//! sent.

use crate::app::App;
use crate::choose::{Chosen, choose};
use crate::error::{Fault, FaultCode, Retry};
use crate::lease::Lease;
use crate::money::{Empty, Held};
use crate::store::postgres::Shipping;
use futures::FutureExt as _;
use sluice_router::{NanoUsd, Step};

/// Decides within what the request's budgets cover, and holds the worst case of the first try.
///
/// Money that others hold at the moment may come free, so the first decision counts with it and waits for a while.
/// Where that is in vain, the answer is cut to what is there.
///
/// # Errors
/// A wrong request, nobody who may answer, a budget that is used up or can't be asked.
pub(crate) async fn choose_within(app: &App, lease: &mut Lease) -> Result<Box<Chosen>, Fault> {
    if !lease.purse.is_bounded() {
        let chosen = choose(app, &lease.request, None)?;
        may_be_paid(app, chosen.worst(&chosen.decision().steps[0]))?;
        return Ok(chosen);
    }
    lease.purse.open().await.map_err(fault)?;
    let (_, hoped_for) = lease.purse.reach().unwrap_or_default();
    let chosen = choose(app, &lease.request, Some(hoped_for)).map_err(|refused| used_up(lease, refused))?;
    may_be_paid(app, chosen.worst(&chosen.decision().steps[0]))?;
    match reserve(app, lease, &chosen).await {
        Ok(()) => return Ok(chosen),
        Err(away @ Empty::Away(_)) => return Err(fault(away)),
        Err(Empty::UsedUp { .. }) => {}
    }
    let (now, _) = lease.purse.reach().unwrap_or_default();
    let chosen = choose(app, &lease.request, Some(now)).map_err(|refused| used_up(lease, refused))?;
    reserve(app, lease, &chosen).await.map_err(fault)?;
    Ok(chosen)
}

async fn reserve(app: &App, lease: &mut Lease, chosen: &Chosen) -> Result<(), Empty> {
    let worst = chosen.worst(&chosen.decision().steps[0]);
    take(app, lease, worst).await
}

/// Sees that the worst case of a try is in the lease's reserve, which is kept where that is what is there already.
///
/// # Errors
/// The budget doesn't cover it any more, or can't be asked.
///
/// # Cancel safety
/// What is held is in the lease before anything else is waited for, so it is given back whenever the request ends.
pub(crate) async fn hold(app: &App, step: &Step, lease: &mut Lease) -> Result<(), Fault> {
    let worst = lease.decided().worst(step);
    may_be_paid(app, worst)?;
    if lease.reserve.as_ref().is_some_and(|reserved| reserved.amount() == worst) {
        return Ok(());
    }
    lease.release();
    take(app, lease, worst).await.map_err(fault)
}

/// The same without waiting for anybody: for a second try beside a first one.
pub(crate) fn hold_at_once(app: &App, step: &Step, lease: &Lease) -> Option<Held> {
    let worst = lease.decided().worst(step);
    may_be_paid(app, worst).ok()?;
    lease.purse.try_hold(worst)
}

/// Nothing that costs money is begun while too much waits for the fleet's ledger; what is free goes on.
///
/// # Errors
/// `NoCapacity`, for as long as that is so.
fn may_be_paid(app: &App, worst: NanoUsd) -> Result<(), Fault> {
    if worst == NanoUsd::ZERO || !app.shipping.as_ref().is_some_and(Shipping::is_full) {
        return Ok(());
    }
    let what = "the fleet's ledger has been away for too long; see the gateway's log";
    Err(Fault::passing(FaultCode::NoCapacity, 1_000, what))
}

async fn take(app: &App, lease: &mut Lease, worst: NanoUsd) -> Result<(), Empty> {
    let until = lease.request.ends_by().min(app.clock.now().plus_ms(PATIENCE_MS));
    let held = lease.purse.hold(worst, app.clock.sleep_until(until).boxed()).await?;
    lease.holds += 1;
    let held = lease.reserve.insert(held);
    let synced = lease.purse.sync(lease.request.id, lease.holds, held).await;
    if synced.is_err() {
        lease.release();
    }
    synced
}

/// Nobody may answer: because of the budget, where a larger one would have helped.
fn used_up(lease: &Lease, refused: Fault) -> Fault {
    match lease.purse.too_little() {
        Some(empty) if refused.code == FaultCode::CostBound => fault(empty),
        _ => refused,
    }
}

/// What a client is told.
fn fault(empty: Empty) -> Fault {
    let detail = empty.to_string();
    match empty {
        Empty::UsedUp { .. } => {
            Fault { retry: Retry::Never, ..Fault::new(FaultCode::InsufficientQuota, detail) }
        }
        Empty::Away(_) => Fault::passing(FaultCode::LedgerUnavailable, 1_000, detail),
    }
}

/// How long a request may wait for money that others hold.
const PATIENCE_MS: u64 = 2_000;
