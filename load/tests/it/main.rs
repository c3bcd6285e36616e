//! The driver against servers that know what they sent and when: real sockets, both dialects.

#![allow(clippy::unwrap_used, reason = "helpers of tests: what fails here fails the test")]

mod cancel;
mod faults;
mod mock;
mod stall;
mod times;
