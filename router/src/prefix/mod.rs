//! Beginnings that prompts share: how a prompt becomes a chain of hashes, and which chains a cache still holds.
//!
//! An engine with a prefix cache needs no work for the beginning of a prompt that it has read lately. The line keeps a
//! guess of each replica's cache from what it has sent there; the simulated engine keeps its cache in the same way.

mod cache;
mod chain;

pub use cache::PrefixCache;
pub use chain::{BLOCK_TOKENS, ChainHash};

use std::sync::Arc;

/// The beginning of a prompt, as a chain of hashes: the n-th stands for everything up to the n-th block's end, and for
/// whose it is, so that tenants never share one. A last block that isn't full has none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prefix {
    /// One hash for each full block.
    pub blocks: Arc<[u64]>,
    /// Tokens of each block, by estimate.
    pub block_tokens: u32,
}

impl Prefix {
    /// Tokens of the first so many blocks.
    pub fn tokens(&self, blocks: usize) -> u32 {
        u32::try_from(blocks).unwrap_or(u32::MAX).saturating_mul(self.block_tokens)
    }
}
