//! One gateway's side of a budget, case by case.

use super::share::MANY_HOLDS;
use super::*;
use crate::NanoUsd;

fn usd(nano: i64) -> NanoUsd {
    NanoUsd(nano)
}

fn share(holds_are_synced: bool) -> Share {
    let holder = Holder { gateway: "a".to_owned(), epoch: 1 };
    Share::new(holder, ShareRules { holds_are_synced, life_ms: 1_000 })
}

fn granted(granted: i64) -> VaultAnswer {
    VaultAnswer { granted: usd(granted), ..VaultAnswer::default() }
}

/// A share with a grant and a mark of all of it.
fn marked(amount: i64) -> Share {
    let mut share = share(false);
    share.answered(granted(amount));
    let mark = share.raise_due(usd(amount)).unwrap();
    share.marked(mark);
    share
}

#[test]
fn nothing_is_held_before_it_is_granted_and_marked() {
    let mut share = share(false);
    assert_eq!(share.hold(usd(5)), Err(Short::Grant { free: usd(0), held: usd(0) }));
    assert!(share.is_report_due());
    let report = share.report(usd(12), false);
    assert_eq!((report.need, report.waiting), (usd(5), usd(12)));
    share.answered(granted(100));
    assert_eq!(share.hold(usd(5)), Err(Short::Mark));
    let mark = share.raise_due(usd(5)).unwrap();
    assert_eq!(share.hold(usd(5)), Err(Short::Mark), "on its way is not durable");
    share.marked(mark);
    assert_eq!(share.hold(usd(5)).unwrap().amount(), usd(5));
}

#[test]
fn holds_that_are_synced_need_no_marks() {
    let mut share = share(true);
    share.answered(granted(10));
    let hold = share.hold(usd(10)).unwrap();
    assert_eq!(share.hold(usd(1)), Err(Short::Grant { free: usd(0), held: usd(10) }));
    assert_eq!((share.raise_due(usd(1)), share.lower_due(false)), (None, None));
    share.settle(hold, usd(4));
    assert_eq!((share.free(), share.spent(), share.held()), (usd(6), usd(4), usd(0)));
}

#[test]
fn a_hold_is_paid_at_most_and_the_rest_is_overrun() {
    let mut share = marked(100);
    for (cost, paid, released, overrun) in [(0, 0, 10, 0), (7, 7, 3, 0), (10, 10, 0, 0), (13, 10, 0, 3)] {
        let hold = share.hold(usd(10)).unwrap();
        let (paid, released, overrun) = (usd(paid), usd(released), usd(overrun));
        assert_eq!(share.settle(hold, usd(cost)), Settlement { paid, released, overrun });
    }
    let hold = share.hold(usd(10)).unwrap();
    assert_eq!(share.settle(hold, usd(-3)).paid, usd(0), "nobody is paid for an attempt");
    assert_eq!(share.spent(), usd(27));
}

/// Holds 10, with a higher mark where it is due.
fn held(share: &mut Share) -> Hold {
    loop {
        match share.hold(usd(10)) {
            Ok(hold) => return hold,
            Err(short) => assert_eq!(short, Short::Mark),
        }
        let mark = share.raise_due(usd(10)).unwrap();
        share.marked(mark);
    }
}

#[test]
fn a_mark_runs_ahead_by_the_window_and_no_more() {
    let mut share = share(false);
    share.answered(granted(1_000_000));
    let mut holds = Vec::new();
    for _ in 0..200 {
        holds.push(held(&mut share));
        assert!(share.mark() <= share.held() + share.window() + usd(10));
    }
    assert_eq!(share.window(), usd(2 * 2_000), "twice what is held at once");
    assert_eq!(share.lower_due(false), None);
}

