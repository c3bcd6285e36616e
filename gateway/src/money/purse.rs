//! What one request may draw on: the budgets of its key, its project and its tenant.

use super::account::{Account, Unanswered};
use super::books::{HoldMode, Means};
use super::held::Held;
use crate::record::{Held as HeldRecord, Record};
use crate::store::StoreError;
use crate::tenants::Budget;
use futures::future::BoxFuture;
use sluice_router::{NanoUsd, Short};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// The budgets that bound a request; none bounds it where none is configured.
#[derive(Clone)]
pub(crate) struct Purse {
    means: Arc<Means>,
    accounts: Vec<Arc<Account>>,
}

/// Why nothing was held.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Empty {
    /// The budget doesn't cover it.
    #[error("the budget of {owner} ({amount} USD a {period}) is used up; it begins anew {resets}", amount = budget.amount, period = budget.period.name())]
    UsedUp {
        /// Whose it is.
        owner: String,
        /// The budget.
        budget: Budget,
        /// When it begins anew, in words.
        resets: String,
        /// When that is, in milliseconds from now; `None` for never.
        resets_in_ms: Option<u64>,
    },
    /// Shares have run dry and the vault can't be asked, or the journal can't be written to.
    #[error("money can't be held just now: {0}")]
    Away(String),
}

impl From<Unanswered> for Empty {
    fn from(error: Unanswered) -> Empty {
        Empty::Away(error.to_string())
    }
}

impl From<StoreError> for Empty {
    fn from(error: StoreError) -> Empty {
        Empty::Away(error.to_string())
    }
}

impl Purse {
    pub(super) fn new(means: Arc<Means>, accounts: Vec<Arc<Account>>) -> Purse {
        Purse { means, accounts }
    }

    /// Whether any budget bounds the request.
    pub(crate) fn is_bounded(&self) -> bool {
        !self.accounts.is_empty()
    }

    /// Sees that the vault of each budget has been asked at least once.
    ///
    /// # Errors
    /// A vault that was never asked can't be reached: nothing is known of its budget, so nothing is spent from it.
    pub(crate) async fn open(&self) -> Result<(), Empty> {
        for account in &self.accounts {
            account.open(&self.means).await?;
        }
        Ok(())
    }

    /// What the tightest budget may cover now, and what it might after others have settled or given back.
    pub(crate) fn reach(&self) -> Option<(NanoUsd, NanoUsd)> {
        let reaches = self.accounts.iter().map(|account| account.reach());
        reaches.reduce(|a, b| (a.0.min(b.0), a.1.min(b.1)))
    }

    /// Holds an amount in every budget, if that is possible without asking anybody.
    pub(crate) fn try_hold(&self, amount: NanoUsd) -> Option<Held> {
        self.hold_at_once(amount).ok()
    }

    fn hold_at_once(&self, amount: NanoUsd) -> Result<Held, (Arc<Account>, Short)> {
        let mut held = Held::in_no_budget(amount);
        for account in &self.accounts {
            match account.hold(amount) {
                Ok(hold) => held.add(account.clone(), hold),
                Err(short) => {
                    held.release(&mut Vec::new());
                    return Err((account.clone(), short));
                }
            }
        }
        self.foresee();
        Ok(held)
    }

    /// Raises marks and takes shares before they are needed, beside the request.
    fn foresee(&self) {
        for account in self.accounts.iter().filter(|account| account.begins_to_foresee()) {
            let (means, account) = (self.means.clone(), account.clone());
            let work = async move { account.foresee(&means).await };
            self.means.spawner.spawn("budget share", Box::pin(work));
        }
    }

    /// Holds an amount in every budget: takes more of a share, or waits for what others give back, while `may_wait`
    /// lasts.
    ///
    /// # Errors
    /// The budget doesn't cover it, or can't be asked.
    pub(crate) async fn hold(
        &self,
        amount: NanoUsd,
        mut may_wait: BoxFuture<'static, ()>,
    ) -> Result<Held, Empty> {
        loop {
            let (account, short) = match self.hold_at_once(amount) {
                Ok(held) => return Ok(held),
                Err(short) => short,
            };
            let _waits = matches!(short, Short::Grant { .. }).then(|| account.waits(amount));
            let has_moved = match short {
                Short::Mark => account.mark(&self.means, amount).await?,
                Short::Grant { .. } => account.take_more(&self.means).await?,
            };
            if has_moved {
                continue;
            }
            if account.reach().1 < amount {
                return Err(self.used_up(&account));
            }
            tokio::select! {
                biased;
                () = account.changed.notified() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
                () = &mut may_wait => return Err(self.used_up(&account)),
            }
        }
    }

    /// Makes a hold durable before anything is sent for it, where holds are to be.
    ///
    /// # Errors
    /// The journal can't be written to.
    pub(crate) async fn sync(&self, request_id: Uuid, hold: u32, held: &Held) -> Result<(), Empty> {
        if self.means.mode == HoldMode::Escrow || !self.is_bounded() {
            return Ok(());
        }
        let accounts = held.accounts().map(str::to_owned).collect();
        let record = HeldRecord { request_id, hold, accounts, amount: held.amount() };
        self.means.journal.record(Record::Held(record)).await;
        Ok(self.means.journal.flush().await?)
    }

    fn used_up(&self, account: &Account) -> Empty {
        let end_ms = account.span.end_ms;
        let left_ms = u64::try_from(end_ms.saturating_sub((self.means.unix_ms)())).unwrap_or(0);
        Empty::UsedUp {
            owner: account.owner.clone(),
            budget: account.budget(),
            resets: account.span.ends_on().map_or("never".to_owned(), |day| format!("on {day}, 00:00 UTC")),
            resets_in_ms: (end_ms < i64::MAX).then_some(left_ms),
        }
    }

    /// Why a request that no expert can answer within the tightest budget is refused.
    pub(crate) fn too_little(&self) -> Option<Empty> {
        let tightest = self.accounts.iter().min_by_key(|account| account.reach().0)?;
        Some(self.used_up(tightest))
    }
}

/// Changes elsewhere ring no bell here.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
