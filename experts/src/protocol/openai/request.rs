//! A call as the JSON body of a chat completion, written straight from what it is made of: no text is copied before.

use crate::call::Call;
use crate::error::{ErrorKind, ExpertError};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sluice_proto::v1::{GenerateRequest, Message};

/// Fields that are ours to write: what the caller sent beside them never takes their place.
const OWN: &[&str] =
    &["model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens"];

/// The body: the caller's further fields first, ours over them.
///
/// # Errors
/// [`ErrorKind::Rejected`] with 400 when the caller's JSON is none.
pub(super) fn body(call: &Call, model: &str, host: &str) -> Result<Vec<u8>, ExpertError> {
    let rest = Rest { call, model, limit: limit_field(host), extra: extra(&call.body)? };
    let rest = serde_json::to_vec(&rest).expect("writing JSON to memory can't fail");
    let mut bytes = Vec::with_capacity(messages_bytes(call) + rest.len());
    bytes.extend_from_slice(br#"{"messages":"#);
    write_messages(call, &mut bytes)?;
    bytes.push(b',');
    bytes.extend_from_slice(&rest[1..]); // it has a model at least
    Ok(bytes)
}

/// The messages as their client wrote them, where it did, else written now.
fn write_messages(call: &Call, bytes: &mut Vec<u8>) -> Result<(), ExpertError> {
    if !call.messages_json.is_empty() {
        bytes.extend_from_slice(&call.messages_json);
        return Ok(());
    }
    let turns = call.body.messages.iter().map(Turn::of).collect::<Result<Vec<_>, _>>()?;
    serde_json::to_writer(bytes, &turns).expect("writing JSON to memory can't fail");
    Ok(())
}

/// About how many bytes the messages take.
fn messages_bytes(call: &Call) -> usize {
    if !call.messages_json.is_empty() {
        return call.messages_json.len() + 16;
    }
    call.body.messages.iter().map(|message| message.content.len() + message.json.len() + 64).sum()
}

/// The caller's further fields, without those that are ours.
fn extra(call: &GenerateRequest) -> Result<Map<String, Value>, ExpertError> {
    if call.extra_json.is_empty() {
        return Ok(Map::new());
    }
    let mut extra: Map<String, Value> =
        serde_json::from_str(&call.extra_json).map_err(|_| not_an_object("the further fields"))?;
    let given = [
        ("temperature", call.temperature.is_some()),
        ("top_p", call.top_p.is_some()),
        ("stop", !call.stop.is_empty()),
        ("seed", call.seed.is_some()),
    ];
    extra.retain(|name, _| !OWN.contains(&name.as_str()) && !given.contains(&(name.as_str(), true)));
    Ok(extra)
}

/// What is written beside the messages.
struct Rest<'a> {
    call: &'a Call,
    model: &'a str,
    limit: &'static str,
    extra: Map<String, Value>,
}

impl Serialize for Rest<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (call, asked) = (self.call, &*self.call.body);
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &self.extra {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry("model", self.model)?;
        if call.whole.is_none() {
            map.serialize_entry("stream", &true)?;
            map.serialize_entry("stream_options", &StreamOptions { include_usage: true })?;
        }
        map.serialize_entry(self.limit, &call.max_tokens)?;
        if let Some(temperature) = asked.temperature {
            map.serialize_entry("temperature", &short(temperature))?;
        }
        if let Some(top_p) = asked.top_p {
            map.serialize_entry("top_p", &short(top_p))?;
        }
        if !asked.stop.is_empty() {
            map.serialize_entry("stop", &asked.stop)?;
        }
        if let Some(seed) = asked.seed {
            map.serialize_entry("seed", &seed)?;
        }
        map.end()
    }
}

#[derive(serde::Serialize)]
struct StreamOptions {
    include_usage: bool,
}

/// One message.
#[derive(serde::Serialize)]
#[serde(untagged)]
enum Turn<'a> {
    /// Role and text.
    Plain { role: &'a str, content: &'a str },
    /// As the caller wrote it.
    Whole(&'a RawValue),
}

impl Turn<'_> {
    fn of(message: &Message) -> Result<Turn<'_>, ExpertError> {
        if message.json.is_empty() {
            return Ok(Turn::Plain { role: &message.role, content: &message.content });
        }
        let whole: Option<&RawValue> = serde_json::from_str(&message.json).ok();
        whole
            .filter(|whole| whole.get().starts_with('{'))
            .map(Turn::Whole)
            .ok_or_else(|| not_an_object("a message"))
    }
}

