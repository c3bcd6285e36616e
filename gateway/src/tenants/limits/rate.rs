//! One rate at one level, as this gateway holds it.

use super::place::Place;
use super::standing::StandingRate;
use crate::store::StoreError;
use sluice_router::{Bucket, SHARE_MS, Wish, quota_share};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A rate, with this gateway's share of it.
pub(super) struct Rate {
    /// What it is called in the common place.
    key: String,
    mine: Mutex<Mine>,
    /// One goes to the common place at a time; whoever waits finds what that one brought.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Mine {
    /// The limit, as it was asked for last.
    per_min: u64,
    /// What may be spent without asking, until then.
    left: u64,
    until_ms: i64,
    /// Taken and not used, or used and not taken; told at the next visit.
    refund: u64,
    debt: u64,
    /// The common side after the last visit.
    seen: Option<Bucket>,
    seen_ms: i64,
    used_ms: i64,
    /// The place is away.
    alone: Option<Alone>,
}

/// What passes while the place is away: this gateway's part of the limit.
struct Alone {
    bucket: Bucket,
    per_min: u64,
}

/// How a visit ended.
enum Visit {
    /// The units are taken.
    Taken,
    /// There are fewer; in so many milliseconds there may be enough.
    Short(u64),
    /// Others of this gateway took what was brought.
    Raced,
}

