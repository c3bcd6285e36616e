//! The load tester: replays traffic against a gateway or an engine, or against the router's own code in virtual time,
//! and tells latency, cost and quality in one report.
//!
//! A plan of arrivals ([`Planned`]) is made before anything is sent, from a seed. Whoever carries it out, over a wire
//! or in virtual time, gives one [`Sample`] for each request; everything that is reported is computed from samples.

pub mod compare;
pub mod measure;
pub mod report;
mod sample;
pub mod search;

pub use sample::{End, FaultKind, Planned, Prompt, Sample, Who};
