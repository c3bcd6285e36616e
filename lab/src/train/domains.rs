//! What the domain head learns from: domain texts, graded rows with a domain, and texts of none.

use super::design::{Block, Design};
use super::gate::Ground;
use super::groups::mix;
use super::heads::{Head, HeadTask};
use super::outside::Outside;
use super::ridge;
use super::scope::{self, Scored};
use crate::corpus::{DomainText, Row};
use sluice_router::{Scope, languages, prompt_hash};
use std::collections::{BTreeMap, HashSet};

/// Texts with their domains. The class after the last domain is "none of these".
pub(super) struct Domains {
    pub(super) names: Vec<String>,
    /// Rows of the design: all graded rows, then the domain texts, then those of none.
    pub(super) rows: Vec<u32>,
    labels: Vec<u32>,
    folds: Vec<u8>,
    teaches: Vec<bool>,
    languages: Vec<String>,
}

impl Domains {
    /// Domain texts all, graded rows with a domain up to a number for each domain and language, so that one large
    /// benchmark doesn't drown the rest. The other graded rows don't teach; they are only placed.
    pub(super) fn collect(
        ground: &Ground,
        rows: &[&Row],
        domain_texts: &[DomainText],
        keys: &[u64],
        seed: u64,
    ) -> Domains {
        let mut picked = graded(ground, rows, keys, seed);
        let mut seen: HashSet<u64> =
            picked.iter().filter(|text| text.domain.is_some()).map(|text| keys[text.row as usize]).collect();
        let keys_of_texts = fold_keys(domain_texts, &ground.templates);
        for (at, text) in domain_texts.iter().enumerate() {
            if seen.insert(prompt_hash(&text.text)) {
                let row = (rows.len() + at) as u32;
                let fold = fold_of(keys_of_texts[at], seed);
                picked.push(Picked { row, domain: Some(&text.domain), fold });
            }
        }
        let names: std::collections::BTreeSet<&str> = picked.iter().filter_map(|text| text.domain).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let label =
            |text: &Picked| text.domain.map_or(0, |domain| names.partition_point(|name| *name < domain));
        let mut domains = Domains {
            rows: picked.iter().map(|text| text.row).collect(),
            labels: picked.iter().map(|text| label(text) as u32).collect(),
            folds: picked.iter().map(|text| text.fold).collect(),
            teaches: picked.iter().map(|text| text.domain.is_some()).collect(),
            languages: spoken(rows, domain_texts),
            names: names.iter().map(|&name| name.to_owned()).collect(),
        };
        domains.add(&ground.outside, (rows.len() + domain_texts.len()) as u32, &ground.design, seed);
        domains
    }

    /// Adds the texts of none, but for topics that look like one of the domains.
    fn add(&mut self, outside: &[Outside], first: u32, design: &Design, seed: u64) {
        if self.names.len() < 2 {
            return;
        }
        let rows: Vec<u32> = (first..).take(outside.len()).collect();
        let claimed = self.claimed(outside, &rows, design);
        for (text, &row) in outside.iter().zip(&rows).filter(|(text, _)| !claimed.contains(&text.topic)) {
            self.rows.push(row);
            self.labels.push(self.names.len() as u32);
            self.folds.push(fold_of(text.topic, seed));
            self.teaches.push(true);
        }
    }

