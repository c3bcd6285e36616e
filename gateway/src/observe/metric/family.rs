//! The series of one metric, found by their label values without allocating.

use super::table::Row;
use super::{METADATA, key};
use foldhash::fast::RandomState;
use metrics::{Counter, Gauge, Histogram, Recorder as _};
use metrics_exporter_prometheus::PrometheusRecorder;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::sync::{Arc, PoisonError, RwLock};

/// The series of one metric. A series is registered when it is first seen, and found again by hashing its label
/// values.
#[derive(Debug)]
pub(super) struct Family<H> {
    row: &'static Row,
    recorder: Arc<PrometheusRecorder>,
    hasher: RandomState,
    series: RwLock<HashMap<u64, Vec<Series<H>>, RandomState>>,
}

#[derive(Debug)]
struct Series<H> {
    values: Box<[Box<str>]>,
    handle: H,
}

/// What a registry hands out for a series.
pub(super) trait Handle: Clone {
    fn register(recorder: &PrometheusRecorder, row: &'static Row, values: &[&str]) -> Self;
}

impl<H: Handle> Family<H> {
    pub(super) fn new(row: &'static Row, recorder: Arc<PrometheusRecorder>) -> Family<H> {
        Family { row, recorder, hasher: RandomState::default(), series: RwLock::default() }
    }

    /// Runs `change` on the series with these label values, in the order of the row's labels.
    pub(super) fn with(&self, values: &[&str], change: impl FnOnce(&H)) {
        debug_assert_eq!(values.len(), self.row.labels.len(), "{}", self.row.name);
        let hash = self.hasher.hash_one(values);
        let series = self.series.read().unwrap_or_else(PoisonError::into_inner);
        match series.get(&hash).and_then(|alike| find(alike, values)) {
            Some(handle) => change(handle),
            None => {
                drop(series);
                change(&self.add(hash, values));
            }
        }
    }

    /// Runs `change` on every series that there is.
    pub(super) fn each(&self, change: impl Fn(&H)) {
        let series = self.series.read().unwrap_or_else(PoisonError::into_inner);
        series.values().flatten().for_each(|series| change(&series.handle));
    }

    fn add(&self, hash: u64, values: &[&str]) -> H {
        let mut series = self.series.write().unwrap_or_else(PoisonError::into_inner);
        let alike = series.entry(hash).or_default();
        if let Some(handle) = find(alike, values) {
            return handle.clone();
        }
        let handle = H::register(&self.recorder, self.row, values);
        let values = values.iter().map(|&value| value.into()).collect();
        alike.push(Series { values, handle: handle.clone() });
        handle
    }
}

fn find<'a, H>(alike: &'a [Series<H>], values: &[&str]) -> Option<&'a H> {
    let same = |series: &&Series<H>| series.values.iter().map(|value| &**value).eq(values.iter().copied());
    alike.iter().find(same).map(|series| &series.handle)
}

impl Handle for Counter {
    fn register(recorder: &PrometheusRecorder, row: &'static Row, values: &[&str]) -> Counter {
        recorder.register_counter(&key(row, values), &METADATA)
    }
}

impl Handle for Gauge {
    fn register(recorder: &PrometheusRecorder, row: &'static Row, values: &[&str]) -> Gauge {
        recorder.register_gauge(&key(row, values), &METADATA)
    }
}

impl Handle for Histogram {
    fn register(recorder: &PrometheusRecorder, row: &'static Row, values: &[&str]) -> Histogram {
        recorder.register_histogram(&key(row, values), &METADATA)
    }
}

/// The first so many values of a label; whatever comes later is `other`.
#[derive(Debug)]
pub(super) struct Bounded {
    most: usize,
    seen: RwLock<HashSet<Box<str>>>,
}

impl Bounded {
    pub(super) fn new(most: usize) -> Bounded {
        Bounded { most, seen: RwLock::default() }
    }

    /// Runs `work` on `value`, or on `other`.
    pub(super) fn with(&self, value: &str, work: impl FnOnce(&str)) {
        let is_known = self.seen.read().unwrap_or_else(PoisonError::into_inner).contains(value);
        work(if is_known || self.admits(value) { value } else { "other" });
    }

    fn admits(&self, value: &str) -> bool {
        // Looked at under a read lock first, so that strangers don't queue for the write lock for ever.
        if self.seen.read().unwrap_or_else(PoisonError::into_inner).len() >= self.most {
            return false;
        }
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < self.most {
            seen.insert(value.into());
        }
        seen.contains(value)
    }
}

/// An HTTP status as its three digits.
pub(super) fn status_text(status: u16) -> [u8; 3] {
    let digit = |place: u16| b'0' + u8::try_from(status / place % 10).expect("one digit");
    [digit(100), digit(10), digit(1)]
}
