//! The folds of the measurement: near-duplicates stand on the same side.

use crate::Set;
use sluice_lab::train;
use sluice_router::prompt_hash;
use std::collections::HashMap;

pub(crate) const FOLDS: u8 = 5;

/// Gives each row its fold, by the groups of near-duplicates that training finds over all sets.
pub(crate) fn assign(sets: &mut [Set]) -> Result<(), Box<dyn std::error::Error>> {
    let rows: Vec<_> = sets.iter().flat_map(|set| set.rows.iter().cloned()).collect();
    let (params, report) = train(&rows, &[], 1, &mut |_| {})?;
    let calibrations = || params.panels().map(|panel| &panel.calibration);
    // A group is named by its smallest prompt hash, so that folds don't hang on the order of files.
    let mut names: HashMap<u32, u64> = HashMap::new();
    for (&group, &prompt) in calibrations().flat_map(|rows| rows.groups.iter().zip(&rows.prompts)) {
        let name = names.entry(group).or_insert(prompt);
        *name = prompt.min(*name);
    }
    let grouped = calibrations().flat_map(|rows| rows.prompts.iter().zip(&rows.groups));
    let fold = |group: &u32| (names[group] % u64::from(FOLDS)) as u8;
    let folds: HashMap<u64, u8> = grouped.map(|(&prompt, group)| (prompt, fold(group))).collect();
    for set in sets {
        set.folds =
            set.rows.iter().map(|row| folds.get(&prompt_hash(&row.prompt)).copied().unwrap_or(0)).collect();
    }
    crate::figures::say(&format!("{} rows, trained on all in {:.1} s", report.rows, report.seconds));
    Ok(())
}
