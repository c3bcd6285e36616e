//! How a run goes, on stderr while it runs: a live view, a line now and then, or nothing.

use crate::cmd::say;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::event::{Event, KeyCode, KeyModifiers, poll, read};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use sluice_load::report::live::{Live, draw};
use std::io::{IsTerminal as _, Stderr, stderr};
use std::time::Duration;

/// The chosen way.
pub(super) enum View {
    /// Nothing.
    Off,
    /// A line every few seconds; when the last one was printed.
    Lines(f64),
    /// The live view, once it has something to show.
    Screen(Option<Screen>),
}

impl View {
    /// The live view on a terminal, lines beside JSON, else nothing.
    pub(super) fn new(is_quiet: bool, is_json: bool) -> View {
        if is_quiet || !stderr().is_terminal() {
            return View::Off;
        }
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        if is_json || is_dumb { View::Lines(0.0) } else { View::Screen(None) }
    }

    /// Shows the run; whether the user wants it to end.
    pub(super) fn show(&mut self, live: &Live<'_>) -> bool {
        match self {
            View::Off => false,
            View::Lines(last) => {
                // A new run begins again at 0.
                if live.elapsed_s < *last {
                    *last = 0.0;
                }
                if live.elapsed_s - *last >= LINE_EVERY_S {
                    *last = live.elapsed_s;
                    say(&line(live));
                }
                false
            }
            View::Screen(screen) => {
                if screen.is_none() && live.elapsed_s >= SCREEN_AFTER_S {
                    *screen = Screen::open();
                }
                let Some(screen) = screen else { return false };
                // A terminal that went away is no reason to end the run.
                let _ = screen.terminal.draw(|frame| draw(frame, live));
                wants_to_end()
            }
        }
    }

    /// Gives the terminal back, so that lines can be said.
    pub(super) fn close(&mut self) {
        if let View::Screen(screen) = self {
            *screen = None;
        }
    }
}

fn line(live: &Live<'_>) -> String {
    let all = live.tally.all();
    let done = live.done.map_or(String::new(), |done| format!("{:3.0} %, ", 100.0 * done.min(1.0)));
    format!(
        "{done}{:.0} s: {} sent, {} ok, {} errors, {} under way",
        live.elapsed_s,
        live.sent,
        all.ok,
        all.failed(),
        live.open
    )
}

const LINE_EVERY_S: f64 = 5.0;
/// A run that ends before needs no view.
const SCREEN_AFTER_S: f64 = 1.0;

/// The terminal while the live view has it.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stderr>>,
}

impl Screen {
    fn open() -> Option<Screen> {
        restore_on_panic();
        // Without it keys are echoed into the view, which is ugly and nothing worse.
        let _ = enable_raw_mode();
        execute!(stderr(), EnterAlternateScreen, Hide).ok()?;
        let terminal = Terminal::new(CrosstermBackend::new(stderr()));
        if terminal.is_err() {
            restore();
        }
        Some(Screen { terminal: terminal.ok()? })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

fn restore() {
    // Nothing better can be done with a terminal that refuses.
    let _ = disable_raw_mode();
    let _ = execute!(stderr(), LeaveAlternateScreen, Show);
}

/// A panic's message must land on the user's own screen.
fn restore_on_panic() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            before(panic);
        }));
    });
}

/// Whether q or Ctrl-C was typed: in raw mode the terminal sends no signal.
fn wants_to_end() -> bool {
    let mut ends = false;
    while poll(Duration::ZERO).unwrap_or(false) {
        let Ok(Event::Key(key)) = read() else { continue };
        let is_interrupt = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
        ends |= is_interrupt || key.code == KeyCode::Char('q');
    }
    ends
}
