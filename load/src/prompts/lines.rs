//! Prompts of a file: JSON Lines of `{"prompt" | "messages", "max_tokens"}`.

use super::{Prompts, shuffled};
use crate::sample::Prompt;
use serde::Deserialize;
use sluice_lab::corpus::{CorpusError, each_line};
use std::path::Path;
use std::sync::Arc;

/// A file's prompts in a random order, each once before one comes again.
#[derive(Debug, Clone)]
pub struct Lines {
    prompts: Vec<Prompt>,
    order: Vec<usize>,
}

#[derive(Deserialize)]
struct Line {
    id: Option<String>,
    prompt: Option<String>,
    #[serde(default)]
    messages: Vec<Message>,
    max_tokens: Option<u32>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    content: String,
}

impl Lines {
    /// Reads a file of prompts, gzip or not. Unknown keys are ignored.
    ///
    /// # Errors
    /// It can't be read, has no prompts, or a line is none.
    pub fn load(file: &Path, seed: u64, max_tokens: Option<u32>) -> Result<Lines, CorpusError> {
        let mut prompts = Vec::new();
        each_line(file, |line, text| {
            let wrong = |what| CorpusError::Line { file: file.to_owned(), line, what, mend: FORM };
            prompts.push(parse(text, line, max_tokens).map_err(wrong)?);
            Ok(())
        })?;
        if prompts.is_empty() {
            let what = "the file has no prompts".to_owned();
            return Err(CorpusError::File { file: file.to_owned(), what, mend: FORM });
        }
        Ok(Lines { order: shuffled(prompts.len(), seed), prompts })
    }
}

const FORM: &str = "a line is {\"prompt\":\"...\"} or {\"messages\":[{\"role\":...,\"content\":...}]}, with \"max_tokens\" if wanted";

impl Prompts for Lines {
    fn get(&self, number: usize) -> Prompt {
        self.prompts[self.order[number % self.order.len()]].clone()
    }
}

fn parse(line: &str, number: usize, max_tokens: Option<u32>) -> Result<Prompt, String> {
    let line: Line = serde_json::from_str(line).map_err(|error| {
        let message = error.to_string();
        format!("column {}: {}", error.column(), message.split(" at line ").next().unwrap_or(&message))
    })?;
    let messages: Vec<(String, String)> = match (line.prompt, line.messages) {
        (Some(prompt), messages) if messages.is_empty() => vec![("user".to_owned(), prompt)],
        (None, messages) if !messages.is_empty() => {
            messages.into_iter().map(|message| (message.role, message.content)).collect()
        }
        (Some(_), _) => return Err("both prompt and messages are given".to_owned()),
        (None, _) => return Err("neither prompt nor messages is given".to_owned()),
    };
    Ok(Prompt {
        id: line.id.unwrap_or_else(|| number.to_string()),
        messages,
        max_tokens: line.max_tokens.or(max_tokens),
        grades: Arc::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_prompts_or_messages() {
        let one = parse(r#"{"prompt":"hi","max_tokens":5,"more":1}"#, 3, Some(9)).unwrap();
        assert_eq!((one.id.as_str(), one.max_tokens), ("3", Some(5)));
        assert_eq!(one.messages, [("user".to_owned(), "hi".to_owned())]);
        let line = r#"{"id":"a","messages":[{"role":"system","content":"s"},{"role":"user","content":"u"}]}"#;
        let two = parse(line, 4, Some(9)).unwrap();
        assert_eq!((two.id.as_str(), two.messages.len(), two.max_tokens), ("a", 2, Some(9)));
    }

    #[test]
    fn mistakes_say_what_is_wrong() {
        for (line, part) in [
            ("{oops", "column 2"),
            ("{}", "neither prompt nor messages"),
            (r#"{"prompt":"a","messages":[{"role":"user","content":"b"}]}"#, "both"),
            (r#"{"messages":[{"role":"user"}]}"#, "missing field `content`"),
        ] {
            let error = parse(line, 1, None).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
