//! Where work goes over to the dearer expert as the load on the cheap one's pool rises.

use super::*;

/// What a second is worth.
const PER_S: NanoUsd = NanoUsd(600_000);
const INPUT: u32 = 800;
const OUTPUT: u32 = 150;
/// What the dear expert costs more, by the prices of [`fleet`], in nano-USD.
const GAP: f64 = INPUT as f64 * 1_900.0 + OUTPUT as f64 * 3_800.0;
/// How long each load lasts, in seconds; the second half is looked at.
const LASTS: f64 = 240.0;

/// The second half of a run in which so many requests come each second.
fn settled(rate: f64, objective: Objective) -> Vec<Sample> {
    // Both experts keep the floor for it, so that money alone decides.
    let mut asked = asked(0.85, INPUT, OUTPUT);
    asked.ask.route = Arc::new(Route { objective, latency_per_s: PER_S, ..(*asked.ask.route).clone() });
    let mut world = world(pool("8b-a100", 1, 128, 10_000));
    world.pools[1] = pool("70b-4xh100", 8, 128, 10_000);
    let every = (SECOND as f64 / rate) as u64;
    let (samples, _) = carry_out(&world, vec![asked], evenly((rate * LASTS) as u64, every));
    let half = samples.len() / 2;
    samples.into_iter().skip(half).collect()
}

fn mean_s(samples: &[Sample], expert: &str) -> f64 {
    let times = samples.iter().filter(|sample| sample.who.expert == expert);
    let (sum, count) = times.fold((0.0, 0.0), |(sum, n), x| (sum + (x.ended - x.sent) as f64 / 1e9, n + 1.0));
    sum / count
}

/// The load at which the small expert is so slow that the objective is indifferent: measured, with all work there.
fn breaks_even() -> f64 {
    let big_s = mean_s(&settled(30.0, Objective::Joint), "big");
    let (mut low, mut high) = (1.0, 30.0);
    while high - low > 0.05 {
        let rate = (low + high) / 2.0;
        let lost = (mean_s(&settled(rate, Objective::Price), "small") - big_s) * PER_S.0 as f64;
        if lost > GAP { high = rate } else { low = rate }
    }
    low
}

#[test]
fn the_shift_to_the_dearer_expert_comes_where_the_objective_says() {
    let at = breaks_even();
    let kept = |rate: f64| {
        let samples = settled(rate, Objective::Joint);
        let small = samples.iter().filter(|sample| sample.who.expert == "small").count();
        rate * small as f64 / samples.len() as f64
    };
    let below = 0.9 * at;
    assert!(kept(below) > 0.99 * below, "below {at:.2}/s nothing goes to the dear one");
    for above in [1.1, 1.3, 1.6, 2.0] {
        let kept = kept(above * at);
        assert!((kept / at - 1.0).abs() <= 0.1, "{kept:.2}/s stay at {above} times the {at:.2}/s");
    }
}
