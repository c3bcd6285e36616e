//! Rows 48 to 50 of the fault matrix: overload, a tenant that floods, deadlines that can't be meant.

use super::*;
use sluice_load::virtual_time::Rank;
use sluice_router::Fleet;

/// One expert with one pool, so that nothing can go elsewhere.
pub(crate) fn alone() -> Vec<Asked> {
    let one = |n: u32| {
        let (input, output) = (100 + 37 * n % 300, 60 + 53 * n % 180);
        let mut asked = asked(0.9, input, output);
        let fleet = asked.ask.fleet.as_ref();
        asked.ask.fleet =
            Arc::new(Fleet { experts: vec![fleet.experts[0].clone()], pools: vec![fleet.pools[0].clone()] });
        asked.ask.route = Arc::new(Route {
            experts: vec![0],
            reference: 0,
            certificate: None,
            ..(*asked.ask.route).clone()
        });
        asked.ask.signals.experts.truncate(1);
        asked.lengths.truncate(1);
        asked.grades.truncate(1);
        asked
    };
    (0..16).map(one).collect()
}

const MAX_QUEUE: usize = 200;

fn pool_alone() -> World {
    let mut spec = pool("8b-a100", 2, 64, MAX_QUEUE);
    spec.line.limit = LimitRule::Adaptive;
    World { pools: vec![spec], ..world(spec) }
}

/// Poisson arrivals of tenants by their shares.
pub(crate) fn arriving(rate: f64, shares: &[f64], seconds: f64, seed: u64) -> Box<dyn Arrivals> {
    plan(arrivals::Asked {
        seed,
        rate: Some(rate),
        requests: Some((rate * seconds) as u64),
        tenants: shares.to_vec(),
        ..arrivals::Asked::default()
    })
}

pub(crate) fn quantile(mut values: Vec<u64>, q: f64) -> f64 {
    values.sort_unstable();
    values
        .get(((values.len() as f64 * q) as usize).min(values.len().saturating_sub(1)))
        .map_or(0.0, |ns| *ns as f64 / 1e9)
}

fn of_tenant(samples: &[Sample], tenant: u32) -> impl Iterator<Item = &Sample> {
    // Without the start, when everything is empty.
    samples.iter().filter(move |sample| sample.planned.tenant == tenant && sample.sent > 30 * SECOND)
}

/// Time in line of the answered requests of a tenant, at the 99th of 100, in seconds.
fn wait_p99(samples: &[Sample], tenant: u32) -> f64 {
    quantile(of_tenant(samples, tenant).filter(|s| s.is_ok()).filter_map(|s| s.queued).collect(), 0.99)
}

fn answered_per_s(samples: &[Sample]) -> f64 {
    let from = samples.iter().filter(|sample| sample.is_ok() && sample.ended > 30 * SECOND);
    let until = samples.iter().map(|sample| sample.sent).max().unwrap_or(0);
    from.filter(|sample| sample.ended < until).count() as f64 / ((until - 30 * SECOND) as f64 / 1e9)
}

const RATE: f64 = 40.0;

/// The rate that the pool answers when there is always something to do.
fn most_per_s() -> f64 {
    let (samples, _) = carry_out_plan(&pool_alone(), alone(), &mut *arriving(4.0 * RATE, &[1.0], 150.0, 1));
    answered_per_s(&samples)
}

