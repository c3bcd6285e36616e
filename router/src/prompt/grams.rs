//! Hashed character and word n-grams of a text, counted without allocating for any of them.
//!
//! Spaced text gives words and word pairs to the first table, characters by four inside word bounds to the second.
//! Chinese, Japanese and Korean need no segmenter: single characters and pairs go to the first table, triples to the
//! second.

use super::ascii::{self, Tokens};
use super::counter::counted;
use super::hash;
use super::tokens::is_cjk;

/// A distinct n-gram: its row in the hash tables and how often it occurs, packed into four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gram(u32);

impl Gram {
    /// Its row, below [`TABLES`] `*` [`HASH_ROWS`]; the first table's rows come first.
    pub fn row(self) -> u32 {
        self.0 >> TIMES_BITS
    }

    /// How often it occurs, at least 1; counts stop at 8,191.
    pub fn times(self) -> u32 {
        self.0 & TIMES_MASK
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
    /// No n-gram: it has never occurred.
    pub(super) const NONE: Gram = Gram(0);

    /// An n-gram that has occurred once.
    pub(super) fn once(row: u32) -> Gram {
        Gram(row << TIMES_BITS | 1)
    }

    /// The same with one occurrence more.
    pub(super) fn again(self) -> Gram {
        if self.times() < TIMES_MASK { Gram(self.0 + 1) } else { self }
    }
}

/// The distinct n-grams of a normalised text; `tokens` are its tokens where it is all ASCII.
pub(super) fn collect(text: &str, tokens: Option<&Tokens>) -> Vec<Gram> {
    // A character n-gram for each byte, and a word and a pair for every few of them.
    let mut walk = Walk::new(Rows(Vec::with_capacity(text.len() + text.len() / 2 + 16)));
    match tokens {
        Some(tokens) => walk.take(tokens),
        None => walk.read(text),
    }
    counted(&mut walk.sink.0)
}

/// The rows of all n-grams, repeats included.
struct Rows(Vec<u32>);

impl Sink for Rows {
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
    /// The word that is being read, and its characters.
    word: (hash::Bytes, u32),
    /// Hash of the word before it, 0 for none.
    previous: u64,
    /// The last four characters of the token being read, space-padded, the newest last.
    window: [u32; 4],
    /// Characters in the token being read, its leading space included; 0 outside tokens.
    length: u32,
    /// The last two ideographs of the run, the newest last; 0 for none.
    run: [u32; 2],
}

impl Walk<Rows> {
    /// A whole text. Tokens of ASCII take a short way to the same n-grams.
    fn read(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            let (spaced, beyond) = rest.split_at(ascii::whole_tokens(rest.as_bytes()));
            self.end_run();
            if !spaced.is_empty() {
                self.take(&Tokens::of(spaced.as_bytes()));
            }
            let (token, after) = beyond.split_at(ascii::token_length(beyond.as_bytes()));
            token.chars().for_each(|c| self.step(lower(c)));
            self.end_token();
            rest = after;
        }
    }

    fn take(&mut self, tokens: &Tokens) {
        tokens.push_windows(&mut self.sink.0);
        for word in &tokens.words {
            self.end_word(word.hash, word.length);
        }
    }
}

impl<S: Sink> Walk<S> {
    pub(super) fn new(sink: S) -> Walk<S> {
        Walk { sink, word: Default::default(), previous: 0, window: [0; 4], length: 0, run: [0; 2] }
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
            self.word.0.add(c);
            self.word.1 += 1;
        } else {
            self.finish_word();
        }
    }

    fn push(&mut self, c: u32) {
        let [_, b, d, e] = self.window;
        self.window = [b, d, e, c];
        self.length += 1;
        if self.length >= 4 {
            self.sink.add(hash::window(self.window), Kind::Window);
        }
    }

    fn finish_word(&mut self) {
        let (bytes, length) = std::mem::take(&mut self.word);
        self.end_word(bytes.finish(), length);
    }

    /// A word ends: it counts if it has two characters or more, alone and with the word before it.
    fn end_word(&mut self, hash: u64, length: u32) {
        if length < 2 {
            return;
        }
        self.sink.add(hash::row(0, hash), Kind::Word(length));
        if self.previous != 0 {
            self.sink.add(hash::pair(self.previous, hash), Kind::Pair);
        }
        self.previous = hash;
    }

    pub(super) fn end_token(&mut self) {
        if self.length == 0 {
            return;
        }
        self.finish_word();
        self.push(u32::from(b' '));
        if self.length < 4 {
            self.window[0] = 0; // a single character: the padded whole is its one n-gram
            self.sink.add(hash::window(self.window), Kind::Window);
        }
        self.length = 0;
        self.window = [0; 4];
    }

    fn ideograph(&mut self, c: u32) {
        let [a, b] = self.run;
        self.previous = 0;
        self.sink.add(hash::ideographs(0, [0, 0, c]), Kind::Ideographs(1));
        if b != 0 {
            self.sink.add(hash::ideographs(0, [0, b, c]), Kind::Ideographs(2));
        }
        if a != 0 {
            self.sink.add(hash::ideographs(1, [a, b, c]), Kind::Ideographs(3));
        }
        self.run = [b, c];
    }

    fn end_run(&mut self) {
        self.run = [0; 2];
    }
}

const TIMES_BITS: u32 = 13;
const TIMES_MASK: u32 = (1 << TIMES_BITS) - 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::odd;

    /// Character by character, as explaining reads it.
    fn slowly(text: &str) -> Vec<Gram> {
        let mut walk = Walk::new(Rows(Vec::new()));
        text.chars().for_each(|c| walk.step(lower(c)));
        walk.end_token();
        counted(&mut walk.sink.0)
    }

    fn collect(text: &str) -> Vec<Gram> {
        let tokens = text.is_ascii().then(|| Tokens::of(text.as_bytes()));
        super::collect(text, tokens.as_ref())
    }

    fn sorted(mut grams: Vec<Gram>) -> Vec<Gram> {
        grams.sort_unstable_by_key(|gram| gram.row());
        grams
    }

    #[test]
    fn the_short_way_leads_to_the_same_n_grams() {
        const PIECES: &[&str] = &[
            "a", "B", "c", "d9", "_", "word", "Word", ".", "-", "(", " ", "  ", "\n", "\t", "\u{0}",
            "\u{1c}", "\u{b}", "é", "法", "法律", "\u{a0}", "\u{3000}", "İ", "ß", "—", "'",
        ];
        for text in odd::texts(PIECES, 3_000) {
            assert_eq!(sorted(collect(&text)), sorted(slowly(&text)), "{text:?}");
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
