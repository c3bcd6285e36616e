//! Scorecards as Markdown tables.

use super::{ALL, Scorecards, Slice};
use std::fmt::Write as _;

/// The scorecards as Markdown: a section for each domain and language, a table for each difficulty.
pub fn markdown(cards: &Scorecards) -> String {
    let mut out = String::from("# Scorecards\n\n");
    let _ = writeln!(out, "{}", legend(cards)); // a String takes everything
    for slice in &cards.slices {
        if slice.difficulty == ALL {
            let _ = writeln!(out, "## {}\n", title(slice));
        }
        let few = if slice.small {
            format!(", fewer than {}: says little", cards.small_below)
        } else {
            String::new()
        };
        let _ = writeln!(out, "**{}**, {} rows{few}\n", slice.difficulty, slice.n);
        let _ = writeln!(out, "{}", table(slice));
    }
    out
}

pub(super) fn legend(cards: &Scorecards) -> String {
    format!(
        "Quality is the mean score with its {:.0} % interval. A rank is a range where the rows can't tell experts \
         apart (paired, {:.0} %). Difficulty: {}; hard below {:.3}, easy from {:.3}.\n",
        100.0 * cards.confidence,
        100.0 * cards.confidence,
        cards.difficulty.axis,
        cards.difficulty.hard_below,
        cards.difficulty.easy_from
    )
}

pub(super) fn title(slice: &Slice) -> String {
    if slice.domain == ALL && slice.language == ALL {
        return "all rows".to_owned();
    }
    format!("{}, {}", escaped(&slice.domain), escaped(&slice.language))
}

fn table(slice: &Slice) -> String {
    let mut out = String::from(
        "| rank | expert | quality | interval | USD per right answer |\n| --- | --- | --- | --- | --- |\n",
    );
    let mark = if slice.small { "*" } else { "" };
    for entry in &slice.experts {
        let cost = entry.cost_per_right_usd.map_or("-".to_owned(), |usd| format!("{usd:.7}"));
        let _ = writeln!(
            out,
            "| {}{mark} | {} | {:.3}{mark} | {:.3} to {:.3} | {cost} |",
            entry.ranks(),
            escaped(&entry.expert),
            entry.quality,
            entry.low,
            entry.high
        );
    }
    out
}

/// Names come from data: nothing in them may end a cell, start a tag or a link.
fn escaped(name: &str) -> String {
    let escape = |c: char| match c {
        '\n' | '\r' => " ".to_owned(),
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '#' => format!("\\{c}"),
        other => other.to_string(),
    };
    name.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_not_break_out_of_a_cell() {
        assert_eq!(escaped("<b>|x\n[y](z)"), "&lt;b&gt;\\|x \\[y\\](z)");
        assert_eq!(escaped("gpt-4.1 法律"), "gpt-4.1 法律");
    }
}
