//! Shares that earlier starts of this gateway left open are closed by its journal's word.

use super::account::{Account, Unanswered};
use super::books::Means;
use crate::record::{Closing, Record};
use sluice_router::{Holder, NanoUsd, Vault};

/// Closes every share of earlier starts that the vault still lists. What that leaves unattributed is durable in the
/// journal before the vault is kept.
pub(super) async fn close_earlier(
    means: &Means,
    account: &Account,
    vault: &mut Vault,
) -> Result<(), Unanswered> {
    let opening = &means.opening;
    let earlier = vault.earlier(&opening.gateway, opening.epoch);
    if earlier.is_empty() {
        return Ok(());
    }
    for epoch in earlier {
        let known = opening.open.iter().find(|open| open.account == account.name && open.epoch == epoch);
        let (settled, most) = known.map_or((NanoUsd::ZERO, NanoUsd::ZERO), |open| (open.settled, open.most));
        let holder = Holder { gateway: opening.gateway.clone(), epoch };
        let closed = vault.close(&holder, settled, most - settled)?;
        let closing = Closing {
            account: account.name.clone(),
            epoch,
            tenant: account.tenant.clone(),
            at_unix_ms: (means.unix_ms)(),
            spent: closed.spent,
            unattributed: closed.unattributed,
        };
        means.journal.record(Record::Closed(closing)).await;
    }
    Ok(means.journal.flush().await?)
}
