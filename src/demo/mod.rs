//! What `sluice demo` needs when nobody brings data: requests, simulated experts, and the table at the end.

pub(crate) mod client;
mod draw;
pub(crate) mod experts;
#[cfg(test)]
mod gates;
pub(crate) mod home;
pub(crate) mod requests;
pub(crate) mod result;
pub(crate) mod skills;
pub(crate) mod source;
pub(crate) mod table;
pub(crate) mod tally;
