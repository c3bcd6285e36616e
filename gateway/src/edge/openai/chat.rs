//! The body of a chat request, translated to a [`v1::GenerateRequest`]; every mistake names its field.

use crate::edge::check;
use crate::edge::json::{self, mistyped};
use crate::error::{Fault, FaultCode};
use bytes::Bytes;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sluice_proto::openai::content_text;
use sluice_proto::v1;

/// A chat request, understood.
pub(super) struct Chat {
    /// What the spine gets.
    pub(super) body: v1::GenerateRequest,
    /// The messages as the client wrote them.
    pub(super) messages_json: Bytes,
    /// Whether the client reads a stream.
    pub(super) is_stream: bool,
    /// Whether that stream has a chunk with the usage.
    pub(super) includes_usage: bool,
}

/// Reads the body of `POST /v1/chat/completions`. Fields that Sluice doesn't know are kept in `extra_json`.
///
/// # Errors
/// The fault names the field, or the place of a JSON error; it holds nothing of the text.
pub(super) fn parse(bytes: &Bytes) -> Result<Chat, Fault> {
    let around = json::object_with(bytes, "messages");
    let messages_json =
        around.as_ref().map_or_else(Bytes::new, |(_, raw)| bytes.slice_ref(raw.get().as_bytes()));
    let read = match around.and_then(|(rest, raw)| Some((Fields(rest), plain(raw)?))) {
        Some((fields, messages)) => understand(fields, messages),
        // Anything but messages of role and text, or something wrong somewhere: field by field.
        None => {
            let map =
                json::object(bytes, "the body").map_err(|why| Fault::new(FaultCode::InvalidValue, why))?;
            let mut fields = Fields(map);
            let messages = fields.messages();
            messages.and_then(|messages| understand(fields, messages))
        }
    };
    read.map(|chat| Chat { messages_json, ..chat })
}

/// Messages that are all role and text. `None` where one is more than that, or is wrong.
fn plain(messages: &RawValue) -> Option<Vec<v1::Message>> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Plain {
        role: String,
        content: String,
    }
    let plain: Vec<Plain> = serde_json::from_str(messages.get()).ok()?;
    let message = |Plain { role, content }| v1::Message { role, content, json: String::new() };
    Some(plain.into_iter().map(message).collect())
}

/// The fields but for the messages, which have been read.
fn understand(mut fields: Fields, messages: Vec<v1::Message>) -> Result<Chat, Fault> {
    let is_stream = fields.boolean("stream")?.unwrap_or(false);
    let includes_usage = fields.includes_usage()?;
    let model =
        fields.string("model")?.ok_or_else(|| missing("model", "name a model, for instance \"auto\""))?;
    let older = fields.tokens("max_tokens")?;
    let newer = fields.tokens("max_completion_tokens")?;
    let mut body = v1::GenerateRequest {
        model,
        messages,
        max_tokens: newer.or(older).unwrap_or(0),
        temperature: fields.number("temperature")?,
        top_p: fields.number("top_p")?,
        stop: fields.stop()?,
        seed: fields.seed()?,
        extra_json: String::new(),
    };
    check::check(&body)?;
    check::check_answers(&fields.0)?;
    fields.0.shift_remove("n");
    if !fields.0.is_empty() {
        body.extra_json = Value::Object(fields.0).to_string();
    }
    Ok(Chat { body, messages_json: Bytes::new(), is_stream, includes_usage })
}

fn missing(param: &str, advice: &str) -> Fault {
    Fault::invalid(param, format!("{param} is missing; {advice}"))
}

/// What is left of the body; each field is taken out as it is understood.
struct Fields(Map<String, Value>);

impl Fields {
    /// The field, unless it is absent or null, which mean the same.
    fn take(&mut self, param: &str) -> Option<Value> {
        self.0.shift_remove(param).filter(|value| !value.is_null())
    }

