//! All samples of a run, counted: what a report is computed from, and what merges with other runs' counts.

use crate::measure::figure::Time;
use crate::measure::hist::Hist;
use crate::measure::series::{Series, Times};
use crate::measure::slice::{By, Slice};
use crate::measure::slo::Slo;
use crate::sample::{End, FaultKind, Sample};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// A tenant of the test, with its share under contention.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tenant {
    /// Its name.
    pub name: String,
    /// Its weight.
    pub weight: f64,
}

/// The counts of a run. Its size doesn't grow with the number of samples: a few MB, plus 0.3 MB for each part, of
/// which there are at most [`MOST_PARTS`] of a kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// The file's format; also what tells it from other JSON.
    sluice_load_tally: u32,
    slo: Option<Slo>,
    tenants: Vec<Tenant>,
    all: Slice,
    ttft_from_sent: Hist,
    gaps: Hist,
    late: Hist,
    errors: BTreeMap<FaultKind, BTreeMap<String, u64>>,
    parts: BTreeMap<By, BTreeMap<String, Slice>>,
    series: Series,
    first_planned_ns: Option<u64>,
    last_planned_ns: u64,
    last_ended_ns: u64,
}

/// Most parts of one kind; what comes beyond is counted under [`OTHERS`].
pub const MOST_PARTS: usize = 200;
/// Where parts and error codes beyond the bound are counted.
pub const OTHERS: &str = "(others)";
const MOST_CODES: usize = 50;
const FORMAT: u32 = 1;

/// Why two tallies can't be merged, or a file isn't one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TallyError {
    /// They were judged by different objectives.
    #[error("their SLOs differ: {0:?} and {1:?}; good requests of both can't be added")]
    OtherSlo(String, String),
    /// They had different tenants or weights.
    #[error("their tenants or weights differ")]
    OtherTenants,
    /// Can't be read or written.
    #[error("{0}: {1}")]
    File(String, String),
    /// Not a saved tally.
    #[error("{0}: not a file of `sluice load --save`{1}")]
    Foreign(String, String),
}

impl Tally {
    /// An empty one. Good requests are judged by `slo` as they come, so it can't be changed later; a sample's tenant is
    /// an index into `tenants`.
    pub fn new(slo: Option<Slo>, tenants: Vec<Tenant>) -> Tally {
        let hist = || Hist::new(3);
        Tally {
            sluice_load_tally: FORMAT,
            slo,
            tenants,
            all: Slice::new(),
            ttft_from_sent: hist(),
            gaps: hist(),
            late: hist(),
            errors: BTreeMap::new(),
            parts: BTreeMap::new(),
            series: Series::new(),
            first_planned_ns: None,
            last_planned_ns: 0,
            last_ended_ns: 0,
        }
    }

    /// Counts one request.
    pub fn add(&mut self, sample: &Sample) {
        let times = Times::of(sample);
        let is_good = self.slo.as_ref().map_or(sample.is_ok(), |slo| slo.is_good(sample));
        self.all.add(sample, &times, is_good);
        times.ttft_from_sent.into_iter().for_each(|ns| self.ttft_from_sent.record(ns));
        self.late.record(sample.sent.saturating_sub(sample.planned.at));
        sample.gaps_us.iter().for_each(|us| self.gaps.record(u64::from(*us) * 1000));
        if let End::Failed { kind, code } = &sample.end {
            *slot(self.errors.entry(*kind).or_default(), code, MOST_CODES, || 0) += 1;
        }
        self.series.add(sample);
        let planned = sample.planned.at;
        self.first_planned_ns = Some(self.first_planned_ns.map_or(planned, |first| first.min(planned)));
        self.last_planned_ns = self.last_planned_ns.max(planned);
        self.last_ended_ns = self.last_ended_ns.max(sample.ended);
        self.add_to_parts(sample, &times, is_good);
    }

    fn add_to_parts(&mut self, sample: &Sample, times: &Times, is_good: bool) {
        let who = &sample.who;
        let replica = who.replica.map(|number| format!("{}/{number}", who.pool)).unwrap_or_default();
        let tenant =
            self.tenants.get(sample.planned.tenant as usize).map_or("", |tenant| tenant.name.as_str());
        let names: [(By, &str); 5] = [
            (By::Route, &who.route),
            (By::Expert, &who.expert),
            (By::Pool, &who.pool),
            (By::Replica, &replica),
            (By::Tenant, tenant),
        ];
        for (by, name) in names {
            if !name.is_empty() {
                let parts = self.parts.entry(by).or_default();
                slot(parts, name, MOST_PARTS, Slice::new).add(sample, times, is_good);
            }
        }
    }

