//! The model file: whole, damaged, foreign, of another version.

use super::*;
use crate::calibration::{Calibration, UNKNOWN_TOKENS};
use crate::certify::{CertifyAsk, CertifyBy, Refusal};
use crate::price::Price;
use crate::prompt::{SHAPE, count};

/// Two panels: `big` and `law` graded on law texts, `big` and `code` on code texts. Nothing is fitted: the weights are
/// set by hand.
fn model() -> Params {
    let law = ["the statute of limitations for a contract", "a breach of contract and its damages"];
    let code = ["fn main prints hello in rust", "the compiler complains about a borrow in rust"];
    let lexicon = |texts: &[&str]| {
        let counts: Vec<_> = texts.iter().map(|text| count(text)).collect();
        Lexicon::from_texts(counts.iter().map(|counts| &counts.grams[..]), 1)
    };
    let both: Vec<&str> = law.iter().chain(&code).copied().collect();
    let gate = lexicon(&both);
    let law_lexicon = lexicon(&law);
    let known = |row: &u32| if law_lexicon.rows.contains(row) { 1.0f32 } else { -1.0 };
    let matrix: Vec<f32> =
        gate.rows.iter().flat_map(|row| [known(row), -known(row), known(row), -known(row)]).collect();
    let parts = ParamsParts {
        experts: ["big", "law", "code"].map(str::to_owned).to_vec(),
        domains: ["law", "coding"].map(str::to_owned).to_vec(),
        weights: Weights::from_f32(4, &matrix),
        shares: vec![0.5; 4],
        lexicon: gate,
        domain_sharpness: 4.0,
        panel_sharpness: 8.0,
        made_on: 20_000,
        scope: None,
    };
    Params::new(parts, vec![panel(vec![0, 1], law_lexicon, 0.9), panel(vec![0, 2], lexicon(&code), 0.6)])
        .expect("sizes agree")
}

fn panel(experts: Vec<u32>, lexicon: Lexicon, big: f32) -> PanelParts {
    let rows = 100;
    let calibration = Calibration {
        prompts: (0..rows).map(|row| row ^ u64::from(experts[1]) << 32).collect(),
        prompt_tokens: vec![20; rows as usize],
        groups: (0..rows as u32).collect(),
        domains: vec![0; rows as usize],
        predicted: [big, 0.5].repeat(rows as usize),
        predicted_output: vec![50.0; 2 * rows as usize],
        mixed: [big, 0.5].repeat(rows as usize),
        mixed_output: vec![50.0; 2 * rows as usize],
        scores: (0..rows).flat_map(|row| [1.0, f32::from(u8::from(row % 2 == 0))]).collect(),
        input_tokens: vec![20; 2 * rows as usize],
        output_tokens: [40, UNKNOWN_TOKENS].repeat(rows as usize),
    };
    PanelParts {
        weights: Weights::from_f32(3, &vec![0.01; 3 * lexicon.len()]),
        experts,
        lexicon,
        subject_share: vec![1.0],
        sharpness: 8.0,
        mean: vec![big, 0.5],
        shape_mean: vec![0.0; SHAPE],
        shape_spread: vec![1.0; SHAPE],
        by_subject: vec![0.0; 2],
        by_shape: vec![0.0; 2 * SHAPE],
        by_both: vec![0.0; 2 * SHAPE],
        output_tokens: vec![50.0, 0.0],
        has_lengths: vec![1, 0],
        calibration,
        name: "made-up".to_owned(),
        subjects: vec!["all".to_owned()],
    }
}

#[test]
fn a_model_survives_the_way_through_its_file() {
    let params = model();
    let bytes = params.to_bytes();
    let again = Params::from_bytes(&bytes).expect("undamaged");
    assert_eq!(again, params);
    assert_eq!(again.to_bytes(), bytes);
    assert_eq!(params.version(), hex(&Sha256::digest(&bytes)));
    assert_eq!((params.rows(), params.domains().len()), (200, 2));
}

#[test]
fn every_damage_is_noticed() {
    let bytes = model().to_bytes();
    for at in (0..bytes.len()).step_by(97).chain(0..64) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        assert!(Params::from_bytes(&damaged).is_err(), "a flipped bit at {at}");
        assert!(Params::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
    }
    let longer = [&bytes[..], b"x"].concat();
    for (foreign, expected) in [
        (&b""[..], ParamsError::Foreign),
        (b"PK\x03\x04 some zip file", ParamsError::Foreign),
        (&longer, ParamsError::Damaged("its length is not the one it was written with")),
        (&bytes[..20], ParamsError::Damaged("it ends too early")),
    ] {
        assert_eq!(Params::from_bytes(foreign), Err(expected));
    }
    let mut newer = bytes;
    newer[8] = 9;
    let error = Params::from_bytes(&newer).expect_err("another format");
    assert!(error.to_string().contains("format 9") && error.to_string().contains("sluice train"), "{error}");
}

/// A file whose checksum is right but whose numbers are not: made by a bug or on purpose.
#[test]
fn a_well_sealed_wrong_payload_is_an_error_or_a_model_but_no_panic() {
    let bytes = model().to_bytes();
    let payload = unseal(&bytes).expect("undamaged");
    let (mut refused, mut accepted) = (0, 0);
    for at in (0..payload.len()).step_by(61).chain(0..200) {
        for flip in [0xFFu8, 0x80, 0x01] {
            let mut wrong = payload.to_vec();
            wrong[at] ^= flip;
            match Params::from_bytes(&seal(&wrong)) {
                Ok(params) => {
                    accepted += 1;
                    let signals =
                        crate::classify(&params, "a contract in rust", &params.bind(&["big", "law"]));
                    assert!(
                        signals
                            .experts
                            .iter()
                            .flatten()
                            .all(|expert| (0.0..=1.0).contains(&expert.p_capable))
                    );
                }
                Err(_) => refused += 1,
            }
        }
        assert!(Params::from_bytes(&seal(&payload[..at])).is_err());
    }
    assert!(refused > 100 && accepted > 100, "{refused} refused, {accepted} accepted");
}