    fn boolean(&mut self, param: &str) -> Result<Option<bool>, Fault> {
        match self.take(param) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(other) => Err(mistyped(param, &other, "true or false")),
        }
    }

    fn string(&mut self, param: &str) -> Result<Option<String>, Fault> {
        match self.take(param) {
            None => Ok(None),
            Some(Value::String(value)) => Ok(Some(value)),
            Some(other) => Err(mistyped(param, &other, "a string")),
        }
    }

    fn number(&mut self, param: &str) -> Result<Option<f32>, Fault> {
        match self.take(param) {
            None => Ok(None),
            Some(Value::Number(value)) => Ok(value.as_f64().map(|value| value as f32)),
            Some(other) => Err(mistyped(param, &other, "a number")),
        }
    }

    fn tokens(&mut self, param: &str) -> Result<Option<u32>, Fault> {
        let wanted = "a whole number from 1 to 4294967295";
        match self.take(param) {
            None => Ok(None),
            Some(Value::Number(number)) => {
                match number
                    .as_u64()
                    .and_then(|tokens| u32::try_from(tokens).ok())
                    .filter(|tokens| *tokens > 0)
                {
                    Some(tokens) => Ok(Some(tokens)),
                    None => Err(Fault::invalid(param, format!("{param} is {number}; it must be {wanted}"))),
                }
            }
            Some(other) => Err(mistyped(param, &other, wanted)),
        }
    }

    fn seed(&mut self) -> Result<Option<i64>, Fault> {
        match self.take("seed") {
            None => Ok(None),
            Some(value) => match value.as_i64() {
                Some(seed) => Ok(Some(seed)),
                None => Err(Fault::invalid("seed", "seed must be a whole number of 64 bits")),
            },
        }
    }

    fn stop(&mut self) -> Result<Vec<String>, Fault> {
        const WANTED: &str = "a string or an array of strings";
        let text = |value: Value| match value {
            Value::String(text) => Ok(text),
            other => Err(mistyped("stop", &other, WANTED)),
        };
        match self.take("stop") {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => items.into_iter().map(text).collect(),
            Some(value) => text(value).map(|one| vec![one]),
        }
    }

    /// `stream_options` is dropped afterwards: towards engines it is the gateway's own choice.
    fn includes_usage(&mut self) -> Result<bool, Fault> {
        const PARAM: &str = "stream_options.include_usage";
        match self.take("stream_options") {
            None => Ok(false),
            Some(Value::Object(options)) => match options.get("include_usage") {
                None | Some(Value::Null) => Ok(false),
                Some(Value::Bool(value)) => Ok(*value),
                Some(other) => Err(mistyped(PARAM, other, "true or false")),
            },
            Some(other) => Err(mistyped("stream_options", &other, "an object")),
        }
    }

    fn messages(&mut self) -> Result<Vec<v1::Message>, Fault> {
        match self.take("messages") {
            None => Err(missing("messages", "send at least one")),
            Some(Value::Array(items)) => {
                items.into_iter().enumerate().map(|(n, item)| message(n, item)).collect()
            }
            Some(other) => Err(mistyped("messages", &other, "an array of objects")),
        }
    }
}

/// `json` stays empty when role and text say it all.
fn message(n: usize, item: Value) -> Result<v1::Message, Fault> {
    let Value::Object(map) = item else {
        return Err(mistyped(&format!("messages[{n}]"), &item, "an object with role and content"));
    };
    let role = match map.get("role") {
        Some(Value::String(role)) => role.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => return Err(mistyped(&format!("messages[{n}].role"), other, "a string")),
    };
    check_content(n, map.get("content"))?;
    let content = content_text(&map);
    let is_plain = map.len() == 2 && matches!(map.get("content"), Some(Value::String(_)));
    let json = if is_plain { String::new() } else { Value::Object(map).to_string() };
    Ok(v1::Message { role, content, json })
}

