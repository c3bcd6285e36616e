//! The evidence that a route keeps its floor, and its words.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Evidence that choosing by `lambda` keeps a floor.
///
/// With probability of at least `confidence` over the draw of the calibration rows, the mean score of the experts so
/// chosen is at least `floor` times the reference's, on traffic that is exchangeable with those rows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// The price of money in score per nano-USD: the choice maximises `p_capable - lambda * cost`. At least 0.
    pub lambda: f64,
    /// The floor that was certified.
    pub floor: f64,
    /// With which confidence.
    pub confidence: f64,
    /// How: `normal`, `bets` or `point` (no margin, at confidence 0.5).
    pub method: String,
    /// Calibration rows that the test used.
    pub rows: u32,
    /// Groups of near-duplicates among them: so many independent draws they count as.
    #[serde(default)]
    pub groups: u32,
    /// Lower confidence bound of mean(score - floor * reference score), at least 0.
    pub lower_bound: f64,
    /// Mean score over the reference's, on the calibration rows.
    pub quality_ratio: f64,
    /// Cost saved against always-reference on the calibration rows, in percent.
    pub saved_pct: f64,
    /// SHA-256 of the calibration rows, hex.
    pub data: String,
    /// The day the model with these rows was trained, UTC, as in `2026-11-25`; empty when not known.
    #[serde(default)]
    pub made_on: String,
    /// What each expert does with the rows that it would get; those that get none are left out.
    #[serde(default)]
    pub regrets: Vec<ExpertRegret>,
}

/// What is lost, in the rows that an expert would get, where the reference would have scored higher.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ExpertRegret {
    /// Its name; its position for rows that don't come from a model.
    pub expert: String,
    /// Calibration rows that it would get.
    pub rows: u32,
    /// Mean of max(0, reference score - its score) over them; what it wins elsewhere is not set off.
    pub mean_regret: f64,
}

impl Certificate {
    /// What is promised, of a reference with this name: one line without the route's name.
    pub fn promise(&self, reference: &str) -> String {
        format!("at least {} of {reference}'s quality with confidence {}", self.floor, self.confidence)
    }

    /// What the promise rests on, in one line: method, rows, bound, day and data.
    pub fn evidence(&self) -> String {
        let mut line = format!("{}, {} rows", self.method, self.rows);
        if self.groups > 0 && self.groups < self.rows {
            line += &format!(" in {} groups", self.groups);
        }
        line += &format!(", lower bound {:.4}", self.lower_bound);
        if !self.made_on.is_empty() {
            line += &format!(", of {}", self.made_on);
        }
        if !self.data.is_empty() {
            line += &format!(", data {}", self.short_data());
        }
        line
    }

    /// Each expert with its rows and its regret, one line each.
    pub fn regret_lines(&self) -> Vec<String> {
        self.regrets.iter().map(ExpertRegret::to_string).collect()
    }

    /// Enough of the data's hash to tell one from another.
    pub fn short_data(&self) -> &str {
        self.data.get(..12).unwrap_or(&self.data)
    }
}

impl fmt::Display for ExpertRegret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} gets {} rows, mean regret {:.4}", self.expert, self.rows, self.mean_regret)
    }
}

/// A day as in `2026-11-25`, from days since 1970-01-01.
///
/// Source: Howard Hinnant, chrono-compatible low-level date algorithms: years are counted from March, so that the leap
/// day comes last.
pub(crate) fn date(days: u32) -> String {
    let days = u64::from(days) + 719_468; // since 0000-03-01
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        for (days, text) in [
            (0, "1970-01-01"),
            (58, "1970-02-28"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (20_088, "2024-12-31"),
            (20_782, "2026-11-25"),
        ] {
            assert_eq!(date(days), text);
        }
    }

    #[test]
    fn evidence_is_told_in_one_line() {
        let certificate = Certificate {
            floor: 0.95,
            confidence: 0.9,
            method: "normal".to_owned(),
            rows: 2_790,
            groups: 2_722,
            lower_bound: 0.001_23,
            data: "0123456789abcdef".to_owned(),
            made_on: "2026-11-25".to_owned(),
            ..Certificate::default()
        };
        let told = "normal, 2790 rows in 2722 groups, lower bound 0.0012, of 2026-11-25, data 0123456789ab";
        assert_eq!(certificate.evidence(), told);
        assert_eq!(certificate.promise("gpt-4"), "at least 0.95 of gpt-4's quality with confidence 0.9");
    }

    #[test]
    fn certificates_of_older_receipts_are_read() {
        let old = r#"{"lambda":1e-7,"floor":0.95,"confidence":0.95,"method":"bets","rows":5,"lower_bound":0.0,
            "quality_ratio":1.0,"saved_pct":3.0,"data":""}"#;
        let read: Certificate = serde_json::from_str(old).expect("readable");
        assert_eq!((read.groups, read.made_on.as_str(), read.regrets.len()), (0, "", 0));
    }
}