    /// Adds all that another counted, as if both runs had begun at once: N testers are one test.
    ///
    /// # Errors
    /// When their SLOs or tenants differ.
    pub fn merge(&mut self, other: Tally) -> Result<(), TallyError> {
        if self.slo != other.slo {
            let text = |slo: &Option<Slo>| slo.as_ref().map(Slo::to_string).unwrap_or_default();
            return Err(TallyError::OtherSlo(text(&self.slo), text(&other.slo)));
        }
        if self.tenants != other.tenants {
            return Err(TallyError::OtherTenants);
        }
        self.all.merge(&other.all);
        self.ttft_from_sent.merge(&other.ttft_from_sent);
        self.gaps.merge(&other.gaps);
        self.late.merge(&other.late);
        for (kind, codes) in other.errors {
            for (code, count) in codes {
                *slot(self.errors.entry(kind).or_default(), &code, MOST_CODES, || 0) += count;
            }
        }
        for (by, parts) in other.parts {
            for (name, part) in parts {
                slot(self.parts.entry(by).or_default(), &name, MOST_PARTS, Slice::new).merge(&part);
            }
        }
        self.series.merge(other.series);
        self.first_planned_ns = self.first_planned_ns.into_iter().chain(other.first_planned_ns).min();
        self.last_planned_ns = self.last_planned_ns.max(other.last_planned_ns);
        self.last_ended_ns = self.last_ended_ns.max(other.last_ended_ns);
        Ok(())
    }

    /// Writes it to a file.
    ///
    /// # Errors
    /// What the file system says.
    pub fn save(&self, path: &Path) -> Result<(), TallyError> {
        let file = |error: String| TallyError::File(path.display().to_string(), error);
        let text = serde_json::to_string(self).map_err(|error| file(error.to_string()))?;
        std::fs::write(path, text).map_err(|error| file(error.to_string()))
    }

    /// Reads one that [`Tally::save`] wrote.
    ///
    /// # Errors
    /// When it can't be read, is something else, or was written by another version.
    pub fn load(path: &Path) -> Result<Tally, TallyError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| TallyError::File(name.clone(), error.to_string()))?;
        Tally::from_json(&text).map_err(|why| TallyError::Foreign(name, why))
    }

    fn from_json(text: &str) -> Result<Tally, String> {
        let value: serde_json::Value = serde_json::from_str(text).map_err(|error| format!(": {error}"))?;
        match value.get("sluice_load_tally").and_then(serde_json::Value::as_u64) {
            None => Err(String::new()),
            Some(format) if format != u64::from(FORMAT) => {
                Err(format!(" of this version: its format is {format}, this program reads {FORMAT}"))
            }
            Some(_) => serde_json::from_value(value).map_err(|error| format!(": {error}")),
        }
    }

    /// The histogram of a time.
    pub fn times(&self, time: Time) -> &Hist {
        match time {
            Time::Ttft => &self.all.ttft,
            Time::Tpot => &self.all.tpot,
            Time::E2e => &self.all.e2e,
            Time::Itl => &self.gaps,
        }
    }

    /// Time to first token from when a request really went: without the correction for coordinated omission.
    pub fn ttft_from_sent(&self) -> &Hist {
        &self.ttft_from_sent
    }

    /// How much later than planned requests went.
    pub fn late(&self) -> &Hist {
        &self.late
    }

    /// The whole run.
    pub fn all(&self) -> &Slice {
        &self.all
    }

    /// The parts of one kind by name.
    pub fn parts(&self, by: By) -> impl Iterator<Item = (&str, &Slice)> {
        self.parts.get(&by).into_iter().flatten().map(|(name, part)| (name.as_str(), part))
    }

    /// Failures by fault and code.
    pub fn errors(&self) -> &BTreeMap<FaultKind, BTreeMap<String, u64>> {
        &self.errors
    }

    /// The run over time.
    pub fn series(&self) -> &Series {
        &self.series
    }

    /// The objective that requests are judged by.
    pub fn slo(&self) -> Option<&Slo> {
        self.slo.as_ref()
    }

    /// The tenants of the test.
    pub fn tenants(&self) -> &[Tenant] {
        &self.tenants
    }

    /// Requests whose end is known.
    pub fn sent(&self) -> u64 {
        self.all.sent
    }

    /// Requests that failed.
    pub fn failed(&self) -> u64 {
        self.all.failed()
    }

    /// Seconds from the first planned start to the last end.
    pub fn seconds(&self) -> f64 {
        self.last_ended_ns.saturating_sub(self.first_planned_ns.unwrap_or_default()) as f64 / 1e9
    }

    /// Seconds from the first planned start to the last planned start.
    pub fn arrival_seconds(&self) -> f64 {
        self.last_planned_ns.saturating_sub(self.first_planned_ns.unwrap_or_default()) as f64 / 1e9
    }

    /// Seconds from the run's start to the last planned start.
    pub(crate) fn last_planned_s(&self) -> f64 {
        self.last_planned_ns as f64 / 1e9
    }

    pub(crate) fn last_planned_ns(&self) -> u64 {
        self.last_planned_ns
    }
}

/// The entry of `name`, or that of all others when there are `most` already.
fn slot<'a, T>(map: &'a mut BTreeMap<String, T>, name: &str, most: usize, new: impl Fn() -> T) -> &'a mut T {
    let name = if map.contains_key(name) || map.len() < most { name } else { OTHERS };
    if !map.contains_key(name) {
        map.insert(name.to_owned(), new());
    }
    map.get_mut(name).expect("it was put there if it wasn't")
}
