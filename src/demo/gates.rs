//! Routing on the project's own request set must not get worse: the gate that every checkout can run.
//!
//! The set, its simulated experts and the split are fixed, so the figures are too; the bounds leave room for another
//! machine's rounding, not for a worse router.

use super::source;
use sluice_lab::corpus::{Prices, Row};
use sluice_lab::{EvalAsk, EvalReport, evaluate, train};
use sluice_router::prompt_hash;

/// Trains on half of the set and measures on the other half, as `sluice demo` does.
fn report() -> EvalReport {
    let own = source::own();
    let prices: Prices = own.experts.iter().map(|member| (member.name.clone(), member.price)).collect();
    let reference = own.best().expect("the set has grades").to_owned();
    let (seen, unseen): (Vec<Row>, Vec<Row>) =
        own.rows.into_iter().partition(|row| prompt_hash(&row.prompt).is_multiple_of(2));
    let (params, _) = train(&seen, &[], 1, &mut |_| {}).expect("enough rows");
    let ask = EvalAsk {
        reference: Some(reference),
        floors: vec![0.9, 0.95, 0.98],
        confidence: 0.95,
        ..EvalAsk::default()
    };
    evaluate(&params, &unseen, &prices, &ask).expect("the halves fit together")
}

#[test]
fn the_own_request_set_is_predicted_and_saves_at_its_floors() {
    let report = report();
    let mean = |value: &dyn Fn(&sluice_lab::ExpertCard) -> f64| {
        report.experts.values().map(value).sum::<f64>() / report.experts.len() as f64
    };
    let (brier, ece) = (mean(&|card| card.brier), mean(&|card| card.ece));
    let of_the_mean = mean(&|card| card.mean_score * (1.0 - card.mean_score));
    let apgr = report.pair.as_ref().expect("more than one expert").apgr;
    println!("Brier {brier:.4}, of the mean {of_the_mean:.4}; ECE {ece:.3}; APGR {apgr:.3}");
    assert!(brier < 0.158 && brier < 0.76 * of_the_mean, "Brier {brier:.4}, of the mean {of_the_mean:.4}");
    assert!(ece < 0.045, "ECE {ece:.3}");
    assert!(apgr > 0.60, "APGR {apgr:.3}");
    for (floor, least) in report.floors.iter().zip([88.0, 78.0, 66.0]) {
        println!("floor {}: saved {:.1}, ratio {:.3}", floor.floor, floor.saved_pct, floor.quality_ratio);
        assert!(floor.saved_pct > least, "{floor:?}");
        assert!(floor.quality_ratio >= floor.floor - 2.0 * floor.standard_error, "{floor:?}");
    }
}
