//! Samples become figures: counts that merge, percentiles with intervals, objectives and gates.

mod fairness;
mod figure;
mod gate;
mod hist;
mod interval;
mod series;
mod slice;
mod slo;
mod summary;
mod sums;
mod tally;

pub use fairness::Fairness;
pub use figure::{Figure, Time, Unit};
pub use gate::{Gate, GateReport};
pub use hist::Hist;
pub use interval::{CONFIDENCE, Interval};
pub use series::{Series, Stretch};
pub use slice::{By, Slice};
pub use slo::{Bound, BoundReport, Slo};
pub(crate) use summary::effect;
pub use summary::{PartSummary, Percentiles, Summary};
pub use sums::{PairSums, Sums};
pub use tally::{MOST_PARTS, OTHERS, Tally, TallyError, Tenant};

#[cfg(test)]
pub(crate) mod measure_tests;
