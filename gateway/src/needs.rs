//! What a request needs, read off its body and hints: exact facts for eligibility and bounds.

use crate::request::Request;
use serde_json::Value;
use sluice_proto::v1;
use sluice_router::{Fleet, Needs, estimate_tokens};

/// The text that is classified: the last turn of the user.
pub(crate) fn route_text(body: &v1::GenerateRequest) -> String {
    let turns = body.messages.iter().map(|message| (message.role.as_str(), message.content.as_str()));
    sluice_router::route_text(turns)
}

/// What `request` needs of an expert of `fleet`.
pub(crate) fn needs(request: &Request, fleet: &Fleet) -> Needs {
    let body = &request.body;
    let (hints, policy) = (&request.hints, &request.identity.policy);
    let bytes: usize = body.messages.iter().map(message_bytes).sum::<usize>() + body.extra_json.len();
    let tokens = body.messages.iter().map(message_tokens).fold(0, u32::saturating_add);
    Needs {
        prompt_tokens: tokens.saturating_add(estimate_tokens(&body.extra_json)),
        prompt_bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
        max_output_tokens: (body.max_tokens > 0).then_some(body.max_tokens),
        features: features(body),
        domain: hints.domain.clone().or_else(|| policy.domain.clone()),
        keyword_experts: keyword_experts(body, fleet),
        floor: hints.floor,
        max_cost: hints.max_cost,
        allowed_experts: policy.experts(fleet),
        residency: policy.residency(&hints.residency),
        privacy: policy.privacy(hints.privacy),
        deadline: request.deadline,
    }
}

/// Bytes of a message with the frame that chat templates put around it.
fn message_bytes(message: &v1::Message) -> usize {
    message.content.len().max(message.json.len()) + message.role.len() + FRAME_BYTES
}

/// Estimated tokens of a message: of its text, or of all that it holds (tool calls, names), unless that is an image,
/// whose bytes tell nothing of its tokens.
fn message_tokens(message: &v1::Message) -> u32 {
    let text = estimate_tokens(&message.content);
    if has_image(message) { text } else { text.max(estimate_tokens(&message.json)) }
}

fn has_image(message: &v1::Message) -> bool {
    message.json.contains("\"image_url\"")
}

/// Features that the answer needs, from the fields that OpenAI's API has for them.
fn features(body: &v1::GenerateRequest) -> Vec<String> {
    let extra = extra(body).unwrap_or(Value::Null);
    let has_items = |key: &str| extra[key].as_array().is_some_and(|items| !items.is_empty());
    let wanted = [
        ("tools", has_items("tools") || has_items("functions")),
        ("json_schema", extra["response_format"]["type"] == "json_schema"),
        ("vision", body.messages.iter().any(has_image)),
    ];
    wanted.iter().filter(|(_, needed)| *needed).map(|(name, _)| (*name).to_owned()).collect()
}

fn extra(body: &v1::GenerateRequest) -> Option<Value> {
    serde_json::from_str(&body.extra_json).ok()
}

/// Experts one of whose keywords occurs in the last turn of the user.
fn keyword_experts(body: &v1::GenerateRequest, fleet: &Fleet) -> Vec<usize> {
    if fleet.experts.iter().all(|expert| expert.keywords.is_empty()) {
        return Vec::new();
    }
    let text = route_text(body).to_lowercase();
    let mentions = |keywords: &[String]| keywords.iter().any(|word| text.contains(word.as_str()));
    (0..fleet.experts.len()).filter(|&at| mentions(&fleet.experts[at].keywords)).collect()
}

/// What a chat template adds around a message, at most, in bytes; `user: …\nassistant: ` and its like.
const FRAME_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn body(extra_json: &str) -> v1::GenerateRequest {
        let message =
            v1::Message { role: "user".to_owned(), content: "hello".to_owned(), json: String::new() };
        v1::GenerateRequest {
            messages: vec![message],
            extra_json: extra_json.to_owned(),
            ..Default::default()
        }
    }

    #[test]
    fn features_are_read_off_the_openai_fields() {
        assert!(features(&body("")).is_empty());
        assert!(features(&body(r#"{"tools":[]}"#)).is_empty());
        assert_eq!(features(&body(r#"{"tools":[{"type":"function"}]}"#)), ["tools"]);
        let schema = r#"{"response_format":{"type":"json_schema","json_schema":{}}}"#;
        assert_eq!(features(&body(schema)), ["json_schema"]);
    }

    #[test]
    fn what_a_message_holds_besides_its_text_counts_but_an_image_s_bytes_are_no_tokens() {
        let tokens = |json: String| {
            let mut body = body("");
            body.messages[0] = v1::Message { role: "assistant".to_owned(), content: String::new(), json };
            message_tokens(&body.messages[0])
        };
        let arguments = "a rather long list of arguments ".repeat(100);
        let call = format!(r#"{{"role":"assistant","tool_calls":[{{"arguments":"{arguments}"}}]}}"#);
        assert!(tokens(call) > 400);
        let image = format!(r#"{{"content":[{{"type":"image_url","image_url":"{arguments}"}}]}}"#);
        assert_eq!(tokens(image), 0);
    }
}
