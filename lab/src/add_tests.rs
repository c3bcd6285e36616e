//! Adding an expert to a made-up model: what it learns, that nothing else moves, and what is refused.

use super::*;
use crate::train::tests::{prices, rows as graded_by_three};
use crate::train::train;
use sluice_router::{CertifyAsk, CertifyBy, MISSING_SCORE, Pairs, UNKNOWN_TOKENS, classify};

/// Rows with the grades of some experts only.
fn only(rows: &[Row], names: &[&str]) -> Vec<Row> {
    let mut rows = rows.to_vec();
    rows.iter_mut().for_each(|row| row.outcomes.retain(|outcome| names.contains(&outcome.expert.as_str())));
    rows
}

/// A model of two experts and the 1,200 rows that it was trained on, with the grades of a third.
fn base() -> (Params, Vec<Row>) {
    let rows = graded_by_three(1_200, "add");
    let (params, _) = train(&only(&rows, &["big", "law-s"]), &[], 1, &mut |_| {}).expect("enough rows");
    (params, rows)
}

#[test]
fn a_new_expert_is_learned_from_a_few_grades_and_the_others_keep_every_bit() {
    let (params, rows) = base();
    let few = only(&rows[..300], &["code-s"]);
    let (added, report) = add(params.clone(), "code-s", &few, 1).expect("enough grades");
    assert_eq!((report.rows, report.known_prompts, report.new_prompts), (300, 300, 0));
    assert!(report.brier < report.brier_of_mean - 0.03 && report.auc > 0.75, "{report:?}");
    let (before, after) = (params.bind(&["big", "law-s"]), added.bind(&["big", "law-s"]));
    let newcomer = added.bind(&["code-s"]);
    let (mut hard_code, mut hard_law) = (vec![], vec![]);
    for row in graded_by_three(300, "unseen") {
        let (old, new) = (classify(&params, &row.prompt, &before), classify(&added, &row.prompt, &after));
        assert_eq!(old, new);
        let signal = classify(&added, &row.prompt, &newcomer).experts[0].expect("known");
        assert!((40.0..60.0).contains(&signal.output_tokens), "it writes 50 tokens, not {signal:?}");
        let is_law = row.domain.as_deref() == Some("law");
        if row.prompt.starts_with("Explain") {
            if is_law { &mut hard_law } else { &mut hard_code }.push(signal.p_capable);
        }
    }
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    assert!(mean(&hard_code) > 0.75 && mean(&hard_law) < 0.4, "{} {}", mean(&hard_code), mean(&hard_law));
    assert_eq!(add(params, "code-s", &few, 1).expect("enough grades").0.to_bytes(), added.to_bytes());
}

#[test]
fn what_is_certified_with_it_rests_on_the_rows_that_grade_all() {
    let (params, rows) = base();
    let (added, mut report) =
        add(params, "code-s", &only(&rows[..400], &["code-s"]), 1).expect("enough grades");
    assert_eq!(Pairs::collect(&added, &prices()).expect("common rows").len(), 400);
    let (experts, reference) = (&prices()[..], "big");
    let ask = CertifyAsk { experts, reference, floor: 0.9, confidence: 0.95, by: CertifyBy::Auto };
    let certificate = added.certify(&ask).expect("the small ones are as good at home");
    assert_eq!((certificate.rows, certificate.method.as_str()), (400, "bets"));
    let prices = prices().into_iter().map(|(name, price)| (name.to_owned(), price)).collect();
    report.compare(&added, &prices);
    let admission = report.admission.expect("it has a price");
    let rows = |certified: &Certified| match certified {
        Certified::Yes { rows, .. } => *rows,
        Certified::No { refused } => panic!("{refused}"),
    };
    assert_eq!((rows(&admission.with), rows(&admission.without)), (400, 1_200));
}

