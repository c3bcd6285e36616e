//! The report of a tuning as one HTML file that needs nothing else.

use super::chart::{Size, chart};
use super::report::{Point, Single, TuneReport};
use crate::escape::escape;
use crate::page::page;
use crate::thousands::thousands;
use std::fmt::Write as _;

/// The report as HTML.
pub fn html(report: &TuneReport) -> String {
    let sections = [
        head(report),
        cards(report),
        charts(report),
        traffic(report),
        floors(report),
        singles(report),
        route(report),
        facts(report),
    ];
    page("Sluice: what a floor saves", STYLE, &sections.concat())
}

fn head(report: &TuneReport) -> String {
    format!(
        "<h1>What a quality floor saves</h1>\n<p class=\"soft\">{} graded rows, {} experts, measured against always asking \
         {}.</p>\n",
        thousands(report.rows.used as u64),
        report.experts.len(),
        escape(&report.reference)
    )
}

fn cards(report: &TuneReport) -> String {
    let card = |value: String, what: &str| {
        let class = if value.chars().count() > 9 { " class=\"word\"" } else { "" };
        format!("<div class=\"card\"><b{class}>{}</b><span>{}</span></div>\n", escape(&value), escape(what))
    };
    let best = &report.best_single;
    let best = card(
        best.expert.clone(),
        &format!("best single expert: quality {:.3}, saves {:.1} %", best.quality_ratio, best.saved_pct),
    );
    let Some(point) = &report.recommended else {
        return format!(
            "<div class=\"cards\">{}{best}</div>\n",
            card("none".to_owned(), "recommended floor: nothing is certified, the reference serves all")
        );
    };
    let (saved, ratio) = (point.band.saved_pct, point.band.quality_ratio);
    format!(
        "<div class=\"cards\">{}{}{}{best}</div>\n",
        card(
            format!("{:.2}", point.floor),
            &format!("recommended floor, certified at {} % confidence", percent(report.confidence))
        ),
        card(
            format!("{:.1} %", point.saved_pct),
            &format!("cost saved; {:.1} to {:.1} in 95 % of redraws", saved.0, saved.1)
        ),
        card(
            format!("{:.3}", point.quality_ratio),
            &format!("of the reference's mean score; {:.3} to {:.3} in 95 % of redraws", ratio.0, ratio.1)
        ),
    )
}

fn charts(report: &TuneReport) -> String {
    let hidden = report.singles.iter().filter(|single| single.quality_ratio < 0.8).count();
    let note = match hidden {
        0 => String::new(),
        1 => " 1 expert below 0.8 of the reference is in the table only.".to_owned(),
        n => format!(" {n} experts below 0.8 of the reference are in the table only."),
    };
    format!(
        "<h2>Saved against kept</h2>\n{}{}<ul class=\"keys\">\n\
         <li><svg viewBox=\"0 0 26 14\"><line x1=\"0\" x2=\"26\" y1=\"7\" y2=\"7\" class=\"certified\"/><circle cx=\"13\" cy=\"7\" r=\"3\" class=\"dot\"/></svg>certified floors, with their 95 % band</li>\n\
         <li><svg viewBox=\"0 0 26 14\"><line x1=\"0\" x2=\"26\" y1=\"7\" y2=\"7\" class=\"plain\"/></svg>the same floors without a margin: no promise</li>\n\
         <li><svg viewBox=\"0 0 26 14\"><circle cx=\"13\" cy=\"7\" r=\"5.5\" class=\"best\"/></svg>recommended</li>\n\
         <li><svg viewBox=\"0 0 26 14\"><path class=\"single\" d=\"M13 2L18 7L13 12L8 7Z\"/></svg>one expert for everything</li>\n\
         <li><svg viewBox=\"0 0 26 14\"><path class=\"oracle\" d=\"M13 1L19 13L7 13Z\"/></svg>oracle: the best answer to each prompt, known only afterwards</li>\n\
         </ul>\n<p class=\"soft\">Up and to the right is better.{note}</p>\n",
        chart(report, WIDE, "wide"),
        chart(report, NARROW, "narrow"),
    )
}

fn traffic(report: &TuneReport) -> String {
    let Some(point) = &report.recommended else { return String::new() };
    let mut shares: Vec<(&String, &f64)> = report.traffic.iter().collect();
    shares.sort_by(|a, b| b.1.total_cmp(a.1));
    let mut out = format!("<h2>Who answers at floor {:.2}</h2>\n<div class=\"share\">\n", point.floor);
    for (name, share) in shares {
        let _ = writeln!(
            out,
            "<span>{}</span><i style=\"width:{:.1}%\"></i><em>{:.1} %</em>",
            escape(name),
            100.0 * share,
            100.0 * share
        );
    }
    out + "</div>\n"
}

fn floors(report: &TuneReport) -> String {
    let mut out = String::from(
        "<h2>Every floor</h2>\n<div class=\"wide-table\"><table>\n<tr><th>floor</th><th>saved %</th><th>95 % band</th><th>quality</th>\
         <th>95 % band</th><th>saved % without margin</th><th>test</th></tr>\n",
    );
    for point in report.distinct() {
        let plain = report.uncertified.iter().find(|plain| plain.floor == point.floor);
        let plain = plain.map_or("-".to_owned(), |plain| format!("{:.1}", plain.saved_pct));
        out.push_str(&floor(point, &plain, report.recommended.as_ref()));
    }
    let all = out.matches("<tr").count() > report.points.len();
    let note = if all {
        ""
    } else {
        "<p class=\"soft\">Floors that choose as a higher one does are left out.</p>\n"
    };
    out + "</table></div>\n" + note
}

