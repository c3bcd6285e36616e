//! The pure core: what a request needs, what each expert offers, and which plan is chosen.
//!
//! No I/O, no clock, no randomness of its own: everything is told, so that every decision can be derived again,
//! bit for bit.

mod price;

pub use price::{NanoUsd, Price, PriceError, Tokens};