fn not_an_object(what: &str) -> ExpertError {
    ExpertError::new(ErrorKind::Rejected { status: 400 }, format!("{what} must be a JSON object"))
}

/// The name of the output limit. Engines know the older name; OpenAI's own newer models only the newer one, and they
/// (as some other vendors) refuse a request that has both.
fn limit_field(host: &str) -> &'static str {
    let newer = ["api.openai.com", "openai.azure.com"];
    let is_newer = newer.iter().any(|name| host == *name || host.ends_with(&format!(".{name}")));
    if is_newer { "max_completion_tokens" } else { "max_tokens" }
}

/// Writes 0.7 as 0.7 and not as 0.699999988: the nearest short decimal of a 32-bit number.
fn short(value: f32) -> Value {
    value.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::Arc;
    use std::time::Duration;

    fn call() -> Call {
        let plain = Message { role: "user".into(), content: "hi".into(), json: String::new() };
        asking(|body| body.messages = vec![plain])
    }

    fn asking(change: impl FnOnce(&mut GenerateRequest)) -> Call {
        let mut body = GenerateRequest::default();
        change(&mut body);
        Call { body: Arc::new(body), max_tokens: 7, ..Call::default() }
    }

    fn asked(call: &mut Call) -> &mut GenerateRequest {
        Arc::make_mut(&mut call.body)
    }

    fn check(call: &Call, host: &str, want: Value) {
        let got: Value = serde_json::from_slice(&body(call, "m", host).unwrap()).unwrap();
        assert_eq!(got, want);
    }

    #[test]
    fn a_plain_call_streams_with_usage_and_one_limit() {
        let messages = json!([{ "role": "user", "content": "hi" }]);
        let options = json!({ "include_usage": true });
        let want = |limit: &str| json!({ "model": "m", "messages": messages, "stream": true, "stream_options": options, limit: 7 });
        check(&call(), "10.0.0.1", want("max_tokens"));
        check(&call(), "api.openai.com", want("max_completion_tokens"));
        check(&call(), "x.openai.azure.com", want("max_completion_tokens"));
        check(&call(), "notapi.openai.com.evil", want("max_tokens"));
        let whole = Call { whole: Some(Duration::ZERO), ..call() };
        check(&whole, "h", json!({ "model": "m", "messages": messages, "max_tokens": 7 }));
    }

    #[test]
    fn further_fields_pass_but_never_override_ours() {
        let mut call = call();
        asked(&mut call).temperature = Some(0.7);
        asked(&mut call).stop = vec!["x".into()];
        asked(&mut call).seed = Some(-3);
        asked(&mut call).top_p = Some(0.95);
        asked(&mut call).extra_json = json!({
            "model": "evil", "messages": [], "stream": false, "max_tokens": 9999, "max_completion_tokens": 9999,
            "stream_options": {}, "temperature": 2.0, "tools": [{ "type": "function" }], "unknown": { "deep": [1] },
        })
        .to_string();
        check(
            &call,
            "h",
            json!({
                "model": "m", "messages": [{ "role": "user", "content": "hi" }], "stream": true, "max_tokens": 7,
                "stream_options": { "include_usage": true }, "temperature": 0.7, "top_p": 0.95, "stop": ["x"],
                "seed": -3, "tools": [{ "type": "function" }], "unknown": { "deep": [1] },
            }),
        );
    }

    #[test]
    fn a_message_with_json_is_sent_as_it_is_and_bad_json_is_the_callers_fault() {
        let mut call = call();
        asked(&mut call).messages[0].json = r#"{"role":"tool","content":null,"tool_call_id":"a"}"#.into();
        let got: Value = serde_json::from_slice(&body(&call, "m", "h").unwrap()).unwrap();
        assert_eq!(got["messages"][0], json!({ "role": "tool", "content": null, "tool_call_id": "a" }));
        asked(&mut call).messages[0].json = "[1]".into();
        assert_eq!(body(&call, "m", "h").unwrap_err().kind, ErrorKind::Rejected { status: 400 });
        asked(&mut call).messages[0].json.clear();
        asked(&mut call).extra_json = "nope".into();
        assert_eq!(body(&call, "m", "h").unwrap_err().kind, ErrorKind::Rejected { status: 400 });
    }

    #[test]
    fn messages_that_came_as_json_are_handed_on_as_they_came() {
        let mut call = call();
        let json = r#"[ {"content": "h\u0069", "role":"user"} ]"#;
        call.messages_json = json.into();
        let got = String::from_utf8(body(&call, "m", "h").unwrap()).unwrap();
        assert!(got.contains(json), "{got}");
    }
}
