//! What nearly all chunks of a stream and nearly all whole answers are: text and nothing else that matters. They are read
//! without a tree of values; whatever is not quite so is left to the full reading.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::borrow::Cow;

/// The text of a chunk that holds nothing else that matters; `None` says nothing about any other.
pub(super) fn text(data: &str) -> Option<String> {
    let Chunk { choices: [choice], error, usage, sluice } = serde_json::from_str(data).ok()?;
    if error.is_some() || usage.is_some() || sluice.is_some() || choice.finish_reason.is_some() {
        return None;
    }
    let text = choice.delta.content.filter(|text| !text.is_empty() && choice.index == 0)?;
    Some(text.into_owned())
}

/// A whole answer that is nothing but text.
pub(super) struct Whole {
    pub(super) text: String,
    /// As the engine calls it.
    pub(super) reason: Option<String>,
    /// As the engine counts; null when it doesn't.
    pub(super) usage: Value,
}

/// A whole answer that holds nothing but text; `None` says nothing about any other.
pub(super) fn whole(body: &[u8]) -> Option<Whole> {
    let Completion { choices: [choice], error, usage, sluice } = serde_json::from_slice(body).ok()?;
    if error.is_some() || sluice.is_some() || choice.index != 0 {
        return None;
    }
    let text = choice.message.content.filter(|text| !text.is_empty())?.into_owned();
    Some(Whole { text, reason: choice.finish_reason.map(Cow::into_owned), usage })
}

#[derive(Deserialize)]
struct Completion<'a> {
    #[serde(borrow)]
    choices: [Answered<'a>; 1],
    error: Option<IgnoredAny>,
    #[serde(default)]
    usage: Value,
    sluice: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Answered<'a> {
    #[serde(default)]
    index: u64,
    #[serde(borrow)]
    message: Delta<'a>,
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
}

/// Null and absent are the same in all of these.
#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    choices: [Choice<'a>; 1],
    error: Option<IgnoredAny>,
    usage: Option<IgnoredAny>,
    sluice: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default)]
    index: u64,
    #[serde(borrow)]
    delta: Delta<'a>,
    finish_reason: Option<IgnoredAny>,
}

/// A field that isn't named here is more than text, whatever it holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
    #[serde(rename = "role")]
    _role: Option<IgnoredAny>,
    // Named by some engines in each message: nothing when they are null.
    #[serde(rename = "refusal")]
    _refusal: Option<()>,
    #[serde(rename = "reasoning_content")]
    _reasoning_content: Option<()>,
    #[serde(rename = "tool_calls")]
    _tool_calls: Option<()>,
}

#[cfg(test)]
mod tests {
    use super::{text, whole};

    #[test]
    fn a_whole_answer_of_text_is_read_and_all_else_is_left() {
        let body = |message: &str, more: &str| {
            format!(r#"{{"choices":[{{"index":0,"message":{message},"finish_reason":"stop"}}]{more}}}"#)
        };
        let plain = r#"{"role":"assistant","content":"hi\n","refusal":null}"#;
        let read =
            whole(body(plain, r#","usage":{"prompt_tokens":3}"#).as_bytes()).expect("it is text alone");
        assert_eq!((read.text.as_str(), read.reason.as_deref()), ("hi\n", Some("stop")));
        assert_eq!(read.usage["prompt_tokens"], 3);
        for (message, more) in [
            (r#"{"content":null}"#, ""),
            (r#"{"content":"a","tool_calls":[]}"#, ""),
            (r#"{"content":"a","annotations":[]}"#, ""),
            (plain, r#","error":{"message":"no"}"#),
            (plain, r#","sluice":{"simulated":true}"#),
        ] {
            assert!(whole(body(message, more).as_bytes()).is_none(), "{message} {more}");
        }
    }

    #[test]
    fn a_piece_of_text_is_read_and_all_else_is_left() {
        let text_of = |choice: &str| text(&format!(r#"{{"id":"x","choices":[{choice}],"created":1}}"#));
        assert_eq!(
            text_of(r#"{"index":0,"delta":{"content":"hi \u00e9\n"},"finish_reason":null}"#),
            Some("hi é\n".into())
        );
        assert_eq!(
            text_of(r#"{"delta":{"role":"assistant","content":"a"},"logprobs":null}"#),
            Some("a".into())
        );
        for other in [
            r#"{"delta":{"content":"a"},"finish_reason":"stop"}"#,
            r#"{"delta":{"content":""}}"#,
            r#"{"delta":{"content":null}}"#,
            r#"{"delta":{"role":"assistant"}}"#,
            r#"{"delta":{"content":"a","reasoning_content":"b"}}"#,
            r#"{"delta":{"content":[{"type":"text","text":"a"}]}}"#,
            r#"{"index":1,"delta":{"content":"a"}}"#,
            r#"{"delta":{"content":"a"}},{"delta":{"content":"b"}}"#,
        ] {
            assert_eq!(text_of(other), None, "{other}");
        }
        for more in [r#""usage":{"prompt_tokens":1}"#, r#""error":{}"#, r#""sluice":{"simulated":true}"#] {
            let chunk = format!(r#"{{"choices":[{{"delta":{{"content":"a"}}}}],{more}}}"#);
            assert_eq!(text(&chunk), None, "{chunk}");
        }
        let usage = r#"{"choices":[{"delta":{"content":"a"}}],"usage":null}"#;
        assert_eq!(text(usage), Some("a".to_owned()));
        assert_eq!((text("[1]"), text("nope"), text("")), (None, None, None));
    }
}
