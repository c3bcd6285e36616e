//! What a profile promises, and that the reference says the same.

use super::*;
use crate::pool::{Event, Pool};
use crate::timing::Timing;

#[test]
fn every_profile_reads_and_says_where_it_is_from() {
    for name in Profile::names() {
        let profile = Profile::named(name).unwrap();
        assert_eq!(profile.name, name);
        assert!(matches!(profile.basis.as_str(), "measured" | "derived"), "{name}");
        assert!(profile.source.len() > 20 && profile.about.len() > 10, "{name}");
    }
    assert!(Profile::named("9b-tpu").is_none());
}

#[test]
fn time_per_token_alone_is_what_was_published() {
    let check = |name: &str, input: u32, want_ms: f64| {
        let mut pool = Pool::new(Profile::named(name).unwrap().capacity);
        pool.submit(1, input, 200).unwrap();
        let at: Vec<u64> = pool
            .step(u64::MAX / 2)
            .iter()
            .map(|event| match event {
                Event::First { at, .. } | Event::Finished { at, .. } => *at,
            })
            .collect();
        #[allow(clippy::cast_precision_loss)]
        let tpot_ms = (at[1] - at[0]) as f64 / 199.0 / 1e6;
        assert!((tpot_ms / want_ms - 1.0).abs() < 0.05, "{name}: {tpot_ms} ms, published {want_ms}");
    };
    check("8b-l4", 280, 61.2);
    check("8b-a100", 280, 10.8);
    check("70b-8xh100", 280, 13.8);
    check("cpu-7b", 128, 1_000.0 / 21.6);
    check("device-8b", 128, 1_000.0 / 12.9);
}

/// vLLM's own latency runs on H100, latency_llama70B_tp4 and latency_mixtral8x7B_tp2: 8 sequences, 32 tokens in,
/// 128 out.
#[test]
fn a_published_batch_of_eight_takes_as_long_here() {
    for (name, published_ms) in [("70b-4xh100", 2_444), ("mixtral-2xh100", 2_327)] {
        let mut pool = Pool::new(Profile::named(name).unwrap().capacity);
        for id in 0..8 {
            pool.submit(id, 32, 128).unwrap();
        }
        let end = pool.step(u64::MAX / 2).into_iter().map(|event| match event {
            Event::First { at, .. } | Event::Finished { at, .. } => at,
        });
        let took_ms = end.max().unwrap() / 1_000_000;
        assert!(
            (published_ms * 97 / 100..published_ms * 103 / 100).contains(&took_ms),
            "{name}: {took_ms} ms"
        );
    }
}

/// InferenceX, DeepSeek-R1 on 8 H200: time per token at 8, 16, 32 and 64 sequences of 1,000 tokens in and out.
#[test]
fn a_mixture_slows_down_with_its_batch_as_published() {
    for (at_once, published_ms) in [(8, 12.8), (16, 17.2), (32, 25.6), (64, 34.6)] {
        let timing = Profile::named("deepseek-v3-8xh200").unwrap().capacity.timing;
        #[allow(clippy::cast_precision_loss)]
        let step_ms = timing.decode_ns(at_once, at_once * 1_500) as f64 / 1e6;
        assert!((step_ms / published_ms - 1.0).abs() < 0.15, "{at_once}: {step_ms} ms");
    }
}

/// The hourly price as the reference writes it.
fn price(raw: &RawSteps) -> String {
    raw.gpu_hour_usd.map_or("unknown".to_owned(), |usd| usd.to_string())
}

/// Bounds that hardware of these years keeps; they find a slipped digit.
#[test]
fn every_profile_is_plausible() {
    for name in Profile::names() {
        let profile = Profile::named(name).unwrap();
        let Timing { base_ns, per_seq_ns, per_kv_ns, prefill_ns, prefill_half, .. } = profile.capacity.timing;
        assert!((5_000_000..120_000_000).contains(&base_ns), "{name}: a token alone in 5 to 120 ms");
        let batched = base_ns + 64 * per_seq_ns + 64 * 1_000 * per_kv_ns;
        assert!(batched < 64 * base_ns, "{name}: a batch of 64 is worth it");
        let rate = 1e9 / prefill_ns;
        assert!((50.0..50_000.0).contains(&rate), "{name}: {rate} prompt tokens/s");
        assert!((10_000.0..=100_000.0).contains(&prefill_half), "{name}");
        assert!(rate * base_ns as f64 / 1e9 > 1.0, "{name}: prompts are worked on faster than answers");
        assert!((1..=8).contains(&profile.gpus), "{name}");
        let fits = |usd: i64| (0..10_000_000_000).contains(&usd);
        assert!(profile.gpu_hour_nanousd.is_none_or(fits), "{name}: 0 to 10 USD an hour");
    }
}

#[test]
fn the_reference_has_each_profile_as_it_is() {
    let page = include_str!("../../../docs/reference/simulator.md");
    for (name, text) in PROFILES {
        let raw: RawSteps = toml::from_str(text).unwrap();
        let row = page.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("{name} is missing")).replace(',', "");
        let about = raw.about.replace(',', "");
        let numbers =
            [raw.decode_base_ms, raw.decode_per_seq_us, raw.decode_per_kv_ktoken_us, raw.prefill_tok_s];
        for want in numbers.iter().map(|number| format!("| {number} |")).chain([
            format!("| {about} |"),
            format!("| {} |", raw.prefill_ctx_half_tokens),
            format!("| {} |", raw.kv_capacity_tokens),
            format!("| {} | {} |", raw.max_num_seqs, raw.basis),
            format!("| {} | {} |", raw.gpus.unwrap_or(1), price(&raw)),
        ]) {
            assert!(row.contains(&want), "{name}: the page has no {want:?}");
        }
        assert!(page.contains(&raw.source), "{name}: the page doesn't name its source");
    }
}

#[test]
fn an_engine_that_takes_whole_batches_has_a_law_of_its_own() {
    let text = "context_tokens = 8192\nwhole_batch = { base_ms = 8, per_item_ms = 0.5, max_batch = 64 }";
    let law = Profile::from_toml(text).unwrap().whole_batch.unwrap();
    assert_eq!((law.batch_ns(64), law.max_batch), (40_000_000, 64));
    let wrong = Profile::from_toml(&text.replace("= 64", "= 0")).unwrap_err().to_string();
    assert!(wrong.contains("whole_batch.max_batch = 0 must be from 1"), "{wrong}");
    let mixed = Profile::from_toml(&format!("decode_base_ms = 1.0\n{text}")).unwrap_err().to_string();
    assert!(mixed.contains("unknown field `decode_base_ms`"), "{mixed}");
}

#[test]
fn mistakes_are_told_with_their_place() {
    let good = include_str!("../../profiles/8b-l4.toml");
    let check = |text: &str, part: &str| {
        let error = Profile::from_toml(text).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    check(&format!("{good}\nspeed = 3"), "unknown field `speed`");
    check(&good.replace("decode_base_ms", "decode_base"), "decode_base");
    check(&good.replace("60.5", "-1.0"), "decode_base_ms = -1 must be from");
    check(&good.replace("60.5", "nan"), "decode_base_ms = NaN");
    check(&good.replace("32000", "\"many\""), "line");
    check("=", "TOML parse error");
}
