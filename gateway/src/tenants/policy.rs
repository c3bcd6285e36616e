//! What a request may ask for: its own hints within the bounds of whose it is.

use super::identity::{Identity, Policy};
use crate::error::{Fault, FaultCode};
use crate::request::Request;
use sluice_router::{Fleet, Privacy, Route};

impl Policy {
    /// Whether this route or pinned expert may be asked for. Where routes are listed, an expert may be pinned only where
    /// experts are listed too: who is bound to a route shall not go past its promise.
    pub(crate) fn allows(&self, route: &Route, fleet: &Fleet) -> bool {
        let is_in = |list: &Vec<String>, name: &String| list.contains(name);
        if route.pinned {
            let is_listed = self.experts.as_ref().map(|experts| is_in(experts, &route.name));
            return is_listed.unwrap_or(self.routes.is_none());
        }
        let is_open = self.routes.as_ref().is_none_or(|routes| is_in(routes, &route.name));
        let has_expert = |experts: &Vec<String>| {
            route.experts.iter().any(|&expert| is_in(experts, &fleet.experts[expert].name))
        };
        is_open && self.experts.as_ref().is_none_or(has_expert)
    }

    /// Experts that may answer, as indices into the fleet; `None` is all.
    pub(crate) fn experts(&self, fleet: &Fleet) -> Option<Vec<usize>> {
        let names = self.experts.as_ref()?;
        let is_allowed = |&at: &usize| names.contains(&fleet.experts[at].name);
        Some((0..fleet.experts.len()).filter(is_allowed).collect())
    }

    /// Regions that the answer may come from; none is all.
    pub(crate) fn residency(&self, asked: &[String]) -> Vec<String> {
        match (self.residency.is_empty(), asked.is_empty()) {
            (true, _) => asked.to_vec(),
            (false, true) => self.residency.clone(),
            (false, false) => {
                asked.iter().filter(|region| self.residency.contains(region)).cloned().collect()
            }
        }
    }

    /// How private the data is at least.
    pub(crate) fn privacy(&self, asked: Privacy) -> Privacy {
        asked.max(self.privacy)
    }
}

/// Whether a request stays within its bounds, as far as that is known before anything is decided.
///
/// # Errors
/// [`FaultCode::ModelNotAllowed`]; [`FaultCode::ResidencyViolation`] when what it asks for and what it is bound to have no
/// region in common.
pub(crate) fn check(request: &Request, route: &Route, fleet: &Fleet) -> Result<(), Fault> {
    let Identity { policy, .. } = &*request.identity;
    if !policy.allows(route, fleet) {
        let what = format!("the key may not use {:?}; GET /v1/models lists what it may", route.name);
        return Err(Fault {
            param: Some("model".to_owned()),
            ..Fault::new(FaultCode::ModelNotAllowed, what)
        });
    }
    let asked = &request.hints.residency;
    if !asked.is_empty() && policy.residency(asked).is_empty() {
        let what = format!(
            "x-sluice-residency and the regions that the tenant's data may be in, {}, have none in common",
            policy.residency.join(", ")
        );
        return Err(Fault::new(FaultCode::ResidencyViolation, what));
    }
    Ok(())
}
