//! Hears what engines tell of their own load, for as long as their pools are in force.

use crate::app::App;
use crate::lane::{Lane, Member};
use futures::StreamExt as _;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Listens to each replica of the lane that nobody listens to yet.
pub(crate) fn begin(app: &Arc<App>, lane: &Arc<Lane>, stop: &CancellationToken) {
    if !lane.config.hears_reports {
        return;
    }
    for member in lane.members().into_iter().filter(|member| member.begin_hearing()) {
        let (at, lane, stop) = (app.clone(), Arc::downgrade(lane), stop.clone());
        let hear = async move {
            let heard = member.left.run_until_cancelled(hear(&at, &lane, &member));
            stop.run_until_cancelled(heard).await;
        };
        app.spawn("load reports", Box::pin(hear));
    }
}

async fn hear(app: &App, lane: &Weak<Lane>, member: &Arc<Member>) {
    loop {
        let mut reports = member.engine.reports(EVERY);
        // An engine that can't be reached tells nothing; its requests find out, and the report grows old.
        while let Some(Ok(report)) = reports.next().await {
            let Some(lane) = in_force(app, lane) else { return };
            lane.note_report(member, &report, app.clock.now());
        }
        if in_force(app, lane).is_none() {
            return;
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

fn in_force(app: &App, lane: &Weak<Lane>) -> Option<Arc<Lane>> {
    let lane = lane.upgrade()?;
    app.live().lanes.iter().any(|known| Arc::ptr_eq(known, &lane)).then_some(lane)
}

/// How often an engine is asked that doesn't tell by itself.
const EVERY: Duration = Duration::from_secs(1);
/// How long to wait after an engine has failed to tell, or has said that it can't.
const AGAIN_AFTER: Duration = Duration::from_secs(10);
