//! The one place of the offline side that reads a clock: how long something took, never what is computed.

use std::time::Instant;

/// Measures elapsed wall time.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[allow(clippy::disallowed_methods, reason = "durations for reports; no result depends on them")]
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// Seconds since the start.
    pub fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }

    /// Microseconds since the start.
    pub fn micros(&self) -> f64 {
        self.seconds() * 1e6
    }
}
