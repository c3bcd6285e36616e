//! Looks after the budgets every second: opens them, tells the place that gateways share what was spent, and tells how
//! they stand.

use super::alert::{Alert, Alerts};
use super::books::Standing;
use crate::app::App;
use crate::observe::Event;
use sluice_experts::Dial;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Looks until the gateway ends.
pub(crate) async fn keep(app: Arc<App>, dial: Arc<dyn Dial>, stop: CancellationToken) {
    let alerts = Alerts::begin(&app, dial, stop.clone());
    loop {
        // A restart closes what it left open whether or not anybody asks, so accounts aren't left to their first request.
        app.books.open(&app.keys.identities()).await;
        tell(&app, &alerts, app.books.look_after().await);
        if stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
            return;
        }
    }
}

fn tell(app: &App, alerts: &Alerts, standings: Vec<Standing>) {
    for Standing { level, budget, remaining, percent, trouble } in standings {
        app.observe.emit(Event::Budget { level: &level, remaining, trouble: trouble.as_deref() });
        if let Some(percent) = percent {
            app.observe.emit(Event::BudgetUsed { level: &level, budget, percent });
            let at_unix_ms = app.clock.unix_ms();
            alerts.tell(app, Alert { level, percent, budget, remaining, at_unix_ms });
        }
    }
}

const EVERY: Duration = Duration::from_secs(1);
