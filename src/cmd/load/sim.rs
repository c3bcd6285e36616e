//! `sluice load --sim`: the same test in virtual time, against the router's own code and simulated pools.

mod book;
mod capacity;
mod outage;
mod scenario;
mod show;
mod test;

pub(super) use self::scenario::resolve;

use self::test::Test;
use super::options::Options;
use super::prepare::wrong;
use crate::cmd::{Failure, say};
use sluice_load::Clock;
use sluice_load::measure::Slo;
use std::path::PathBuf;
use std::process::ExitCode;

/// What a test in virtual time can be told.
#[derive(clap::Args)]
#[command(next_help_heading = "Virtual time")]
pub(crate) struct VirtualTime {
    /// Run the test in virtual time against the pools of this gateway configuration, simulated; nothing is sent
    #[arg(long, value_name = "CONFIG", conflicts_with = "target")]
    pub(super) sim: Option<PathBuf>,
    /// The GPU profile of a pool whose engines are real; may be given again
    #[arg(long, value_name = "POOL=NAME|FILE", requires = "sim")]
    profile: Vec<String>,
    /// Replicas die at FROM and are back at UNTIL, in seconds; may be given again
    #[arg(long, value_name = "POOL[/N]@FROM[-UNTIL]", requires = "sim")]
    outage: Vec<String>,
    /// How many replicas each pool has, whatever the configuration says; may be given again
    #[arg(long, value_name = "POOL=N", requires = "sim")]
    replicas: Vec<String>,
    /// Find the fewest replicas of each pool that hold --slo, and what they cost
    #[arg(long, requires_all = ["sim", "slo"])]
    capacity: bool,
    /// The most replicas of one pool that --capacity tries
    #[arg(long, value_name = "N", default_value_t = 64, requires = "capacity")]
    most_replicas: usize,
    /// What must hold, for instance ttft_p99=500ms,tpot_p95=50ms
    #[arg(long, value_name = "SLO", value_parser = parse_slo)]
    slo: Option<Slo>,
    /// Run a scenario file; further options override its own
    #[arg(long, value_name = "FILE")]
    pub(super) scenario: Option<PathBuf>,
}

/// Runs the test.
pub(super) fn run(options: &Options, args: &VirtualTime, config: &std::path::Path) -> Result<ExitCode, Failure> {
    if args.most_replicas == 0 {
        return Err(wrong("--most-replicas 0: at least one is tried; give 1 or more".to_owned()));
    }
    let clock = Clock::start();
    let mut test = Test::new(options, args, config)?;
    if args.capacity {
        let found = capacity::search(&mut test, args.most_replicas)?;
        say(&format!("{} runs in {:.1} s", found.runs, seconds(clock.now())));
        capacity::show(&test, &found, options.json)?;
        return Ok(ExitCode::SUCCESS);
    }
    let ran = test.run()?;
    let took = seconds(clock.now());
    let (virtual_s, sent) = (seconds(ran.totals.ended), ran.totals.sent);
    say(&format!(
        "{sent} requests of {virtual_s:.0} virtual seconds in {took:.1} s: {:.0} x real time",
        virtual_s / took
    ));
    show::run(&test, &ran, options.json)?;
    Ok(ExitCode::SUCCESS)
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

fn parse_slo(text: &str) -> Result<Slo, String> {
    text.parse()
}
