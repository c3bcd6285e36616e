//! One point of the path against the grades: is its promise proven, and by how much?

use super::{CertifyAsk, CertifyBy, Pairs};
use crate::stats::{Bets, GroupedMean, normal_lower};

/// Which test decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// The plain estimate, without a margin.
    Point,
    /// The one-sided t test with an error by groups.
    Normal,
    /// Bets on groups.
    Bets,
}

impl Method {
    pub(super) fn name(self) -> &'static str {
        match self {
            Method::Point => "point",
            Method::Normal => "normal",
            Method::Bets => "bets",
        }
    }

    fn of(pairs: &Pairs, chosen: &[u16], reference: usize, ask: &CertifyAsk) -> Method {
        match ask.by {
            _ if ask.confidence <= 0.5 => Method::Point,
            CertifyBy::Auto if is_normal(pairs, chosen, reference) => Method::Normal,
            CertifyBy::Auto | CertifyBy::Bets => Method::Bets,
        }
    }
}

/// Whether there are enough groups, none of them too large, and enough of them won and lost, for the t test.
fn is_normal(pairs: &Pairs, chosen: &[u16], reference: usize) -> bool {
    let largest = pairs.sizes().iter().fold(0.0f64, |most, size| most.max(*size));
    if pairs.groups() < NORMAL_GROUPS || largest > LARGEST_SHARE * pairs.len() as f64 {
        return false;
    }
    let (wins, losses) = pairs.wins_and_losses(chosen, reference);
    wins >= NORMAL_EACH && losses >= NORMAL_EACH
}

/// The margins of a point, ready to be tested.
pub(super) struct Proof {
    pub(super) method: Method,
    sums: Vec<f64>,
    sizes: Vec<f64>,
    stakes: Vec<f64>,
    floor: f64,
    confidence: f64,
}

impl Proof {
    pub(super) fn of(pairs: &Pairs, chosen: &[u16], reference: usize, ask: &CertifyAsk) -> Proof {
        let method = Method::of(pairs, chosen, reference, ask);
        let mut sums = pairs.by_group(&pairs.margins(chosen, reference, ask.floor));
        let mut sizes = pairs.sizes().to_vec();
        if method == Method::Bets {
            for (sum, size) in sums.iter_mut().zip(&mut sizes) {
                let counts = (MOST_OF_GROUP / *size).min(1.0);
                *sum *= counts;
                *size *= counts;
            }
        }
        let stakes = match method {
            Method::Bets => stakes(pairs, chosen, reference, ask),
            Method::Point | Method::Normal => vec![],
        };
        Proof { method, sums, sizes, stakes, floor: ask.floor, confidence: ask.confidence }
    }

    /// Whether "the mean margin is at most 0" is rejected.
    pub(super) fn holds(&self) -> bool {
        match self.method {
            Method::Point => self.mean().mean >= 0.0,
            Method::Normal => normal_lower(&self.mean(), self.confidence) > 0.0,
            Method::Bets => self.bets().reject(0.0, self.confidence),
        }
    }

    /// A lower bound of the mean margin at the asked confidence; for a point that holds.
    pub(super) fn lower(&self) -> f64 {
        match self.method {
            Method::Point => self.mean().mean,
            Method::Normal => normal_lower(&self.mean(), self.confidence),
            Method::Bets => self.bets().lower(0.0, self.confidence),
        }
    }

    /// The mean margin with its error.
    pub(super) fn mean(&self) -> GroupedMean {
        GroupedMean::of(&self.sums, &self.sizes)
    }

    fn bets(&self) -> Bets<'_> {
        Bets { sums: &self.sums, sizes: &self.sizes, least: self.floor, stakes: &self.stakes }
    }
}

/// What is staked, from predictions alone: the stake that would be best at the edge of a proof, and some about it.
///
/// A margin of mean m and variance v makes a fortune grow by n (m b - v b^2 / 2) at stake b; where that just suffices for
/// the proof, the best stake is sqrt(2 ln(1 / level) / (n v)).
fn stakes(pairs: &Pairs, chosen: &[u16], reference: usize, ask: &CertifyAsk) -> Vec<f64> {
    let variance = pairs.predicted_variance(chosen, reference, ask.floor).max(1e-4);
    let best = libm::sqrt(-2.0 * libm::log(1.0 - ask.confidence) / (pairs.len() as f64 * variance));
    STAKES.iter().map(|share| share * best).collect()
}

/// The t test is asymptotic: in simulation it keeps its level from here on.
pub(super) const NORMAL_GROUPS: usize = 1_000;
const NORMAL_EACH: usize = 30;
/// Nor may a single group decide it.
const LARGEST_SHARE: f64 = 0.05;
/// Near-duplicates beyond these count no further in bets: one large group would keep all stakes small.
const MOST_OF_GROUP: f64 = 8.0;
/// Shares of the stake that seems best.
const STAKES: [f64; 3] = [0.6, 1.0, 1.6];
