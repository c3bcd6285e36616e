//! Whether a replica fails where the pool's others don't: its share of failed answers against theirs.
//!
//! Failures in a row find a dead replica; this finds one that fails every second request. Where the others fail alike,
//! the fault is not the replica's, and taking it out would only load them more.

use super::Window;

/// Whether a replica with these last answers stands out from the pool's `others`.
pub(crate) fn stands_out<'a>(own: &Window, others: impl Iterator<Item = &'a Window>) -> bool {
    let add = |(failed, len), window: &Window| (failed + window.failed(), len + window.len());
    let (failed, len) = others.fold((0, 0), add);
    let (own_failed, own_len) = (own.failed(), own.len());
    let is_bad = own_len >= LEAST_ANSWERS && 2 * own_failed >= own_len;
    // At most half of its share: failed / len <= own_failed / own_len / 2, in integers.
    let others_are_well = len >= LEAST_ANSWERS && 2 * failed * own_len <= own_failed * len;
    is_bad && others_are_well
}

/// Fewer answers than this are no share to speak of.
const LEAST_ANSWERS: u32 = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Tick;

    fn window(good: u32, failed: u32) -> Window {
        let mut window = Window::default();
        (0..good).for_each(|_| window.add(true, Tick(1)));
        (0..failed).for_each(|_| window.add(false, Tick(1)));
        window
    }

    #[test]
    fn a_replica_stands_out_only_where_others_are_well_and_enough_is_known() {
        for (own, others, expected) in [
            ((12, 12), vec![(32, 0), (32, 0)], true),
            ((12, 12), vec![(24, 8)], true),
            ((13, 11), vec![(32, 0)], false),  // below half
            ((9, 9), vec![(32, 0)], false),    // too few of its own
            ((12, 12), vec![(10, 0)], false),  // too few of the others'
            ((12, 12), vec![(20, 12)], false), // the others fail too
            ((0, 24), vec![], false),          // nobody to compare with
        ] {
            let others: Vec<Window> = others.into_iter().map(|(good, failed)| window(good, failed)).collect();
            assert_eq!(stands_out(&window(own.0, own.1), others.iter()), expected, "{own:?} {others:?}");
        }
    }
}
