//! Which n-grams a fitted table knows, and how much each weighs in a text (TF-IDF).

use crate::prompt::{Gram, HASH_ROWS, TABLES};

/// The n-grams of a set of training texts with their document frequencies.
///
/// Known rows are numbered 0.. by falling frequency, so that the common ones share cache lines.
#[derive(Debug, Clone, PartialEq)]
pub struct Lexicon {
    /// Hash row of each known n-gram.
    pub(crate) rows: Vec<u32>,
    /// In how many texts it occurs.
    pub(crate) frequencies: Vec<u32>,
    /// How many texts there were.
    pub(crate) documents: u32,
    /// A bit for each hash row that is known: 64 KiB, which stay near the processor. Most n-grams of a text that is unlike
    /// those of the training need no more.
    seen: Vec<u64>,
    /// How many rows are known before each word of `seen`.
    before: Vec<u32>,
    /// What is known of each of them, by row.
    entries: Vec<Entry>,
    /// The weight of each class of equally frequent n-grams.
    classes: Vec<f32>,
    unseen_idf: f32,
}

/// What is known of a hash row: its number, and the class that its weight is found by. Packed into four bytes, since
/// looking it up is a cache miss for nearly every n-gram, and should be the only one.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Entry(u32);

impl Entry {
    fn new(number: usize, class: usize) -> Entry {
        Entry((class.min(SPILLED) as u32) << NUMBER_BITS | number as u32)
    }

    fn number(self) -> u32 {
        self.0 & ((1 << NUMBER_BITS) - 1)
    }

    fn class(self) -> usize {
        (self.0 >> NUMBER_BITS) as usize
    }
}

/// Enough for every row.
const NUMBER_BITS: u32 = (TABLES as u32 * HASH_ROWS).trailing_zeros();
/// The class of all n-grams for whose class there is no room.
const SPILLED: usize = (1 << (u32::BITS - NUMBER_BITS)) - 1;

impl Lexicon {
    /// Counts the n-grams of `texts`; those that occur in fewer than `least` texts stay unseen.
    pub fn from_texts<'a>(texts: impl Iterator<Item = &'a [Gram]>, least: u32) -> Lexicon {
        let mut frequency = vec![0u32; TABLES * HASH_ROWS as usize];
        let mut documents = 0;
        for grams in texts {
            documents += 1;
            for gram in grams {
                frequency[gram.row() as usize] += 1;
            }
        }
        let known = frequency.iter().enumerate().filter(|&(_, &times)| times >= least.max(1));
        let mut known: Vec<(u32, u32)> = known.map(|(row, &times)| (row as u32, times)).collect();
        known.sort_unstable_by_key(|&(row, times)| (std::cmp::Reverse(times), row));
        let (rows, frequencies) = known.into_iter().unzip();
        Lexicon::new(rows, frequencies, documents)
    }

    /// From rows that are all below [`TABLES`] `*` [`HASH_ROWS`].
    pub(crate) fn new(rows: Vec<u32>, frequencies: Vec<u32>, documents: u32) -> Lexicon {
        let mut seen = vec![0u64; TABLES * HASH_ROWS as usize / 64];
        let mut classes: Vec<f32> = Vec::new();
        let mut by_row: Vec<(u32, Entry)> = Vec::with_capacity(rows.len());
        let mut last = None;
        for (number, (&row, &times)) in rows.iter().zip(&frequencies).enumerate() {
            if last.replace(times) != Some(times) {
                classes.push(idf(documents, times));
            }
            by_row.push((row, Entry::new(number, classes.len() - 1)));
            seen[row as usize / 64] |= 1 << (row % 64);
        }
        classes.truncate(SPILLED);
        by_row.sort_unstable_by_key(|(row, _)| *row);
        let entries = by_row.into_iter().map(|(_, entry)| entry).collect();
        let counted = seen.iter().scan(0, |sum, word| {
            let before = *sum;
            *sum += word.count_ones();
            Some(before)
        });
        let before = counted.collect();
        Lexicon {
            rows,
            frequencies,
            documents,
            seen,
            before,
            entries,
            classes,
            unseen_idf: idf(documents, 0),
        }
    }

    /// How many n-grams are known.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True when no n-gram is known.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Which table the n-gram with this number belongs to.
    pub fn table(&self, number: u32) -> usize {
        (self.rows[number as usize] / HASH_ROWS) as usize
    }

    /// How rare the n-gram with this number is: ln of texts over those that have it, plus 1.
    pub fn idf(&self, number: u32) -> f32 {
        idf(self.documents, self.frequencies[number as usize])
    }

    /// Known n-grams of a text as (number, weight); `out` is overwritten.
    ///
    /// Weight: (1 + ln count) * idf, each table's vector of length 1, then divided by the square root of the number
    /// of tables. Unseen n-grams count towards the length: a text of unknown words is predicted by the mean.
    pub fn weigh(&self, grams: &[Gram], out: &mut Vec<(u32, f32)>) {
        out.clear();
        let mut squares = [0.0f32; TABLES];
        for gram in grams {
            let entry = self.entry(gram.row());
            let value = damped(gram.times()) * entry.map_or(self.unseen_idf, |entry| self.idf_of(entry));
            squares[gram.table()] += value * value;
            if let Some(entry) = entry {
                out.push((entry.number() | (gram.table() as u32) << NUMBER_BITS, value));
            }
        }
        let scales = squares.map(|sum| 1.0 / libm::sqrtf(sum * TABLES as f32).max(f32::MIN_POSITIVE));
        for (number, value) in out {
            *value *= scales[(*number >> NUMBER_BITS) as usize];
            *number &= (1 << NUMBER_BITS) - 1;
        }
    }

    /// What is known of a row.
    fn entry(&self, row: u32) -> Option<Entry> {
        let (word, bit) = (row as usize / 64, 1 << (row % 64));
        let seen = self.seen[word];
        let at = || self.before[word] + (seen & (bit - 1)).count_ones();
        (seen & bit != 0).then(|| self.entries[at() as usize])
    }

    fn idf_of(&self, entry: Entry) -> f32 {
        self.classes.get(entry.class()).copied().unwrap_or_else(|| self.idf(entry.number()))
    }
}

