//! Tells somebody else's endpoint that budgets are used up to a step: one message after the other, each until it is taken
//! or given up. Never in the way of requests.

use crate::app::App;
use crate::observe::Event;
use sluice_experts::{Dial, Hook, Secret};
use sluice_router::NanoUsd;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A budget has come to a step of its use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alert {
    /// Whose: `acme/web`.
    pub(crate) level: String,
    /// 50, 80 or 100.
    pub(crate) percent: u8,
    /// What may be spent in the period.
    pub(crate) budget: NanoUsd,
    /// What is left of it.
    pub(crate) remaining: NanoUsd,
    /// When that was seen, in milliseconds since 1970.
    pub(crate) at_unix_ms: i64,
}

/// Where alerts are handed in.
#[derive(Clone)]
pub(crate) struct Alerts(mpsc::Sender<Alert>);

impl Alerts {
    /// Begins to post what is handed in, until the gateway ends.
    pub(crate) fn begin(app: &Arc<App>, dial: Arc<dyn Dial>, stop: CancellationToken) -> Alerts {
        let (sender, waiting) = mpsc::channel(MOST_WAITING);
        let work = post_all(Arc::downgrade(app), waiting, dial, stop);
        app.spawn("alerts", Box::pin(work));
        Alerts(sender)
    }

    /// Hands one in and returns at once; when too many wait, it is given up and that is told.
    pub(crate) fn tell(&self, app: &App, alert: Alert) {
        if app.live().config.webhook.is_none() {
            return;
        }
        if let Err(mpsc::error::TrySendError::Full(alert)) = self.0.try_send(alert) {
            lost(app, &alert, "too many wait for the webhook");
        }
    }
}

async fn post_all(
    app: Weak<App>,
    mut waiting: mpsc::Receiver<Alert>,
    dial: Arc<dyn Dial>,
    stop: CancellationToken,
) {
    while let Some(Some(alert)) = stop.run_until_cancelled(waiting.recv()).await {
        let Some(app) = app.upgrade() else { return };
        let posted = stop.run_until_cancelled(post(&app, &alert, &dial)).await;
        let why = posted.unwrap_or_else(|| Err("the gateway ends".to_owned()));
        if let Err(why) = why {
            lost(&app, &alert, &why);
        }
    }
}

/// Posts until it is taken, with pauses that double; gives up in the end.
async fn post(app: &App, alert: &Alert, dial: &Arc<dyn Dial>) -> Result<(), String> {
    let json = json(alert, &app.journal.opening().gateway);
    let mut pause = FIRST_PAUSE;
    for _ in 1..TRIES {
        // The address of now: it may have been changed since.
        if try_once(app, &json, dial).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    try_once(app, &json, dial).await
}

async fn try_once(app: &App, json: &str, dial: &Arc<dyn Dial>) -> Result<(), String> {
    let live = app.live();
    let Some(url) = live.config.webhook.as_ref().map(Secret::reveal) else { return Ok(()) };
    let hook = Hook::new(url, dial.clone(), TIMEOUT).map_err(|why| format!("its URL {why}"))?;
    hook.post(json.to_owned()).await
}

/// What is posted; the keys are a promise.
fn json(alert: &Alert, gateway: &str) -> String {
    let tenant = alert.level.split('/').next().unwrap_or_default();
    serde_json::json!({
        "event": "budget_used",
        "level": alert.level,
        "tenant": tenant,
        "percent": alert.percent,
        "budget_nanousd": alert.budget.0,
        "remaining_nanousd": alert.remaining.0,
        "at_unix_ms": alert.at_unix_ms,
        "gateway": gateway,
    })
    .to_string()
}

fn lost(app: &App, alert: &Alert, why: &str) {
    app.observe.emit(Event::AlertLost { level: &alert.level, percent: alert.percent, why });
}

/// Alerts that may wait; a budget has three in a period.
const MOST_WAITING: usize = 1_024;
/// For one try, from the connection to the end of the answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// 1, 2, 4, ... 60, 60 seconds: some four minutes in all, when the answers come at once.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
const TRIES: u32 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_says_whose_budget_is_where() {
        let alert = Alert {
            level: "acme/web".to_owned(),
            percent: 80,
            budget: NanoUsd(1_000),
            remaining: NanoUsd(199),
            at_unix_ms: 5,
        };
        let expected = r#"{"event":"budget_used","level":"acme/web","tenant":"acme","percent":80,"budget_nanousd":1000,"remaining_nanousd":199,"at_unix_ms":5,"gateway":"g"}"#;
        assert_eq!(json(&alert, "g"), expected);
    }
}
