//! Making, listing and revoking keys in the place that gateways share.

use super::Limits;
use super::digest::Digest;
use super::expiry::is_id;
use super::record::{KeyRecord, PREFIX};
use crate::config::{Config, TenantConfig};
use crate::shared::{Shared, Versioned};
use crate::store::StoreError;
use sluice_experts::Secret;

/// Whether a key would be any good: what it names must be configured.
///
/// # Errors
/// For people: what is wrong.
pub fn check_key(config: &Config, record: &KeyRecord) -> Result<(), String> {
    let routes: Vec<&str> = config.routes.iter().map(|route| route.name.as_str()).collect();
    let experts: Vec<&str> = config.experts.iter().map(|expert| expert.name.as_str()).collect();
    check_record(&config.tenants, &routes, &experts, record)
}

/// The same, by the names that are configured.
pub(super) fn check_record(
    tenants: &[TenantConfig],
    routes: &[&str],
    experts: &[&str],
    record: &KeyRecord,
) -> Result<(), String> {
    let Some(tenant) = tenants.iter().find(|tenant| tenant.id == record.tenant) else {
        return Err(format!("no [[tenant]] has the id {:?}", record.tenant));
    };
    let has_project = tenant.projects.iter().any(|project| project.id == record.project);
    if !has_project && !record.project.is_empty() {
        return Err(format!("tenant {:?} has no [[tenant.project]] {:?}", tenant.id, record.project));
    }
    if !is_id(&record.id) {
        return Err(format!("the id {:?} must be 1 to 64 of the characters A-Z a-z 0-9 . _ -", record.id));
    }
    if tenants.iter().flat_map(|tenant| &tenant.keys).any(|key| key.id == record.id) {
        return Err(format!("a key of the configuration has the id {:?}", record.id));
    }
    if record.budget.is_some_and(|budget| budget.amount.0 < 0) {
        return Err("the budget must not be negative".to_owned());
    }
    let Limits { requests_per_min, tokens_per_min, concurrent } = record.limits;
    if [requests_per_min, tokens_per_min, concurrent.map(u64::from)].contains(&Some(0)) {
        return Err("a limit must be at least 1; leave it out for none".to_owned());
    }
    check_names("route", record.routes.as_deref(), routes)?;
    check_names("expert", record.experts.as_deref(), experts)
}

fn check_names(what: &str, names: Option<&[String]>, known: &[&str]) -> Result<(), String> {
    let unknown = names.unwrap_or_default().iter().find(|name| !known.contains(&name.as_str()));
    match unknown {
        Some(name) => Err(format!("no {what} is named {name:?}; there are {}", known.join(", "))),
        None if names.is_some_and(<[String]>::is_empty) => Err(format!("no {what} would be allowed")),
        None => Ok(()),
    }
}

/// An id for a key that nobody named.
pub fn new_key_id(random: &[u8; 32]) -> String {
    format!("k{}", &letters(random)[..12])
}

/// Makes a key of 32 random bytes and puts its record in place. The secret is only ever in what is returned.
///
/// # Errors
/// The place can't be reached, or another key has this id.
pub async fn create_key(
    shared: &dyn Shared,
    random: [u8; 32],
    record: &KeyRecord,
) -> Result<Secret, StoreError> {
    if list_keys(shared).await?.iter().any(|other| other.id == record.id) {
        return Err(StoreError(format!("another key has the id {:?}", record.id)));
    }
    let secret = format!("{SIGN}{}", letters(&random));
    let value = to_json(record)?;
    match shared.swap(&KeyRecord::name(&Digest::of(&secret)), None, value).await? {
        true => Ok(Secret::new(&secret)),
        false => Err(StoreError("this key exists already".to_owned())),
    }
}

/// Every key that was made so, in no order that means anything.
///
/// # Errors
/// The place can't be reached.
pub async fn list_keys(shared: &dyn Shared) -> Result<Vec<KeyRecord>, StoreError> {
    let listed = shared.list(PREFIX).await?;
    Ok(listed
        .iter()
        .filter_map(|(name, value)| KeyRecord::read(name, value))
        .map(|(_, record)| record)
        .collect())
}

/// Ends the key with this id, for good. `None` when there is none; its record before that, where it was revoked already.
///
/// # Errors
/// The place can't be reached, or others change the same key all the time.
pub async fn revoke_key(
    shared: &dyn Shared,
    id: &str,
    unix_ms: i64,
) -> Result<Option<KeyRecord>, StoreError> {
    for _ in 0..TRIES {
        let listed = shared.list(PREFIX).await?;
        let read = |(name, value): (String, Versioned)| {
            KeyRecord::read(&name, &value).map(|(_, record)| (name, value.version, record))
        };
        let found = listed.into_iter().filter_map(read).find(|(_, _, record)| record.id == id);
        let Some((name, version, mut record)) = found else { return Ok(None) };
        if record.revoked_ms.is_some() {
            return Ok(Some(record));
        }
        record.revoked_ms = Some(unix_ms);
        if shared.swap(&name, Some(version), to_json(&record)?).await? {
            return Ok(Some(record));
        }
    }
    Err(StoreError(format!("key {id:?} is changed by somebody else all the time; try again")))
}

fn to_json(record: &KeyRecord) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(record).map_err(|error| StoreError(format!("key record: {error}")))
}

/// Base 62 without padding: a double click takes all of it. 43 letters hold 256 bits.
fn letters(random: &[u8; 32]) -> String {
    let mut digits = [0_u8; 43];
    for &byte in random {
        let mut carry = u32::from(byte);
        for digit in digits.iter_mut().rev() {
            carry += u32::from(*digit) << 8;
            *digit = u8::try_from(carry % 62).expect("below 62");
            carry /= 62;
        }
    }
    digits.iter().map(|&digit| char::from(ALPHABET[usize::from(digit)])).collect()
}

/// Keys begin so, so that scanners for leaked secrets can find them.
const SIGN: &str = "slk_";
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const TRIES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_hold_every_bit() {
        assert_eq!(letters(&[0; 32]), "0".repeat(43));
        let mut one = [0; 32];
        one[31] = 63;
        assert!(letters(&one).ends_with("0011"));
        let all = letters(&[255; 32]);
        assert_ne!(&all[..1], "0", "62^43 is just above 2^256");
        let mut other = [255; 32];
        other[0] = 254;
        assert_ne!(letters(&other), all);
    }
}
