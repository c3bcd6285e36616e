//! The bands within which the demo has something to show: the large expert is best, verticals are level with it at
//! home, and a router that knows little more than the template saves a lot.

use super::*;
use crate::demo::experts::EXPERTS;
use crate::demo::requests::requests;

/// Every request, and what each expert makes of it: `(score, nano-USD)` by request, then expert.
pub(super) type Grades = (Vec<DemoRequest>, Vec<Vec<(f64, f64)>>);

fn grades() -> Grades {
    let all = requests();
    let graded = |request| EXPERTS.iter().map(|expert| graded(request, expert)).collect();
    let rows = all.iter().map(graded).collect();
    (all, rows)
}

fn graded(request: &DemoRequest, expert: &DemoExpert) -> (f64, f64) {
    let (score, input, output) = outcome(request, expert);
    (score, cost(expert, input, f64::from(output)))
}

/// Nano-USD, as an estimate: tests compare policies, nothing is booked.
fn cost(expert: &DemoExpert, input: u32, output: f64) -> f64 {
    let price = |text: &str| text.parse::<f64>().expect("a decimal price");
    1e3 * (price(expert.price_input) * f64::from(input) + price(expert.price_output) * output)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0), |(sum, n), value| (sum + value, n + 1));
    sum / f64::from(n.max(1))
}

/// Mean score of each expert over the requests that pass.
fn means(of: &Grades, keep: impl Fn(&DemoRequest) -> bool) -> Vec<f64> {
    let (all, rows) = of;
    let kept: Vec<_> = all.iter().zip(rows).filter(|(request, _)| keep(request)).collect();
    (0..EXPERTS.len()).map(|e| mean(kept.iter().map(|(_, row)| row[e].0))).collect()
}

#[test]
fn the_large_expert_is_best_and_solves_most() {
    let graded = grades();
    let overall = means(&graded, |_| true);
    for (expert, score) in EXPERTS.iter().zip(&overall) {
        println!("{:16} {score:.3}", expert.name);
    }
    assert!((0.75..0.88).contains(&overall[0]), "{}", overall[0]);
    assert!(overall[1..].iter().all(|&other| other < overall[0] - 0.01), "{overall:?}");
    assert!(
        overall.iter().all(|&score| score > 0.5),
        "even the smallest solves everyday requests: {overall:?}"
    );
}

#[test]
fn a_vertical_expert_is_level_with_the_large_one_at_home_and_weak_elsewhere() {
    let graded = grades();
    for domain in DOMAINS {
        let here = means(&graded, |request| request.domain == domain);
        println!("{domain:10} {here:.2?}");
        for (expert, score) in EXPERTS.iter().zip(&here).filter(|(expert, _)| expert.kind == "vertical") {
            let gap = score - here[0];
            match expert.domains.contains(&domain) {
                true => assert!(gap > -0.03, "{} in {domain}: {gap}", expert.name),
                false => assert!(gap < -0.04, "{} in {domain}: {gap}", expert.name),
            }
        }
    }
}

#[test]
fn chinese_is_where_the_chinese_expert_gains() {
    let graded = grades();
    let zh = EXPERTS.iter().position(|expert| expert.name == "zh-7b").expect("listed");
    let small = EXPERTS.iter().position(|expert| expert.name == "general-small").expect("listed");
    let (english, chinese) = (means(&graded, |r| r.lang == "en"), means(&graded, |r| r.lang == "zh"));
    println!("en {english:.3?}\nzh {chinese:.3?}");
    assert!(chinese[zh] > chinese[small] + 0.08 && english[zh] < english[small] + 0.03);
}

#[test]
fn every_expert_is_well_formed() {
    for expert in EXPERTS {
        let price = |text: &str| text.parse::<f64>().expect("a decimal price");
        assert!(price(expert.price_cached_input) <= price(expert.price_input), "{expert:?}");
        assert!(price(expert.price_output) > 0.0 && expert.replicas >= 2, "{expert:?}");
        assert!(
            expert.context_tokens >= 8_192 && sluice_sim::Profile::named(expert.profile).is_some(),
            "{expert:?}"
        );
        assert_eq!(expert.kind == "vertical", !expert.domains.is_empty(), "{expert:?}");
        assert!(expert.domains.iter().all(|domain| DOMAINS.contains(domain)), "{expert:?}");
    }
    let names: std::collections::HashSet<_> = EXPERTS.iter().map(|expert| expert.name).collect();
    assert_eq!(names.len(), EXPERTS.len());
}

#[test]
fn an_outcome_is_drawn_once() {
    let request = &requests()[77];
    assert_eq!(outcome(request, &EXPERTS[0]), outcome(request, &EXPERTS[0]));
    let lengths: Vec<u32> = EXPERTS.iter().map(|expert| outcome(request, expert).2).collect();
    assert!(lengths.iter().any(|length| *length != lengths[0]), "{lengths:?}");
}

#[test]
fn no_single_cheap_expert_holds_the_floor_and_the_oracle_shows_what_is_left() {
    let (_, rows) = grades();
    let reference = mean(rows.iter().map(|row| row[0].0));
    let spent = mean(rows.iter().map(|row| row[0].1));
    for e in 1..EXPERTS.len() {
        let alone = mean(rows.iter().map(|row| row[e].0)) / reference;
        println!("{:16} alone: {alone:.3} of the reference", EXPERTS[e].name);
        assert!(alone < 0.965, "{} alone would do: {alone}", EXPERTS[e].name);
    }
    // The oracle sees the grades: the cheapest right answer, else the cheapest.
    let cheaper = |a: &&(f64, f64), b: &&(f64, f64)| b.0.total_cmp(&a.0).then(a.1.total_cmp(&b.1));
    let oracle: Vec<(f64, f64)> =
        rows.iter().map(|row| *row.iter().min_by(cheaper).expect("experts")).collect();
    let quality = mean(oracle.iter().map(|choice| choice.0));
    let saved = 1.0 - mean(oracle.iter().map(|choice| choice.1)) / spent;
    println!("reference {reference:.3}, oracle {quality:.3} and saves {saved:.3}");
    assert!(quality > reference + 0.08 && saved > 0.9, "{quality} {saved}");
}

/// Twenty splits, as the demo makes them by its seed: a router that knows no more of a request than its template is
/// certified on one half and judged on 2,000 prompts of the other.
#[test]
fn a_router_that_only_knows_the_template_saves_half_and_holds_the_floor_in_18_of_20_splits() {
    let grades = grades();
    let runs: Vec<(f64, f64)> = (0..20).map(|seed| template::run(&grades, seed)).collect();
    let held = runs.iter().filter(|(ratio, _)| *ratio >= template::FLOOR).count();
    let lowest = |of: fn(&(f64, f64)) -> f64| runs.iter().map(of).fold(f64::INFINITY, f64::min);
    println!(
        "held {held} of 20; ratio {:.3} at least, {:.3} on average; saved {:.3} at least, {:.3} on average",
        lowest(|run| run.0),
        mean(runs.iter().map(|run| run.0)),
        lowest(|run| run.1),
        mean(runs.iter().map(|run| run.1)),
    );
    assert!(held >= 18 && lowest(|run| run.1) > 0.5, "{runs:.3?}");
}
