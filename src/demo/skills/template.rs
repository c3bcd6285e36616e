//! A router that knows nothing of a request but its template: the least that a learned one must do as well as.

use super::tests::Grades;
use crate::demo::draw::hash;
use crate::demo::experts::EXPERTS;
use std::collections::HashMap;

/// The promise that is certified and judged.
pub(super) const FLOOR: f64 = 0.95;

/// Mean score over the reference's, and the share of cost saved, on 2,000 prompts that were not learned from.
pub(super) fn run(grades: &Grades, seed: u32) -> (f64, f64) {
    let (all, rows) = grades;
    let drawn = |at: usize| hash(&["split", &seed.to_string(), &all[at].id]);
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|&at| drawn(at));
    let (train, rest) = order.split_at(all.len() / 2);
    let sent = &rest[..2_000];
    let template = |at: usize| all[at].id.rsplit_once('-').expect("numbered").0;
    let mut totals: HashMap<&str, Totals> = HashMap::new();
    for &at in train {
        totals.entry(template(at)).or_default().add(&rows[at], 1.0);
    }
    // A row is judged without its own grades, so that the threshold is not chosen on what it was fitted to.
    let without = |at: &usize| {
        let mut others = totals[template(*at)].clone();
        others.add(&rows[*at], -1.0);
        others.offers()
    };
    let calibration: Vec<Offers> = train.iter().map(without).collect();
    let lambda = certified(&calibration, |at, e| rows[train[at]][e].0);
    let chosen = sent.iter().map(|&at| (at, choose(&totals[template(at)].offers(), lambda)));
    let (mut quality, mut cost, mut reference, mut baseline) = (0.0, 0.0, 0.0, 0.0);
    for (at, e) in chosen {
        (quality, cost) = (quality + rows[at][e].0, cost + rows[at][e].1);
        (reference, baseline) = (reference + rows[at][0].0, baseline + rows[at][0].1);
    }
    (quality / reference, 1.0 - cost / baseline)
}

/// Expected score and cost of each expert.
type Offers = Vec<(f64, f64)>;

/// Sums over the rows of one template.
#[derive(Clone, Default)]
struct Totals {
    rows: f64,
    sums: Vec<(f64, f64)>,
}

impl Totals {
    fn add(&mut self, row: &[(f64, f64)], sign: f64) {
        self.rows += sign;
        self.sums.resize(EXPERTS.len(), (0.0, 0.0));
        for (sum, grade) in self.sums.iter_mut().zip(row) {
            *sum = (sum.0 + sign * grade.0, sum.1 + sign * grade.1);
        }
    }

    /// Means; a score is drawn towards the template's mean over all experts, as two rows' weight.
    fn offers(&self) -> Offers {
        let rows = self.rows.max(1.0);
        let overall = self.sums.iter().map(|sum| sum.0).sum::<f64>() / rows / self.sums.len() as f64;
        self.sums.iter().map(|sum| ((sum.0 + 2.0 * overall) / (rows + 2.0), sum.1 / rows)).collect()
    }
}

/// The expert that maximises score - lambda * cost.
fn choose(offers: &Offers, lambda: f64) -> usize {
    let value = |e: usize| offers[e].0 - lambda * offers[e].1;
    (0..offers.len()).max_by(|&a, &b| value(a).total_cmp(&value(b))).expect("experts")
}

/// The last of 24 thresholds, in equal steps of expected cost from dear to cheap, before the first at which a one-sided
/// normal test at 99 %, the confidence of the demo, can't rule out that the floor is missed.
fn certified(offers: &[Offers], score: impl Fn(usize, usize) -> f64) -> f64 {
    let choices = |lambda: f64| offers.iter().map(|row| choose(row, lambda)).collect::<Vec<_>>();
    let cost = |chosen: &[usize]| offers.iter().zip(chosen).map(|(row, &e)| row[e].1).sum::<f64>();
    let grid: Vec<(f64, Vec<usize>)> =
        (0..120).map(|step| 1e-10 * 1.1f64.powi(step)).map(|lambda| (lambda, choices(lambda))).collect();
    let (dearest, cheapest) = (cost(&grid[0].1), cost(&grid[grid.len() - 1].1));
    let mut best = 0.0;
    for step in 0..24 {
        let target = dearest - (dearest - cheapest) * f64::from(step) / 23.0;
        let near = |(_, chosen): &&(f64, Vec<usize>)| (cost(chosen) - target).abs();
        let (lambda, chosen) = grid.iter().min_by(|a, b| near(a).total_cmp(&near(b))).expect("a grid");
        let d: Vec<f64> =
            chosen.iter().enumerate().map(|(at, &e)| score(at, e) - FLOOR * score(at, 0)).collect();
        let (n, mean) = (d.len() as f64, d.iter().sum::<f64>() / d.len() as f64);
        let variance = d.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1.0);
        if mean <= 2.326_348 * (variance / n).sqrt() {
            break;
        }
        best = *lambda;
    }
    best
}