#[test]
fn row_48_under_overload_goodput_stays_the_queue_is_bounded_and_the_higher_class_does_not_notice() {
    let most = most_per_s();
    // A tenth of what the pool can do is of a higher class.
    let run = |load: f64| {
        let ranks = vec![Rank::default(), Rank { priority: 1, ..Rank::default() }];
        let world = World { deadline: 20 * SECOND, tells_deadline: true, tenants: ranks, ..pool_alone() };
        let shares = [load - 0.1, 0.1];
        carry_out_plan(&world, alone(), &mut *arriving(load * most, &shares, 150.0, 2))
    };
    let peak = [0.8, 0.9, 1.0, 1.1].map(|load| answered_per_s(&run(load).0)).into_iter().fold(0.0, f64::max);
    let calm = quantile(of_tenant(&run(0.9).0, 1).filter_map(|s| Some(s.first? - s.sent)).collect(), 0.99);
    for load in [2.0, 10.0] {
        let (samples, totals) = run(load);
        let goodput = answered_per_s(&samples);
        assert!(goodput >= 0.9 * peak, "at {load}: {goodput:.1} of {peak:.1} per second");
        assert!(totals.most_open <= MAX_QUEUE + 2 * 8 * 64, "at {load}: {} open", totals.most_open);
        let waiting = samples.iter().filter_map(|sample| sample.queued).max().unwrap_or(0);
        assert!(waiting < 20 * SECOND, "at {load}: nobody waits beyond the deadline");
        let high = of_tenant(&samples, 1);
        let (sent, ok) = high.fold((0, 0), |(sent, ok), sample| (sent + 1, ok + usize::from(sample.is_ok())));
        assert!(ok * 100 >= sent * 99, "at {load}: {ok} of {sent} of the higher class");
        let first = quantile(of_tenant(&samples, 1).filter_map(|s| Some(s.first? - s.sent)).collect(), 0.99);
        assert!(first <= 2.0 * calm + 0.5, "at {load}: {first:.2} s against {calm:.2} s");
        let late: Vec<_> = of_tenant(&samples, 0).filter(|sample| !sample.is_ok()).collect();
        let at_once = late.iter().filter(|sample| sample.ended == sample.sent).count();
        assert!(at_once * 10 >= late.len() * 9, "at {load}: whoever can't be served is told at once");
    }
}

#[test]
fn row_49_a_flood_of_one_tenant_takes_nothing_from_another() {
    let share = most_per_s() / 2.0;
    let run = |flood: f64| {
        let shares = [flood, 1.0];
        let (samples, _) =
            carry_out_plan(&pool_alone(), alone(), &mut *arriving((flood + 1.0) * share, &shares, 300.0, 3));
        samples
    };
    let (calm, flooded) = (run(1.0), run(20.0));
    let served = |samples: &[Sample]| {
        let (sent, ok) = of_tenant(samples, 1).fold((0u32, 0), |(s, k), x| (s + 1, k + u32::from(x.is_ok())));
        f64::from(ok) / f64::from(sent)
    };
    assert!(served(&flooded) >= 0.9, "{:.3} of the other's share", served(&flooded));
    let (before, with) = (wait_p99(&calm, 1), wait_p99(&flooded, 1));
    assert!(
        with < 2.0 * before,
        "the other's p99 in line: {with:.2} s with the flood, {before:.2} s without"
    );
}

#[test]
fn row_50_deadlines_that_are_too_short_are_refused_and_absent_or_endless_ones_are_served() {
    let code = |sample: &Sample| match &sample.end {
        End::Failed { code, .. } => code.clone(),
        End::Done => "ok".to_owned(),
        End::Cancelled => "cancelled".to_owned(),
    };
    let run = |deadline: u64, tells_deadline: bool| {
        let world = World { deadline, tells_deadline, ..pool_alone() };
        carry_out(&world, alone(), evenly(40, SECOND)).0
    };
    // Already past: nothing is sent to an engine, nothing is paid.
    let past = run(0, true);
    assert!(past.iter().all(|s| !s.is_ok() && s.ended == s.sent && s.cost_nanousd == Some(0)));
    // A millisecond: the first may try, since nothing is known yet; the others are refused at once.
    let short = run(SECOND / 1_000, true);
    assert!(short.iter().all(|s| !s.is_ok() && s.ended <= s.sent + SECOND / 1_000));
    // None, and ten years: answered.
    assert!(run(600 * SECOND, false).iter().all(|s| code(s) == "ok"));
    assert!(run(10 * 365 * 86_400 * SECOND, true).iter().all(|s| code(s) == "ok"));
}
