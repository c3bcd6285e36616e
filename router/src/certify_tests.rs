//! Certificates: that they fail no more often than they say, and when they are refused.

use super::*;
use std::sync::OnceLock;

/// SplitMix64: the tests' own source of chance.
struct Draw(u64);

impl Draw {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// A world in which truth is known: each row has a difficulty; the dear expert is good everywhere, the cheap one on
/// easy rows, the middling one between. Predictions are the truth with noise. `alike` rows in a row form a group: they
/// have one difficulty, and with it one fate, of which each row departs with probability `apart`.
fn cells(rows: usize, seed: u64, alike: usize, apart: f64) -> impl Iterator<Item = (u32, Vec<Cell>)> {
    let mut draw = Draw(seed);
    let (mut difficulty, mut fates) = (0.0, [0.0; 3]);
    (0..rows).map(move |row| {
        if row % alike == 0 {
            difficulty = draw.unit();
            fates = [draw.unit(), draw.unit(), draw.unit()];
        }
        let truths = [0.95 - 0.25 * difficulty, 0.97 - 0.5 * difficulty, 0.98 - 0.95 * difficulty];
        let costs = [1_000.0, 200.0, 20.0];
        let mut cells = vec![];
        for ((truth, cost), fate) in truths.into_iter().zip(costs).zip(fates) {
            let predicted = (truth + 0.2 * (draw.unit() - 0.5)).clamp(0.0, 1.0);
            let fate = if draw.unit() < apart { draw.unit() } else { fate };
            cells.push(((predicted, cost), f64::from(u8::from(fate < truth)), cost));
        }
        ((row / alike) as u32, cells)
    })
}

fn grouped_world(rows: usize, seed: u64, alike: usize, apart: f64) -> Pairs {
    Pairs::from_grouped_rows(3, cells(rows, seed, alike, apart))
}

fn world(rows: usize, seed: u64) -> Pairs {
    grouped_world(rows, seed, 1, 1.0)
}

fn ask(floor: f64, confidence: f64, by: CertifyBy) -> CertifyAsk<'static> {
    CertifyAsk { experts: &[], reference: "", floor, confidence, by }
}

/// The true quality ratio along the path of a world that is large enough to be the truth.
struct Truth(Vec<(f64, f64)>);

impl Truth {
    /// Computed once for all tests.
    fn get() -> &'static Truth {
        static TRUTH: OnceLock<Truth> = OnceLock::new();
        TRUTH.get_or_init(|| {
            let world = world(300_000, 999);
            let ratio = |lambda| world.quality_ratio(&world.choose(lambda), 0);
            Truth(world.path(300).into_iter().map(|lambda| (lambda, ratio(lambda))).collect())
        })
    }

    fn ratio(&self, lambda: f64) -> f64 {
        let at = self.0.partition_point(|(point, _)| *point < lambda).min(self.0.len() - 1);
        self.0[at].1
    }
}

/// In what share of `draws` calibration sets the certified choice truly breaks its floor, and the mean saving.
fn broken(draws: u64, draw: impl Fn(u64) -> Pairs, ask: &CertifyAsk) -> (f64, f64) {
    let truth = Truth::get();
    let (mut broken, mut saved) = (0, 0.0);
    for seed in 0..draws {
        if let Ok(certificate) = walk(&draw(seed), 0, ask) {
            broken += u32::from(truth.ratio(certificate.lambda) < ask.floor - 5e-4); // the large world's own error
            saved += certificate.saved_pct;
        }
    }
    (f64::from(broken) / draws as f64, saved / draws as f64)
}

/// Over 2,000 draws no more may break than stated, and three standard errors.
fn check_rate(what: &str, draw: impl Fn(u64) -> Pairs, ask: &CertifyAsk, least_saved: f64) {
    let draws = 2_000;
    let (rate, saved) = broken(draws, draw, ask);
    let level = 1.0 - ask.confidence;
    let allowed = level + 3.0 * (level * ask.confidence / draws as f64).sqrt();
    assert!(rate <= allowed, "{what}: broken in {rate}, allowed {allowed}");
    assert!(saved >= least_saved, "{what}: saves only {saved} %");
}

#[test]
fn the_t_test_fails_at_most_at_the_stated_rate() {
    check_rate("1,000 rows", |seed| world(1_000, seed), &ask(0.97, 0.95, CertifyBy::Auto), 5.0);
    check_rate("3,000 rows", |seed| world(3_000, seed), &ask(0.97, 0.9, CertifyBy::Auto), 20.0);
}

#[test]
fn bets_fail_at_most_at_the_stated_rate() {
    for (rows, least_saved) in [(100, 0.0), (300, 1.0), (800, 10.0)] {
        let draw = |seed| world(rows, seed);
        check_rate(&format!("{rows} rows"), draw, &ask(0.95, 0.9, CertifyBy::Bets), least_saved);
    }
}

