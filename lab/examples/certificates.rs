//! What certificates keep and what they cost: the tables of `docs/reference/router.md`, section 5.
//!
//! `cargo run --release -p sluice-lab --example certificates -- WHAT PRICES REFERENCE DATA...`, where WHAT is
//! - `splits`: certify on a random 70 % of the out-of-fold rows, look at the other 30 %, 20 times;
//! - `populations`: the out-of-fold rows are the truth, samples of as many groups are drawn from them, 100 times
//!   (`populations:1000`: as often as that); every test and path beside the others;
//! - `end-to-end`: train on a random half, certify, measure on the other half, 20 times.

use sluice_lab::corpus::{Prices, Row, load_outcomes, load_prices};
use sluice_lab::{EvalAsk, Stopwatch, evaluate, mean_ci, train};
use sluice_router::{
    CertifyAsk, CertifyBy, Pairs, PanelParts, Params, Price, certify_pairs_by, hoeffding_bentkus_p,
    prompt_hash,
};
use std::path::PathBuf;

type End = Result<(), Box<dyn std::error::Error>>;

fn main() -> End {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().ok_or("WHAT is missing: splits, populations or end-to-end")?;
    let prices = load_prices(&PathBuf::from(arguments.next().ok_or("PRICES is missing")?))?;
    let reference = arguments.next().ok_or("REFERENCE is missing")?;
    let rows = load_outcomes(&arguments.map(PathBuf::from).collect::<Vec<_>>())?.rows;
    let (what, times) = what.split_once(':').unwrap_or((&what, "100"));
    match what {
        "end-to-end" => end_to_end(&rows, &prices, &reference),
        "splits" => splits(&Set::new(&rows, &prices, &reference)?),
        "populations" => populations(&Set::new(&rows, &prices, &reference)?, times.parse()?),
        other => Err(format!("{other}: splits, populations or end-to-end is wanted").into()),
    }
}

/// The out-of-fold rows of a data set, and the reference's position.
struct Set {
    pairs: Pairs,
    reference: usize,
}

impl Set {
    fn new(rows: &[Row], prices: &Prices, reference: &str) -> Result<Set, Box<dyn std::error::Error>> {
        let (params, _) = train(rows, &[], 1, &mut |_| {})?;
        let at =
            params.experts().iter().position(|name| name == reference).ok_or("no such REFERENCE")? as u32;
        let holds = |panel: &&PanelParts| panel.experts.contains(&at);
        let rows = |panel: &&PanelParts| panel.calibration.len();
        let panel = params.panels().filter(holds).max_by_key(rows).ok_or("no panel")?;
        let experts = named(&params, panel, prices);
        let reference = experts.iter().position(|(name, _)| *name == reference).ok_or("no reference")?;
        Ok(Set { pairs: Pairs::collect(&params, &experts)?, reference })
    }
}

fn named<'a>(params: &'a Params, panel: &PanelParts, prices: &Prices) -> Vec<(&'a str, Price)> {
    let names = panel.experts.iter().map(|&at| params.experts()[at as usize].as_str());
    names.map(|name| (name, prices[name])).collect()
}

/// A way to find how far a route may go.
#[derive(Clone, Copy)]
enum Way {
    /// What the router does.
    Router(CertifyBy, f64),
    /// The Hoeffding-Bentkus test on a path of so many steps.
    HoeffdingBentkus(usize),
    /// The t test on a path of so many steps, in place of the router's.
    Steps(usize),
}

impl Way {
    fn name(self) -> String {
        match self {
            Way::Router(CertifyBy::Auto, confidence) if confidence <= 0.5 => "no margin".to_owned(),
            Way::Router(CertifyBy::Auto, _) => "auto".to_owned(),
            Way::Router(CertifyBy::Bets, _) => "bets".to_owned(),
            Way::HoeffdingBentkus(steps) => format!("Hoeffding-Bentkus, {steps} steps"),
            Way::Steps(steps) => format!("t test, {steps} steps"),
        }
    }

    /// The certified lambda; `None` means always the reference.
    fn lambda(self, pairs: &Pairs, reference: usize, floor: f64) -> Option<f64> {
        let walk = |steps: usize, holds: &dyn Fn(&[f64]) -> bool| {
            let margins = |lambda: &f64| pairs.margins(&pairs.choose(*lambda), reference, floor);
            pairs.path(steps).into_iter().take_while(|lambda| holds(&margins(lambda))).last()
        };
        match self {
            Way::Router(by, confidence) => {
                let ask = CertifyAsk { experts: &[], reference: "", floor, confidence, by };
                certify_pairs_by(pairs, reference, &ask).ok().map(|certificate| certificate.lambda)
            }
            Way::HoeffdingBentkus(steps) => walk(steps, &|margins| {
                // Margins lie between -floor and 1; as losses, the bar is where they are 0.
                let loss = margins.iter().map(|margin| (1.0 - margin) / (1.0 + floor)).sum::<f64>();
                let mean = loss / margins.len() as f64;
                hoeffding_bentkus_p(mean, margins.len(), 1.0 / (1.0 + floor)) <= LEVEL
            }),
            Way::Steps(steps) => walk(steps, &|margins| mean_ci(margins, 1.0 - 2.0 * LEVEL).low > 0.0),
        }
    }
}

