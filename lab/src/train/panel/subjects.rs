//! What a panel's rows are about, by the source's own labels.

use crate::corpus::Row;
use std::collections::BTreeMap;

/// The subjects of a panel's rows: the source's labels, rare ones in one class.
pub(super) fn label(rows: &[&Row]) -> (usize, Vec<u32>) {
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    rows.iter().for_each(|row| *sizes.entry(row.label()).or_default() += 1);
    let mut common: Vec<(&str, usize)> =
        sizes.into_iter().filter(|(_, size)| *size >= LEAST_OF_SUBJECT).collect();
    common.sort_by_key(|(name, size)| (std::cmp::Reverse(*size), *name));
    common.truncate(MOST_SUBJECTS);
    let label =
        |row: &&Row| common.iter().position(|(name, _)| *name == row.label()).unwrap_or(common.len()) as u32;
    let labels: Vec<u32> = rows.iter().map(label).collect();
    (labels.iter().max().map_or(1, |last| *last as usize + 1), labels)
}

const LEAST_OF_SUBJECT: usize = 5;
const MOST_SUBJECTS: usize = 127;
