//! What a request's prompt begins with, for replicas that may have it in their caches.

use crate::lane::Lane;
use crate::request::Request;
use serde_json::Value;
use sluice_proto::v1;
use sluice_router::{ChainHash, Prefix, Route};
use std::sync::Arc;

/// The prompt as a chain; empty where no pool of the route's experts knows of any cache, since nobody would look at it.
pub(crate) fn prefix(request: &Request, route: &Route, lanes: &[Arc<Lane>]) -> Prefix {
    let has_cache =
        |lane: &Arc<Lane>| lane.config.prefix_tokens > 0 && route.experts.contains(&lane.config.expert);
    if !lanes.iter().any(has_cache) {
        return Prefix::default();
    }
    chain(&request.body, request.tenant)
}

/// Tenants never share, nor do requests with different salts of their own. Tools come first in what an engine reads, so
/// they are in the salt too.
fn chain(body: &v1::GenerateRequest, tenant: u64) -> Prefix {
    let mut hash = ChainHash::new(tenant ^ ChainHash::salt(beginning(&body.extra_json).as_bytes()));
    for message in &body.messages {
        // What stands in the text, or all that the message is: tool calls, parts, names.
        let text = if message.json.is_empty() { &message.content } else { &message.json };
        for part in [&message.role, FIELD_ENDS, text, MESSAGE_ENDS] {
            hash.add(part.as_bytes());
        }
    }
    hash.finish()
}

/// What of the further fields stands before the messages in what an engine reads, or keeps its cache apart.
fn beginning(extra_json: &str) -> String {
    let Ok(extra) = serde_json::from_str::<Value>(extra_json) else { return String::new() };
    let fields = SHARED_BY.iter().filter_map(|name| extra.get(name).map(|value| format!("{name}={value}\n")));
    fields.collect()
}

const SHARED_BY: [&str; 3] = ["cache_salt", "tools", "functions"];
/// Control characters, so that no text runs into the next.
const FIELD_ENDS: &str = "\u{1f}";
const MESSAGE_ENDS: &str = "\u{1e}";

#[cfg(test)]
mod tests {
    use super::*;

    fn body(turns: &[&str], extra_json: &str) -> v1::GenerateRequest {
        let message = |(at, text): (usize, &&str)| v1::Message {
            role: if at % 2 == 0 { "user" } else { "assistant" }.to_owned(),
            content: text.repeat(60),
            json: String::new(),
        };
        v1::GenerateRequest {
            messages: turns.iter().enumerate().map(message).collect(),
            extra_json: extra_json.to_owned(),
            ..Default::default()
        }
    }

    /// Blocks that two prompts share.
    fn shared(a: &Prefix, b: &Prefix) -> usize {
        a.blocks.iter().zip(&*b.blocks).take_while(|(a, b)| a == b).count()
    }

    #[test]
    fn the_next_turn_begins_with_the_turns_before() {
        let first = chain(&body(&["What is the law? "], ""), 7);
        let second = chain(&body(&["What is the law? ", "It depends. ", "On what? "], ""), 7);
        assert_eq!((first.blocks.len(), shared(&first, &second)), (4, 4));
        assert!(second.blocks.len() > 7);
        let other = chain(&body(&["What is the Law? "], ""), 7);
        assert_eq!(shared(&first, &other), 0);
    }

    #[test]
    fn tenants_salts_and_tools_share_nothing() {
        let prompt = |extra: &str, tenant| chain(&body(&["What is the law? "], extra), tenant);
        let all = [
            prompt("", 7),
            prompt("", 8),
            prompt(r#"{"cache_salt":"mine"}"#, 7),
            prompt(r#"{"tools":[{"type":"function"}]}"#, 7),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(all[..at].iter().all(|other| shared(one, other) == 0));
        }
        let sampled = prompt(r#"{"presence_penalty":0.5,"user":"u"}"#, 7);
        assert_eq!(sampled, all[0], "what says how to answer is no part of the prompt");
    }
}
