//! What an engine counted, with one meaning: the prompt includes whatever caches had to do with.
//!
//! Engines of one dialect differ here. OpenAI's, vLLM's and most others' `prompt_tokens` includes the cached ones, which
//! stand in its details; DeepSeek calls them `prompt_cache_hit_tokens`, Moonshot puts `cached_tokens` beside it. Bridges to
//! Anthropic tell `cache_creation_input_tokens` too, and those that keep its names leave both out of `input_tokens`.

use crate::call::Usage;
use serde_json::Value;

/// The counts, unless they are missing, negative or absurd: then the gateway's own count is the better one.
pub(super) fn usage(usage: &Value) -> Option<Usage> {
    let cached = first(usage, CACHED);
    let cache_write = first(usage, CACHE_WRITE);
    let (prompt, output) = match count(usage, &["prompt_tokens"]) {
        Some(prompt) => (prompt, count(usage, &["completion_tokens"])?),
        None => {
            let uncached =
                count(usage, &["input_tokens"]).filter(|_| usage.get("input_tokens_details").is_none());
            let prompt = uncached?.saturating_add(cached).saturating_add(cache_write);
            (prompt, count(usage, &["output_tokens"])?)
        }
    };
    let cached = cached.min(prompt);
    Some(Usage { prompt, cached, cache_write: cache_write.min(prompt - cached), output })
}

/// The first of these that is there, else 0.
fn first(usage: &Value, places: &[&[&str]]) -> u32 {
    places.iter().find_map(|place| count(usage, place)).unwrap_or(0)
}

fn count(usage: &Value, place: &[&str]) -> Option<u32> {
    let count = place.iter().try_fold(usage, |value, name| value.get(name))?.as_f64()?;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within the range just checked"
    )]
    (0.0..=MAX_TOKENS).contains(&count).then_some(count as u32)
}

/// More tokens than this are no count but a mistake.
const MAX_TOKENS: f64 = 100_000_000.0;
/// Where engines tell how much of the prompt came from a cache.
const CACHED: &[&[&str]] = &[
    &["prompt_tokens_details", "cached_tokens"],
    &["cache_read_input_tokens"],
    &["prompt_cache_hit_tokens"],
    &["cached_tokens"],
];
/// Where they tell how much of it was written to one.
const CACHE_WRITE: &[&[&str]] = &[
    &["prompt_tokens_details", "cache_write_tokens"],
    &["prompt_tokens_details", "cache_creation_tokens"],
    &["cache_creation_input_tokens"],
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Prompt, cached, cache write, output.
    fn check(json: &str, want: Option<(u32, u32, u32, u32)>) {
        let got = usage(&serde_json::from_str(json).unwrap())
            .map(|usage| (usage.prompt, usage.cached, usage.cache_write, usage.output));
        assert_eq!(got, want, "{json}");
    }

    #[test]
    fn absurd_counts_are_no_counts() {
        check(r#"{"prompt_tokens":0,"completion_tokens":0}"#, Some((0, 0, 0, 0)));
        check(r#"{"prompt_tokens":-1,"completion_tokens":2}"#, None);
        check(r#"{"prompt_tokens":9223372036854775808,"completion_tokens":2}"#, None);
        check(r#"{"prompt_tokens":1e300,"completion_tokens":2}"#, None);
        check(r#"{"prompt_tokens":"5","completion_tokens":2}"#, None);
        check(r#"{"prompt_tokens":5}"#, None);
        check(
            r#"{"prompt_tokens":5,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":9}}"#,
            Some((5, 5, 0, 2)),
        );
        check(
            r#"{"prompt_tokens":5,"completion_tokens":2,"prompt_tokens_details":null}"#,
            Some((5, 0, 0, 2)),
        );
    }

    #[test]
    fn every_dialect_of_caches_has_one_meaning() {
        let anthropic = r#"{"input_tokens":1,"cache_read_input_tokens":30,"cache_creation_input_tokens":4,"output_tokens":2}"#;
        let bridged = r#"{"prompt_tokens":35,"completion_tokens":2,"cache_read_input_tokens":30,"cache_creation_input_tokens":4}"#;
        let details = r#"{"prompt_tokens":35,"completion_tokens":2,
            "prompt_tokens_details":{"cached_tokens":30,"cache_write_tokens":4}}"#;
        for same in [anthropic, bridged, details] {
            check(same, Some((35, 30, 4, 2)));
        }
        let deepseek = r#"{"prompt_tokens":35,"completion_tokens":2,"prompt_cache_hit_tokens":30,"prompt_cache_miss_tokens":5}"#;
        check(deepseek, Some((35, 30, 0, 2)));
        check(r#"{"prompt_tokens":35,"completion_tokens":2,"cached_tokens":30}"#, Some((35, 30, 0, 2)));
        // OpenAI's other interface has these names with its own meaning; it is not spoken here.
        check(r#"{"input_tokens":35,"input_tokens_details":{"cached_tokens":30},"output_tokens":2}"#, None);
    }

    #[test]
    fn parts_are_no_larger_than_the_whole() {
        let more = r#"{"prompt_tokens":5,"completion_tokens":2,"prompt_cache_hit_tokens":4,"cache_creation_input_tokens":9}"#;
        check(more, Some((5, 4, 1, 2)));
    }
}
