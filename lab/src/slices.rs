//! Rows by their own label of domain or language.

use crate::corpus::Row;
use std::collections::BTreeMap;

/// The row's domain; [`UNLABELLED`] without one.
pub(crate) fn domain(row: &Row) -> &str {
    row.domain.as_deref().unwrap_or(UNLABELLED)
}

/// The row's language; [`UNLABELLED`] without one.
pub(crate) fn language(row: &Row) -> &str {
    row.lang.as_deref().unwrap_or(UNLABELLED)
}

/// Positions of all rows by a label.
pub(crate) fn by<'a>(rows: &[&'a Row], label: fn(&Row) -> &str) -> BTreeMap<&'a str, Vec<usize>> {
    within(rows, &(0..rows.len()).collect::<Vec<_>>(), label)
}

/// Positions of some of the rows by a label.
pub(crate) fn within<'a>(
    rows: &[&'a Row],
    some: &[usize],
    label: fn(&Row) -> &str,
) -> BTreeMap<&'a str, Vec<usize>> {
    let mut found: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for &row in some {
        found.entry(label(rows[row])).or_default().push(row);
    }
    found
}

/// Rows without a label are counted under this.
pub(crate) const UNLABELLED: &str = "unlabelled";
