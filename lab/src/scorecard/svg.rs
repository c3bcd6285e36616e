//! Scorecards as an SVG heat map: experts down, slices across.

use super::colour::shade;
use super::{ALL, Entry, Scorecards, Slice};
use crate::escape::escape;
use std::fmt::Write as _;

/// The scorecards as one SVG file, for light and dark screens. Its cells say more under the pointer.
pub fn svg(cards: &Scorecards) -> String {
    let Some(first) = cards.slices.first() else { return String::new() };
    let experts: Vec<&str> = first.experts.iter().map(|entry| entry.expert.as_str()).collect();
    let map = Map {
        cards,
        names: experts.iter().map(|name| width_of(name)).fold(0.0, f64::max) + 16.0,
        scale: scale(cards),
    };
    map.draw(&experts)
}

struct Map<'a> {
    cards: &'a Scorecards,
    /// Width of the column of names.
    names: f64,
    /// Qualities with the lightest and the darkest colour.
    scale: (f64, f64),
}

impl Map<'_> {
    fn draw(&self, experts: &[&str]) -> String {
        let columns = self.columns();
        let right = columns.last().map_or(0.0, |(x, _)| x + CELL_WIDTH);
        let width = (right + MARGIN).max(LEAST_WIDTH);
        let height = TOP + CELL_HEIGHT * experts.len() as f64 + BOTTOM;
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
             height=\"{height:.0}\" role=\"img\" aria-label=\"Quality of each expert by domain, language and difficulty\">\n\
             <style>{STYLE}</style>\n{HATCH}\n<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n\
             <text class=\"title\" x=\"{MARGIN}\" y=\"30\">Quality by expert and slice, mean score in %</text>\n"
        );
        self.heads(&mut out, &columns);
        for (row, expert) in experts.iter().enumerate() {
            let y = TOP + CELL_HEIGHT * row as f64;
            let _ = writeln!(
                out,
                "<text class=\"name\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                MARGIN + self.names - 10.0,
                y + BASELINE,
                escape(expert)
            );
            for (x, slice) in &columns {
                if let Some(entry) = slice.experts.iter().find(|entry| entry.expert == *expert) {
                    self.cell(&mut out, *x, y, slice, entry);
                }
            }
        }
        self.legend(&mut out, height - BOTTOM + 24.0);
        out.push_str("</svg>\n");
        out
    }

    /// Where each slice stands; groups of the same domain and language have a gap between them.
    fn columns(&self) -> Vec<(f64, &Slice)> {
        let mut x = MARGIN + self.names;
        let mut columns: Vec<(f64, &Slice)> = vec![];
        for (at, slice) in self.cards.slices.iter().enumerate() {
            if at > 0 {
                x += CELL_WIDTH + if slice.difficulty == ALL { GAP } else { 0.0 };
            }
            columns.push((x, slice));
        }
        columns
    }

    fn heads(&self, out: &mut String, columns: &[(f64, &Slice)]) {
        for (x, slice) in columns {
            if slice.difficulty == ALL {
                let is_all = slice.domain == ALL && slice.language == ALL;
                let language = if is_all { String::new() } else { format!(" {}", slice.language) };
                let title = if is_all { "all rows".to_owned() } else { slice.domain.clone() };
                let _ = writeln!(
                    out,
                    "<text class=\"group\" x=\"{x:.1}\" y=\"{:.1}\">{}<tspan class=\"soft\">{}</tspan></text>",
                    TOP - 40.0,
                    escape(&title),
                    escape(&language)
                );
            }
            let middle = x + CELL_WIDTH / 2.0;
            let _ = writeln!(
                out,
                "<text class=\"head\" x=\"{middle:.1}\" y=\"{:.1}\">{}</text>\
                 <text class=\"count\" x=\"{middle:.1}\" y=\"{:.1}\">{}</text>",
                TOP - 21.0,
                slice.difficulty,
                TOP - 8.0,
                slice.n
            );
        }
    }

    fn cell(&self, out: &mut String, x: f64, y: f64, slice: &Slice, entry: &Entry) {
        let shade = shade((entry.quality - self.scale.0) / (self.scale.1 - self.scale.0));
        let (fill, text) = if slice.small {
            ("url(#few)".to_owned(), String::new())
        } else {
            (shade.fill, format!(" style=\"fill:{}\"", shade.text))
        };
        let is_top = entry.best_rank == 1;
        let class = match (slice.small, is_top) {
            (true, _) => "few",
            (false, true) => "value top",
            (false, false) => "value",
        };
        let _ = writeln!(
            out,
            "<g><title>{}</title><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"3\" fill=\"{fill}\"/>\
             <text class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\"{text}>{:.0}{}</text></g>",
            escape(&self.tip(slice, entry)),
            CELL_WIDTH - 2.0,
            CELL_HEIGHT - 2.0,
            x + CELL_WIDTH / 2.0 - 1.0,
            y + BASELINE,
            100.0 * entry.quality,
            if is_top && !slice.small { "•" } else { "" }
        );
    }

    fn tip(&self, slice: &Slice, entry: &Entry) -> String {
        let cost = entry
            .cost_per_right_usd
            .map_or("no right answer".to_owned(), |usd| format!("{usd:.7} USD per right answer"));
        let few = if slice.small { ", too few rows to say much" } else { "" };
        format!(
            "{} on {}, {}, {}: {:.1} % ({:.1} to {:.1}), rank {}, {cost}; {} rows{few}",
            entry.expert,
            slice.domain,
            slice.language,
            slice.difficulty,
            100.0 * entry.quality,
            100.0 * entry.low,
            100.0 * entry.high,
            entry.ranks(),
            slice.n
        )
    }

    fn legend(&self, out: &mut String, y: f64) {
        let mut x = MARGIN;
        let _ = writeln!(
            out,
            "<text class=\"note\" x=\"{x}\" y=\"{:.1}\">{:.0} %</text>",
            y + 11.0,
            100.0 * self.scale.0
        );
        x += 34.0;
        for step in 0..STEPS {
            let fill = shade(f64::from(step) / f64::from(STEPS - 1)).fill;
            let _ =
                writeln!(out, "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"14\" height=\"14\" fill=\"{fill}\"/>");
            x += 14.0;
        }
        let _ = writeln!(
            out,
            "<text class=\"note\" x=\"{:.1}\" y=\"{:.1}\">{:.0} %</text>\
             <rect x=\"{:.1}\" y=\"{y:.1}\" width=\"14\" height=\"14\" rx=\"3\" fill=\"url(#few)\"/>\
             <text class=\"note\" x=\"{:.1}\" y=\"{:.1}\">fewer than {} rows</text>\
             <text class=\"note\" x=\"{:.1}\" y=\"{:.1}\">• can't be told from the best ({:.0} %, paired)</text>",
            x + 6.0,
            y + 11.0,
            100.0 * self.scale.1,
            x + 52.0,
            x + 72.0,
            y + 11.0,
            self.cards.small_below,
            x + 190.0,
            y + 11.0,
            100.0 * self.cards.confidence
        );
        let difficulty = &self.cards.difficulty;
        let _ = writeln!(
            out,
            "<text class=\"note\" x=\"{MARGIN}\" y=\"{:.1}\">Difficulty: {}; hard below {:.2}, easy from {:.2}. Small figures: rows.</text>",
            y + 34.0,
            difficulty.axis,
            difficulty.hard_below,
            difficulty.easy_from
        );
    }
}

