//! The commands: one file each, one row each in [`Command`].

mod budget;
mod config;
mod demo;
mod eval;
mod explain;
mod inputs;
mod key;
mod ledger;
mod load;
mod outputs;
mod progress;
mod reconcile;
mod report;
mod route;
mod serve;
mod sim;
mod train;
mod tune;

use std::fmt;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

/// A mixture-of-experts serving gateway: each request goes to the cheapest expert that is capable.
#[derive(clap::Parser)]
#[command(name = "sluice", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Every command. The order is the order of `sluice --help`.
#[derive(clap::Subcommand)]
enum Command {
    Demo(demo::Args),
    Serve(serve::Args),
    Config(config::Args),
    Train(train::Args),
    Eval(eval::Args),
    Tune(tune::Args),
    Route(route::Args),
    Explain(explain::Args),
    Report(report::Args),
    Reconcile(reconcile::Args),
    Ledger(ledger::Args),
    Key(key::Args),
    Budget(budget::Args),
    Load(Box<load::Args>),
    Sim(sim::Args),
}

/// Runs the command and turns its end into an exit code.
pub(crate) fn run(cli: Cli) -> ExitCode {
    let end: Result<ExitCode, Failure> = match cli.command {
        Command::Demo(args) => demo::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Config(args) => config::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Load(args) => load::run(&args),
        Command::Sim(args) => sim::run(args),
        Command::Train(args) => train::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Tune(args) => tune::run(&args),
        Command::Route(args) => route::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Reconcile(args) => reconcile::run(&args),
        Command::Ledger(args) => ledger::run(&args),
        Command::Key(args) => key::run(&args),
        Command::Budget(args) => budget::run(&args),
    };
    end.unwrap_or_else(|failure| {
        if !failure.is_unread() {
            complain(&failure.to_string());
        }
        ExitCode::from(failure.code)
    })
}

/// The work failed.
pub(crate) const EXIT_FAILED: u8 = 1;
/// Usage, configuration or input is wrong.
pub(crate) const EXIT_INPUT: u8 = 2;
/// A gate did not hold.
pub(crate) const EXIT_GATE: u8 = 3;

/// Why a command ended without its result, with its exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    error: anyhow::Error,
}

impl Failure {
    /// The caller's arguments, configuration or input are wrong; the message says where and how to mend it.
    pub(crate) fn input(error: impl Into<anyhow::Error>) -> Failure {
        Failure { code: EXIT_INPUT, error: error.into() }
    }

    /// Whether all that is wrong is that nobody reads the output to its end, as with `| head`.
    fn is_unread(&self) -> bool {
        let is_broken_pipe = |error: &std::io::Error| error.kind() == std::io::ErrorKind::BrokenPipe;
        self.error.downcast_ref().is_some_and(is_broken_pipe)
    }
}

/// Whatever a command doesn't class otherwise is failed work.
impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure { code: EXIT_FAILED, error: error.into() }
    }
}

impl fmt::Display for Failure {
    /// The message and its causes, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)
    }
}

/// A line for people, on stderr.
pub(crate) fn say(line: &str) {
    // A closed stderr must not end the work.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// An error for people, on stderr.
pub(crate) fn complain(message: &str) {
    say(&format!("error: {message}"));
}

/// A result, on stdout.
///
/// # Errors
/// Whatever stdout says, a closed pipe included.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    Ok(out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush())?)
}

/// The runtime that serves; two threads at least, so that one slow poll never stops everything.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// This process's environment, as far as it is text.
pub(crate) fn environment() -> sluice_gateway::config::Overrides {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Log lines go to stderr: text for a terminal, JSON otherwise. `RUST_LOG` filters them.
pub(crate) fn init_logging() -> Result<(), Failure> {
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned());
    let json = !std::io::stderr().is_terminal();
    sluice_gateway::init_logging(json, &filter)
        .map_err(|error| Failure::input(anyhow::anyhow!("RUST_LOG: {error}")))
}

/// How far a long work is, on one line of stderr that is written over.
pub(crate) fn progress(done: usize, all: usize) {
    let end = if done == all { "\n" } else { "" };
    // A closed stderr must not end the work.
    let _ = write!(std::io::stderr().lock(), "\r{done}/{all}{end}");
}
