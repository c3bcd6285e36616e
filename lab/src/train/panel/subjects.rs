//! What a panel's rows are about, by the source's own labels.

use crate::corpus::Row;
use std::collections::BTreeMap;

/// What the sources of some rows have in common, up to a dash: `zeroeval` of `zeroeval-crux` and `zeroeval-gsm`.
pub(super) fn common_name(rows: &[&Row]) -> String {
    let mut sources = rows.iter().map(|row| row.source.as_deref().unwrap_or(""));
    let Some(first) = sources.next() else { return String::new() };
    let parts = sources.fold(first.split('-').collect::<Vec<_>>(), |kept, source| {
        kept.into_iter().zip(source.split('-')).take_while(|(a, b)| a == b).map(|(part, _)| part).collect()
    });
    parts.join("-")
}

/// The subjects of a panel's rows, by name: the source's labels, rare ones in one class without a name.
pub(super) fn label(rows: &[&Row]) -> (Vec<String>, Vec<u32>) {
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    rows.iter().for_each(|row| *sizes.entry(row.label()).or_default() += 1);
    let mut common: Vec<(&str, usize)> =
        sizes.into_iter().filter(|(_, size)| *size >= LEAST_OF_SUBJECT).collect();
    common.sort_by_key(|(name, size)| (std::cmp::Reverse(*size), *name));
    common.truncate(MOST_SUBJECTS);
    let label =
        |row: &&Row| common.iter().position(|(name, _)| *name == row.label()).unwrap_or(common.len()) as u32;
    let labels: Vec<u32> = rows.iter().map(label).collect();
    let classes = labels.iter().max().map_or(1, |last| *last as usize + 1);
    let name = |at: usize| common.get(at).map_or("", |(name, _)| *name).to_owned();
    ((0..classes).map(name).collect(), labels)
}

const LEAST_OF_SUBJECT: usize = 5;
const MOST_SUBJECTS: usize = 127;
