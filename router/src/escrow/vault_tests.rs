//! The common side of a budget, case by case.

use super::*;
use crate::NanoUsd;

fn usd(nano: i64) -> NanoUsd {
    NanoUsd(nano)
}

fn holder(gateway: &str, epoch: u64) -> Holder {
    Holder { gateway: gateway.to_owned(), epoch }
}

/// A report that needs `need`, of a start that has neither spent nor returned anything.
fn need(gateway: &str, number: u64, need: i64) -> ShareReport {
    let (spent, returned, waiting, need) = (usd(0), usd(0), usd(0), usd(need));
    ShareReport {
        holder: holder(gateway, 1),
        number,
        spent,
        returned,
        need,
        waiting,
        is_busy: false,
        life_ms: 1_000,
    }
}

fn used(gateway: &str, number: u64, spent: i64, returned: i64) -> ShareReport {
    ShareReport { spent: usd(spent), returned: usd(returned), ..need(gateway, number, 0) }
}

#[test]
fn what_is_needed_is_granted_to_the_last_nano_dollar() {
    let mut vault = Vault::new(usd(10));
    assert_eq!(vault.report(&need("a", 1, 9), 0).unwrap().granted, usd(9));
    assert_eq!(vault.report(&need("b", 1, 1), 0).unwrap().granted, usd(1));
    assert_eq!((vault.free(), vault.committed()), (usd(0), usd(10)));
    assert_eq!(vault.report(&need("b", 2, 1), 0).unwrap().granted, usd(1));
}

#[test]
fn who_is_busy_gets_a_tenth_of_its_part_and_ever_less_as_the_budget_runs_out() {
    let mut vault = Vault::new(usd(1_000));
    let busy = |number| ShareReport { is_busy: true, ..need("a", number, 1) };
    assert_eq!(vault.report(&busy(1), 0).unwrap().granted, usd(100));
    assert_eq!(vault.report(&busy(2), 0).unwrap().granted, usd(190));
    vault.report(&need("b", 1, 0), 0).unwrap();
    assert_eq!(vault.report(&busy(3), 0).unwrap().granted, usd(230), "two share what is left");
}

#[test]
fn all_that_wait_get_up_to_their_gateways_part_of_what_is_left() {
    let mut vault = Vault::new(usd(1_000));
    vault.report(&need("b", 1, 0), 0).unwrap();
    let waiting = |number, waiting| ShareReport { waiting: usd(waiting), ..need("a", number, 10) };
    assert_eq!(vault.report(&waiting(1, 300), 0).unwrap().granted, usd(300));
    assert_eq!(vault.report(&waiting(2, 900), 0).unwrap().granted, usd(650), "half of 700");
    // One that is hopeless doesn't keep those that need less from it.
    let hopeless = ShareReport { need: usd(5_000), ..waiting(3, 5_010) };
    assert_eq!(vault.report(&hopeless, 0).unwrap().granted, usd(825));
}

#[test]
fn a_report_that_comes_twice_or_late_changes_nothing() {
    let mut vault = Vault::new(usd(100));
    vault.report(&need("a", 1, 40), 0).unwrap();
    let newer = used("a", 3, 20, 10);
    vault.report(&newer, 0).unwrap();
    let after = vault.clone();
    for report in [&newer, &used("a", 2, 5, 0), &need("a", 1, 40)] {
        assert_eq!(vault.report(report, 0).unwrap().granted, usd(40));
        assert_eq!(vault, after);
    }
}

#[test]
fn more_than_was_granted_is_refused_and_changes_nothing() {
    let mut vault = Vault::new(usd(100));
    vault.report(&need("a", 1, 40), 0).unwrap();
    let before = vault.clone();
    for (spent, returned) in [(41, 0), (0, 41), (20, 21), (i64::MAX, i64::MAX), (i64::MAX, 1)] {
        let refused = vault.report(&used("a", 2, spent, returned), 0);
        assert!(matches!(refused, Err(Unlawful::TooMuch { granted: 40, .. })), "{refused:?}");
        assert_eq!(vault, before);
    }
    vault.report(&used("a", 2, i64::MIN, -1), 0).unwrap();
    assert_eq!((vault.free(), vault.adds_up()), (usd(60), true), "what was known stays known");
}

