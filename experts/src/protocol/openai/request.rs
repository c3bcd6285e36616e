//! A call as the JSON body of a chat completion.

use crate::call::Call;
use crate::error::{ErrorKind, ExpertError};
use serde_json::{Map, Value, json};
use sluice_proto::v1::Message;

/// Fields that are ours to write: what the caller sent beside them never takes their place.
const OWN: &[&str] =
    &["model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens"];

/// The body: the caller's further fields first, ours over them.
///
/// # Errors
/// [`ErrorKind::Rejected`] with 400 when the caller's JSON is none.
pub(super) fn body(call: &Call, model: &str, host: &str) -> Result<Vec<u8>, ExpertError> {
    let mut body = match call.extra_json.is_empty() {
        true => Map::new(),
        false => object(&call.extra_json, "the further fields")?,
    };
    body.retain(|name, _| !OWN.contains(&name.as_str()));
    let messages: Result<Vec<Value>, ExpertError> = call.messages.iter().map(message).collect();
    body.insert("model".into(), model.into());
    body.insert("messages".into(), messages?.into());
    body.insert("stream".into(), true.into());
    body.insert("stream_options".into(), json!({ "include_usage": true }));
    body.insert(limit_field(host).into(), call.max_tokens.into());
    if let Some(temperature) = call.temperature {
        body.insert("temperature".into(), short(temperature));
    }
    if let Some(top_p) = call.top_p {
        body.insert("top_p".into(), short(top_p));
    }
    if !call.stop.is_empty() {
        body.insert("stop".into(), call.stop.clone().into());
    }
    if let Some(seed) = call.seed {
        body.insert("seed".into(), seed.into());
    }
    Ok(serde_json::to_vec(&body).expect("a JSON value can be written"))
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

fn message(message: &Message) -> Result<Value, ExpertError> {
    if message.json.is_empty() {
        return Ok(json!({ "role": message.role, "content": message.content }));
    }
    object(&message.json, "a message").map(Value::Object)
}

fn object(text: &str, what: &str) -> Result<Map<String, Value>, ExpertError> {
    serde_json::from_str(text).map_err(|_| {
        ExpertError::new(ErrorKind::Rejected { status: 400 }, format!("{what} must be a JSON object"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> Call {
        let plain = Message { role: "user".into(), content: "hi".into(), json: String::new() };
        Call { messages: vec![plain], max_tokens: 7, ..Call::default() }
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
    }

    #[test]
    fn further_fields_pass_but_never_override_ours() {
        let mut call = call();
        call.temperature = Some(0.7);
        call.stop = vec!["x".into()];
        call.seed = Some(-3);
        call.top_p = Some(0.95);
        call.extra_json = json!({
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
        call.messages[0].json = r#"{"role":"tool","content":null,"tool_call_id":"a"}"#.into();
        let got: Value = serde_json::from_slice(&body(&call, "m", "h").unwrap()).unwrap();
        assert_eq!(got["messages"][0], json!({ "role": "tool", "content": null, "tool_call_id": "a" }));
        call.messages[0].json = "[1]".into();
        assert_eq!(body(&call, "m", "h").unwrap_err().kind, ErrorKind::Rejected { status: 400 });
        call.messages[0].json.clear();
        call.extra_json = "nope".into();
        assert_eq!(body(&call, "m", "h").unwrap_err().kind, ErrorKind::Rejected { status: 400 });
    }
}
