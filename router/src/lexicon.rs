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
    /// Hash row to number, [`UNSEEN`] for the others.
    index: Vec<u32>,
    idf: Vec<f32>,
    unseen_idf: f32,
}

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
        let mut index = vec![UNSEEN; TABLES * HASH_ROWS as usize];
        for (number, &row) in rows.iter().enumerate() {
            index[row as usize] = number as u32;
        }
        let idf = |times: u32| {
            let ratio = (1.0 + f64::from(documents)) / (1.0 + f64::from(times));
            (libm::log(ratio.max(1.0)) + 1.0) as f32
        };
        let weights = frequencies.iter().map(|&times| idf(times)).collect();
        Lexicon { rows, frequencies, documents, index, idf: weights, unseen_idf: idf(0) }
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
        self.idf[number as usize]
    }

    /// Known n-grams of a text as (number, weight); `out` is overwritten.
    ///
    /// Weight: (1 + ln count) * idf, each table's vector of length 1, then divided by the square root of the number
    /// of tables. Unseen n-grams count towards the length: a text of unknown words is predicted by the mean.
    pub fn weigh(&self, grams: &[Gram], out: &mut Vec<(u32, f32)>) {
        out.clear();
        let mut squares = [0.0f32; TABLES];
        for gram in grams {
            let number = self.index[gram.row() as usize];
            let idf = if number == UNSEEN { self.unseen_idf } else { self.idf[number as usize] };
            let value = damped(gram.times()) * idf;
            squares[gram.table()] += value * value;
            if number != UNSEEN {
                out.push((number, value));
            }
        }
        let scales = squares.map(|sum| 1.0 / libm::sqrtf(sum * TABLES as f32).max(f32::MIN_POSITIVE));
        for (number, value) in out {
            *value *= scales[(self.rows[*number as usize] / HASH_ROWS) as usize];
        }
    }
}

/// 1 + ln(count).
fn damped(times: u32) -> f32 {
    if times == 1 { 1.0 } else { 1.0 + libm::logf(times as f32) }
}

const UNSEEN: u32 = u32::MAX;

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
            lexicon.idf[lexicon.index[gram.row() as usize] as usize]
        };
        assert!(idf_of("pear") > idf_of("apple"));
    }
}