#[allow(clippy::print_stdout, reason = "an example talks to its user")]
fn splits(set: &Set) -> End {
    let clock = Stopwatch::start();
    AUTO.lambda(&set.pairs, set.reference, FLOORS[0]);
    let (rows, groups) = (set.pairs.len(), set.pairs.groups());
    println!("{rows} rows in {groups} groups; a certificate on all of them takes {:.3} s", clock.seconds());
    println!(
        "| floor | way | held, of 20 | within 2 s.e. | saved | ratio |\n| --- | --- | --- | --- | --- | --- |"
    );
    for floor in FLOORS {
        for way in [AUTO, BETS, Way::HoeffdingBentkus(96), NO_MARGIN] {
            let mut sum = Sum::default();
            for split in 0..20 {
                let (calibrate, test) = set.pairs.split(split, 0.7);
                let lambda = way.lambda(&calibrate, set.reference, floor);
                let chosen = lambda.map_or_else(|| test.always(set.reference), |lambda| test.choose(lambda));
                let ci = mean_ci(&test.margins(&chosen, set.reference, floor), 0.95);
                let ratio = test.quality_ratio(&chosen, set.reference);
                let saved = test.saved_pct(&chosen, set.reference);
                sum.add(ci.mean >= 0.0, ci.mean >= -2.0 * ci.standard_error, saved, ratio);
            }
            println!("| {floor} | {} | {} |", way.name(), sum.row());
        }
    }
    Ok(())
}

#[allow(clippy::print_stdout, reason = "an example talks to its user")]
fn populations(set: &Set, draws: u64) -> End {
    let (truth, reference) = (&set.pairs, set.reference);
    println!("| floor | best that truly holds | way | saved | broken |\n| --- | --- | --- | --- | --- |");
    let samples: Vec<Pairs> = (0..draws).map(|draw| truth.resample(draw)).collect();
    for floor in FLOORS {
        let holds = |chosen: &Vec<u16>| truth.quality_ratio(chosen, reference) >= floor;
        let path = truth.path(1_000).into_iter().map(|lambda| truth.choose(lambda)).filter(holds);
        let best = path.map(|chosen| truth.saved_pct(&chosen, reference)).fold(0.0, f64::max);
        for way in [AUTO, Way::Steps(24), Way::Steps(48), Way::Steps(192), BETS, Way::HoeffdingBentkus(96)] {
            let (mut saved, mut broken) = (0.0, 0);
            for lambda in samples.iter().filter_map(|sample| way.lambda(sample, reference, floor)) {
                let chosen = truth.choose(lambda);
                saved += truth.saved_pct(&chosen, reference);
                broken += u32::from(truth.quality_ratio(&chosen, reference) < floor);
            }
            println!("| {floor} | {best:.1} | {} | {:.1} | {broken} |", way.name(), saved / draws as f64);
        }
    }
    Ok(())
}

#[allow(clippy::print_stdout, reason = "an example talks to its user")]
fn end_to_end(rows: &[Row], prices: &Prices, reference: &str) -> End {
    let confidences = [1.0 - LEVEL, 0.5];
    let mut sums = vec![Sum::default(); FLOORS.len() * confidences.len()];
    for split in 0..20u64 {
        let is_seen = |row: &&Row| prompt_hash(&format!("{split} {}", row.prompt)).is_multiple_of(2);
        let (seen, unseen): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(is_seen);
        let own = |rows: Vec<&Row>| rows.into_iter().cloned().collect::<Vec<Row>>();
        let (seen, unseen) = (own(seen), own(unseen));
        let (params, _) = train(&seen, &[], split + 1, &mut |_| {})?;
        for (at, confidence) in confidences.into_iter().enumerate() {
            let ask = EvalAsk {
                reference: Some(reference.to_owned()),
                floors: FLOORS.to_vec(),
                confidence,
                ..EvalAsk::default()
            };
            for (floor, sum) in evaluate(&params, &unseen, prices, &ask)?
                .floors
                .iter()
                .zip(sums.iter_mut().skip(at * FLOORS.len()))
            {
                let is_within = floor.quality_ratio >= floor.floor - 2.0 * floor.standard_error;
                sum.add(floor.held, is_within, floor.saved_pct, floor.quality_ratio);
            }
        }
    }
    println!(
        "| floor | way | held, of 20 | within 2 s.e. | saved | ratio |\n| --- | --- | --- | --- | --- | --- |"
    );
    for (at, sum) in sums.iter().enumerate() {
        let way = if at < FLOORS.len() { AUTO } else { NO_MARGIN };
        println!("| {} | {} | {} |", FLOORS[at % FLOORS.len()], way.name(), sum.row());
    }
    Ok(())
}

/// What came of some splits.
#[derive(Default, Clone)]
struct Sum {
    n: u32,
    held: u32,
    within: u32,
    saved: f64,
    ratio: f64,
}

impl Sum {
    fn add(&mut self, held: bool, is_within: bool, saved: f64, ratio: f64) {
        self.n += 1;
        self.held += u32::from(held);
        self.within += u32::from(is_within);
        self.saved += saved;
        self.ratio += ratio;
    }

    fn row(&self) -> String {
        let n = f64::from(self.n);
        format!("{} | {} | {:.1} | {:.3}", self.held, self.within, self.saved / n, self.ratio / n)
    }
}

const FLOORS: [f64; 3] = [0.9, 0.95, 0.98];
const LEVEL: f64 = 0.05;
const AUTO: Way = Way::Router(CertifyBy::Auto, 1.0 - LEVEL);
const BETS: Way = Way::Router(CertifyBy::Bets, 1.0 - LEVEL);
const NO_MARGIN: Way = Way::Router(CertifyBy::Auto, 0.5);
