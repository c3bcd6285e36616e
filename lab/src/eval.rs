//! Measures a model on graded outcomes: its predictions, its ranking of a pair, and what its certificates keep.

mod scorecard;

use crate::corpus::{Prices, Row};
use crate::measures::{self, MeanCi, PairCurve};
use serde::Serialize;
use sluice_router::{
    CertifyAsk, CertifyBy, Pairs, Params, Price, Refusal, Signals, Tokens, classify, estimate_tokens,
    expected_cost, expected_output,
};
use std::collections::{BTreeMap, BTreeSet};

pub use scorecard::{DomainCard, LanguageCard};

/// What to measure.
#[derive(Debug, Clone, Default)]
pub struct EvalAsk {
    /// The experts to choose among; empty means all that data, model and prices have.
    pub experts: Vec<String>,
    /// The reference; the best over the rows if `None`.
    pub reference: Option<String>,
    /// Floors to certify.
    pub floors: Vec<f64>,
    /// The confidence to certify with.
    pub confidence: f64,
}

/// Why nothing was measured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// The model or the prices lack an expert that was named.
    #[error("{0} is not in the {1}; leave it out of --experts or add it")]
    UnknownExpert(String, &'static str),
    /// Data, model and prices have no expert in common.
    #[error(
        "no expert of the data is known to both the model and the prices; check --data, --model and --prices"
    )]
    NoExperts,
    /// No row grades all of them.
    #[error("no row of the data grades all of {}; choose fewer with --experts", .0.join(", "))]
    NoCommonRows(Vec<String>),
    /// The reference isn't among the experts.
    #[error("the reference {0} is not among the experts; name another with --reference")]
    Reference(String),
}

/// The report of `eval`; its JSON keys are fixed, more may be added.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EvalReport {
    /// Rows that grade all experts.
    pub rows: usize,
    /// How many of them the model was trained on: it knows their answers, so figures over them flatter.
    pub seen_rows: usize,
    /// Rows left out, by reason.
    pub skipped: BTreeMap<String, usize>,
    /// The expert that quality is measured against.
    pub reference: String,
    /// Each expert by itself.
    pub experts: BTreeMap<String, ExpertCard>,
    /// How well the reference and the cheapest expert are told apart; absent with a single expert.
    pub pair: Option<PairReport>,
    /// What certificates promise and what comes of it.
    pub floors: Vec<FloorReport>,
    /// The expert with the best mean score.
    pub best_single: SingleReport,
    /// The best answer to each prompt, the cheapest of equals: nothing chooses better.
    pub oracle: OracleReport,
    /// Scores by domain, language and expert.
    pub domains: BTreeMap<String, DomainCard>,
}

/// One expert's grades and how well they are predicted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExpertCard {
    /// Graded rows.
    pub n: usize,
    /// Mean score.
    pub mean_score: f64,
    /// Mean squared error of the predicted score.
    pub brier: f64,
    /// Calibration error, 15 bins of equal mass.
    pub ece: f64,
    /// What it costs for all rows.
    pub cost_usd: f64,
}

/// How well the prompts that need the strong one are found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairReport {
    /// The reference.
    pub strong: String,
    /// The cheapest of the others.
    pub weak: String,
    /// See [`PairCurve`].
    pub apgr: f64,
    /// In percent; `null` without a gap.
    pub cpt50: Option<f64>,
    /// In percent; `null` without a gap.
    pub cpt80: Option<f64>,
}

/// One floor: its certificate, and what it does on the rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FloorReport {
    /// The floor.
    pub floor: f64,
    /// The confidence.
    pub confidence: f64,
    /// Whether anything but the reference is allowed.
    pub certified: bool,
    /// The certificate's lambda in score per nano-USD; `null` without one.
    pub threshold: Option<f64>,
    /// The certificate's test; `null` without one.
    pub method: Option<String>,
    /// Why there is no certificate.
    pub refusal: Option<String>,
    /// Cost saved against always taking the reference, in percent.
    pub saved_pct: f64,
    /// Mean score over the reference's.
    pub quality_ratio: f64,
    /// Standard error of `quality_ratio`, by the paired differences.
    pub standard_error: f64,
    /// Whether the ratio is at least the floor.
    pub held: bool,
}

/// The best single expert.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SingleReport {
    /// Its name.
    pub expert: String,
    /// Its mean score.
    pub mean_score: f64,
    /// What it costs for all rows.
    pub cost_usd: f64,
}

/// The best possible choice.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OracleReport {
    /// Its mean score.
    pub mean_score: f64,
    /// What it costs for all rows.
    pub cost_usd: f64,
}

