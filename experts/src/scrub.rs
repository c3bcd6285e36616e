//! Makes an engine's own words fit for an error: short, on one line, without keys or the prompt.

use crate::call::Secret;
use sluice_proto::v1;
use std::sync::Arc;

/// Most characters kept.
const LONGEST: usize = 300;
/// Words of an engine that share a piece of this many characters with the prompt are taken to quote it.
const PIECE: usize = 12;

/// What must not be repeated.
pub(crate) struct Scrub {
    asked: Vec<Arc<v1::GenerateRequest>>,
    key: Option<Secret>,
}

impl Scrub {
    /// For calls that ask this.
    pub(crate) fn new(asked: Vec<Arc<v1::GenerateRequest>>, key: Option<Secret>) -> Scrub {
        Scrub { asked, key }
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
            let mut messages = self.asked.iter().flat_map(|asked| &asked.messages);
            messages.any(|message| message.content.contains(&piece) || message.json.contains(&piece))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_prompts_are_not_repeated_and_the_rest_is_short() {
        let message = v1::Message {
            content: "my secret plan is to plant tulips in May".to_owned(),
            ..v1::Message::default()
        };
        let asked = v1::GenerateRequest { messages: vec![message], ..v1::GenerateRequest::default() };
        let scrub = Scrub::new(vec![Arc::new(asked)], Some(Secret::new("key-4711")));
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
