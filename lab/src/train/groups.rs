//! Which rows are near-duplicates of one another, and which fold each group belongs to.
//!
//! A question and its variant with other numbers must not stand on both sides of a fold: the model would be graded on
//! what it has seen.

use super::design::{Design, cosine};
use sluice_router::Counts;
use std::collections::HashMap;

/// The group of each row, and its fold, below `folds`; rows that resemble each other share both.
///
/// Candidates by min-hash over the n-grams (32 bins, 16 bands of 2), confirmed by TF-IDF cosine of at least 0.9.
pub(super) fn folds(
    counts: &[&Counts],
    design: &Design,
    keys: &[u64],
    folds: u64,
    seed: u64,
) -> (Vec<u32>, Vec<u8>) {
    let mut sets = alike(counts, design, 0, ALIKE, MOST_COMPARED);
    // A group is named by its smallest key, so the order of rows doesn't matter.
    let mut names: HashMap<usize, u64> = HashMap::new();
    for (row, &key) in keys.iter().enumerate() {
        let name = names.entry(sets.find(row)).or_insert(u64::MAX);
        *name = key.min(*name);
    }
    let groups: Vec<usize> = (0..counts.len()).map(|row| sets.find(row)).collect();
    let folds = groups.iter().map(|group| (mix(names[group] ^ mix(seed)) % folds) as u8).collect();
    (groups.into_iter().map(|group| group as u32).collect(), folds)
}

/// The number of each text's template: texts that were made by filling in the same sentence share one.
///
/// `first` is the first text's row in the design.
pub(super) fn templates(counts: &[&Counts], design: &Design, first: usize) -> Vec<u32> {
    let mut sets = alike(counts, design, first, ALIKE_BUT_FOR_WORDS, FEW_COMPARED);
    (0..counts.len()).map(|row| sets.find(row) as u32).collect()
}

/// Sets of texts that are chained by a cosine of at least `least`.
fn alike(counts: &[&Counts], design: &Design, first: usize, least: f32, most_compared: usize) -> Sets {
    let mut sets = Sets((0..counts.len()).collect());
    let resemble = |a: usize, b: usize| cosine(design.row(first + a), design.row(first + b)) >= least;
    let mut buckets: HashMap<(usize, u64), Vec<usize>> = HashMap::new();
    for (row, counts) in counts.iter().enumerate() {
        for (band, hash) in bands(counts).into_iter().enumerate() {
            let bucket = buckets.entry((band, hash)).or_default();
            for &other in bucket.iter() {
                if sets.find(row) != sets.find(other) && resemble(row, other) {
                    sets.join(row, other);
                }
            }
            if bucket.len() < most_compared {
                bucket.push(row);
            }
        }
    }
    sets
}

/// Hashes of pairs of min-hashes.
fn bands(counts: &Counts) -> [u64; BINS / 2] {
    let mut least = [u64::MAX; BINS];
    for gram in &counts.grams {
        let hash = mix(u64::from(gram.row()) + 1);
        let bin = (hash >> 59) as usize;
        least[bin] = least[bin].min(hash);
    }
    std::array::from_fn(|band| mix(least[2 * band] ^ least[2 * band + 1].rotate_left(32)))
}

/// SplitMix64's finaliser.
pub(super) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Disjoint sets by union and find.
struct Sets(Vec<usize>);

impl Sets {
    fn find(&mut self, mut at: usize) -> usize {
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        self.0[a.max(b)] = a.min(b);
    }
}

const ALIKE: f32 = 0.9;
/// Short sentences with one or two other words in them.
const ALIKE_BUT_FOR_WORDS: f32 = 0.6;
const BINS: usize = 32;
/// Rows of a bucket that others are compared with: templates fill buckets with thousands of rows that only look alike.
const MOST_COMPARED: usize = 40;
/// Enough to chain a template's texts.
const FEW_COMPARED: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_router::{Lexicon, count};

    #[test]
    fn near_duplicates_share_a_fold_and_folds_are_even() {
        let words = [
            "river", "contract", "engine", "planet", "market", "violin", "harbour", "enzyme", "glacier",
            "senate",
        ];
        let text = |at: usize, extra: &str| {
            let word = |n: usize| words[mix((at * 31 + n) as u64) as usize % words.len()];
            let body: Vec<String> = (0..30).map(|n| format!("{}{}", word(n), (at * 7 + n) % 97)).collect();
            format!("{} {extra}", body.join(" "))
        };
        let texts: Vec<String> = (0..400).flat_map(|at| [text(at, ""), text(at, "please")]).collect();
        let counts: Vec<Counts> = texts.iter().map(|text| count(text)).collect();
        let lexicon = Lexicon::from_texts(counts.iter().map(|counts| &counts.grams[..]), 1);
        let (mut design, mut row) = (Design::new(lexicon.len()), vec![]);
        for counts in &counts {
            lexicon.weigh(&counts.grams, &mut row);
            design.push(&row);
        }
        let keys: Vec<u64> = texts.iter().map(|text| sluice_router::prompt_hash(text)).collect();
        let refs: Vec<&Counts> = counts.iter().collect();
        let (_, folds) = folds(&refs, &design, &keys, 5, 1);
        let together = folds.chunks(2).filter(|pair| pair[0] == pair[1]).count();
        assert!(together >= 396, "{together} of 400 pairs share a fold");
        for fold in 0..5 {
            let size = folds.iter().filter(|&&other| other == fold).count();
            assert!((80..240).contains(&size), "fold {fold} has {size} of 800");
        }
    }
}
