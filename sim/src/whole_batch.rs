//! An engine that takes whole batches: how long one takes.

/// The law `s(b) = base + per_item x b`: every row of a batch is answered when all are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WholeBatch {
    /// What any batch takes, in nanoseconds.
    pub base_ns: u64,
    /// What each of its rows adds, in nanoseconds.
    pub per_item_ns: u64,
    /// Most rows of one batch, at least 1.
    pub max_batch: usize,
}

impl WholeBatch {
    /// What a batch of so many rows takes, in nanoseconds, at least 1.
    pub fn batch_ns(&self, rows: usize) -> u64 {
        self.base_ns.saturating_add(self.per_item_ns.saturating_mul(rows as u64)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_takes_what_the_law_says() {
        let law = WholeBatch { base_ns: 8_000_000, per_item_ns: 500_000, max_batch: 64 };
        assert_eq!((law.batch_ns(1), law.batch_ns(64)), (8_500_000, 40_000_000));
        assert_eq!(WholeBatch { base_ns: 0, per_item_ns: 0, max_batch: 1 }.batch_ns(1), 1);
    }
}
