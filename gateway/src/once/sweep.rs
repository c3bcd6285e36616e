//! Forgets claims whose time is over. Any gateway does it for all.

use super::ask::shard_path;
use super::claim::Claim;
use crate::app::App;
use crate::shared::Shared;
use crate::store::StoreError;
use prost::Message as _;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Sweeps now and then until the gateway ends.
pub(crate) async fn keep(app: Arc<App>, stop: CancellationToken) {
    loop {
        if stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
            return;
        }
        for shard in 0..=u8::MAX {
            // While the place is away nothing is forgotten; the next time will do.
            match stop.run_until_cancelled(sweep(&*app.shared, shard, app.clock.unix_ms())).await {
                Some(Ok(())) => {}
                Some(Err(_)) => break,
                None => return,
            }
        }
    }
}

/// Removes what has expired of one part.
pub(super) async fn sweep(shared: &dyn Shared, shard: u8, now_ms: i64) -> Result<(), StoreError> {
    for (path, found) in shared.list(&shard_path(shard)).await? {
        if Claim::decode(&*found.value).is_ok_and(|claim| claim.expires_ms <= now_ms) {
            shared.remove(&path, found.version).await?;
        }
    }
    Ok(())
}

const EVERY: Duration = Duration::from_secs(600);
