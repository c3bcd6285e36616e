//! The chart of a tuning: what is saved to the right, what is kept upwards.

use super::labels::{Area, Labels, text_width};
use super::report::{Point, Single, TuneReport};
use crate::escape::escape;
use std::fmt::Write as _;

/// How large a chart is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) font: f64,
}

/// The chart as an SVG element; its colours come from the page's style.
pub(super) fn chart(report: &TuneReport, size: Size, class: &str) -> String {
    let chart = Chart::new(report, size);
    let mut out = format!(
        "<svg class=\"chart {class}\" viewBox=\"0 0 {:.0} {:.0}\" role=\"img\" font-size=\"{}\" aria-label=\"Cost saved \
         against quality kept, floor by floor\">\n",
        size.width, size.height, size.font
    );
    chart.axes(&mut out);
    chart.curves(&mut out);
    chart.marks(&mut out);
    out.push_str("</svg>\n");
    out
}

struct Chart<'a> {
    report: &'a TuneReport,
    size: Size,
    frame: Area,
    /// Least and largest saving in percent, ratio in percent.
    x: (f64, f64),
    y: (f64, f64),
}

impl<'a> Chart<'a> {
    fn new(report: &'a TuneReport, size: Size) -> Chart<'a> {
        let frame = Area {
            left: 4.6 * size.font,
            top: 1.6 * size.font,
            right: size.width - 1.2 * size.font,
            bottom: size.height - 4.2 * size.font,
        };
        Chart { report, size, frame, x: x_range(report), y: y_range(report) }
    }

    fn px(&self, saved_pct: f64) -> f64 {
        self.frame.left
            + (saved_pct - self.x.0) / (self.x.1 - self.x.0) * (self.frame.right - self.frame.left)
    }

    fn py(&self, ratio: f64) -> f64 {
        self.frame.bottom
            - (100.0 * ratio - self.y.0) / (self.y.1 - self.y.0) * (self.frame.bottom - self.frame.top)
    }

    fn axes(&self, out: &mut String) {
        let Area { left, top, right, bottom } = self.frame;
        let font = self.size.font;
        for tick in ticks(self.x, (right - left) / (5.0 * font)) {
            let x = self.px(tick);
            let _ = writeln!(
                out,
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top:.1}\" y2=\"{bottom:.1}\"/>\
                 <text class=\"tick\" text-anchor=\"middle\" x=\"{x:.1}\" y=\"{:.1}\">{tick:.0}</text>",
                bottom + 1.4 * font
            );
        }
        for tick in ticks(self.y, (bottom - top) / (3.0 * font)) {
            let y = self.py(tick / 100.0);
            let class = if tick == 100.0 { "grid bar" } else { "grid" };
            let _ = writeln!(
                out,
                "<line class=\"{class}\" x1=\"{left:.1}\" x2=\"{right:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"tick\" text-anchor=\"end\" x=\"{:.1}\" y=\"{:.1}\">{:.2}</text>",
                left - 0.5 * font,
                y + 0.35 * font,
                tick / 100.0
            );
        }
        let (middle, centre) = (f64::midpoint(left, right), f64::midpoint(top, bottom));
        let _ = writeln!(
            out,
            "<text class=\"axis\" text-anchor=\"middle\" x=\"{middle:.1}\" y=\"{:.1}\">cost saved against the reference alone, %</text>\
             <text class=\"axis\" text-anchor=\"middle\" transform=\"translate({:.1} {centre:.1}) rotate(-90)\">mean score / reference's</text>",
            bottom + 3.2 * font,
            1.1 * font
        );
    }

    fn curves(&self, out: &mut String) {
        let mut certified: Vec<&Point> = self.report.points.iter().filter(|point| point.certified).collect();
        certified.sort_by(|a, b| a.saved_pct.total_cmp(&b.saved_pct));
        let upper = certified.iter().map(|point| (point.saved_pct, point.band.quality_ratio.1));
        let lower = certified.iter().rev().map(|point| (point.saved_pct, point.band.quality_ratio.0));
        let _ = writeln!(out, "<polygon class=\"band\" points=\"{}\"/>", self.path(upper.chain(lower)));
        let mut plain: Vec<(f64, f64)> =
            self.report.uncertified.iter().map(|point| (point.saved_pct, point.quality_ratio)).collect();
        plain.sort_by(|a, b| a.0.total_cmp(&b.0));
        let _ = writeln!(out, "<polyline class=\"plain\" points=\"{}\"/>", self.path(plain.into_iter()));
        let curve = certified.iter().map(|point| (point.saved_pct, point.quality_ratio));
        let _ = writeln!(out, "<polyline class=\"certified\" points=\"{}\"/>", self.path(curve));
        for point in &certified {
            let _ = writeln!(
                out,
                "<circle class=\"dot\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{:.1}\"><title>{}</title></circle>",
                self.px(point.saved_pct),
                self.py(point.quality_ratio),
                0.24 * self.size.font,
                tip(point)
            );
        }
    }

