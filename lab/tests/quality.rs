//! Gates on real graded outcomes, where they are present: a change that hurts routing fails here.

use sluice_lab::corpus::{Row, load_outcomes, load_prices};
use sluice_lab::{EvalAsk, EvalReport, evaluate, train};
use sluice_router::prompt_hash;
use std::io::Write as _;
use std::path::PathBuf;

/// The folder with `quality/`, `domains/` and `prices.toml`; `None` with a loud line when it isn't there.
fn data() -> Option<PathBuf> {
    let found = std::env::var_os("SLUICE_EVAL_DATA").map(PathBuf::from).filter(|folder| folder.is_dir());
    if found.is_none() {
        // Not `eprintln!`, which the test runner would keep to itself.
        let line = "SKIPPED: set SLUICE_EVAL_DATA to a folder with quality/, domains/ and prices.toml";
        let _ = writeln!(std::io::stderr(), "{line}");
    }
    found
}

/// Trains on half of a file, measures on the other half.
fn halves(folder: &std::path::Path, file: &str, reference: &str) -> EvalReport {
    let rows = load_outcomes(&[folder.join("quality").join(file)]).expect("a valid file").rows;
    let (seen, unseen): (Vec<Row>, Vec<Row>) =
        rows.into_iter().partition(|row| prompt_hash(&row.prompt).is_multiple_of(2));
    let (params, _) = train(&seen, &[], 1, &mut |_| {}).expect("enough rows");
    let prices = load_prices(&folder.join("prices.toml")).expect("valid prices");
    let ask = EvalAsk {
        reference: Some(reference.to_owned()),
        floors: vec![0.9, 0.95, 0.98],
        confidence: 0.95,
        ..EvalAsk::default()
    };
    evaluate(&params, &unseen, &prices, &ask).expect("the halves fit together")
}

/// `least_saved` is what floor 0.9 must save at least, in percent.
fn check(file: &str, reference: &str, least_saved: f64) {
    let Some(folder) = data() else { return };
    let report = halves(&folder, file, reference);
    assert_eq!(report.seen_rows, 0);
    // Grades of 0 or 1: always predicting the mean has Brier mean * (1 - mean). Scores between have less.
    let gain = |card: &sluice_lab::ExpertCard| card.mean_score * (1.0 - card.mean_score) - card.brier;
    let gains: f64 = report.experts.values().map(gain).sum::<f64>() / report.experts.len() as f64;
    assert!(gains > 0.01, "{file}: predictions are hardly better than the mean ({gains:.4})");
    let ece: f64 = report.experts.values().map(|card| card.ece).sum::<f64>() / report.experts.len() as f64;
    assert!(ece < 0.06, "{file}: mean calibration error {ece:.3}");
    for floor in &report.floors {
        let low = floor.floor - 3.0 * floor.standard_error;
        assert!(floor.quality_ratio >= low, "{file}: floor {} broken: {floor:?}", floor.floor);
    }
    assert!(report.floors[0].saved_pct >= least_saved, "{file}: {:?}", report.floors[0]);
}

#[test]
fn chinese_law_keeps_its_floors_and_saves() {
    check("lawbench.jsonl.gz", "gpt-4-0613", 50.0);
}

#[test]
fn reasoning_tasks_keep_their_floors_and_save() {
    check("zeroeval.jsonl.gz", "claude-3.5-sonnet", 50.0);
}
