//! Every kind of arrivals: its rate, its order, its seed.

use super::*;

fn all(asked: &Asked) -> Vec<Planned> {
    let mut arrivals = plan(asked).unwrap();
    std::iter::from_fn(move || arrivals.next()).collect()
}

fn for_seconds(duration_s: f64) -> Asked {
    Asked { seed: 1, duration_s: Some(duration_s), ..Asked::default() }
}

/// Arrivals from `from` to `to`, in seconds.
fn count(planned: &[Planned], from: f64, to: f64) -> usize {
    planned.iter().filter(|one| (nanos(from)..nanos(to)).contains(&one.at)).count()
}

fn near(got: usize, want: f64) {
    // Five standard deviations of a Poisson count; the seed is fixed, so that this holds or doesn't.
    assert!((got as f64 - want).abs() <= 5.0 * want.sqrt().max(1.0), "{got} instead of {want}");
}

#[test]
fn open_loops_keep_their_rates() {
    near(all(&Asked { rate: Some(50.0), ..for_seconds(100.0) }).len(), 5_000.0);
    assert_eq!(all(&Asked { rate: Some(50.0), constant: true, ..for_seconds(10.0) }).len(), 500);
    let bursts = all(&Asked { rate: Some(50.0), burst: Some(3.0), ..for_seconds(1_000.0) });
    assert!((40_000..60_000).contains(&bursts.len()), "{}", bursts.len());

    let ramp = all(&Asked { ramp: Some((10.0, 90.0)), ..for_seconds(100.0) });
    near(ramp.len(), 5_000.0);
    near(count(&ramp, 0.0, 25.0), 500.0);
    near(count(&ramp, 75.0, 100.0), 2_000.0);
    let falling = all(&Asked { ramp: Some((90.0, 0.0)), ..for_seconds(100.0) });
    near(falling.len(), 4_500.0);
    near(count(&falling, 90.0, 100.0), 45.0);

    let steps = all(&Asked { steps: vec![10.0, 0.0, 100.0], ..for_seconds(90.0) });
    near(count(&steps, 0.0, 30.0), 300.0);
    assert_eq!(count(&steps, 30.0, 60.0), 0);
    near(count(&steps, 60.0, 90.0), 3_000.0);
}

#[test]
fn plans_are_in_order_and_the_same_for_the_same_seed() {
    let marks = Asked { tenants: vec![1.0, 3.0], cancel: 0.5, cancel_within_s: 1.0, ..for_seconds(20.0) };
    for asked in [
        Asked { rate: Some(30.0), ..marks.clone() },
        Asked { rate: Some(30.0), burst: Some(4.0), ..marks.clone() },
        Asked { ramp: Some((0.0, 50.0)), ..marks.clone() },
        Asked { steps: vec![5.0, 50.0], ..marks.clone() },
    ] {
        let planned = all(&asked);
        assert!(planned.is_sorted_by_key(|one| one.at) && planned.len() > 100);
        assert_eq!(planned, all(&asked));
        assert_ne!(planned, all(&Asked { seed: 2, ..asked }));
    }
}

#[test]
fn tenants_and_cancellations_have_their_shares() {
    let asked = Asked {
        rate: Some(100.0),
        tenants: vec![1.0, 3.0],
        cancel: 0.25,
        cancel_within_s: 2.0,
        ..for_seconds(100.0)
    };
    let planned = all(&asked);
    let share =
        |of: &dyn Fn(&&Planned) -> bool| planned.iter().filter(of).count() as f64 / planned.len() as f64;
    assert!((share(&|one| one.tenant == 1) - 0.75).abs() < 0.02);
    assert!((share(&|one| one.cancel_after.is_some()) - 0.25).abs() < 0.02);
    assert!(planned.iter().filter_map(|one| one.cancel_after).all(|after| after < 2_000_000_000));
    assert!(all(&Asked { tenants: Vec::new(), cancel: 0.0, ..asked }).iter().all(|one| one.tenant == 0));
}

fn trace() -> Arc<Trace> {
    let text = "arrival_s,input_tokens,output_tokens,session\n1,10,1,a\n\n3,30,3,b\n2,20,2,a\n4,40,4,\n";
    Arc::new(Trace::parse(text).unwrap())
}

