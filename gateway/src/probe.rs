//! Asks ejected replicas whether they are back, so that no request has to find out.
//!
//! A replica whose ejection has run out is probed before it gets work. A yes brings it back, its next failure ejects it
//! again; a no, or silence, ejects it for twice as long. A request that comes between is still let through as a trial.

use crate::app::App;
use crate::lane::{Lane, Slot};
use crate::lease;
use crate::observe::Event;
use sluice_router::{Change, Verdict};
use std::sync::Arc;

/// Probes every replica of the lane that is due; each in a task of its own, one at a time for each replica.
pub(crate) fn probe_due(app: &Arc<App>, lane: &Arc<Lane>) {
    for slot in lane.due(app.clock.now()) {
        let (at, pool) = (app.clone(), lane.config.name.clone());
        app.spawn("probe", Box::pin(async move { probe(&at, &pool, slot).await }));
    }
}

async fn probe(app: &App, pool: &str, slot: Slot) {
    let answer = slot.engine().probe().await;
    let now = app.clock.now();
    let replica = slot.address().to_owned();
    if answer.is_ok() && slot.on_answering(now) {
        app.observe.emit(Event::Replica { pool, replica: &replica, change: Change::Back });
    }
    let verdict = answer.map_or_else(|error| lease::verdict(&error), |()| Verdict::Neutral);
    if let Some(change) = slot.end(verdict, now) {
        app.observe.emit(Event::Replica { pool, replica: &replica, change });
    }
}
