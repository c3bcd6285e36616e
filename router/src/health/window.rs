//! The last answers of a replica: which of them failed.

use crate::time::Tick;

/// The last [`LENGTH`] answers, as long as none is much older than the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Window {
    /// One bit for each, the newest lowest; 1 means failed.
    bits: u32,
    len: u32,
    last: Tick,
}

impl Window {
    pub(crate) fn add(&mut self, is_good: bool, now: Tick) {
        if now.since_ms(self.last) > FORGET_AFTER_MS {
            *self = Window::default();
        }
        self.bits = self.bits << 1 | u32::from(!is_good);
        self.len = (self.len + 1).min(LENGTH);
        self.last = now;
    }

    /// How many answers it holds.
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// How many of them failed.
    pub(crate) fn failed(&self) -> u32 {
        self.bits.count_ones()
    }
}

/// Answers that a window holds: as many as its word has bits.
const LENGTH: u32 = u32::BITS;
/// After a silence of this length the answers before it tell nothing of today.
const FORGET_AFTER_MS: f64 = 60_000.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_leave_and_a_silence_forgets() {
        let mut window = Window::default();
        for n in 0..40u64 {
            window.add(n >= 8 + 16, Tick(0).plus_ms(n));
        }
        assert_eq!((window.len(), window.failed()), (32, 16));
        window.add(true, Tick(0).plus_ms(61_000));
        assert_eq!((window.len(), window.failed()), (1, 0));
    }
}
