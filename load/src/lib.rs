//! The load tester: replays traffic against a gateway or an engine, or against the router's own code in virtual time,
//! and tells latency, cost and quality in one report.
//!
//! A plan of arrivals ([`Planned`]) is made before anything is sent, from a seed. Whoever carries it out, over a wire
//! or in virtual time, gives one [`Sample`] for each request; everything that is reported is computed from samples.

pub mod arrivals;
mod clock;
pub mod compare;
mod drive;
pub mod fit;
pub mod measure;
mod overhead;
mod pacer;
pub mod prompts;
mod random;
pub mod report;
mod request;
mod sample;
pub mod search;
pub mod study;
pub mod target;
pub mod virtual_time;

pub use clock::Clock;
pub use drive::{Ended, Gauge, Run, Why, drive};
pub use overhead::Overhead;
pub use random::Random;
pub use sample::{End, FaultKind, Planned, Prompt, Sample, Who};