    fn path(&self, points: impl Iterator<Item = (f64, f64)>) -> String {
        let top = self.y.1 / 100.0;
        let shown = points.map(|(x, y)| (x.max(self.x.0), y.clamp(self.y.0 / 100.0, top)));
        shown.map(|(x, y)| format!("{:.1},{:.1}", self.px(x), self.py(y))).collect::<Vec<_>>().join(" ")
    }

    /// The recommended point, the oracle and the single experts, each with its name where there is room.
    fn marks(&self, out: &mut String) {
        let mut labels = Labels::new(self.frame, self.size.font);
        let singles: Vec<&Single> = self.report.singles.iter().filter(|single| self.shows(single)).collect();
        for single in &singles {
            labels.keep_free(Area::around(
                self.px(single.saved_pct),
                self.py(single.quality_ratio),
                0.5 * self.size.font,
            ));
        }
        self.guard_curves(&mut labels);
        if let Some(best) = &self.report.recommended {
            let (x, y) = (self.px(best.saved_pct), self.py(best.quality_ratio));
            let _ = writeln!(
                out,
                "<circle class=\"best\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{:.1}\"/>",
                0.62 * self.size.font
            );
            self.label(out, &mut labels, (x, y), &format!("floor {:.2}", best.floor), "best-name");
        }
        self.oracle(out, &mut labels);
        self.floors(out, &mut labels);
        // The best ones get their names first, should there not be room for all.
        let mut singles = singles;
        singles.sort_by(|a, b| b.quality_ratio.total_cmp(&a.quality_ratio));
        for single in singles {
            let (x, y) = (self.px(single.saved_pct), self.py(single.quality_ratio));
            let is_reference = single.expert == self.report.reference;
            let class = if is_reference { "single reference" } else { "single" };
            let _ = writeln!(
                out,
                "<path class=\"{class}\" d=\"{}\"><title>{}</title></path>",
                diamond(x, y, 0.42 * self.size.font),
                escape(&about(single))
            );
            let name =
                if is_reference { format!("{} (reference)", single.expert) } else { single.expert.clone() };
            self.label(out, &mut labels, (x, y), &name, "name");
        }
    }

    /// Names of a few floors, so that the curve can be read without a pointer.
    fn floors(&self, out: &mut String, labels: &mut Labels) {
        let recommended = self.report.recommended.as_ref().map(|best| best.threshold);
        let is_round = |point: &&&Point| (point.floor * 100.0).round() % 5.0 == 0.0;
        let distinct = self.report.distinct();
        let named = distinct
            .iter()
            .filter(is_round)
            .filter(|point| point.certified && Some(point.threshold) != recommended);
        for point in named {
            let (x, y) = (self.px(point.saved_pct), self.py(point.quality_ratio));
            self.label(out, labels, (x, y), &format!("{:.2}", point.floor), "floor-name");
        }
    }

    fn shows(&self, single: &Single) -> bool {
        (self.y.0..=self.y.1).contains(&(100.0 * single.quality_ratio))
            && (self.x.0..=self.x.1).contains(&single.saved_pct)
    }

    /// Names keep off the curves.
    fn guard_curves(&self, labels: &mut Labels) {
        let mut curve: Vec<(f64, f64)> = self
            .report
            .points
            .iter()
            .filter(|point| point.certified)
            .map(|point| (self.px(point.saved_pct), self.py(point.quality_ratio)))
            .collect();
        curve.sort_by(|a, b| a.0.total_cmp(&b.0));
        for pair in curve.windows(2) {
            for step in 0..=STEPS {
                let part = f64::from(step) / f64::from(STEPS);
                let (x, y) =
                    (pair[0].0 + part * (pair[1].0 - pair[0].0), pair[0].1 + part * (pair[1].1 - pair[0].1));
                labels.keep_free(Area::around(x, y, 0.2 * self.size.font));
            }
        }
    }

