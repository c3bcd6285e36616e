//! Cross-validated figures of a panel, from the calibration rows of a model: what `docs/reference/router.md` reports.
//!
//! `cargo run --release -p sluice-lab --example curves -- PRICES REFERENCE DATA...` trains on DATA and prints, for the
//! panel that holds REFERENCE: Brier, AUC, ECE, the curve (cost saved at 100, 98 and 95 % of the reference's realised
//! quality, best trade-off in hindsight), APGR for a pair, and what certificates hold on repeated splits.

use sluice_lab::corpus::{Row, load_outcomes, load_prices};
use sluice_lab::{Stopwatch, auc, brier, ece, mean_ci, pair_curve, train};
use sluice_router::{Pairs, PanelParts, Params, Price, certify_pairs};
use std::path::PathBuf;

#[allow(clippy::print_stdout, reason = "an example talks to its user")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let prices = load_prices(&PathBuf::from(arguments.next().ok_or("PRICES is missing")?))?;
    let reference = arguments.next().ok_or("REFERENCE is missing")?;
    let rows: Vec<Row> = load_outcomes(&arguments.map(PathBuf::from).collect::<Vec<_>>())?.rows;
    let (params, report) = {
        let clock = Stopwatch::start();
        train(&rows, &[], 1, &mut |what| println!("{:.1} {what}", clock.seconds()))?
    };
    println!("trained on {} rows in {:.1} s, {} bytes", report.rows, report.seconds, report.model_bytes);
    let at = params.experts().iter().position(|name| *name == reference).ok_or("no such REFERENCE")? as u32;
    let holds = |panel: &&PanelParts| panel.experts.contains(&at);
    for panel in params.panels().filter(holds) {
        let named = |&at: &u32| -> (&str, Price) {
            let name = params.experts()[at as usize].as_str();
            (name, prices[name])
        };
        let experts: Vec<(&str, Price)> = panel.experts.iter().map(named).collect();
        println!("{}", scores(panel));
        println!("{}", curve(&params, &experts, &reference)?);
        if experts.len() == 2 {
            println!("{}", pair(panel, &params, &reference));
        }
        println!("{}", splits(&params, &experts, &reference)?);
    }
    Ok(())
}

fn column(values: &[f32], width: usize, at: usize) -> Vec<f64> {
    values.iter().skip(at).step_by(width).map(|&value| f64::from(value)).collect()
}

fn scores(panel: &PanelParts) -> String {
    let width = panel.experts.len();
    let rows = &panel.calibration;
    let each = |measure: fn(&[f64], &[f64]) -> f64| -> Vec<f64> {
        (0..width)
            .map(|at| measure(&column(&rows.predicted, width, at), &column(&rows.scores, width, at)))
            .collect()
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let errors = each(ece);
    let most = errors.iter().copied().fold(0.0, f64::max);
    format!(
        "rows {}  brier {:.4}  auc {:.3}  ece mean {:.3} max {most:.3}",
        rows.len(),
        mean(&each(brier)),
        mean(&each(auc)),
        mean(&errors)
    )
}

fn curve(
    params: &Params,
    experts: &[(&str, Price)],
    reference: &str,
) -> Result<String, Box<dyn std::error::Error>> {
    let pairs = Pairs::collect(params, experts)?;
    let at = experts.iter().position(|(name, _)| *name == reference).ok_or("no reference")?;
    let mut saved = [0.0f64; 3];
    for step in 0..1_000 {
        let chosen = pairs.choose((-30.0 + 30.0 * f64::from(step) / 1_000.0).exp());
        let (ratio, save) = (pairs.quality_ratio(&chosen, at), pairs.saved_pct(&chosen, at));
        for (best, bar) in saved.iter_mut().zip([1.0, 0.98, 0.95]) {
            if ratio >= bar {
                *best = best.max(save);
            }
        }
    }
    let clock = Stopwatch::start();
    let mut out = format!("curve 100/98/95: {:.1} / {:.1} / {:.1}", saved[0], saved[1], saved[2]);
    for floor in [0.9, 0.95, 0.98] {
        for confidence in [0.95, 0.5] {
            match certify_pairs(&pairs, at, floor, confidence) {
                Ok(c) => {
                    out += &format!(
                        "\n  floor {floor} at {confidence}: {} saved {:.1} ratio {:.3}",
                        c.method, c.saved_pct, c.quality_ratio
                    )
                }
                Err(refusal) => out += &format!("\n  floor {floor} at {confidence}: {refusal}"),
            }
        }
    }
    Ok(format!("{out}\n  six certificates in {:.2} s", clock.seconds()))
}

fn pair(panel: &PanelParts, params: &Params, reference: &str) -> String {
    let strong = usize::from(params.experts()[panel.experts[1] as usize] == reference);
    let rows = &panel.calibration;
    let of = |values: &[f32], at: usize| column(values, 2, at);
    let gains: Vec<f64> =
        of(&rows.predicted, strong).iter().zip(of(&rows.predicted, 1 - strong)).map(|(s, w)| s - w).collect();
    let found = pair_curve(&gains, &of(&rows.scores, strong), &of(&rows.scores, 1 - strong));
    format!("pair: apgr {:.3}  cpt50 {:.1?}  cpt80 {:.1?}", found.apgr, found.cpt50, found.cpt80)
}

/// Certify on a random 70 % of the out-of-fold rows, look at the other 30 %.
fn splits(
    params: &Params,
    experts: &[(&str, Price)],
    reference: &str,
) -> Result<String, Box<dyn std::error::Error>> {
    let pairs = Pairs::collect(params, experts)?;
    let at = experts.iter().position(|(name, _)| *name == reference).ok_or("no reference")?;
    let mut out = String::from("20 splits, 70 % certify, 30 % test:");
    for floor in [0.9, 0.95, 0.98] {
        for confidence in [0.95, 0.5] {
            let (mut held, mut within, mut saved, mut ratio) = (0, 0, 0.0, 0.0);
            for split in 0..20u64 {
                let (calibrate, test) = pairs.split(split, 0.7);
                let Ok(certificate) = certify_pairs(&calibrate, at, floor, confidence) else {
                    held += 1;
                    within += 1;
                    ratio += 1.0;
                    continue;
                };
                let chosen = test.choose(certificate.lambda);
                let ci = mean_ci(&test.margins(&chosen, at, floor), 0.95);
                held += u32::from(ci.mean >= 0.0);
                within += u32::from(ci.mean >= -2.0 * ci.standard_error);
                saved += test.saved_pct(&chosen, at);
                ratio += test.quality_ratio(&chosen, at);
            }
            out += &format!(
                "\n  floor {floor} at {confidence}: held {held}/20, within 2 s.e. {within}/20, saved {:.1}, ratio {:.3}",
                saved / 20.0,
                ratio / 20.0
            );
        }
    }
    Ok(out)
}