/// How rare an n-gram is that occurs in `times` of so many texts: ln of texts over those that have it, plus 1.
fn idf(documents: u32, times: u32) -> f32 {
    let ratio = (1.0 + f64::from(documents)) / (1.0 + f64::from(times));
    (libm::log(ratio.max(1.0)) + 1.0) as f32
}

/// 1 + ln(count).
fn damped(times: u32) -> f32 {
    if times == 1 { 1.0 } else { 1.0 + libm::logf(times as f32) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::count;

    #[test]
    fn a_known_text_has_length_one_and_an_unknown_one_none() {
        let texts = ["the law of contracts", "the law of torts"].map(count);
        let lexicon = Lexicon::from_texts(texts.iter().map(|text| &text.grams[..]), 1);
        let mut weighed = vec![];
        lexicon.weigh(&texts[0].grams, &mut weighed);
        let length: f32 = weighed.iter().map(|(_, value)| value * value).sum();
        assert!((length - 1.0).abs() < 1e-5);
        lexicon.weigh(&count("盗窃").grams, &mut weighed);
        assert!(weighed.is_empty());
    }

    #[test]
    fn rare_n_grams_weigh_more_than_common_ones() {
        let texts = ["apple pear", "apple plum"].map(count);
        let lexicon = Lexicon::from_texts(texts.iter().map(|text| &text.grams[..]), 1);
        let idf_of = |word: &str| {
            let gram = count(word).grams.into_iter().find(|gram| gram.table() == 0).expect("a word");
            lexicon.idf(lexicon.entry(gram.row()).expect("known").number())
        };
        assert!(idf_of("pear") > idf_of("apple"));
    }

    #[test]
    fn the_weight_of_a_class_is_that_of_each_of_its_n_grams() {
        // More frequencies than there are classes, so that the last ones spill.
        let count = SPILLED as u32 + 40;
        let rows: Vec<u32> = (0..count).map(|n| n * 31 % (TABLES as u32 * HASH_ROWS)).collect();
        let frequencies: Vec<u32> = (0..count).map(|n| 2 * count - n).collect();
        let lexicon = Lexicon::new(rows.clone(), frequencies, 3 * count);
        assert_eq!(lexicon.classes.len(), SPILLED);
        assert_eq!(lexicon.entry(2), None);
        for (number, &row) in rows.iter().enumerate() {
            let entry = lexicon.entry(row).expect("known");
            assert_eq!(entry.number(), number as u32);
            assert_eq!(lexicon.idf_of(entry), lexicon.idf(number as u32));
        }
    }
}
