//! What is measured, demanded and written: the other half of the options.

use sluice_load::measure::{Gate, Slo};
use sluice_load::search::Sweep;
use std::path::PathBuf;

/// What comes of a run.
#[derive(clap::Args, Clone)]
#[command(next_help_heading = "Measures")]
pub(crate) struct Measures {
    /// What a good request is: FIGURE=LIMIT,... of ttft_pN, tpot_pN, e2e_pN, itl_pN (us, ms, s) and error_rate
    #[arg(long, value_name = "ttft_p99=500ms,...")]
    pub(crate) slo: Option<Slo>,
    /// End with 3 if this is true; may be given again. Figures: ttft_p50.., tpot_, e2e_, itl_, cost_per_1k, error_rate,
    /// goodput_rps, rate_rps, quality, quality_ratio, saved_pct, fairness
    #[arg(long, value_name = "cost_per_1k>0.5")]
    pub(crate) fail_if: Vec<Gate>,
    /// Find the highest rate that holds the SLO; --rate is the first one tried, --requests those of a full probe,
    /// --duration the seconds of a coarse one
    #[arg(long, requires = "slo")]
    pub(crate) find_max: bool,
    /// Test at these rates, or at N rates up to the one that --find-max finds
    #[arg(long, value_name = "R1,R2,...|N")]
    pub(crate) sweep: Option<Sweep>,
    /// Weights of the tenants in the fairness index, NAME=WEIGHT,...; 1 unless given
    #[arg(long, value_name = "NAME=WEIGHT,...", value_delimiter = ',', value_parser = weight)]
    pub(crate) weights: Vec<(String, f64)>,
    /// Write the report as one HTML file
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Save the counts, for `sluice load merge` and `sluice load compare`
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,
    /// No progress
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

fn weight(text: &str) -> Result<(String, f64), String> {
    let parts = text.split_once('=').and_then(|(name, weight)| Some((name.to_owned(), weight.parse().ok()?)));
    parts
        .filter(|(_, weight): &(String, f64)| weight.is_finite() && *weight > 0.0)
        .ok_or_else(|| format!("{text:?} is not NAME=WEIGHT with a weight above 0"))
}