/// What is known of each row: the row, and what the model sees in it.
struct Seen<'a> {
    rows: Vec<&'a Row>,
    signals: Vec<Signals>,
    pairs: Pairs,
}

/// Measures `params` on `rows`.
///
/// # Errors
/// [`EvalError`] when experts, model, prices and rows don't fit together.
pub fn evaluate(
    params: &Params,
    rows: &[Row],
    prices: &Prices,
    ask: &EvalAsk,
) -> Result<EvalReport, EvalError> {
    let names = experts(params, rows, prices, ask)?;
    let experts: Vec<(&str, Price)> = names.iter().map(|name| (name.as_str(), prices[name])).collect();
    let has_all = |row: &&Row| experts.iter().all(|(name, _)| row.outcome(name).is_some());
    let complete: Vec<&Row> = rows.iter().filter(has_all).collect();
    if complete.is_empty() {
        return Err(EvalError::NoCommonRows(names));
    }
    let seen = see(params, complete, &experts);
    let reference = reference(&seen.pairs, &names, ask)?;
    let cards = (0..names.len()).map(|at| (names[at].clone(), card(&seen, &experts, at)));
    let has_seen = params.has_seen();
    let mut skipped = BTreeMap::new();
    if rows.len() > seen.rows.len() {
        skipped.insert("not_graded_by_all_experts".to_owned(), rows.len() - seen.rows.len());
    }
    let floors = ask
        .floors
        .iter()
        .map(|&floor| floor_report(params, &seen.pairs, &experts, reference, floor, ask.confidence));
    Ok(EvalReport {
        rows: seen.rows.len(),
        seen_rows: seen.rows.iter().filter(|row| has_seen(&row.prompt)).count(),
        skipped,
        reference: names[reference].clone(),
        experts: cards.collect(),
        pair: pair(&seen, &names, reference),
        floors: floors.collect(),
        best_single: best_single(&seen.pairs, &names),
        oracle: oracle(&seen, &experts),
        domains: scorecard::scorecard(&seen.rows, &seen.signals, &names),
    })
}

fn experts(params: &Params, rows: &[Row], prices: &Prices, ask: &EvalAsk) -> Result<Vec<String>, EvalError> {
    for name in &ask.experts {
        if !params.experts().contains(name) {
            return Err(EvalError::UnknownExpert(name.clone(), "model"));
        }
        if !prices.contains_key(name) {
            return Err(EvalError::UnknownExpert(name.clone(), "prices"));
        }
    }
    if !ask.experts.is_empty() {
        return Ok(ask.experts.clone());
    }
    let graded: BTreeSet<&str> =
        rows.iter().flat_map(|row| &row.outcomes).map(|outcome| outcome.expert.as_str()).collect();
    let known =
        params.experts().iter().filter(|name| graded.contains(name.as_str()) && prices.contains_key(*name));
    let known: Vec<String> = known.cloned().collect();
    if known.is_empty() { Err(EvalError::NoExperts) } else { Ok(known) }
}

/// Classifies every row as serving would, and prices the answers.
fn see<'a>(params: &Params, rows: Vec<&'a Row>, experts: &[(&str, Price)]) -> Seen<'a> {
    let binding = params.bind(&experts.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    let signals: Vec<Signals> = rows.iter().map(|row| classify(params, &row.prompt, &binding)).collect();
    let cells = rows.iter().zip(&signals).map(|(row, signals)| {
        let estimated = estimate_tokens(&row.prompt);
        let cell = |(at, (name, price)): (usize, &(&str, Price))| {
            let signal = signals.experts[at].expect("the model knows every chosen expert");
            let output = expected_output(signal.output_tokens, USUAL_OUTPUT_BOUND);
            let expected = expected_cost(price, estimated, output).0 as f64;
            let outcome = row.outcome(name).expect("the row grades every chosen expert");
            let prompt = outcome.input_tokens.unwrap_or(estimated);
            let charged =
                price.cost(Tokens { prompt, cached: 0, output: outcome.output_tokens.unwrap_or(0) });
            ((signal.p_capable, expected), outcome.score, charged.0 as f64)
        };
        experts.iter().enumerate().map(cell).collect()
    });
    let pairs = Pairs::from_rows(experts.len(), cells);
    Seen { rows, signals, pairs }
}

fn reference(pairs: &Pairs, names: &[String], ask: &EvalAsk) -> Result<usize, EvalError> {
    if let Some(name) = &ask.reference {
        return names
            .iter()
            .position(|known| known == name)
            .ok_or_else(|| EvalError::Reference(name.clone()));
    }
    Ok(pairs.best_expert().unwrap_or(0))
}

