//! The offline side: graded outcomes become a router model, and a model is measured.

mod clock;
pub mod corpus;
mod measures;
mod train;

pub use clock::Stopwatch;
pub use measures::{MeanCi, PairCurve, auc, brier, ece, mean_ci, pair_curve};
pub use train::{DomainReport, ExpertReport, PanelReport, TrainError, TrainReport, train};
