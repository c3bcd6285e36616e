//! What the demo relies on: many requests, all different, in balance, harder ones looking harder.

use super::*;
use std::collections::BTreeMap;

#[test]
fn there_are_at_least_6000_distinct_prompts_with_distinct_ids() {
    let all = requests();
    let prompts: HashSet<&str> = all.iter().map(|request| request.prompt.as_str()).collect();
    let ids: HashSet<&str> = all.iter().map(|request| request.id.as_str()).collect();
    println!("{} requests", all.len());
    assert!(all.len() >= 6_000, "{}", all.len());
    assert_eq!((prompts.len(), ids.len()), (all.len(), all.len()));
}

#[test]
fn every_domain_has_both_languages_in_balance() {
    let mut cells: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for request in requests() {
        *cells.entry((request.domain, request.lang)).or_default() += 1;
    }
    assert_eq!(cells.len(), 22);
    let (fewest, most) = (cells.values().min(), cells.values().max());
    println!("cells have {fewest:?} to {most:?}");
    assert!(cells.values().all(|&n| (250..=300).contains(&n)), "{cells:?}");
}

#[test]
fn the_set_is_the_same_on_every_call() {
    assert_eq!(requests(), requests());
}

#[test]
fn no_slot_is_left_open_and_every_pool_is_used() {
    assert!(requests().iter().all(|request| !request.prompt.contains(['‹', '›'])));
    for domain in DOMAINS {
        for half in &domain.halves {
            assert!(half.templates.len() >= 12, "{} {}", domain.name, half.lang);
            for (name, _, fillers) in half.pools {
                let used = half.templates.iter().any(|(.., text)| text.contains(&format!("‹{name}›")));
                assert!(used && fillers.len() >= 5, "{} {} {name}", domain.name, half.lang);
            }
        }
    }
}

#[test]
fn difficulty_covers_its_range_and_shows_in_the_length() {
    let all = requests();
    let share = |low: f64, high: f64| {
        let within = all.iter().filter(|request| (low..high).contains(&request.difficulty)).count();
        within as f64 / all.len() as f64
    };
    let thirds = [share(0.0, 0.33), share(0.33, 0.66), share(0.66, 1.0)];
    println!("easy, middle, hard: {thirds:.3?}");
    assert!(thirds.iter().all(|&third| third > 0.2), "{thirds:?}");
    for lang in ["en", "zh"] {
        let mean_chars = |low: f64, high: f64| {
            let lengths: Vec<usize> = all
                .iter()
                .filter(|request| request.lang == lang && (low..high).contains(&request.difficulty))
                .map(|request| request.prompt.chars().count())
                .collect();
            lengths.iter().sum::<usize>() as f64 / lengths.len() as f64
        };
        assert!(mean_chars(0.7, 1.0) > 2.0 * mean_chars(0.0, 0.3), "{lang}");
    }
}

#[test]
fn the_two_fillers_of_one_pool_differ() {
    let mut filling = Filling {
        draws: Draws::of(&["x"]),
        pools: retail::RETAIL.halves[0].pools,
        chosen: Vec::new(),
        added: 0.0,
    };
    let text = filling.fill("‹rule›|‹rule'›|‹rule›|‹4-4›");
    let parts: Vec<&str> = text.split('|').collect();
    assert_eq!((parts[0], parts[3]), (parts[2], "4"));
    assert_ne!(parts[0], parts[1]);
}