fn card(seen: &Seen, experts: &[(&str, Price)], at: usize) -> ExpertCard {
    let (predicted, scores) = columns(seen, experts[at].0, at);
    ExpertCard {
        n: seen.rows.len(),
        mean_score: seen.pairs.mean_score(at),
        brier: measures::brier(&predicted, &scores),
        ece: measures::ece(&predicted, &scores),
        cost_usd: usd(seen.pairs.mean_cost(at), seen.rows.len()),
    }
}

/// Predicted and graded scores of one expert.
fn columns(seen: &Seen, name: &str, at: usize) -> (Vec<f64>, Vec<f64>) {
    let predicted =
        seen.signals.iter().map(|signals| signals.experts[at].map_or(0.0, |signal| signal.p_capable));
    let scores = seen.rows.iter().map(|row| row.outcome(name).map_or(0.0, |outcome| outcome.score));
    (predicted.collect(), scores.collect())
}

fn pair(seen: &Seen, names: &[String], strong: usize) -> Option<PairReport> {
    let others = (0..names.len()).filter(|&at| at != strong);
    let weak = others.min_by(|&a, &b| seen.pairs.mean_cost(a).total_cmp(&seen.pairs.mean_cost(b)))?;
    let ((p_strong, s_strong), (p_weak, s_weak)) =
        (columns(seen, &names[strong], strong), columns(seen, &names[weak], weak));
    let gains: Vec<f64> = p_strong.iter().zip(&p_weak).map(|(strong, weak)| strong - weak).collect();
    let PairCurve { apgr, cpt50, cpt80 } = measures::pair_curve(&gains, &s_strong, &s_weak);
    Some(PairReport { strong: names[strong].clone(), weak: names[weak].clone(), apgr, cpt50, cpt80 })
}

fn floor_report(
    params: &Params,
    pairs: &Pairs,
    experts: &[(&str, Price)],
    reference: usize,
    floor: f64,
    confidence: f64,
) -> FloorReport {
    let ask = CertifyAsk { experts, reference: experts[reference].0, floor, confidence, by: CertifyBy::Auto };
    let (certificate, refusal) = match params.certify(&ask) {
        Ok(certificate) => (Some(certificate), None),
        Err(refusal) => (None, Some(Refusal::to_string(&refusal))),
    };
    let chosen =
        certificate.as_ref().map_or_else(|| pairs.always(reference), |found| pairs.choose(found.lambda));
    let quality_ratio = pairs.quality_ratio(&chosen, reference);
    // Delta method: the ratio's error is that of mean(score - ratio * reference score), over the reference's mean.
    let MeanCi { standard_error, .. } =
        measures::mean_ci(&pairs.margins(&chosen, reference, quality_ratio), 0.95);
    FloorReport {
        floor,
        confidence,
        certified: certificate.is_some(),
        threshold: certificate.as_ref().map(|found| found.lambda),
        method: certificate.map(|found| found.method),
        refusal,
        saved_pct: pairs.saved_pct(&chosen, reference),
        quality_ratio,
        standard_error: standard_error / pairs.mean_score(reference).max(f64::MIN_POSITIVE),
        held: quality_ratio >= floor,
    }
}

fn best_single(pairs: &Pairs, names: &[String]) -> SingleReport {
    let best = pairs.best_expert().unwrap_or(0);
    SingleReport {
        expert: names[best].clone(),
        mean_score: pairs.mean_score(best),
        cost_usd: usd(pairs.mean_cost(best), pairs.len()),
    }
}

fn oracle(seen: &Seen, experts: &[(&str, Price)]) -> OracleReport {
    let singles: Vec<Vec<f64>> =
        (0..experts.len()).map(|at| seen.pairs.margins(&seen.pairs.always(at), at, 0.0)).collect();
    let chosen: Vec<u16> = (0..seen.rows.len())
        .map(|row| {
            let better = |a: &usize, b: &usize| {
                let by_score = singles[*a][row].total_cmp(&singles[*b][row]);
                by_score.then_with(|| seen.pairs.cell_cost(row, *b).total_cmp(&seen.pairs.cell_cost(row, *a)))
            };
            (0..experts.len()).max_by(better).unwrap_or(0) as u16
        })
        .collect();
    OracleReport {
        mean_score: seen.pairs.score(&chosen),
        cost_usd: usd(seen.pairs.cost(&chosen), seen.rows.len()),
    }
}

fn usd(mean_nano: f64, rows: usize) -> f64 {
    mean_nano * rows as f64 / 1e9
}

/// The bound on an answer's length when neither client nor configuration names one.
const USUAL_OUTPUT_BOUND: u32 = 4_096;
