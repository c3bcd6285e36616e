//! Named workers: model, GPU and the parameters of their law, from files of one profile each.

use crate::outside::Outside;
use crate::pool::Capacity;
use crate::timing::Timing;
use crate::whole_batch::WholeBatch;
use serde::Deserialize;

/// The profiles that a name stands for: one file and one row each. The order is the order of the reference.
const PROFILES: &[(&str, &str)] = &[
    ("8b-l4", include_str!("../profiles/8b-l4.toml")),
    ("8b-fp8-l4", include_str!("../profiles/8b-fp8-l4.toml")),
    ("8b-a100", include_str!("../profiles/8b-a100.toml")),
    ("8b-h100", include_str!("../profiles/8b-h100.toml")),
    ("14b-a100", include_str!("../profiles/14b-a100.toml")),
    ("32b-a100", include_str!("../profiles/32b-a100.toml")),
    ("32b-h100", include_str!("../profiles/32b-h100.toml")),
    ("32b-fp8-h100", include_str!("../profiles/32b-fp8-h100.toml")),
    ("70b-4xa100", include_str!("../profiles/70b-4xa100.toml")),
    ("70b-4xh100", include_str!("../profiles/70b-4xh100.toml")),
    ("70b-fp8-2xh100", include_str!("../profiles/70b-fp8-2xh100.toml")),
    ("70b-8xh100", include_str!("../profiles/70b-8xh100.toml")),
    ("70b-8x910b2", include_str!("../profiles/70b-8x910b2.toml")),
    ("mixtral-2xh100", include_str!("../profiles/mixtral-2xh100.toml")),
    ("deepseek-v3-8xh200", include_str!("../profiles/deepseek-v3-8xh200.toml")),
    ("70b-fp8-8xh100", include_str!("../profiles/70b-fp8-8xh100.toml")),
    ("api", include_str!("../profiles/api.toml")),
    ("cpu-7b", include_str!("../profiles/cpu-7b.toml")),
    ("device-8b", include_str!("../profiles/device-8b.toml")),
];

/// Tokens that one step takes on at most where a profile doesn't say: vLLM's `max_num_batched_tokens`.
const CHUNK: u32 = 2_048;

/// A simulated worker's model, hardware and speed.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Its name, or `file` for one read from a file.
    pub name: String,
    /// Model and hardware, for people.
    pub about: String,
    /// `measured` (fitted to a published measurement of that pair), `derived` (from sizes and bandwidth; may be off
    /// by a factor of two), or `fitted` (by `sluice sim fit`, to an engine of one's own).
    pub basis: String,
    /// Where the figures are from.
    pub source: String,
    /// What it holds and how fast it is.
    pub capacity: Capacity,
    /// Set for an engine that takes whole batches; its own law is the only one then.
    pub whole_batch: Option<WholeBatch>,
    /// GPUs, or other devices, of one worker.
    pub gpus: u32,
    /// What one of them costs an hour, in nano-USD; sellers differ by a factor of two to four.
    pub gpu_hour_nanousd: Option<i64>,
}

/// A profile that can't be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ProfileError {
    /// Not TOML, an unknown key, a missing one or one of the wrong type; says where.
    #[error("{0}")]
    Toml(String),
    /// A number outside what makes sense.
    #[error("{key} = {value} must be from {least} to {most}")]
    Range {
        /// The key.
        key: &'static str,
        /// Its value.
        value: f64,
        /// Smallest allowed.
        least: f64,
        /// Largest allowed.
        most: f64,
    },
}

impl Profile {
    /// The profile with this name.
    pub fn named(name: &str) -> Option<Profile> {
        let (name, text) = PROFILES.iter().find(|(known, _)| *known == name)?;
        let profile = Profile::from_toml(text).expect("embedded profiles are tested");
        Some(Profile { name: (*name).to_owned(), ..profile })
    }

