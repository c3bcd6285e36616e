//! Training on made-up rows: what is learned, that it is the same each time, and what is too little.

use super::*;
use crate::corpus::Outcome;
use sluice_router::{CertifyAsk, CertifyBy, Price, classify};

/// A made-up world: law and code questions, some hard (`intricate`); one expert good at each, one good at all.
pub(super) fn rows(n: u64, tag: &str) -> Vec<Row> {
    let words = |seed: u64, list: &[&str]| -> String {
        let word = |at| list[groups::mix(seed ^ at) as usize % list.len()];
        (0..14).map(word).collect::<Vec<_>>().join(" ")
    };
    let law =
        ["contract", "tenant", "statute", "court", "damages", "breach", "clause", "appeal", "will", "deed"];
    let code =
        ["function", "pointer", "borrow", "compile", "thread", "trait", "loop", "string", "async", "enum"];
    let row = |at: u64| {
        let seed = groups::mix(at) ^ groups::mix(tag.len() as u64 + 77);
        let (is_law, is_hard) =
            (groups::mix(seed).is_multiple_of(2), groups::mix(seed ^ 1).is_multiple_of(2));
        let text = words(seed, if is_law { &law } else { &code });
        let prompt =
            format!("{} {text} number {at}?", if is_hard { "Explain the intricate" } else { "What is a" });
        let p = |own: bool| {
            if own {
                0.95
            } else if is_hard {
                0.15
            } else {
                0.85
            }
        };
        let chance = |salt: u64| (groups::mix(seed ^ salt) >> 11) as f64 / (1u64 << 53) as f64;
        let outcome = |expert: &str, p: f64, salt, tokens| Outcome {
            expert: expert.to_owned(),
            score: f64::from(u8::from(chance(salt) < p)),
            input_tokens: None,
            output_tokens: Some(tokens),
        };
        Row {
            id: format!("{tag}-{at}"),
            domain: Some(if is_law { "law" } else { "coding" }.to_owned()),
            prompt,
            outcomes: vec![
                outcome("big", 0.93, 10, 200),
                outcome("law-s", p(is_law), 11, 100),
                outcome("code-s", p(!is_law), 12, 50),
            ],
            ..Row::default()
        }
    };
    (0..n).map(row).collect()
}

