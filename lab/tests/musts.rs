//! What the router must be worth on real graded outcomes, out of fold: `docs/reference/router-quality.md` has the table.
//!
//! `train` predicts every row by a model that has not seen its fold of near-duplicates, so one fit of a set gives its
//! cross-validated figures.

use sluice_lab::corpus::{Row, load_outcomes, load_prices};
use sluice_lab::{auc, brier, ece, pair_curve, train};
use sluice_router::{Pairs, PanelParts, Params, Price, prompt_hash};
use std::collections::HashSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What a set must reach.
struct Must {
    file: &'static str,
    reference: &'static str,
    /// The Brier score of TF-IDF ridge in the same kind of folds, by `--example measure`.
    tf_idf: f64,
    least_auc: f64,
    /// Cost saved, in percent, at 100, 98 and 95 % of the reference's realised quality.
    curve: [f64; 3],
}

const MMLU_PRO: Must = Must {
    file: "mmlu-pro",
    reference: "gemini-1.5-pro",
    tf_idf: 0.2158,
    least_auc: 0.678,
    curve: [0.0, 45.0, 68.0],
};
const LAWBENCH: Must = Must {
    file: "lawbench",
    reference: "gpt-4-0613",
    tf_idf: 0.1515,
    least_auc: 0.695,
    curve: [42.0, 52.0, 59.0],
};
const LLMROUTER: Must = Must {
    file: "llmrouter",
    reference: "llama-3.1-nemotron-51b-instruct",
    tf_idf: 0.1757,
    least_auc: 0.780,
    curve: [75.0, 77.5, 78.5],
};
const ZEROEVAL: Must = Must {
    file: "zeroeval",
    reference: "claude-3.5-sonnet",
    tf_idf: 0.1576,
    least_auc: 0.810,
    curve: [0.0, 0.0, 65.0],
};
/// The pair is held to its ranking within each source instead of a curve.
const ROUTELLM: Must = Must {
    file: "routellm",
    reference: "gpt-4-1106-preview",
    tf_idf: 0.1643,
    least_auc: 0.735,
    curve: [0.0; 3],
};

/// The folder with `quality/` and `prices.toml`; `None` with a loud line when it isn't there.
fn data() -> Option<PathBuf> {
    let found = std::env::var_os("SLUICE_EVAL_DATA").map(PathBuf::from).filter(|folder| folder.is_dir());
    if found.is_none() {
        // Not `eprintln!`, which the test runner would keep to itself.
        let line = "SKIPPED: set SLUICE_EVAL_DATA to a folder with quality/ and prices.toml";
        let _ = writeln!(std::io::stderr(), "{line}");
    }
    found
}

fn fit(folder: &Path, must: &Must) -> (Vec<Row>, Params) {
    let file = folder.join("quality").join(format!("{}.jsonl.gz", must.file));
    let rows = load_outcomes(&[file]).expect("a valid file").rows;
    let (params, _) = train(&rows, &[], 1, &mut |_| {}).expect("enough rows");
    (rows, params)
}

/// Brier, AUC and calibration error of the set's only panel.
fn check_scores(must: &Must, panel: &PanelParts) {
    let width = panel.experts.len();
    let graded: Vec<_> = (0..width).map(|at| panel.calibration.graded(at, width)).collect();
    let mean = |measure: fn(&[f64], &[f64]) -> f64| {
        graded.iter().map(|(predicted, scores)| measure(predicted, scores)).sum::<f64>() / width as f64
    };
    let (brier, auc, calibration) = (mean(brier), mean(auc), mean(ece));
    let worst = graded.iter().filter(|(_, scores)| scores.len() >= 1_000);
    let worst = worst.map(|(predicted, scores)| ece(predicted, scores)).fold(0.0, f64::max);
    assert!(brier <= must.tf_idf, "{}: Brier {brier:.4}, TF-IDF has {}", must.file, must.tf_idf);
    assert!(auc >= must.least_auc, "{}: AUC {auc:.3}", must.file);
    assert!(calibration <= 0.03 && worst <= 0.05, "{}: ECE {calibration:.3}, {worst:.3}", must.file);
}

/// Cost saved at each bar, by the best trade-off in hindsight.
fn check_curve(must: &Must, params: &Params, folder: &Path) {
    let prices = load_prices(&folder.join("prices.toml")).expect("valid prices");
    let experts: Vec<(&str, Price)> =
        params.experts().iter().map(|name| (name.as_str(), prices[name])).collect();
    let at = experts.iter().position(|(name, _)| *name == must.reference).expect("graded");
    let pairs = Pairs::collect(params, &experts).expect("all rows grade all");
    let mut saved = [0.0f64; 3];
    for step in 0..500 {
        let chosen = pairs.choose((-30.0 + 30.0 * f64::from(step) / 500.0).exp());
        let (ratio, save) = (pairs.quality_ratio(&chosen, at), pairs.saved_pct(&chosen, at));
        for (best, bar) in saved.iter_mut().zip([1.0, 0.98, 0.95]) {
            *best = if ratio >= bar { best.max(save) } else { *best };
        }
    }
    for (is, least) in saved.iter().zip(must.curve) {
        assert!(*is >= least, "{}: saves {saved:.1?} where {:?} is a must", must.file, must.curve);
    }
}

fn check(must: &Must) {
    let Some(folder) = data() else { return };
    let (_, params) = fit(&folder, must);
    check_scores(must, params.panels().next().expect("one panel"));
    check_curve(must, &params, &folder);
}

#[test]
fn knowledge_questions_are_worth_routing() {
    check(&MMLU_PRO);
}

#[test]
fn chinese_law_is_worth_routing() {
    check(&LAWBENCH);
}

#[test]
fn mixed_tasks_are_worth_routing() {
    check(&LLMROUTER);
}

#[test]
fn reasoning_is_worth_routing() {
    check(&ZEROEVAL);
}

#[test]
fn a_pair_is_ranked_within_each_source() {
    let Some(folder) = data() else { return };
    let (rows, params) = fit(&folder, &ROUTELLM);
    let panel = params.panels().next().expect("one panel");
    check_scores(&ROUTELLM, panel);
    let strong = usize::from(params.experts()[panel.experts[1] as usize] == ROUTELLM.reference);
    for (source, least) in [("routellm-mmlu", 0.665), ("routellm-gsm8k", 0.57)] {
        let of = rows.iter().filter(|row| row.source.as_deref() == Some(source));
        let keys: HashSet<u64> = of.map(|row| prompt_hash(&row.prompt)).collect();
        let known = &panel.calibration;
        let kept: Vec<usize> = (0..known.len()).filter(|&row| keys.contains(&known.prompts[row])).collect();
        let column = |values: &[f32], at: usize| -> Vec<f64> {
            kept.iter().map(|&row| f64::from(values[2 * row + at])).collect()
        };
        let (p_strong, p_weak) = (column(&known.predicted, strong), column(&known.predicted, 1 - strong));
        let gains: Vec<f64> = p_strong.iter().zip(&p_weak).map(|(strong, weak)| strong - weak).collect();
        let weak = column(&known.scores, 1 - strong);
        let found = pair_curve(&gains, &column(&known.scores, strong), &weak);
        println!("{source}: {found:.3?}, Brier of the weak {:.4}", brier(&p_weak, &weak));
        assert!(found.apgr >= least, "{source}: APGR {:.3}, {least} is a must", found.apgr);
        assert!(
            source != "routellm-mmlu" || brier(&p_weak, &weak) <= 0.191,
            "{source}: the weak one's Brier"
        );
    }
}
