//! The offline side: graded outcomes become a router model, and a model is measured.

mod clock;
pub mod corpus;
mod escape;
mod eval;
mod measures;
mod page;
mod report;
mod train;

pub use clock::Stopwatch;
pub use escape::escape;
pub use eval::{DomainCard, EvalAsk, EvalError, EvalReport, ExpertCard, FloorReport, LanguageCard, evaluate};
pub use measures::{MeanCi, PairCurve, auc, brier, ece, mean_ci, pair_curve};
pub use page::page;
pub use report::{eval_table, train_table};
pub use train::{DomainReport, ExpertReport, PanelReport, TrainError, TrainReport, train};