fn check_content(n: usize, content: Option<&Value>) -> Result<(), Fault> {
    match content {
        None | Some(Value::Null | Value::String(_)) => Ok(()),
        Some(Value::Array(parts)) => match parts.iter().position(|part| !part.is_object()) {
            None => Ok(()),
            Some(bad) => {
                let param = format!("messages[{n}].content[{bad}]");
                Err(mistyped(&param, &parts[bad], "an object with type"))
            }
        },
        Some(other) => {
            Err(mistyped(&format!("messages[{n}].content"), other, "a string or an array of parts"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Chat {
        parse(&Bytes::copy_from_slice(text.as_bytes())).unwrap_or_else(|fault| panic!("{text}: {fault}"))
    }

    #[test]
    fn known_fields_are_typed_and_all_others_pass_through() {
        let chat = read(
            r#"{"model":"auto","messages":[{"role":"user","content":"hi"}],"max_tokens":5,
            "max_completion_tokens":7,"temperature":0.5,"top_p":1,"stop":"x","seed":-3,"stream":true,
            "stream_options":{"include_usage":true},"n":1,"tools":[{"b":1,"a":2}],"user":null,"zeta":1e2}"#,
        );
        assert!(chat.is_stream && chat.includes_usage);
        let body = chat.body;
        assert_eq!((body.model.as_str(), body.max_tokens, body.seed), ("auto", 7, Some(-3)));
        assert_eq!((body.temperature, body.top_p, body.stop), (Some(0.5), Some(1.0), vec!["x".to_owned()]));
        assert_eq!(body.extra_json, r#"{"tools":[{"b":1,"a":2}],"user":null,"zeta":100.0}"#);
    }

    #[test]
    fn a_message_has_json_only_when_it_is_more_than_role_and_text() {
        let chat = read(
            r#"{"model":"m","messages":[{"content":"a","role":"system"},{"role":"user","content":"b","name":"n"},
            {"role":"assistant","content":null,"tool_calls":[]},{"role":"user","content":[{"type":"text","text":"c"},
            {"type":"image_url","image_url":{"url":"u"}},{"type":"text","text":"d"}]}]}"#,
        );
        let shown: Vec<(&str, &str)> =
            chat.body.messages.iter().map(|m| (m.content.as_str(), m.json.as_str())).collect();
        assert_eq!(shown[0], ("a", ""));
        assert_eq!(shown[1], ("b", r#"{"role":"user","content":"b","name":"n"}"#));
        assert_eq!(shown[2], ("", r#"{"role":"assistant","content":null,"tool_calls":[]}"#));
        assert_eq!(shown[3].0, "c\nd");
        assert!(shown[3].1.contains("image_url"));
    }

    #[test]
    fn messages_are_handed_on_as_they_were_written() {
        for messages in [
            r#"[ {"content" : "h\u0069 \ud83d\ude00","role":"user"} ]"#,
            r#"[{"role":"user","content":"b","name":"n"}, {"role":"assistant","content":null,"tool_calls":[]}]"#,
        ] {
            let chat = read(&format!(r#"{{"model":"m", "messages" : {messages} ,"seed":1}}"#));
            assert_eq!(chat.messages_json, messages);
        }
        let chat = read(r#"{"model":"m","messages":[{"content":"h\u0069 \ud83d\ude00","role":"user"}]}"#);
        assert_eq!((&*chat.body.messages[0].content, &*chat.body.messages[0].json), ("hi \u{1f600}", ""));
    }

    #[test]
    fn what_is_read_quickly_is_what_is_read_field_by_field() {
        let slowly = |text: &str| {
            let map = json::object(text.as_bytes(), "the body")
                .map_err(|why| Fault::new(FaultCode::InvalidValue, why))?;
            let mut fields = Fields(map);
            let messages = fields.messages()?;
            understand(fields, messages)
        };
        let messages = [
            r#"[{"role":"user","content":"a\nb"}]"#,
            r#"[{"role":"user","content":"a","content":"b"}]"#,
            r#"[{"role":"wizard","content":"a"}]"#,
            r#"[{"role":"user","content":"\ud800"}]"#,
            r#"[{"role":"user","content":["a"]}]"#,
            r#"[{"role":"user"}]"#,
            "[]",
            "null",
            "[",
        ];
        for rest in [
            r#""model":"m""#,
            r#""model":"m","n":2"#,
            r#""model":"m","messages":[]"#,
            r#""stop":{"a":[[1]]}"#,
            "",
        ] {
            for messages in messages {
                let text = format!(r#"{{"messages":{messages},{rest}}}"#);
                let quickly = parse(&Bytes::copy_from_slice(text.as_bytes()));
                let plain = |chat: Result<Chat, Fault>| chat.map(|chat| (chat.body, chat.is_stream));
                assert_eq!(plain(quickly), plain(slowly(&text)), "{text}");
            }
        }
    }

    #[test]
    fn each_mistake_names_its_field_and_repeats_no_text() {
        let with = |field: &str| {
            format!(r#"{{"model":"m","messages":[{{"role":"user","content":"secret"}}],{field}}}"#)
        };
        let of = |messages: &str| format!(r#"{{"model":"m","messages":{messages}}}"#);
        let cases = [
            (with(r#""max_tokens":-1"#), "max_tokens"),
            (with(r#""max_tokens":0"#), "max_tokens"),
            (with(r#""max_tokens":1.5"#), "max_tokens"),
            (with(r#""max_tokens":4294967296"#), "max_tokens"),
            (with(r#""max_tokens":1e30"#), "max_tokens"),
            (with(r#""max_tokens":"secret""#), "max_tokens"),
            (with(r#""max_completion_tokens":[]"#), "max_completion_tokens"),
            (with(r#""temperature":"hot""#), "temperature"),
            (with(r#""temperature":-0.5"#), "temperature"),
            (with(r#""top_p":7"#), "top_p"),
            (with(r#""stop":["a",{"secret":1}]"#), "stop"),
            (with(r#""seed":1.5"#), "seed"),
            (with(r#""stream":"yes""#), "stream"),
            (with(r#""stream_options":true"#), "stream_options"),
            (with(r#""stream_options":{"include_usage":1}"#), "stream_options.include_usage"),
            (with(r#""n":3"#), "n"),
            (with(r#""logprobs":true"#), "logprobs"),
            (with(r#""n_predict":-1"#), "n_predict"),
            (with(r#""best_of":4"#), "best_of"),
            (r#"{"messages":[{"role":"user","content":"secret"}]}"#.to_owned(), "model"),
            (r#"{"model":5,"messages":[]}"#.to_owned(), "model"),
            (r#"{"model":"m"}"#.to_owned(), "messages"),
            (of("[]"), "messages"),
            (of(r#"{"secret":1}"#), "messages"),
            (of(r#"["secret"]"#), "messages[0]"),
            (of(r#"[{"content":"secret"}]"#), "messages[0].role"),
            (of(r#"[{"role":1,"content":"secret"}]"#), "messages[0].role"),
            (of(r#"[{"role":"user","content":{"secret":1}}]"#), "messages[0].content"),
            (of(r#"[{"role":"user","content":["secret"]}]"#), "messages[0].content[0]"),
        ];
        for (text, param) in cases {
            let fault = parse(&Bytes::copy_from_slice(text.as_bytes()))
                .err()
                .unwrap_or_else(|| panic!("{text} must be refused"));
            assert_eq!(fault.param.as_deref(), Some(param), "{text}: {fault}");
            assert!(!fault.detail.contains("secret"), "{fault}");
        }
        let fault = parse(&with(r#""n":3"#).into()).err().expect("refused");
        assert_eq!(fault.code, FaultCode::UnsupportedParameter);
    }
}
