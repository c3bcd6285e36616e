//! The report as data: the JSON of `sluice load --json`, and what every other form is drawn from.

use crate::Overhead;
use crate::measure::{BoundReport, Gate, GateReport, Summary, Tally};
use crate::report::{Curves, Second};
use crate::search::{Found, Point};
use serde::{Deserialize, Serialize};

/// How a run was made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Version of the program.
    pub version: String,
    /// What was tested.
    pub target: String,
    /// The seed of everything random.
    pub seed: u64,
    /// Options that differ from their defaults, as given.
    pub inputs: Vec<(String, String)>,
    /// How it ended: `complete`, `stopped`, or what went wrong.
    pub ended: String,
    /// Requests under way at the end, cancelled and not counted.
    pub unfinished: u64,
    /// How many saved runs it was merged from; 0 for a run itself.
    #[serde(default)]
    pub merged: usize,
    /// Whether it ran in virtual time, against simulated pools.
    pub is_virtual: bool,
}

/// A run's report.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The figures.
    #[serde(flatten)]
    pub summary: Summary,
    /// What became of each bound of the SLO.
    #[serde(default)]
    pub bounds: Vec<BoundReport>,
    /// What became of each gate.
    #[serde(default)]
    pub gates: Vec<GateReport>,
    /// What the search for the highest rate found.
    #[serde(default)]
    pub search: Option<Found>,
    /// Tests at several rates.
    #[serde(default)]
    pub sweep: Vec<Point>,
    /// The run over time.
    #[serde(default)]
    pub series: Vec<Second>,
    /// Times by percentile.
    #[serde(default)]
    pub curves: Curves,
    /// What the tester itself cost.
    #[serde(default)]
    pub overhead: Option<Overhead>,
    /// How it was made.
    #[serde(default)]
    pub run: RunInfo,
}

impl Report {
    /// The report of what `tally` counted.
    pub fn of(tally: &Tally, gates: &[Gate], run: RunInfo) -> Report {
        let summary = Summary::of(tally);
        Report {
            bounds: tally.slo().map(|slo| slo.judge(tally)).unwrap_or_default(),
            gates: gates.iter().map(|gate| gate.judge(tally, &summary)).collect(),
            search: None,
            sweep: Vec::new(),
            series: Second::of(tally),
            curves: Curves::of(tally),
            overhead: None,
            run,
            summary,
        }
    }
}