#[test]
fn a_mark_comes_down_again_when_much_was_released() {
    let mut share = share(false);
    share.answered(granted(1_000_000));
    assert_eq!(share.hold(usd(10)), Err(Short::Mark));
    let mark = share.raise_due(usd(1_000)).unwrap();
    share.marked(mark);
    let holds: Vec<Hold> = (0..100).map(|_| share.hold(usd(10)).unwrap()).collect();
    for hold in holds {
        share.settle(hold, usd(1));
        if let Some(mark) = share.lower_due(false) {
            share.marked(mark);
        }
        assert!(share.mark() <= share.held() + share.spent() + share.window());
    }
    assert_eq!((share.spent(), share.window()), (usd(100), usd(2 * 1_000)));
    // Nobody asks for so much at once any more.
    (0..2 * MANY_HOLDS).for_each(|_| {
        let hold = share.hold(usd(10)).unwrap();
        share.settle(hold, usd(0));
    });
    assert_eq!(share.window(), usd(10 * WINDOW));
    let mark = share.lower_due(false).expect("it runs too far ahead");
    share.marked(mark);
    assert!(share.mark() <= usd(100 + 10 * WINDOW), "{share:?}");
}

#[test]
fn the_coming_and_going_of_many_requests_moves_no_mark() {
    let mut share = share(false);
    share.answered(granted(1_000_000));
    let mut marks = 0;
    for _ in 0..50 {
        let holds: Vec<Hold> = (0..100).map(|_| held(&mut share)).collect();
        for hold in holds {
            share.settle(hold, usd(0));
            for due in [share.lower_due(false), share.raise_due(usd(0))].into_iter().flatten() {
                share.marked(due);
                marks += 1;
            }
        }
        assert!(marks < 20, "{marks}");
    }
}

#[test]
fn all_that_wait_for_a_mark_are_counted_in() {
    let mut share = share(false);
    share.answered(granted(1_000_000));
    let mut marks = Vec::new();
    for _ in 0..64 {
        assert_eq!(share.hold(usd(10)), Err(Short::Mark));
        marks.extend(share.raise_due(usd(10)));
    }
    assert!(marks.len() > 1, "raised again and again, all of it in one commit");
    share.marked(*marks.last().unwrap());
    let holds: Vec<Hold> = (0..64).map(|_| share.hold(usd(10)).unwrap()).collect();
    assert_eq!(share.held(), usd(holds.len() as i64 * 10));
}

#[test]
fn a_mark_does_not_come_down_before_those_who_waited_for_it_have_tried_again() {
    let mut share = share(false);
    share.answered(VaultAnswer { is_wanted: true, ..granted(100) });
    assert_eq!(share.hold(usd(10)), Err(Short::Mark));
    let mark = share.raise_due(usd(10)).unwrap();
    share.marked(mark);
    assert_eq!((share.lower_due(false), share.waiting()), (None, usd(10)));
    let _hold = share.hold(usd(10)).unwrap();
    assert_eq!((share.lower_due(false), share.waiting()), (None, usd(0)));
    // One that has left meanwhile keeps the mark up until the next answer.
    assert_eq!(share.hold(usd(5)), Err(Short::Mark));
    let mark = share.raise_due(usd(5)).unwrap();
    share.marked(mark);
    assert_eq!(share.lower_due(false), None);
    share.answered(VaultAnswer { is_wanted: true, ..granted(100) });
    assert_eq!(share.lower_due(false).unwrap().amount, usd(10));
}

#[test]
fn a_lowered_mark_binds_at_once_and_frees_only_when_durable() {
    let mut share = marked(100);
    share.answered(VaultAnswer { is_wanted: true, ..granted(100) });
    let hold = share.hold(usd(10)).unwrap();
    assert_eq!(share.report(usd(0), false).returned, usd(0), "below the mark nothing is idle");
    let lower = share.lower_due(false).unwrap();
    assert_eq!(lower.amount, usd(10));
    assert_eq!(share.hold(usd(1)), Err(Short::Mark), "it binds at once");
    assert_eq!(share.report(usd(0), false).returned, usd(0), "a crash could leave the higher one");
    let raised = share.raise_due(usd(1)).unwrap();
    assert_eq!(raised.amount, usd(11), "while others are in want no more than is needed");
    share.marked(lower);
    assert!(share.is_report_due());
    assert_eq!(share.report(usd(0), false).returned, usd(89), "the raised one may be durable");
    share.marked(raised);
    let _more = share.hold(usd(1)).unwrap();
    share.settle(hold, usd(2));
    assert!(share.adds_up());
}

