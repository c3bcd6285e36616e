//! Whether tenants got their shares.

use crate::measure::slice::By;
use crate::measure::tally::Tally;
use serde::{Deserialize, Serialize};

/// How evenly served tokens per weight are spread over tenants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fairness {
    /// Jain's index: 1 when all got the same per weight, 1 / tenants when one got everything.
    pub jain: f64,
    /// The most served tenant's tokens per weight over the least served one's; `None` when one got nothing.
    pub max_over_min: Option<f64>,
}

impl Fairness {
    /// Over the tenants that asked for something; `None` with fewer than two. It means something only while tenants
    /// compete: one that asks for little gets little.
    pub fn of(tally: &Tally) -> Option<Fairness> {
        let tenants = tally.tenants();
        let shares: Vec<f64> = tally
            .parts(By::Tenant)
            .map(|(name, part)| {
                let weight =
                    tenants.iter().find(|tenant| tenant.name == name).map_or(1.0, |tenant| tenant.weight);
                (part.input_tokens + part.output_tokens) as f64 / weight
            })
            .collect();
        of_shares(&shares)
    }
}

/// Source: Jain, Chiu, Hawe, A quantitative measure of fairness (1984).
fn of_shares(shares: &[f64]) -> Option<Fairness> {
    let (sum, squares) = shares.iter().fold((0.0, 0.0), |(sum, squares), x| (sum + x, squares + x * x));
    if shares.len() < 2 || squares <= 0.0 {
        return None;
    }
    let most = shares.iter().copied().fold(0.0, f64::max);
    let least = shares.iter().copied().fold(f64::INFINITY, f64::min);
    let max_over_min = (least > 0.0).then(|| most / least);
    Some(Fairness { jain: sum * sum / (shares.len() as f64 * squares), max_over_min })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jain_is_that_by_hand() {
        let even = of_shares(&[5.0, 5.0, 5.0]).unwrap();
        assert_eq!((even.jain, even.max_over_min), (1.0, Some(1.0)));
        let one = of_shares(&[9.0, 0.0, 0.0]).unwrap();
        assert!((one.jain - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(one.max_over_min, None);
        // (1 + 3)^2 / (2 x 10)
        assert_eq!(of_shares(&[1.0, 3.0]).unwrap().jain, 0.8);
        assert_eq!(of_shares(&[1.0]), None);
        assert_eq!(of_shares(&[0.0, 0.0]), None);
    }
}
