//! A line chart as SVG, whose colours come from the page's style.

use sluice_lab::escape;
use std::fmt::Write as _;

/// A line, or loose points.
pub(crate) struct Line<'a> {
    /// Its name in the legend.
    pub(crate) name: &'a str,
    /// Its look: `first`, `second`, `third`, `bad`.
    pub(crate) class: &'a str,
    /// From left to right; a gap where y is `None`.
    pub(crate) points: Vec<(f64, Option<f64>)>,
    /// Whether each point has a dot that tells its numbers.
    pub(crate) has_dots: bool,
}

/// How numbers along an axis are placed and written.
pub(crate) struct Axis<'a> {
    pub(crate) label: &'a str,
    pub(crate) scale: Scale,
    pub(crate) show: fn(f64) -> String,
}

/// Where a number stands between the ends.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Scale {
    /// From 0, in equal steps.
    Linear,
    /// Decades.
    Log,
    /// Percentiles, each nine as wide as the one before.
    Nines,
}

/// A chart of several lines.
pub(crate) struct Chart<'a> {
    pub(crate) about: &'a str,
    pub(crate) x: Axis<'a>,
    pub(crate) y: Axis<'a>,
    pub(crate) lines: Vec<Line<'a>>,
}

/// How large a chart is drawn, for which screens.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) font: f64,
    pub(crate) class: &'static str,
}

pub(crate) const WIDE: Size = Size { width: 1032.0, height: 300.0, font: 13.0, class: "wide" };
pub(crate) const THIRD: Size = Size { width: 336.0, height: 250.0, font: 11.0, class: "wide" };
pub(crate) const HALF: Size = Size { width: 508.0, height: 300.0, font: 12.0, class: "wide" };
pub(crate) const NARROW: Size = Size { width: 372.0, height: 260.0, font: 11.0, class: "narrow" };

impl Chart<'_> {
    /// As an SVG element; empty when there is nothing to draw.
    pub(crate) fn draw(&self, size: Size) -> String {
        let Some(frame) = Frame::of(self, size) else { return String::new() };
        let mut out = format!(
            "<svg class=\"chart {}\" viewBox=\"0 0 {:.0} {:.0}\" role=\"img\" font-size=\"{}\" aria-label=\"{}\">\n",
            size.class,
            size.width,
            size.height,
            size.font,
            escape(self.about)
        );
        frame.axes(&mut out, self);
        for line in &self.lines {
            frame.line(&mut out, self, line);
        }
        out.push_str("</svg>\n");
        out
    }

    /// What each line is, when there are several.
    pub(crate) fn legend(&self) -> String {
        if self.lines.len() < 2 {
            return String::new();
        }
        let keys = self.lines.iter().map(|line| {
            format!(
                "<li><svg viewBox=\"0 0 26 14\"><line x1=\"0\" x2=\"26\" y1=\"7\" y2=\"7\" class=\"curve {}\"/></svg>{}</li>\n",
                line.class,
                escape(line.name)
            )
        });
        format!("<ul class=\"keys\">\n{}</ul>\n", keys.collect::<String>())
    }
}

/// Where the numbers of a chart stand on the picture.
struct Frame {
    size: Size,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x: Range,
    y: Range,
}

impl Frame {
    fn of(chart: &Chart<'_>, size: Size) -> Option<Frame> {
        let points =
            || chart.lines.iter().flat_map(|line| &line.points).filter_map(|(x, y)| Some((*x, (*y)?)));
        points().next()?;
        let font = size.font;
        let bottom = size.height - 3.4 * font;
        let y = Range::over(points().map(|(_, y)| y), chart.y.scale);
        let widest =
            y.ticks(5.0).into_iter().map(|tick| (chart.y.show)(tick).chars().count()).max().unwrap_or(1);
        Some(Frame {
            size,
            left: 0.58 * font * widest as f64 + 2.2 * font,
            right: size.width - 1.2 * font,
            top: 0.8 * font,
            bottom,
            x: Range::over(points().map(|(x, _)| x), chart.x.scale),
            y,
        })
    }

    fn px(&self, x: f64) -> f64 {
        self.left + self.x.place(x) * (self.right - self.left)
    }

    fn py(&self, y: f64) -> f64 {
        self.bottom - self.y.place(y) * (self.bottom - self.top)
    }

    fn axes(&self, out: &mut String, chart: &Chart<'_>) {
        let Frame { left, right, top, bottom, .. } = *self;
        let font = self.size.font;
        for tick in self.y.ticks((bottom - top) / (3.2 * font)) {
            let y = self.py(tick);
            let _ = writeln!(
                out,
                "<line class=\"grid\" x1=\"{left:.1}\" x2=\"{right:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"tick\" text-anchor=\"end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                left - 0.5 * font,
                y + 0.35 * font,
                escape(&(chart.y.show)(tick))
            );
        }
        for tick in self.x.ticks((right - left) / (5.5 * font)) {
            let x = self.px(tick);
            let _ = writeln!(
                out,
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{bottom:.1}\" y2=\"{:.1}\"/>\
                 <text class=\"tick\" text-anchor=\"middle\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
                bottom + 0.4 * font,
                bottom + 1.5 * font,
                escape(&(chart.x.show)(tick))
            );
        }
        let _ = writeln!(
            out,
            "<text class=\"axis\" text-anchor=\"middle\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\
             <text class=\"axis\" text-anchor=\"middle\" transform=\"translate({:.1} {:.1}) rotate(-90)\">{}</text>",
            f64::midpoint(left, right),
            bottom + 3.0 * font,
            escape(chart.x.label),
            0.95 * font,
            f64::midpoint(top, bottom),
            escape(chart.y.label)
        );
    }

