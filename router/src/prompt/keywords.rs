//! Words that say something by themselves, found with one look at a table.

/// What a word says; nothing, if it is none of those that are listed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) is_negation: bool,
    /// It relates quantities or steps: what multi-step word problems are made of.
    pub(super) is_relation: bool,
    /// Frequent in English, and rare in other languages.
    pub(super) is_english: bool,
    /// Frequent in French, German, Spanish, Italian, Portuguese or Dutch, and rare in English.
    pub(super) is_foreign: bool,
}

/// What a word says, in whatever case.
pub(super) fn meaning(word: &[u8]) -> Meaning {
    let key = if word.len() <= LONGEST { key(word) } else { 0 };
    if key == 0 {
        return NOTHING;
    }
    let mut at = slot(key);
    while TABLE[at].0 != key && TABLE[at].0 != 0 {
        at = (at + 1) % SLOTS;
    }
    TABLE[at].1
}

/// Five bits for each letter; 0 where there is anything but letters.
const fn key(word: &[u8]) -> u64 {
    let (mut key, mut at) = (0, 0);
    while at < word.len() {
        if !word[at].is_ascii_alphabetic() {
            return 0;
        }
        key = key << 5 | (word[at] & 31) as u64;
        at += 1;
    }
    key
}

const fn slot(key: u64) -> usize {
    (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - SLOTS.trailing_zeros())) as usize
}

/// An open hash table of all of them.
static TABLE: [(u64, Meaning); SLOTS] = {
    let mut table = [(0, NOTHING); SLOTS];
    let mut list = 0;
    while list < LISTS.len() {
        let mut word = 0;
        while word < LISTS[list].len() {
            let key = key(LISTS[list][word].as_bytes());
            let mut at = slot(key);
            while table[at].0 != 0 && table[at].0 != key {
                at = (at + 1) % SLOTS;
            }
            table[at].0 = key;
            let meaning = &mut table[at].1;
            match list {
                0 => meaning.is_negation = true,
                1 => meaning.is_relation = true,
                2 => meaning.is_english = true,
                _ => meaning.is_foreign = true,
            }
            word += 1;
        }
        list += 1;
    }
    table
};

const NOTHING: Meaning =
    Meaning { is_negation: false, is_relation: false, is_english: false, is_foreign: false };
/// Less than half of them are taken.
const SLOTS: usize = 256;
/// Letters of the longest, at most.
const LONGEST: usize = 10;

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
            assert!(word.len() <= LONGEST);
            let listed = LISTS.map(|list| list.contains(word));
            for word in [(*word).to_owned(), word.to_uppercase()] {
                let found = meaning(word.as_bytes());
                let found = [found.is_negation, found.is_relation, found.is_english, found.is_foreign];
                assert_eq!(found, listed, "{word}");
            }
        }
        for word in ["", "a", "thee", "no", "th3", "it's", "the_", "où", "incorrectly", "zzzzzzzzzz"] {
            assert_eq!(meaning(word.as_bytes()), NOTHING, "{word}");
        }
    }
}
