//! Certificates: that they fail no more often than they say, and when they are refused.

use super::*;

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
/// easy rows, the middling one between. Predictions are the truth with noise.
fn world(rows: usize, seed: u64) -> Pairs {
    let mut draw = Draw(seed);
    Pairs::from_rows(
        3,
        (0..rows).map(|_| {
            let difficulty = draw.unit();
            let truths = [0.95 - 0.25 * difficulty, 0.97 - 0.5 * difficulty, 0.98 - 0.95 * difficulty];
            let costs = [1_000.0, 200.0, 20.0];
            let mut cells = vec![];
            for (truth, cost) in truths.into_iter().zip(costs) {
                let predicted = (truth + 0.2 * (draw.unit() - 0.5)).clamp(0.0, 1.0);
                let score = f64::from(u8::from(draw.unit() < truth));
                cells.push(((predicted, cost), score, cost));
            }
            cells
        }),
    )
}

fn ask(floor: f64, confidence: f64, by: CertifyBy) -> CertifyAsk<'static> {
    CertifyAsk { experts: &[], reference: "", floor, confidence, by }
}

/// In how many of `draws` calibration sets the certified choice truly breaks its floor, and the mean saving.
fn broken(draws: u64, rows: usize, ask: &CertifyAsk) -> (f64, f64) {
    let truth = world(100_000, 999);
    let (mut broken, mut saved) = (0, 0.0);
    for seed in 0..draws {
        if let Ok(certificate) = walk(&world(rows, seed), 0, ask) {
            let ratio = truth.quality_ratio(&truth.choose(certificate.lambda), 0);
            broken += u32::from(ratio < ask.floor - 1e-3); // the large world's own error
            saved += certificate.saved_pct;
        }
    }
    (f64::from(broken) / draws as f64, saved / draws as f64)
}

#[test]
fn certificates_fail_at_most_at_the_stated_rate() {
    let draws = 400;
    for (rows, confidence, by) in [
        (300, 0.9, CertifyBy::Auto),
        (1_500, 0.9, CertifyBy::Auto),
        (1_500, 0.95, CertifyBy::Auto),
        (1_500, 0.95, CertifyBy::Bets),
        (4_000, 0.8, CertifyBy::Auto),
    ] {
        let (rate, saved) = broken(draws, rows, &ask(0.97, confidence, by));
        let level = 1.0 - confidence;
        let allowed = level + 3.0 * (level * confidence / draws as f64).sqrt();
        assert!(rate <= allowed, "{rows} rows, {by:?} at {confidence}: broken in {rate}, allowed {allowed}");
        assert!(rows < 1_000 || saved > 10.0, "{rows} rows, {by:?} at {confidence}: saves only {saved} %");
    }
}

#[test]
fn without_a_margin_a_floor_is_about_a_coin_flip() {
    let (rate, saved) = broken(200, 1_500, &ask(0.97, 0.5, CertifyBy::Auto));
    assert!((0.3..=0.8).contains(&rate), "{rate}");
    let (_, with_margin) = broken(200, 1_500, &ask(0.97, 0.95, CertifyBy::Auto));
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
        path::path(&pairs, 24).iter().map(|(_, chosen)| pairs.expected_cost(chosen)).collect();
    assert!(costs.windows(2).all(|pair| pair[0] > pair[1]), "{costs:?}");
    assert!(costs.len() >= 20);
    assert!(
        costs.first().is_some_and(|&first| first > 500.0) && costs.last().is_some_and(|&last| last <= 20.0)
    );
}
