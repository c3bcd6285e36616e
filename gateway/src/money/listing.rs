//! How every budget stands, by the word of the place that gateways share.

use super::account::PREFIX;
use crate::shared::Shared;
use crate::store::StoreError;
use sluice_router::{Outstanding, Vault};

/// A budget in one period.
#[derive(Debug, Clone)]
pub struct BudgetState {
    /// Whose it is: `acme`, `acme/web` or `acme/web/KEY`.
    pub level: String,
    /// `day`, `week`, `month` or `ever`.
    pub period: String,
    /// When the period began, in milliseconds since 1970.
    pub begin_ms: i64,
    /// What was funded and spent, and what is left.
    pub vault: Vault,
    /// Shares that gateways hold.
    pub shares: Vec<Outstanding>,
}

/// Every budget that was ever drawn on, in the order of their names.
///
/// # Errors
/// The place can't be reached, or holds something else under a budget's name.
pub async fn list_budgets(shared: &dyn Shared, now_ms: i64) -> Result<Vec<BudgetState>, StoreError> {
    let listed = shared.list(PREFIX).await?;
    listed.iter().map(|(name, value)| state(name, &value.value, now_ms)).collect()
}

fn state(name: &str, value: &[u8], now_ms: i64) -> Result<BudgetState, StoreError> {
    let odd = |why: String| StoreError(format!("{name} holds no budget: {why}"));
    let mut parts = name.strip_prefix(PREFIX).unwrap_or(name).rsplitn(3, '/');
    let begin = parts.next().and_then(|part| part.parse().ok());
    let begin_ms = begin.ok_or_else(|| odd("its name has no time".to_owned()))?;
    let period = parts.next().unwrap_or_default().to_owned();
    let level = parts.next().unwrap_or_default().to_owned();
    let vault: Vault = serde_json::from_slice(value).map_err(|error| odd(error.to_string()))?;
    let shares = vault.outstanding(now_ms);
    Ok(BudgetState { level, period, begin_ms, vault, shares })
}
