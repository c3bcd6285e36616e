//! The calibration rows that grade all experts, with their groups of near-duplicates.

use sluice_router::{Pairs, Params, Price, Refusal};
use std::collections::HashMap;

pub(super) struct Graded {
    pub(super) pairs: Pairs,
    /// The group of each row, numbered from 0 without gaps.
    pub(super) group_of: Vec<usize>,
}

impl Graded {
    pub(super) fn collect(params: &Params, experts: &[(&str, Price)]) -> Result<Graded, Refusal> {
        let pairs = Pairs::collect(params, experts)?;
        let mut numbers: HashMap<u32, usize> = HashMap::new();
        let mut group_of = Vec::with_capacity(pairs.len());
        for panel in params.panels() {
            let index = |(name, _): &(&str, Price)| {
                let id = params.experts().iter().position(|known| known == name)?;
                panel.experts.binary_search(&(id as u32)).ok()
            };
            // The same panels and rows in the same order as the pairs.
            let Some(columns) = experts.iter().map(index).collect::<Option<Vec<usize>>>() else { continue };
            let rows = &panel.calibration;
            for row in (0..rows.len()).filter(|&row| rows.has_grades(row, panel.experts.len(), &columns)) {
                let next = numbers.len();
                group_of.push(*numbers.entry(rows.groups[row]).or_insert(next));
            }
        }
        debug_assert_eq!(group_of.len(), pairs.len(), "groups are those of the pairs");
        Ok(Graded { pairs, group_of })
    }

    /// How many groups there are.
    pub(super) fn groups(&self) -> usize {
        self.group_of.iter().max().map_or(0, |most| most + 1)
    }
}
