//! Why there is no certificate, in words that say what to do.

/// Why nothing is certified; the route is then served by its reference.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// No expert was named.
    #[error("no expert was named; name at least one that the model knows")]
    NoExperts,
    /// The model was trained without grades of these.
    #[error("the model has no grades of {}; leave them out, or train with rows that grade them", .0.join(", "))]
    UnknownExperts(Vec<String>),
    /// The reference isn't one of the experts.
    #[error("the reference {0} is not among the experts; add it or choose another")]
    ReferenceNotAmongExperts(String),
    /// No row grades all of them.
    #[error(
        "no calibration row grades all {asked} experts, so they can't be compared; {largest} experts have common \
         rows ({}{}): choose among them, or grade the others on the same prompts",
        names.join(", "), if names.len() < *largest { ", ..." } else { "" }
    )]
    NoCommonRows {
        /// How many experts were asked for.
        asked: usize,
        /// The size of the largest set of them that has common rows.
        largest: usize,
        /// The first of that set.
        names: Vec<String>,
    },
    /// The model doesn't tell this domain apart.
    #[error(
        "the model knows no domain {name:?}; it knows {}",
        if known.is_empty() { "none: train it with --domains".to_owned() } else { known.join(", ") }
    )]
    UnknownDomain {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Not enough rows to begin with.
    #[error("only {rows} calibration rows grade all experts, at least {needed} are needed: {} are missing", needed - rows)]
    TooFewRows {
        /// How many there are.
        rows: usize,
        /// How many it takes.
        needed: usize,
    },
    /// Not even the point that spends most is proven to keep the floor.
    #[error(
        "floor {floor} can't be proven with confidence {confidence} on {rows} calibration rows{}",
        match missing {
            Some(missing) => format!("; about {missing} more graded rows would do"),
            None => "; no choice among these experts reaches it: lower the floor or add better experts".to_owned(),
        }
    )]
    NotProven {
        /// The floor that was asked.
        floor: f64,
        /// The confidence that was asked.
        confidence: f64,
        /// How many rows there are.
        rows: usize,
        /// About how many more it takes; `None` when rows don't help.
        missing: Option<usize>,
    },
    /// What is proven costs no less than the reference alone.
    #[error("nothing that keeps the floor is cheaper than the reference alone")]
    NothingCheaper,
    /// The floor makes no sense.
    #[error("the floor {0} is not a number from 0 to 2")]
    BadFloor(String),
    /// The confidence makes no sense.
    #[error("the confidence {0} is not a number from 0.5 to below 1")]
    BadConfidence(String),
}
