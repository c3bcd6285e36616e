//! One budget in one period, as this gateway draws on it.

use super::books::Means;
use super::closing::close_earlier;
use crate::record::Record;
use crate::shared::Versioned;
use crate::store::StoreError;
use crate::tenants::{Budget, Level};
use sluice_router::{
    EscrowShare, Hold, Mark, NanoUsd, Settlement, ShareReport, Short, Span, Unlawful, Vault, VaultAnswer,
};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// A budget's account.
pub(super) struct Account {
    /// The vault's key, and the name in the journal: `budget/LEVEL/PERIOD/BEGIN`.
    pub(super) name: String,
    /// Whose it is: `acme/web`.
    pub(super) level: String,
    /// For people: `project acme/web`.
    pub(super) owner: String,
    /// When it begins anew.
    pub(super) span: Span,
    budget: Mutex<Budget>,
    share: Mutex<EscrowShare>,
    /// What requests would hold that wait for more of the budget, in nano-USD.
    waiting: AtomicI64,
    /// Rings when something has changed that may let a hold succeed.
    pub(super) changed: Notify,
    /// Of the steps of its use the last that was told.
    told_percent: AtomicU8,
    /// Whether somebody sees to marks and reports ahead of need.
    foresees: AtomicBool,
    /// Marks go to the journal in their order. One that is here was set, and may not have been handed over: whoever did
    /// it went away.
    marking: tokio::sync::Mutex<Option<Mark>>,
    /// One report at a time.
    reporting: tokio::sync::Mutex<Reporting>,
}

/// What was reported last.
#[derive(Default)]
struct Reporting {
    /// Whether the vault has ever answered.
    is_known: bool,
    spent: NanoUsd,
    /// How many looks in a row found nothing new.
    quiet: u32,
}

