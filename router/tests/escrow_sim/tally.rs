//! What there was of everything, over one story or many.

#[derive(Debug, Default, Clone)]
pub(crate) struct Tally {
    pub(crate) steps: u64,
    pub(crate) sent: u64,
    pub(crate) aborted: u64,
    pub(crate) crashes: u64,
    /// Gateways that never came back.
    pub(crate) gone: u64,
    /// Messages that were lost, came twice, came late.
    pub(crate) lost: u64,
    pub(crate) twice: u64,
    pub(crate) late: u64,
    pub(crate) jumps: u64,
    pub(crate) swaps: u64,
    pub(crate) swaps_refused: u64,
    pub(crate) closings: u64,
    /// Requests refused for want of money.
    pub(crate) refused: u64,
    /// Of these, requests that what is left of the budget would have covered.
    pub(crate) refused_though_left: u64,
    /// What was left then, at the first such of each story, in millionths of the budget; and the most of any story.
    pub(crate) stranded_ppm: Option<i64>,
    pub(crate) stories_stranded: u64,
    /// Nano-USD.
    pub(crate) paid: i64,
    pub(crate) unattributed: i64,
    pub(crate) overrun: i64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Tally) {
        for (own, other) in self.counts().into_iter().zip(other.clone().counts()) {
            *own += *other;
        }
        self.paid += other.paid;
        self.unattributed += other.unattributed;
        self.overrun += other.overrun;
        self.stories_stranded += u64::from(other.stranded_ppm.is_some());
        self.stranded_ppm = self.stranded_ppm.max(other.stranded_ppm);
    }

    fn counts(&mut self) -> [&mut u64; 14] {
        [
            &mut self.steps,
            &mut self.sent,
            &mut self.aborted,
            &mut self.crashes,
            &mut self.gone,
            &mut self.lost,
            &mut self.twice,
            &mut self.late,
            &mut self.jumps,
            &mut self.swaps,
            &mut self.swaps_refused,
            &mut self.closings,
            &mut self.refused,
            &mut self.refused_though_left,
        ]
    }

    /// A simulation in which something never happens proves nothing about it.
    pub(crate) fn must_have_met_everything(&mut self) {
        let unmet = self.counts().iter().position(|count| **count == 0);
        assert_eq!(unmet, None, "the count of this number is 0: {self:#?}");
        assert!(self.paid > 0 && self.unattributed > 0 && self.overrun > 0, "{self:#?}");
    }
}