#[test]
fn amounts_at_the_ends_of_what_64_bits_hold_never_wrap() {
    let mut vault = Vault::new(usd(i64::MAX));
    assert_eq!(vault.report(&need("a", 1, i64::MAX), i64::MAX).unwrap().granted, usd(i64::MAX));
    assert_eq!(vault.report(&need("b", 1, i64::MAX), i64::MIN).unwrap().granted, usd(0));
    vault.report(&used("a", 2, 1, i64::MAX - 1), 0).unwrap();
    assert_eq!(vault.free(), usd(i64::MAX - 1));
    // A start whose grants have reached the end of the numbers gets no more; another start does.
    let again = ShareReport { need: usd(5), ..used("a", 3, 1, i64::MAX - 1) };
    assert_eq!(vault.report(&again, 0).unwrap().granted, usd(i64::MAX));
    assert_eq!(vault.report(&need("c", 1, 5), 0).unwrap().granted, usd(5));
    vault.fund(usd(i64::MIN));
    assert_eq!((vault.funded(), vault.free(), vault.adds_up()), (usd(0), usd(-6), true));
}

#[test]
fn a_closed_share_is_spent_or_unattributed_or_free_again() {
    let mut vault = Vault::new(usd(100));
    vault.report(&need("a", 1, 40), 0).unwrap();
    let closing = vault.close(&holder("a", 1), usd(10), usd(5)).unwrap();
    assert_eq!(closing, Closing { spent: usd(10), unattributed: usd(5), released: usd(25) });
    assert_eq!((vault.spent(), vault.unattributed(), vault.free()), (usd(10), usd(5), usd(85)));
    assert_eq!(vault.close(&holder("a", 1), usd(10), usd(5)).unwrap(), Closing::default(), "once");
    assert_eq!(vault.free(), usd(85));
}

#[test]
fn what_only_the_vault_knows_to_be_spent_is_unattributed() {
    let mut vault = Vault::new(usd(100));
    vault.report(&need("a", 1, 40), 0).unwrap();
    vault.report(&used("a", 2, 12, 20), 0).unwrap();
    // The journal lost the tail: by its word 3 were spent, and holds of 30 are open.
    let closing = vault.close(&holder("a", 1), usd(3), usd(30)).unwrap();
    assert_eq!(closing, Closing { spent: usd(3), unattributed: usd(17), released: usd(0) });
    vault.report(&need("b", 1, 40), 0).unwrap();
    vault.report(&used("b", 2, 12, 0), 0).unwrap();
    let closing = vault.close(&holder("b", 1), usd(3), usd(0)).unwrap();
    assert_eq!(closing, Closing { spent: usd(3), unattributed: usd(9), released: usd(28) });
}

#[test]
fn a_journal_that_knows_of_more_than_was_granted_closes_nothing() {
    let mut vault = Vault::new(usd(100));
    vault.report(&need("a", 1, 40), 0).unwrap();
    vault.report(&used("a", 2, 0, 20), 0).unwrap();
    let before = vault.clone();
    assert!(vault.close(&holder("a", 1), usd(21), usd(0)).is_err());
    assert_eq!(vault, before);
}

#[test]
fn a_start_is_fenced_off_by_its_closing_and_by_a_later_start() {
    let mut vault = Vault::new(usd(100));
    vault.report(&need("a", 1, 40), 0).unwrap();
    vault.close(&holder("a", 1), usd(0), usd(0)).unwrap();
    assert!(matches!(vault.report(&need("a", 2, 1), 0), Err(Unlawful::Fenced { epoch: 1, .. })));
    // One that never reported, whose first report comes after its successor's.
    let third = |number| ShareReport { holder: holder("a", 3), ..need("a", number, 1) };
    vault.report(&third(1), 0).unwrap();
    let second = ShareReport { holder: holder("a", 2), ..need("a", 1, 40) };
    assert!(matches!(vault.report(&second, 0), Err(Unlawful::Fenced { epoch: 2, .. })));
    assert_eq!((vault.free(), vault.earlier("a", 3)), (usd(99), vec![]));
    // A closing of one that has no share fences it off too.
    vault.close(&holder("b", 4), usd(0), usd(0)).unwrap();
    let fourth = ShareReport { holder: holder("b", 4), ..need("b", 1, 1) };
    assert!(vault.report(&fourth, 0).is_err());
}

