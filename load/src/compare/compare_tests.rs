//! How often chance alone looks significant, and whether real differences are found.

use super::*;
use crate::Random;
use crate::measure::Tally;
use crate::measure::measure_tests::sample;

/// `n` requests with exponential first tokens of `mean_ms`, scores of 0 or 1 and a cost that varies.
fn run(random: &mut Random, n: u64, mean_ms: f64, quality: f64, cost: f64) -> Tally {
    let mut tally = Tally::new(Some("ttft_p90=300ms".parse().unwrap()), Vec::new());
    for at in 0..n {
        let mut one = sample(at * 10, (mean_ms * random.exponential()) as u64, 20, 3);
        one.quality = Some(if random.unit() < quality { 1.0 } else { 0.0 });
        one.cost_nanousd = Some((cost * 1e6 * (0.5 + random.unit())) as i64);
        tally.add(&one);
    }
    tally
}

#[test]
fn equal_runs_differ_in_about_one_of_twenty() {
    let mut random = Random::new(7, 0);
    let (pairs, mut found) = (150, std::collections::BTreeMap::<String, u32>::new());
    for _ in 0..pairs {
        let mut side = || Side::of(run(&mut random, 700, 100.0, 0.8, 1.0));
        let (a, b) = (side(), side());
        for row in compare(&a, &b).rows {
            *found.entry(row.figure.clone()).or_default() += u32::from(row.is_significant());
        }
    }
    // Of 150 at 5 %: 7.5 expected; more than 16 has probability below 0.3 %.
    for figure in ["ttft_p50", "ttft_p90", "ttft_p99", "quality", "cost_per_1k", "goodput_share"] {
        assert!(found[figure] <= 16, "{figure}: {} of {pairs}", found[figure]);
    }
    let sum: u32 =
        ["ttft_p50", "ttft_p90", "quality", "cost_per_1k"].iter().map(|figure| found[*figure]).sum();
    assert!(sum >= 10, "far fewer than 5 % means a blunt test: {found:?}");
}

#[test]
fn real_differences_are_found_with_their_direction() {
    let mut random = Random::new(3, 0);
    let a = Side::of(run(&mut random, 4000, 100.0, 0.9, 1.0));
    let b = Side::of(run(&mut random, 4000, 120.0, 0.8, 0.7));
    let comparison = compare(&a, &b);
    for worse in ["ttft_p50", "ttft_p90", "ttft_p99", "quality", "goodput_share"] {
        assert!(comparison.worse.iter().any(|figure| figure == worse), "{worse}: {comparison:?}");
    }
    assert!(comparison.better.contains(&"cost_per_1k".to_owned()), "{:?}", comparison.better);
    let table = compare_table(&comparison);
    assert!(
        table.contains("yes, worse") && table.contains("yes, better") && table.contains("no (p ="),
        "{table}"
    );
    // The figures alone, without histograms, say the same.
    let bare = |side: &Side| Side::Summary(Box::new(side.summary().clone()));
    assert_eq!(compare(&bare(&a), &bare(&b)).worse, comparison.worse);
}

#[test]
fn files_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let tally = run(&mut Random::new(1, 0), 100, 50.0, 0.5, 1.0);
    let path = folder.path().join("a.json");
    tally.save(&path).unwrap();
    assert!(matches!(Side::load(&path).unwrap(), Side::Tally(..)));
    std::fs::write(&path, serde_json::to_string(&Summary::of(&tally)).unwrap()).unwrap();
    assert!(matches!(Side::load(&path).unwrap(), Side::Summary(_)));
    for text in ["{\"requests\": 1}", "[", "{\"sluice_load_tally\": 1}"] {
        std::fs::write(&path, text).unwrap();
        let error = Side::load(&path).unwrap_err().to_string();
        assert!(error.contains("a.json") && error.contains("--save"), "{error}");
    }
}