    /// All names, in the order of the reference.
    pub fn names() -> Vec<&'static str> {
        PROFILES.iter().map(|(name, _)| *name).collect()
    }

    /// Reads the text of a profile file. Unknown keys are errors.
    ///
    /// # Errors
    /// [`ProfileError`] with the place or the key.
    pub fn from_toml(text: &str) -> Result<Profile, ProfileError> {
        let told = |error: toml::de::Error| ProfileError::Toml(error.to_string());
        let table: toml::Table = toml::from_str(text).map_err(told)?;
        if table.contains_key("whole_batch") {
            return toml::from_str::<RawWhole>(text).map_err(told)?.check();
        }
        toml::from_str::<Raw>(text).map_err(told)?.check()
    }
}

/// A profile as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    about: String,
    #[serde(default)]
    basis: String,
    #[serde(default)]
    source: String,
    decode_base_ms: f64,
    decode_per_seq_us: f64,
    decode_per_kv_ktoken_us: f64,
    prefill_tok_s: f64,
    prefill_ctx_half_tokens: f64,
    kv_capacity_tokens: u64,
    max_num_seqs: usize,
    #[serde(default)]
    max_num_batched_tokens: Option<u32>,
    #[serde(default)]
    prefix_cache_tokens: u64,
    #[serde(default)]
    step_noise: f64,
    #[serde(default)]
    gpus: Option<u32>,
    #[serde(default)]
    gpu_hour_usd: Option<f64>,
    #[serde(default)]
    outside: Option<RawOutside>,
}

/// An engine that is only known from outside, as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOutside {
    ttft_ms: f64,
    ttft_sigma: f64,
    tpot_ms: f64,
    tpot_sigma: f64,
}

impl RawOutside {
    fn check(&self) -> Result<Outside, ProfileError> {
        Ok(Outside {
            ttft_ns: within("outside.ttft_ms", self.ttft_ms, 0.001, 1e6)? * 1e6,
            ttft_sigma: within("outside.ttft_sigma", self.ttft_sigma, 0.0, 2.0)?,
            tpot_ns: within("outside.tpot_ms", self.tpot_ms, 0.0001, 1e6)? * 1e6,
            tpot_sigma: within("outside.tpot_sigma", self.tpot_sigma, 0.0, 2.0)?,
        })
    }
}

impl Raw {
    fn check(self) -> Result<Profile, ProfileError> {
        let base_ms = within("decode_base_ms", self.decode_base_ms, 0.001, 1e6)?;
        let per_seq_us = within("decode_per_seq_us", self.decode_per_seq_us, 0.0, 1e7)?;
        let per_ktoken_us = within("decode_per_kv_ktoken_us", self.decode_per_kv_ktoken_us, 0.0, 1e7)?;
        let prefill = within("prefill_tok_s", self.prefill_tok_s, 0.1, 1e8)?;
        let prefill_half = within("prefill_ctx_half_tokens", self.prefill_ctx_half_tokens, 1.0, 1e12)?;
        #[allow(clippy::cast_precision_loss, reason = "checked against bounds far below 2^53")]
        {
            within("kv_capacity_tokens", self.kv_capacity_tokens as f64, 2.0, 1e12)?;
            within("prefix_cache_tokens", self.prefix_cache_tokens as f64, 0.0, 1e12)?;
            within("max_num_seqs", self.max_num_seqs as f64, 1.0, 65_536.0)?;
        }
        let chunk = self.max_num_batched_tokens.unwrap_or(CHUNK);
        within("max_num_batched_tokens", f64::from(chunk), 64.0, 1e6)?;
        let timing = Timing {
            base_ns: nanos(base_ms * 1e6),
            per_seq_ns: nanos(per_seq_us * 1e3),
            // Microseconds per thousand tokens are nanoseconds per token.
            per_kv_ns: nanos(per_ktoken_us),
            prefill_ns: 1e9 / prefill,
            prefill_half,
            chunk,
            noise: within("step_noise", self.step_noise, 0.0, 1.0)?,
        };
        let outside = self.outside.as_ref().map(RawOutside::check).transpose()?;
        let (kv_tokens, max_seqs) = (self.kv_capacity_tokens, self.max_num_seqs);
        let prefix_tokens = self.prefix_cache_tokens;
        let capacity = Capacity { timing, kv_tokens, max_seqs, prefix_tokens, outside };
        let gpus = self.gpus.unwrap_or(1);
        within("gpus", f64::from(gpus), 1.0, 65_536.0)?;
        let hour = self.gpu_hour_usd.map(|usd| within("gpu_hour_usd", usd, 0.0, 1e6)).transpose()?;
        #[allow(clippy::cast_possible_truncation, reason = "checked against bounds far below 2^63")]
        let gpu_hour_nanousd = hour.map(|usd| (usd * 1e9).round() as i64);
        let Raw { about, basis, source, .. } = self;
        let name = "file".to_owned();
        Ok(Profile { name, about, basis, source, capacity, whole_batch: None, gpus, gpu_hour_nanousd })
    }
}