    fn line(&self, out: &mut String, chart: &Chart<'_>, line: &Line<'_>) {
        let mut path = String::new();
        let mut is_down = false;
        for (x, y) in &line.points {
            let Some(y) = y else {
                is_down = false;
                continue;
            };
            let _ = write!(path, "{}{:.1} {:.1}", if is_down { "L" } else { "M" }, self.px(*x), self.py(*y));
            is_down = true;
        }
        let _ = writeln!(out, "<path class=\"curve {}\" d=\"{path}\"/>", line.class);
        if line.has_dots {
            for (x, y) in line.points.iter().filter_map(|(x, y)| Some((*x, (*y)?))) {
                let _ = writeln!(
                    out,
                    "<circle class=\"dot {}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{:.1}\"><title>{}: {} at {}</title></circle>",
                    line.class,
                    self.px(x),
                    self.py(y),
                    0.3 * self.size.font,
                    escape(line.name),
                    escape(&(chart.y.show)(y)),
                    escape(&(chart.x.show)(x))
                );
            }
        }
    }
}

/// The ends of an axis.
struct Range {
    low: f64,
    high: f64,
    scale: Scale,
}

impl Range {
    fn over(values: impl Iterator<Item = f64>, scale: Scale) -> Range {
        let (low, high) =
            values.fold((f64::INFINITY, 0.0), |(low, high), x| (f64::min(low, x), f64::max(high, x)));
        match scale {
            Scale::Linear => Range { low: 0.0, high: if high > 0.0 { 1.04 * high } else { 1.0 }, scale },
            Scale::Log => {
                let low = low.max(high / 1e6).max(1e-9);
                Range { low: low / 1.15, high: high.max(1.2 * low) * 1.15, scale }
            }
            Scale::Nines => Range { low, high: high.max(90.0), scale },
        }
    }

    fn place(&self, value: f64) -> f64 {
        let on = |value: f64| match self.scale {
            Scale::Linear => value,
            Scale::Log => libm::log10(value.max(self.low)),
            Scale::Nines => -libm::log10(1.0 - value.min(99.999) / 100.0),
        };
        (on(value) - on(self.low)) / (on(self.high) - on(self.low))
    }

    /// Round numbers within, at most about `count`.
    fn ticks(&self, count: f64) -> Vec<f64> {
        let candidates: Vec<f64> = match self.scale {
            Scale::Nines => vec![50.0, 90.0, 99.0, 99.9, 99.99],
            Scale::Linear => {
                let step = round_step((self.high - self.low) / count.max(2.0));
                (0..100).map(|at| f64::from(at) * step).collect()
            }
            Scale::Log => {
                let decade = |exponent: i32| libm::pow(10.0, f64::from(exponent));
                let decades = (-9..10).map(decade);
                let per: &[f64] = if libm::log10(self.high / self.low) * 2.0 <= count.max(3.0) {
                    &[1.0, 2.0, 5.0]
                } else {
                    &[1.0]
                };
                decades.flat_map(|power| per.iter().map(move |digit| digit * power)).collect()
            }
        };
        candidates.into_iter().filter(|tick| (self.low..=self.high).contains(tick)).collect()
    }
}

/// The next larger of 1, 2, 5 times a power of ten.
fn round_step(least: f64) -> f64 {
    let power = libm::pow(10.0, libm::floor(libm::log10(least)));
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|digit| digit * power)
        .find(|step| *step >= least * 0.999)
        .unwrap_or(least)
}

/// Decades when the values span more than one and a half of them, else from 0.
pub(crate) fn scale_of<'a>(lines: impl IntoIterator<Item = &'a Line<'a>>) -> Scale {
    let values = lines.into_iter().flat_map(|line| &line.points).filter_map(|(_, y)| *y).filter(|y| *y > 0.0);
    let (low, high) =
        values.fold((f64::INFINITY, 0.0), |(low, high), y| (f64::min(low, y), f64::max(high, y)));
    if high > 30.0 * low { Scale::Log } else { Scale::Linear }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        let linear = Range::over([10.0, 96.0].into_iter(), Scale::Linear);
        assert_eq!(linear.ticks(5.0), [0.0, 20.0, 40.0, 60.0, 80.0]);
        let log = Range::over([3.0, 400.0].into_iter(), Scale::Log);
        assert_eq!(log.ticks(3.0), [10.0, 100.0]);
        assert_eq!(log.ticks(6.0), [5.0, 10.0, 20.0, 50.0, 100.0, 200.0]);
        let nines = Range::over([0.0, 99.9].into_iter(), Scale::Nines);
        assert_eq!(nines.ticks(5.0), [50.0, 90.0, 99.0, 99.9]);
        // 90 and 99 are a nine apart, and so are 99 and 99.9.
        assert!((nines.place(99.0) - 2.0 / 3.0).abs() < 1e-9 && (nines.place(90.0) - 1.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn a_gap_lifts_the_pen_and_nothing_draws_nothing() {
        let chart = |points| Chart {
            about: "a",
            x: Axis { label: "x", scale: Scale::Linear, show: |x| x.to_string() },
            y: Axis { label: "y", scale: Scale::Linear, show: |y| y.to_string() },
            lines: vec![Line { name: "n", class: "first", points, has_dots: true }],
        };
        let svg = chart(vec![(0.0, Some(1.0)), (1.0, None), (2.0, Some(2.0))]).draw(WIDE);
        assert_eq!(svg.matches('M').count(), 2);
        assert_eq!(svg.matches("<circle").count(), 2);
        assert_eq!(chart(vec![(0.0, None)]).draw(WIDE), "");
    }
}
