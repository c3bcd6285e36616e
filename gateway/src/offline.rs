//! Decisions without a gateway: what `sluice explain`, `sluice config check` and load tests in virtual time look at.

use crate::app::{Clock, unix_ms};
use crate::choose;
use crate::config::Config;
use crate::error::Fault;
use crate::explain::Explainer;
use crate::live::Rules;
use crate::machine::new_id;
use crate::needs;
use crate::promise::{Promise, check_domains};
use crate::request::{Front, Hints, Request};
use crate::running::load_model;
use crate::start_error::StartError;
use crate::tenants::Identity;
use bytes::Bytes;
use sluice_proto::v1;
use sluice_router::{Ask, Needs, PoolState, Receipt, Snapshot};
use std::sync::Arc;

/// A configuration with its model and certificates, and no engine: every pool counts as idle and up.
pub struct Offline {
    rules: Rules,
    idle: Vec<PoolState>,
    explainer: Option<Explainer>,
}

impl Offline {
    /// Loads the model and certifies every route, at the prices of today.
    ///
    /// # Errors
    /// The model can't be read, is none, or knows not every domain that has a floor.
    pub fn new(config: &Config) -> Result<Offline, StartError> {
        let params = config.model.as_deref().map(load_model).transpose()?.map(Arc::new);
        check_domains(config, params.as_deref())?;
        let mut config = config.clone();
        config.price_at(unix_ms());
        let config = &config;
        let explainer = params.clone().map(|params| Explainer::with(config, params));
        let idle = config.pools.iter().map(|pool| {
            let replicas = pool.sim.as_ref().map_or(pool.endpoints.len(), |sim| sim.replicas as usize);
            let replicas_up = u32::try_from(replicas).unwrap_or(u32::MAX);
            PoolState {
                replicas_up,
                limit: replicas_up.saturating_mul(pool.max_concurrency),
                ..PoolState::default()
            }
        });
        Ok(Offline { idle: idle.collect(), rules: Rules::new(config, params), explainer })
    }

    /// What each route promises, and each domain with a floor of its own, or why that goes to the reference.
    pub fn promises(&self) -> &[Promise] {
        &self.rules.promises
    }

    /// What explains its decisions; `None` without a model.
    pub fn explainer(&self) -> Option<&Explainer> {
        self.explainer.as_ref()
    }

    /// Fleet and routes.
    pub fn snapshot(&self) -> &Snapshot {
        &self.rules.snapshot
    }

    /// Decides on one prompt.
    ///
    /// # Errors
    /// The route is unknown, or nobody may answer.
    pub fn decide(&self, route: &str, prompt: &str) -> Result<Receipt, Fault> {
        let request = request(route, &[("user".to_owned(), prompt.to_owned())], None);
        let route = self.rules.route(route)?;
        let signals = self.rules.classify(route, &needs::route_text(&request.body));
        let (idle, id) = (self.idle.clone(), new_id());
        let asked = choose::Asked { request: &request, budget: None };
        choose::plan(&self.rules, route, asked, signals, idle, request.received, id)
    }

    /// Everything that a decision on these messages, as (role, text), would look at.
    ///
    /// # Errors
    /// The route is unknown.
    pub fn ask(
        &self,
        route: &str,
        messages: &[(String, String)],
        max_tokens: Option<u32>,
    ) -> Result<Ask, Fault> {
        let request = request(route, messages, max_tokens);
        let route = self.rules.route(route)?;
        Ok(Ask {
            fleet: self.rules.snapshot.fleet.clone(),
            route: route.clone(),
            signals: self.rules.classify(route, &needs::route_text(&request.body)),
            needs: needs::needs(&request, &self.rules.snapshot.fleet),
            pools: self.idle.clone(),
        })
    }

    /// What a request of these messages would need.
    pub fn needs(&self, messages: &[(String, String)], max_tokens: Option<u32>) -> Needs {
        needs::needs(&request("", messages, max_tokens), &self.rules.snapshot.fleet)
    }
}

/// A request as an edge would hand it in.
fn request(route: &str, messages: &[(String, String)], max_tokens: Option<u32>) -> Request {
    let message = |(role, content): &(String, String)| v1::Message {
        role: role.clone(),
        content: content.clone(),
        json: String::new(),
    };
    let body = v1::GenerateRequest {
        model: route.to_owned(),
        messages: messages.iter().map(message).collect(),
        max_tokens: max_tokens.unwrap_or(0),
        seed: Some(0),
        ..v1::GenerateRequest::default()
    };
    let id = new_id();
    Request {
        id,
        label: id.to_string(),
        front: Front::Grpc,
        body: Arc::new(body),
        messages_json: Bytes::new(),
        hints: Hints::default(),
        identity: Arc::new(Identity::everybody()),
        tenant: 0,
        received: Clock::new().now(),
        deadline: None,
        streams: false,
    }
}
