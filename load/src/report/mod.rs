//! What a run looks like: for programs, for a terminal, and as a page.

mod curve;
mod html;
mod html_charts;
mod json;
pub mod live;
mod series;
mod svg;
mod table;
pub mod text;

pub use curve::{Curve, Curves};
pub use html::html;
pub use json::{Report, RunInfo};
pub use series::Second;
pub use table::{points_table, report_table};
