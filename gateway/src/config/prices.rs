//! What experts charge, from when on.

use sluice_router::Price;

/// The prices of every expert in nano-USD, over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PriceList {
    /// In the experts' order, each list with the moment from which on it holds, in milliseconds since 1970. Rising; the
    /// first one holds before its moment too.
    since: Vec<(i64, Vec<Price>)>,
}

impl PriceList {
    /// Lists in the order of their moments; at least one.
    pub(super) fn new(since: Vec<(i64, Vec<Price>)>) -> PriceList {
        PriceList { since }
    }

    /// What is charged at a moment.
    pub(crate) fn at(&self, unix_ms: i64) -> &[Price] {
        let begun = self.since.iter().rev().find(|(from, _)| *from <= unix_ms);
        begun.or(self.since.first()).map_or(&[], |(_, prices)| prices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_price_holds_until_the_next_and_the_first_one_before_it_too() {
        let price = |input| vec![Price { input, ..Price::default() }];
        let list = PriceList::new(vec![(10, price(1)), (20, price(1)), (30, price(2)), (40, price(1))]);
        for (at, input) in [(i64::MIN, 1), (10, 1), (29, 1), (30, 2), (39, 2), (40, 1), (i64::MAX, 1)] {
            assert_eq!(list.at(at), price(input), "{at}");
        }
    }
}
