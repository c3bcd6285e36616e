//! Scorecards: each expert by domain, language and difficulty, as buyers compare models.

mod colour;
mod difficulty;
mod interval;
mod markdown;
mod rank;
mod svg;

pub use difficulty::Difficulty;
pub use markdown::markdown;
pub use svg::svg;

use crate::eval::Seen;
use crate::slices;
use serde::Serialize;

/// All slices, with what is needed to read them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scorecards {
    /// Of every interval, and of every range of ranks.
    pub confidence: f64,
    /// A slice with fewer rows than this is marked `small`.
    pub small_below: usize,
    /// How rows are told easy from hard.
    pub difficulty: Difficulty,
    /// The slices: all rows first, then by domain and language.
    pub slices: Vec<Slice>,
}

/// Some of the rows. [`ALL`] stands where a slice doesn't look at a label.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Slice {
    /// The rows' own label.
    pub domain: String,
    /// The rows' own label.
    pub language: String,
    /// `easy`, `medium`, `hard`, or [`ALL`].
    pub difficulty: &'static str,
    /// Rows.
    pub n: usize,
    /// Whether they are too few to say much.
    pub small: bool,
    /// The experts, the best first.
    pub experts: Vec<Entry>,
}

/// One expert on one slice.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// Who.
    pub expert: String,
    /// Mean score.
    pub quality: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end of its interval.
    pub high: f64,
    /// What the interval rests on: `clopper_pearson`, `normal` or `hoeffding`.
    pub interval: &'static str,
    /// Cost of all answers over the sum of their scores, in USD; `null` without a right answer.
    pub cost_per_right_usd: Option<f64>,
    /// Its place by mean score, from 1; equal means share a place.
    pub rank: usize,
    /// The best place that the rows don't rule out.
    pub best_rank: usize,
    /// The worst place that the rows don't rule out.
    pub worst_rank: usize,
}

impl Entry {
    /// The ranks that the rows don't rule out, `2` or `2-5`.
    pub fn ranks(&self) -> String {
        if self.best_rank == self.worst_rank {
            return self.best_rank.to_string();
        }
        format!("{}-{}", self.best_rank, self.worst_rank)
    }
}

/// A label of all rows.
pub const ALL: &str = "all";

pub(crate) fn scorecards(seen: &Seen) -> Scorecards {
    let levels = difficulty::levels(seen);
    let all: Vec<usize> = (0..seen.rows.len()).collect();
    let mut slices = by_difficulty(seen, &levels, &all, ALL, ALL);
    for (domain, rows) in slices::by(&seen.rows, slices::domain) {
        for (language, rows) in slices::within(&seen.rows, &rows, slices::language) {
            slices.extend(by_difficulty(seen, &levels, &rows, domain, language));
        }
    }
    Scorecards { confidence: CONFIDENCE, small_below: SMALL_BELOW, difficulty: levels.report, slices }
}

/// The rows together, then the easy, medium and hard ones among them.
fn by_difficulty(
    seen: &Seen,
    levels: &difficulty::Levels,
    rows: &[usize],
    domain: &str,
    language: &str,
) -> Vec<Slice> {
    let mut slices = vec![slice(seen, rows, domain, language, ALL)];
    for (at, name) in difficulty::NAMES.into_iter().enumerate() {
        let some: Vec<usize> = rows.iter().copied().filter(|&row| levels.of_rows[row] == at).collect();
        if !some.is_empty() {
            slices.push(slice(seen, &some, domain, language, name));
        }
    }
    slices
}

fn slice(seen: &Seen, rows: &[usize], domain: &str, language: &str, difficulty: &'static str) -> Slice {
    let scores: Vec<Vec<f64>> =
        (0..seen.experts.len()).map(|at| rows.iter().map(|&row| seen.score(row, at)).collect()).collect();
    let ranges = rank::ranges(&scores, CONFIDENCE);
    let mut experts: Vec<Entry> =
        ranges.into_iter().enumerate().map(|(at, range)| entry(seen, rows, at, &scores[at], range)).collect();
    experts.sort_by(|a, b| a.rank.cmp(&b.rank).then_with(|| a.expert.cmp(&b.expert)));
    Slice {
        domain: domain.to_owned(),
        language: language.to_owned(),
        difficulty,
        n: rows.len(),
        small: rows.len() < SMALL_BELOW,
        experts,
    }
}

fn entry(seen: &Seen, rows: &[usize], at: usize, scores: &[f64], range: rank::Range) -> Entry {
    let right: f64 = scores.iter().sum();
    let cost: f64 = rows.iter().map(|&row| seen.pairs.cell_cost(row, at)).sum();
    let interval = interval::of_mean(scores, CONFIDENCE);
    Entry {
        expert: seen.name(at).to_owned(),
        quality: right / scores.len() as f64,
        low: interval.low,
        high: interval.high,
        interval: interval.method,
        cost_per_right_usd: (right > 0.0).then(|| cost / right / 1e9),
        rank: range.place,
        best_rank: range.best,
        worst_rank: range.worst,
    }
}

const CONFIDENCE: f64 = 0.95;
const SMALL_BELOW: usize = 30;
