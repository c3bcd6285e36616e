//! The scorecard: experts by domain and language, and how well domains are recognised.

use crate::corpus::Row;
use serde::Serialize;
use sluice_router::Signals;
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

pub(super) fn scorecard(
    rows: &[&Row],
    signals: &[Signals],
    names: &[String],
) -> BTreeMap<String, DomainCard> {
    let mut cards: BTreeMap<String, DomainCard> = BTreeMap::new();
    for (row, signals) in rows.iter().zip(signals) {
        let domain = row.domain.clone().unwrap_or_else(|| UNLABELLED.to_owned());
        let language = row.lang.clone().unwrap_or_else(|| UNLABELLED.to_owned());
        let card = cards.entry(domain.clone()).or_default();
        card.n += 1;
        if signals.domains.iter().any(|share| share.name == domain) {
            let is_first = signals.domain().is_some_and(|first| first.name == domain);
            *card.recognised.get_or_insert(0.0) += f64::from(u8::from(is_first));
        }
        let language = card.languages.entry(language).or_default();
        language.n += 1;
        for name in names {
            let score = row.outcome(name).map_or(0.0, |outcome| outcome.score);
            *language.experts.entry(name.clone()).or_default() += score;
        }
    }
    for card in cards.values_mut() {
        let n = card.n as f64;
        card.recognised.iter_mut().for_each(|right| *right /= n);
        for language in card.languages.values_mut() {
            let n = language.n as f64;
            language.experts.values_mut().for_each(|sum| *sum /= n);
        }
    }
    cards
}

/// Rows without a label are counted under this.
const UNLABELLED: &str = "unlabelled";
