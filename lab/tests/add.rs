//! A gate on real graded outcomes, where they are present: what a few grades of a new expert are worth.

use sluice_lab::corpus::{Row, load_outcomes};
use sluice_lab::{add, brier, train};
use sluice_router::{classify, prompt_hash};
use std::io::Write as _;
use std::path::PathBuf;

/// The folder with `quality/`; `None` with a loud line when it isn't there.
fn data() -> Option<PathBuf> {
    let found = std::env::var_os("SLUICE_EVAL_DATA").map(PathBuf::from).filter(|folder| folder.is_dir());
    if found.is_none() {
        let line = "SKIPPED: set SLUICE_EVAL_DATA to a folder with quality/, domains/ and prices.toml";
        let _ = writeln!(std::io::stderr(), "{line}");
    }
    found
}

#[test]
fn three_hundred_grades_tell_most_of_what_there_is_to_know_of_an_expert() {
    let Some(folder) = data() else { return };
    let rows = load_outcomes(&[folder.join("quality/zeroeval.jsonl.gz")]).expect("a valid file").rows;
    let (test, dev): (Vec<Row>, Vec<Row>) =
        rows.into_iter().partition(|row| prompt_hash(&row.prompt).is_multiple_of(5));
    let name = "gpt-4o-mini";
    let keep = |row: &Row, is_kept: &dyn Fn(&str) -> bool| {
        let mut row = row.clone();
        row.outcomes.retain(|outcome| is_kept(&outcome.expert));
        row
    };
    let others: Vec<Row> = dev.iter().map(|row| keep(row, &|expert| expert != name)).collect();
    let mut few: Vec<&Row> = dev.iter().filter(|row| row.outcome(name).is_some()).collect();
    few.sort_by_key(|row| prompt_hash(&row.id));
    let few: Vec<Row> = few.iter().take(300).map(|row| keep(row, &|expert| expert == name)).collect();
    let (base, _) = train(&others, &[], 1, &mut |_| {}).expect("enough rows");
    let (added, report) = add(base, name, &few, 1).expect("enough grades");
    let binding = added.bind(&[name]);
    let pair = |row: &Row| {
        let score = row.outcome(name)?.score;
        Some((classify(&added, &row.prompt, &binding).experts[0]?.p_capable, score))
    };
    let (predicted, scores): (Vec<f64>, Vec<f64>) = test.iter().filter_map(pair).unzip();
    let (is, of_mean) = (brier(&predicted, &scores), brier(&vec![report.mean_score; scores.len()], &scores));
    assert!(is < of_mean - 0.03, "Brier {is:.4} on unseen prompts, always the mean {of_mean:.4}");
    assert!(report.seconds < 20.0, "{:.1} s", report.seconds);
}
