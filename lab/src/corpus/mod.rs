//! What the offline side reads: graded outcomes, domain texts and prices, each mistake with its place and its mend.

mod decimal;
mod domains;
mod lines;
mod litellm;
mod outcomes;
mod prices;

pub use domains::{DomainText, load_domains};
pub use lines::{first_line, for_each as each_line};
pub use litellm::{ImportError, Imported, import_prices};
pub use outcomes::{Corpus, Outcome, Row, load_outcomes};
pub use prices::{Prices, find_prices, load_prices};

use std::path::PathBuf;

/// A file that can't be used: where it goes wrong, and how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// It can't be read.
    #[error("{}: {error}", file.display())]
    Read {
        /// Which file.
        file: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// A line is wrong.
    #[error("{}:{line}: {what}; {mend}", file.display())]
    Line {
        /// Which file.
        file: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
        /// What to do.
        mend: &'static str,
    },
    /// The whole file is wrong.
    #[error("{}: {what}; {mend}", file.display())]
    File {
        /// Which file.
        file: PathBuf,
        /// What is wrong.
        what: String,
        /// What to do.
        mend: &'static str,
    },
}
