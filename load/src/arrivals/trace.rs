//! Replay of a recorded trace: CSV `arrival_s,input_tokens,output_tokens[,session]`.

use super::{Arrivals, Asked, nanos};
use crate::sample::Planned;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A recorded request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TraceRow {
    /// Seconds since the trace began.
    pub arrival_s: f64,
    /// Tokens of the prompt.
    pub input_tokens: u32,
    /// Tokens of the answer.
    pub output_tokens: u32,
    /// Its session, numbered in order of appearance.
    pub session: Option<u64>,
}

/// The rows of a trace, in order of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trace {
    /// At least one.
    pub rows: Vec<TraceRow>,
}

/// A trace that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// It can't be read.
    #[error("{}: {error}", file.display())]
    Read {
        /// Which file.
        file: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// A line is wrong.
    #[error("{}:{line}: {what}; {FORM}", file.display())]
    Line {
        /// Which file.
        file: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
}

const FORM: &str = "a trace is CSV with the header arrival_s,input_tokens,output_tokens[,session]";

impl Trace {
    /// Reads a trace. Further columns are ignored; rows out of order are sorted.
    ///
    /// # Errors
    /// The file can't be read, lacks a column or has no rows, or a field is no number of at least 0.
    pub fn load(file: &Path) -> Result<Trace, TraceError> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| TraceError::Read { file: file.to_owned(), error })?;
        Trace::parse(&text).map_err(|(line, what)| TraceError::Line { file: file.to_owned(), line, what })
    }

    pub(super) fn parse(text: &str) -> Result<Trace, (usize, String)> {
        let mut lines = text.trim_start_matches('\u{FEFF}').lines().enumerate();
        let header = lines.next().map_or("", |(_, line)| line);
        let columns = Columns::of(header).map_err(|what| (1, what))?;
        let mut sessions = HashMap::new();
        let mut rows = Vec::new();
        for (at, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            rows.push(columns.row(line, &mut sessions).map_err(|what| (at + 1, what))?);
        }
        if rows.is_empty() {
            return Err((1, "the trace has no rows".to_owned()));
        }
        rows.sort_by(|a, b| a.arrival_s.total_cmp(&b.arrival_s));
        Ok(Trace { rows })
    }

    /// Requests per second, over the time from the first to the last.
    pub fn mean_rate(&self) -> f64 {
        let span = self.rows.last().map_or(0.0, |last| last.arrival_s) - self.rows[0].arrival_s;
        if span > 0.0 { self.rows.len() as f64 / span } else { self.rows.len() as f64 }
    }
}

/// Where each field stands in a line.
struct Columns {
    arrival: usize,
    input: usize,
    output: usize,
    session: Option<usize>,
}

impl Columns {
    fn of(header: &str) -> Result<Columns, String> {
        let names: Vec<&str> = header.split(',').map(str::trim).collect();
        let find = |name: &str| names.iter().position(|column| *column == name);
        let need = |name: &str| find(name).ok_or_else(|| format!("the header has no column {name}"));
        Ok(Columns {
            arrival: need("arrival_s")?,
            input: need("input_tokens")?,
            output: need("output_tokens")?,
            session: find("session"),
        })
    }

    fn row(&self, line: &str, sessions: &mut HashMap<String, u64>) -> Result<TraceRow, String> {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let field = |at: usize, name: &str| {
            fields
                .get(at)
                .copied()
                .filter(|text| !text.is_empty())
                .ok_or_else(|| format!("{name} is missing"))
        };
        let tokens = |at, name| {
            let text = field(at, name)?;
            text.parse().map_err(|_| format!("{name} {text:?} is no whole number of at least 0"))
        };
        let text = field(self.arrival, "arrival_s")?;
        let arrival_s: f64 = text.parse().map_err(|_| format!("arrival_s {text:?} is no number"))?;
        if !(arrival_s.is_finite() && arrival_s >= 0.0) {
            return Err(format!("arrival_s {text} is below 0"));
        }
        let name = self.session.and_then(|at| fields.get(at)).filter(|name| !name.is_empty());
        let next = sessions.len() as u64;
        Ok(TraceRow {
            arrival_s,
            input_tokens: tokens(self.input, "input_tokens")?,
            output_tokens: tokens(self.output, "output_tokens")?,
            session: name.map(|name| *sessions.entry((*name).to_owned()).or_insert(next)),
        })
    }
}

pub(super) fn is_asked(asked: &Asked) -> bool {
    asked.trace.is_some()
}

pub(super) fn build(asked: &Asked) -> Result<Box<dyn Arrivals>, String> {
    let trace = asked.trace.clone().ok_or("a replay needs --trace")?;
    if asked.turns.is_some() {
        return Err("a trace has its own sessions; leave --turns out".to_owned());
    }
    let speed = match (asked.speed, asked.rate) {
        (Some(_), Some(_)) => {
            return Err("--speed and --rate both scale the trace; give one of them".to_owned());
        }
        (Some(speed), None) => speed,
        (None, Some(rate)) => rate / trace.mean_rate(),
        (None, None) => 1.0,
    };
    Ok(Box::new(Replay { trace, speed, at: 0 }))
}

/// The rows at their times. Turns of a session keep their recorded times too: they are part of what was recorded.
struct Replay {
    trace: Arc<Trace>,
    speed: f64,
    at: usize,
}

impl Arrivals for Replay {
    fn next(&mut self) -> Option<Planned> {
        let row = self.trace.rows.get(self.at)?;
        let prompt = self.at;
        self.at += 1;
        Some(Planned {
            at: nanos(row.arrival_s / self.speed),
            prompt,
            session: row.session,
            ..Planned::default()
        })
    }
}