#[test]
fn a_trace_keeps_its_times_or_scales_them() {
    let seconds = |asked: &Asked| -> Vec<f64> { all(asked).iter().map(|one| one.at as f64 / 1e9).collect() };
    let asked = Asked { trace: Some(trace()), ..Asked::default() };
    assert_eq!(seconds(&asked), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(seconds(&Asked { speed: Some(2.0), ..asked.clone() }), [0.5, 1.0, 1.5, 2.0]);
    assert_eq!(seconds(&Asked { duration_s: Some(2.5), ..asked.clone() }), [1.0, 2.0]);
    assert_eq!(seconds(&Asked { requests: Some(3), ..asked.clone() }).len(), 3);
    // Four requests in three seconds: at twice that rate the time runs twice as fast.
    assert_eq!(seconds(&Asked { rate: Some(8.0 / 3.0), ..asked.clone() }), [0.5, 1.0, 1.5, 2.0]);
    let sessions: Vec<Option<u64>> = all(&asked).iter().map(|one| one.session).collect();
    assert_eq!(sessions, [Some(0), Some(0), Some(1), None]);
}

#[test]
fn a_wrong_trace_says_which_line_and_why() {
    for (text, line, part) in [
        ("arrival_s,input_tokens\n1,2", 1, "no column output_tokens"),
        ("arrival_s,input_tokens,output_tokens\n", 1, "no rows"),
        ("arrival_s,input_tokens,output_tokens\n1,2,3\n\nx,2,3", 4, "\"x\" is no number"),
        ("arrival_s,input_tokens,output_tokens\n-1,2,3", 2, "below 0"),
        ("arrival_s,input_tokens,output_tokens\n1,2", 2, "output_tokens is missing"),
        ("arrival_s,input_tokens,output_tokens\n1,2,3.5", 2, "no whole number"),
    ] {
        let (got, what) = Trace::parse(text).unwrap_err();
        assert!(got == line && what.contains(part), "{text:?}: {got} {what}");
    }
}

#[test]
fn a_closed_loop_asks_again_after_each_answer() {
    let asked = Asked { concurrency: Some(2), think_s: 0.5, requests: Some(4), ..Asked::default() };
    let mut arrivals = plan(&asked).unwrap();
    let first = [arrivals.next().unwrap(), arrivals.next().unwrap()];
    assert!(arrivals.next().is_none());
    assert_eq!(first.map(|one| (one.at, one.prompt)), [(0, 0), (0, 1)]);
    let third = arrivals.follow(&first[1], 1_000, true).unwrap();
    assert_eq!((third.at, third.prompt), (500_001_000, 2));
    assert_eq!(arrivals.follow(&third, 2_000_000_000, false).unwrap().prompt, 3);
    assert!(arrivals.follow(&first[0], 3_000_000_000, true).is_none(), "four were asked for");
}

#[test]
fn a_user_who_failed_does_not_hammer() {
    let asked = Asked { concurrency: Some(1), duration_s: Some(9.0), ..Asked::default() };
    let mut arrivals = plan(&asked).unwrap();
    let first = arrivals.next().unwrap();
    assert_eq!(arrivals.follow(&first, 1_000, false).unwrap().at, 100_001_000);
}

#[test]
fn sessions_go_on_while_their_turns_succeed() {
    let asked = Asked { rate: Some(10.0), turns: Some(3), requests: Some(6), ..Asked::default() };
    let mut arrivals = plan(&asked).unwrap();
    let starts: Vec<Planned> = std::iter::from_fn(|| arrivals.next()).collect();
    assert_eq!(starts.iter().map(|one| one.prompt).collect::<Vec<_>>(), [0, 3]);
    let second = arrivals.follow(&starts[0], 7, true).unwrap();
    assert_eq!((second.prompt, second.session, second.at), (1, Some(0), 7));
    let third = arrivals.follow(&second, 8, true).unwrap();
    assert!(arrivals.follow(&third, 9, true).is_none());
    assert!(arrivals.follow(&starts[1], 9, false).is_none(), "a session whose turn failed is over");
}

#[test]
fn sessions_of_a_closed_loop_are_followed_by_others() {
    let asked = Asked { concurrency: Some(1), turns: Some(2), requests: Some(4), ..Asked::default() };
    let mut arrivals = plan(&asked).unwrap();
    let mut now = arrivals.next();
    let mut seen = Vec::new();
    while let Some(planned) = now {
        seen.push((planned.session, planned.prompt));
        now = arrivals.follow(&planned, planned.at + 1, true);
    }
    assert_eq!(seen, [(Some(0), 0), (Some(0), 1), (Some(1), 2), (Some(1), 3)]);
}

#[test]
fn what_is_missing_or_contradicts_is_said() {
    let rate = Asked { rate: Some(1.0), ..for_seconds(1.0) };
    let traced = Asked { trace: Some(trace()), ..Asked::default() };
    for (asked, part) in [
        (for_seconds(1.0), "nothing says when to send"),
        (Asked { duration_s: None, ..rate.clone() }, "give --duration or --requests"),
        (Asked { rate: Some(0.0), ..rate.clone() }, "--rate 0: must be above 0"),
        (Asked { rate: Some(f64::NAN), ..rate.clone() }, "must be above 0"),
        (Asked { concurrency: Some(1), ..rate.clone() }, "can't be both poisson and closed"),
        (Asked { steps: vec![1.0], ramp: Some((1.0, 2.0)), ..for_seconds(1.0) }, "both ramp and steps"),
        (Asked { burst: Some(2.0), ..for_seconds(1.0) }, "--burst needs --rate"),
        (Asked { ramp: Some((1.0, 2.0)), requests: Some(5), ..Asked::default() }, "--ramp needs --duration"),
        (Asked { ramp: Some((0.0, 0.0)), ..for_seconds(1.0) }, "one of them is above"),
        (Asked { concurrency: Some(0), ..for_seconds(1.0) }, "at least 1"),
        (Asked { speed: Some(2.0), ..rate.clone() }, "give --trace too"),
        (Asked { speed: Some(2.0), rate: Some(1.0), ..traced.clone() }, "give one of them"),
        (Asked { turns: Some(2), ..traced }, "leave --turns out"),
        (Asked { cancel: 1.5, ..rate }, "between 0 and 1"),
    ] {
        let error = plan(&asked).err().unwrap_or_else(|| panic!("{part}: must be refused"));
        assert!(error.contains(part), "{error} lacks {part}");
    }
}
