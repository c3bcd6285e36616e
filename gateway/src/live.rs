//! Configuration, model and lanes as one value: each request sees one version of it, and a reload swaps it whole.
//!
//! [`Rules`] is the part that decisions are made by; it needs no engine, so that `explain` can use it alone.

use crate::config::Config;
use crate::error::{Fault, FaultCode};
use crate::lane::{Lane, Member};
use crate::promise::{Promise, certified_route};
use crate::quota::Quota;
use crate::tenants::Policy;
use sha2::{Digest as _, Sha256};
use sluice_experts::{Dial, EndpointError};
use sluice_proto::v1;
use sluice_router::{
    Binding, Entrant, Fleet, HedgeBudget, OutOfDomain, Params, Pool, PoolState, Route, Signals, Snapshot,
    Tick, Versions, classify,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One version of everything that a request meets.
pub(crate) struct Live {
    /// What it was made from, with the prices in force.
    pub(crate) config: Config,
    /// What decisions are made by.
    pub(crate) rules: Rules,
    /// The lines before the pools, in the fleet's order.
    pub(crate) lanes: Vec<Arc<Lane>>,
    /// What each route that hedges may spend on second tries, by its name.
    pub(crate) hedges: BTreeMap<String, Arc<HedgeBudget>>,
}

/// Replicas that join and leave a lane that is kept, once the version is in force.
pub(crate) struct Regrouping {
    lane: Arc<Lane>,
    addresses: Vec<String>,
    newcomers: Vec<Arc<Member>>,
}

impl Regrouping {
    /// Lets them join and leave.
    pub(crate) fn carry_out(self, now: Tick) {
        self.lane.regroup(&self.addresses, self.newcomers, now);
    }
}

impl Live {
    /// Builds a version; lanes of `old` whose pools differ in their endpoints at most are kept, with their line,
    /// connections and health. What then changes in them is told, for when the version comes into force.
    ///
    /// # Errors
    /// [`EndpointError`] when an engine's address can't be used.
    pub(crate) fn new(
        config: &Config,
        params: Option<Arc<Params>>,
        old: Option<&Live>,
        dial: &Arc<dyn Dial>,
    ) -> Result<(Live, Vec<Regrouping>), EndpointError> {
        let (lanes, regroupings) = lanes(config, old, dial)?;
        let (rules, hedges) = (Rules::new(config, params), hedges(config, old));
        let live = Live { config: config.clone(), rules, lanes, hedges };
        Ok((live, regroupings))
    }

    /// How long nobody may answer on this route for want of quota, in milliseconds: until the first pool of its experts
    /// has some again.
    pub(crate) fn cools_for_ms(&self, route: &Route, now: Tick) -> Option<u32> {
        let of_route = |lane: &&Arc<Lane>| route.experts.contains(&lane.config.expert);
        self.lanes.iter().filter(of_route).filter_map(|lane| lane.cools_for_ms(now)).min()
    }

    /// How every pool is now.
    pub(crate) fn pool_states(&self, now: Tick, asker: &Entrant) -> Vec<PoolState> {
        self.lanes.iter().map(|lane| lane.pool_state(now, asker)).collect()
    }
}

/// Fleet, routes with their certificates, and the model.
pub(crate) struct Rules {
    /// Fleet and routes.
    pub(crate) snapshot: Snapshot,
    /// The snapshot as JSON, for the journal.
    pub(crate) snapshot_json: String,
    /// Hashes of model and snapshot.
    pub(crate) versions: Versions,
    /// What each route promises, and each domain with a floor of its own.
    pub(crate) promises: Vec<Promise>,
    aliases: BTreeMap<String, String>,
    model: Option<Model>,
}

/// A router model, bound to the experts of each route.
struct Model {
    params: Arc<Params>,
    bindings: BTreeMap<String, Binding>,
}

impl Rules {
    /// Certifies every route; takes up to a few seconds with a large model.
    pub(crate) fn new(config: &Config, params: Option<Arc<Params>>) -> Rules {
        let pools = config.pools.iter().map(|pool| Pool { name: pool.name.clone(), expert: pool.expert });
        let fleet = Arc::new(Fleet { experts: config.experts.clone(), pools: pools.collect() });
        let (mut routes, promises): (Vec<Arc<Route>>, Vec<Vec<Promise>>) = config
            .routes
            .iter()
            .map(|route| certified_route(config, route, &fleet, params.as_deref()))
            .map(|(route, promises)| (Arc::new(route), promises))
            .unzip();
        let promises = promises.concat();
        routes.extend((0..fleet.experts.len()).map(|expert| Arc::new(pinned_route(&fleet, expert))));
        let snapshot = Snapshot { fleet, routes };
        let snapshot_json = serde_json::to_string(&snapshot).expect("a snapshot is plain data");
        let versions = Versions {
            model: params.as_ref().map(|params| params.version().to_owned()).unwrap_or_default(),
            config: hex(&Sha256::digest(snapshot_json.as_bytes())),
        };
        let names: Vec<&str> = config.experts.iter().map(|expert| expert.name.as_str()).collect();
        let model = params.map(|params| Model { bindings: bindings(&params, &names, &snapshot), params });
        Rules { snapshot, snapshot_json, versions, promises, aliases: config.aliases.clone(), model }
    }

    /// The model, if there is one.
    pub(crate) fn params(&self) -> Option<Arc<Params>> {
        self.model.as_ref().map(|model| model.params.clone())
    }

    /// The route, pinned expert or alias with this name; empty means `auto`.
    ///
    /// # Errors
    /// [`FaultCode::ModelNotFound`].
    pub(crate) fn route(&self, name: &str) -> Result<&Arc<Route>, Fault> {
        let name = if name.is_empty() { "auto" } else { name };
        let name = self.aliases.get(name).map_or(name, String::as_str);
        self.snapshot.route(name).ok_or_else(|| {
            // The name is the client's text, and errors are logged: shortened, and with nothing in it unescaped.
            let shown: String = name.chars().take(SHOWN_NAME_CHARS).collect();
            let what = format!("no route, expert or alias is named {shown:?}; GET /v1/models lists them");
            Fault { param: Some("model".to_owned()), ..Fault::new(FaultCode::ModelNotFound, what) }
        })
    }

    /// What the model sees in a prompt that came for this route; nothing without a model.
    pub(crate) fn classify(&self, route: &Route, text: &str) -> Signals {
        let bound = self.model.as_ref().and_then(|model| Some((model, model.bindings.get(&route.name)?)));
        match bound {
            Some((model, binding)) => classify(&model.params, text, binding),
            None => Signals { experts: vec![None; self.snapshot.fleet.experts.len()], ..Signals::default() },
        }
    }

    /// What may be asked for within a policy: routes, then experts.
    pub(crate) fn models(&self, policy: &Policy) -> Vec<v1::Model> {
        let model = |route: &Arc<Route>| v1::Model {
            id: route.name.clone(),
            kind: if route.pinned { "expert" } else { "route" }.to_owned(),
        };
        let allowed = |route: &&Arc<Route>| policy.allows(route, &self.snapshot.fleet);
        self.snapshot.routes.iter().filter(allowed).map(model).collect()
    }
}

/// The experts in the model of each route that asks it, by the route's name. Of a route and an expert with one name the
/// route is meant, as in [`Snapshot::route`].
///
/// Whoever pins an expert has decided already, so nothing is asked there, but whether an expert may see the prompt that
/// refuses what is outside its domains.
pub(crate) fn bindings(params: &Params, fleet: &[&str], snapshot: &Snapshot) -> BTreeMap<String, Binding> {
    let refuses = |&at: &usize| snapshot.fleet.experts[at].out_of_domain == OutOfDomain::Refuse;
    let asks = |route: &&Arc<Route>| !route.pinned || route.experts.iter().any(refuses);
    let bind = |route: &Arc<Route>| (route.name.clone(), params.bind_some(fleet, &route.experts));
    snapshot.routes.iter().rev().filter(asks).map(bind).collect()
}

/// Keeps lanes whose pools are as they were but for their endpoints, makes the others.
fn lanes(
    config: &Config,
    old: Option<&Live>,
    dial: &Arc<dyn Dial>,
) -> Result<(Vec<Arc<Lane>>, Vec<Regrouping>), EndpointError> {
    let of_old = || old.into_iter().flat_map(|old| &old.lanes);
    let mut quotas: BTreeMap<&str, Arc<Quota>> =
        of_old().map(|lane| (lane.config.quota_group.as_str(), lane.quota.clone())).collect();
    let (mut lanes, mut regroupings) = (Vec::new(), Vec::new());
    for pool in &config.pools {
        match of_old().find(|lane| lane.config.is_same_but_for_endpoints(pool)) {
            Some(lane) => {
                if pool.discover.is_none() {
                    let (lane, addresses) = (lane.clone(), pool.endpoints.clone());
                    let newcomers = lane.newcomers(&addresses)?;
                    regroupings.push(Regrouping { lane, addresses, newcomers });
                }
                lanes.push(lane.clone());
            }
            None => {
                let quota = quotas.entry(&pool.quota_group).or_default().clone();
                lanes.push(Arc::new(Lane::new(pool.clone(), quota, dial)?));
            }
        }
    }
    Ok((lanes, regroupings))
}

/// Keeps the budgets of routes that hedge as they did, makes the others.
fn hedges(config: &Config, old: Option<&Live>) -> BTreeMap<String, Arc<HedgeBudget>> {
    let kept =
        |name: &str, share: f64| old?.hedges.get(name).filter(|budget| budget.share() == share).cloned();
    let budget = |name: &str, share: f64| {
        (name.to_owned(), kept(name, share).unwrap_or_else(|| Arc::new(HedgeBudget::new(share))))
    };
    let hedging = config.routes.iter().filter(|route| route.hedge_budget > 0.0);
    hedging.map(|route| budget(&route.name, route.hedge_budget)).collect()
}

/// A route for those who ask for an expert by name: no floor, no exploration, no other expert.
fn pinned_route(fleet: &Fleet, expert: usize) -> Route {
    Route {
        name: fleet.experts[expert].name.clone(),
        experts: vec![expert],
        reference: expert,
        quality_floor: 0.0,
        confidence: 0.0,
        objective: sluice_router::Objective::Joint,
        latency_per_s: sluice_router::NanoUsd::ZERO,
        slo: None,
        max_cost: None,
        when_none: sluice_router::WhenNone::Refuse,
        explore: 0.0,
        pinned: true,
        certificate: None,
        domain_promises: vec![],
    }
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string can't fail");
        text
    })
}

/// How much of an unknown model name an error repeats.
const SHOWN_NAME_CHARS: usize = 64;