/// The profile of an engine that takes whole batches, as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWhole {
    #[serde(default)]
    about: String,
    #[serde(default)]
    basis: String,
    #[serde(default)]
    source: String,
    whole_batch: RawLaw,
    /// Tokens of context that one row may have.
    context_tokens: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLaw {
    base_ms: f64,
    per_item_ms: f64,
    max_batch: usize,
}

impl RawWhole {
    fn check(self) -> Result<Profile, ProfileError> {
        let base_ns = nanos(within("whole_batch.base_ms", self.whole_batch.base_ms, 0.0, 1e6)? * 1e6);
        let each_ms = within("whole_batch.per_item_ms", self.whole_batch.per_item_ms, 0.0, 1e6)?;
        let (per_item_ns, max_batch) = (nanos(each_ms * 1e6), self.whole_batch.max_batch);
        #[allow(clippy::cast_precision_loss, reason = "checked against bounds far below 2^53")]
        {
            within("whole_batch.max_batch", max_batch as f64, 1.0, 65_536.0)?;
            within("context_tokens", self.context_tokens as f64, 2.0, 1e12)?;
        }
        // Of the law of steps nothing is used; these are the nearest figures.
        let timing = Timing {
            base_ns: base_ns.max(1),
            per_seq_ns: per_item_ns,
            per_kv_ns: 0,
            prefill_ns: 0.0,
            prefill_half: f64::MAX,
            chunk: CHUNK,
            noise: 0.0,
        };
        let RawWhole { about, basis, source, .. } = self;
        Ok(Profile {
            name: "file".to_owned(),
            about,
            basis,
            source,
            capacity: Capacity {
                timing,
                kv_tokens: self.context_tokens,
                max_seqs: max_batch,
                prefix_tokens: 0,
                outside: None,
            },
            whole_batch: Some(WholeBatch { base_ns, per_item_ns, max_batch }),
            gpus: 1,
            gpu_hour_nanousd: None,
        })
    }
}

fn within(key: &'static str, value: f64, least: f64, most: f64) -> Result<f64, ProfileError> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(ProfileError::Range { key, value, least, most })
    }
}

fn nanos(value: f64) -> u64 {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be small and positive"
    )]
    let nanos = value.round() as u64;
    nanos
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::{Event, Pool};

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
    fn price(raw: &Raw) -> String {
        raw.gpu_hour_usd.map_or("unknown".to_owned(), |usd| usd.to_string())
    }

    /// Bounds that hardware of these years keeps; they find a slipped digit.
    #[test]
    fn every_profile_is_plausible() {
        for name in Profile::names() {
            let profile = Profile::named(name).unwrap();
            let Timing { base_ns, per_seq_ns, per_kv_ns, prefill_ns, prefill_half, .. } =
                profile.capacity.timing;
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
        let page = include_str!("../../docs/reference/simulator.md");
        for (name, text) in PROFILES {
            let raw: Raw = toml::from_str(text).unwrap();
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
        let good = include_str!("../profiles/8b-l4.toml");
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
}
