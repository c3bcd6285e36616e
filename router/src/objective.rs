//! What a route promises and prefers: its experts, its floors, the worth of a second, and its certificates.

use crate::certificate::Certificate;
use crate::price::NanoUsd;
use crate::signals::{Needs, Signals};
use serde::{Deserialize, Serialize};

/// A virtual model name with its rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// The name that clients ask for.
    pub name: String,
    /// Experts that may serve it, as indices into the fleet.
    pub experts: Vec<usize>,
    /// The expert that quality is measured against.
    pub reference: usize,
    /// Promise: mean score of at least this share of the reference's.
    pub quality_floor: f64,
    /// How sure the promise is, 0.5 to below 1.
    pub confidence: f64,
    /// What is made least among the experts that keep the floor.
    #[serde(default, skip_serializing_if = "Objective::is_joint")]
    pub objective: Objective,
    /// What a second until the answer is complete is worth.
    pub latency_per_s: NanoUsd,
    /// What times are promised, and what a miss costs; `None` promises none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slo: Option<Slo>,
    /// Bound on the worst case of each request.
    pub max_cost: Option<NanoUsd>,
    /// What happens when no certified expert is up.
    pub when_none: WhenNone,
    /// Share of the eligible traffic that explores, 0 to 1.
    pub explore: f64,
    /// True for an expert asked for by name: no floor, no exploration, no other expert.
    pub pinned: bool,
    /// What allows the route to use anything but the reference; not for domains with promises of their own.
    pub certificate: Option<Certificate>,
    /// Domains with stricter floors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domain_promises: Vec<DomainPromise>,
}

/// What a route makes least.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// Cost, time and the risk of a missed SLO, as one sum of money.
    #[default]
    Joint,
    /// The price alone, as a gateway does that is blind to queues.
    Price,
    /// The time to the first token alone, as a balancer does that is blind to prices.
    Wait,
}

impl Objective {
    /// Whether it is the one that routes have unless they say otherwise.
    pub fn is_joint(&self) -> bool {
        *self == Objective::Joint
    }
}

/// Times that a route wants to keep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Slo {
    /// Longest time to the first token, the wait in line included.
    pub ttft_ms: Option<f64>,
    /// Longest mean time for each token after that.
    pub tpot_ms: Option<f64>,
    /// What a miss costs in the objective.
    pub miss: NanoUsd,
}

/// What happens when no certified expert is up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenNone {
    /// The best available answers, and the answer says that the floor was not held.
    #[default]
    Degrade,
    /// The request is refused with `no_capable_expert`.
    Refuse,
}

/// A floor of its own for the requests of one domain.
///
/// Whatever the route's certificate says, such a request goes to an expert that this one allows, else to the reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DomainPromise {
    /// The domain.
    pub domain: String,
    /// Promise: mean score of at least this share of the reference's, over the domain's requests.
    pub floor: f64,
    /// What allows anything but the reference.
    pub certificate: Option<Certificate>,
}

impl Route {
    /// The promise of the request's domain, where that has one of its own.
    ///
    /// The domain is the client's or the most probable one; if both have promises the stricter holds, so that naming a
    /// domain never loosens a floor.
    pub fn domain_promise(&self, needs: &Needs, signals: &Signals) -> Option<&DomainPromise> {
        let named = needs.domain.as_deref();
        let seen = signals.domain().map(|share| share.name.as_str());
        let is_of = |promise: &&DomainPromise| [named, seen].contains(&Some(promise.domain.as_str()));
        self.domain_promises.iter().filter(is_of).max_by(|a, b| a.floor.total_cmp(&b.floor))
    }

    /// The floor that is promised for a request, and the certificate that allows to keep it cheaply.
    pub fn promise(&self, needs: &Needs, signals: &Signals) -> (f64, Option<&Certificate>) {
        match self.domain_promise(needs, signals) {
            Some(promise) => (promise.floor, promise.certificate.as_ref()),
            None => (self.quality_floor, self.certificate.as_ref()),
        }
    }
}
