//! Which rate to try next: doubling in coarse steps, then bisection of the ratio, then once more.

/// The state of a search.
#[derive(Debug)]
pub(crate) struct Decide {
    start: f64,
    most: f64,
    tolerance: f64,
    /// Rates that held, the highest last, with how many full probes said so.
    held: Vec<(f64, u32)>,
    missed: Option<Try>,
    probes: u32,
}

/// A rate to try.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Try {
    pub(crate) rate: f64,
    /// Whether a few requests are enough: the way up is only to come near. What it says of either end is checked by a
    /// full probe.
    pub(crate) is_coarse: bool,
}

impl Decide {
    pub(crate) fn new(start: f64, most: f64, tolerance: f64) -> Decide {
        Decide { start: start.min(most), most, tolerance, held: Vec::new(), missed: None, probes: 0 }
    }

    /// The rate to try; `None` when the search is over.
    pub(crate) fn next(&self) -> Option<Try> {
        if self.probes >= MOST_PROBES {
            return None;
        }
        let coarse = |rate: f64| Some(Try { rate, is_coarse: true });
        let full = |rate: f64| Some(Try { rate, is_coarse: false });
        match (self.held.last().copied(), self.missed) {
            (None, None) => coarse(self.start),
            (Some((held, times)), None) if held >= self.most => full(held).filter(|_| times < 2),
            (Some((held, _)), None) => coarse((held * 2.0).min(self.most)),
            (_, Some(Try { rate, is_coarse: true })) => full(rate),
            (None, Some(missed)) => coarse(missed.rate / 2.0).filter(|next| next.rate >= self.start / LEAST),
            (Some((held, times)), Some(missed)) if missed.rate <= held * (1.0 + self.tolerance) => {
                full(held).filter(|_| times < 2)
            }
            (Some((held, _)), Some(missed)) => full(libm::sqrt(held * missed.rate)),
        }
    }

    /// What came of what [`Decide::next`] gave.
    pub(crate) fn tell(&mut self, tried: Try, held: bool) {
        self.probes += 1;
        let Try { rate, is_coarse } = tried;
        if !held {
            // A rate that held once and missed once doesn't hold.
            self.held.retain(|(other, _)| *other < rate);
            self.missed = Some(tried);
            return;
        }
        // The coarse probe was too harsh.
        if self.missed.is_some_and(|missed| missed.rate <= rate) {
            self.missed = None;
        }
        match self.held.last_mut() {
            Some((last, times)) if *last == rate => *times += u32::from(!is_coarse),
            _ => self.held.push((rate, u32::from(!is_coarse))),
        }
    }

    /// The highest rate that held in two full probes, or fewer if the probes ran out.
    pub(crate) fn held(&self) -> Option<f64> {
        self.held.last().map(|(rate, _)| *rate)
    }

    /// The lowest rate that missed.
    pub(crate) fn missed(&self) -> Option<f64> {
        self.missed.map(|missed| missed.rate)
    }
}

/// A search ends after so many probes, whatever it has.
const MOST_PROBES: u32 = 40;
/// How much lower than the first rate the search looks.
const LEAST: f64 = 32.0;

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches where `holds` tells; the result and the probes it took.
    fn search(start: f64, most: f64, mut holds: impl FnMut(Try) -> bool) -> (Option<f64>, Option<f64>, u32) {
        let mut decide = Decide::new(start, most, 0.03);
        while let Some(next) = decide.next() {
            decide.tell(next, holds(next));
        }
        (decide.held(), decide.missed(), decide.probes)
    }

    #[test]
    fn a_knee_is_found_within_the_tolerance_from_any_start() {
        for knee in [2.0, 13.7, 400.0, 99_000.0] {
            for start in [1.0, 10.0, 50.0] {
                let (held, missed, probes) = search(start, 1e6, |next| next.rate <= knee);
                let (held, missed) = (held.unwrap(), missed.unwrap());
                assert!(held <= knee && missed > knee && missed <= held * 1.03, "{knee}: {held} to {missed}");
                assert!(probes <= 30, "{probes}");
            }
        }
    }

    #[test]
    fn a_lucky_pass_does_not_stand() {
        // The first full probe above 80 holds, though 80 is the truth.
        let mut luck = 1;
        let (held, ..) = search(10.0, 1e6, |next| {
            let lucky = !next.is_coarse && (80.1..110.0).contains(&next.rate) && luck > 0;
            luck -= i32::from(lucky);
            next.rate <= 80.0 || lucky
        });
        assert!((76.0..=80.0).contains(&held.unwrap()), "{held:?}");
    }

    #[test]
    fn coarse_probes_that_are_wrong_either_way_do_not_decide() {
        for coarse in [20.0, 700.0] {
            let (held, ..) =
                search(10.0, 1e6, |next| next.rate <= if next.is_coarse { coarse } else { 150.0 });
            assert!((145.0..=150.0).contains(&held.unwrap()), "{coarse}: {held:?}");
        }
    }

    #[test]
    fn ends_are_said() {
        assert_eq!(search(10.0, 100.0, |_| true).0, Some(100.0));
        assert_eq!(search(10.0, 100.0, |_| true).1, None);
        assert_eq!(search(10.0, 100.0, |_| false).0, None);
        assert!(search(10.0, 100.0, |_| false).2 < 26);
    }
}
