//! Names of fields that have a number, since receipts repeat them: spelled out, they are half of a receipt.

/// The number of a name, from 1; `None` for one that has none and is spelled out.
pub(super) fn number(name: &str) -> Option<u64> {
    NAMES.iter().position(|known| *known == name).map(|at| at as u64 + 1)
}

/// The name with this number.
pub(super) fn name(number: u64) -> Option<&'static str> {
    let at = usize::try_from(number).ok()?.checked_sub(1)?;
    NAMES.get(at).copied()
}

/// In the order of their numbers. Files hold the numbers: a name is never moved or taken out, new ones go to the end.
#[rustfmt::skip]
const NAMES: &[&str] = &[
    "id", "route", "signals", "needs", "pools", "now", "decision", "versions", "domains", "p_out_of_scope", "inside",
    "languages", "experts", "name", "p", "p_capable", "p_lower", "output_tokens", "prompt_tokens", "prompt_bytes",
    "max_output_tokens", "features", "domain", "keyword_experts", "floor", "max_cost", "allowed_experts", "residency",
    "privacy", "deadline", "replicas_up", "in_flight", "limit", "queued", "ttft_ms", "tpot_ms", "service_ms", "replicas",
    "speed", "is_up", "foreign", "decoding", "context_tokens", "prefill_tokens", "hit_tokens", "prompt_rates", "ttft",
    "tpot", "ttft_error", "tpot_error", "slack_ms", "bias", "variance", "steps", "ceiling", "quotes", "propensity",
    "chosen_by", "seed", "expert", "pool", "trigger", "floor_held", "graded", "cost", "worst", "replica", "wait_ms",
    "ttft_p95_ms", "total_ms", "p_miss", "harmed", "shadow", "money", "reason", "model", "config",
];