pub(super) fn prices() -> [(&'static str, Price); 3] {
    let price = |usd| Price::from_decimals(usd, None, usd).expect("valid");
    [("big", price("10")), ("law-s", price("0.5")), ("code-s", price("0.5"))]
}

#[test]
fn a_model_learns_who_is_good_at_what_and_is_certified() {
    let (params, report) = train(&rows(1_200, "a"), &[], 1, &mut |_| {}).expect("enough rows");
    assert_eq!((report.rows, params.rows(), params.domains().len()), (1_200, 1_200, 2));
    let binding = params.bind(&["big", "law-s", "code-s"]);
    let (mut right, fresh) = (0, rows(400, "fresh"));
    for row in &fresh {
        let signals = classify(&params, &row.prompt, &binding);
        right += usize::from(Some(&signals.domains[0].name) == row.domain.as_ref());
    }
    assert!(right > 390, "{right} of 400 domains");
    let p =
        |row: &Row, at: usize| classify(&params, &row.prompt, &binding).experts[at].expect("known").p_capable;
    let hard = |domain: &str| {
        let is = |row: &&Row| row.prompt.starts_with("Explain") && row.domain.as_deref() == Some(domain);
        let rows: Vec<&Row> = fresh.iter().filter(is).collect();
        [1, 2].map(|at| rows.iter().map(|row| p(row, at)).sum::<f64>() / rows.len() as f64)
    };
    let ([law_at_law, code_at_law], [law_at_code, code_at_code]) = (hard("law"), hard("coding"));
    assert!(law_at_law > 0.85 && code_at_law < 0.3, "{law_at_law} and {code_at_law}");
    assert!(code_at_code > 0.85 && law_at_code < 0.3, "{code_at_code} and {law_at_code}");
    let ask = CertifyAsk {
        experts: &prices(),
        reference: "big",
        floor: 0.95,
        confidence: 0.95,
        by: CertifyBy::Auto,
    };
    let certificate = params.certify(&ask).expect("the small ones are as good at home");
    assert!(certificate.saved_pct > 60.0, "{certificate:?}");
    assert_eq!(params.default_reference(&prices()).as_deref(), Ok("big"));
}

#[test]
fn the_same_rows_and_seed_give_the_same_bytes() {
    let bytes = |seed| train(&rows(300, "b"), &[], seed, &mut |_| {}).expect("enough rows").0.to_bytes();
    assert_eq!(bytes(7), bytes(7));
    assert_ne!(bytes(7), bytes(8));
}

#[test]
fn panels_with_a_common_expert_train_together() {
    let mut all = rows(700, "c");
    for (at, row) in all.iter_mut().enumerate() {
        let law = row.domain.as_deref() == Some("law");
        row.outcomes.retain(|outcome| outcome.expert == "big" || (outcome.expert == "law-s") == law);
        row.outcomes[0].score = if law { 1.0 } else { f64::from(u8::from(at % 3 == 0)) };
    }
    let (params, report) = train(&all, &[], 1, &mut |_| {}).expect("enough rows");
    assert_eq!(report.panels.len(), 2);
    let binding = params.bind(&["big"]);
    let p = |text: &str| classify(&params, text, &binding).experts[0].expect("known").p_capable;
    assert!(p("What is a contract clause of the court?") > 0.9);
    assert!(p("What is a function pointer in a loop?") < 0.6);
    let predicted: Vec<f32> = params.panels().flat_map(|panel| panel.calibration.predicted.clone()).collect();
    assert!(predicted.iter().all(|p| (0.0..=1.0).contains(p)));
}

#[test]
fn what_moved_a_score_adds_up_to_it_and_names_the_words() {
    let law = rows(700, "attribution");
    let mut other = rows(600, "of two panels");
    other.iter_mut().for_each(|row| row.outcomes.truncate(2));
    let (params, _) = train(&[law, other].concat(), &[], 1, &mut |_| {}).expect("enough rows");
    let binding = params.bind(&["big", "law-s", "code-s", "nobody"]);
    for row in rows(40, "unseen") {
        let signals = classify(&params, &row.prompt, &binding);
        for expert in 0..3 {
            let found = params.attribute(&row.prompt, &binding, expert).expect("the model knows it");
            let sum = found.usual + found.cut + found.moves.iter().map(|m| m.by).sum::<f64>();
            let p = signals.experts[expert].expect("known").p_capable;
            assert!((sum - p).abs() < 1e-4, "{}: {sum} is not {p}", row.prompt);
        }
    }
    assert_eq!(params.attribute("x", &binding, 3), None);
    let found = params.attribute("Explain the intricate pointer", &binding, 1).expect("known");
    let by = |what: &str| found.moves.iter().filter(|m| m.what == what).map(|m| m.by).sum::<f64>();
    assert!(by("intricate") < 0.0 && by("coding") < 0.0, "{found:?}");
    assert!(found.moves.windows(2).all(|pair| pair[0].by.abs() >= pair[1].by.abs()));
    let placed = params.placed("Explain the intricate pointer");
    assert!((placed.iter().map(|place| place.p).sum::<f64>() - 1.0).abs() < 1e-5);
    assert_eq!(placed[0].subjects[0].0, "coding", "{placed:?}");
}

#[test]
fn rows_that_lack_a_grade_still_teach() {
    let mut all = rows(400, "d");
    all.iter_mut().step_by(20).for_each(|row| drop(row.outcomes.pop()));
    let (params, report) = train(&all, &[], 1, &mut |_| {}).expect("enough rows");
    assert_eq!((report.rows, params.rows()), (400, 400));
    assert_eq!(report.experts["code-s"].n, 380);
    let pairs = sluice_router::Pairs::collect(&params, &prices()).expect("some rows have all grades");
    assert_eq!(pairs.len(), 380);
    assert!(report.skipped.is_empty());
}

#[test]
fn too_little_or_one_sided_data_is_no_panic() {
    assert!(matches!(train(&[], &[], 1, &mut |_| {}), Err(TrainError::TooFewRows)));
    assert!(matches!(train(&rows(49, "e"), &[], 1, &mut |_| {}), Err(TrainError::TooFewRows)));
    let mut same = rows(80, "f");
    for row in &mut same {
        row.prompt = "always the same".to_owned();
        row.outcomes.iter_mut().for_each(|outcome| outcome.score = 1.0);
    }
    let (params, _) = train(&same, &[], 1, &mut |_| {}).expect("one-sided, but enough");
    let signals = classify(&params, "always the same", &params.bind(&["big"]));
    assert!(signals.experts[0].expect("known").p_capable > 0.99);
}
