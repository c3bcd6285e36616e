//! The live view: how a run goes, drawn over and over in a terminal of any size.

use crate::measure::{Hist, Tally, Time};
use crate::report::text::{count, digits, ms};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{LineGauge, Paragraph, Sparkline};

/// What is shown.
pub struct Live<'a> {
    /// What is done, for instance the target.
    pub title: &'a str,
    /// What has been counted.
    pub tally: &'a Tally,
    /// Requests sent so far.
    pub sent: u64,
    /// Requests under way.
    pub open: u64,
    /// Seconds since the start.
    pub elapsed_s: f64,
    /// How far the run is, 0 to 1, where its end is known.
    pub done: Option<f64>,
    /// Whether colours are wanted.
    pub has_colour: bool,
}

/// Draws it.
pub fn draw(frame: &mut Frame<'_>, live: &Live<'_>) {
    let area = frame.area();
    let sparks = if area.height >= 16 { (area.height - 12) / 2 } else { 0 };
    let rows = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(if area.height >= 12 { 1 } else { 0 }),
        Constraint::Length(2),
        Constraint::Length(4),
        Constraint::Length(1),
        Constraint::Length(sparks),
        Constraint::Length(sparks),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .split(area);
    frame.render_widget(title(live), rows[0]);
    progress(frame, live, rows[1]);
    frame.render_widget(Paragraph::new(counts(live, area.width)), rows[3]);
    frame.render_widget(Paragraph::new(times(live)), rows[4]);
    frame.render_widget(Paragraph::new(money(live)), rows[5]);
    if sparks > 0 {
        sparklines(frame, live, rows[6], rows[7]);
    }
    let note =
        if area.width < 50 { "q ends the run" } else { "q or Ctrl-C ends the run and reports what it has" };
    let note = Span::styled(note, dim());
    frame.render_widget(Paragraph::new(Line::from(note)), rows[9]);
}

fn title<'a>(live: &'a Live<'_>) -> Paragraph<'a> {
    Paragraph::new(Line::from(vec![
        Span::styled("sluice load ", Style::new().add_modifier(Modifier::BOLD)),
        Span::raw(live.title),
    ]))
}

fn progress(frame: &mut Frame<'_>, live: &Live<'_>, area: Rect) {
    let elapsed = format!("{:.0} s", live.elapsed_s);
    match live.done {
        Some(done) => {
            let gauge = LineGauge::default()
                .ratio(done.clamp(0.0, 1.0))
                .label(format!("{:3.0} %  {elapsed}", 100.0 * done.clamp(0.0, 1.0)))
                // Told apart without colour, too.
                .filled_symbol("━")
                .unfilled_symbol("─")
                .filled_style(coloured(live, Color::Cyan))
                .unfilled_style(dim());
            frame.render_widget(gauge, area);
        }
        None => frame.render_widget(Paragraph::new(elapsed), area),
    }
}

