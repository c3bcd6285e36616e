//! The rules of `[[expert]]`.

use super::super::mistake::Mistakes;
use super::super::raw::{RawExpert, RawKind, RawOutOfDomain, RawPrivacy};
use sluice_router::{Expert, Kind, OutOfDomain, Price, Privacy};

/// Every expert, in order; their prices are left open.
pub(super) fn check_experts(raws: &[RawExpert], mistakes: &mut Mistakes) -> Vec<Expert> {
    if raws.is_empty() {
        mistakes
            .note("expert", "there is none; add at least one [[expert]] (`sluice config init` shows how)");
    }
    raws.iter().enumerate().map(|(at, raw)| check_expert(at, raw, mistakes)).collect()
}

fn check_expert(at: usize, raw: &RawExpert, mistakes: &mut Mistakes) -> Expert {
    let key = |field: &str| format!("expert[{at}].{field}");
    if raw.name.is_empty() {
        mistakes.note(key("name"), "must not be empty");
    }
    if raw.max_output_tokens == 0 || raw.max_output_tokens > raw.context_tokens {
        mistakes.note(key("max_output_tokens"), "must be between 1 and context_tokens");
    }
    if matches!(raw.kind, RawKind::Vertical) && raw.domains.is_empty() {
        mistakes.note(key("domains"), "a vertical expert needs at least one domain, such as [\"law\"]");
    }
    if matches!(raw.out_of_domain, RawOutOfDomain::Refuse) && raw.domains.is_empty() {
        mistakes.note(key("out_of_domain"), "\"refuse\" needs domains, or it would refuse everything");
    }
    if raw.keywords.iter().any(|word| word.trim().is_empty()) {
        mistakes.note(key("keywords"), "must not hold an empty word: it occurs in every prompt");
    }
    if raw.pool.is_empty() {
        mistakes.note(key("pool"), format!("expert {:?} has no [[expert.pool]] to run in", raw.name));
    }
    Expert {
        name: raw.name.clone(),
        kind: match raw.kind {
            RawKind::Vertical => Kind::Vertical,
            RawKind::General => Kind::General,
        },
        domains: raw.domains.clone(),
        languages: raw.languages.clone(),
        keywords: raw.keywords.iter().map(|word| word.to_lowercase()).collect(),
        context_tokens: raw.context_tokens,
        max_output_tokens: raw.max_output_tokens,
        features: raw.features.clone(),
        out_of_domain: match raw.out_of_domain {
            RawOutOfDomain::Allow => OutOfDomain::Allow,
            RawOutOfDomain::Refuse => OutOfDomain::Refuse,
        },
        privacy: match raw.privacy {
            RawPrivacy::Public => Privacy::Public,
            RawPrivacy::Private => Privacy::Private,
            RawPrivacy::Device => Privacy::Device,
        },
        region: raw.region.clone(),
        // Set once it is known when.
        price: Price::default(),
    }
}
