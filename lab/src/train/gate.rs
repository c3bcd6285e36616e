//! The gate of a model: domains, and which panel's prompts a text looks like.

use super::design::{Block, Design};
use super::groups::{self, mix};
use super::heads::{self, Head, HeadTask};
use super::{FOLDS, Texts};
use crate::corpus::{DomainText, Row};
use sluice_router::{Lexicon, ParamsParts, UNKNOWN_DOMAIN, Weights, prompt_hash};
use std::collections::{BTreeMap, HashSet};

/// The n-grams of all texts, and for each graded row its near-duplicates and its fold.
pub(super) struct Ground {
    pub(super) lexicon: Lexicon,
    /// Graded rows first, then the domain texts.
    pub(super) design: Design,
    pub(super) groups: Vec<u32>,
    pub(super) folds: Vec<u8>,
}

/// What the gate adds to a report: for each domain its texts, and how many of the held-out ones are recognised.
pub(super) struct DomainFit {
    pub(super) names: Vec<String>,
    pub(super) texts: Vec<usize>,
    pub(super) accuracy: f64,
    /// Out of fold, the most probable domain of each graded row; [`UNKNOWN_DOMAIN`] without domains.
    pub(super) of_rows: Vec<u32>,
}

pub(super) fn ground(texts: &Texts, seed: u64) -> Ground {
    let all = || texts.graded.iter().chain(&texts.extra);
    let lexicon = Lexicon::from_texts(all().map(|counts| &counts.grams[..]), LEAST_TEXTS);
    let (mut design, mut row) = (Design::new(lexicon.len()), vec![]);
    for counts in all() {
        lexicon.weigh(&counts.grams, &mut row);
        design.push(&row);
    }
    let graded: Vec<_> = texts.graded.iter().collect();
    let (groups, folds) = groups::folds(&graded, &design, &texts.keys, FOLDS, seed);
    Ground { lexicon, design, groups, folds }
}

/// Fits domains and panels; `panel_of` is each graded row's panel. Returns the gate's parts without experts, and the
/// out-of-fold mass of each panel for each graded row.
pub(super) fn fit(
    ground: &Ground,
    rows: &[&Row],
    domain_texts: &[DomainText],
    keys: &[u64],
    panel_of: &[u32],
    panels: usize,
    seed: u64,
) -> (ParamsParts, Vec<Vec<f32>>, DomainFit) {
    let (domains, domain_task) = domain_task(ground, rows, domain_texts, keys, seed);
    let panel_task = HeadTask {
        design: &ground.design,
        rows: (0..rows.len() as u32).collect(),
        labels: panel_of.to_vec(),
        folds: ground.folds.clone(),
        classes: panels,
        teaches: spread(panel_of, keys, seed),
        left_out: heads::all_folds(),
        penalty: PANEL_PENALTY,
        steps: PANEL_STEPS,
    };
    let mut tasks = vec![];
    let has_domains = domains.len() > 1;
    if has_domains {
        tasks.push(domain_task);
    }
    if panels > 1 {
        tasks.push(panel_task);
    }
    let fitted = heads::fit(&tasks);
    let outputs: Vec<(&HeadTask, &Head)> = tasks.iter().zip(&fitted).collect();
    let parts = assemble(ground, &outputs, if has_domains { domains.clone() } else { vec![] }, panels > 1);
    let mass = mass(fitted.last().filter(|_| panels > 1), rows.len());
    let mut texts = vec![0; domains.len()];
    if has_domains {
        let taught = (0..tasks[0].labels.len()).filter(|&at| tasks[0].teaches[at]);
        taught.for_each(|at| texts[tasks[0].labels[at] as usize] += 1);
    }
    let accuracy = fitted.first().filter(|_| has_domains).map_or(0.0, |head| head.accuracy);
    let of_rows = domains_of(fitted.first().filter(|_| has_domains), &tasks, rows.len());
    (parts, mass, DomainFit { names: domains, texts, accuracy, of_rows })
}

/// The most probable domain of each of the first `rows` rows, out of fold.
fn domains_of(head: Option<&Head>, tasks: &[HeadTask], rows: usize) -> Vec<u32> {
    let mut found = vec![UNKNOWN_DOMAIN; rows];
    let Some(head) = head else { return found };
    for (sums, &row) in head.sums.iter().zip(&tasks[0].rows).filter(|(_, row)| (**row as usize) < rows) {
        let Some(sums) = sums else { continue };
        let score = |at: &usize| head.share[*at] + sums[*at];
        let best = (0..sums.len()).max_by(|a, b| score(a).total_cmp(&score(b)).then(b.cmp(a)));
        found[row as usize] = best.map_or(UNKNOWN_DOMAIN, |at| at as u32);
    }
    found
}

/// Out-of-fold mass of each panel for each graded row.
fn mass(head: Option<&Head>, rows: usize) -> Vec<Vec<f32>> {
    let Some(head) = head else { return vec![vec![1.0]; rows] };
    let of = |sums: &Option<Vec<f32>>| {
        let zero = vec![0.0; head.share.len()];
        let sums = sums.as_ref().unwrap_or(&zero);
        let scores: Vec<f32> = head.share.iter().zip(sums).map(|(share, sum)| share + sum).collect();
        sluice_router::softmax(&scores, head.sharpness)
    };
    head.sums.iter().map(of).collect()
}

