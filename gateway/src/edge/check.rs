//! What must hold before a request goes to the spine, whichever edge it came through.

use crate::door::{Door, Readiness};
use crate::edge::json;
use crate::error::{Fault, FaultCode};
use serde_json::{Map, Value};
use sluice_proto::v1;

/// New work is refused while what is under way ends.
///
/// # Errors
/// A fault that says that another gateway will answer.
pub(crate) fn open(door: &dyn Door) -> Result<(), Fault> {
    match door.readiness() {
        Readiness::Draining => {
            Err(Fault::passing(FaultCode::Draining, 1000, "this gateway is shutting down"))
        }
        Readiness::Ready | Readiness::NotReady(_) => Ok(()),
    }
}

/// Refuses what no expert could make sense of, and what would slip past the bounds on a request's cost.
///
/// # Errors
/// The fault names the field.
pub(crate) fn check(body: &v1::GenerateRequest) -> Result<(), Fault> {
    if body.messages.is_empty() {
        return Err(Fault::invalid("messages", "messages is empty; send at least one"));
    }
    for (n, message) in body.messages.iter().enumerate() {
        check_message(n, message)?;
    }
    within("temperature", body.temperature, 2.0)?;
    within("top_p", body.top_p, 1.0)?;
    check_extra(&body.extra_json)
}

fn check_message(n: usize, message: &v1::Message) -> Result<(), Fault> {
    if !ROLES.contains(&message.role.as_str()) {
        let what = if message.role.is_empty() { "is missing" } else { "is none that chat templates know" };
        let param = format!("messages[{n}].role");
        let why = format!("{param} {what}; say one of {}", ROLES.join(", "));
        return Err(Fault::invalid(param, why));
    }
    if message.json.is_empty() {
        return Ok(());
    }
    let param = format!("messages[{n}].json");
    let whole = json::object(message.json.as_bytes(), &param).map_err(|why| Fault::invalid(&param, why))?;
    if whole.get("role").and_then(Value::as_str) != Some(&message.role) {
        let why = format!("{param} must have the same role as the message");
        return Err(Fault::invalid(param, why));
    }
    Ok(())
}

fn within(param: &str, value: Option<f32>, most: f32) -> Result<(), Fault> {
    match value {
        Some(value) if !(0.0..=most).contains(&value) => {
            Err(Fault::invalid(param, format!("{param} is outside 0 to {most}")))
        }
        _ => Ok(()),
    }
}

/// The further fields of an OpenAI request that come as text.
fn check_extra(text: &str) -> Result<(), Fault> {
    if text.is_empty() {
        return Ok(());
    }
    let extra =
        json::object(text.as_bytes(), "extra_json").map_err(|why| Fault::invalid("extra_json", why))?;
    if let Some(name) = OWN_FIELDS.iter().find(|name| extra.contains_key(**name)) {
        let why = format!("extra_json holds {name}, which the request has a field of its own for");
        return Err(Fault::invalid("extra_json", why));
    }
    check_answers(&extra)
}

/// Roles that chat templates know.
const ROLES: &[&str] = &["system", "developer", "user", "assistant", "tool", "function"];
/// Fields that would override what the decision and the hold were made for.
const OWN_FIELDS: &[&str] = &[
    "model",
    "messages",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "stop",
    "seed",
    "stream",
    "stream_options",
];

/// Refuses what asks for more than one answer, or for parts of it that don't come back.
///
/// # Errors
/// The fault names the field.
pub(crate) fn check_answers(extra: &Map<String, Value>) -> Result<(), Fault> {
    let unsupported = |param: &str, why: &str| {
        Err(Fault { param: Some(param.to_owned()), ..Fault::new(FaultCode::UnsupportedParameter, why) })
    };
    match extra.get("n") {
        None | Some(Value::Null) => {}
        Some(Value::Number(n)) if n.as_u64() == Some(1) => {}
        Some(Value::Number(n)) if n.as_u64().is_some_and(|n| n > 1) => {
            return unsupported("n", "n is above 1; each request gets one answer, so send it several times");
        }
        Some(Value::Number(_)) => return Err(Fault::invalid("n", "n must be the whole number 1")),
        Some(other) => return Err(json::mistyped("n", other, "the whole number 1")),
    }
    // llama-server takes `n_predict` over `max_tokens`; `best_of` makes several answers and shows one.
    for (name, why) in [
        ("n_predict", "n_predict would go past the bound on the cost; say max_tokens"),
        ("best_of", "best_of is not supported; each request gets one answer"),
    ] {
        if extra.get(name).is_some_and(|value| !value.is_null()) {
            return unsupported(name, why);
        }
    }
    match extra.get("logprobs") {
        None | Some(Value::Null | Value::Bool(false)) => Ok(()),
        Some(_) => unsupported("logprobs", "logprobs are not passed back; drop the field"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid() -> v1::GenerateRequest {
        let message =
            v1::Message { role: "user".to_owned(), content: "hello".to_owned(), json: String::new() };
        v1::GenerateRequest { messages: vec![message], ..Default::default() }
    }

    #[test]
    fn the_smallest_request_passes() {
        assert_eq!(check(&valid()), Ok(()));
    }

    #[test]
    fn each_mistake_is_refused_by_the_name_of_its_field() {
        type Break = fn(&mut v1::GenerateRequest);
        let cases: &[(&str, Break)] = &[
            ("messages", |body| body.messages.clear()),
            ("messages[0].role", |body| body.messages[0].role.clear()),
            ("messages[0].json", |body| body.messages[0].json = "[]".to_owned()),
            ("messages[0].json", |body| body.messages[0].json = r#"{"role":"system"}"#.to_owned()),
            ("temperature", |body| body.temperature = Some(f32::NAN)),
            ("temperature", |body| body.temperature = Some(2.1)),
            ("top_p", |body| body.top_p = Some(-0.1)),
            ("extra_json", |body| body.extra_json = "{".to_owned()),
            ("extra_json", |body| body.extra_json = r#"{"max_tokens":9}"#.to_owned()),
            ("n", |body| body.extra_json = r#"{"n":2}"#.to_owned()),
            ("n", |body| body.extra_json = r#"{"n":0}"#.to_owned()),
            ("n", |body| body.extra_json = r#"{"n":"1"}"#.to_owned()),
            ("logprobs", |body| body.extra_json = r#"{"logprobs":true}"#.to_owned()),
            ("n_predict", |body| body.extra_json = r#"{"n_predict":-1}"#.to_owned()),
            ("best_of", |body| body.extra_json = r#"{"best_of":4}"#.to_owned()),
        ];
        for (param, damage) in cases {
            let mut body = valid();
            damage(&mut body);
            let fault = check(&body).expect_err(param);
            assert_eq!(fault.param.as_deref(), Some(*param), "{}", fault.detail);
        }
    }

    #[test]
    fn more_than_one_answer_is_called_unsupported() {
        let mut body = valid();
        body.extra_json = r#"{"n":2}"#.to_owned();
        assert_eq!(check(&body).expect_err("refused").code, FaultCode::UnsupportedParameter);
        body.extra_json = r#"{"n":1,"logprobs":false,"tools":[]}"#.to_owned();
        assert_eq!(check(&body), Ok(()));
    }
}
