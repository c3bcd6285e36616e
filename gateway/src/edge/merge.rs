//! A whole message, put together from the deltas of a stream.

use crate::error::{Fault, FaultCode};
use serde_json::{Map, Value};
use sluice_proto::v1;

/// The most that one answer may hold, in bytes, before it counts as an engine gone wild.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// An assistant's message as it grows.
#[derive(Default)]
pub(crate) struct Message {
    text: String,
    rest: Map<String, Value>,
    bytes: usize,
}

impl Message {
    /// Adds a delta.
    ///
    /// # Errors
    /// A delta that is not JSON, or an answer beyond all bounds.
    pub(crate) fn push(&mut self, delta: v1::TextDelta) -> Result<(), Fault> {
        self.bytes += delta.text.len() + delta.delta_json.len();
        if self.bytes > MAX_ANSWER_BYTES {
            let why = format!("the answer is over {MAX_ANSWER_BYTES} bytes");
            return Err(Fault::new(FaultCode::UpstreamError, why));
        }
        self.text.push_str(&delta.text);
        let mut more = delta_object(&delta)?;
        more.shift_remove("content");
        more.shift_remove("role");
        merge(&mut self.rest, more);
        Ok(())
    }

    /// The text and, when the message holds more than text, the whole of it as an OpenAI object.
    pub(crate) fn finish(self) -> (String, Option<Map<String, Value>>) {
        if self.rest.is_empty() {
            return (self.text, None);
        }
        let mut rest = self.rest;
        if let Some(Value::Array(calls)) = rest.get_mut("tool_calls") {
            for call in calls.iter_mut().filter_map(Value::as_object_mut) {
                call.shift_remove("index");
            }
        }
        let mut whole = plain(match self.text.is_empty() {
            true => Value::Null,
            false => Value::from(self.text.clone()),
        });
        whole.append(&mut rest);
        (self.text, Some(whole))
    }
}

/// A message of role and content alone.
pub(crate) fn plain(content: Value) -> Map<String, Value> {
    Map::from_iter([("role".to_owned(), Value::from("assistant")), ("content".to_owned(), content)])
}

/// The delta as an OpenAI object, with its text as `content`.
///
/// # Errors
/// The engine's delta is not a JSON object.
pub(crate) fn delta_object(delta: &v1::TextDelta) -> Result<Map<String, Value>, Fault> {
    let mut object = match delta.delta_json.as_str() {
        "" => Map::new(),
        text => serde_json::from_str(text).map_err(|_| {
            Fault::new(FaultCode::UpstreamError, "the engine sent a delta that is not a JSON object")
        })?,
    };
    if !delta.text.is_empty() {
        object.insert("content".to_owned(), Value::from(delta.text.clone()));
    }
    Ok(object)
}

/// Strings grow, lists merge by their items' `index`, objects merge; names and ids come whole and stay.
fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::String(old)), Value::String(new)) => {
                if !WHOLE.contains(&key.as_str()) {
                    old.push_str(&new);
                }
            }
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (Some(Value::Array(old)), Value::Array(new)) => merge_list(old, new),
            (Some(_), Value::Null) => {}
            (None, Value::Array(new)) => {
                let mut list = Vec::new();
                merge_list(&mut list, new);
                into.insert(key, Value::Array(list));
            }
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

const WHOLE: &[&str] = &["id", "type", "role", "name"];

fn merge_list(into: &mut Vec<Value>, from: Vec<Value>) {
    for item in from {
        let index = item.get("index").cloned();
        let known = |old: &&mut Value| index.is_some() && old.get("index") == index.as_ref();
        match (into.iter_mut().find(known), item) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (_, item) => into.push(item),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assembled(deltas: &[(&str, &str)]) -> (String, Option<String>) {
        let mut message = Message::default();
        for (text, json) in deltas {
            let delta = v1::TextDelta { text: (*text).to_owned(), delta_json: (*json).to_owned() };
            message.push(delta).expect("a good delta");
        }
        let (text, whole) = message.finish();
        (text, whole.map(|map| Value::Object(map).to_string()))
    }

    #[test]
    fn text_alone_needs_no_object() {
        assert_eq!(assembled(&[("Hel", ""), ("lo", "")]), ("Hello".to_owned(), None));
    }

    #[test]
    fn tool_calls_merge_by_index_and_their_arguments_grow() {
        let (text, whole) = assembled(&[
            (
                "",
                r#"{"role":"assistant","tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}"#,
            ),
            ("", r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\""}}]}"#),
            (
                "",
                r#"{"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":"{"}},{"index":0,"function":{"arguments":":1}"}}]}"#,
            ),
            ("", r#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"g","arguments":"}"}}]}"#),
        ]);
        assert_eq!(text, "");
        let expected = r#"{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},{"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]}"#;
        assert_eq!(whole.as_deref(), Some(expected));
    }

    #[test]
    fn reasoning_grows_beside_the_text() {
        let (text, whole) = assembled(&[
            ("", r#"{"reasoning_content":"think "}"#),
            ("", r#"{"reasoning_content":"hard","refusal":null}"#),
            ("42", ""),
        ]);
        assert_eq!(text, "42");
        let expected =
            r#"{"role":"assistant","content":"42","reasoning_content":"think hard","refusal":null}"#;
        assert_eq!(whole.as_deref(), Some(expected));
    }

    #[test]
    fn a_delta_that_is_no_object_is_the_engines_fault() {
        for json in ["[]", "{", "5"] {
            let delta = v1::TextDelta { text: String::new(), delta_json: json.to_owned() };
            let fault = Message::default().push(delta).expect_err(json);
            assert_eq!(fault.code, FaultCode::UpstreamError);
        }
    }
}
