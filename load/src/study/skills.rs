//! Made-up skills: who would answer which request well, and how much of that a model sees beforehand.
//!
//! The first expert answers a given share well; of each request a score is seen that tells its chances with a given
//! AUC (two normal distributions of equal spread, so that the score is calibrated). Each next expert answers nearly all
//! of what the one before it does, and of the rest as much as makes up its own share.
//!
//! A model may also give a verdict instead of a probability: the first expert is as good as the next for a share of the
//! requests, those with the highest scores, and of no use for the others. Then who may go there doesn't depend on prices.

use crate::random::Random;
use sluice_router::{ExpertSignal, normal_quantile};
use std::str::FromStr;

/// What one expert can do.
#[derive(Debug, Clone, PartialEq)]
pub struct Skill {
    /// Its name.
    pub expert: String,
    /// The share of requests that it answers well.
    pub share: f64,
}

/// What the experts can do, the least capable first.
#[derive(Debug, Clone, PartialEq)]
pub struct Skills {
    /// At least one.
    pub experts: Vec<Skill>,
    /// How well the first one's success is seen beforehand: the probability that of two requests, one of which it
    /// answers well, that one has the higher score.
    pub auc: f64,
    /// For a model that gives verdicts, the chances from which on its verdict is yes.
    pub verdict_from: Option<f64>,
}

/// One request: for each expert, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// The probability that it answers well, as the model sees it.
    pub p: Vec<f64>,
    /// Whether it does.
    pub is_good: Vec<bool>,
    /// By which factor the expected length of the answer is off.
    pub length_error: f64,
}

/// Of what one expert answers well, the next one does too.
const KEEPS: f64 = 0.98;
/// The deviation of the logarithm of expected over true lengths of answers.
const LENGTH_ERROR: f64 = 0.5;
/// The purpose of the random sequence.
const SKILLS: u64 = 0x5C11;

/// Why a text names no skills.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?}: write EXPERT=SHARE,... from the least capable to the most, with shares above 0 and below 1, and @AUC from 0.5 to below 1 after the first, as in small=0.6@0.75,large=0.92; @0.75/0.35 is a verdict that it may have 35% of the requests"
)]
pub struct SkillsError(String);

impl Skills {
    /// Draws what is true of the request with this number.
    pub fn draw(&self, seed: u64, number: u64) -> Drawn {
        let mut random = Random::new(seed ^ SKILLS, number);
        let first = &self.experts[0];
        let gap = std::f64::consts::SQRT_2 * normal_quantile(self.auc);
        let is_good = random.unit() < first.share;
        let score = random.normal() + if is_good { gap / 2.0 } else { -gap / 2.0 };
        let prior = libm::log(first.share / (1.0 - first.share));
        let mut drawn = Drawn {
            p: vec![1.0 / (1.0 + libm::exp(-(prior + gap * score)))],
            is_good: vec![is_good],
            length_error: libm::exp(LENGTH_ERROR * random.normal()),
        };
        for pair in self.experts.windows(2) {
            let rest = (pair[1].share - KEEPS * pair[0].share) / (1.0 - pair[0].share);
            let last = drawn.p.len() - 1;
            let (p, was_good) = (drawn.p[last], drawn.is_good[last]);
            drawn.p.push(KEEPS * p + rest * (1.0 - p));
            drawn.is_good.push(random.unit() < if was_good { KEEPS } else { rest });
        }
        if let (Some(from), Some(next)) = (self.verdict_from, drawn.p.get(1).copied()) {
            drawn.p[0] = if drawn.p[0] >= from { next } else { 0.0 };
        }
        drawn
    }

    /// The chances that the given share of requests has or exceeds.
    fn chances_of_share(&self, share: f64) -> f64 {
        let mut chances: Vec<f64> = (0..DRAWS).map(|number| self.draw(SKILLS, number).p[0]).collect();
        chances.sort_by(f64::total_cmp);
        chances[((1.0 - share) * (DRAWS - 1) as f64) as usize]
    }
}

/// Draws behind a quantile of the scores.
const DRAWS: u64 = 20_000;

impl Drawn {
    /// What a model would say of the expert at this place of the list about an answer of so many tokens.
    pub fn signal(&self, at: usize, output_tokens: u32) -> ExpertSignal {
        let output_tokens = (f64::from(output_tokens) * self.length_error).max(1.0);
        ExpertSignal { p_capable: self.p[at], p_lower: self.p[at], output_tokens }
    }