#[test]
fn experts_are_found_by_name_and_mixed_by_panel() {
    let params = model();
    let binding = params.bind_mixed(&["code", "big", "unheard-of"]);
    assert!(binding.knows(0) && binding.knows(1) && !binding.knows(2) && !binding.knows(3));
    let seen = |text: &str| crate::classify(&params, text, &binding);
    let law = seen("a breach of contract");
    let code = seen("hello in rust");
    assert_eq!((law.domains[0].name.as_str(), code.domains[0].name.as_str()), ("law", "coding"));
    assert!(law.experts[2].is_none());
    let big = |signals: &crate::Signals| signals.experts[1].expect("known");
    assert!(big(&law).p_capable > big(&code).p_capable + 0.1, "0.9 in the law panel, 0.6 in the other");
    assert!(big(&law).p_lower <= big(&law).p_capable);
    assert!((big(&law).output_tokens - 50.0).abs() < 1e-3);
}

#[test]
fn a_panel_that_grades_all_of_a_routes_experts_predicts_them_alone() {
    let params = model();
    let (fleet, text) = (["law", "big", "code"], "a breach of contract");
    let big =
        |binding: &Binding| crate::classify(&params, text, binding).experts[1].expect("known").p_capable;
    let alone = big(&params.bind_some(&fleet, &[1, 2]));
    assert!((alone - 0.6).abs() < 0.1, "the code panel says {alone}, though the text looks like law");
    assert_eq!(big(&params.bind(&["code", "big"])), alone);
    assert_eq!(params.bind(&fleet), params.bind_mixed(&fleet), "no panel grades all three");
    assert!(!params.bind_some(&fleet, &[1, 2]).knows(0));
}

#[test]
fn certificates_and_references_need_common_rows() {
    let params = model();
    let price = |usd| Price::from_decimals(usd, None, usd).expect("valid");
    let pair = [("big", price("10")), ("law", price("1"))];
    assert_eq!(params.default_reference(&pair), Ok("big".to_owned()));
    let ask =
        CertifyAsk { experts: &pair, reference: "big", floor: 0.2, confidence: 0.9, by: CertifyBy::Auto };
    let certificate = params.certify(&ask).expect("half as good is more than enough");
    assert_eq!((certificate.method.as_str(), certificate.rows), ("bets", 100));
    let certify = |experts: &[(&str, Price)], reference: &str| {
        params.certify(&CertifyAsk { experts, reference, ..ask })
    };
    let all = [pair[0], pair[1], ("code", price("1"))];
    let refusal = certify(&all, "big").expect_err("no row grades all three");
    assert!(matches!(refusal, Refusal::NoCommonRows { asked: 3, largest: 2, .. }), "{refusal}");
    assert_eq!(certify(&[("x", price("1"))], "x"), Err(Refusal::UnknownExperts(vec!["x".to_owned()])));
    assert_eq!(certify(&pair, "code"), Err(Refusal::ReferenceNotAmongExperts("code".to_owned())));
    assert!(params.default_reference(&all).is_err() && params.default_reference(&[]).is_err());
}

#[test]
fn seen_prompts_are_recognised() {
    let mut first = model().panels().next().expect("a panel").clone();
    first.calibration.prompts[7] = prompt_hash("what is tort?");
    let params = Params::new(
        ParamsParts {
            weights: Weights::from_f32(2, &[]),
            shares: vec![0.5; 2],
            lexicon: Lexicon::from_texts(std::iter::empty(), 1),
            ..model().parts
        },
        vec![first],
    )
    .expect("sizes agree");
    let has_seen = params.has_seen();
    assert!(has_seen("what is tort?") && !has_seen("what is torts?"));
}

#[test]
fn a_domain_with_a_floor_of_its_own_is_certified_on_its_own_rows() {
    let params = model(); // every calibration row is of the domain law
    let price = |text: &str| Price::from_decimals(text, None, text).expect("valid");
    let experts = [("big", price("10")), ("law", price("1"))];
    let ask =
        CertifyAsk { experts: &experts, reference: "big", floor: 0.3, confidence: 0.9, by: CertifyBy::Auto };
    let whole = params.certify(&ask).expect("half as good is enough");
    assert_eq!((whole.made_on.as_str(), whole.groups), ("2024-10-04", 100));
    let all_to_law = |regret: &crate::ExpertRegret| (regret.expert == "law", regret.rows, regret.mean_regret);
    assert_eq!(whole.regrets.iter().map(all_to_law).collect::<Vec<_>>(), [(true, 100, 0.5)]);

    let found = params.certify_by_domain(&ask, &[("law", 0.3), ("coding", 0.9), ("poems", 0.9)]);
    assert_eq!(found.domains[0].as_ref(), Ok(&whole), "the same rows, the same floor");
    assert_eq!(found.rest, Err(Refusal::TooFewRows { rows: 0, needed: 60 }));
    assert_eq!(found.domains[1], Err(Refusal::TooFewRows { rows: 0, needed: 60 }));
    let unknown = found.domains[2].as_ref().expect_err("no such domain").to_string();
    assert!(unknown.contains("law, coding"), "{unknown}");
    assert_eq!(params.certify_by_domain(&ask, &[("coding", 0.9)]).rest, Ok(whole));
}