/// Domain texts all, graded rows with a domain up to a number for each domain and language, so that one large
/// benchmark doesn't drown the rest. The other graded rows don't teach; they are only placed.
fn domain_task<'a>(
    ground: &'a Ground,
    rows: &[&Row],
    domain_texts: &[DomainText],
    keys: &[u64],
    seed: u64,
) -> (Vec<String>, HeadTask<'a>) {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|&row| mix(keys[row] ^ seed));
    let mut taken: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut seen = HashSet::new();
    let mut picked: Vec<(u32, Option<&str>, u8)> = vec![];
    for row in order {
        let mut domain = rows[row].domain.as_deref();
        if let Some(name) = domain {
            let count = taken.entry((name, rows[row].lang.as_deref().unwrap_or(""))).or_default();
            *count += 1;
            domain = domain.filter(|_| *count <= MOST_GRADED && seen.insert(keys[row]));
        }
        picked.push((row as u32, domain, ground.folds[row] % DOMAIN_FOLDS));
    }
    for (at, text) in domain_texts.iter().enumerate() {
        let key = prompt_hash(&text.text);
        if seen.insert(key) {
            let fold = (mix(key ^ mix(seed)) % FOLDS) as u8 % DOMAIN_FOLDS;
            picked.push(((rows.len() + at) as u32, Some(&text.domain), fold));
        }
    }
    picked.sort_unstable();
    let mut names: Vec<String> =
        picked.iter().filter_map(|(_, domain, _)| Some((*domain)?.to_owned())).collect();
    names.sort();
    names.dedup();
    let label = |domain: Option<&str>| {
        names.iter().position(|name| Some(name.as_str()) == domain).unwrap_or(0) as u32
    };
    let task = HeadTask {
        design: &ground.design,
        rows: picked.iter().map(|(row, _, _)| *row).collect(),
        labels: picked.iter().map(|(_, domain, _)| label(*domain)).collect(),
        folds: picked.iter().map(|(_, _, fold)| *fold).collect(),
        classes: names.len(),
        teaches: picked.iter().map(|(_, domain, _)| domain.is_some()).collect(),
        left_out: (0..DOMAIN_FOLDS).collect(),
        penalty: DOMAIN_PENALTY,
        steps: DOMAIN_STEPS,
    };
    (names, task)
}

fn assemble(
    ground: &Ground,
    heads: &[(&HeadTask, &Head)],
    domains: Vec<String>,
    has_panels: bool,
) -> ParamsParts {
    let blocks: Vec<(usize, Block)> = heads
        .iter()
        .map(|(task, head)| {
            (task.classes, ground.design.transposed_times(&task.design_rows(&head.trained_on), &head.duals))
        })
        .collect();
    let outputs: usize = blocks.iter().map(|(classes, _)| classes).sum();
    let mut matrix = Vec::with_capacity(ground.lexicon.len() * outputs);
    for row in 0..ground.lexicon.len() {
        for (classes, block) in &blocks {
            matrix.extend_from_slice(&block.row(row)[..*classes]);
        }
    }
    let sharpness =
        |at: Option<usize>| at.and_then(|at| heads.get(at)).map_or(1.0, |(_, head)| head.sharpness);
    let has_domains = !domains.is_empty();
    ParamsParts {
        experts: vec![],
        weights: Weights::from_f32(outputs, &matrix),
        lexicon: ground.lexicon.clone(),
        shares: heads.iter().flat_map(|(_, head)| head.share.clone()).collect(),
        domain_sharpness: sharpness(has_domains.then_some(0)),
        made_on: 0,
        panel_sharpness: sharpness(has_panels.then_some(usize::from(has_domains))),
        domains,
    }
}

/// Marks up to [`MOST_OF_PANEL`] rows of each panel: telling panels apart takes no more.
fn spread(panel_of: &[u32], keys: &[u64], seed: u64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by_key(|&row| mix(keys[row] ^ seed));
    let mut taken: BTreeMap<u32, usize> = BTreeMap::new();
    let mut marked = vec![false; keys.len()];
    for row in order {
        let count = taken.entry(panel_of[row]).or_default();
        *count += 1;
        marked[row] = *count <= MOST_OF_PANEL;
    }
    marked
}

/// Rows of a panel that teach the gate what it looks like.
const MOST_OF_PANEL: usize = 1_500;
/// Halves cost no more than one whole fit, and place every graded row.
const DOMAIN_FOLDS: u8 = 2;
/// N-grams of a single text can't tell domains apart and would double the file.
const LEAST_TEXTS: u32 = 2;
/// Graded rows that teach a domain, for each language.
const MOST_GRADED: usize = 1_500;
/// With 30,000 short texts, 5 steps at penalty 0.7 recognise 82 % of the domains, 24 steps 94.7 %, 30 steps at 0.3 94.9 %.
const DOMAIN_PENALTY: f32 = 0.3;
const DOMAIN_STEPS: usize = 30;
const PANEL_PENALTY: f32 = 0.7;
const PANEL_STEPS: usize = 8;
