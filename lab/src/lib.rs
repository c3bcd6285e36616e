//! The offline side: graded outcomes become a router model, and a model is measured.

mod clock;
pub mod corpus;
mod escape;
mod eval;
mod measures;
mod oracle;
mod page;
mod perturb;
mod report;
mod scorecard;
mod slices;
mod thousands;
mod train;
mod tune;

pub use clock::Stopwatch;
pub use escape::escape;
pub use eval::{
    Calibrated, DomainCard, EvalAsk, EvalError, EvalReport, ExpertCard, FloorReport, LanguageCard,
    OracleReport, PairReport, SingleReport, eval_table, evaluate,
};
pub use measures::{MeanCi, PairCurve, auc, brier, ece, mean_ci, pair_curve};
pub use page::page;
pub use perturb::{ForceReport, KindReport, PerturbReport, perturb};
pub use report::train_table;
pub use scorecard::{
    ALL, Difficulty, Entry, Scorecards, Slice, markdown as scorecard_markdown, svg as scorecard_svg,
};
pub use thousands::thousands;
pub use train::{
    AddError, AddReport, Admission, Certified, DomainReport, ExpertReport, PanelReport, TrainError,
    TrainReport, add, add_table, train,
};
pub use tune::{
    Band, Point, Single, TuneAsk, TuneError, TuneReport, Uncertified, html as tune_html, tune, tune_table,
};
