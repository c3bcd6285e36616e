//! The rows that can be compared, with what the model sees in each of them.

use crate::corpus::Row;
use crate::train::jobs;
use sluice_router::{
    Binding, Pairs, Params, Price, Signals, Tokens, classify, estimate_tokens, expected_cost, expected_output,
};

/// What is known of each row: the row, and what the model sees in it.
pub(crate) struct Seen<'a> {
    /// The experts in the order of every column.
    pub(crate) experts: Vec<(String, Price)>,
    /// Rows that grade all of them.
    pub(crate) rows: Vec<&'a Row>,
    /// What the model sees in each row.
    pub(crate) signals: Vec<Signals>,
    /// Offers, scores and costs of each row.
    pub(crate) pairs: Pairs,
}

impl<'a> Seen<'a> {
    /// Classifies every row as serving would, and prices the answers.
    pub(crate) fn new(params: &Params, rows: Vec<&'a Row>, experts: Vec<(String, Price)>) -> Seen<'a> {
        let binding = bind(params, &experts);
        let texts: Vec<&str> = rows.iter().map(|row| row.prompt.as_str()).collect();
        let signals = classify_all(params, &binding, &texts);
        let cells = rows.iter().zip(&signals).map(|(row, signals)| cells(row, signals, &experts));
        let pairs = Pairs::from_rows(experts.len(), cells);
        Seen { experts, rows, signals, pairs }
    }

    /// The expert in this column.
    pub(crate) fn name(&self, at: usize) -> &str {
        &self.experts[at].0
    }

    /// The experts as the router's functions take them.
    pub(crate) fn priced(&self) -> Vec<(&str, Price)> {
        self.experts.iter().map(|(name, price)| (name.as_str(), *price)).collect()
    }

    /// Predicted and graded scores of one expert.
    pub(crate) fn columns(&self, at: usize) -> (Vec<f64>, Vec<f64>) {
        ((0..self.rows.len()).map(|row| (self.predicted(row, at), self.score(row, at)))).unzip()
    }

    /// The score that the model predicts for an expert on a row.
    pub(crate) fn predicted(&self, row: usize, at: usize) -> f64 {
        self.signals[row].experts[at].map_or(0.0, |signal| signal.p_capable)
    }

    /// What an expert scored on a row.
    pub(crate) fn score(&self, row: usize, at: usize) -> f64 {
        self.rows[row].outcome(self.name(at)).map_or(0.0, |outcome| outcome.score)
    }
}

/// Where the model has the experts.
pub(crate) fn bind(params: &Params, experts: &[(String, Price)]) -> Binding {
    params.bind(&experts.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>())
}

/// Classifies texts on all cores, in their order.
pub(crate) fn classify_all(params: &Params, binding: &Binding, texts: &[&str]) -> Vec<Signals> {
    let of = |chunk: &[&str]| chunk.iter().map(|text| classify(params, text, binding)).collect::<Vec<_>>();
    jobs::run(texts.chunks(CHUNK).collect(), of).into_iter().flatten().collect()
}

/// What every expert offers for a text of about `tokens` tokens: predicted score and expected cost in nano-USD.
pub(crate) fn offers(signals: &Signals, tokens: u32, experts: &[(String, Price)]) -> Vec<(f64, f64)> {
    let offer = |(at, (_, price)): (usize, &(String, Price))| {
        let signal = signals.experts[at].expect("the model knows every chosen expert");
        let output = expected_output(signal.output_tokens, USUAL_OUTPUT_BOUND);
        (signal.p_capable, expected_cost(price, tokens, output).0 as f64)
    };
    experts.iter().enumerate().map(offer).collect()
}

/// For each expert of a row its offer, its score and its cost.
fn cells(row: &Row, signals: &Signals, experts: &[(String, Price)]) -> Vec<((f64, f64), f64, f64)> {
    let estimated = estimate_tokens(&row.prompt);
    let offers = offers(signals, estimated, experts).into_iter();
    let cell = |(offer, (name, price)): ((f64, f64), &(String, Price))| {
        let outcome = row.outcome(name).expect("the row grades every chosen expert");
        let prompt = outcome.input_tokens.unwrap_or(estimated);
        let charged = Tokens { prompt, output: outcome.output_tokens.unwrap_or(0), ..Tokens::default() };
        (offer, outcome.score, price.cost(charged).0 as f64)
    };
    offers.zip(experts).map(cell).collect()
}

/// The bound on an answer's length when neither client nor configuration names one.
const USUAL_OUTPUT_BOUND: u32 = 4_096;
/// Texts that one thread classifies at a time.
const CHUNK: usize = 128;
