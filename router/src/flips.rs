//! Which other floor would have sent a request to somebody else.

use crate::ask::Ask;
use crate::certify::{CertifyAsk, CertifyBy};
use crate::decide::decide;
use crate::params::Params;
use crate::price::Price;
use crate::time::Tick;
use serde::Serialize;
use std::sync::Arc;

/// The nearest floors at which a request goes to another expert.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Flips {
    /// The highest lower floor, in steps of 0.01; `None` when none from `from` on does.
    pub below: Option<Flip>,
    /// The lowest higher floor; `None` when none up to 1 does.
    pub above: Option<Flip>,
    /// The lowest floor that was tried.
    pub from: f64,
}

/// A floor and whom it chooses.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Flip {
    /// The floor.
    pub floor: f64,
    /// Who gets the request then, as an index into the fleet.
    pub expert: usize,
    /// Whether a certificate can be had for the floor; without one the reference answers.
    pub certified: bool,
}

impl Params {
    /// Finds them by certifying the route for other floors, about ten of them.
    ///
    /// Exploration is left out: it is no matter of the floor. `None` for a route that has no floor: a pinned expert.
    pub fn flips(&self, ask: &Ask, by: CertifyBy, now: Tick, seed: u64) -> Option<Flips> {
        if ask.route.pinned {
            return None;
        }
        let mut chosen = Chosen { params: self, ask, by, now, seed };
        let stays = chosen.now()?;
        let here = ask.route.quality_floor;
        let percent = (here * 100.0).round() as i32;
        let lowest = LOWEST.min(percent - 10).max(0);
        // A higher floor moves the choice towards quality and a lower one towards cheap, so halving finds the edge.
        let below = edge(percent, lowest, |floor| chosen.at(floor).filter(|flip| flip.expert != stays));
        let above = edge(percent, 100, |floor| chosen.at(floor).filter(|flip| flip.expert != stays));
        Some(Flips { below, above, from: f64::from(lowest) / 100.0 })
    }
}

/// The flip nearest to `near`, given that `far` flips; `None` if it doesn't.
fn edge(near: i32, far: i32, mut flip: impl FnMut(i32) -> Option<Flip>) -> Option<Flip> {
    if near == far {
        return None;
    }
    let mut found = flip(far)?;
    let (mut near, mut far) = (near, far);
    while (far - near).abs() > 1 {
        let middle = near + (far - near) / 2;
        match flip(middle) {
            Some(nearer) => (found, far) = (nearer, middle),
            None => near = middle,
        }
    }
    Some(found)
}

/// Decides one request at different floors.
struct Chosen<'a> {
    params: &'a Params,
    ask: &'a Ask,
    by: CertifyBy,
    now: Tick,
    seed: u64,
}

impl Chosen<'_> {
    /// Who gets it as things are.
    fn now(&self) -> Option<usize> {
        let mut ask = self.ask.clone();
        Arc::make_mut(&mut ask.route).explore = 0.0;
        Some(decide(&ask, self.now, self.seed).ok()?.steps[0].expert)
    }

    /// Who gets it at a floor in percent.
    fn at(&mut self, percent: i32) -> Option<Flip> {
        let floor = f64::from(percent) / 100.0;
        let mut ask = self.ask.clone();
        let fleet = &self.ask.fleet;
        let route = Arc::make_mut(&mut ask.route);
        let known = |expert: &&usize| self.params.expert(&fleet.experts[**expert].name).is_some();
        let priced: Vec<(&str, Price)> = route
            .experts
            .iter()
            .filter(known)
            .map(|&expert| (fleet.experts[expert].name.as_str(), fleet.experts[expert].price))
            .collect();
        let certificate = self.params.certify(&CertifyAsk {
            experts: &priced,
            reference: &fleet.experts[route.reference].name,
            floor,
            confidence: route.confidence,
            by: self.by,
        });
        let certified = certificate.is_ok();
        (route.certificate, route.quality_floor, route.explore) = (certificate.ok(), floor, 0.0);
        let expert = decide(&ask, self.now, self.seed).ok()?.steps[0].expert;
        Some(Flip { floor, expert, certified })
    }
}

/// Lower floors than this percentage are not tried, unless the route's own is near.
const LOWEST: i32 = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_flip_is_found_on_either_side() {
        let mut asked = 0;
        let mut find = |near, far, flips: &dyn Fn(i32) -> bool| {
            let found = edge(near, far, |percent| {
                asked += 1;
                let floor = f64::from(percent) / 100.0;
                flips(percent).then_some(Flip { floor, expert: 1, certified: true })
            });
            found.map(|flip| (flip.floor * 100.0).round() as i32)
        };
        assert_eq!(find(95, 80, &|percent| percent <= 91), Some(91));
        assert_eq!(find(95, 80, &|percent| percent <= 94), Some(94));
        assert_eq!(find(95, 80, &|_| false), None);
        assert_eq!(find(95, 100, &|percent| percent >= 96), Some(96));
        assert_eq!(find(95, 100, &|percent| percent == 100), Some(100));
        assert_eq!(find(100, 100, &|_| true), None);
        assert!(asked <= 20, "{asked} certificates for six searches");
    }
}