/// Why the vault gave no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Unanswered {
    /// It can't be reached, or the journal can't be written to.
    #[error(transparent)]
    Away(#[from] StoreError),
    /// This start of the gateway is not to spend any more, or the vault has lost its memory.
    #[error(transparent)]
    Unlawful(#[from] Unlawful),
}

impl Account {
    pub(super) fn new(
        name: String,
        level: &Level,
        (budget, span): (Budget, Span),
        share: EscrowShare,
    ) -> Account {
        Account {
            name,
            level: level.id.clone(),
            owner: format!("{} {}", level.kind.name(), level.id),
            told_percent: AtomicU8::new(0),
            span,
            budget: Mutex::new(budget),
            share: Mutex::new(share),
            waiting: AtomicI64::new(0),
            changed: Notify::new(),
            foresees: AtomicBool::new(false),
            marking: tokio::sync::Mutex::default(),
            reporting: tokio::sync::Mutex::default(),
        }
    }

    fn share(&self) -> MutexGuard<'_, EscrowShare> {
        self.share.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The budget, as configured last.
    pub(super) fn budget(&self) -> Budget {
        *self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reload may have changed it.
    pub(super) fn set_budget(&self, budget: Budget) {
        *self.budget.lock().unwrap_or_else(PoisonError::into_inner) = budget;
    }

    /// Holds an amount, if there is as much.
    pub(super) fn hold(&self, amount: NanoUsd) -> Result<Hold, Short> {
        self.share().hold(amount)
    }

    /// Counts a request among those that wait for more, until what is returned is dropped.
    pub(super) fn waits(&self, amount: NanoUsd) -> Waits<'_> {
        self.waiting.fetch_add(amount.0, Ordering::Relaxed);
        Waits { account: self, amount }
    }

    /// Settles a hold.
    pub(super) fn settle(&self, hold: Hold, cost: NanoUsd) -> Settlement {
        let settlement = self.share().settle(hold, cost);
        if settlement.released > NanoUsd::ZERO {
            self.changed.notify_waiters();
        }
        settlement
    }

    /// What could be held at once at most, as far as this gateway knows; and what might be after others have settled
    /// or given back.
    pub(super) fn reach(&self) -> (NanoUsd, NanoUsd) {
        let share = self.share();
        let answer = share.last_answer();
        let now = share.free() + answer.free;
        (now, now + share.held() + answer.elsewhere)
    }

    /// What is left of the budget, as far as this gateway knows.
    pub(super) fn remaining(&self) -> NanoUsd {
        self.reach().1
    }

    /// The step of its use that it has come to since it was asked last: 50, 80 or 100 percent.
    pub(super) fn step_of_use(&self) -> Option<u8> {
        let (amount, remaining) = (self.budget().amount, self.remaining());
        let used = i128::from((amount - remaining).0) * 100;
        let percent = STEPS.iter().rev().find(|&&step| used >= i128::from(step) * i128::from(amount.0))?;
        (self.told_percent.fetch_max(*percent, Ordering::Relaxed) < *percent).then_some(*percent)
    }

    /// Makes a mark durable where one is due, so that `amount` can be held, and those that are on their way. False:
    /// there was none.
    ///
    /// # Errors
    /// The journal can't be written to. It keeps what it has and tries again; so does whoever asks here next.
    pub(super) async fn mark(&self, means: &Means, amount: NanoUsd) -> Result<bool, StoreError> {
        self.mark_if(means, |share| share.raise_due(amount).or_else(|| share.lower_due(false))).await
    }

    /// Makes it durable that nothing more is held than is now, so that all the rest can go back.
    async fn mark_down(&self, means: &Means) -> Result<bool, StoreError> {
        self.mark_if(means, |share| share.lower_due(true)).await
    }

    async fn mark_if(
        &self,
        means: &Means,
        due: impl FnOnce(&mut EscrowShare) -> Option<Mark>,
    ) -> Result<bool, StoreError> {
        let pending = {
            let mut unwritten = self.marking.lock().await;
            self.write_mark(means, &mut unwritten).await;
            *unwritten = due(&mut self.share());
            self.write_mark(means, &mut unwritten).await;
            // Read in here: whatever is on its way has been handed to the journal.
            self.share().pending_mark()
        };
        let Some(pending) = pending else { return Ok(false) };
        means.journal.flush().await?;
        self.share().marked(pending);
        self.changed.notify_waiters();
        Ok(true)
    }

    /// Hands a mark to the journal. A caller that is dropped here leaves it to the next one: a mark that was never handed
    /// over must not be taken for a durable one. Twice does no harm.
    async fn write_mark(&self, means: &Means, unwritten: &mut Option<Mark>) {
        if let Some(Mark { amount, .. }) = *unwritten {
            means.journal.record(Record::Mark { account: self.name.clone(), amount }).await;
            *unwritten = None;
        }
    }

    /// Whether a mark or a report is due ahead of need, and nobody sees to it yet. Then the caller does, by
    /// [`Account::foresee`].
    pub(super) fn begins_to_foresee(&self) -> bool {
        let is_due = {
            let share = self.share();
            share.is_raise_due(NanoUsd::ZERO) || share.is_lower_due(false) || share.is_report_due()
        };
        is_due && !self.foresees.swap(true, Ordering::AcqRel)
    }

    /// Raises the mark and takes more of the budget before that is needed. Whoever needs it and gets nothing is told.
    pub(super) async fn foresee(&self, means: &Means) {
        let _ = self.mark(means, NanoUsd::ZERO).await;
        let _ = self.take_more(means).await;
        self.foresees.store(false, Ordering::Release);
    }

    /// Sees that the vault has been asked at least once.
    pub(super) async fn open(&self, means: &Means) -> Result<(), Unanswered> {
        let mut reporting = self.reporting.lock().await;
        if reporting.is_known {
            return Ok(());
        }
        self.exchange(means, &mut reporting, false).await
    }

    /// Takes more of the budget, unless somebody else just did. False: there was nothing to be had.
    pub(super) async fn take_more(&self, means: &Means) -> Result<bool, Unanswered> {
        let mut reporting = self.reporting.lock().await;
        if reporting.is_known && !self.share().is_report_due() {
            return Ok(false);
        }
        let before = self.share().free();
        self.exchange(means, &mut reporting, false).await?;
        Ok(self.share().free() > before)
    }

    /// The regular look, once a second. Returns true when the account is of no more use: its period is over and
    /// nothing is held.
    pub(super) async fn look_after(&self, means: &Means) -> Result<bool, Unanswered> {
        let mut reporting = self.reporting.lock().await;
        let (spent, held, free) = {
            let share = self.share();
            (share.spent(), share.held(), share.free())
        };
        let is_over = (means.unix_ms)() >= self.span.end_ms;
        let is_still = spent == reporting.spent && held == NanoUsd::ZERO;
        reporting.quiet = if is_still { reporting.quiet.saturating_add(1) } else { 0 };
        let gives_all = is_over || reporting.quiet >= QUIET_LOOKS;
        let has_news = spent != reporting.spent || free > NanoUsd::ZERO || self.share().is_report_due();
        if !reporting.is_known || !has_news {
            return Ok(is_over && held == NanoUsd::ZERO);
        }
        if gives_all {
            self.mark_down(means).await?;
        } else {
            self.mark(means, NanoUsd::ZERO).await?;
        }
        self.exchange(means, &mut reporting, gives_all).await?;
        self.mark(means, NanoUsd::ZERO).await?;
        Ok(is_over && held == NanoUsd::ZERO)
    }

    /// Gives back whatever is idle, as the gateway ends.
    pub(super) async fn give_back(&self, means: &Means) -> Result<(), Unanswered> {
        let mut reporting = self.reporting.lock().await;
        if !reporting.is_known {
            return Ok(());
        }
        self.mark_down(means).await?;
        self.exchange(means, &mut reporting, true).await
    }

    async fn exchange(
        &self,
        means: &Means,
        reporting: &mut Reporting,
        gives_all: bool,
    ) -> Result<(), Unanswered> {
        let waiting = NanoUsd(self.waiting.load(Ordering::Relaxed).max(0));
        let report = self.share().report(waiting, gives_all);
        let answer = self.swap(means, &report).await?;
        self.share().answered(answer);
        reporting.is_known = true;
        reporting.spent = report.spent;
        self.changed.notify_waiters();
        Ok(())
    }

    /// Reads the vault, lets it take the report, and puts it back, until nobody else was faster.
    async fn swap(&self, means: &Means, report: &ShareReport) -> Result<VaultAnswer, Unanswered> {
        loop {
            let seen = means.shared.get(&self.name).await?;
            let mut vault = self.vault(seen.as_ref())?;
            vault.fund(self.budget().amount);
            close_earlier(means, &self.name, &mut vault).await?;
            let answer = vault.report(report, (means.unix_ms)())?;
            let value = serde_json::to_vec(&vault).map_err(|error| StoreError(format!("vault: {error}")))?;
            if means.shared.swap(&self.name, seen.map(|seen| seen.version), value).await? {
                return Ok(answer);
            }
        }
    }

    fn vault(&self, seen: Option<&Versioned>) -> Result<Vault, StoreError> {
        let Some(seen) = seen else { return Ok(Vault::new(self.budget().amount)) };
        let told =
            |error| StoreError(format!("{}: the shared store holds no budget here: {error}", self.name));
        serde_json::from_slice(&seen.value).map_err(told)
    }
}

/// A request that waits for more of a budget.
pub(super) struct Waits<'a> {
    account: &'a Account,
    amount: NanoUsd,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.account.waiting.fetch_sub(self.amount.0, Ordering::Relaxed);
    }
}

/// What names of budgets begin with.
pub(super) const PREFIX: &str = "budget/";
/// Percentages of a budget whose use is told.
const STEPS: [u8; 3] = [50, 80, 100];
/// So many looks that find nothing new, and a share that is idle goes back.
const QUIET_LOOKS: u32 = 30;