    /// Topics that a head without them takes for a domain: what a user calls a domain is in scope.
    fn claimed(&self, outside: &[Outside], rows: &[u32], design: &Design) -> HashSet<u64> {
        let taught: Vec<usize> = (0..self.rows.len()).filter(|&at| self.teaches[at]).collect();
        let of: Vec<u32> = taught.iter().map(|&at| self.rows[at]).collect();
        let mut targets = Block::zero(of.len(), self.names.len());
        taught
            .iter()
            .enumerate()
            .for_each(|(at, &text)| targets.row_mut(at)[self.labels[text] as usize] = 1.0);
        let duals = ridge::solve(design, &of, &targets, &[PENALTY], CLAIM_STEPS).swap_remove(0);
        let scores = design.times(rows, &design.transposed_times(&of, &duals));
        let mut topics: BTreeMap<u64, (f32, Vec<f32>)> = BTreeMap::new();
        for (at, text) in outside.iter().enumerate() {
            let (count, sums) = topics.entry(text.topic).or_insert((0.0, vec![0.0; self.names.len()]));
            *count += 1.0;
            sums.iter_mut().zip(scores.row(at)).for_each(|(sum, score)| *sum += score);
        }
        let means = |(count, sums): (f32, Vec<f32>)| sums.into_iter().map(|sum| sum / count).collect();
        claimed(topics.into_iter().map(|(topic, sums)| (topic, means(sums))).collect())
    }

    pub(super) fn task<'a>(&self, ground: &'a Ground) -> HeadTask<'a> {
        HeadTask {
            design: &ground.design,
            rows: self.rows.clone(),
            labels: self.labels.clone(),
            folds: self.folds.clone(),
            classes: self.names.len() + 1,
            teaches: self.teaches.clone(),
            left_out: (0..DOMAIN_FOLDS).collect(),
            penalty: PENALTY,
            steps: STEPS,
            open: 1,
        }
    }

    /// How many texts taught each domain.
    pub(super) fn texts(&self) -> Vec<usize> {
        let mut texts = vec![0; self.names.len() + 1];
        let taught = self.labels.iter().zip(&self.teaches).filter(|(_, teaches)| **teaches);
        taught.for_each(|(&label, _)| texts[label as usize] += 1);
        texts.truncate(self.names.len());
        texts
    }

    /// What the out-of-fold scores say of texts of none, and where each domain's lock stands.
    pub(super) fn scope(&self, head: &Head) -> Scope {
        let scored = |at: usize| {
            let sums = head.sums[at].as_ref().filter(|_| self.teaches[at])?;
            let label = self.labels[at] as usize;
            let scores = head.share.iter().zip(sums).map(|(share, sum)| share + sum).collect();
            Some(Scored { scores, domain: (label < self.names.len()).then_some(label) })
        };
        let texts: Vec<Scored> = (0..self.rows.len()).filter_map(scored).collect();
        scope::fit(&texts, self.names.len(), head.sharpness, self.languages.clone())
    }
}

/// The topics that some domain claims, from each topic's mean score for each domain.
///
/// A domain that claims many is a catch-all; it needs to score less for the others, since a topic that teaches "none of
/// these" would teach that it isn't the catch-all.
fn claimed(topics: Vec<(u64, Vec<f32>)>) -> HashSet<u64> {
    let domains = topics.first().map_or(0, |(_, means)| means.len());
    let claims = |domain: usize| topics.iter().filter(|(_, means)| means[domain] >= CLAIMED).count();
    let is_catch_all = |domain: usize| claims(domain) * CATCH_ALL >= topics.len();
    let least: Vec<f32> = (0..domains)
        .map(|domain| if is_catch_all(domain) { CLAIMED_BY_CATCH_ALL } else { CLAIMED })
        .collect();
    let is_claimed = |means: &[f32]| means.iter().zip(&least).any(|(mean, least)| mean >= least);
    topics.iter().filter(|(_, means)| is_claimed(means)).map(|(topic, _)| *topic).collect()
}

struct Picked<'a> {
    row: u32,
    domain: Option<&'a str>,
    fold: u8,
}

fn graded<'a>(ground: &Ground, rows: &[&'a Row], keys: &[u64], seed: u64) -> Vec<Picked<'a>> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|&row| mix(keys[row] ^ seed));
    let mut taken: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut seen = HashSet::new();
    let mut picked = vec![];
    for row in order {
        let mut domain = rows[row].domain.as_deref();
        if let Some(name) = domain {
            let count = taken.entry((name, rows[row].lang.as_deref().unwrap_or(""))).or_default();
            *count += 1;
            domain = domain.filter(|_| *count <= MOST_GRADED && seen.insert(keys[row]));
        }
        picked.push(Picked { row: row as u32, domain, fold: ground.folds[row] % DOMAIN_FOLDS });
    }
    picked.sort_unstable_by_key(|text| text.row);
    picked
}