    /// The oracle, at the upper edge with an arrow if it lies above.
    fn oracle(&self, out: &mut String, labels: &mut Labels) {
        let oracle = &self.report.oracle;
        let is_above = 100.0 * oracle.quality_ratio > self.y.1;
        let x = self.px(oracle.saved_pct.clamp(self.x.0, self.x.1));
        let y = if is_above { self.frame.top + 0.8 * self.size.font } else { self.py(oracle.quality_ratio) };
        let reach = 0.55 * self.size.font;
        let shape = if is_above {
            format!(
                "M{x:.1} {:.1}L{:.1} {:.1}L{:.1} {:.1}Z",
                y - reach,
                x + reach,
                y + reach,
                x - reach,
                y + reach
            )
        } else {
            diamond(x, y, reach)
        };
        let _ = writeln!(
            out,
            "<path class=\"oracle\" d=\"{shape}\"><title>{}</title></path>",
            escape(&about(oracle))
        );
        labels.keep_free(Area::around(x, y, reach));
        let name =
            if is_above { format!("oracle {:.2} ↑", oracle.quality_ratio) } else { "oracle".to_owned() };
        self.label(out, labels, (x, y), &name, "name");
    }

    fn label(&self, out: &mut String, labels: &mut Labels, (x, y): (f64, f64), text: &str, class: &str) {
        let text = shortened(text, self.size.font, 0.42 * (self.frame.right - self.frame.left));
        let Some(placed) = labels.place(x, y, &text) else { return };
        if let Some((x1, y1, x2, y2)) = placed.leader {
            let _ = writeln!(
                out,
                "<line class=\"leader\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
            );
        }
        let _ = writeln!(
            out,
            "<text class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            placed.x,
            placed.baseline,
            escape(&text)
        );
    }
}

fn tip(point: &Point) -> String {
    let band = point.band.quality_ratio;
    format!(
        "floor {:.2}: saves {:.1} %, quality {:.3} ({:.3} to {:.3})",
        point.floor, point.saved_pct, point.quality_ratio, band.0, band.1
    )
}

fn about(single: &Single) -> String {
    format!("{}: saves {:.1} %, quality {:.3}", single.expert, single.saved_pct, single.quality_ratio)
}

fn diamond(x: f64, y: f64, reach: f64) -> String {
    format!(
        "M{x:.1} {:.1}L{:.1} {y:.1}L{x:.1} {:.1}L{:.1} {y:.1}Z",
        y - reach,
        x + reach,
        y + reach,
        x - reach
    )
}

fn shortened(text: &str, font: f64, most: f64) -> String {
    let mut short: String = text.to_owned();
    while text_width(&short, font) > most && short.chars().count() > 4 {
        short = short.chars().take(short.chars().count() - 2).chain(['…']).collect();
    }
    short
}

/// From what the reference costs, or a little more for dearer experts, to everything saved.
fn x_range(report: &TuneReport) -> (f64, f64) {
    let saved =
        report.singles.iter().filter(|single| single.quality_ratio >= 0.8).map(|single| single.saved_pct);
    let least = saved.filter(|saved| *saved >= DEAREST_SHOWN).fold(0.0, f64::min);
    (10.0 * (least / 10.0 - 0.3).floor(), 100.0)
}

/// All of the curve and its band; singles that come near it.
fn y_range(report: &TuneReport) -> (f64, f64) {
    let points = report.points.iter().filter(|point| point.certified);
    let bands = points.flat_map(|point| [point.band.quality_ratio.0, point.band.quality_ratio.1]);
    let plain = report.uncertified.iter().map(|point| point.quality_ratio);
    let singles = report.singles.iter().map(|single| single.quality_ratio).filter(|ratio| *ratio >= 0.8);
    let (low, high) = bands
        .chain(plain)
        .chain(singles)
        .fold((0.95f64, 1.02f64), |(low, high), ratio| (low.min(ratio), high.max(ratio)));
    (100.0 * low - 1.5, 100.0 * high + 2.5)
}

/// Round numbers within a range, at most about `count` of them.
fn ticks((low, high): (f64, f64), count: f64) -> Vec<f64> {
    let fits = |step: &&f64| (high - low) / **step <= count.max(2.0);
    let step = STEPS_OF_TICKS.iter().find(fits).copied().unwrap_or(100.0);
    let first = (low / step).ceil() as i64;
    (first..).map(|at| at as f64 * step).take_while(|tick| *tick <= high).collect()
}

const STEPS_OF_TICKS: [f64; 7] = [1.0, 2.0, 5.0, 10.0, 20.0, 25.0, 50.0];
/// Dearer experts than this are in the table only.
const DEAREST_SHOWN: f64 = -60.0;
/// Squares that keep names off a piece of the curve.
const STEPS: u32 = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        assert_eq!(
            ticks((-10.0, 100.0), 12.0),
            [-10.0, 0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0]
        );
        assert_eq!(ticks((78.5, 104.0), 6.0), [80.0, 85.0, 90.0, 95.0, 100.0]);
    }

    #[test]
    fn long_names_are_shortened() {
        assert_eq!(shortened("short", 12.0, 100.0), "short");
        let long = shortened(&"x".repeat(80), 12.0, 100.0);
        assert!(long.ends_with('…') && text_width(&long, 12.0) <= 100.0);
    }
}
