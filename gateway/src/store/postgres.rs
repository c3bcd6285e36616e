//! Postgres: a fleet's common ledger, and the connections that the shared store uses too.

mod link;

pub(crate) use link::{Link, Server, drive};
