//! What a fit says: the profile as a file, and how far it is off.

use super::check::{Round, Row, rows};
use super::{FitError, Law, Options, Seen};
use serde::Serialize;
use sluice_sim::Profile;
use std::fmt::Write as _;

/// A fit, and its check.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The profile as a file.
    pub toml: String,
    /// The same, read back from that file.
    pub profile: Profile,
    /// Its parameters before they were rounded.
    pub law: Law,
    /// Most sequences that were seen to run at once.
    pub most_running: usize,
    /// Whether some had to wait then, so that this is the engine's limit.
    pub is_full: bool,
    /// Requests a second that the profile can do at most, of the lengths of the check.
    pub most_rps: f64,
    /// The check.
    pub loads: Vec<Load>,
}

/// The check at one load.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Load {
    /// Its name.
    pub name: &'static str,
    /// Requests a second.
    pub rate_rps: f64,
    /// Requests that failed, over all runs: left out on both sides.
    pub failed: usize,
    /// Median and spread of the runs.
    pub rows: Vec<Row>,
    /// Each run.
    pub rounds: Vec<Round>,
}

impl Load {
    /// Nothing has been run yet.
    pub fn new(name: &'static str, rate_rps: f64) -> Load {
        Load { name, rate_rps, failed: 0, rows: Vec::new(), rounds: Vec::new() }
    }
}

/// A batch that was never full is taken as vLLM's default.
const UNSEEN_SEQS: usize = 256;
/// Memory can't be seen from outside; so much never limits.
const UNSEEN_KV: u64 = 1_000_000_000;

impl Report {
    /// The profile that a law makes.
    ///
    /// # Errors
    /// [`FitError::Profile`] when a parameter is outside what makes sense.
    pub fn new(law: Law, seen: &Seen, options: &Options) -> Result<Report, FitError> {
        let toml = toml(&law, seen, options);
        let profile = Profile::from_toml(&toml)?;
        let (most_running, is_full) = (seen.most_running, seen.is_full);
        Ok(Report { toml, profile, law, most_running, is_full, most_rps: 0.0, loads: Vec::new() })
    }

    /// What each request takes beside the engine's steps.
    pub fn overhead_ns(&self) -> u64 {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "never negative, and small"
        )]
        let overhead = self.law.overhead_ns.round() as u64;
        overhead
    }

    /// Makes the rows of each load from its runs.
    pub fn summarise(&mut self) {
        for load in &mut self.loads {
            load.rows = rows(&load.rounds);
        }
    }

    /// The largest error of all figures, in percent, whatever its direction.
    pub fn worst_pct(&self) -> f64 {
        let errors = self.loads.iter().flat_map(|load| &load.rows).map(|row| row.error_pct.abs());
        errors.fold(0.0, f64::max)
    }

    /// For programs.
    pub fn json(&self) -> serde_json::Value {
        let law = &self.law;
        serde_json::json!({
            "profile": {
                "decode_base_ms": law.base_ns / 1e6,
                "decode_per_seq_us": law.per_seq_ns / 1e3,
                "decode_per_kv_ktoken_us": law.per_kv_ns,
                "prefill_tok_s": 1e9 / law.prefill_ns,
                "prefill_ctx_half_tokens": law.prefill_half,
                "kv_capacity_tokens": self.profile.capacity.kv_tokens,
                "max_num_seqs": self.profile.capacity.max_seqs,
                "max_num_batched_tokens": self.profile.capacity.timing.chunk,
            },
            "overhead_ms": law.overhead_ns / 1e6,
            "most_running": self.most_running,
            "saw_limit": self.is_full,
            "most_rps": self.most_rps,
            "loads": self.loads,
            "worst_error_pct": self.worst_pct(),
        })
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = self.toml.clone();
        let limit = if self.is_full { "more had to wait" } else { "none had to wait: the limit wasn't seen" };
        let _ = writeln!(
            text,
            "\nbeside the engine's steps a request takes {:.2} ms, added to simulated times to first token\n\
             at most {} sequences ran at once ({limit}); at most {:.2} requests/s of the check's lengths",
            self.law.overhead_ns / 1e6,
            self.most_running,
            self.most_rps,
        );
        for load in &self.loads {
            let _ = writeln!(
                text,
                "\n{}: {:.2} requests/s, median of {} runs (least to most), ms\n{:10}{:>28}{:>28}{:>9}",
                load.name,
                load.rate_rps,
                load.rounds.len(),
                "",
                "measured",
                "simulated",
                "error"
            );
            if load.failed > 0 {
                let _ = writeln!(text, "{} requests failed and were left out", load.failed);
            }
            for row in &load.rows {
                let (measured, simulated) = (shown(row.measured_ms), shown(row.simulated_ms));
                let _ =
                    writeln!(text, "{:10}{measured:>28}{simulated:>28}{:>+8.1}%", row.name, row.error_pct);
            }
        }
        let _ = write!(text, "\nlargest error {:.1} %", self.worst_pct());
        text
    }
}

fn shown([median, least, most]: [f64; 3]) -> String {
    format!("{median:.2} ({least:.2} to {most:.2})")
}

fn toml(law: &Law, seen: &Seen, options: &Options) -> String {
    let seqs = options.max_seqs.unwrap_or(if seen.is_full { seen.most_running } else { UNSEEN_SEQS });
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    format!(
        "about = {}\nbasis = \"fitted\"\nsource = {}\n\
         decode_base_ms = {:.4}\ndecode_per_seq_us = {:.2}\ndecode_per_kv_ktoken_us = {:.2}\n\
         prefill_tok_s = {:.1}\nprefill_ctx_half_tokens = {:.0}\n\
         kv_capacity_tokens = {}\nmax_num_seqs = {seqs}\nmax_num_batched_tokens = {}\n",
        quoted(&options.about),
        quoted(&options.source),
        // A law without a base would be a profile without one: the least that a profile can say.
        (law.base_ns / 1e6).max(0.001),
        law.per_seq_ns / 1e3,
        law.per_kv_ns,
        1e9 / law.prefill_ns,
        law.prefill_half,
        options.kv_tokens.unwrap_or(UNSEEN_KV),
        options.batch_tokens,
    )
}
