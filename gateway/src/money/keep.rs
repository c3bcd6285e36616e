//! Looks after the budgets every second: opens them, tells the place that gateways share what was spent, and tells how
//! they stand.

use super::books::Standing;
use crate::app::App;
use crate::observe::Event;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Looks until the gateway ends.
pub(crate) async fn keep(app: Arc<App>, stop: CancellationToken) {
    loop {
        // A restart closes what it left open whether or not anybody asks, so accounts aren't left to their first request.
        app.books.open(&app.keys.identities()).await;
        tell(&app, app.books.look_after().await);
        if stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
            return;
        }
    }
}

fn tell(app: &App, standings: Vec<Standing>) {
    for Standing { level, budget, remaining, percent, trouble } in standings {
        app.observe.emit(Event::Budget { level: &level, remaining, trouble: trouble.as_deref() });
        if let Some(percent) = percent {
            app.observe.emit(Event::BudgetUsed { level: &level, budget, percent });
        }
    }
}

const EVERY: Duration = Duration::from_secs(1);
