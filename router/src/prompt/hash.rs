//! Which row of the hash tables an n-gram falls into: a few instructions for each, since a text has thousands.

use super::grams::HASH_ROWS;

/// The row of a key in `table`: the upper bits of a product, which depend on all bits of the key (multiply-shift,
/// Dietzfelbinger et al., 1997), taken twice, as keys of letters are too alike for once.
pub(super) fn row(table: u32, key: u64) -> u32 {
    let mixed = key.wrapping_mul(ROW_PRIME);
    let mixed = (mixed ^ mixed >> 32).wrapping_mul(WORD_PRIME);
    table * HASH_ROWS + (mixed >> (u64::BITS - HASH_ROWS.trailing_zeros())) as u32
}

/// The row of four characters, the newest last. Of ASCII they are the bytes of one number, which [`ascii_window`] takes.
pub(super) fn window(characters: [u32; 4]) -> u32 {
    let (mut low, mut high) = (0, 0u32);
    for (at, c) in characters.into_iter().enumerate() {
        low |= (c & 0xFF) << (8 * at);
        high = high.wrapping_mul(HIGH_PRIME).wrapping_add(c >> 8);
    }
    ascii_window(low ^ high.wrapping_mul(HIGH_PRIME))
}

/// The row of four characters of ASCII, the newest in the highest byte.
pub(super) fn ascii_window(characters: u32) -> u32 {
    row(1, u64::from(characters))
}

/// The row of two words in a row, from the hashes of both.
pub(super) fn pair(first: u64, second: u64) -> u32 {
    row(0, first.rotate_left(17).wrapping_mul(PAIR_PRIME) ^ second)
}

/// The row of one to three ideographs in `table`, the newest last, 0 for none.
pub(super) fn ideographs(table: u32, [a, b, c]: [u32; 3]) -> u32 {
    row(table, u64::from(a) << 42 | u64::from(b) << 21 | u64::from(c))
}

/// The hash of a word, whatever the case of its ASCII letters.
pub(super) const fn word(bytes: &[u8]) -> u64 {
    let (mut hash, mut at) = (0, 0);
    while at < bytes.len() {
        let (mut eight, mut count) = (0, 0);
        while count < 8 && at < bytes.len() {
            eight |= (bytes[at].to_ascii_lowercase() as u64) << (8 * count);
            (at, count) = (at + 1, count + 1);
        }
        hash = extended(hash, eight);
    }
    hash
}

/// The hash of a word with the next eight of its bytes, fewer at its end.
pub(super) const fn extended(hash: u64, bytes: u64) -> u64 {
    (hash ^ bytes).wrapping_mul(WORD_PRIME).rotate_left(23)
}

/// The hash of a word that comes character by character.
#[derive(Default)]
pub(super) struct Bytes {
    hash: u64,
    /// Up to eight bytes that are not in `hash` yet, the first in the lowest place.
    waiting: u64,
    count: u32,
}

impl Bytes {
    pub(super) fn add(&mut self, c: char) {
        for &byte in c.encode_utf8(&mut [0; 4]).as_bytes() {
            self.waiting |= u64::from(byte) << (8 * self.count);
            self.count += 1;
            if self.count == 8 {
                self.hash = extended(self.hash, std::mem::take(&mut self.waiting));
                self.count = 0;
            }
        }
    }

    pub(super) fn finish(self) -> u64 {
        if self.count > 0 { extended(self.hash, self.waiting) } else { self.hash }
    }
}

/// Odd multipliers with well mixed bits; any others would do, but changing them changes every row.
const ROW_PRIME: u64 = 0xC4CE_B9FE_1A85_EC53;
const WORD_PRIME: u64 = 0x9FB2_1C65_1E98_DF25;
const PAIR_PRIME: u64 = 0xA0B4_28DB_27DD_1A4F;
const HIGH_PRIME: u32 = 0x85EB_CA6B;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn rows_spread_over_their_table() {
        let letters = || b'a'..=b'z';
        let windows: Vec<u32> = letters()
            .flat_map(|a| letters().flat_map(move |b| letters().map(move |c| [b' ', a, b, c])))
            .map(|bytes| ascii_window(u32::from_le_bytes(bytes)))
            .collect();
        let cyrillic = |n: u32| 0x430 + n % 32;
        let wide: Vec<u32> = (0..32 * 32 * 32)
            .map(|n| window([0x20, cyrillic(n), cyrillic(n / 32), cyrillic(n / 1_024)]))
            .collect();
        let ideographs: Vec<u32> =
            (0..17_576).map(|n| ideographs(0, [0, 0x4E00 + n / 150, 0x4E00 + n % 150])).collect();
        let words: Vec<u32> = (0..17_576).map(|n| row(0, spelled(&format!("w{n:05}")))).collect();
        for (what, rows) in
            [("windows", windows), ("wide", wide), ("ideographs", ideographs), ("words", words)]
        {
            let apart = rows.iter().collect::<HashSet<_>>().len();
            // Thrown at random, n of them would fall on n - n * n / (2 * rows).
            let expected = rows.len() as f64 * (1.0 - rows.len() as f64 / f64::from(2 * HASH_ROWS));
            assert!(apart as f64 > 0.97 * expected, "{what}: {apart} of {}", rows.len());
        }
    }

    fn spelled(word: &str) -> u64 {
        let mut bytes = Bytes::default();
        word.chars().for_each(|c| bytes.add(c));
        bytes.finish()
    }

    #[test]
    fn each_byte_of_a_word_counts() {
        let long = "abcdefghijklmnopqrstuvw";
        let hashes: HashSet<u64> = (1..=long.len()).map(|end| spelled(&long[..end])).collect();
        assert_eq!(hashes.len(), long.len());
        assert_ne!(spelled("naïve"), spelled("naive"));
    }
}
