//! Certificates for domains with floors of their own, and one for all other requests.

use super::{CertifyAsk, Pairs, Refusal, certified};
use crate::certificate::Certificate;
use crate::params::Params;

/// What could be certified of a route with domain floors.
#[derive(Debug, Clone, PartialEq)]
pub struct ByDomain {
    /// For the requests outside those domains.
    pub rest: Result<Certificate, Refusal>,
    /// For each domain, in the order of the ask.
    pub domains: Vec<Result<Certificate, Refusal>>,
}

impl Params {
    /// Certifies each of `floors` (domain, floor) on the calibration rows of that domain, and the ask itself on the others.
    ///
    /// Which rows are a domain's was told by a model that had not seen them, and without a look at grades: requests are
    /// told apart by the same rule. No row counts in two certificates and none depends on another's outcome, so each
    /// holds with the asked confidence. Where no floor is below the ask's, all traffic together keeps the ask's floor
    /// whenever all of them hold.
    pub fn certify_by_domain(&self, ask: &CertifyAsk, floors: &[(&str, f64)]) -> ByDomain {
        let (pairs, reference) = match self.pairs(ask) {
            Ok(found) => found,
            Err(refusal) => {
                let domains = floors.iter().map(|_| Err(refusal.clone())).collect();
                return ByDomain { rest: Err(refusal), domains };
            }
        };
        let of = |&(name, floor): &(&str, f64)| {
            let rows = pairs.within(&[self.domain(name)?], true);
            certified(self, &rows, reference, &CertifyAsk { floor, ..*ask })
        };
        let known: Vec<u32> = floors.iter().filter_map(|(name, _)| self.domain(name).ok()).collect();
        let rest: Pairs = if known.is_empty() { pairs.clone() } else { pairs.within(&known, false) };
        ByDomain { rest: certified(self, &rest, reference, ask), domains: floors.iter().map(of).collect() }
    }

    fn domain(&self, name: &str) -> Result<u32, Refusal> {
        let found = self.domains().iter().position(|known| known == name);
        let unknown = || Refusal::UnknownDomain { name: name.to_owned(), known: self.domains().to_vec() };
        found.map(|at| at as u32).ok_or_else(unknown)
    }
}
