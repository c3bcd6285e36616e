//! A pause that an engine has asked for: a replica's own, or that of all who share its quota.

use crate::time::Tick;

/// Until when nothing is to be sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cooldown {
    until: Tick,
}

impl Cooldown {
    /// Somebody asks for a pause of this length; too long ones are cut, and a longer one that runs is kept.
    pub fn ask(&mut self, retry_after_ms: u64, now: Tick) {
        self.extend(now.plus_ms(retry_after_ms.min(LONGEST_COOLDOWN_MS)));
    }

    /// Nothing is to be sent until then.
    pub fn extend(&mut self, until: Tick) {
        self.until = self.until.max(until);
    }

    /// Whether the pause lasts.
    pub fn is_on(&self, now: Tick) -> bool {
        now < self.until
    }

    /// When it ends or has ended.
    pub fn until(&self) -> Tick {
        self.until
    }
}

/// A pause is at most this long, whatever was asked for: one confused engine must not take itself out for a day.
pub const LONGEST_COOLDOWN_MS: u64 = 60_000;
/// The pause when none was named, or nothing that could be read.
pub const DEFAULT_COOLDOWN_MS: u64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_cut_and_the_longest_holds() {
        let mut cooldown = Cooldown::default();
        assert!(!cooldown.is_on(Tick(0)));
        let now = Tick(1_000);
        cooldown.ask(u64::MAX, now);
        cooldown.ask(5, now);
        assert!(cooldown.is_on(now.plus_ms(LONGEST_COOLDOWN_MS - 1)));
        assert!(!cooldown.is_on(now.plus_ms(LONGEST_COOLDOWN_MS)));
        cooldown.ask(0, now.plus_ms(70_000));
        assert!(!cooldown.is_on(now.plus_ms(70_000)));
    }
}