#[test]
fn answers_come_twice_and_in_any_order() {
    let mut share = share(true);
    let newer = VaultAnswer { number: 2, free: usd(3), ..granted(50) };
    share.answered(newer);
    assert_eq!(share.hold(usd(60)).ok(), None);
    for older in [VaultAnswer { number: 1, free: usd(90), ..granted(20) }, granted(30)] {
        share.answered(older);
        assert_eq!((share.free(), share.last_answer()), (usd(50), newer));
        assert!(share.is_report_due(), "what is needed now was not asked for then");
    }
    share.answered(newer);
    assert_eq!(share.free(), usd(50));
}

#[test]
fn all_that_is_idle_goes_back_at_the_end_and_what_is_held_stays() {
    let mut share = share(true);
    share.answered(granted(100));
    let hold = share.hold(usd(30)).unwrap();
    let report = share.report(usd(0), true);
    assert_eq!((report.returned, report.need, report.is_busy), (usd(70), usd(0), false));
    assert_eq!(share.report(usd(0), true).returned, usd(70), "a total: nothing goes back twice");
    share.settle(hold, usd(10));
    let report = share.report(usd(0), true);
    assert_eq!((report.returned, report.spent, share.free()), (usd(90), usd(10), usd(0)));
}

#[test]
fn an_end_in_order_leaves_no_mark_ahead() {
    let mut share = marked(100);
    let hold = share.hold(usd(10)).unwrap();
    share.settle(hold, usd(4));
    assert_eq!(share.lower_due(false), None);
    let last = share.lower_due(true).unwrap();
    assert_eq!((last.amount, share.is_lower_due(true)), (usd(4), false));
    share.marked(last);
    assert_eq!(share.report(usd(0), true).returned, usd(96));
}

#[test]
fn the_vault_is_asked_only_when_it_has_something_to_give_or_to_know() {
    let mut share = share(true);
    share.answered(VaultAnswer { free: usd(900), part: usd(90), ..granted(100) });
    let _hold = share.hold(usd(10)).unwrap();
    assert!(!share.is_report_due());
    let _hold = share.hold(usd(20)).unwrap();
    assert!(share.is_report_due(), "little is left, and a part would be worth it");
    share.answered(VaultAnswer { free: usd(100), part: usd(10), ..granted(100) });
    assert!(!share.is_report_due(), "a part would not hold one more");
    assert!(share.hold(usd(80)).is_err());
    assert!(share.is_report_due(), "more is needed");
    share.answered(VaultAnswer { is_in_want: true, ..granted(100) });
    assert!(share.is_report_due(), "it isn't needed any more, and nobody knows");
}

#[test]
fn amounts_at_the_ends_of_what_64_bits_hold_never_wrap() {
    let mut share = share(false);
    share.answered(granted(i64::MAX));
    assert_eq!(share.hold(usd(i64::MAX)), Err(Short::Mark));
    assert_eq!(share.hold(usd(i64::MAX)), Err(Short::Mark));
    let mark = share.raise_due(usd(i64::MAX)).unwrap();
    assert_eq!(mark.amount, usd(i64::MAX));
    share.marked(mark);
    let hold = share.hold(usd(i64::MAX)).unwrap();
    assert!(share.hold(usd(1)).is_err() && share.hold(usd(i64::MIN)).unwrap().amount() == usd(0));
    assert_eq!(share.settle(hold, usd(i64::MAX)).overrun, usd(0));
    assert!(share.adds_up() && share.lower_due(false).is_none());
}