#[test]
fn near_duplicates_don_t_make_certificates_fail_more_often() {
    let auto = ask(0.97, 0.9, CertifyBy::Auto);
    let draw = |seed| grouped_world(4_000, seed, 4, 0.2);
    check_rate("1,000 groups of 4", draw, &auto, 20.0);
    let draw = |seed| grouped_world(900, seed, 3, 0.2);
    check_rate("300 groups of 3", draw, &ask(0.95, 0.9, CertifyBy::Bets), 1.0);
    // The same rows, each taken for a draw of its own, break their promise too often: that's what groups are for.
    let blind = |seed| Pairs::from_rows(3, cells(4_000, seed, 4, 0.2).map(|(_, cells)| cells));
    let (rate, _) = broken(500, blind, &auto);
    assert!(rate > 0.1, "{rate}");
}

#[test]
fn without_a_margin_a_floor_is_about_a_coin_flip() {
    let draw = |seed| world(1_500, seed);
    let (rate, saved) = broken(200, draw, &ask(0.97, 0.5, CertifyBy::Auto));
    assert!((0.3..=0.8).contains(&rate), "{rate}");
    let (_, with_margin) = broken(200, draw, &ask(0.97, 0.95, CertifyBy::Auto));
    assert!(saved > with_margin + 2.0, "the margin costs something: {saved} against {with_margin}");
}

#[test]
fn a_certificate_says_what_it_rests_on() {
    let pairs = world(2_000, 5);
    let certificate = walk(&pairs, 0, &ask(0.95, 0.95, CertifyBy::Auto)).expect("proven");
    assert_eq!((certificate.method.as_str(), certificate.rows), ("normal", 2_000));
    assert!(certificate.lambda > 0.0 && certificate.lower_bound > 0.0);
    assert!(certificate.quality_ratio > 0.95 && certificate.saved_pct > 30.0);
    let by_bets = walk(&pairs, 0, &ask(0.95, 0.95, CertifyBy::Bets)).expect("proven");
    assert_eq!(by_bets.method, "bets");
    assert!(by_bets.saved_pct <= certificate.saved_pct);
    assert_eq!(walk(&pairs, 0, &ask(0.95, 0.95, CertifyBy::Auto)), Ok(certificate));
    assert_eq!(walk(&world(500, 5), 0, &ask(0.9, 0.95, CertifyBy::Auto)).expect("proven").method, "bets");
}

#[test]
fn a_refusal_says_what_is_missing() {
    let refusal = walk(&world(80, 1), 0, &ask(0.999, 0.999, CertifyBy::Auto)).expect_err("too few rows");
    assert!(matches!(refusal, Refusal::NotProven { rows: 80, .. }), "{refusal}");
    let refusal = walk(&world(2_000, 1), 0, &ask(1.9, 0.95, CertifyBy::Auto)).expect_err("out of reach");
    assert!(matches!(refusal, Refusal::NotProven { missing: None, .. }), "{refusal}");
    let refusal =
        walk(&world(2_000, 1), 2, &ask(0.9, 0.95, CertifyBy::Auto)).expect_err("the cheapest is reference");
    assert_eq!(refusal, Refusal::NothingCheaper);
    assert!(check(&ask(f64::NAN, 0.95, CertifyBy::Auto)).is_err());
    assert!(check(&ask(0.9, 1.0, CertifyBy::Auto)).is_err());
}

#[test]
fn the_path_leads_from_dear_to_cheap_in_even_steps() {
    let pairs = world(3_000, 3);
    let costs: Vec<f64> =
        pairs.path(24).iter().map(|&lambda| pairs.expected_cost(&pairs.choose(lambda))).collect();
    assert!(costs.windows(2).all(|pair| pair[0] > pair[1]), "{costs:?}");
    assert_eq!(costs.len(), 24);
    let step = (costs[0] - costs[23]) / 23.0;
    let largest = costs.windows(2).map(|pair| pair[0] - pair[1]).fold(0.0f64, f64::max);
    assert!(largest < 1.2 * step, "{largest} against {step}");
    assert!(costs[0] > 500.0 && (costs[23] - 20.0).abs() < 1e-9, "{costs:?}");
}

#[test]
fn ties_and_dominated_experts_take_no_step() {
    // The second is dominated, the third as good as the first and cheaper; the last costs nothing and is worse.
    let row = || {
        vec![
            ((0.9, 50.0), 1.0, 50.0),
            ((0.5, 60.0), 1.0, 60.0),
            ((0.9, 40.0), 1.0, 40.0),
            ((0.2, 0.0), 0.0, 0.0),
        ]
    };
    let pairs = Pairs::from_rows(4, (0..10).map(|_| row()));
    let path = pairs.path(96);
    assert_eq!(path.len(), 2, "{path:?}");
    assert_eq!(pairs.choose(path[0]), [2; 10]);
    assert_eq!(pairs.choose(path[1]), [3; 10]);
}

#[test]
fn groups_stay_whole_when_rows_are_split_or_drawn_anew() {
    let pairs = grouped_world(1_200, 4, 3, 0.2);
    let (first, second) = pairs.split(1, 0.7);
    assert_eq!((first.len() % 3, first.groups() + second.groups()), (0, 400));
    assert!((250..310).contains(&first.groups()), "{}", first.groups());
    let drawn = pairs.resample(2);
    assert_eq!((drawn.len(), drawn.groups()), (1_200, 400));
    assert_ne!(drawn, pairs);
    assert!((drawn.mean_score(0) - pairs.mean_score(0)).abs() < 0.05);
    assert_eq!(pairs.resample(2), drawn);
}
