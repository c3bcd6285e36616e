//! One of the two runs: a saved tally, or the JSON of a report.

use crate::measure::{Summary, Tally, TallyError};
use std::path::Path;

/// A run to compare.
#[derive(Debug)]
pub enum Side {
    /// From `--save`: with its histograms.
    Tally(Box<Tally>, Box<Summary>),
    /// From `--json`: figures and intervals.
    Summary(Box<Summary>),
}

/// Why a file is no run.
#[derive(Debug, thiserror::Error)]
pub enum SideError {
    /// A damaged tally.
    #[error(transparent)]
    Tally(#[from] TallyError),
    /// Can't be read.
    #[error("{0}: {1}")]
    File(String, std::io::Error),
    /// Something else.
    #[error("{0}: neither a file of `sluice load --save` nor the output of `sluice load --json`{1}")]
    Foreign(String, String),
}

impl Side {
    /// Reads either kind of file.
    ///
    /// # Errors
    /// When it can't be read or is neither.
    pub fn load(path: &Path) -> Result<Side, SideError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| SideError::File(name.clone(), error))?;
        let foreign = |why: String| SideError::Foreign(name.clone(), why);
        let value: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| foreign(format!(": {error}")))?;
        if value.get("sluice_load_tally").is_some() {
            return Ok(Side::of(Tally::load(path)?));
        }
        if value.get("ttft_ms").is_none() || value.get("sent").is_none() {
            return Err(foreign(String::new()));
        }
        let summary = serde_json::from_value(value).map_err(|error| foreign(format!(": {error}")))?;
        Ok(Side::Summary(Box::new(summary)))
    }

    /// A run at hand.
    pub fn of(tally: Tally) -> Side {
        let summary = Summary::of(&tally);
        Side::Tally(Box::new(tally), Box::new(summary))
    }

    /// Its figures.
    pub fn summary(&self) -> &Summary {
        match self {
            Side::Tally(_, summary) | Side::Summary(summary) => summary,
        }
    }
}
