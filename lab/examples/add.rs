//! What a few grades of a new expert are worth: the table of `docs/reference/router.md`, "A new expert".
//!
//! `cargo run --release -p sluice-lab --example add -- DATA [EVERY]` takes every EVERY-th expert of DATA (default 3) as
//! the new one: trains on four fifths of the prompts without its grades, adds it with 60, 100, 300 and 500 of them
//! (drawn three times), and measures its predictions on the last fifth, which nothing has seen. Beside it what always
//! predicting the mean of those grades gives, and what training with all grades of the four fifths gives.

use sluice_lab::corpus::{Row, load_outcomes};
use sluice_lab::{add, auc, brier, train};
use sluice_router::{Params, classify, prompt_hash};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// AUC and Brier, summed over experts and draws.
#[derive(Default, Clone, Copy)]
struct Sum {
    auc: f64,
    brier: f64,
    own: usize,
    n: usize,
    seconds: f64,
}

impl Sum {
    fn note(&mut self, predicted: &[f64], scores: &[f64]) {
        self.auc += auc(predicted, scores);
        self.brier += brier(predicted, scores);
        self.n += 1;
    }

    fn show(&self) -> String {
        let n = self.n.max(1) as f64;
        format!("AUC {:.3}  Brier {:.4}", self.auc / n, self.brier / n)
    }
}

#[allow(clippy::print_stdout, reason = "an example talks to its user")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let data = PathBuf::from(arguments.next().ok_or("DATA is missing")?);
    let every: usize = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let rows = load_outcomes(&[data])?.rows;
    let (test, dev): (Vec<Row>, Vec<Row>) =
        rows.into_iter().partition(|row| prompt_hash(&row.prompt).is_multiple_of(5));
    let names: BTreeSet<String> =
        dev.iter().flat_map(|row| &row.outcomes).map(|o| o.expert.clone()).collect();
    let (whole, _) = train(&dev, &[], 1, &mut |_| {})?;
    let mut sums = [[Sum::default(); 2]; DRAWN.len()];
    let mut all = Sum::default();
    let chosen: Vec<&String> = names.iter().step_by(every).collect();
    for name in &chosen {
        let others: Vec<Row> = dev.iter().map(|row| without(row, name)).collect();
        let (base, _) = train(&others, &[], 1, &mut |_| {})?;
        measure(&whole, name, &test, &mut all);
        for (drawn, sums) in DRAWN.iter().zip(&mut sums) {
            for draw in 0..DRAWS {
                let few = sample(&dev, name, *drawn, draw);
                if few.len() < *drawn {
                    continue;
                }
                let (added, report) = add(base.clone(), name, &few, 1)?;
                measure(&added, name, &test, &mut sums[0]);
                sums[0].own += usize::from(report.own_penalty.is_some());
                sums[0].seconds = sums[0].seconds.max(report.seconds);
                let graded: Vec<f64> =
                    test.iter().filter_map(|row| row.outcome(name)).map(|o| o.score).collect();
                sums[1].note(&vec![report.mean_score; graded.len()], &graded);
            }
        }
    }
    println!("{} experts, {} rows to learn from, {} to measure on", chosen.len(), dev.len(), test.len());
    for (drawn, [added, mean]) in DRAWN.iter().zip(&sums) {
        println!(
            "{drawn:>4} grades: {}   mean alone: {}   own residual in {} of {}, at most {:.2} s",
            added.show(),
            mean.show(),
            added.own,
            added.n,
            added.seconds
        );
    }
    println!(" all grades: {}", all.show());
    Ok(())
}

fn without(row: &Row, name: &str) -> Row {
    let mut row = row.clone();
    row.outcomes.retain(|outcome| outcome.expert != name);
    row
}

/// Some rows with the grades of one expert alone, drawn by a hash.
fn sample(rows: &[Row], name: &str, most: usize, draw: u64) -> Vec<Row> {
    let mut graded: Vec<&Row> = rows.iter().filter(|row| row.outcome(name).is_some()).collect();
    graded.sort_by_key(|row| prompt_hash(&format!("{draw} {}", row.id)));
    let only = |row: &&Row| {
        let mut row = (*row).clone();
        row.outcomes.retain(|outcome| outcome.expert == name);
        row
    };
    graded.iter().take(most).map(only).collect()
}

fn measure(params: &Params, name: &str, test: &[Row], sum: &mut Sum) {
    let binding = params.bind(&[name]);
    let of = |row: &Row| {
        let score = row.outcome(name)?.score;
        Some((classify(params, &row.prompt, &binding).experts[0]?.p_capable, score))
    };
    let (predicted, scores): (Vec<f64>, Vec<f64>) = test.iter().filter_map(of).unzip();
    sum.note(&predicted, &scores);
}

const DRAWN: [usize; 4] = [60, 100, 300, 500];
const DRAWS: u64 = 3;
