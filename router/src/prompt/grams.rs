//! Hashed character and word n-grams of a text, counted without allocating for any of them.
//!
//! Spaced text gives words and word pairs to the first table, characters by four inside word bounds to the second.
//! Chinese, Japanese and Korean need no segmenter: single characters and pairs go to the first table, triples to the
//! second.

use super::counter::counted;
use super::tokens::is_cjk;
use std::num::NonZeroU32;

/// A distinct n-gram: its row in the hash tables and how often it occurs, packed into four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gram(NonZeroU32);

impl Gram {
    /// Its row, below [`TABLES`] `*` [`HASH_ROWS`]; the first table's rows come first.
    pub fn row(self) -> u32 {
        self.0.get() >> TIMES_BITS
    }

    /// How often it occurs, at least 1; counts stop at 8,191.
    pub fn times(self) -> u32 {
        self.0.get() & TIMES_MASK
    }

    /// Which table its row belongs to.
    pub fn table(self) -> usize {
        (self.row() / HASH_ROWS) as usize
    }
}

/// Rows of each hash table.
pub const HASH_ROWS: u32 = 1 << 18;
/// Hash tables: words, and characters.
pub const TABLES: usize = 2;

impl Gram {
    /// An n-gram that has occurred once.
    pub(super) fn once(row: u32) -> Gram {
        Gram(NonZeroU32::MIN | row << TIMES_BITS)
    }

    /// The same with one occurrence more.
    pub(super) fn again(self) -> Gram {
        if self.times() < TIMES_MASK { Gram(self.0.saturating_add(1)) } else { self }
    }
}

/// The distinct n-grams of a normalised text, in the order of their first occurrence.
pub(super) fn collect(text: &str) -> Vec<Gram> {
    // A character n-gram for each byte, and a word and a pair for every few of them.
    let mut walk = Walk::new(Rows(Vec::with_capacity(text.len() + text.len() / 2 + 4)));
    walk.read(text);
    counted(&walk.sink.0)
}

/// The rows of all n-grams, repeats included.
struct Rows(Vec<u32>);

impl Sink for Rows {
    #[inline]
    fn add(&mut self, row: u32, _: Kind) {
        self.0.push(row);
    }
}

/// What becomes of the n-grams that a walk comes by: serving counts them, explaining asks for their text.
pub(super) trait Sink {
    /// An n-gram of this kind ends at the character that is being read, or right before it.
    fn add(&mut self, row: u32, kind: Kind);
}

/// What an n-gram is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A word of so many characters; it ended right before the character that is being read.
    Word(u32),
    /// That word with the one before it.
    Pair,
    /// Four characters of a token.
    Window,
    /// So many ideographs, the last of them the character that is being read.
    Ideographs(u32),
}

pub(super) fn lower(c: char) -> char {
    if c.is_ascii() { c.to_ascii_lowercase() } else { c.to_lowercase().next().unwrap_or(c) }
}

/// Where the walk over a text stands.
pub(super) struct Walk<S> {
    pub(super) sink: S,
    /// Hash and length of the word that is being read.
    word: (u64, u32),
    /// Hash of the word before it, 0 for none.
    previous: u64,
    /// The last four characters of the token being read, space-padded, the newest in the lowest bits.
    window: [u32; 4],
    /// Characters in the token being read, its leading space included; 0 outside tokens.
    length: u32,
    /// The last two ideographs of the run, the newest last; 0 for none.
    run: [u32; 2],
}

impl Walk<Rows> {
    /// A whole text. Tokens of ASCII, which is most of what there is to read, take a short way to the same n-grams.
    fn read(&mut self, text: &str) {
        let mut at = 0;
        while at < text.len() {
            let rest = &text.as_bytes()[at..];
            at += self.ascii_token(rest).unwrap_or_else(|| {
                let length = rest.iter().position(|&byte| CLASSES[usize::from(byte)] == Class::Blank);
                let length = length.unwrap_or(rest.len());
                text[at..at + length].chars().for_each(|c| self.step(lower(c)));
                self.end_token();
                length
            });
            self.end_run();
            at += 1; // the blank
        }
    }

