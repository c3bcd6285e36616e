//! What a line is told of a request, and what the request gets of it.

use crate::prefix::Prefix;
use crate::time::Tick;

/// A request as a line sees it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entrant {
    /// For the draws of balancers.
    pub seed: u64,
    /// The replica that its decision was made for.
    pub replica: Option<usize>,
    /// Replicas that failed this request already.
    pub tried: Vec<usize>,
    /// Whose it is, as a hash; requests of one tenant wait for each other, not for the others'.
    pub tenant: u64,
    /// The tenant's share under contention, at least 1; 0 counts as 1.
    pub weight: u32,
    /// Higher goes first.
    pub priority: u8,
    /// When the answer must be complete.
    pub deadline: Option<Tick>,
    /// What waiting for its turn keeps in memory.
    pub bytes: u64,
    /// What it asks of a replica.
    pub work: Work,
    /// What of its prompt other prompts may begin with too.
    pub prefix: Prefix,
}

/// What a request asks of a replica.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Work {
    /// Tokens of the prompt, by estimate.
    pub prompt_tokens: u32,
    /// Expected tokens of the answer.
    pub output_tokens: f64,
    /// Whether the answer comes in one piece, so that nobody sees when its first token is there.
    pub whole: bool,
}

/// A request's place on a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seat {
    /// The replica, as an index into the pool's.
    pub replica: usize,
    /// Tells it from every other seat of its pool.
    pub number: u64,
}
