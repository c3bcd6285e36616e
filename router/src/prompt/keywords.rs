//! Words that say something by themselves, found with one look at a table.

use super::hash;

/// What a word says, in 0 or 1; nothing, if it is none of those that are listed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meaning(u8);

impl Meaning {
    pub(super) fn is_negation(self) -> u32 {
        self.of_list(0)
    }

    /// It relates quantities or steps: what multi-step word problems are made of.
    pub(super) fn is_relation(self) -> u32 {
        self.of_list(1)
    }

    /// Frequent in English, and rare in other languages.
    pub(super) fn is_english(self) -> u32 {
        self.of_list(2)
    }

    /// Frequent in French, German, Spanish, Italian, Portuguese or Dutch, and rare in English.
    pub(super) fn is_foreign(self) -> u32 {
        self.of_list(3)
    }

    fn of_list(self, list: u32) -> u32 {
        u32::from(self.0) >> list & 1
    }
}

/// What the word with this hash says; see [`hash::word`]. That another word has the hash of one that is listed is as likely
/// as guessing 64 bits.
pub(super) fn meaning(hash: u64) -> Meaning {
    let (key, meaning) = TABLE[slot(hash)];
    // By arithmetic: whether a word is one of them is guessed wrong too often.
    Meaning(meaning.0 * u8::from(key == hash))
}

const fn slot(key: u64) -> usize {
    (key.wrapping_mul(SPREAD) >> (64 - SLOTS.trailing_zeros())) as usize
}

/// Each of them in a place of its own.
static TABLE: [(u64, Meaning); SLOTS] = {
    let mut table = [(0, Meaning(0)); SLOTS];
    let mut list = 0;
    while list < LISTS.len() {
        let mut word = 0;
        while word < LISTS[list].len() {
            let key = hash::word(LISTS[list][word].as_bytes());
            let place = &mut table[slot(key)];
            assert!(place.0 == 0 || place.0 == key, "two words in one place: look for another SPREAD");
            *place = (key, Meaning(place.1.0 | 1 << list));
            word += 1;
        }
        list += 1;
    }
    table
};

/// A fifth of them are taken.
const SLOTS: usize = 512;
/// An odd number by which no two of the words below come to the same place, found by trying.
const SPREAD: u64 = 0xD8E3_EABE_9196_5BF7;

const LISTS: [&[&str]; 4] = [NEGATIONS, RELATIONS, ENGLISH, FOREIGN];
#[rustfmt::skip]
const NEGATIONS: &[&str] = &[
    "not", "except", "least", "never", "false", "incorrect", "without",
];
#[rustfmt::skip]
const RELATIONS: &[&str] = &[
    "half", "twice", "times", "each", "every", "per", "more", "less", "than", "total", "remaining", "left",
    "rest", "if", "then", "percent", "third", "quarter", "average", "ratio", "before", "after", "first",
    "last",
];
#[rustfmt::skip]
const ENGLISH: &[&str] = &[
    "the", "of", "and", "to", "is", "are", "what", "which", "how", "my", "you", "for", "with", "this", "that",
    "it", "from", "have", "can", "your", "be", "by", "was", "please", "not", "if", "when", "would", "should",
    "does", "at",
];
#[rustfmt::skip]
const FOREIGN: &[&str] = &[
    "le", "les", "des", "et", "est", "une", "que", "qui", "dans", "pour", "pas", "sur", "der", "das", "und",
    "ist", "ich", "nicht", "ein", "eine", "mit", "wie", "auf", "el", "los", "las", "del", "por", "con", "una",
    "como", "para", "di", "che", "il", "della", "sono", "uma", "dos", "het", "een", "niet", "wat", "van", "du",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_found_in_its_lists_and_no_other_is() {
        for word in LISTS.iter().copied().flatten() {
            let listed = LISTS.map(|list| u32::from(list.contains(word)));
            for word in [(*word).to_owned(), word.to_uppercase()] {
                let found = meaning(hash::word(word.as_bytes()));
                let found =
                    [found.is_negation(), found.is_relation(), found.is_english(), found.is_foreign()];
                assert_eq!(found, listed, "{word}");
            }
        }
        for word in ["", "a", "thee", "no", "th3", "it's", "the_", "où", "incorrectly", "zzzzzzzzzz"] {
            assert_eq!(meaning(hash::word(word.as_bytes())), Meaning(0), "{word}");
        }
    }
}
