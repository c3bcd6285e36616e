//! A prompt's text, and then its answer's, as the chain that the prefix cache keeps.

use crate::pool::Chain;
use sluice_router::{ChainHash, Prefix};

/// Of a prompt of so many tokens and its answer. Those with different salts share nothing.
///
/// The blocks are of equal bytes; each counts as its share of the prompt's tokens.
pub(crate) fn chain(prompt: &str, input_tokens: u32, answer: &str, salt: Option<&str>) -> Chain {
    let mut hash = ChainHash::new(ChainHash::salt(salt.unwrap_or_default().as_bytes()));
    hash.add(prompt.as_bytes());
    let prompt_blocks = hash.len();
    // As the messages of the next turn's prompt are joined.
    hash.add(b"\n");
    hash.add(answer.as_bytes());
    let whole = hash.finish();
    if prompt_blocks == 0 {
        return Chain { whole, prompt_blocks };
    }
    let bytes = prompt.len().max(1) as u64;
    let each = u64::from(input_tokens) * BLOCK_BYTES / bytes;
    let block_tokens = u32::try_from(each).unwrap_or(u32::MAX);
    Chain { whole: Prefix { block_tokens, ..whole }, prompt_blocks }
}

/// Bytes of a block of [`ChainHash`].
const BLOCK_BYTES: u64 = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::count_tokens;

    #[test]
    fn the_next_turn_begins_with_this_one_and_its_answer() {
        let (prompt, answer) = ("What is the law? ".repeat(40), "It depends. ".repeat(30));
        let first = chain(&prompt, count_tokens(&prompt), &answer, None);
        let next = format!("{prompt}\n{answer}\nAnd then? {}", "Tell me more. ".repeat(30));
        let second = chain(&next, count_tokens(&next), "", None);
        assert_eq!((first.prompt_blocks, first.whole.blocks.len(), first.whole.block_tokens), (2, 4, 64));
        assert_eq!(second.whole.blocks[..4], first.whole.blocks[..]);
        let salted = chain(&prompt, count_tokens(&prompt), &answer, Some("mine"));
        assert_ne!(salted.whole.blocks[0], first.whole.blocks[0]);
    }

    #[test]
    fn a_block_counts_as_its_share_of_the_tokens() {
        let chinese = "民法典第十条".repeat(100);
        let chain = chain(&chinese, count_tokens(&chinese), "", None);
        assert_eq!((chain.prompt_blocks, chain.whole.block_tokens), (7, 59), "420 tokens in 1,800 bytes");
    }
}
