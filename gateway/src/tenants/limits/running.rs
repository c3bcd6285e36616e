//! How many requests of one level run at once, as this gateway holds it.

use super::place::Place;
use sluice_router::{SHARE_MS, Slots, quota_share};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A count, with the slots that this gateway holds of it.
pub(super) struct RunningCount {
    key: String,
    mine: Mutex<Mine>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Mine {
    limit: u64,
    in_use: u64,
    held: u64,
    until_ms: i64,
    seen: Option<Slots>,
    seen_ms: i64,
    is_away: bool,
    used_ms: i64,
}

/// A slot. Dropping it frees it, on whatever way out.
pub(super) struct Slot(Arc<RunningCount>);

impl Drop for Slot {
    fn drop(&mut self) {
        let mut mine = self.0.lock();
        mine.in_use = mine.in_use.saturating_sub(1);
    }
}

impl RunningCount {
    pub(super) fn new(key: String) -> RunningCount {
        RunningCount { key, mine: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Mine> {
        self.mine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a slot; `None` when all are in use.
    pub(super) async fn enter(self: &Arc<Self>, place: &Place, limit: u64) -> Option<Slot> {
        let slot = || Slot(self.clone());
        if self.lock().enter(limit, place.now_ms()) {
            return Some(slot());
        }
        let _turn = self.turn.lock().await;
        let now_ms = place.now_ms();
        {
            let mut mine = self.lock();
            if mine.enter(limit, now_ms) {
                return Some(slot());
            }
            if mine.is_known_full(place, now_ms) {
                return None;
            }
            if mine.is_away {
                return mine.enter_alone(place).then(slot);
            }
        }
        match self.hold(place, 1).await {
            true => self.lock().enter(limit, now_ms).then(slot),
            false => self.lock().enter_alone(place).then(slot),
        }
    }

    /// Keeps what is held for as long as anything runs, and gives back what is not used.
    pub(super) async fn look_after(&self, place: &Place) {
        let now_ms = place.now_ms();
        let is_due = |mine: &Mine| {
            let spare = if mine.in_use == 0 { 0 } else { quota_share(mine.limit) };
            let ends_soon = now_ms + SHARE_MS / 2 > mine.until_ms;
            let is_held = mine.held > 0 || mine.in_use > 0;
            mine.is_away || mine.held > mine.in_use + spare || (is_held && ends_soon)
        };
        if !is_due(&self.lock()) {
            return;
        }
        let _turn = self.turn.lock().await;
        {
            // First here, then in the common place: nobody may enter by what is given back.
            let mut mine = self.lock();
            let spare = if mine.in_use == 0 { 0 } else { quota_share(mine.limit) };
            mine.held = mine.held.min(mine.in_use + spare);
        }
        self.hold(place, 0).await;
    }

    /// Whether anything of it is in use, or was a while ago.
    pub(super) fn is_used_since(&self, unix_ms: i64) -> bool {
        let mine = self.lock();
        mine.in_use > 0 || mine.held > 0 || mine.used_ms > unix_ms
    }

    /// Goes to the common place for `more` slots than are in use. False when it is away. Only in one's turn.
    async fn hold(&self, place: &Place, more: u64) -> bool {
        let now_ms = place.now_ms();
        let (in_use, held, limit) = {
            let mine = self.lock();
            let held = if now_ms < mine.until_ms { mine.held.min(mine.limit) } else { 0 };
            (mine.in_use, held, mine.limit)
        };
        let need = (in_use + more).max(held);
        let want = if more > 0 { in_use + quota_share(limit) } else { need };
        let hold = |slots: &mut Slots| slots.hold(&place.who, in_use.max(held), need, want, limit, now_ms);
        let visited = place.change(&self.key, Slots::default, hold).await;
        let mut mine = self.lock();
        match visited {
            Ok((seen, held)) => {
                (mine.held, mine.until_ms) = (held, now_ms + SHARE_MS - MARGIN_MS);
                (mine.seen, mine.seen_ms, mine.is_away) = (Some(seen), now_ms, false);
                true
            }
            Err(_) => {
                mine.is_away = true;
                false
            }
        }
    }
}

impl Mine {
    fn enter(&mut self, limit: u64, now_ms: i64) -> bool {
        self.limit = limit;
        let may = now_ms < self.until_ms && self.in_use < self.held.min(limit);
        self.in_use += u64::from(may);
        self.used_ms = now_ms;
        may
    }

    /// Whether the last visit, a moment ago, showed that there is none left for one more.
    fn is_known_full(&self, place: &Place, now_ms: i64) -> bool {
        let seen = self.seen.as_ref().filter(|_| now_ms < self.seen_ms + FRESH_MS);
        seen.is_some_and(|seen| seen.free_for(&place.who, self.limit) <= self.in_use)
    }

    /// While the place is away: this gateway's part of the limit.
    fn enter_alone(&mut self, place: &Place) -> bool {
        let gateways = self.seen.as_ref().map_or(1, Slots::gateways).max(place.gateways());
        let may = self.in_use < (self.limit / gateways).max(1);
        self.in_use += u64::from(may);
        may
    }
}

const MARGIN_MS: i64 = 1_000;
const FRESH_MS: i64 = 50;
