//! Counts rows without allocating for any of them.

use super::grams::Gram;

/// The distinct rows of `rows` with how often each occurs, in the order of their first occurrence. Leaves anything in
/// `rows`.
pub(super) fn counted(rows: &mut [u32]) -> Vec<Gram> {
    // An open hash table, at most half full. A row is a hash already, so its low bits say where to begin.
    let mut slots = vec![Gram::NONE; (rows.len() * 2).next_power_of_two()];
    let mask = slots.len() - 1;
    let mut count = 0;
    for read in 0..rows.len() {
        let row = rows[read];
        let mut at = row as usize & mask;
        while slots[at] != Gram::NONE && slots[at].row() != row {
            at = (at + 1) & mask;
        }
        let is_new = slots[at] == Gram::NONE;
        slots[at] = if is_new { Gram::once(row) } else { slots[at].again() };
        // What has been read gives room for the places. Written in any case, and kept if it is new: a jump here would be
        // guessed wrong too often.
        rows[count] = at as u32;
        count += usize::from(is_new);
    }
    rows[..count].iter().map(|&at| slots[at as usize]).collect()
}