fn fold_of(key: u64, seed: u64) -> u8 {
    (mix(key ^ mix(seed)) % u64::from(DOMAIN_FOLDS)) as u8
}

/// What decides each domain text's fold: its template, so that a sentence filled in anew is no proof of anything.
///
/// A template that holds a large part of its domain is none: a domain must stand in both halves.
fn fold_keys(texts: &[DomainText], templates: &[u32]) -> Vec<u64> {
    let mut of_domain: BTreeMap<&str, usize> = BTreeMap::new();
    let mut of_template: BTreeMap<u32, usize> = BTreeMap::new();
    for (text, &template) in texts.iter().zip(templates) {
        *of_domain.entry(&text.domain).or_default() += 1;
        *of_template.entry(template).or_default() += 1;
    }
    let key = |(text, template): (&DomainText, &u32)| {
        let is_large = of_template[template] * LARGEST_TEMPLATE > of_domain[text.domain.as_str()];
        if is_large { prompt_hash(&text.text) } else { u64::from(*template) }
    };
    texts.iter().zip(templates).map(key).collect()
}

/// The languages that at least one in fifty of the texts with a domain is written in.
fn spoken(rows: &[&Row], domain_texts: &[DomainText]) -> Vec<String> {
    let graded = rows.iter().filter(|row| row.domain.is_some()).map(|row| row.prompt.as_str());
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let texts: Vec<&str> = graded.chain(domain_texts.iter().map(|text| text.text.as_str())).collect();
    for text in texts.iter().step_by((texts.len() / LANGUAGE_SAMPLE).max(1)) {
        let found = languages(text).swap_remove(0);
        *counts.entry(found.name).or_default() += 1;
    }
    let all: usize = counts.values().sum();
    counts.into_iter().filter(|(_, count)| count * 50 >= all).map(|(name, _)| name).collect()
}

/// Halves cost no more than one whole fit, and place every graded row.
const DOMAIN_FOLDS: u8 = 2;
/// Graded rows that teach a domain, for each language.
const MOST_GRADED: usize = 1_500;
/// With 30,000 short texts, 5 steps at penalty 0.7 recognise 82 % of the domains, 24 steps 94.7 %.
const PENALTY: f32 = 0.3;
const STEPS: usize = 30;
/// Enough to see what a topic looks like.
const CLAIM_STEPS: usize = 8;
/// A topic whose texts score this much for a domain on average belongs to it. Where no domain is meant to hold such
/// texts, the highest average was 0.26.
const CLAIMED: f32 = 0.3;
/// A domain that claims one topic in so many is a catch-all.
const CATCH_ALL: usize = 8;
const CLAIMED_BY_CATCH_ALL: f32 = 0.2;
/// A template has at most one in so many of its domain's texts.
const LARGEST_TEMPLATE: usize = 4;
/// Texts that are looked at to see which languages are spoken.
const LANGUAGE_SAMPLE: usize = 5_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catch_all_claims_more_topics_than_a_domain_does() {
        let topic = |at: u64, first: f32, second: f32| (at, vec![first, second]);
        let mut topics: Vec<_> = (0..16).map(|at| topic(at, 0.1, 0.05)).collect();
        topics[3].1 = vec![0.05, 0.35];
        topics[4].1 = vec![0.05, 0.25];
        assert_eq!(claimed(topics.clone()), HashSet::from([3]));
        topics[7].1 = vec![0.05, 0.4];
        assert_eq!(claimed(topics), HashSet::from([3, 4, 7]), "two topics of sixteen make it a catch-all");
        assert!(claimed(vec![]).is_empty());
    }
}
