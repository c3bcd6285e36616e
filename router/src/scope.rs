//! Whether a text belongs to any of the model's domains at all, and from where on it is inside one of them.

use crate::codec::{Reader, Writer};
use crate::params::ParamsError;

/// What tells texts of a model's domains from all others.
///
/// P(in scope) is the logistic function of `by_best * best + by_outside * outside + offset`, where `best` is the
/// highest score of a domain and `outside` the score of "none of these".
#[derive(Debug, Clone, PartialEq)]
pub struct Scope {
    /// Weight of the highest domain score.
    pub by_best: f32,
    /// Weight of the score for "none of these".
    pub by_outside: f32,
    /// Log odds at scores of 0.
    pub offset: f32,
    /// For each domain, the least share with which a text is inside it: see [`lock_threshold`].
    pub thresholds: Vec<f32>,
    /// Languages of the domain texts, as [`crate::Signals::languages`] names them.
    pub languages: Vec<String>,
}

impl Scope {
    /// The probability that a text with these scores belongs to one of the domains.
    pub(crate) fn p_inside(&self, best: f32, outside: f32) -> f32 {
        1.0 / (1.0 + libm::expf(-(self.by_best * best + self.by_outside * outside + self.offset)))
    }

    /// Whether domain texts of this language taught the model.
    pub(crate) fn speaks(&self, language: &str) -> bool {
        self.languages.iter().any(|known| known == language)
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        [self.by_best, self.by_outside, self.offset].into_iter().for_each(|value| out.f32(value));
        out.f32s(&self.thresholds);
        out.texts(&self.languages);
    }

    pub(crate) fn read(from: &mut Reader) -> Result<Scope, ParamsError> {
        Ok(Scope {
            by_best: from.f32()?,
            by_outside: from.f32()?,
            offset: from.f32()?,
            thresholds: from.f32s()?,
            languages: from.texts()?,
        })
    }
}

/// The least share of its own domain with which a text counts as inside, from the shares of `calibration` texts of
/// that domain that the model hadn't seen.
///
/// A text is refused if its conformal p-value, (1 + number of calibration shares at most its own) / (n + 1), is below
/// [`MOST_REFUSED`]. So of texts exchangeable with the calibration texts at most that share is refused, whatever the
/// model is worth. With fewer than 20 texts no share is too low by that rule; then the domain must be likelier than all
/// else together.
///
/// Source: V. Vovk, A. Gammerman, G. Shafer, Algorithmic Learning in a Random World (2005).
pub fn lock_threshold(calibration: &mut [f32]) -> f32 {
    let lowest = libm::ceil(MOST_REFUSED * (calibration.len() + 1) as f64 - ROUNDING) as usize;
    // p >= MOST_REFUSED needs `lowest - 1` calibration shares at or below, so the share with that rank is enough.
    if lowest < 2 {
        return LIKELIER_THAN_NOT;
    }
    calibration.sort_by(f32::total_cmp);
    calibration[lowest - 2]
}

/// Share of a domain's own requests that its locked experts may refuse.
pub const MOST_REFUSED: f64 = 0.05;
/// The threshold where texts are too few for a conformal one, and for receipts written before there were any.
pub(crate) const LIKELIER_THAN_NOT: f32 = 0.5;
/// 0.05 * 20 is a little more than 1 in floating point.
const ROUNDING: f64 = 1e-9;

#[cfg(test)]
mod tests {
    use super::*;

    /// SplitMix64, as a number below 1.
    fn unit(seed: u64) -> f32 {
        (crate::mix::mix(seed) >> 40) as f32 / (1u64 << 24) as f32
    }

    /// The share of fresh texts that is refused, over many draws of `n` calibration texts.
    fn refused(n: u64) -> f64 {
        let draws = 4_000;
        let score = |draw: u64, at: u64| unit(draw * 10_007 + at).powi(3);
        let is_refused = |draw: &u64| {
            let mut calibration: Vec<f32> = (0..n).map(|at| score(*draw, at)).collect();
            score(*draw, n) < lock_threshold(&mut calibration)
        };
        (0..draws).filter(is_refused).count() as f64 / draws as f64
    }

    #[test]
    fn at_most_five_percent_of_a_domains_own_texts_are_refused() {
        for n in [20, 38, 39, 59, 100, 500] {
            let share = refused(n);
            let three_errors = 3.0 * libm::sqrt(0.05 * 0.95 / 4_000.0);
            assert!(share <= 0.05 + three_errors, "{n} calibration texts: {share} refused");
        }
        assert!(refused(500) > 0.03, "the threshold would be of no use if it refused nobody");
    }

    #[test]
    fn the_threshold_is_the_p_value_rule() {
        for n in [20usize, 25, 39, 40, 77, 200] {
            let shares: Vec<f32> = (0..n).map(|at| unit(at as u64 + 5)).collect();
            let threshold = lock_threshold(&mut shares.clone());
            for fresh in (0..1_000).map(|at| unit(at + 9_000)).chain(shares.iter().copied()) {
                let below = shares.iter().filter(|&&share| share <= fresh).count();
                let p = (1 + below) as f64 / (n + 1) as f64;
                assert_eq!(fresh < threshold, p < MOST_REFUSED - ROUNDING, "n {n}, share {fresh}");
            }
        }
    }

    #[test]
    fn too_few_texts_ask_for_the_likeliest_domain() {
        assert_eq!(lock_threshold(&mut [0.9; 19]), LIKELIER_THAN_NOT);
        assert_eq!(lock_threshold(&mut [0.9; 20]), 0.9);
    }
}
