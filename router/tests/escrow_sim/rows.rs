//! Rows of the fault matrix, each as a test named by its row.

use crate::story::{Faults, Flaw, Story, Transport};
use crate::tally::Tally;
use crate::world::{World, usd};
use sluice_router::{EscrowShare, Holder, Period, ShareRules, Unlawful, Vault};

/// Stories with one kind of fault alone.
fn stories(count: u64, faults: Faults, change: impl Fn(Story) -> Story) -> Tally {
    let mut sum = Tally::default();
    for seed in 0..count {
        let mut world = World::new(seed, |draws| change(Story { faults, ..Story::new(draws, Flaw::None) }));
        world.run().unwrap_or_else(|wrong| panic!("seed {seed} {wrong}"));
        sum.add(&world.tally);
    }
    sum
}

/// Clocks jump by up to an hour either way, over the end of a day too: no period grants more than it has.
#[test]
fn row_35_clocks_that_jump_grant_nothing_twice() {
    let faults = Faults { jumps: true, crash_ms: 3_000, ..Faults::default() };
    let sum = stories(200, faults, |story| Story { period: Period::Day, ..story });
    assert!(sum.jumps > 500 && sum.paid > 0, "{sum:#?}");
}

/// Gateways are cut off from the vault for longer than their shares live: they spend what they have, and when they are
/// heard of again it is counted, once.
#[test]
fn row_37_a_holder_cut_off_past_its_shares_life_is_counted_once() {
    let faults = Faults { partitions: true, ..Faults::default() };
    let sum = stories(200, faults, |story| story);
    assert!(sum.lost > 500 && sum.unattributed == 0, "nothing crashed, so nothing is unknown: {sum:#?}");
}

/// The same, step by step: with the share expired, with a late settlement, and with a later start of the gateway.
#[test]
fn row_37_a_late_settlement_is_neither_lost_nor_doubled() {
    let holder = |epoch| Holder { gateway: "a".to_owned(), epoch };
    let rules = ShareRules { holds_are_synced: true, life_ms: 1_000 };
    let mut vault = Vault::new(usd(100));
    let mut share = EscrowShare::new(holder(1), rules);
    let _short = share.hold(usd(40));
    let first = share.report(usd(40), false);
    share.answered(vault.report(&first, 0).unwrap());
    let hold = share.hold(usd(40)).unwrap();
    // Cut off past its life: listed, and still reserved.
    assert!(vault.outstanding(1_001)[0].is_expired);
    assert_eq!(vault.free(), usd(60));
    // It settles late. Its report counts, as often as it comes.
    share.settle(hold, usd(25));
    let late = share.report(usd(0), false);
    share.answered(vault.report(&late, 5_000).unwrap());
    let after_one = vault.clone();
    share.answered(vault.report(&late, 5_000).unwrap());
    assert_eq!((vault.spent(), &vault), (usd(25), &after_one));
    // A later start has closed it by the journal's word: what it says after that is refused, and is in the books.
    let hold = share.hold(usd(10)).unwrap();
    share.settle(hold, usd(10));
    let after = share.report(usd(0), true);
    vault.close(&holder(1), usd(35), usd(0)).unwrap();
    assert!(matches!(vault.report(&after, 6_000), Err(Unlawful::Fenced { epoch: 1, .. })));
    assert_eq!((vault.spent(), vault.unattributed(), vault.free()), (usd(35), usd(0), usd(65)));
}

/// Reports come twice, late and in any order: every settlement counts once.
#[test]
fn row_38_reports_that_are_repeated_reordered_or_late_count_once() {
    let faults = Faults { twice: 40, late: 20, lost: 5, ..Faults::default() };
    let sum = stories(200, faults, |story| Story { transport: Transport::Call, ..story });
    assert!(sum.twice > 5_000 && sum.late > 2_000, "{sum:#?}");
    assert_eq!(sum.unattributed, 0, "nothing crashed: all that was paid is booked as spent");
}
