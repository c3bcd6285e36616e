//! Reads the keys that were made or revoked since, every second, so that all gateways agree on them.

use super::record::{KeyRecord, PREFIX};
use crate::app::App;
use crate::observe::Event;
use crate::store::StoreError;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Reads until the gateway ends. While the place is away the last keys hold.
pub(crate) async fn keep(app: Arc<App>, stop: CancellationToken) {
    loop {
        if stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
            return;
        }
        once(&app).await;
    }
}

/// Reads once, and tells how it went.
pub(crate) async fn once(app: &App) {
    if !app.keys.are_needed() {
        return;
    }
    let trouble = read(app).await.err();
    app.observe.emit(Event::Keys {
        known: app.keys.len(),
        trouble: trouble.as_ref().map(|error| error.0.as_str()),
        is_news: app.keys.heard(trouble.is_some()),
    });
}

async fn read(app: &App) -> Result<(), StoreError> {
    let listed = tokio::time::timeout(PATIENCE, app.shared.list(PREFIX)).await;
    let listed = listed.unwrap_or_else(|_| Err(StoreError("no answer in time".to_owned())))?;
    app.keys.issue(listed.iter().filter_map(|(name, value)| KeyRecord::read(name, value)).collect());
    Ok(())
}

/// How often: a revoked key stops within this and [`PATIENCE`] at most, on every gateway.
const EVERY: Duration = Duration::from_secs(1);
/// How long the place may take.
const PATIENCE: Duration = Duration::from_secs(2);
