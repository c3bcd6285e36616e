//! Makes an engine's own words fit for an error: short, on one line, without keys or the prompt.

use crate::call::Secret;
use sluice_proto::v1::Message;

/// Most characters kept.
const LONGEST: usize = 300;
/// Words of an engine that share a piece of this many characters with the prompt are taken to quote it.
const PIECE: usize = 12;

/// What must not be repeated.
pub(crate) struct Scrub {
    messages: Vec<Message>,
    key: Option<Secret>,
}

impl Scrub {
    /// For a call with these messages.
    pub(crate) fn new(messages: Vec<Message>, key: Option<Secret>) -> Scrub {
        Scrub { messages, key }
    }

    /// The engine's words in at most 300 characters; empty when they quote the prompt or a key.
    pub(crate) fn clean(&self, words: &str) -> String {
        let plain: Vec<char> =
            words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
        let text: String = plain.iter().collect();
        let shows_key =
            self.key.as_ref().is_some_and(|key| !key.reveal().is_empty() && words.contains(key.reveal()));
        if shows_key || text.contains("Bearer ") || text.contains("sk-") || self.quotes(&plain) {
            return String::new();
        }
        text.trim().trim_end_matches('.').to_owned()
    }

    /// Looks for whole pieces only, so a quotation of fewer than two pieces may pass; the cost stays linear.
    fn quotes(&self, words: &[char]) -> bool {
        words.chunks_exact(PIECE).any(|piece| {
            let piece: String = piece.iter().collect();
            self.messages
                .iter()
                .any(|message| message.content.contains(&piece) || message.json.contains(&piece))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_prompts_are_not_repeated_and_the_rest_is_short() {
        let message =
            Message { content: "my secret plan is to plant tulips in May".to_owned(), ..Message::default() };
        let scrub = Scrub::new(vec![message], Some(Secret::new("key-4711")));
        assert_eq!(
            scrub.clean("maximum context length is 4096\ntokens."),
            "maximum context length is 4096 tokens"
        );
        assert_eq!(scrub.clean(&"長".repeat(500)).chars().count(), 300);
        for leak in [
            "bad input: my secret plan is to plant tulips",
            "wrong key key-4711",
            "got header Bearer abc",
            "Incorrect API key provided: sk-ab***cd",
        ] {
            assert_eq!(scrub.clean(leak), "", "{leak}");
        }
    }
}
