//! From a key to whose it is. Keys come from the configuration, and from the place that gateways share.

use super::digest::Digest;
use super::directory::Directory;
use super::identity::Identity;
use super::record::KeyRecord;
use crate::config::TenantConfig;
use crate::error::{Fault, FaultCode};
use arc_swap::ArcSwap;
use std::sync::{Arc, Mutex, PoisonError};

/// Every key that is good now.
#[derive(Debug)]
pub(crate) struct Keys {
    /// For a gateway without tenants.
    everybody: Arc<Identity>,
    sources: Mutex<Sources>,
    now: ArcSwap<Now>,
    /// Whether the last attempt to read them failed; `None` before the first.
    was_away: Mutex<Option<bool>>,
}

#[derive(Debug, Default)]
struct Sources {
    tenants: Vec<TenantConfig>,
    /// `None` until they have been read for the first time.
    issued: Option<Vec<(Digest, KeyRecord)>>,
}

#[derive(Debug)]
struct Now {
    /// False lets everybody in.
    needs_key: bool,
    /// Whether the keys that were made since the start have been read.
    is_whole: bool,
    directory: Directory,
}

impl Keys {
    /// The keys of a configuration.
    pub(crate) fn new(tenants: Vec<TenantConfig>) -> Keys {
        let sources = Sources { tenants, issued: None };
        let now = ArcSwap::from_pointee(sources.now());
        Keys {
            everybody: Arc::new(Identity::everybody()),
            sources: Mutex::new(sources),
            now,
            was_away: Mutex::default(),
        }
    }

    /// Takes over the tenants of a new configuration.
    pub(crate) fn configure(&self, tenants: Vec<TenantConfig>) {
        self.change(|sources| sources.tenants = tenants);
    }

    /// Takes over the keys that stand in the common place, all of them. True when they differ from those before.
    pub(crate) fn issue(&self, issued: Vec<(Digest, KeyRecord)>) -> bool {
        let is_known = |sources: &Sources| sources.issued.as_ref() == Some(&issued);
        if is_known(&self.sources.lock().unwrap_or_else(PoisonError::into_inner)) {
            return false;
        }
        self.change(|sources| sources.issued = Some(issued));
        true
    }

    /// Takes note of whether they could be read. True when that is otherwise than the last time.
    pub(crate) fn heard(&self, is_away: bool) -> bool {
        let mut was_away = self.was_away.lock().unwrap_or_else(PoisonError::into_inner);
        was_away.replace(is_away) != Some(is_away)
    }

    /// How many keys are known.
    pub(crate) fn len(&self) -> usize {
        self.now.load().directory.len()
    }

    /// Everybody whose key is good now.
    pub(crate) fn identities(&self) -> Vec<Arc<Identity>> {
        self.now.load().directory.identities()
    }

    /// Whether any key is needed at all.
    pub(crate) fn are_needed(&self) -> bool {
        self.now.load().needs_key
    }

    /// Whose a key is, at a moment in milliseconds since 1970; `None` is no key.
    ///
    /// # Errors
    /// [`FaultCode::InvalidApiKey`]; or, while the keys could not be read since the start, one that passes.
    pub(crate) fn identify(&self, key: Option<&str>, unix_ms: i64) -> Result<Arc<Identity>, Fault> {
        let now = self.now.load();
        if !now.needs_key {
            return Ok(self.everybody.clone());
        }
        let refused = |why: &str| Err(Fault::new(FaultCode::InvalidApiKey, why));
        let Some(key) = key.filter(|key| !key.is_empty()) else {
            return refused("there is no key; send one as \"authorization: Bearer KEY\"");
        };
        match now.directory.find(&Digest::of(key)) {
            Some(known) if known.expires_ms.is_some_and(|expires| unix_ms >= expires) => {
                refused("the key has expired")
            }
            Some(known) => Ok(known.identity.clone()),
            None if !now.is_whole => {
                let what = "the place of the keys can't be reached since this gateway started";
                Err(Fault::passing(FaultCode::NoCapacity, 1_000, what))
            }
            None => refused("the key is unknown or was revoked"),
        }
    }

    /// Looks at the tenants of the configuration in force.
    pub(super) fn with_tenants<T>(&self, look: impl FnOnce(&[TenantConfig]) -> T) -> T {
        look(&self.sources.lock().unwrap_or_else(PoisonError::into_inner).tenants)
    }

    fn change(&self, how: impl FnOnce(&mut Sources)) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        how(&mut sources);
        self.now.store(Arc::new(sources.now()));
    }
}

impl Sources {
    fn now(&self) -> Now {
        let issued = self.issued.as_deref().unwrap_or_default();
        Now {
            needs_key: !self.tenants.is_empty(),
            is_whole: self.issued.is_some(),
            directory: Directory::new(&self.tenants, issued),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenants::{Limits, Policy};
    use tokio::time::Instant;

    fn keys(count: usize) -> Keys {
        let key = |n: usize| crate::config::KeyConfig {
            digest: Digest::of(&format!("slk_{n}")),
            id: format!("k{n}"),
            project: String::new(),
            owner: String::new(),
            expires_ms: None,
            routes: None,
            experts: None,
            budget: None,
            limits: Limits::default(),
        };
        let tenant = TenantConfig {
            id: "acme".to_owned(),
            name: "acme".to_owned(),
            weight: 1,
            budget: None,
            limits: Limits::default(),
            policy: Policy::default(),
            projects: Vec::new(),
            keys: (0..count).map(key).collect(),
        };
        Keys::new(vec![tenant])
    }

    /// Medians of how long known and unknown keys take, in nanoseconds, measured in turns.
    fn medians(keys: &Keys) -> (u128, u128) {
        let time = |key: &str| {
            let began = Instant::now();
            let _ = std::hint::black_box(keys.now.load().directory.find(&Digest::of(key)));
            began.elapsed().as_nanos()
        };
        let (known, unknown) = ("slk_500", "slk_x50");
        let mut times: (Vec<u128>, Vec<u128>) = (0..20_000).map(|_| (time(known), time(unknown))).unzip();
        times.0.sort_unstable();
        times.1.sort_unstable();
        (times.0[10_000], times.1[10_000])
    }

    #[test]
    fn row_53_finding_a_key_takes_as_long_as_not_finding_one() {
        let keys = keys(1_000);
        keys.issue(Vec::new());
        assert!(keys.identify(Some("slk_500"), 0).is_ok() && keys.identify(Some("slk_x50"), 0).is_err());
        // Whatever else runs on this machine may spoil one look.
        let differences: Vec<(u128, u128)> = (0..5).map(|_| medians(&keys)).collect();
        let is_alike = |&(known, unknown): &(u128, u128)| known.abs_diff(unknown) * 10 <= known.max(unknown);
        assert!(differences.iter().any(is_alike), "never within a tenth of each other: {differences:?}");
    }
}