    /// The token that `rest` begins with, up to a blank; its length, 0 between two blanks. `None` if it isn't all ASCII:
    /// nothing has changed then.
    fn ascii_token(&mut self, rest: &[u8]) -> Option<usize> {
        let (rows, previous) = (self.sink.0.len(), self.previous);
        let (mut window, mut hash, mut length, mut at) = (u32::from(b' ') << 24, 0, 0, 0);
        while let Some(&byte) = rest.get(at) {
            let (c, class) = (byte.to_ascii_lowercase(), CLASSES[usize::from(byte)]);
            if class >= Class::Blank {
                break;
            }
            window = window >> 8 | u32::from(c) << 24;
            if at >= 2 {
                self.sink.0.push(ascii_window(window));
            }
            if class == Class::Word {
                (hash, length) = (extended(hash, u32::from(c)), length + 1);
            } else {
                self.word = (std::mem::take(&mut hash), std::mem::take(&mut length));
                self.end_word();
            }
            at += 1;
        }
        if rest.get(at).is_some_and(|byte| !byte.is_ascii()) {
            self.sink.0.truncate(rows);
            self.previous = previous;
            return None;
        }
        if at > 0 {
            self.word = (hash, length);
            self.end_word();
            // Of a single character the padded whole is the one n-gram, with nothing in its first place.
            self.sink.0.push(ascii_window(window >> 8 | u32::from(b' ') << 24));
        }
        Some(at)
    }
}

impl<S: Sink> Walk<S> {
    pub(super) fn new(sink: S) -> Walk<S> {
        Walk { sink, word: (0, 0), previous: 0, window: [0; 4], length: 0, run: [0; 2] }
    }

    /// One character, in lower case.
    pub(super) fn step(&mut self, c: char) {
        if is_cjk(c) {
            self.end_token();
            self.ideograph(c as u32);
        } else if c.is_whitespace() {
            self.end_token();
            self.end_run();
        } else {
            self.end_run();
            self.spaced(c);
        }
    }

    /// One character of spaced text that is not a space.
    fn spaced(&mut self, c: char) {
        if self.length == 0 {
            self.push(u32::from(b' '));
        }
        self.push(c as u32);
        if c.is_alphanumeric() || c == '_' {
            self.word = (extended(self.word.0, c as u32), self.word.1 + 1);
        } else {
            self.end_word();
        }
    }

    fn push(&mut self, c: u32) {
        let [_, b, d, e] = self.window;
        self.window = [b, d, e, c];
        self.length += 1;
        if self.length >= 4 {
            self.window_gram();
        }
    }

    fn window_gram(&mut self) {
        let [a, b, c, d] = self.window.map(u64::from);
        self.sink.add(row(1, (a | b << 21 | c << 42) ^ d.wrapping_mul(WORD_PRIME)), Kind::Window);
    }

    /// A word ends: it counts if it has two characters or more, alone and with the word before it.
    fn end_word(&mut self) {
        let (hash, length) = std::mem::take(&mut self.word);
        if length < 2 {
            return;
        }
        self.sink.add(row(0, hash), Kind::Word(length));
        if self.previous != 0 {
            self.sink.add(row(0, self.previous.rotate_left(17) ^ hash.wrapping_mul(PAIR_PRIME)), Kind::Pair);
        }
        self.previous = hash;
    }

    pub(super) fn end_token(&mut self) {
        if self.length == 0 {
            return;
        }
        self.end_word();
        self.push(u32::from(b' '));
        if self.length < 4 {
            self.window[0] = 0; // a single character: the padded whole is its one n-gram
            self.window_gram();
        }
        self.length = 0;
        self.window = [0; 4];
    }

    fn ideograph(&mut self, c: u32) {
        let [a, b] = self.run;
        self.previous = 0;
        self.sink.add(row(0, u64::from(c).wrapping_mul(PAIR_PRIME)), Kind::Ideographs(1));
        if b != 0 {
            let pair = (u64::from(b) << 21 | u64::from(c)).wrapping_mul(WORD_PRIME);
            self.sink.add(row(0, pair), Kind::Ideographs(2));
        }
        if a != 0 {
            let triple = u64::from(a) << 42 | u64::from(b) << 21 | u64::from(c);
            self.sink.add(row(1, triple), Kind::Ideographs(3));
        }
        self.run = [b, c];
    }

