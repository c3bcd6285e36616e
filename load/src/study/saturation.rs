//! What one simulated replica can do at most, for stating loads as shares of it.

use crate::virtual_time::Length;
use sluice_sim::{Capacity, Event, Pool};

/// Requests a second of one saturated replica on these lengths: all are there at once, and the middle three fifths of
/// the ends are counted. 0 for fewer than ten.
pub fn requests_per_s(capacity: Capacity, lengths: &[Length]) -> f64 {
    let mut pool = Pool::new(capacity);
    for (id, length) in (0..).zip(lengths) {
        // One that never fits is not counted; nor would it be served.
        let _ = pool.submit(id, length.input, length.output);
    }
    let mut ends = Vec::with_capacity(lengths.len());
    while let Some(at) = pool.next_event() {
        let ended = pool.step(at).into_iter().filter_map(|event| match event {
            Event::Finished { at, .. } => Some(at),
            Event::First { .. } => None,
        });
        ends.extend(ended);
    }
    if ends.len() < 10 {
        return 0.0;
    }
    let (from, to) = (ends.len() / 5, ends.len() * 4 / 5);
    (to - from) as f64 * 1e9 / (ends[to] - ends[from]).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_sim::Profile;

    #[test]
    fn an_open_loop_just_below_is_served_and_one_above_is_not() {
        let capacity = Profile::named("8b-a100").unwrap().capacity;
        let length = Length { input: 1_000, output: 200 };
        let most = requests_per_s(capacity, &[length; 2_000]);
        let left = |rate: f64| {
            let mut pool = Pool::new(capacity);
            for id in 0..4_000u64 {
                pool.step((id as f64 * 1e9 / rate) as u64);
                pool.submit(id, length.input, length.output).unwrap();
            }
            pool.waiting()
        };
        assert!(left(0.9 * most) < 20 && left(1.2 * most) > 200, "{most}");
    }
}
