//! Every budget that this gateway draws on.

use super::account::{Account, PREFIX};
use super::closing::close_left_open;
use super::purse::Purse;
use crate::app::Spawner;
use crate::shared::Shared;
use crate::store::{Journal, Opening};
use crate::tenants::{Budget, Identity, Level};
use sluice_router::{EscrowShare, Holder, NanoUsd, ShareRules};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// When money that is held is durable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HoldMode {
    /// The share is, before anything is spent from it; holds and settlements follow in groups.
    #[default]
    Escrow,
    /// Each hold is, before a byte leaves for it.
    Request,
}

/// What accounts work with.
pub(super) struct Means {
    pub(super) shared: Arc<dyn Shared>,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) opening: Opening,
    pub(super) mode: HoldMode,
    pub(super) unix_ms: fn() -> i64,
    pub(super) spawner: Spawner,
}

/// The gateway's accounts.
pub(crate) struct Books {
    means: Arc<Means>,
    /// By level and period. A period that has ended gives way to the next one.
    accounts: RwLock<HashMap<String, Arc<Account>>>,
    /// Accounts of periods that have ended, until nothing is held there.
    ended: RwLock<Vec<Arc<Account>>>,
    /// Budgets in which earlier starts of this gateway may have left a share open.
    left_open: Mutex<Vec<String>>,
}

impl Books {
    /// Books of a gateway that starts.
    pub(crate) fn new(
        shared: Arc<dyn Shared>,
        journal: Arc<dyn Journal>,
        mode: HoldMode,
        unix_ms: fn() -> i64,
        spawner: Spawner,
    ) -> Books {
        let opening = journal.opening();
        let mut left_open: Vec<String> = opening.open.iter().map(|open| open.account.clone()).collect();
        left_open.dedup();
        let means = Arc::new(Means { shared, journal, opening, mode, unix_ms, spawner });
        Books {
            means,
            accounts: RwLock::default(),
            ended: RwLock::default(),
            left_open: Mutex::new(left_open),
        }
    }

    /// What a request of this identity may draw on.
    pub(crate) fn purse(&self, identity: &Identity) -> Purse {
        let bounded = identity.levels.iter().filter_map(|level| level.budget.map(|budget| (level, budget)));
        let accounts = bounded.map(|(level, budget)| self.account(level, budget)).collect();
        Purse::new(self.means.clone(), accounts)
    }

    fn account(&self, level: &Level, budget: Budget) -> Arc<Account> {
        let now_ms = (self.means.unix_ms)();
        let place = format!("{}/{}", level.id, budget.period.name());
        let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = accounts.get(&place).filter(|account| now_ms < account.span.end_ms) {
            if account.budget() != budget {
                account.set_budget(budget);
            }
            return account.clone();
        }
        drop(accounts);
        let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = accounts.get(&place).filter(|account| now_ms < account.span.end_ms) {
            return account.clone();
        }
        let account = Arc::new(self.begin(level, budget, &place));
        if let Some(ended) = accounts.insert(place, account.clone()) {
            self.ended.write().unwrap_or_else(PoisonError::into_inner).push(ended);
        }
        account
    }

    fn begin(&self, level: &Level, budget: Budget, place: &str) -> Account {
        let span = budget.period.span((self.means.unix_ms)());
        let holder = Holder { gateway: self.means.opening.gateway.clone(), epoch: self.means.opening.epoch };
        let rules =
            ShareRules { holds_are_synced: self.means.mode == HoldMode::Request, life_ms: SHARE_LIFE_MS };
        let name = format!("{PREFIX}{place}/{}", span.begin_ms);
        Account::new(name, level, (budget, span), EscrowShare::new(holder, rules))
    }

    /// Opens the accounts of these levels, so that what an earlier start left open is closed soon after a restart and
    /// not only when somebody asks.
    pub(crate) async fn open(&self, identities: &[Arc<Identity>]) {
        self.close_left_open().await;
        for identity in identities {
            // The regular look tells of trouble.
            let _ = self.purse(identity).open().await;
        }
    }

    /// Closes what earlier starts left open in budgets that nobody may open any more.
    async fn close_left_open(&self) {
        let left = std::mem::take(&mut *self.left_open.lock().unwrap_or_else(PoisonError::into_inner));
        for account in left {
            if close_left_open(&self.means, &account).await.is_err() {
                self.left_open.lock().unwrap_or_else(PoisonError::into_inner).push(account);
            }
        }
    }

    /// The regular look at every account, once a second. Returns what is left of each, with what is wrong where
    /// something is.
    pub(crate) async fn look_after(&self) -> Vec<Standing> {
        let current: Vec<Arc<Account>> =
            self.accounts.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        let mut standings = Vec::with_capacity(current.len());
        for account in current {
            let trouble = account.look_after(&self.means).await.err().map(|error| error.to_string());
            standings.push(Standing {
                level: account.level.clone(),
                budget: account.budget().amount,
                remaining: account.remaining(),
                percent: account.step_of_use(),
                trouble,
            });
        }
        self.end_periods().await;
        standings
    }

    async fn end_periods(&self) {
        let ended: Vec<Arc<Account>> =
            self.ended.read().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        for account in ended {
            if matches!(account.look_after(&self.means).await, Ok(true)) {
                let mut ended = self.ended.write().unwrap_or_else(PoisonError::into_inner);
                ended.retain(|other| !Arc::ptr_eq(other, &account));
            }
        }
    }

    /// Tells every vault the last word of this start, and gives back what is idle.
    pub(crate) async fn close(&self) {
        let accounts: Vec<Arc<Account>> =
            self.accounts.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        let ended: Vec<Arc<Account>> =
            self.ended.read().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        for account in accounts.into_iter().chain(ended) {
            let _ = account.give_back(&self.means).await;
        }
    }
}

/// How a budget stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Whose it is: `acme/web`.
    pub(crate) level: String,
    /// What may be spent in the period.
    pub(crate) budget: NanoUsd,
    /// What is left of it, as far as this gateway knows.
    pub(crate) remaining: NanoUsd,
    /// The step of its use that it has just come to.
    pub(crate) percent: Option<u8>,
    /// Why the vault could not be looked at.
    pub(crate) trouble: Option<String>,
}

/// A share that its gateway doesn't report on for so long is listed as expired.
const SHARE_LIFE_MS: i64 = 30_000;
