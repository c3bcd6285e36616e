//! What a run in virtual time is made of: pools, prompts and outages.

use super::window::Window;
use sluice_router::{Ask, LineRules};
use sluice_sim::Capacity;

/// The pools behind one gateway, and what befalls them.
#[derive(Debug, Clone)]
pub struct World {
    /// In the order of the fleet's pools.
    pub pools: Vec<PoolSpec>,
    /// Replicas that die and come back.
    pub outages: Vec<Outage>,
    /// Another seed, other draws of balancers and exploration.
    pub seed: u64,
    /// When an answer must be complete, in nanoseconds after its request was sent; the gateway's own limit unless the
    /// client has one.
    pub deadline: u64,
    /// Whether that is the client's own deadline, which a decision looks at.
    pub tells_deadline: bool,
    /// What each tenant of the plan is entitled to; those beyond the list are ordinary.
    pub tenants: Vec<Rank>,
    /// Whether turns of a session carry the earlier turns with them.
    pub is_conversational: bool,
}

/// What a tenant is entitled to in every line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rank {
    /// Its share under contention.
    pub weight: u32,
    /// Higher goes first.
    pub priority: u8,
}

impl Default for Rank {
    fn default() -> Rank {
        Rank { weight: 1, priority: 0 }
    }
}

/// One pool: its line as the gateway keeps it, its replicas as `sluice sim` runs them.
#[derive(Debug, Clone, Copy)]
pub struct PoolSpec {
    /// Replicas, room and balancer.
    pub line: LineRules,
    /// What each replica holds, and how fast it is.
    pub capacity: Capacity,
    /// For engines that take whole batches: how requests are grouped before each.
    pub window: Option<Window>,
    /// Requests that wait inside of one replica before the next is refused as busy.
    pub engine_queue: usize,
    /// How long the first token may take, in nanoseconds.
    pub first_token_timeout: u64,
}

/// A replica that dies: its answers break, and nobody can connect until it is back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// Its pool, as an index.
    pub pool: usize,
    /// The replica; `None` means all of them.
    pub replica: Option<usize>,
    /// When, in nanoseconds from the start.
    pub from: u64,
    /// When it is back; `None` means never.
    pub until: Option<u64>,
}

/// One distinct prompt, as the gateway would see it, and what each pool would answer.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Everything that a decision looks at; how the pools are is filled in at each one.
    pub ask: Ask,
    /// The answer's length, for each pool of the fleet.
    pub lengths: Vec<Length>,
    /// Known scores, for each expert of the fleet; empty for a prompt that nobody graded.
    pub grades: Vec<Option<f64>>,
}

/// Tokens of a prompt and of its answer, if nothing cuts it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Length {
    /// Tokens of the prompt.
    pub input: u32,
    /// Tokens of the answer.
    pub output: u32,
}

/// Prompts by their number in the plan.
pub trait Prompted {
    /// The prompt of this number. The same number gives the same one; what is kept of it may be changed by the run.
    fn get(&mut self, number: usize) -> &mut Asked;
}

/// Prompts that come again when there are no more.
impl Prompted for Vec<Asked> {
    fn get(&mut self, number: usize) -> &mut Asked {
        let count = self.len();
        &mut self[number % count]
    }
}
