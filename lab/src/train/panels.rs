//! Graded rows sorted into panels: rows that the same experts were graded on.

use crate::corpus::Row;
use std::collections::BTreeMap;

/// Rows with the same experts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Group {
    /// Indices into the list of all experts, rising.
    pub(super) experts: Vec<u32>,
    /// Positions in the list of rows. Some may lack an expert's grade.
    pub(super) rows: Vec<usize>,
}

/// Splits rows by their set of experts.
///
/// A set with fewer than [`LEAST_ROWS`] rows joins the largest panel that has all of its experts; its missing grades
/// are left out of the fit. Rows without such a panel are returned as left over.
pub(super) fn split(rows: &[Row], experts: &[String]) -> (Vec<Group>, Vec<usize>) {
    let mut sets: BTreeMap<Vec<u32>, Vec<usize>> = BTreeMap::new();
    for (at, row) in rows.iter().enumerate() {
        let index =
            |name: &str| experts.binary_search_by(|known| known.as_str().cmp(name)).map(|at| at as u32);
        let set = row.outcomes.iter().map(|outcome| index(&outcome.expert).expect("every expert is listed"));
        let mut set: Vec<u32> = set.collect();
        set.sort_unstable();
        sets.entry(set).or_default().push(at);
    }
    let (large, small): (Vec<_>, Vec<_>) = sets.into_iter().partition(|(_, rows)| rows.len() >= LEAST_ROWS);
    let mut groups: Vec<Group> = large.into_iter().map(|(experts, rows)| Group { experts, rows }).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.rows.len()));
    let many = groups.split_off(groups.len().min(MOST_PANELS));
    let mut left_over: Vec<usize> = many.into_iter().flat_map(|group| group.rows).collect();
    for (set, rows) in small {
        let holds = |group: &&mut Group| set.iter().all(|expert| group.experts.binary_search(expert).is_ok());
        match groups.iter_mut().find(holds) {
            Some(group) => group.rows.extend(rows),
            None => left_over.extend(rows),
        }
    }
    (groups, left_over)
}

/// Fewer rows than this make no panel of their own.
pub(super) const LEAST_ROWS: usize = 50;
const MOST_PANELS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::Outcome;

    #[test]
    fn rare_sets_join_a_panel_that_has_their_experts() {
        let row = |names: &[&str]| Row {
            outcomes: names
                .iter()
                .map(|name| Outcome { expert: (*name).to_owned(), ..Outcome::default() })
                .collect(),
            ..Row::default()
        };
        let mut rows = vec![row(&["a", "b", "c"]); 60];
        rows.extend(vec![row(&["d", "a"]); 80]);
        rows.extend([row(&["c", "a"]), row(&["d", "b"])]);
        let experts: Vec<String> = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
        let (groups, left_over) = split(&rows, &experts);
        let sizes: Vec<(Vec<u32>, usize)> =
            groups.iter().map(|group| (group.experts.clone(), group.rows.len())).collect();
        assert_eq!(sizes, [(vec![0, 3], 80), (vec![0, 1, 2], 61)]);
        assert_eq!(left_over, [141]);
    }
}
