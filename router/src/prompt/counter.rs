//! Counts rows without allocating for any of them.

use super::grams::Gram;

/// The distinct rows of `rows` with how often each occurs, in the order of their first occurrence.
pub(super) fn counted(rows: &[u32]) -> Vec<Gram> {
    let mut grams: Vec<Gram> = Vec::with_capacity(rows.len());
    // An open hash table of places in `grams`, counted from 1, at most half full. A row is a hash already, so its low bits
    // say where to begin.
    let mut places = vec![0u32; (rows.len() * 2).next_power_of_two()];
    let mask = places.len() - 1;
    for &row in rows {
        let mut at = row as usize & mask;
        loop {
            match places[at].checked_sub(1) {
                None => {
                    grams.push(Gram::once(row));
                    places[at] = grams.len() as u32;
                    break;
                }
                Some(place) => {
                    let gram = &mut grams[place as usize];
                    if gram.row() == row {
                        *gram = gram.again();
                        break;
                    }
                    at = (at + 1) & mask;
                }
            }
        }
    }
    grams
}
