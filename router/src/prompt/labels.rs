//! The text behind each hashed n-gram, for explaining a decision; serving never needs it.

use super::grams::{Kind, Sink, Walk, lower};
use super::tokens::is_cjk;

/// What an n-gram stands for, to a reader.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Label {
    /// A word, or a part of it.
    Word(String),
    /// Two words in a row.
    Pair(String),
    /// One to three ideographs.
    Ideographs(String),
}

/// Each n-gram of a normalised text with its row: one for each time that it occurs. Parts of a word have the word's
/// label.
pub(super) fn labels(text: &str) -> Vec<(u32, Label)> {
    let mut walk = Walk::new(Reader::default());
    let chars: Vec<char> = text.chars().map(lower).collect();
    walk.sink.chars.clone_from(&chars);
    for (at, &c) in chars.iter().enumerate() {
        walk.sink.at = at;
        walk.step(c);
    }
    walk.sink.at = chars.len();
    walk.end_token();
    walk.sink.found
}

/// Knows where the walk is, and so the text of what it comes by.
#[derive(Default)]
struct Reader {
    chars: Vec<char>,
    at: usize,
    /// The last two words.
    words: [String; 2],
    found: Vec<(u32, Label)>,
}

impl Sink for Reader {
    fn add(&mut self, row: u32, kind: Kind) {
        let label = match kind {
            Kind::Word(length) => {
                let word = self.text(self.at - length as usize, self.at);
                self.words.swap(0, 1);
                self.words[1].clone_from(&word);
                Label::Word(word)
            }
            Kind::Pair => Label::Pair(self.words.join(" ")),
            Kind::Window => Label::Word(self.token()),
            Kind::Ideographs(length) => {
                Label::Ideographs(self.text(self.at + 1 - length as usize, self.at + 1))
            }
        };
        self.found.push((row, label));
    }
}

impl Reader {
    fn text(&self, from: usize, to: usize) -> String {
        self.chars[from..to].iter().collect()
    }

    /// The token that is being read or has just ended, without the marks around it.
    fn token(&self) -> String {
        let is_inside = |at: usize| self.chars.get(at).is_some_and(|c| !c.is_whitespace() && !is_cjk(*c));
        let within = if is_inside(self.at) { self.at } else { self.at.saturating_sub(1) };
        let from = (0..within).rev().find(|&at| !is_inside(at)).map_or(0, |before| before + 1);
        let to = (within..self.chars.len()).find(|&at| !is_inside(at)).unwrap_or(self.chars.len());
        let token = self.text(from, to);
        let bare = token.trim_matches(|c: char| !c.is_alphanumeric() && c != '_');
        if bare.is_empty() { token } else { bare.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::grams;
    use std::collections::BTreeMap;

    #[test]
    fn rows_are_those_that_serving_counts() {
        for text in [
            "The landlord's (oral) contract, is void?",
            "关于剥夺政治权利，下列 Python 说法",
            "a b. x",
            "",
            "法",
        ] {
            let mut times: BTreeMap<u32, u32> = BTreeMap::new();
            labels(text).iter().for_each(|(row, _)| *times.entry(*row).or_default() += 1);
            let counted: BTreeMap<u32, u32> =
                grams::collect(text, None).iter().map(|gram| (gram.row(), gram.times())).collect();
            assert_eq!(times, counted, "{text}");
        }
    }

    #[test]
    fn n_grams_have_the_text_that_they_came_from() {
        let found: Vec<Label> = labels("An (oral) deed").into_iter().map(|(_, label)| label).collect();
        let count = |label: Label| found.iter().filter(|&other| *other == label).count();
        assert_eq!(count(Label::Word("oral".to_owned())), 1 + 5); // and " (or", "(ora", "oral", "ral)", "al) "
        assert_eq!(count(Label::Pair("an oral".to_owned())), 1);
        assert_eq!(count(Label::Pair("oral deed".to_owned())), 1);
        assert_eq!(count(Label::Word("deed".to_owned())), 1 + 3);
        let chinese: Vec<Label> = labels("盗窃罪").into_iter().map(|(_, label)| label).collect();
        for text in ["盗", "盗窃", "盗窃罪", "窃罪"] {
            assert!(chinese.contains(&Label::Ideographs(text.to_owned())), "{text}: {chinese:?}");
        }
    }
}
