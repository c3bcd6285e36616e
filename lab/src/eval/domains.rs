//! Scores by domain and language, and how well domains are recognised.

use super::Seen;
use crate::slices;
use serde::Serialize;
use std::collections::BTreeMap;

/// One domain, by the rows' own label.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct DomainCard {
    /// Rows.
    pub n: usize,
    /// Share of them that the model puts into this domain; `null` if it doesn't know the domain.
    pub recognised: Option<f64>,
    /// Each language.
    pub languages: BTreeMap<String, LanguageCard>,
}

/// One language within a domain.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LanguageCard {
    /// Rows.
    pub n: usize,
    /// Mean score of each expert.
    pub experts: BTreeMap<String, f64>,
}

pub(super) fn cards(seen: &Seen) -> BTreeMap<String, DomainCard> {
    let domains = slices::by(&seen.rows, slices::domain);
    domains.into_iter().map(|(domain, rows)| (domain.to_owned(), card(seen, domain, &rows))).collect()
}

fn card(seen: &Seen, domain: &str, rows: &[usize]) -> DomainCard {
    let is_known = |row: &usize| seen.signals[*row].domains.iter().any(|share| share.name == domain);
    let is_first = |row: &&usize| seen.signals[**row].domain().is_some_and(|first| first.name == domain);
    let recognised = rows.iter().filter(is_first).count() as f64 / rows.len() as f64;
    let languages = slices::within(&seen.rows, rows, slices::language);
    DomainCard {
        n: rows.len(),
        recognised: rows.iter().any(is_known).then_some(recognised),
        languages: languages
            .into_iter()
            .map(|(name, rows)| (name.to_owned(), language(seen, &rows)))
            .collect(),
    }
}

fn language(seen: &Seen, rows: &[usize]) -> LanguageCard {
    let mean = |at: usize| rows.iter().map(|&row| seen.score(row, at)).sum::<f64>() / rows.len() as f64;
    let experts = (0..seen.experts.len()).map(|at| (seen.name(at).to_owned(), mean(at)));
    LanguageCard { n: rows.len(), experts: experts.collect() }
}
