//! What a load test prints and writes, and what its gates say.

use super::measures::Measures;
use crate::cmd::{EXIT_FAILED, EXIT_GATE, Failure, complain, print};
use anyhow::Context as _;
use sluice_load::measure::Tally;
use sluice_load::report::{Report, html, report_table, text};
use sluice_load::search::{Point, Stop};
use std::process::ExitCode;

/// Prints the report, writes the files, and judges the gates.
pub(super) fn write(
    report: &Report,
    tally: &Tally,
    measures: &Measures,
    is_json: bool,
) -> Result<ExitCode, Failure> {
    if let Some(path) = &measures.save {
        tally.save(path)?;
    }
    if let Some(path) = &measures.report {
        std::fs::write(path, html(report)).with_context(|| path.display().to_string())?;
    }
    let shown = if is_json { serde_json::to_string(report)? } else { report_table(report) };
    print(shown.trim_end())?;
    Ok(judge(report))
}

/// A figure that is above its limit is certain; one that the run doesn't know is an error.
fn judge(report: &Report) -> ExitCode {
    let failed = report.gates.iter().filter(|gate| !gate.held);
    let mut code = 0;
    for gate in failed {
        complain(&format!("gate {}", gate.line));
        code = code.max(if gate.value.is_some() { EXIT_GATE } else { EXIT_FAILED });
    }
    ExitCode::from(code)
}

/// A test of a search or sweep on one line.
pub(super) fn probe_line(point: &Point, stop: Option<&Stop>) -> String {
    let time = point.ttft_ms.p99.or(point.e2e_ms.p99).map_or("-".to_owned(), text::ms);
    let why = stop.map_or(String::new(), |stop| format!(", {stop}"));
    format!("{}/s: {} requests, p99 {time}{why}", text::digits(point.asked_rps), point.sent)
}

/// The options as given, without what isn't of the test itself, and without what may be secret.
pub(super) fn inputs(args: impl Iterator<Item = String>) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    for arg in args {
        match arg.strip_prefix("--") {
            Some(option) => {
                let (name, value) = option.split_once('=').unwrap_or((option, ""));
                out.push((name.to_owned(), value.to_owned()));
            }
            None => {
                if let Some((_, value)) = out.last_mut() {
                    *value = if value.is_empty() { arg } else { format!("{value} {arg}") };
                }
            }
        }
    }
    out.retain(|(name, _)| !NOT_INPUTS.contains(&name.as_str()));
    for (name, value) in &mut out {
        if name == "header" {
            // The value may be a key.
            *value = value.split('=').next().unwrap_or_default().to_owned();
        }
    }
    out
}

/// Shown elsewhere, or about output only.
const NOT_INPUTS: &[&str] = &["target", "seed", "slo", "json", "quiet", "report", "save"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_shown_without_secrets_and_outputs() {
        let given = "--target u --rate 5 --json --header authorization=secret --extra={} --sweep 1,2 --unary";
        let shown = inputs(given.split(' ').map(str::to_owned));
        let expected =
            [("rate", "5"), ("header", "authorization"), ("extra", "{}"), ("sweep", "1,2"), ("unary", "")];
        assert_eq!(shown, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
