//! The place that gateways share, as limits use it: one small value, read and swapped until nobody was in between.

use crate::app::Clock;
use crate::shared::Shared;
use crate::store::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sluice_router::{SHARE_MS, Slots};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// The place, with who comes to it.
pub(crate) struct Place {
    pub(super) shared: Arc<dyn Shared>,
    /// This gateway, since its start.
    pub(super) who: String,
    pub(super) clock: Clock,
    /// How many gateways come to it, as was known last; for as long as it is away each passes its part of a limit.
    gateways: AtomicU64,
    announced_ms: AtomicI64,
}

impl Place {
    pub(super) fn new(shared: Arc<dyn Shared>, who: String, clock: Clock) -> Place {
        Place { shared, who, clock, gateways: AtomicU64::new(1), announced_ms: AtomicI64::new(i64::MIN) }
    }

    /// How many gateways come here, at least 1.
    pub(super) fn gateways(&self) -> u64 {
        self.gateways.load(Ordering::Relaxed).max(1)
    }

    /// Says that this gateway lives, and counts those that do. Not more often than is needed.
    pub(super) async fn announce(&self) {
        let now_ms = self.now_ms();
        if now_ms < self.announced_ms.load(Ordering::Relaxed).saturating_add(ANNOUNCED_EVERY_MS) {
            return;
        }
        let live = |living: &mut Slots| living.hold(&self.who, 1, 1, 1, u64::MAX, now_ms);
        if let Ok((living, _)) = self.change(LIVING, Slots::default, live).await {
            self.gateways.store(living.gateways(), Ordering::Relaxed);
            self.announced_ms.store(now_ms, Ordering::Relaxed);
        }
    }

    /// Wall time, in milliseconds since 1970.
    pub(super) fn now_ms(&self) -> i64 {
        self.clock.unix_ms()
    }

    /// Changes a value, and gives it back with what the change says. What is not there, or can't be read, begins anew.
    ///
    /// # Errors
    /// The place is away, too slow, or others are always faster.
    pub(super) async fn change<T: Serialize + DeserializeOwned, R>(
        &self,
        key: &str,
        anew: impl Fn() -> T,
        change: impl Fn(&mut T) -> R,
    ) -> Result<(T, R), StoreError> {
        let swapping = async {
            for _ in 0..TRIES {
                let found = self.shared.get(key).await?;
                let read = found.as_ref().and_then(|found| serde_json::from_slice(&found.value).ok());
                let mut value: T = read.unwrap_or_else(&anew);
                let said = change(&mut value);
                let json =
                    serde_json::to_vec(&value).map_err(|error| StoreError(format!("{key}: {error}")))?;
                if self.shared.swap(key, found.map(|found| found.version), json).await? {
                    return Ok((value, said));
                }
            }
            Err(StoreError(format!("{key}: others were faster {TRIES} times")))
        };
        let timed = tokio::time::timeout(PATIENCE, swapping).await;
        timed.unwrap_or_else(|_| {
            Err(StoreError(format!("{key}: no answer within {} ms", PATIENCE.as_millis())))
        })
    }
}

/// Where gateways say that they live.
const LIVING: &str = "limit/gateways";
/// Well within the end of a share, after which a gateway counts as dead.
const ANNOUNCED_EVERY_MS: i64 = SHARE_MS / 4;
const TRIES: usize = 32;
/// A request waits for the place no longer than this, and then passes by what its gateway knows alone.
const PATIENCE: Duration = Duration::from_millis(500);
