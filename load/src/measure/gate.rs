//! A gate: `cost_per_1k>0.5` fails a run whose cost per thousand requests is above half a dollar.

use crate::measure::figure::{Figure, Unit};
use crate::measure::summary::Summary;
use crate::measure::tally::Tally;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// A condition on which a run fails.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    text: String,
    figure: Figure,
    op: Op,
    limit: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Above,
    AtLeast,
    Below,
    AtMost,
}

/// The longer ones first, since `>=` begins with `>`.
const OPS: &[(&str, Op)] = &[(">=", Op::AtLeast), ("<=", Op::AtMost), (">", Op::Above), ("<", Op::Below)];

/// What became of a gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateReport {
    /// As it was written.
    pub expr: String,
    /// Whether the run is let through; an unknown figure is not.
    pub held: bool,
    /// The figure's value; `None` when the run doesn't know it.
    pub value: Option<f64>,
    /// The line for people.
    pub line: String,
}

impl Gate {
    /// Looks at the run.
    pub fn judge(&self, tally: &Tally, summary: &Summary) -> GateReport {
        let value = self.figure.value(tally, summary);
        let fails = value.map(|value| match self.op {
            Op::Above => value > self.limit,
            Op::AtLeast => value >= self.limit,
            Op::Below => value < self.limit,
            Op::AtMost => value <= self.limit,
        });
        let unit: Unit = self.figure.unit();
        let line = match (value, fails) {
            (Some(value), Some(true)) => format!("{}: {} is {}", self.text, self.figure, unit.show(value)),
            (Some(value), _) => format!("{}: held, {} is {}", self.text, self.figure, unit.show(value)),
            (None, _) => format!("{}: this run doesn't know {}", self.text, self.figure),
        };
        GateReport { expr: self.text.clone(), held: fails == Some(false), value, line }
    }
}

impl FromStr for Gate {
    type Err = String;

    fn from_str(text: &str) -> Result<Gate, String> {
        let found = text.find(['<', '>']);
        let at = found.ok_or_else(|| format!("{text:?} has no >, >=, < or <=, as in cost_per_1k>0.5"))?;
        let (name, rest) = (text[..at].trim(), &text[at..]);
        let figure = Figure::named(name).ok_or_else(|| {
            let begin = text[..at].find(name).unwrap_or_default() + 1;
            format!("at character {begin}: no figure is called {name:?}; known: {}", Figure::known())
        })?;
        let (sign, op) = OPS
            .iter()
            .find(|(sign, _)| rest.starts_with(sign))
            .expect("the text was cut where a sign begins, and each is in the table");
        let limit = &rest[sign.len()..];
        let place = text[..at + sign.len()].chars().count() + 1;
        // Alone among units, a bare number of milliseconds is no mistake in a gate.
        let bare = figure.unit() == Unit::Ms && limit.trim().parse::<f64>().is_ok();
        let unit = if bare { Unit::Plain } else { figure.unit() };
        let limit = unit.read(limit.trim()).map_err(|error| format!("at character {place}: {error}"))?;
        if !limit.is_finite() {
            return Err(format!("at character {place}: the limit is not finite"));
        }
        Ok(Gate { text: text.to_owned(), figure, op: *op, limit })
    }
}
