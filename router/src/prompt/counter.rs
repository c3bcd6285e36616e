//! Counts rows without allocating for any of them.

use super::grams::Gram;

/// The distinct rows of `rows` with how often each occurs, in the order of their first occurrence.
pub(super) fn counted(rows: &[u32]) -> Vec<Gram> {
    // An open hash table, at most half full. A row is a hash already, so its low bits say where to begin.
    let mut slots = vec![None::<Gram>; (rows.len() * 2).next_power_of_two()];
    let mask = slots.len() - 1;
    let mut filled: Vec<u32> = Vec::with_capacity(rows.len());
    for &row in rows {
        let mut at = row as usize & mask;
        loop {
            match slots[at] {
                None => {
                    slots[at] = Some(Gram::once(row));
                    filled.push(at as u32);
                    break;
                }
                Some(gram) if gram.row() == row => {
                    slots[at] = Some(gram.again());
                    break;
                }
                Some(_) => at = (at + 1) & mask,
            }
        }
    }
    filled.into_iter().filter_map(|at| slots[at as usize]).collect()
}
