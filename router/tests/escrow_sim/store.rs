//! The place that keeps the vaults: values with versions, swapped whole.

use sluice_router::{Closing, Holder, NanoUsd, ShareReport, Unlawful, Vault, VaultAnswer};
use std::collections::BTreeMap;

/// A gateway's question, on its way.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) from: Sender,
    pub(crate) ask: Ask,
}

/// An answer, on its way.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) to: Sender,
    pub(crate) told: Told,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sender {
    pub(crate) gateway: usize,
    pub(crate) run: u64,
    pub(crate) period: i64,
    /// Counts all that was ever sent.
    pub(crate) send: u64,
}

#[derive(Debug, Clone)]
pub(crate) enum Ask {
    Get,
    Swap {
        seen: u64,
        vault: Vault,
        closed: Vec<Closed>,
    },
    /// The place does it all by itself.
    Call {
        close: Vec<(Holder, NanoUsd, NanoUsd)>,
        report: ShareReport,
        funded: NanoUsd,
        now_ms: i64,
    },
}

#[derive(Debug, Clone)]
pub(crate) enum Told {
    /// Version 0: there is none yet.
    Found(u64, Vault),
    Swapped(bool),
    Called(Result<VaultAnswer, Unlawful>),
}

/// A closing that was done.
#[derive(Debug, Clone)]
pub(crate) struct Closed {
    pub(crate) holder: Holder,
    pub(crate) closing: Closing,
}

#[derive(Default)]
pub(crate) struct Store {
    pub(crate) vaults: BTreeMap<i64, (u64, Vault)>,
    /// Every closing that was done, by period.
    pub(crate) closed: Vec<(i64, Closed)>,
    /// What no change may break, and one did.
    pub(crate) wrong: Option<String>,
    pub(crate) swaps: u64,
    pub(crate) refused: u64,
}

impl Store {
    pub(crate) fn take(&mut self, message: Message, has_fences: bool) -> Told {
        let period = message.from.period;
        let (version, mut vault) = self.vaults.get(&period).cloned().unwrap_or_default();
        match message.ask {
            Ask::Get => Told::Found(version, vault),
            Ask::Swap { seen, vault, closed } => {
                if seen != version {
                    self.refused += 1;
                    return Told::Swapped(false);
                }
                self.put(period, vault);
                self.closed.extend(closed.into_iter().map(|closed| (period, closed)));
                Told::Swapped(true)
            }
            Ask::Call { close, report, funded, now_ms } => {
                let told = call(&mut vault, close, &report, funded, now_ms);
                if !has_fences {
                    vault = unfenced(&vault);
                }
                self.put(period, vault);
                let (closed, told) = told;
                self.closed.extend(closed.into_iter().map(|closed| (period, closed)));
                Told::Called(told)
            }
        }
    }

    /// Whatever is put in place is checked against what was there.
    pub(crate) fn put(&mut self, period: i64, vault: Vault) {
        let before = self.vaults.get(&period).cloned().unwrap_or_default();
        self.swaps += 1;
        let (free, committed) = (vault.free(), vault.committed());
        if !vault.adds_up() || vault.funded() != free + committed {
            self.wrong = Some(format!("a vault doesn't add up: {vault:?}"));
        }
        if committed > vault.funded().max(before.1.committed()) {
            self.wrong = Some(format!("granted beyond what is funded: {vault:?} after {:?}", before.1));
        }
        self.vaults.insert(period, (before.0 + 1, vault));
    }
}

fn call(
    vault: &mut Vault,
    close: Vec<(Holder, NanoUsd, NanoUsd)>,
    report: &ShareReport,
    funded: NanoUsd,
    now_ms: i64,
) -> (Vec<Closed>, Result<VaultAnswer, Unlawful>) {
    let mut closed = Vec::new();
    vault.fund(funded);
    for (holder, spent, unattributed) in close {
        let was_out = vault.outstanding(now_ms).iter().any(|out| out.holder == holder);
        match vault.close(&holder, spent, unattributed) {
            Ok(closing) if was_out => closed.push(Closed { holder, closing }),
            Ok(_) => (),
            Err(unlawful) => return (closed, Err(unlawful)),
        }
    }
    (closed, vault.report(report, now_ms))
}

/// A vault that has forgotten which starts are over.
pub(crate) fn unfenced(vault: &Vault) -> Vault {
    let mut value = serde_json::to_value(vault).expect("a vault is JSON");
    value["fences"] = serde_json::json!({});
    serde_json::from_value(value).expect("a vault without fences is one")
}
