//! What a run of the demo found: the object that `--json` prints and the table is made from.

use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// The result of one run. Its JSON has the keys that the contract names, and more.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct DemoResult {
    /// Prompts sent.
    pub(crate) requests: u64,
    /// Prompts without a complete answer.
    pub(crate) errors: u64,
    /// What the answers cost.
    pub(crate) cost_usd: Usd,
    /// What the reference would have cost for the same prompts.
    pub(crate) baseline_usd: Usd,
    /// Saving against the baseline, 0 to 100; below 0 if the run was dearer.
    pub(crate) saved_pct: f64,
    /// Mean score over the prompts sent.
    pub(crate) quality: f64,
    /// The reference's mean score over the same prompts.
    pub(crate) reference_quality: f64,
    /// Name of the reference.
    pub(crate) reference: String,
    /// The route's promise, as a share of `reference_quality`.
    pub(crate) quality_floor: f64,
    /// Whether `quality >= quality_floor * reference_quality`.
    pub(crate) floor_held: bool,
    /// Interval of `quality / reference_quality`.
    pub(crate) quality_ratio: Interval,
    /// By expert, those without a request included.
    pub(crate) experts: BTreeMap<String, ExpertResult>,
    /// By domain.
    pub(crate) domains: BTreeMap<String, DomainResult>,
    /// The cheapest expert that alone would have held the floor, else the best beside the reference.
    pub(crate) best_single: Option<Single>,
    /// From text in memory to the decision, in microseconds.
    pub(crate) decide_us: Percentiles,
    /// Wall time at the client, in milliseconds.
    pub(crate) request_ms: Percentiles,
    /// True unless the grades are of real experts.
    pub(crate) simulated: bool,
    /// How many times as fast as the wall clock the simulated pools ran.
    pub(crate) time_scale: f64,
    /// What the split, the training and the requests' seeds were drawn from.
    pub(crate) seed: u64,
    /// What allowed the route to use anything but the reference; none: every request went to the reference.
    pub(crate) certificate: Option<CertificateResult>,
    /// What decided.
    pub(crate) versions: Versions,
}

/// One expert's part.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ExpertResult {
    /// Requests that it answered.
    pub(crate) requests: u64,
    /// What they cost.
    pub(crate) cost_usd: Usd,
    /// Their mean score; `null` without a request.
    pub(crate) quality: Option<f64>,
}

/// One domain's part.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct DomainResult {
    /// Requests of the domain.
    pub(crate) requests: u64,
    /// How many of them each expert answered; experts without any may be missing.
    pub(crate) experts: BTreeMap<String, u64>,
}

/// One expert as the answer to everything.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Single {
    /// Its name.
    pub(crate) expert: String,
    /// Its mean score over the prompts sent.
    pub(crate) quality: f64,
    /// What it would have cost.
    pub(crate) cost_usd: Usd,
}

/// A two-sided confidence interval.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Interval {
    /// Its lower end.
    pub(crate) low: f64,
    /// Its upper end.
    pub(crate) high: f64,
    /// Its confidence, for instance 0.95.
    pub(crate) confidence: f64,
}

/// Two percentiles; the unit stands in the name of the field that holds them.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Percentiles {
    /// The median.
    pub(crate) p50: f64,
    /// 99 of 100 are at most this.
    pub(crate) p99: f64,
}

/// The route's certificate.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct CertificateResult {
    /// `normal`, `bets` or `point`.
    pub(crate) method: String,
    /// Calibration rows.
    pub(crate) rows: u64,
    /// How sure the promise is.
    pub(crate) confidence: f64,
    /// Score that a nano-USD must bring.
    pub(crate) lambda: f64,
}

/// What the decisions were made by.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Versions {
    /// SHA-256 of the model file, hex.
    pub(crate) model: String,
    /// SHA-256 of the configuration's snapshot, hex.
    pub(crate) config: String,
}

/// An amount in integer nano-USD that shows as exact decimal USD with nine places and serialises as USD.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usd(pub(crate) i64);

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, nano) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        f.pad(&format!("{sign}{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000))
    }
}

impl Serialize for Usd {
    /// The nearest double of nano / 10^9, whose shortest decimal form is the exact amount below 8 million USD.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0 as f64 / 1e9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_exact_to_the_nano_dollar_in_text_and_json() {
        for (nano, text, json) in [
            (0, "0.000000000", "0.0"),
            (1, "0.000000001", "1e-9"),
            (1_234_567_891, "1.234567891", "1.234567891"),
            (-2_500_000_000, "-2.500000000", "-2.5"),
            (7_999_999_123_456_789, "7999999.123456789", "7999999.123456789"),
        ] {
            assert_eq!(Usd(nano).to_string(), text);
            assert_eq!(serde_json::to_string(&Usd(nano)).expect("a number"), json);
        }
        assert_eq!(format!("{:>12}", Usd(1)), " 0.000000001");
    }
}
