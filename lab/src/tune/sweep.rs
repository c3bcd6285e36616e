//! Floor after floor: the certificate that serving would have, and what comes of it.

use super::bands::{self, Sums};
use super::report::{Point, Single, Uncertified};
use super::rows::Graded;
use super::{TuneAsk, bands::Bootstrap};
use crate::oracle;
use crate::train::jobs;
use sluice_router::{Certificate, CertifyAsk, CertifyBy, Params, Price, certify_pairs};
use std::collections::BTreeMap;

pub(super) struct Sweep<'a> {
    pub(super) params: &'a Params,
    pub(super) experts: &'a [(&'a str, Price)],
    pub(super) rows: &'a Graded,
    pub(super) reference: usize,
    pub(super) ask: &'a TuneAsk,
}

impl Sweep<'_> {
    pub(super) fn run(&self, progress: &mut dyn FnMut(usize, usize)) -> (Vec<Point>, Vec<Uncertified>) {
        let bootstrap = Bootstrap::new(self.rows, self.ask.seed);
        let floors: Vec<f64> = (LOWEST..=HIGHEST).map(|percent| f64::from(percent) / 100.0).collect();
        let (mut points, mut uncertified) = (vec![], vec![]);
        for some in floors.chunks(AT_ONCE) {
            let found = jobs::run(some.to_vec(), |floor| (self.point(floor, &bootstrap), self.plain(floor)));
            for (point, plain) in found {
                points.push(point);
                uncertified.extend(plain);
            }
            progress(points.len(), floors.len());
            // Above 1 a few floors may be in reach; once one is not, the next ones aren't either.
            if points.last().is_some_and(|last| last.floor > 1.0 && !last.certified) {
                break;
            }
        }
        progress(floors.len(), floors.len());
        points.retain(|point| point.floor <= 1.0 || point.certified);
        uncertified.retain(|plain| points.iter().any(|point| point.floor == plain.floor));
        (points, uncertified)
    }

    fn point(&self, floor: f64, bootstrap: &Bootstrap) -> Point {
        let found = self.certify(floor);
        let pairs = &self.rows.pairs;
        let chosen = match &found {
            Ok(certificate) => pairs.choose(certificate.lambda),
            Err(_) => pairs.always(self.reference),
        };
        let sums = Sums::new(self.rows, &chosen, self.reference);
        Point {
            floor,
            certified: found.is_ok(),
            threshold: found.as_ref().ok().map(|certificate| certificate.lambda),
            method: found.as_ref().ok().map(|certificate| certificate.method.clone()),
            refusal: found.as_ref().err().cloned(),
            saved_pct: pairs.saved_pct(&chosen, self.reference),
            quality_ratio: pairs.quality_ratio(&chosen, self.reference),
            band: bands::band(bootstrap, &sums),
        }
    }

    /// The very certificate of `serve`.
    fn certify(&self, floor: f64) -> Result<Certificate, String> {
        let (experts, reference) = (self.experts, self.experts[self.reference].0);
        let confidence = self.ask.confidence;
        let ask = CertifyAsk { experts, reference, floor, confidence, by: CertifyBy::Auto };
        self.params.certify(&ask).map_err(|refusal| refusal.to_string())
    }

    /// Without a margin: the cheapest point whose plain estimate reaches the floor.
    fn plain(&self, floor: f64) -> Option<Uncertified> {
        let pairs = &self.rows.pairs;
        let chosen = pairs.choose(certify_pairs(pairs, self.reference, floor, 0.5).ok()?.lambda);
        let saved_pct = pairs.saved_pct(&chosen, self.reference);
        Some(Uncertified { floor, saved_pct, quality_ratio: pairs.quality_ratio(&chosen, self.reference) })
    }

    /// Each expert alone.
    pub(super) fn singles(&self) -> Vec<Single> {
        let alone = |(at, (name, _)): (usize, &(&str, Price))| self.single(name, &self.rows.pairs.always(at));
        self.experts.iter().enumerate().map(alone).collect()
    }

    pub(super) fn oracle(&self) -> Single {
        self.single("oracle", &oracle::choice(&self.rows.pairs, self.experts.len()))
    }

    fn single(&self, name: &str, chosen: &[u16]) -> Single {
        let pairs = &self.rows.pairs;
        Single {
            expert: name.to_owned(),
            mean_score: pairs.score(chosen),
            cost_usd: pairs.cost(chosen) * pairs.len() as f64 / 1e9,
            saved_pct: pairs.saved_pct(chosen, self.reference),
            quality_ratio: pairs.quality_ratio(chosen, self.reference),
        }
    }

    /// Who gets which share of the rows at a point.
    pub(super) fn traffic(&self, point: &Point) -> BTreeMap<String, f64> {
        let mut shares = BTreeMap::new();
        let Some(lambda) = point.threshold else { return shares };
        let chosen = self.rows.pairs.choose(lambda);
        for &at in &chosen {
            let name = self.experts[usize::from(at)].0.to_owned();
            *shares.entry(name).or_insert(0.0) += 1.0 / chosen.len() as f64;
        }
        shares
    }
}

/// Floors in percent.
const LOWEST: u32 = 80;
const HIGHEST: u32 = 115;
/// Floors between two reports of progress.
const AT_ONCE: usize = 4;
