//! ASCII text by bytes: what a walk finds character by character, in a small part of the time.
//!
//! A loop that jumps at the end of every word is guessed wrong at most of them, which costs more than all else that is done
//! for a word. So where things begin and end is told by bits, 64 bytes in a word, and only what there is is gone through.

use super::hash;
use std::ops::Range;

/// How many bytes at the start of `text` are whole tokens of ASCII, with the blanks between them.
pub(super) fn whole_tokens(text: &[u8]) -> usize {
    if text.is_ascii() {
        return text.len(); // many bytes at a time
    }
    let ascii = text.iter().position(|byte| !byte.is_ascii()).unwrap_or(text.len());
    text[..ascii].iter().rposition(|&byte| is_blank(byte)).map_or(0, |blank| blank + 1)
}

/// The bytes up to the next blank.
pub(super) fn token_length(text: &[u8]) -> usize {
    text.iter().position(|&byte| is_blank(byte)).unwrap_or(text.len())
}

pub(super) fn is_blank(byte: u8) -> bool {
    byte == b' ' || (b'\t'..=b'\r').contains(&byte)
}

/// Whole tokens in lower case, each blank a space, with their words.
pub(super) struct Tokens {
    /// Between a space and a few more, so that the neighbours of a byte and the seven after it can be looked at.
    padded: Vec<u8>,
    pub(super) words: Vec<Word>,
}

/// A run of letters, digits and underscores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) hash: u64,
    pub(super) length: u32,
    /// Whether there is a letter in it.
    pub(super) is_latin: bool,
}

impl Tokens {
    pub(super) fn of(text: &[u8]) -> Tokens {
        let mut padded = Vec::with_capacity(text.len() + 1 + AFTER);
        padded.push(b' ');
        padded.extend(text.iter().map(|&byte| if is_blank(byte) { b' ' } else { byte.to_ascii_lowercase() }));
        padded.extend([b' '; AFTER]);
        let words = runs(&padded, |byte| byte.is_ascii_lowercase() | byte.is_ascii_digit() | (byte == b'_'));
        let words = words.map(|place| word(&padded, &place)).collect();
        Tokens { padded, words }
    }

    /// Adds the row of each character n-gram: of a token of one character its padded whole, with nothing in its first place.
    pub(super) fn push_windows(&self, rows: &mut Vec<u32>) {
        let before = rows.len();
        rows.resize(before + self.padded.len(), 0);
        let (room, mut count) = (&mut rows[before..], 0);
        for bytes in self.padded.windows(4) {
            // Written in any case, and kept if it is one.
            room[count] = hash::ascii_window(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
            count += usize::from((bytes[1] != b' ') & (bytes[2] != b' '));
        }
        rows.truncate(before + count);
        for token in runs(&self.padded, |byte| byte != b' ').filter(|token| token.len() == 1) {
            rows.push(hash::ascii_window(u32::from_le_bytes([0, b' ', self.padded[token.start], b' '])));
        }
    }

    /// How often a byte that `is_end` comes before a blank or the end.
    pub(super) fn ends(&self, is_end: impl Fn(u8) -> bool) -> u32 {
        let pairs = self.padded.windows(2);
        pairs.map(|pair| u32::from(is_end(pair[0]) & (pair[1] == b' '))).sum()
    }
}

fn word(padded: &[u8], place: &Range<usize>) -> Word {
    let (mut hash, mut letters, mut at) = (0, 0, place.start);
    while at < place.end {
        let eight = padded[at..].first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight));
        let beyond = 8usize.saturating_sub(place.end - at) as u32;
        let eight = eight & (u64::MAX >> (8 * beyond));
        hash = hash::extended(hash, eight);
        // Of what words are made of, only letters have both of these bits.
        letters |= eight & (eight << 1) & 0x4040_4040_4040_4040;
        at += 8;
    }
    Word { hash, length: place.len() as u32, is_latin: letters != 0 }
}

/// Where the longest runs of bytes are that are all such; none begins or ends within the first and the last byte.
pub(super) fn runs(bytes: &[u8], is_such: impl Fn(u8) -> bool + Copy) -> impl Iterator<Item = Range<usize>> {
    // Each end of a run is a place where a byte is such and the one before it isn't, or the other way round.
    let mut edges: Vec<u32> = Vec::with_capacity(bytes.len() / 2 + 2);
    let mut last = 0;
    for (at, block) in bytes.chunks(64).enumerate() {
        let bits = block.iter().rev().fold(0u64, |bits, &byte| bits << 1 | u64::from(is_such(byte)));
        let mut changes = bits ^ (bits << 1 | last);
        if block.len() < 64 {
            changes &= (1 << block.len()) - 1;
        }
        last = bits >> 63;
        while changes != 0 {
            edges.push((at * 64) as u32 + changes.trailing_zeros());
            changes &= changes - 1;
        }
    }
    if edges.len() % 2 == 1 {
        edges.push(bytes.len() as u32); // it goes on to the end
    }
    let mut edges = edges.into_iter().map(|edge| edge as usize);
    std::iter::from_fn(move || Some(edges.next()?..edges.next()?))
}

/// Spaces after the text: as many that eight bytes can be read at once where its last word begins.
const AFTER: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::odd;

    #[test]
    fn runs_are_where_bytes_are_such() {
        for text in odd::texts(&["a", " ", "bb", "  ", "ccccccccc", "                     "], 500) {
            let found: Vec<Range<usize>> = runs(text.as_bytes(), |byte| byte != b' ').collect();
            let mut slow = vec![];
            let mut at = 0;
            for token in text.split(' ') {
                if !token.is_empty() {
                    slow.push(at..at + token.len());
                }
                at += token.len() + 1;
            }
            assert_eq!(found, slow, "{text:?}");
        }
    }

    #[test]
    fn words_are_told_from_numbers() {
        let told = |text: &str| {
            Tokens::of(text.as_bytes())
                .words
                .iter()
                .map(|word| (word.length, word.is_latin))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            told("The 12_3 x86 (a) __ 123456789z"),
            [(3, true), (4, false), (3, true), (1, true), (2, false), (10, true)]
        );
        assert_eq!(told(""), []);
    }
}
