//! The featuriser: a text becomes counted n-grams and shape counts, the same for training and for serving.
//!
//! Whatever changes a number here must raise [`FEATURES_VERSION`]: a model fitted on other features is refused.

mod ascii;
mod clip;
mod counter;
mod courtesy;
mod grams;
mod hash;
mod keywords;
mod labels;
#[cfg(test)]
mod odd;
mod shape;
mod tokens;

use ascii::Tokens;
pub use grams::{Gram, HASH_ROWS, TABLES};
pub(crate) use labels::Label;
pub(crate) use shape::Scripts;
pub use shape::{SHAPE, SHAPE_NAMES};
pub use tokens::{estimate_tokens, estimate_twentieths};

/// Version of everything in this module; part of the model file.
pub const FEATURES_VERSION: u32 = 4;

/// What is counted in a text; no text is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Counts {
    /// The distinct n-grams.
    pub grams: Vec<Gram>,
    /// One number per name in [`SHAPE_NAMES`], not yet standardised.
    pub shape: [f32; SHAPE],
    /// Which scripts the text is written in.
    pub(crate) scripts: Scripts,
}

impl Counts {
    /// Whether there are more Chinese characters in the text than Latin words.
    pub fn is_chinese(&self) -> bool {
        self.scripts.han > self.scripts.latin_words
    }
}

/// Counts the n-grams and the shape of `text`.
///
/// Looks at the first and the last 512 characters, so the work is bounded for any length. Case and courtesy at
/// the ends make no difference.
pub fn count(text: &str) -> Counts {
    let clipped = clip::clip(text);
    let normal = clip::normalise(&clipped);
    let asked = courtesy::strip(&normal);
    let tokens = asked.is_ascii().then(|| Tokens::of(asked.as_bytes()));
    let (shape, scripts) = shape::measure(asked, tokens.as_ref());
    Counts { grams: grams::collect(asked, tokens.as_ref()), shape, scripts }
}

/// The text behind each n-gram of `text`, as [`count`] sees it; for explaining, since it allocates for each.
pub(crate) fn labels(text: &str) -> Vec<(u32, Label)> {
    labels::labels(&clip::normalise(&clip::clip(text)))
}

/// The text of a conversation that is classified: its last user turn; without one, its last turn.
///
/// Takes `(role, text)` pairs in the order of the conversation.
pub fn route_text<'a>(turns: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let (mut last, mut last_user) = ("", None);
    for (role, text) in turns {
        last = text;
        if role == "user" {
            last_user = Some(text);
        }
    }
    last_user.unwrap_or(last).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows and counts of a text's n-grams, sorted, folded into one number: changes when any of them does.
    fn digest(text: &str) -> (usize, u64) {
        let mut grams: Vec<u64> = count(text)
            .grams
            .iter()
            .map(|gram| u64::from(gram.row()) << 16 | u64::from(gram.times()))
            .collect();
        grams.sort_unstable();
        let folded = grams
            .iter()
            .fold(0xCBF2_9CE4_8422_2325u64, |hash, &gram| (hash ^ gram).wrapping_mul(0x0000_0100_0000_01B3));
        (grams.len(), folded)
    }

    #[test]
    fn golden_vectors_have_not_moved() {
        let golden = [
            ("What is 2 + 2?", GOLDEN[0]),
            ("盗窃珍贵文物，情节严重的，必须附加适用剥夺政治权利。", GOLDEN[1]),
            ("Write fn main() { println!(\"你好\"); } in Rust", GOLDEN[2]),
            ("", GOLDEN[3]),
        ];
        for (text, expected) in golden {
            assert_eq!(digest(text), expected, "{text:?}: raise FEATURES_VERSION if this is meant");
        }
    }

    /// Texts of all kinds.
    #[rustfmt::skip]
    const PIECES: &[&str] = &[
        "a", "B.", "A) ", "word", "Not", "each ", "the", "où", "7", "12", "1,200", "2.5", "3.", ".5", "0", "\n", "\nC. ", " ", "\t", ".", "? ", "!", ",", "$", "%", "\\", "(", "_", "+", "法", "不。", "かな", "закон", "é", "\u{a0}", "٣", "'s", "x1y",
    ];

    #[test]
    fn what_is_counted_in_odd_mixtures_has_not_moved() {
        let mut folded = 0xCBF2_9CE4_8422_2325u64;
        for text in odd::texts(PIECES, 2_000) {
            let counts = count(&text);
            let bits = counts.shape.iter().map(|value| u64::from(value.to_bits()));
            let scripts = format!("{:?}", counts.scripts);
            for number in bits.chain(scripts.bytes().map(u64::from)).chain([digest(&text).1]) {
                folded = (folded ^ number).wrapping_mul(0x0000_0100_0000_01B3);
            }
        }
        assert_eq!(folded, GOLDEN_MIXTURES, "raise FEATURES_VERSION if this is meant");
    }

    #[test]
    fn width_case_and_courtesy_make_no_difference() {
        assert_eq!(digest("ＨＥＬＬＯ World"), digest("hello world"));
        assert_eq!(digest("ﬁne"), digest("fine"));
        let plain = count("Which is it?\nA. none\nB. two of them");
        assert_eq!(count("WHICH IS IT?\nA. NONE\nB. TWO OF THEM"), plain);
        assert_eq!(count("which is it?\na. none\nb. two of them"), plain);
        assert_eq!(count("Hi! Please help me.\nWhich is it?\nA. none\nB. two of them\nThank you!"), plain);
    }

    #[test]
    fn a_long_text_costs_what_its_ends_cost() {
        let long = "law ".repeat(60_000);
        let counts = count(&long);
        assert!(counts.grams.len() < 20);
        assert!(counts.shape.iter().all(|value| value.is_finite()));
        let distinct: String = (0..100_000u32).filter_map(|n| char::from_u32(0x4E00 + n % 20_000)).collect();
        assert!(count(&distinct).grams.len() <= 3 * 1_600);
    }

    #[test]
    fn the_last_user_turn_is_classified() {
        let turns = [
            ("system", "be kind"),
            ("user", "first"),
            ("assistant", "yes"),
            ("user", "second"),
            ("tool", "{}"),
        ];
        assert_eq!(route_text(turns.into_iter()), "second");
        assert_eq!(route_text([("system", "only")].into_iter()), "only");
        assert_eq!(route_text(std::iter::empty()), "");
    }

    #[test]
    fn odd_texts_are_counted_without_panic() {
        for text in [
            "\u{0}",
            "A.",
            "\n\n\n",
            "𝒜𝒷𝒸",
            "e\u{301}",
            "..",
            "1.",
            ".5",
            "9999999999999999999999999999999",
            "ß",
        ] {
            assert!(count(text).shape.iter().all(|value| value.is_finite()), "{text:?}");
        }
    }

    const GOLDEN_MIXTURES: u64 = 13791244669179098524;
    const GOLDEN: [(usize, u64); 4] = [
        (10, 15833648355583611103),
        (62, 15125307835200795128),
        (40, 7825571390823885293),
        (0, 14695981039346656037),
    ];
}