impl Rate {
    pub(super) fn new(key: String) -> Rate {
        Rate { key, mine: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Mine> {
        self.mine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes `units`, at most a minute's worth: what needs more than that passes when all of it is there. True when the
    /// share is getting short.
    ///
    /// # Errors
    /// There are fewer; in so many milliseconds there may be enough.
    pub(super) async fn take(&self, place: &Place, per_min: u64, units: u64) -> Result<bool, u64> {
        let units = units.min(per_min);
        if let Some(is_short) = self.lock().spend(per_min, units, place.now_ms()) {
            return Ok(is_short);
        }
        let _turn = self.turn.lock().await;
        for _ in 0..RACES {
            let now_ms = place.now_ms();
            if let Some(is_short) = self.lock().spend(per_min, units, now_ms) {
                return Ok(is_short);
            }
            if let Some(known) = self.lock().known(place, units, now_ms) {
                return known.map(|()| false);
            }
            match self.visit(place, per_min, units, units).await {
                Ok(Visit::Taken) => return Ok(false),
                Ok(Visit::Short(wait_ms)) => return Err(wait_ms),
                Ok(Visit::Raced) => {}
                Err(_) => return self.lock().go_alone(place, units, place.now_ms()).map(|()| false),
            }
        }
        Err(RACED_MS)
    }

    /// Corrects what was taken to what was used.
    pub(super) fn correct(&self, taken: u64, used: u64) {
        let mut mine = self.lock();
        let taken = taken.min(mine.per_min);
        mine.refund += taken.saturating_sub(used);
        let more = used.saturating_sub(taken);
        let from_share = mine.left.min(more);
        mine.left -= from_share;
        mine.debt += more - from_share;
    }

    /// Fetches more before it is needed.
    pub(super) async fn top_up(&self, place: &Place) {
        let _turn = self.turn.lock().await;
        let (per_min, is_needed) = {
            let mine = self.lock();
            (mine.per_min, mine.alone.is_none() && mine.is_short(mine.per_min))
        };
        if is_needed {
            // Whoever needs it meanwhile asks by itself, and hears then that the place is away.
            let _ = self.visit(place, per_min, 0, 0).await;
        }
    }

    /// Gives a share back that nobody here has asked for in a while, and asks a place that is away whether it is back.
    pub(super) async fn look_after(&self, place: &Place) {
        let now_ms = place.now_ms();
        let is_idle = |mine: &Mine| mine.left > 0 && now_ms > mine.used_ms + IDLE_MS;
        let (is_alone, is_due) = {
            let mine = self.lock();
            (mine.alone.is_some(), is_idle(&mine))
        };
        if !is_alone && !is_due {
            return;
        }
        let _turn = self.turn.lock().await;
        let per_min = self.lock().per_min;
        if is_alone {
            // It stays away: what passes meanwhile is this gateway's part of the limit.
            let _ = self.visit(place, per_min, 0, 0).await;
            return;
        }
        let wish = {
            let mut mine = self.lock();
            if !is_idle(&mine) {
                return;
            }
            let wish = mine.wish(0, 0);
            (mine.left, mine.refund) = (0, 0);
            wish
        };
        let anew = || Bucket::full(per_min, now_ms);
        let back = |bucket: &mut Bucket| bucket.put_back(&place.who, wish, per_min, now_ms);
        if let Ok((seen, ())) = place.change(&self.key, anew, back).await {
            let mut mine = self.lock();
            mine.debt -= wish.debt;
            (mine.seen, mine.seen_ms) = (Some(seen), now_ms);
        }
    }

    /// When it was asked last, in milliseconds since 1970.
    pub(super) fn used_ms(&self) -> i64 {
        self.lock().used_ms
    }

    /// What the next request meets.
    pub(super) fn standing(&self, place: &Place, per_min: u64) -> StandingRate {
        let now_ms = place.now_ms();
        let mine = self.lock();
        let (bucket, per_min, wish) = match (&mine.alone, &mine.seen) {
            (Some(alone), _) => (&alone.bucket, alone.per_min, Wish::default()),
            (None, Some(seen)) => (seen, per_min, mine.wish(0, 0)),
            (None, None) => return StandingRate { limit: per_min, remaining: per_min, reset_ms: 0 },
        };
        let remaining = bucket.available_to(&place.who, wish, per_min, now_ms).min(per_min);
        let full = Wish { need: per_min, ..wish };
        let reset_ms =
            if remaining == per_min { 0 } else { bucket.wait_ms(&place.who, full, per_min, now_ms) };
        StandingRate { limit: per_min, remaining, reset_ms }
    }

    /// Goes to the common place, tells it what is left, and takes what is needed. Only in one's turn.
    async fn visit(&self, place: &Place, per_min: u64, need: u64, spend: u64) -> Result<Visit, StoreError> {
        let now_ms = place.now_ms();
        let wish = {
            let mut mine = self.lock();
            mine.per_min = per_min;
            let wish = mine.wish(need, need + quota_share(per_min));
            // Told once at most, even where this future is dropped on its way: a debt may be told twice, which errs on the
            // side of the limit.
            mine.refund = 0;
            wish
        };
        let anew = || Bucket::full(per_min, now_ms);
        let take = |bucket: &mut Bucket| bucket.take(&place.who, wish, per_min, now_ms);
        let visited = place.change(&self.key, anew, take).await;
        let mut mine = self.lock();
        let (seen, got) = visited.inspect_err(|_| mine.refund += wish.refund)?;
        // Others may have spent of it meanwhile; what the place did not know of any more is gone.
        mine.left = mine.left.saturating_sub(wish.left - got.kept) + got.granted;
        mine.until_ms = now_ms + SHARE_MS - MARGIN_MS;
        mine.debt -= wish.debt;
        let wait_ms =
            seen.wait_ms(&place.who, Wish { left: got.kept, need, ..Wish::default() }, per_min, now_ms);
        (mine.seen, mine.seen_ms, mine.alone) = (Some(seen), now_ms, None);
        if mine.left >= spend {
            mine.left -= spend;
            mine.used_ms = now_ms;
            return Ok(Visit::Taken);
        }
        Ok(if got.kept + got.granted < need { Visit::Short(wait_ms) } else { Visit::Raced })
    }
}

impl Mine {
    /// Spends of the share. `None`: it doesn't reach; else whether it is getting short.
    fn spend(&mut self, per_min: u64, units: u64, now_ms: i64) -> Option<bool> {
        self.per_min = per_min;
        if now_ms >= self.until_ms || self.left < units {
            return None;
        }
        self.left -= units;
        self.used_ms = now_ms;
        Some(self.is_short(per_min))
    }

    /// Whether there is reason to fetch more: the share is half used up, and there is more to be had.
    fn is_short(&self, per_min: u64) -> bool {
        let share = quota_share(per_min);
        share >= LEAST_SHARE && self.left < share / 2
    }

    /// What is known without a visit: that there are too few, for a moment after the last one; or what this gateway may
    /// pass alone, while the place is away.
    fn known(&mut self, place: &Place, units: u64, now_ms: i64) -> Option<Result<(), u64>> {
        if self.alone.is_some() {
            return Some(self.go_alone(place, units, now_ms));
        }
        let per_min = self.per_min;
        let seen = self.seen.as_ref().filter(|_| now_ms < self.seen_ms + FRESH_MS)?;
        let wish = self.wish(units, units);
        let is_enough = seen.available_to(&place.who, wish, per_min, now_ms) >= units;
        (!is_enough).then(|| Err(seen.wait_ms(&place.who, wish, per_min, now_ms)))
    }

    /// Takes of this gateway's part of the limit.
    fn go_alone(&mut self, place: &Place, units: u64, now_ms: i64) -> Result<(), u64> {
        let (wish, per_min, seen) = (self.wish(0, 0), self.per_min, self.seen.as_ref());
        let alone = self.alone.get_or_insert_with(|| {
            let gateways = seen.map_or(1, Bucket::gateways).max(place.gateways());
            let part = (per_min / gateways).max(1);
            let had =
                seen.map_or(part, |seen| seen.available_to(&place.who, wish, per_min, now_ms) / gateways);
            let mut bucket = Bucket::full(part, now_ms);
            let gone = Wish { need: part.saturating_sub(had), ..Wish::default() };
            bucket.take("", gone, part, now_ms);
            bucket.put_back("", Wish::default(), part, now_ms);
            Alone { bucket, per_min: part }
        });
        let units = units.min(alone.per_min);
        let wish = Wish { need: units, ..Wish::default() };
        let granted = alone.bucket.take(&place.who, wish, alone.per_min, now_ms).granted;
        // It is spent, and not a share that could be given back.
        alone.bucket.put_back(&place.who, Wish::default(), alone.per_min, now_ms);
        if granted < units {
            return Err(alone.bucket.wait_ms(&place.who, wish, alone.per_min, now_ms));
        }
        // What passes meanwhile is told when the place is back.
        self.debt += units;
        self.used_ms = now_ms;
        Ok(())
    }

    fn wish(&self, need: u64, want: u64) -> Wish {
        Wish { left: self.left, refund: self.refund, debt: self.debt, need, want }
    }
}

/// Gateways' clocks may be this far apart.
const MARGIN_MS: i64 = 1_000;
/// A share that lies idle for so long goes back.
const IDLE_MS: i64 = 2_000;
/// After a visit that brought too little, what was seen there holds for so long.
const FRESH_MS: i64 = 100;
/// Smaller shares are fetched when they are needed: there would be little ahead.
const LEAST_SHARE: u64 = 4;
/// Visits whose gain others took, before a request gives up; and what it is told then.
const RACES: usize = 4;
const RACED_MS: u64 = 100;