    fn end_run(&mut self) {
        self.run = [0; 2];
    }
}

/// The hash of a word with one character more.
fn extended(hash: u64, c: u32) -> u64 {
    (hash ^ u64::from(c)).wrapping_mul(WORD_PRIME).rotate_left(23)
}

/// The row of four characters of ASCII, the newest in the highest byte.
fn ascii_window(window: u32) -> u32 {
    let window = u64::from(window);
    let (a, b, c, d) = (window & 0xFF, window & 0xFF00, window & 0xFF_0000, window >> 24);
    row(1, (a | b << 13 | c << 26) ^ d.wrapping_mul(WORD_PRIME))
}

/// The row of a hash in `table`: MurmurHash3's finaliser, upper 18 bits.
fn row(table: u32, hash: u64) -> u32 {
    let mut z = hash ^ (hash >> 33);
    z = z.wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    z ^= z >> 33;
    z = z.wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    table * HASH_ROWS + (z >> (64 - HASH_ROWS.trailing_zeros())) as u32
}

const TIMES_BITS: u32 = 13;
const TIMES_MASK: u32 = (1 << TIMES_BITS) - 1;
/// Odd multipliers with well mixed bits; any others would do, but changing them changes every row.
const WORD_PRIME: u64 = 0x9FB2_1C65_1E98_DF25;
const PAIR_PRIME: u64 = 0xA0B4_28DB_27DD_1A4F;

/// What a byte means to a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// A part of a word.
    Word,
    /// It ends the word.
    Mark,
    /// It ends the token.
    Blank,
    /// A part of a character beyond ASCII.
    Beyond,
}

const CLASSES: [Class; 256] = {
    let mut table = [Class::Mark; 256];
    let mut at = 0;
    while at < 256 {
        table[at] = match at as u8 {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' => Class::Word,
            b' ' | b'\t'..=b'\r' => Class::Blank,
            0x80.. => Class::Beyond,
            _ => Class::Mark,
        };
        at += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Character by character, as explaining reads it.
    fn slowly(text: &str) -> Vec<Gram> {
        let mut walk = Walk::new(Rows(Vec::new()));
        text.chars().for_each(|c| walk.step(lower(c)));
        walk.end_token();
        counted(&walk.sink.0)
    }

    #[test]
    fn the_short_way_leads_to_the_same_n_grams() {
        const PIECES: &[&str] = &[
            "a", "B", "c", "d9", "_", "word", "Word", ".", "-", "(", " ", "  ", "\n", "\t", "\u{0}",
            "\u{1c}", "\u{b}", "é", "法", "法律", "\u{a0}", "\u{3000}", "İ", "ß", "—", "'",
        ];
        let mut state = 1u64;
        for _ in 0..3_000 {
            let mut draw = |below: usize| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as usize % below
            };
            let kinds = 1 + draw(PIECES.len());
            let text: String = (0..draw(60)).map(|_| PIECES[draw(kinds)]).collect();
            assert_eq!(collect(&text), slowly(&text), "{text:?}");
        }
    }

    fn total(text: &str) -> u32 {
        collect(text).iter().map(|gram| gram.times()).sum()
    }

    #[test]
    fn n_grams_are_counted_as_documented() {
        for (text, expected) in [
            ("", 0),
            ("a", 1),      // " a "
            ("ab", 2),     // ab; " ab "
            ("abcd", 4),   // abcd; " abc", "abcd", "bcd "
            ("ab cd", 5),  // ab, cd, ab+cd; " ab ", " cd "
            ("法", 1),     // 法
            ("法律", 3),   // 法, 律, 法律
            ("法律法", 6), // 3 singles, 2 pairs, 1 triple
            ("法 律", 2),  // a space ends the run
            ("ab法cd", 5), // no word pair over an ideograph
        ] {
            assert_eq!(total(text), expected, "{text:?}");
        }
    }

    #[test]
    fn repeats_are_counted_once_with_their_number() {
        let grams = collect("abcd abcd abcd");
        assert_eq!(grams.len(), 5); // abcd, its pair, three character n-grams
        assert!(grams.iter().all(|gram| gram.times() >= 2));
        assert_eq!(collect(&"x ".repeat(20_000))[0].times(), TIMES_MASK);
    }
}