#[test]
fn only_own_earlier_starts_are_listed_to_be_closed() {
    let mut vault = Vault::new(usd(100));
    for (gateway, epoch) in [("a", 1), ("b", 1), ("a", 2), ("a", 4)] {
        vault.report(&ShareReport { holder: holder(gateway, epoch), ..need(gateway, 1, 5) }, 0).unwrap();
    }
    assert_eq!(vault.earlier("a", 4), [1, 2]);
    assert_eq!(vault.free(), usd(80), "a share that is fenced off stays reserved until it is closed");
}

#[test]
fn below_what_is_out_nothing_is_granted_and_idle_money_is_called_back() {
    let mut vault = Vault::new(usd(100));
    vault.report(&need("a", 1, 60), 0).unwrap();
    vault.fund(usd(50));
    assert_eq!(vault.free(), usd(-10));
    let busy = ShareReport { is_busy: true, ..need("b", 1, 5) };
    let answer = vault.report(&busy, 0).unwrap();
    assert_eq!((answer.granted, answer.free, answer.part, answer.is_wanted), (usd(0), usd(0), usd(0), true));
    vault.report(&used("a", 2, 0, 30), 0).unwrap();
    assert_eq!(vault.report(&ShareReport { number: 2, ..busy }, 0).unwrap().granted, usd(5));
}

#[test]
fn of_two_in_want_the_first_gets_what_others_give_back() {
    let mut vault = Vault::new(usd(12));
    for gateway in ["a", "b"] {
        vault.report(&need(gateway, 1, 6), 0).unwrap();
    }
    let first = vault.report(&need("a", 2, 4), 0).unwrap();
    assert!(first.is_in_want && !first.is_wanted);
    let second = vault.report(&need("b", 2, 4), 0).unwrap();
    assert!(second.is_wanted && !second.is_in_want);
    vault.report(&ShareReport { need: usd(10), ..used("b", 3, 0, 6) }, 0).unwrap();
    let first = vault.report(&need("a", 3, 4), 0).unwrap();
    assert_eq!((first.granted, first.is_in_want), (usd(10), false));
}

#[test]
fn nobody_is_asked_to_give_back_for_one_whom_all_of_it_would_not_help() {
    let mut vault = Vault::new(usd(20));
    vault.report(&need("a", 1, 10), 0).unwrap();
    let answer = vault.report(&need("b", 1, 21), 0).unwrap();
    assert_eq!((answer.granted, answer.is_in_want), (usd(0), false));
    assert_eq!((answer.free, answer.elsewhere), (usd(10), usd(10)), "enough to know that it is hopeless");
    // What one holds that isn't heard of any more can't be had.
    let answer = vault.report(&need("b", 2, 11), 1_001).unwrap();
    assert_eq!((answer.elsewhere, answer.is_in_want), (usd(0), false));
}

#[test]
fn one_in_want_that_is_not_heard_of_is_forgotten() {
    let mut vault = Vault::new(usd(20));
    vault.report(&need("b", 1, 10), 0).unwrap();
    assert!(vault.report(&need("a", 1, 20), 0).unwrap().is_in_want);
    let wanted = (2..40).map(|number| vault.report(&need("b", number, 0), 0).unwrap().is_wanted);
    assert_eq!(wanted.take_while(|is_wanted| *is_wanted).count(), 15);
}

#[test]
fn an_expired_share_is_listed_and_stays_reserved() {
    let mut vault = Vault::new(usd(100));
    vault.report(&need("a", 1, 40), 500).unwrap();
    vault.report(&used("a", 2, 15, 0), 500).unwrap();
    let listed = |is_expired| Outstanding { holder: holder("a", 1), amount: usd(25), is_expired };
    assert_eq!(vault.outstanding(1_500), [listed(false)]);
    assert_eq!(vault.outstanding(1_501), [listed(true)]);
    assert_eq!(vault.free(), usd(60));
}

#[test]
fn a_vault_reads_as_it_was_written() {
    let mut vault = Vault::new(usd(100));
    vault.report(&need("b@c", 1, 40), 0).unwrap();
    vault.report(&need("a", 1, 70), 0).unwrap();
    vault.close(&holder("b@c", 1), usd(3), usd(2)).unwrap();
    vault.report(&ShareReport { holder: holder("b@c", 2), ..need("", 1, 1) }, 0).unwrap();
    let text = serde_json::to_string(&vault).unwrap();
    assert_eq!(serde_json::from_str::<Vault>(&text).unwrap(), vault, "{text}");
    assert!(serde_json::from_str::<Vault>("{}").is_err(), "nothing is not an empty vault");
}
