//! What a simulated worker answers: how long, and which words.

use crate::tokens::count_tokens;

/// Decides what comes of a prompt. Asked once per request; must be quick, since it runs on the server's threads.
pub trait Answers: Send + Sync {
    /// The answer to `prompt`: the texts of all messages, joined with line feeds. More than `max_tokens` are cut.
    fn answer(&self, prompt: &str, max_tokens: u32) -> Answer;
}

/// One answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// Its length, at least 1.
    pub output_tokens: u32,
    /// The prompt's length; `None` counts it by [`count_tokens`].
    pub input_tokens: Option<u32>,
    /// Its words. `None` gives filler, and the answer is marked as simulated.
    pub text: Option<String>,
}

/// Answers of a length drawn from a hash of seed and prompt, in filler. The same prompt gets the same answer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filler {
    /// Another seed, other lengths.
    pub seed: u64,
}

impl Answers for Filler {
    /// Between 16 and 512 tokens, short ones oftener: a uniform draw on the logarithm in 256 steps.
    fn answer(&self, prompt: &str, max_tokens: u32) -> Answer {
        let share = hash(self.seed, prompt) >> 56;
        // 2^(share / 256 * 5) * 16, in whole octaves and linear within one.
        let (octave, within) = (share * 5 / 256, share * 5 % 256);
        let length = (16_u64 << octave) * (256 + within) / 256;
        Answer {
            output_tokens: u32::try_from(length).unwrap_or(512).min(max_tokens),
            input_tokens: None,
            text: None,
        }
    }
}

/// FNV-1a, finished with a shift-multiply so that the high bits depend on all bytes.
fn hash(seed: u64, text: &str) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let sum = text.bytes().fold(start, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (sum ^ (sum >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// An answer's words, cut to the tokens they come in.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    text: Option<Vec<char>>,
    tokens: u32,
}

impl Words {
    pub(crate) fn new(text: Option<String>, tokens: u32) -> Words {
        Words { text: text.map(|text| text.chars().collect()), tokens }
    }

    /// The text that tokens `from` to `to` (not included) bring.
    pub(crate) fn between(&self, from: u32, to: u32) -> String {
        match &self.text {
            Some(chars) => {
                let at = |token: u32| chars.len() * token as usize / self.tokens.max(1) as usize;
                chars[at(from)..at(to)].iter().collect()
            }
            None => (from..to).map(filler).collect(),
        }
    }
}

/// One token of filler: four characters, so that it counts as one.
fn filler(token: u32) -> &'static str {
    const WORDS: [&str; 8] = ["lor ", "ips ", "dol ", "sit ", "ame ", "con ", "adi ", "eli "];
    WORDS[token as usize % WORDS.len()]
}

/// The part of `text` that an engine of this length limit would have made, and whether that is all of it.
pub(crate) fn cut(answer: Answer, max_tokens: u32) -> (Answer, bool) {
    let whole = answer.output_tokens.max(1);
    if whole <= max_tokens {
        return (Answer { output_tokens: whole, ..answer }, true);
    }
    let kept = max_tokens.max(1);
    let text = answer.text.map(|text| Words::new(Some(text), whole).between(0, kept));
    (Answer { output_tokens: kept, text, ..answer }, false)
}

/// The prompt's tokens as an answer counts them.
pub(crate) fn input_tokens(answer: &Answer, prompt: &str) -> u32 {
    answer.input_tokens.unwrap_or_else(|| count_tokens(prompt)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filler_is_repeatable_bounded_and_varied() {
        let filler = Filler { seed: 3 };
        let lengths: Vec<u32> =
            (0..500).map(|i| filler.answer(&format!("prompt {i}"), 4_096).output_tokens).collect();
        let again: Vec<u32> =
            (0..500).map(|i| filler.answer(&format!("prompt {i}"), 4_096).output_tokens).collect();
        assert_eq!(lengths, again);
        assert!(lengths.iter().all(|length| (16..=512).contains(length)));
        assert!(lengths.iter().filter(|length| **length < 90).count() > 150);
        assert!(lengths.iter().filter(|length| **length > 90).count() > 150);
        assert_eq!(filler.answer("prompt 1", 5).output_tokens, 5);
        assert_ne!(
            lengths[0..20],
            (0..20)
                .map(|i| Filler { seed: 4 }.answer(&format!("prompt {i}"), 4_096).output_tokens)
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn pieces_join_to_the_whole_text() {
        for (text, tokens) in [("民法典 says so", 4), ("x", 7), ("", 3)] {
            let words = Words::new(Some(text.to_owned()), tokens);
            let joined: String = (0..tokens).map(|i| words.between(i, i + 1)).collect();
            assert_eq!(joined, text);
            assert_eq!(words.between(0, tokens), text);
        }
        let filler = Words::new(None, 20).between(0, 20);
        assert_eq!(count_tokens(&filler), 20);
    }

    #[test]
    fn a_limit_cuts_the_text_with_the_tokens() {
        let answer = Answer { output_tokens: 10, input_tokens: None, text: Some("0123456789".into()) };
        let (kept, whole) = cut(answer.clone(), 4);
        assert_eq!((kept.output_tokens, kept.text.as_deref(), whole), (4, Some("0123"), false));
        assert_eq!(cut(answer.clone(), 10), (answer, true));
    }
}
