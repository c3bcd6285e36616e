//! Made-up prompts of a given length. Each is another text, so that no prefix cache answers for a prompt that it has
//! not seen; turns of one session begin alike, as real ones do.

use super::Prompts;
use crate::arrivals::Trace;
use crate::random::Random;
use crate::sample::Prompt;
use std::sync::Arc;

/// Texts of given lengths.
#[derive(Debug, Clone)]
pub struct Generated {
    seed: u64,
    lengths: Lengths,
}

#[derive(Debug, Clone)]
enum Lengths {
    Fixed(u32, Option<u32>),
    /// Medians, and the deviation of the lengths' logarithm.
    Spread(u32, u32, f64),
    Trace(Arc<Trace>),
}

impl Generated {
    /// All alike: tokens of the prompt, most tokens of the answer.
    pub fn fixed(seed: u64, input_tokens: u32, output_tokens: Option<u32>) -> Generated {
        Generated { seed, lengths: Lengths::Fixed(input_tokens, output_tokens) }
    }

    /// Lengths around medians, log-normal with this deviation, never above sixteen times the median.
    pub fn spread(seed: u64, input_tokens: u32, output_tokens: u32, deviation: f64) -> Generated {
        Generated { seed, lengths: Lengths::Spread(input_tokens, output_tokens, deviation) }
    }

    /// As the rows of a trace.
    pub fn like(seed: u64, trace: Arc<Trace>) -> Generated {
        Generated { seed, lengths: Lengths::Trace(trace) }
    }
}

impl Prompts for Generated {
    fn get(&self, number: usize) -> Prompt {
        let (input, output, stream) = match &self.lengths {
            Lengths::Fixed(input, output) => (*input, *output, number as u64),
            Lengths::Spread(input, output, deviation) => {
                let number = (number % SPREAD) as u64;
                let mut random = Random::new(self.seed ^ LENGTHS, number);
                let mut around = |median: u32| {
                    let factor = libm::exp(deviation * random.normal()).min(16.0);
                    ((f64::from(median) * factor) as u32).max(1)
                };
                (around(*input), Some(around(*output)), number)
            }
            Lengths::Trace(trace) => {
                let row = trace.rows[number % trace.rows.len()];
                let stream = row.session.map_or(number as u64, |session| !session);
                (row.input_tokens, Some(row.output_tokens.max(1)), stream)
            }
        };
        Prompt {
            id: format!("generated-{number}"),
            messages: vec![("user".to_owned(), text(self.seed, stream, input))],
            max_tokens: output,
            grades: Arc::default(),
        }
    }

    fn distinct(&self) -> Option<usize> {
        match &self.lengths {
            Lengths::Fixed(..) => None,
            Lengths::Spread(..) => Some(SPREAD),
            Lengths::Trace(trace) => Some(trace.rows.len()),
        }
    }

    fn is_made_up(&self) -> bool {
        true
    }
}

/// A text of so many tokens, at four characters a token. A longer one of the same stream begins with it.
fn text(seed: u64, stream: u64, tokens: u32) -> String {
    let mut random = Random::new(seed ^ TEXT, stream);
    let length = tokens.max(1) as usize * 4;
    let mut text = String::with_capacity(length + 16);
    while text.len() < length {
        text.push_str(WORDS[random.below(WORDS.len())]);
        text.push(' ');
    }
    // Without trimming: a blank at the end counts as any character does.
    text.truncate(length);
    text
}

/// The purposes of the random sequences.
const TEXT: u64 = 0x7E87;
const LENGTHS: u64 = 0x1E46;
/// Distinct prompts of spread lengths.
const SPREAD: usize = 16_384;

/// Common words, mostly a token each with the blank before them, of four letters on average.
const WORDS: &[&str] = &[
    "the", "of", "and", "to", "in", "for", "is", "on", "that", "by", "this", "with", "you", "it", "not",
    "or", "be", "are", "from", "at", "as", "your", "all", "have", "new", "more", "an", "was", "we", "will",
    "home", "can", "us", "about", "if", "page", "my", "has", "search", "free", "but", "our", "one", "other",
    "do", "no", "time", "they", "site", "he", "up", "may", "what", "which", "their", "news", "out", "use",
    "any", "there", "see", "only", "so", "his", "when", "here", "who", "web", "also", "now", "help", "get",
    "view", "first", "been", "would", "how", "were", "me", "some", "these", "click", "its", "like",
    "service", "than", "find", "price", "date", "back", "top", "people", "had", "list", "name", "just",
    "over", "state", "year", "day", "into", "email", "two", "health", "world", "next", "used", "go", "work",
    "last", "most", "music", "buy", "data", "make", "them", "should", "product", "system", "post", "her",
    "city", "add", "policy", "number",
];

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_router::estimate_tokens;

    #[test]
    fn lengths_are_as_asked_and_texts_differ() {
        let prompts = Generated::fixed(1, 100, Some(7));
        let (a, b) = (prompts.get(0), prompts.get(1));
        assert_eq!((estimate_tokens(&a.messages[0].1), a.max_tokens), (100, Some(7)));
        assert_ne!(a.messages[0].1[..40], b.messages[0].1[..40]);
        assert_eq!(a, prompts.get(0));
        assert_ne!(a, Generated::fixed(2, 100, Some(7)).get(0));
    }

    #[test]
    fn spread_lengths_are_around_their_medians() {
        let prompts = Generated::spread(1, 400, 100, 0.8);
        let mut lengths: Vec<u32> = (0..999).map(|n| prompts.get(n).max_tokens.unwrap()).collect();
        lengths.sort_unstable();
        assert!((90..110).contains(&lengths[499]), "{}", lengths[499]);
        let ratio = f64::from(lengths[839]) / f64::from(lengths[499]);
        assert!((libm::log(ratio) - 0.8).abs() < 0.08, "{ratio}");
        assert_eq!(prompts.get(3).messages, prompts.get(3 + SPREAD).messages);
    }

    #[test]
    fn turns_of_a_recorded_session_begin_alike() {
        let row = |input_tokens, session| crate::arrivals::TraceRow {
            arrival_s: 0.0,
            input_tokens,
            output_tokens: 3,
            session,
        };
        let trace = Trace { rows: vec![row(50, Some(0)), row(90, Some(0)), row(50, Some(1)), row(50, None)] };
        let prompts = Generated::like(1, Arc::new(trace));
        let text = |n| prompts.get(n).messages[0].1.clone();
        assert!(text(1).starts_with(text(0).as_str()) && text(1).len() == 360);
        assert_ne!(text(0), text(2));
        assert_ne!(text(2), text(3));
    }
}