/// Two lines, shorter where the window is narrow.
fn counts(live: &Live<'_>, width: u16) -> Vec<Line<'static>> {
    let all = live.tally.all();
    let failed = all.failed();
    let recent = rate_now(live.tally, live.elapsed_s).map_or("-".to_owned(), digits);
    let failed_style =
        if failed > 0 { coloured(live, Color::Red).add_modifier(Modifier::BOLD) } else { Style::new() };
    let errors = Span::styled(format!("{} errors", count(failed)), failed_style);
    if width < 60 {
        return vec![
            Line::from(format!("{} sent  {} ok  {recent}/s", count(live.sent), count(all.ok))),
            Line::from(vec![errors, Span::raw(format!("  {} open", count(live.open)))]),
        ];
    }
    vec![
        Line::from(format!(
            "{} sent   {} ok   {} cancelled   {} under way",
            count(live.sent),
            count(all.ok),
            count(all.cancelled),
            count(live.open)
        )),
        Line::from(vec![Span::raw(format!("{recent} completed/s now   ")), errors]),
    ]
}

/// Completed requests per second over about the last two seconds.
fn rate_now(tally: &Tally, elapsed_s: f64) -> Option<f64> {
    let series = tally.series();
    let width = series.width_s();
    // The stretch that is running isn't full yet.
    let whole = (elapsed_s / width) as usize;
    let wanted = (2.0 / width).ceil().max(1.0) as usize;
    let from = whole.saturating_sub(wanted);
    let ok: u64 = series.stretches().iter().take(whole).skip(from).map(|stretch| stretch.ok).sum();
    (whole > from).then(|| ok as f64 / ((whole - from) as f64 * width))
}

fn times(live: &Live<'_>) -> Vec<Line<'static>> {
    let head = format!("{:<12}{:>9}{:>9}{:>9}", "", "p50", "p90", "p99");
    let row = |name: &str, hist: &Hist| {
        let at = |q: f64| hist.quantile_ms(q).map_or("-".to_owned(), ms);
        Line::from(format!("{name:<12}{:>9}{:>9}{:>9}", at(0.5), at(0.9), at(0.99)))
    };
    vec![
        Line::from(Span::styled(head, dim())),
        row("first token", live.tally.times(Time::Ttft)),
        row("per token", live.tally.times(Time::Tpot)),
        row("end to end", live.tally.times(Time::E2e)),
    ]
}

fn money(live: &Live<'_>) -> Line<'static> {
    let all = live.tally.all();
    let mut parts = Vec::new();
    if all.cost_nanousd.n > 0 {
        parts.push(format!("${} spent", digits(all.cost_nanousd.sum as f64 / 1e9)));
    }
    if let Some(ratio) = all.cost_and_baseline.ratio() {
        parts.push(format!("{:.1} % saved", 100.0 * (1.0 - ratio)));
    }
    if let Some(quality) = all.quality.mean() {
        parts.push(format!("quality {:.3}", quality / 1e6));
    }
    Line::from(parts.join("   "))
}

fn sparklines(frame: &mut Frame<'_>, live: &Live<'_>, rates: Rect, latency: Rect) {
    let stretches = live.tally.series().stretches();
    let width = live.tally.series().width_s();
    let fit = |values: Vec<u64>, area: Rect| -> Vec<u64> {
        let group = values.len().div_ceil(usize::from(area.width).max(1)).max(1);
        values.chunks(group).map(|group| group.iter().sum::<u64>() / group.len() as u64).collect()
    };
    let ok = fit(stretches.iter().map(|stretch| 1000 * stretch.ok).collect(), rates);
    let most = ok.iter().max().copied().unwrap_or(0) as f64 / 1000.0 / width;
    spark(frame, live, rates, &ok, &format!("completed/s, to {}", digits(most)), Color::Cyan);
    // Unary answers show no first token; their end stands for it.
    let has_ttft = live.tally.times(Time::Ttft).count() > 0;
    let name = if has_ttft { "first token" } else { "end to end" };
    let p50 = stretches.iter().map(|stretch| {
        let hist = if has_ttft { &stretch.ttft } else { &stretch.e2e };
        (1000.0 * hist.quantile_ms(0.5).unwrap_or_default()) as u64
    });
    let p50 = fit(p50.collect(), latency);
    let most = p50.iter().max().copied().unwrap_or(0) as f64 / 1000.0;
    spark(frame, live, latency, &p50, &format!("{name} p50, to {}", ms(most)), Color::Yellow);
}

fn spark(frame: &mut Frame<'_>, live: &Live<'_>, area: Rect, data: &[u64], title: &str, colour: Color) {
    let rows = Layout::vertical([Constraint::Length(1), Constraint::Min(1)]).split(area);
    frame.render_widget(Paragraph::new(Span::styled(title.to_owned(), dim())), rows[0]);
    frame.render_widget(Sparkline::default().data(data).style(coloured(live, colour)), rows[1]);
}

fn dim() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

fn coloured(live: &Live<'_>, colour: Color) -> Style {
    if live.has_colour { Style::new().fg(colour) } else { Style::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::measure_tests::sample;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn screen(width: u16, height: u16, has_colour: bool) -> Terminal<TestBackend> {
        let mut tally = Tally::new(None, Vec::new());
        (0..500).for_each(|n| tally.add(&sample(n * 20, 10 + n % 40, 5, 4)));
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let live = Live {
            title: "grpc://127.0.0.1:8080",
            tally: &tally,
            sent: 510,
            open: 10,
            elapsed_s: 10.0,
            done: Some(0.5),
            has_colour,
        };
        terminal.draw(|frame| draw(frame, &live)).unwrap();
        terminal
    }

    fn text(terminal: &Terminal<TestBackend>) -> String {
        terminal.backend().buffer().content().iter().map(ratatui::buffer::Cell::symbol).collect()
    }

    #[test]
    fn the_figures_are_there_in_any_window() {
        for (width, height) in [(100, 30), (80, 24), (40, 12)] {
            let shown = text(&screen(width, height, true));
            for word in ["510 sent", "500 ok", "first token", "end to end", "p99", "50 %", "saved"] {
                assert!(shown.contains(word), "{width}x{height}: no {word:?} in {shown}");
            }
        }
        // Nothing to see, but no panic either.
        for (width, height) in [(1, 1), (10, 2), (200, 3), (0, 0)] {
            screen(width, height, true);
        }
    }

    #[test]
    fn without_colour_no_cell_has_one() {
        let terminal = screen(100, 30, false);
        assert!(terminal.backend().buffer().content().iter().all(|cell| cell.fg == Color::Reset));
    }
}
