//! The same test in virtual time: the router's decisions, lines and balancers against simulated replicas.
//!
//! What decides is the very code that serves: [`sluice_router::decide`], [`sluice_router::Line`] with its balancers and
//! health, [`sluice_router::Batcher`] before engines that take whole batches, the retry budget, the prices; what answers
//! is [`sluice_sim::Pool`], the same as behind `sluice sim`, or the same law of whole batches. What is left out is
//! everything between them: sockets, edges, the journal. No clock is read, so the same seed gives the same samples on
//! every machine, thousands of times faster than they would take.

mod agenda;
mod caches;
mod capacity;
mod failure;
mod finish;
mod replica;
mod request;
mod run;
mod tries;
mod walk;
mod window;
mod world;

pub use caches::{Oracle, turns_of};
pub use capacity::{Needed, Trial, least_replicas};
pub use run::{Totals, run};
pub use window::Window;
pub use world::{Asked, Length, Outage, PoolSpec, Prompted, Rank, World};
