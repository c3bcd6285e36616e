//! A report as text: the whole in a few lines, then a row for each group.

use sluice_gateway::{By, Group, Report};
use sluice_lab::thousands;
use sluice_router::NanoUsd;

/// The report for people. Amounts are exact.
pub(super) fn render(report: &Report, by: &[By]) -> String {
    let mut lines = whole(&report.total);
    if !by.is_empty() && !report.groups.is_empty() {
        lines.push(String::new());
        lines.extend(aligned(&rows(report, by), by.len()));
    }
    lines.join("\n")
}

fn whole(total: &Group) -> Vec<String> {
    let tokens = total.tokens;
    vec![
        format!(
            "requests   {}, of which below their floor: {}",
            thousands(total.requests),
            thousands(total.below_floor)
        ),
        format!("attempts   {}, ledger entries {}", thousands(total.attempts), thousands(total.entries)),
        format!(
            "tokens     {} in (of which cached {}, written to caches {}), {} out",
            thousands(tokens.prompt),
            thousands(tokens.cached),
            thousands(tokens.cache_write),
            thousands(tokens.output)
        ),
        format!("cost       {} USD, of which {} on attempts that no client saw", total.cost, total.overhead),
        format!("baseline   {} USD, had the reference answered everything", total.baseline),
        format!("saved      {} USD{}", total.saved(), share(total, " (", ")")),
        format!(
            "beside it  {} USD beyond engines' caps, {} USD left unknown by crashes, {} USD of own GPUs idle",
            total.overrun, total.unattributed, total.idle
        ),
    ]
}

fn rows(report: &Report, by: &[By]) -> Vec<Vec<String>> {
    let mut head: Vec<String> = by.iter().map(By::name).collect();
    head.extend(COLUMNS.iter().map(|&column| column.to_owned()));
    let mut rows = vec![head];
    for group in &report.groups {
        let mut row: Vec<String> = group.by.iter().map(|name| shown(name)).collect();
        row.extend([
            thousands(group.requests),
            thousands(group.tokens.prompt),
            thousands(group.tokens.output),
            group.cost.to_string(),
            group.baseline.to_string(),
            share(group, "", ""),
            (group.overhead + group.idle).to_string(),
            group.overrun.to_string(),
            group.unattributed.to_string(),
            group.idle.to_string(),
        ]);
        rows.push(row);
    }
    rows
}

const COLUMNS: &[&str] = &[
    "requests",
    "tokens in",
    "tokens out",
    "cost USD",
    "baseline USD",
    "saved",
    "overhead USD",
    "overrun USD",
    "unattributed USD",
    "idle USD",
];

/// Names to the left, numbers to the right.
fn aligned(rows: &[Vec<String>], names: usize) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let cell = |(column, text): (usize, &String)| {
        let width = widths[column];
        if column < names { format!("{text:<width$}") } else { format!("{text:>width$}") }
    };
    let line = |row: &Vec<String>| row.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ");
    rows.iter().map(|row| line(row).trim_end().to_owned()).collect()
}

/// A name that isn't there, and one that a terminal shouldn't be sent as it is.
fn shown(name: &str) -> String {
    if name.is_empty() { "-".to_owned() } else { name.replace(char::is_control, "?") }
}

/// The share of the baseline that was saved, in percent with one place, cut off; nothing without a baseline.
fn share(group: &Group, before: &str, after: &str) -> String {
    if group.baseline == NanoUsd::ZERO {
        return String::new();
    }
    let per_mille = i128::from(group.saved().0) * 1_000 / i128::from(group.baseline.0);
    let sign = if per_mille < 0 { "-" } else { "" };
    let (whole, tenth) = (per_mille.unsigned_abs() / 10, per_mille.unsigned_abs() % 10);
    format!("{before}{sign}{whole}.{tenth} %{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(by: &[&str], cost: i64, baseline: i64) -> Group {
        let by = by.iter().map(|&name| name.to_owned()).collect();
        Group { by, requests: 1_234, cost: NanoUsd(cost), baseline: NanoUsd(baseline), ..Group::default() }
    }

    #[test]
    fn a_table_lines_up_and_its_amounts_are_exact() {
        let groups = vec![group(&["acme"], 1, 3_000_000_000), group(&["深圳"], 2_000_000_000, 1_000_000_000)];
        let report = Report { total: group(&[], 2_000_000_001, 4_000_000_000), groups };
        let text = render(&report, &[By::Tenant]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[3], "cost       2.000000001 USD, of which 0.00 on attempts that no client saw");
        assert_eq!(lines[5], "saved      1.999999999 USD (49.9 %)");
        assert_eq!(
            lines[6],
            "beside it  0.00 USD beyond engines' caps, 0.00 USD left unknown by crashes, 0.00 USD of own GPUs idle"
        );
        let head = "tenant  requests  tokens in  tokens out     cost USD  baseline USD     saved";
        assert_eq!(lines[8], format!("{head}  overhead USD  overrun USD  unattributed USD  idle USD"));
        let acme = "acme       1,234          0           0  0.000000001          3.00    99.9 %";
        assert_eq!(lines[9], format!("{acme}          0.00         0.00              0.00      0.00"));
        let other = "深圳         1,234          0           0         2.00          1.00  -100.0 %";
        assert_eq!(lines[10], format!("{other}          0.00         0.00              0.00      0.00"));
    }

    #[test]
    fn nothing_at_all_divides_by_nothing() {
        let text = render(&Report::default(), &[By::Tenant]);
        assert!(text.contains("\nsaved      0.00 USD\n"), "{text}");
    }

    #[test]
    fn names_cannot_steer_a_terminal() {
        assert_eq!(shown("a\u{1b}[2Jb"), "a?[2Jb");
        assert_eq!(shown(""), "-");
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }
}
