//! Which chains a cache still holds: the least recently used blocks go first, and of one chain the last ones.

use std::collections::HashMap;

/// A bounded set of blocks. Whoever holds a block holds all before it in its chain: each use of a chain makes its first
/// block the newest, so that a block is never older than those after it.
#[derive(Debug, Clone, Default)]
pub struct PrefixCache {
    most: usize,
    /// Looked up only: its order is of no account.
    places: HashMap<u64, u32>,
    nodes: Vec<Node>,
    newest: Option<u32>,
    oldest: Option<u32>,
}

/// A block in the list from newest to oldest.
#[derive(Debug, Clone, Copy)]
struct Node {
    block: u64,
    newer: Option<u32>,
    older: Option<u32>,
}

impl PrefixCache {
    /// An empty one with room for so many blocks. It takes about 50 bytes for each block that it holds.
    pub fn new(most: usize) -> PrefixCache {
        PrefixCache { most: most.min(u32::MAX as usize), ..PrefixCache::default() }
    }

    /// How many blocks at the beginning of this chain it holds.
    pub fn hit(&self, blocks: &[u64]) -> usize {
        blocks.partition_point(|block| self.places.contains_key(block))
    }

    /// This chain has been used: it is held from now on, or as much of its beginning as there is room for.
    pub fn keep(&mut self, blocks: &[u64]) {
        for block in blocks[..blocks.len().min(self.most)].iter().rev() {
            self.touch(*block);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = PrefixCache::new(self.most);
    }

    /// Blocks that it holds.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    fn touch(&mut self, block: u64) {
        let known = self.places.get(&block).copied();
        let at = known.unwrap_or_else(|| self.place_for(block));
        if self.newest == Some(at) {
            return;
        }
        if known.is_some() {
            self.unlink(at);
        }
        self.link(at);
    }

    /// A node for a block that isn't held, not yet in the list: that of the oldest when there is no more room.
    fn place_for(&mut self, block: u64) -> u32 {
        let node = Node { block, newer: None, older: None };
        let at = match self.oldest.filter(|_| self.nodes.len() >= self.most) {
            Some(oldest) => {
                self.unlink(oldest);
                self.places.remove(&self.nodes[oldest as usize].block);
                self.nodes[oldest as usize] = node;
                oldest
            }
            None => {
                self.nodes.push(node);
                (self.nodes.len() - 1) as u32
            }
        };
        self.places.insert(block, at);
        at
    }

    fn unlink(&mut self, at: u32) {
        let Node { newer, older, .. } = self.nodes[at as usize];
        match newer {
            Some(newer) => self.nodes[newer as usize].older = older,
            None => self.newest = older,
        }
        match older {
            Some(older) => self.nodes[older as usize].newer = newer,
            None => self.oldest = newer,
        }
    }

    /// Puts a node before the newest.
    fn link(&mut self, at: u32) {
        let before = self.newest.replace(at);
        self.nodes[at as usize] = Node { newer: None, older: before, ..self.nodes[at as usize] };
        match before {
            Some(before) => self.nodes[before as usize].newer = Some(at),
            None => self.oldest = Some(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mix::mix;

    #[test]
    fn the_least_used_chain_goes_first_and_its_end_before_its_beginning() {
        let mut cache = PrefixCache::new(6);
        cache.keep(&[1, 2, 3]);
        cache.keep(&[4, 5, 6]);
        cache.keep(&[1, 2]);
        cache.keep(&[7, 8]);
        assert_eq!(cache.hit(&[1, 2, 3]), 2, "its third was the oldest");
        assert_eq!(cache.hit(&[4, 5, 6]), 2);
        assert_eq!((cache.hit(&[7, 8, 9]), cache.len()), (2, 6));
        cache.clear();
        assert_eq!((cache.hit(&[7]), cache.is_empty()), (0, true));
    }

    #[test]
    fn of_a_chain_that_is_too_long_the_beginning_is_held() {
        let mut cache = PrefixCache::new(2);
        cache.keep(&[1, 2, 3]);
        assert_eq!(cache.hit(&[1, 2, 3]), 2);
        let mut none = PrefixCache::new(0);
        none.keep(&[1]);
        assert_eq!(none.hit(&[1]), 0);
    }

    /// Against a list that is searched from end to end: the same blocks held, never more than there is room for, and
    /// none whose predecessor is gone.
    #[test]
    fn it_holds_what_a_plain_list_would_hold() {
        for seed in 0..30 {
            let most = 1 + (mix(seed) % 40) as usize;
            let (mut cache, mut plain) = (PrefixCache::new(most), Vec::<u64>::new());
            let mut state = mix(seed ^ 0xCAC4E);
            for _ in 0..400 {
                state = mix(state);
                let (session, length) = (state % 7, (state >> 8) % 14);
                // Sessions 5 and 6 part ways after three blocks.
                let block = |n: u64| if session > 4 && n < 3 { 1_000 + n } else { session * 100 + n };
                let blocks: Vec<u64> = (0..length).map(block).collect();
                cache.keep(&blocks);
                for block in blocks[..blocks.len().min(most)].iter().rev() {
                    plain.retain(|other| other != block);
                    plain.push(*block);
                }
                let over = plain.len().saturating_sub(most);
                plain.drain(..over);
                assert_eq!(cache.len(), plain.len(), "seed {seed}");
                let held = blocks.iter().take_while(|block| plain.contains(block)).count();
                assert_eq!(cache.hit(&blocks), held, "seed {seed}");
                let in_all = blocks.iter().filter(|block| plain.contains(block)).count();
                assert_eq!(held, in_all, "seed {seed}: no block without those before it");
            }
        }
    }
}