    /// The grade of its answer.
    pub fn grade(&self, at: usize) -> f64 {
        f64::from(u8::from(self.is_good[at]))
    }
}

impl FromStr for Skills {
    type Err = SkillsError;

    fn from_str(text: &str) -> Result<Skills, SkillsError> {
        let wrong = || SkillsError(text.to_owned());
        let (mut auc, mut verdict) = (0.75, None);
        let mut experts: Vec<Skill> = Vec::new();
        for part in text.split(',') {
            let (expert, value) = part.split_once('=').ok_or_else(wrong)?;
            let (share, seen) =
                value.split_once('@').map_or((value, None), |(share, seen)| (share, Some(seen)));
            if let Some(seen) = seen {
                let (seen, offered) =
                    seen.split_once('/').map_or((seen, None), |(seen, offered)| (seen, Some(offered)));
                let is_share = |share: &f64| *share > 0.0 && *share < 1.0;
                let parsed = |text: &str| text.parse().ok().filter(is_share).ok_or_else(wrong);
                verdict = offered.map(parsed).transpose()?;
                let given = seen.parse().ok().filter(|auc| (0.5..1.0).contains(auc) && experts.is_empty());
                auc = given.ok_or_else(wrong)?;
            }
            let share: f64 =
                share.parse().ok().filter(|share| *share > 0.0 && *share < 1.0).ok_or_else(wrong)?;
            if experts.last().is_some_and(|last| share < KEEPS * last.share) {
                return Err(wrong());
            }
            experts.push(Skill { expert: expert.trim().to_owned(), share });
        }
        let skills = Skills { experts, auc, verdict_from: None };
        let verdict_from = verdict.map(|share| skills.chances_of_share(share));
        Ok(Skills { verdict_from, ..skills })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_met_scores_are_calibrated_and_as_telling_as_stated() {
        let skills: Skills = "small=0.6@0.75,large=0.92,vendor=0.93".parse().unwrap();
        let drawn: Vec<Drawn> = (0..40_000).map(|n| skills.draw(7, n)).collect();
        for (at, skill) in skills.experts.iter().enumerate() {
            let share = drawn.iter().map(|drawn| drawn.grade(at)).sum::<f64>() / 40_000.0;
            let seen = drawn.iter().map(|drawn| drawn.p[at]).sum::<f64>() / 40_000.0;
            assert!((share - skill.share).abs() < 0.01 && (seen - share).abs() < 0.01, "{share} {seen}");
        }
        let (good, bad): (Vec<_>, Vec<_>) = drawn.iter().partition(|drawn| drawn.is_good[0]);
        let wins = (0..15_000).filter(|&n| good[n].p[0] > bad[n].p[0]).count();
        assert!((wins as f64 / 15_000.0 - 0.75).abs() < 0.015, "{wins}");
        let sure: Vec<_> = drawn.iter().filter(|drawn| (0.75..0.85).contains(&drawn.p[0])).collect();
        let held = sure.iter().filter(|drawn| drawn.is_good[0]).count() as f64 / sure.len() as f64;
        assert!((held - 0.8).abs() < 0.02, "{held}");
    }

    #[test]
    fn a_verdict_is_given_to_the_stated_share_and_the_best_of_them() {
        let skills: Skills = "small=0.6@0.75/0.35,large=0.92".parse().unwrap();
        let drawn: Vec<Drawn> = (0..20_000).map(|n| skills.draw(3, n)).collect();
        let yes: Vec<_> = drawn.iter().filter(|drawn| drawn.p[0] > 0.0).collect();
        assert!((yes.len() as f64 / 20_000.0 - 0.35).abs() < 0.01 && yes.iter().all(|d| d.p[0] == d.p[1]));
        assert!(yes.iter().filter(|drawn| drawn.is_good[0]).count() * 10 > yes.len() * 8);
    }

    #[test]
    fn mistakes_are_told() {
        for wrong in ["", "small", "small=2", "small=0.6@0.3", "small=0.9,large=0.6", "a=0.5,b=0.6@0.8"] {
            assert!(wrong.parse::<Skills>().unwrap_err().to_string().contains("EXPERT=SHARE"), "{wrong}");
        }
    }
}
