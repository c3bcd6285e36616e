//! A made-up world: prompts from a vocabulary of 6,000 words, 14 experts whose skill depends on the subject.

use sluice_lab::corpus::{Outcome, Row};
use sluice_lab::train;
use sluice_router::{
    Expert, Fleet, Kind, NanoUsd, Objective, OutOfDomain, Params, Pool, Price, Privacy, Route, WhenNone,
};

/// As many as the largest public set of graded outcomes has.
pub const EXPERTS: usize = 14;
const SUBJECTS: u64 = 12;
const VOCABULARY: u64 = 6_000;

/// Names of the experts, in the order of the fleet.
pub fn experts() -> Vec<String> {
    (0..EXPERTS).map(|at| format!("expert-{at}")).collect()
}

/// A prompt of about so many bytes; the same for the same seed.
pub fn prompt(seed: u64, bytes: usize) -> String {
    let subject = mix(seed) % SUBJECTS;
    let mut text = String::with_capacity(bytes + 16);
    for at in 0u64.. {
        if text.len() >= bytes {
            break;
        }
        let draw = mix(seed ^ mix(at));
        // Half of the words are the subject's own, frequent ones more often.
        let within = (mix(draw) % 1_000).pow(2) / 2_000;
        let word = if draw.is_multiple_of(2) { subject * 500 + within } else { mix(draw ^ 1) % VOCABULARY };
        text.push_str(&spell(word));
        text.push(if at % 11 == 10 { '.' } else { ' ' });
    }
    text
}

/// A model trained on 1,500 such prompts.
pub fn trained() -> Params {
    let row = |at: u64| {
        let outcome = |(expert, name): (usize, String)| {
            let skill = mix((at % SUBJECTS) ^ mix(expert as u64)) % 100;
            Outcome {
                expert: name,
                score: f64::from(u8::from(mix(at ^ mix(expert as u64 + 99)) % 100 < skill)),
                input_tokens: None,
                output_tokens: Some(50 + (mix(at) % 300) as u32),
            }
        };
        Row {
            id: at.to_string(),
            subject: Some(format!("subject-{}", mix(at) % SUBJECTS)),
            domain: Some(format!("domain-{}", mix(at) % SUBJECTS)),
            prompt: prompt(at, 800),
            outcomes: experts().into_iter().enumerate().map(outcome).collect(),
            ..Row::default()
        }
    };
    let rows: Vec<Row> = (0..1_500).map(row).collect();
    train(&rows, &[], 1, &mut |_| {}).expect("the rows are many and alike").0
}

/// The experts as a fleet with one pool each.
pub fn fleet() -> Fleet {
    let expert = |(at, name): (usize, String)| Expert {
        name,
        kind: Kind::General,
        domains: vec![],
        languages: vec![],
        keywords: vec![],
        context_tokens: 128_000,
        max_output_tokens: 4_096,
        features: vec![],
        out_of_domain: OutOfDomain::Allow,
        privacy: Privacy::Public,
        region: None,
        price: Price {
            input: (at as i64 + 1) * 100_000_000,
            cached_input: 0,
            cache_write: (at as i64 + 1) * 100_000_000,
            output: (at as i64 + 1) * 300_000_000,
            per_request: 0,
            replica_hour: 0,
        },
    };
    let pool = |expert| Pool { name: format!("pool-{expert}"), expert };
    Fleet {
        experts: experts().into_iter().enumerate().map(expert).collect(),
        pools: (0..EXPERTS).map(pool).collect(),
    }
}

/// A route over the first so many experts, without a certificate.
pub(crate) fn route(asked: usize) -> Route {
    Route {
        name: "auto".to_owned(),
        experts: (0..asked).collect(),
        reference: asked - 1,
        quality_floor: 0.95,
        confidence: 0.95,
        objective: Objective::Joint,
        latency_per_s: NanoUsd(100_000),
        slo: None,
        max_cost: None,
        when_none: WhenNone::Degrade,
        explore: 0.0,
        pinned: false,
        certificate: None,
        domain_promises: vec![],
    }
}

/// A word of two to four syllables.
fn spell(word: u64) -> String {
    let syllables = [
        "ba", "ke", "ti", "mo", "ru", "sa", "ne", "li", "po", "du", "gra", "ster", "ing", "ver", "con", "al",
    ];
    let mut rest = mix(word);
    let count = 2 + rest % 3;
    let mut out = String::new();
    for _ in 0..count {
        rest = mix(rest);
        out.push_str(syllables[(rest % 16) as usize]);
    }
    out
}

/// SplitMix64's finaliser.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
