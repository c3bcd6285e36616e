//! Shares that earlier starts of this gateway left open are closed by its journal's word.

use super::account::{PREFIX, Unanswered};
use super::books::Means;
use crate::record::{Closing, Record};
use crate::store::StoreError;
use sluice_router::{Holder, NanoUsd, Vault};

/// Closes every share of earlier starts that the vault still lists. What that leaves unattributed is durable in the
/// journal before the vault is kept.
pub(super) async fn close_earlier(means: &Means, account: &str, vault: &mut Vault) -> Result<(), Unanswered> {
    let opening = &means.opening;
    let earlier = vault.earlier(&opening.gateway, opening.epoch);
    if earlier.is_empty() {
        return Ok(());
    }
    for epoch in earlier {
        let known = opening.open.iter().find(|open| open.account == account && open.epoch == epoch);
        let (settled, most) = known.map_or((NanoUsd::ZERO, NanoUsd::ZERO), |open| (open.settled, open.most));
        let holder = Holder { gateway: opening.gateway.clone(), epoch };
        let closed = vault.close(&holder, settled, most - settled)?;
        let closing = Closing {
            account: account.to_owned(),
            epoch,
            tenant: tenant(account).to_owned(),
            at_unix_ms: (means.unix_ms)(),
            spent: closed.spent,
            unattributed: closed.unattributed,
        };
        means.journal.record(Record::Closed(closing)).await;
    }
    Ok(means.journal.flush().await?)
}

/// Closes the earlier shares of one budget of which the journal knows, be its period over or its level gone: what they
/// leave unattributed is listed, and the rest is free.
pub(super) async fn close_left_open(means: &Means, account: &str) -> Result<(), Unanswered> {
    loop {
        let Some(seen) = means.shared.get(account).await? else { return Ok(()) };
        let told = |error| StoreError(format!("{account}: the shared store holds no budget here: {error}"));
        let mut vault: Vault = serde_json::from_slice(&seen.value).map_err(told)?;
        if vault.earlier(&means.opening.gateway, means.opening.epoch).is_empty() {
            note_kept(means, account).await;
            return Ok(());
        }
        close_earlier(means, account, &mut vault).await?;
        let value = serde_json::to_vec(&vault).map_err(|error| StoreError(format!("vault: {error}")))?;
        if means.shared.swap(account, Some(seen.version), value).await? {
            note_kept(means, account).await;
            return Ok(());
        }
    }
}

/// Whoever closed them, the vault lists no share of earlier starts any more: the next start need not look again. Only from here
/// on: a gateway that dies between writing a closing down and keeping the vault must find what was left open once more.
async fn note_kept(means: &Means, account: &str) {
    let of_account = means.opening.open.iter().filter(|open| open.account == account);
    let epochs = of_account.map(|open| open.epoch).collect();
    means.journal.record(Record::Kept { account: account.to_owned(), epochs }).await;
}

/// The organisation that a budget belongs to: its name is `budget/TENANT/...`.
fn tenant(account: &str) -> &str {
    account.strip_prefix(PREFIX).and_then(|rest| rest.split('/').next()).unwrap_or_default()
}