#[test]
fn grades_of_new_prompts_become_rows_of_their_own() {
    let (params, rows) = base();
    let mut fresh = graded_by_three(100, "fresh one");
    fresh[0].outcomes.retain(|outcome| outcome.expert == "code-s");
    fresh[1].outcomes[0].output_tokens = None;
    let data = [&fresh[..], &only(&rows[..50], &["code-s"]), &only(&rows[..50], &["code-s"])].concat();
    let (added, report) = add(params.clone(), "code-s", &data, 1).expect("enough grades");
    // The 50 known prompts are graded twice; there is one row for each, so the second grades follow as rows.
    assert_eq!((report.rows, report.known_prompts, report.new_prompts), (200, 50, 150));
    let (old, new) = (params.panels().next().expect("one"), added.panels().next().expect("one"));
    assert_eq!(new.calibration.len(), 1_350);
    let (big, code) = (0, 2);
    let score = |row: usize, column: usize| new.calibration.scores[row * 3 + column];
    assert_eq!(score(1_200, big), MISSING_SCORE, "nobody else was graded there");
    assert!(score(1_201, big) >= 0.0 && score(1_201, code) >= 0.0);
    assert_eq!(new.calibration.output_tokens[1_201 * 3 + big], UNKNOWN_TOKENS);
    assert!((1_300..1_350).all(|row| score(row, big) == MISSING_SCORE), "the model has seen these prompts");
    let predicted =
        classify(&params, &fresh[1].prompt, &params.bind(&["big"])).experts[0].expect("known").p_capable;
    assert_eq!(
        f64::from(new.calibration.predicted[1_201 * 3 + big]),
        predicted,
        "by a model that had not seen it"
    );
    let last = old.calibration.groups.iter().max().expect("rows");
    assert!(
        new.calibration.groups[1_200..1_300].iter().all(|group| group > last),
        "no known prompt is like these"
    );
    let first =
        |at: usize| new.calibration.prompts.iter().position(|key| *key == new.calibration.prompts[at]);
    let same = (1_300..1_350).filter(|&at| {
        let known = first(at).expect("a known prompt");
        new.calibration.groups[at] == new.calibration.groups[known]
    });
    assert_eq!(same.count(), 50);
    assert_eq!(Pairs::collect(&added, &prices()).expect("common rows").len(), 50 + 99);
}

#[test]
fn what_can_t_be_added_says_what_to_do() {
    let (params, rows) = base();
    let refused =
        |name: &str, rows: &[Row]| add(params.clone(), name, rows, 1).expect_err("refused").to_string();
    let known = refused("big", &rows);
    assert!(known.contains("in the model already, with 1200 grades") && known.contains("--model"), "{known}");
    let nobody = refused("nobody", &rows);
    assert!(nobody.contains("the data grades big, code-s, law-s"), "{nobody}");
    let few = refused("code-s", &rows[..59]);
    assert!(few.contains("59 rows grade code-s") && few.contains("1 are missing"), "{few}");
    let mut same = only(&rows[..80], &["code-s"]);
    same.iter_mut().for_each(|row| row.outcomes[0].score = 1.0);
    let (added, report) = add(params.clone(), "code-s", &same, 1).expect("one-sided, but enough");
    assert_eq!(report.warnings.len(), 2, "{:?}", report.warnings);
    let signal = classify(&added, "Explain the deed", &added.bind(&["code-s"])).experts[0].expect("known");
    assert!(signal.p_capable > 0.99);
}

#[test]
fn it_joins_the_panel_that_its_prompts_look_like() {
    let law = only(&graded_by_three(800, "two"), &["big", "law-s"]);
    let mut other = only(&graded_by_three(700, "other"), &["big", "code-s"]);
    other.iter_mut().for_each(|row| row.prompt = format!("Please translate into French: {}", row.prompt));
    let (params, _) = train(&[law, other].concat(), &[], 1, &mut |_| {}).expect("enough rows");
    let mut few = graded_by_three(80, "few");
    for row in &mut few {
        row.prompt = format!("Please translate into French: {}", row.prompt);
        row.outcomes.truncate(1);
        row.outcomes[0].expert = "new".to_owned();
    }
    let (added, report) = add(params, "new", &few, 1).expect("enough grades");
    assert_eq!(report.panel_experts, 2);
    let panel = added.panels().find(|panel| panel.experts.len() == 3).expect("it joined one");
    let names: Vec<&str> = panel.experts.iter().map(|&at| added.experts()[at as usize].as_str()).collect();
    assert_eq!(names, ["big", "code-s", "new"]);
}
