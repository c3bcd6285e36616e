//! The URL of a Redis: what its client understands, and what is Sluice's own.

use crate::store::{StoreError, without_secrets};

/// A URL taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// What the client gets.
    pub(super) server: String,
    /// Begins every key.
    pub(super) prefix: String,
    /// The id under which the place is accepted although it was known by another.
    pub(super) accept: Option<String>,
    /// As it may be shown: without its password.
    pub(super) shown: String,
}

impl Address {
    /// Takes `prefix` and `accept` out of the query; the rest is the client's.
    pub(super) fn parse(url: &str) -> Result<Address, StoreError> {
        let (server, query) = url.split_once('?').unwrap_or((url, ""));
        let mut address = Address {
            server: server.to_owned(),
            prefix: DEFAULT_PREFIX.to_owned(),
            accept: None,
            shown: without_secrets(url),
        };
        let mut others = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("prefix", prefix)) => address.prefix = prefix.to_owned(),
                Some(("accept", id)) => address.accept = Some(id.to_owned()),
                Some(("protocol", _)) => others.push(pair),
                _ => return Err(address.wrong("its query may have prefix, accept and protocol only")),
            }
        }
        if !others.is_empty() {
            address.server = format!("{server}?{}", others.join("&"));
        }
        Ok(address)
    }

    /// An error that names the place.
    pub(super) fn wrong(&self, what: &str) -> StoreError {
        StoreError(format!("{}: {what}", self.shown))
    }
}

const DEFAULT_PREFIX: &str = "sluice/";

#[test]
fn sluices_own_parameters_are_taken_out_and_secrets_are_not_shown() {
    let address =
        Address::parse("redis://me:secret@host:1/2?prefix=a/&protocol=resp3&accept=x").expect("fine");
    assert_eq!(
        address,
        Address {
            server: "redis://me:secret@host:1/2?protocol=resp3".to_owned(),
            prefix: "a/".to_owned(),
            accept: Some("x".to_owned()),
            shown: "redis://me@host:1/2".to_owned(),
        }
    );
    assert_eq!(Address::parse("redis://host").expect("fine").prefix, "sluice/");
    let error = Address::parse("redis://:secret@host/?prefx=a").expect_err("unknown").to_string();
    assert!(error.contains("prefix, accept") && !error.contains("secret"), "{error}");
}
