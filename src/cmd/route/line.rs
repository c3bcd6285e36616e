//! One line of input: its bytes, and the prompt in it.

use serde::Deserialize;
use serde_json::Value;
use std::io::{BufRead, Read as _};

/// What is asked for.
pub(super) struct Prompt {
    /// Given back as it came.
    pub(super) id: Value,
    /// The text that is classified.
    pub(super) text: String,
    /// Estimated tokens and bytes of all turns.
    pub(super) tokens: u32,
    pub(super) bytes: usize,
    pub(super) max_tokens: Option<u32>,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    id: Value,
    prompt: Option<String>,
    messages: Option<Vec<Message>>,
    max_tokens: Option<u32>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    content: Option<Content>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    text: String,
}

/// The next line; `None` at the end. A line that is too long or not UTF-8 is passed over, with the reason.
pub(super) fn read<'a>(
    input: &mut impl BufRead,
    bytes: &'a mut Vec<u8>,
) -> std::io::Result<Option<Result<&'a str, String>>> {
    bytes.clear();
    if input.take(LONGEST + 1).read_until(b'\n', bytes)? == 0 {
        return Ok(None);
    }
    if bytes.len() as u64 > LONGEST && !bytes.ends_with(b"\n") {
        input.skip_until(b'\n')?;
        return Ok(Some(Err("the line is longer than 8 MiB; send shorter prompts".to_owned())));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "the line is not UTF-8; encode it so".to_owned());
    Ok(Some(text))
}

impl Prompt {
    /// Reads a line; `None` for a blank one.
    pub(super) fn parse(line: &str) -> Result<Option<Prompt>, String> {
        let line = line.trim_start_matches('\u{FEFF}').trim();
        if line.is_empty() {
            return Ok(None);
        }
        if !line.starts_with('{') {
            return Err(format!("column 1: this is no object; {SHAPE}"));
        }
        let raw: Raw = serde_json::from_str(line).map_err(|error| describe(&error))?;
        let turns: Vec<(String, String)> = match (raw.prompt, raw.messages) {
            (Some(prompt), None) => vec![("user".to_owned(), prompt)],
            (None, Some(messages)) => {
                messages.into_iter().map(|turn| (turn.role, Content::text(turn.content))).collect()
            }
            (Some(_), Some(_)) => {
                return Err("both \"prompt\" and \"messages\" are given; give one".to_owned());
            }
            (None, None) => return Err("neither \"prompt\" nor \"messages\" is given; give one".to_owned()),
        };
        if turns.is_empty() {
            return Err("\"messages\" is empty; give at least one".to_owned());
        }
        let tokens = turns.iter().map(|(_, text)| sluice_router::estimate_tokens(text));
        Ok(Some(Prompt {
            id: raw.id,
            tokens: tokens.fold(0, u32::saturating_add),
            bytes: turns.iter().map(|(_, text)| text.len()).sum(),
            text: sluice_router::route_text(turns.iter().map(|(role, text)| (role.as_str(), text.as_str()))),
            max_tokens: raw.max_tokens,
        }))
    }
}

impl Content {
    fn text(content: Option<Content>) -> String {
        match content {
            None => String::new(),
            Some(Content::Text(text)) => text,
            Some(Content::Parts(parts)) => {
                parts.into_iter().map(|part| part.text).collect::<Vec<_>>().join("\n")
            }
        }
    }
}

fn describe(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or(&message);
    format!("column {}: {message}; {SHAPE}", error.column())
}

const SHAPE: &str = r#"a line is {"id":...,"prompt":"..."} or has "messages""#;
const LONGEST: u64 = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_no_object_is_told_what_a_line_is() {
        for line in ["[1]", r#"["a","prompt",null,null]"#, "7", "null"] {
            let error = Prompt::parse(line).err().unwrap_or_else(|| panic!("{line} is refused"));
            assert_eq!(error, format!("column 1: this is no object; {SHAPE}"));
        }
    }
}
