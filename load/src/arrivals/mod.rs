//! When requests are sent: the plan of a run, made from a seed.

mod closed;
mod constant;
mod gamma;
mod marks;
mod open;
mod poisson;
mod ramp;
mod sessions;
mod steps;
mod trace;

pub use trace::{Trace, TraceError, TraceRow};

use self::marks::Marks;
use crate::sample::Planned;
use std::sync::Arc;

/// A plan of arrivals. Whoever carries it out, over a wire or in virtual time, asks for what comes by its own clock,
/// and tells it of each end, from which more may follow.
pub trait Arrivals: Send {
    /// The next request by the plan's own clock, in order of time; `None` when there is none any more.
    fn next(&mut self) -> Option<Planned>;

    /// What follows from a request that has ended at `now`: the next turn of its session, or the next of a closed
    /// loop. A session whose turn failed is over.
    fn follow(&mut self, _ended: &Planned, _now: u64, _is_ok: bool) -> Option<Planned> {
        None
    }
}

/// What is asked of the arrivals; [`plan`] says what it lacks.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Everything random comes from here.
    pub seed: u64,
    /// A trace to replay.
    pub trace: Option<Arc<Trace>>,
    /// The trace's time runs so many times as fast.
    pub speed: Option<f64>,
    /// Requests per second, on average. With turns, sessions per second.
    pub rate: Option<f64>,
    /// Equal gaps instead of random ones.
    pub constant: bool,
    /// Coefficient of variation of the gaps: 1 is Poisson, more is burstier.
    pub burst: Option<f64>,
    /// The rate grows or falls linearly from one to the other.
    pub ramp: Option<(f64, f64)>,
    /// Rates of equal length, one after the other.
    pub steps: Vec<f64>,
    /// So many requests are always under way.
    pub concurrency: Option<usize>,
    /// Seconds between an answer and the next request of the same user or session.
    pub think_s: f64,
    /// Requests of one session, each after the answer of the one before.
    pub turns: Option<usize>,
    /// Nothing is sent after so many seconds.
    pub duration_s: Option<f64>,
    /// Nothing is sent after so many requests.
    pub requests: Option<u64>,
    /// The tenants' shares of the requests; empty for one tenant.
    pub tenants: Vec<f64>,
    /// Share of the requests that are cancelled.
    pub cancel: f64,
    /// They are cancelled at a random moment within so many seconds.
    pub cancel_within_s: f64,
}

/// A kind of arrivals.
pub struct Row {
    /// As written in docs.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    is_asked: fn(&Asked) -> bool,
    build: fn(&Asked) -> Result<Box<dyn Arrivals>, String>,
}

/// Every kind of arrivals. The order is the order in `docs/reference/load.md`.
pub const ARRIVALS: &[Row] = &[
    Row { name: "trace", about: "replays a file", is_asked: trace::is_asked, build: trace::build },
    Row { name: "poisson", about: "independent users", is_asked: poisson::is_asked, build: poisson::build },
    Row { name: "constant", about: "equal gaps", is_asked: constant::is_asked, build: constant::build },
    Row { name: "gamma", about: "bursts", is_asked: gamma::is_asked, build: gamma::build },
    Row { name: "ramp", about: "a rate that grows", is_asked: ramp::is_asked, build: ramp::build },
    Row { name: "steps", about: "one rate after the other", is_asked: steps::is_asked, build: steps::build },
    Row { name: "closed", about: "users who wait", is_asked: closed::is_asked, build: closed::build },
];

/// The plan that is asked for.
///
/// # Errors
/// What is missing or contradicts, and what to give, for people.
pub fn plan(asked: &Asked) -> Result<Box<dyn Arrivals>, String> {
    check(asked)?;
    let mut rows = ARRIVALS.iter().filter(|row| (row.is_asked)(asked));
    let row = rows
        .next()
        .ok_or("nothing says when to send: give --trace, --rate, --ramp, --steps or --concurrency")?;
    if let Some(other) = rows.next() {
        return Err(format!("arrivals can't be both {} and {}; give one of them", row.name, other.name));
    }
    let turns = asked.turns.unwrap_or(1).max(1);
    // Whoever has begun a conversation may end it.
    let left = asked.requests.map_or(u64::MAX, |requests| requests.div_ceil(turns as u64));
    let mut arrivals: Box<dyn Arrivals> = Box::new(Counted { arrivals: (row.build)(asked)?, left });
    if turns > 1 {
        arrivals = sessions::wrap(arrivals, turns, asked.think_s);
    }
    let until = nanos(asked.duration_s.unwrap_or(f64::INFINITY));
    Ok(Box::new(Marked { arrivals, marks: Marks::new(asked), until }))
}

fn check(asked: &Asked) -> Result<(), String> {
    let above_0 = |name: &str, value: f64| {
        let fine = value.is_finite() && value > 0.0;
        if fine { Ok(()) } else { Err(format!("{name} {value}: must be above 0")) }
    };
    let named = [
        ("--rate", asked.rate),
        ("--speed", asked.speed),
        ("--burst", asked.burst),
        ("--duration", asked.duration_s),
    ];
    for (name, value) in named {
        value.map_or(Ok(()), |value| above_0(name, value))?;
    }
    for share in &asked.tenants {
        above_0("--tenants", *share)?;
    }
    if asked.speed.is_some() && asked.trace.is_none() {
        return Err("--speed scales a trace's time; give --trace too".to_owned());
    }
    if !(0.0..=1.0).contains(&asked.cancel) {
        return Err(format!("--cancel {}: a share is between 0 and 1", asked.cancel));
    }
    if asked.duration_s.is_none() && asked.requests.is_none() && asked.trace.is_none() {
        return Err("nothing says when to stop: give --duration or --requests".to_owned());
    }
    Ok(())
}

/// Seconds as nanoseconds.
fn nanos(seconds: f64) -> u64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, as it should")]
    let nanos = (seconds * 1e9).round() as u64;
    nanos
}

/// So many arrivals and no more.
struct Counted {
    arrivals: Box<dyn Arrivals>,
    left: u64,
}

impl Arrivals for Counted {
    fn next(&mut self) -> Option<Planned> {
        let left = self.left.checked_sub(1)?;
        let next = self.arrivals.next()?;
        self.left = left;
        Some(next)
    }

    fn follow(&mut self, ended: &Planned, now: u64, is_ok: bool) -> Option<Planned> {
        let followed = self.arrivals.follow(ended, now, is_ok)?;
        self.left = self.left.checked_sub(1)?;
        Some(followed)
    }
}

/// Arrivals with everything on them: whose, whether cancelled, and where they end.
struct Marked {
    arrivals: Box<dyn Arrivals>,
    marks: Marks,
    until: u64,
}

impl Marked {
    fn mark(&self, planned: Option<Planned>) -> Option<Planned> {
        let mut planned = planned.filter(|planned| planned.at < self.until)?;
        self.marks.put(&mut planned);
        Some(planned)
    }
}

impl Arrivals for Marked {
    fn next(&mut self) -> Option<Planned> {
        let planned = self.arrivals.next();
        self.mark(planned)
    }

    fn follow(&mut self, ended: &Planned, now: u64, is_ok: bool) -> Option<Planned> {
        let planned = self.arrivals.follow(ended, now, is_ok);
        self.mark(planned)
    }
}

#[cfg(test)]
mod tests;
