//! Times by percentile, from the first tenth to the last in ten thousand.

use crate::measure::{Hist, Tally, Time};
use serde::{Deserialize, Serialize};

/// Percentile and milliseconds, from low to high.
pub type Curve = Vec<(f64, f64)>;

/// The curves of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Curves {
    /// Time to first token.
    pub ttft_ms: Curve,
    /// Time to first token, not corrected for coordinated omission.
    pub ttft_uncorrected_ms: Curve,
    /// Time per output token.
    pub tpot_ms: Curve,
    /// Time to the end.
    pub e2e_ms: Curve,
}

impl Curves {
    /// Of all requests.
    pub fn of(tally: &Tally) -> Curves {
        Curves {
            ttft_ms: curve(tally.times(Time::Ttft)),
            ttft_uncorrected_ms: curve(tally.ttft_from_sent()),
            tpot_ms: curve(tally.times(Time::Tpot)),
            e2e_ms: curve(tally.times(Time::E2e)),
        }
    }
}

/// The percentiles that the sample is large enough for, evenly on the scale of 1 / (1 - q).
fn curve(hist: &Hist) -> Curve {
    let beyond = |percentile: f64| (1.0 - percentile / 100.0) * hist.count() as f64;
    let shown = PERCENTILES.iter().filter(|percentile| beyond(**percentile) >= 1.0 - 1e-9);
    shown.filter_map(|percentile| Some((*percentile, hist.quantile_ms(percentile / 100.0)?))).collect()
}

const PERCENTILES: &[f64] = &[
    10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 75.0, 80.0, 85.0, 90.0, 92.5, 95.0, 96.0, 97.0, 98.0, 98.5,
    99.0, 99.25, 99.5, 99.6, 99.7, 99.8, 99.85, 99.9, 99.925, 99.95, 99.97, 99.98, 99.99,
];
