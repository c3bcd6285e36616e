//! What prompts of one session share, and how well the replicas' caches could have done at best.
//!
//! All turns of a session are the beginning of one text: each prompt carries the turns before and their answers. A request
//! without a session shares nothing.

use crate::sample::Planned;
use sluice_router::{BLOCK_TOKENS, Prefix, PrefixCache};
use sluice_sim::Chain;

/// The first so many tokens of what a session says, as the gateway would hash them.
pub fn turns_of(planned: &Planned, tokens: u32) -> Prefix {
    let Some(session) = planned.session else { return Prefix::default() };
    let blocks = (0..u64::from(tokens / BLOCK_TOKENS)).map(|n| block(session, n));
    Prefix { blocks: blocks.collect(), block_tokens: BLOCK_TOKENS }
}

/// The same for the engine, which keeps the answer too.
pub(super) fn chain(planned: &Planned, input: u32, output: u32) -> Chain {
    let whole = turns_of(planned, input.saturating_add(output));
    Chain { whole, prompt_blocks: (input / BLOCK_TOKENS) as usize }
}

/// A hash that no other block of the run has: whichever it is, as long as they differ.
fn block(session: u64, n: u64) -> u64 {
    (session << 24) | n
}

/// What one cache as large as all replicas' together would have held of the same requests, in the order in which they
/// were dispatched and each kept at once: an upper bound for whoever spreads them over replicas.
#[derive(Debug, Clone, Default)]
pub struct Oracle {
    cache: PrefixCache,
    /// Tokens that it would have held.
    pub hit_tokens: u64,
}

impl Oracle {
    /// With room for so many tokens in all.
    pub fn new(tokens: u64) -> Oracle {
        let blocks = usize::try_from(tokens / u64::from(BLOCK_TOKENS)).unwrap_or(usize::MAX);
        Oracle { cache: PrefixCache::new(blocks), hit_tokens: 0 }
    }

    /// A request of so many tokens.
    pub fn see(&mut self, planned: &Planned, input: u32, output: u32) {
        let chain = chain(planned, input, output);
        let hit = self.cache.hit(&chain.whole.blocks[..chain.prompt_blocks.min(chain.whole.blocks.len())]);
        self.hit_tokens += u64::from(chain.whole.tokens(hit).min(input.max(1) - 1));
        self.cache.keep(&chain.whole.blocks);
    }
}