/// The least and the largest quality of slices that say something, to whole tenths.
fn scale(cards: &Scorecards) -> (f64, f64) {
    let entries = cards.slices.iter().filter(|slice| !slice.small).flat_map(|slice| &slice.experts);
    let (low, high) = entries
        .fold((1.0f64, 0.0f64), |(low, high), entry| (low.min(entry.quality), high.max(entry.quality)));
    let (low, high) = ((low * 10.0).floor() / 10.0, (high * 10.0).ceil() / 10.0);
    if high > low { (low, high) } else { (0.0, 1.0) }
}

/// About how wide a text is at 12 px.
fn width_of(text: &str) -> f64 {
    text.chars().map(|c| if c.is_ascii() { 6.6 } else { 12.0 }).sum()
}

const MARGIN: f64 = 20.0;
const TOP: f64 = 104.0;
const BOTTOM: f64 = 76.0;
const CELL_WIDTH: f64 = 46.0;
const CELL_HEIGHT: f64 = 24.0;
const BASELINE: f64 = 15.5;
const GAP: f64 = 14.0;
const LEAST_WIDTH: f64 = 660.0;
const STEPS: u32 = 10;
const HATCH: &str = "<defs><pattern id=\"few\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" \
     patternTransform=\"rotate(45)\"><rect class=\"few-back\" width=\"6\" height=\"6\"/><rect class=\"few-line\" \
     width=\"1.5\" height=\"6\"/></pattern></defs>";
const STYLE: &str = "text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','Noto Sans CJK SC',sans-serif;font-size:12px;fill:#14202b}\
.page{fill:#ffffff}.title{font-size:16px;font-weight:600}.name{text-anchor:end}.group{font-weight:600}.soft{fill:#5b6b7a;font-weight:400}\
.head{text-anchor:middle;font-size:10.5px;fill:#5b6b7a}.count{text-anchor:middle;font-size:9.5px;fill:#7b8a98}\
.value{text-anchor:middle}.top{font-weight:700}.few{text-anchor:middle;fill:#7b8a98}.note{font-size:11px;fill:#5b6b7a}\
.few-back{fill:#eef1f4}.few-line{fill:#d5dbe1}\
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.page{fill:#10161d}.soft,.head,.note{fill:#9fb0c0}.count,.few{fill:#8494a3}\
.few-back{fill:#1b242d}.few-line{fill:#33404d}}";
