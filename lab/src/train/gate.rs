//! The gate of a model: domains, and which panel's prompts a text looks like.

use super::design::{Block, Design};
use super::domains::Domains;
use super::groups::{self, mix};
use super::heads::{self, Head, HeadTask};
use super::outside::{self, Outside};
use super::{FOLDS, Texts};
use crate::corpus::{DomainText, Row};
use sluice_router::{Counts, Lexicon, ParamsParts, UNKNOWN_DOMAIN, Weights};
use std::collections::BTreeMap;

/// The n-grams of all texts, and for each graded row its near-duplicates and its fold.
pub(super) struct Ground {
    pub(super) lexicon: Lexicon,
    /// Graded rows first, then the domain texts, then texts that are out of scope. Sharpened.
    pub(super) design: Design,
    /// What each n-gram's values were multiplied with.
    sharpened: Vec<f32>,
    pub(super) groups: Vec<u32>,
    pub(super) folds: Vec<u8>,
    /// For each domain text the number of its template.
    pub(super) templates: Vec<u32>,
    pub(super) outside: Vec<Outside>,
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
    let first = texts.graded.len();
    let extra: Vec<_> = texts.extra[..texts.domain_texts].iter().collect();
    let templates = groups::templates(&extra, &design, first);
    let is_chinese: Vec<bool> = all().map(Counts::is_chinese).collect();
    let sharpened = sharpened(&lexicon, &design, &is_chinese);
    design.scale(&sharpened);
    Ground { lexicon, design, sharpened, groups, folds, templates, outside: outside::texts() }
}

/// What each n-gram's values are multiplied with, by the writing of the texts that it occurs in.
///
/// Chinese has no spaces, so most of its pairs and triples are no words: the rare ones that recur are, and triples know
/// a sentence by heart rather than its domain.
fn sharpened(lexicon: &Lexicon, design: &Design, is_chinese: &[bool]) -> Vec<f32> {
    let mut chinese = vec![0i32; lexicon.len()]; // texts in Chinese less texts in others
    for (row, &is_chinese) in is_chinese.iter().enumerate() {
        design
            .row(row)
            .iter()
            .for_each(|&(gram, _)| chinese[gram as usize] += if is_chinese { 1 } else { -1 });
    }
    let factor = |(gram, &balance): (usize, &i32)| {
        let by_length = if lexicon.table(gram as u32) == 0 { 1.0 } else { TRIPLES };
        if balance > 0 { by_length * libm::sqrtf(lexicon.idf(gram as u32) / USUAL_IDF) } else { 1.0 }
    };
    chinese.iter().enumerate().map(factor).collect()
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
    let domains = Domains::collect(ground, rows, domain_texts, keys, seed);
    let domain_task = domains.task(ground);
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
        open: 0,
    };
    let mut tasks = vec![];
    let has_domains = domains.names.len() > 1;
    if has_domains {
        tasks.push(domain_task);
    }
    if panels > 1 {
        tasks.push(panel_task);
    }
    let fitted = heads::fit(&tasks);
    let outputs: Vec<(&HeadTask, &Head)> = tasks.iter().zip(&fitted).collect();
    let mut parts = assemble(ground, &outputs, &domains, panels > 1);
    let mass = mass(fitted.last().filter(|_| panels > 1), rows.len());
    let head = fitted.first().filter(|_| has_domains);
    parts.scope = head.map(|head| domains.scope(head));
    let accuracy = head.map_or(0.0, |head| head.accuracy);
    let of_rows = domains_of(head, &domains, rows.len());
    let texts = domains.texts();
    (parts, mass, DomainFit { names: domains.names, texts, accuracy, of_rows })
}

/// The most probable domain of each of the first `rows` rows, out of fold.
fn domains_of(head: Option<&Head>, domains: &Domains, rows: usize) -> Vec<u32> {
    let mut found = vec![UNKNOWN_DOMAIN; rows];
    let Some(head) = head else { return found };
    for (sums, &row) in head.sums.iter().zip(&domains.rows).filter(|(_, row)| (**row as usize) < rows) {
        let Some(sums) = sums else { continue };
        let score = |at: &usize| head.share[*at] + sums[*at];
        let best = (0..domains.names.len()).max_by(|a, b| score(a).total_cmp(&score(b)).then(b.cmp(a)));
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

fn assemble(
    ground: &Ground,
    heads: &[(&HeadTask, &Head)],
    domains: &Domains,
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
            let weights = &block.row(row)[..*classes];
            matrix.extend(weights.iter().map(|weight| weight * ground.sharpened[row]));
        }
    }
    let sharpness =
        |at: Option<usize>| at.and_then(|at| heads.get(at)).map_or(1.0, |(_, head)| head.sharpness);
    let has_domains = domains.names.len() > 1;
    ParamsParts {
        experts: vec![],
        weights: Weights::from_f32(outputs, &matrix),
        lexicon: ground.lexicon.clone(),
        shares: heads.iter().flat_map(|(_, head)| head.share.clone()).collect(),
        domain_sharpness: sharpness(has_domains.then_some(0)),
        made_on: 0,
        panel_sharpness: sharpness(has_panels.then_some(usize::from(has_domains))),
        domains: if has_domains { domains.names.clone() } else { vec![] },
        scope: None,
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
/// N-grams of a single text can't tell domains apart and would double the file.
const LEAST_TEXTS: u32 = 2;
/// Weight of Chinese triples against single characters and pairs.
const TRIPLES: f32 = 0.7;
/// An n-gram of this rarity keeps its weight.
const USUAL_IDF: f32 = 8.0;
const PANEL_PENALTY: f32 = 0.7;
const PANEL_STEPS: usize = 8;
