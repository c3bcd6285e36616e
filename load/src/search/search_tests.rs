//! A search against a queue whose knee is known.

use super::*;
use crate::measure::measure_tests::sample;
use std::convert::Infallible;
use std::future::Future as _;

/// A server of `per_s` requests a second, one at a time, first come first served; arrivals at random from a seed.
fn queue(probe: Probe, per_s: f64) -> Tally {
    let mut tally = Tally::new(None, Vec::new());
    let mut state = u64::from(probe.number) + 1;
    let (mut at, mut free) = (0.0, 0.0f64);
    for _ in 0..probe.requests {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let uniform = ((state >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        at -= libm::log(uniform) / probe.rate_rps;
        free = free.max(at) + 1.0 / per_s;
        tally.add(&sample((at * 1e3) as u64, ((free - at) * 1e3) as u64, 0, 1));
    }
    tally
}

fn found(slo: &str, per_s: f64) -> Found {
    let slo: Slo = slo.parse().unwrap();
    let ask =
        SearchAsk { slo, start_rps: 5.0, most_rps: 1e5, tolerance: 0.03, requests: 20_000, coarse_s: 10.0 };
    let run = async |probe: Probe| Ok::<_, Infallible>(Ran { tally: queue(probe, per_s), stop: None });
    let search = std::pin::pin!(find_max(&ask, run));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match search.poll(&mut context) {
        std::task::Poll::Ready(found) => found.unwrap(),
        std::task::Poll::Pending => panic!("the closure never waits"),
    }
}

#[test]
fn the_knee_of_a_queue_is_found_within_5_percent() {
    let found = found("ttft_p99=100ms", 100.0);
    let rate = found.rate_rps.unwrap();
    assert!((rate / knee(100.0, 0.1, 0.99) - 1.0).abs() < 0.05, "{rate} not {}", knee(100.0, 0.1, 0.99));
    assert!(found.missed_rps.unwrap() <= rate * 1.03);
    assert!(found.probes.iter().all(|probe| probe.held.is_some()));
    assert_eq!(found.probes.last().unwrap().held, Some(true));
}

/// The rate at which P(wait + 1 / per_s > limit) = 1 - q in an M/D/1 queue, by Erlang's exact sum.
fn knee(per_s: f64, limit_s: f64, q: f64) -> f64 {
    let within = |rate: f64| {
        let rho = rate / per_s;
        let x = (limit_s * per_s - 1.0).max(0.0);
        let mut sum = 0.0;
        let mut factorial = 1.0;
        for k in 0..=libm::floor(x + 1e-9) as u32 {
            if k > 0 {
                factorial *= f64::from(k);
            }
            let y = rho * (f64::from(k) - x);
            sum += y.powi(k as i32) / factorial * libm::exp(-y);
        }
        (1.0 - rho) * sum
    };
    let (mut low, mut high) = (0.0, per_s);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if within(middle) >= q { low = middle } else { high = middle }
    }
    low
}
