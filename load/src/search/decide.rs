//! Which rate to try next: doubling, then bisection of the ratio, then once more.

/// The state of a search.
#[derive(Debug)]
pub(crate) struct Decide {
    start: f64,
    most: f64,
    tolerance: f64,
    /// Rates that held, the highest last, with how often.
    held: Vec<(f64, u32)>,
    missed: Option<f64>,
    probes: u32,
}

impl Decide {
    pub(crate) fn new(start: f64, most: f64, tolerance: f64) -> Decide {
        Decide { start: start.min(most), most, tolerance, held: Vec::new(), missed: None, probes: 0 }
    }

    /// The rate to try; `None` when the search is over.
    pub(crate) fn next(&self) -> Option<f64> {
        if self.probes >= MOST_PROBES {
            return None;
        }
        match (self.held.last().copied(), self.missed) {
            (None, None) => Some(self.start),
            (None, Some(missed)) => Some(missed / 2.0).filter(|rate| *rate >= self.start / LEAST),
            (Some((held, times)), None) if held >= self.most => (times < 2).then_some(held),
            (Some((held, _)), None) => Some((held * 2.0).min(self.most)),
            (Some((held, times)), Some(missed)) if missed <= held * (1.0 + self.tolerance) => {
                (times < 2).then_some(held)
            }
            (Some((held, _)), Some(missed)) => Some(libm::sqrt(held * missed)),
        }
    }

    /// What came of the rate that [`Decide::next`] gave.
    pub(crate) fn tell(&mut self, rate: f64, held: bool) {
        self.probes += 1;
        if !held {
            // A rate that held once and missed once doesn't hold.
            self.held.retain(|(other, _)| *other < rate);
            self.missed = Some(self.missed.map_or(rate, |missed| missed.min(rate)));
            return;
        }
        match self.held.last_mut() {
            Some((last, times)) if *last == rate => *times += 1,
            _ => self.held.push((rate, 1)),
        }
    }

    /// The highest rate that held twice, or once if the probes ran out.
    pub(crate) fn held(&self) -> Option<f64> {
        self.held.last().map(|(rate, _)| *rate)
    }

    /// The lowest rate that missed.
    pub(crate) fn missed(&self) -> Option<f64> {
        self.missed
    }
}

/// A search ends after so many probes, whatever it has.
const MOST_PROBES: u32 = 40;
/// How much lower than the first rate the search looks.
const LEAST: f64 = 1024.0;

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches where `holds` tells; the result and the probes it took.
    fn search(start: f64, most: f64, mut holds: impl FnMut(f64) -> bool) -> (Option<f64>, Option<f64>, u32) {
        let mut decide = Decide::new(start, most, 0.03);
        while let Some(rate) = decide.next() {
            decide.tell(rate, holds(rate));
        }
        (decide.held(), decide.missed(), decide.probes)
    }

    #[test]
    fn a_knee_is_found_within_the_tolerance_from_any_start() {
        for knee in [0.07, 1.0, 13.7, 400.0, 99_000.0] {
            for start in [1.0, 10.0, 50.0] {
                let (held, missed, probes) = search(start, 1e6, |rate| rate <= knee);
                let (held, missed) = (held.unwrap(), missed.unwrap());
                assert!(held <= knee && missed > knee && missed <= held * 1.03, "{knee}: {held} to {missed}");
                assert!(probes <= 26, "{probes}");
            }
        }
    }

    #[test]
    fn a_lucky_pass_does_not_stand() {
        // The first time that 90 to 110 is tried it holds, though 80 is the truth.
        let mut luck = 1;
        let (held, ..) = search(10.0, 1e6, |rate| {
            let lucky = (90.0..110.0).contains(&rate) && luck > 0;
            luck -= i32::from(lucky);
            rate <= 80.0 || lucky
        });
        assert!((76.0..=80.0).contains(&held.unwrap()), "{held:?}");
    }

    #[test]
    fn ends_are_said() {
        assert_eq!(search(10.0, 100.0, |_| true).0, Some(100.0));
        assert_eq!(search(10.0, 100.0, |_| true).1, None);
        assert_eq!(search(10.0, 100.0, |_| false).0, None);
        assert!(search(10.0, 100.0, |_| false).2 < 14);
    }
}