fn floor(point: &Point, plain: &str, recommended: Option<&Point>) -> String {
    let is_best = recommended.is_some_and(|best| best.floor == point.floor);
    let class = if is_best { " class=\"chosen\"" } else { "" };
    let Some(method) = &point.method else {
        return format!(
            "<tr{class}><td>{:.2}</td><td class=\"say\" colspan=\"4\">the reference serves all: {}</td><td>{plain}</td><td>none</td></tr>\n",
            point.floor,
            escape(point.refusal.as_deref().unwrap_or_default())
        );
    };
    let (saved, ratio) = (point.band.saved_pct, point.band.quality_ratio);
    format!(
        "<tr{class}><td>{:.2}</td><td>{:.1}</td><td>{:.1} to {:.1}</td><td>{:.3}</td><td>{:.3} to {:.3}</td><td>{plain}</td><td>{}</td></tr>\n",
        point.floor,
        point.saved_pct,
        saved.0,
        saved.1,
        point.quality_ratio,
        ratio.0,
        ratio.1,
        escape(method)
    )
}

fn singles(report: &TuneReport) -> String {
    let mut singles: Vec<&Single> = report.singles.iter().collect();
    singles.sort_by(|a, b| b.quality_ratio.total_cmp(&a.quality_ratio));
    let mut out = String::from(
        "<h2>One expert for everything</h2>\n<div class=\"wide-table\"><table>\n<tr><th>expert</th><th>mean score</th><th>quality</th>\
         <th>saved %</th><th>cost, USD</th></tr>\n",
    );
    for single in singles.into_iter().chain([&report.oracle]) {
        let mark = if single.expert == report.reference { " (reference)" } else { "" };
        let _ = writeln!(
            out,
            "<tr><td>{}{mark}</td><td>{:.3}</td><td>{:.3}</td><td>{:.1}</td><td>{:.4}</td></tr>",
            escape(&single.expert),
            single.mean_score,
            single.quality_ratio,
            single.saved_pct,
            single.cost_usd
        );
    }
    out + "</table></div>\n"
}

fn route(report: &TuneReport) -> String {
    format!(
        "<h2>To paste into sluice.toml</h2>\n<pre>{}</pre>\n<p class=\"soft\">The configuration also needs an \
         <code>[[expert]]</code> for each name, and <code>[router] model</code> made from the same rows.</p>\n",
        escape(report.route_toml.trim_end())
    )
}

fn facts(report: &TuneReport) -> String {
    let rows = &report.rows;
    let skipped: Vec<String> =
        report.skipped.iter().map(|(reason, rows)| format!("{rows} {reason}")).collect();
    let skipped =
        if skipped.is_empty() { String::new() } else { format!("; left out: {}", skipped.join(", ")) };
    let method = report.recommended.as_ref().and_then(|point| point.method.as_deref()).unwrap_or("none");
    let lambda = report.recommended.as_ref().and_then(|point| point.threshold);
    let lambda = lambda.map_or(String::new(), |lambda| format!(", lambda {lambda:.3e} score per nano-USD"));
    let facts = [
        ("Rows", format!(
            "{} that grade all {} experts, in {} groups of near-duplicates; {} without a grade of one of them{skipped}",
            thousands(rows.used as u64), report.experts.len(), thousands(rows.groups as u64), thousands(rows.not_graded_by_all_experts as u64)
        )),
        ("Predictions", "out of fold: each row by a model that was trained without it and its near-duplicates".to_owned()),
        ("Certificate", format!(
            "learn-then-test with a fixed sequence, confidence {}; test at the recommended floor: {method}{lambda}",
            report.confidence
        )),
        ("Bands", format!(
            "{} bootstrap draws over the groups, middle 95 %, for the chosen threshold; they say how far another sample of the same traffic may lie",
            report.draws
        )),
        ("Recommended", report.rule.to_owned()),
        ("Without a margin", "the cheapest threshold whose mean on these very rows reaches the floor; on new rows it misses about every second time".to_owned()),
        ("Cost", "recorded tokens at the given prices; an unknown answer length counts as nothing".to_owned()),
        ("Data", format!("SHA-256 {}", report.data)),
    ];
    let mut out = String::from("<h2>How it was computed</h2>\n<dl>\n");
    for (what, text) in facts {
        let _ = writeln!(out, "<dt>{what}</dt><dd>{}</dd>", escape(&text));
    }
    out + "</dl>\n"
}

fn percent(share: f64) -> String {
    let percent = format!("{:.1}", 100.0 * share);
    percent.strip_suffix(".0").unwrap_or(&percent).to_owned()
}

const STYLE: &str = include_str!("style.css");
const WIDE: Size = Size { width: 1032.0, height: 560.0, font: 13.0 };
const NARROW: Size = Size { width: 372.0, height: 400.0, font: 11.0 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            [0, 999, 1_000, 12_345, 1_234_567].map(thousands),
            ["0", "999", "1,000", "12,345", "1,234,567"]
        );
        assert_eq!([0.95, 0.5, 0.999].map(percent), ["95", "50", "99.9"]);
    }
}
