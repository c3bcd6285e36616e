//! A prompt's bytes as a chain of block hashes.
//!
//! The hash is fast and not cryptographic (multiply and fold, as in wyhash): a guess of what a cache holds may be wrong, since
//! it says where a request goes and nothing else. What an engine then shares is decided by its own comparison of tokens.
//! What must hold is that one tenant's chain can't be met by another's by chance; hence the salt, which enters every
//! block.

use super::Prefix;

/// Tokens of a block, by estimate: 256 bytes, as English has four bytes to a token and Chinese a little over four.
pub const BLOCK_TOKENS: u32 = 64;
const BLOCK_BYTES: usize = 256;

/// Takes a prompt's bytes in pieces, whose bounds make no difference.
#[derive(Debug, Clone)]
pub struct ChainHash {
    last: u64,
    /// What has come of the block that isn't full yet.
    open: Vec<u8>,
    blocks: Vec<u64>,
}

impl ChainHash {
    /// For prompts that share with those of the same salt only.
    pub fn new(salt: u64) -> ChainHash {
        ChainHash {
            last: fold(salt ^ FIRST, SECOND),
            open: Vec::with_capacity(BLOCK_BYTES),
            blocks: Vec::new(),
        }
    }

    /// More of the prompt.
    pub fn add(&mut self, mut bytes: &[u8]) {
        if !self.open.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.open.len()));
            self.open.extend_from_slice(now);
            bytes = later;
            if self.open.len() < BLOCK_BYTES {
                return;
            }
            self.last = hash(self.last, &self.open);
            self.blocks.push(self.last);
            self.open.clear();
        }
        let mut full = bytes.chunks_exact(BLOCK_BYTES);
        for block in &mut full {
            self.last = hash(self.last, block);
            self.blocks.push(self.last);
        }
        self.open.extend_from_slice(full.remainder());
    }

    /// Full blocks so far.
    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Whether no block is full yet.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// The chain of the full blocks.
    pub fn finish(self) -> Prefix {
        Prefix { blocks: self.blocks.into(), block_tokens: BLOCK_TOKENS }
    }

    /// One number for some bytes, to salt a chain with.
    pub fn salt(bytes: &[u8]) -> u64 {
        hash(bytes.len() as u64, bytes)
    }
}

fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let word = |bytes: &[u8]| {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(word)
    };
    let pair = |hash: u64, pair: &[u8]| {
        let (a, b) = pair.split_at(pair.len().min(8));
        fold(hash ^ word(a) ^ FIRST, word(b) ^ SECOND)
    };
    fold(bytes.chunks(16).fold(seed, pair) ^ SECOND, FIRST)
}

/// The halves of the product, over each other.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

/// The constants of wyhash.
const FIRST: u64 = 0xA076_1D64_78BD_642F;
const SECOND: u64 = 0xE703_7ED1_A0B4_28DB;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn chain(salt: u64, pieces: &[&[u8]]) -> Prefix {
        let mut chain = ChainHash::new(salt);
        pieces.iter().for_each(|piece| chain.add(piece));
        chain.finish()
    }

    #[test]
    fn pieces_make_no_difference_and_a_longer_prompt_begins_alike() {
        let text: Vec<u8> = (0..2_000u32).map(|n| (n * n % 251) as u8).collect();
        let whole = chain(1, &[&text]);
        assert_eq!((whole.blocks.len(), whole.tokens(7)), (7, 448));
        for cut in [0, 1, 255, 256, 257, 700, 2_000] {
            assert_eq!(chain(1, &[&text[..cut], &text[cut..]]), whole, "cut at {cut}");
        }
        assert_eq!(chain(1, &[&text[..1_100]]).blocks[..], whole.blocks[..4]);
    }

    #[test]
    fn another_salt_or_another_beginning_shares_nothing() {
        let text = vec![b'x'; 1_024];
        let mut other = text.clone();
        other[3] = b'y';
        let chains = [chain(1, &[&text]), chain(2, &[&text]), chain(1, &[&other])];
        let all: BTreeSet<u64> = chains.iter().flat_map(|chain| chain.blocks.iter().copied()).collect();
        assert_eq!(all.len(), 12, "not even a repeated block is met again");
        assert_ne!(ChainHash::salt(b"a"), ChainHash::salt(b"a\0"));
    }
}
