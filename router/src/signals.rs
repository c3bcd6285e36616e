//! What classification finds in a request, and what the request itself needs.

use crate::fleet::Privacy;
use crate::price::NanoUsd;
use crate::scope::LIKELIER_THAN_NOT;
use crate::time::Tick;
use serde::{Deserialize, Serialize};

/// A name with its probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// A domain or a language.
    pub name: String,
    /// 0 to 1; shares of languages sum to 1, those of domains to 1 less [`Signals::p_out_of_scope`].
    pub p: f64,
}

/// What the model sees in a prompt.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Signals {
    /// Every domain, most probable first; empty without a model.
    pub domains: Vec<Share>,
    /// The probability that the prompt belongs to none of the domains; `None` without a model that tells.
    #[serde(default)]
    pub p_out_of_scope: Option<f64>,
    /// The domains that the prompt is inside of, for experts that are locked to theirs; `None` as above.
    #[serde(default)]
    pub inside: Option<Vec<String>>,
    /// Every language, most probable first; empty without a model.
    pub languages: Vec<Share>,
    /// For each expert of the fleet, in its order; `None` for one that the model doesn't know.
    pub experts: Vec<Option<ExpertSignal>>,
}

/// What the model expects of one expert on one prompt.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ExpertSignal {
    /// Expected graded score, which for right-or-wrong grades is the probability of a good answer; 0 to 1.
    pub p_capable: f64,
    /// A lower bound of it, at most `p_capable`.
    pub p_lower: f64,
    /// Expected length of the answer, in tokens.
    pub output_tokens: f64,
}

impl Signals {
    /// The most probable domain with its probability.
    pub fn domain(&self) -> Option<&Share> {
        self.domains.first()
    }

    /// The most probable language with its probability.
    pub fn language(&self) -> Option<&Share> {
        self.languages.first()
    }

    /// Whether the model lets the request through to an expert that is locked to these domains.
    ///
    /// Inside any of them is enough. A model, or a receipt, from before there were thresholds asks for the larger half
    /// of all probability.
    pub fn is_inside(&self, domains: &[String]) -> bool {
        match &self.inside {
            Some(inside) => inside.iter().any(|name| domains.contains(name)),
            None => self.p_within(domains) >= f64::from(LIKELIER_THAN_NOT),
        }
    }

    /// The probability that the request belongs to one of `domains`.
    pub fn p_within(&self, domains: &[String]) -> f64 {
        self.domains.iter().filter(|share| domains.contains(&share.name)).map(|share| share.p).sum()
    }
}

/// What a request needs and what its sender allows: exact facts, not estimates, but for `prompt_tokens`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Needs {
    /// Estimated tokens of the whole prompt.
    pub prompt_tokens: u32,
    /// Bytes of the whole prompt: no tokenizer makes more tokens than bytes.
    pub prompt_bytes: u32,
    /// The client's `max_tokens`.
    pub max_output_tokens: Option<u32>,
    /// Features that the answer needs: `tools`, `json_schema`, `vision`.
    pub features: Vec<String>,
    /// A domain that the client names (`x-sluice-domain`).
    pub domain: Option<String>,
    /// Experts whose keywords occur in the prompt, as indices into the fleet.
    pub keyword_experts: Vec<usize>,
    /// The client's floor; only a higher one than the route's counts.
    pub floor: Option<f64>,
    /// The client's bound on the worst case.
    pub max_cost: Option<NanoUsd>,
    /// Experts that may answer, as indices into the fleet; `None` is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_experts: Option<Vec<usize>>,
    /// Regions that the answer must come from; empty means anywhere.
    pub residency: Vec<String>,
    /// The least privacy that the request asks for.
    pub privacy: Privacy,
    /// When the answer must be complete.
    pub deadline: Option<Tick>,
}
