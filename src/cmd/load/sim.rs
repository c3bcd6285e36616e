//! `sluice load --sim`: the same test in virtual time, against the router's own code and simulated pools.

mod book;
mod capacity;
mod outage;
mod pools;
mod scenario;
mod skilled;
mod study;
mod test;

pub(super) use self::scenario::resolve;

use self::test::Test;
use super::options::Options;
use super::prepare::wrong;
use super::show;
use crate::cmd::{EXIT_GATE, Failure, say};
use sluice_load::Clock;
use sluice_load::report::{Report, RunInfo};
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
    #[arg(long, value_name = "POOL=NAME|FILE")]
    profile: Vec<String>,
    /// Replicas die at FROM and are back at UNTIL, in seconds; may be given again
    #[arg(long, value_name = "POOL[/N]@FROM[-UNTIL]")]
    outage: Vec<String>,
    /// What each request tells of its own deadline, in seconds; whoever can't make it is refused
    #[arg(long, value_name = "S")]
    deadline: Option<f64>,
    /// How many replicas each pool has, whatever the configuration says; may be given again
    #[arg(long, value_name = "POOL=N")]
    replicas: Vec<String>,
    /// Find the fewest replicas of each pool that hold --slo, and what they cost
    #[arg(long, requires = "slo")]
    capacity: bool,
    /// The most replicas of one pool that --capacity tries
    #[arg(long, value_name = "N", default_value_t = 64, requires = "capacity")]
    most_replicas: usize,
    /// Compare policies on the same requests and print a table: joint, price, wait, cap:N
    #[arg(long, value_name = "POLICY,...", value_delimiter = ',', action = clap::ArgAction::Set, num_args = 1)]
    compare: Vec<sluice_load::study::Policy>,
    /// Loads for --compare, 0.5 to 1.3 unless given; at 1 what the first expert of --skills may answer just fills its pool
    #[arg(long, value_name = "LOAD,...", value_delimiter = ',', action = clap::ArgAction::Set, num_args = 1)]
    loads: Vec<f64>,
    /// Made-up skills, from the least capable expert to the most: shares of requests that each answers well, and after
    /// the first how well that is seen beforehand
    #[arg(long, value_name = "EXPERT=SHARE@AUC,EXPERT=SHARE,...")]
    skills: Option<sluice_load::study::Skills>,
    /// Run a scenario file; further options override its own
    #[arg(long, value_name = "FILE")]
    pub(super) scenario: Option<PathBuf>,
}

/// Runs the test.
pub(super) fn run(
    options: &Options,
    args: &VirtualTime,
    config: &std::path::Path,
) -> Result<ExitCode, Failure> {
    check(options, args)?;
    let clock = Clock::start();
    let mut test = Test::new(options, args, config)?;
    if args.capacity {
        let found = capacity::search(&mut test, args.most_replicas)?;
        say(&format!("{} runs in {:.1} s", found.runs, seconds(clock.now())));
        capacity::show(&test, &found, options.json)?;
        return Ok(if found.holds { ExitCode::SUCCESS } else { ExitCode::from(EXIT_GATE) });
    }
    if !args.compare.is_empty() {
        return study::run(&mut test, args, options.json);
    }
    let ran = test.run()?;
    let took = seconds(clock.now());
    let (virtual_s, sent) = (seconds(ran.totals.ended), ran.totals.sent);
    say(&format!(
        "{sent} requests of {virtual_s:.0} virtual seconds in {took:.1} s: {:.0} x real time",
        virtual_s / took
    ));
    say(&pools::lines(&test, &ran));
    let info = RunInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        target: config.display().to_string(),
        seed: options.seed,
        inputs: show::inputs(std::env::args().skip(2)),
        ended: "complete".to_owned(),
        is_virtual: true,
        ..RunInfo::default()
    };
    let report = Report::of(&ran.tally, &options.measures.fail_if, info);
    show::write(&report, &ran.tally, &options.measures, options.json)
}

fn check(options: &Options, args: &VirtualTime) -> Result<(), Failure> {
    if args.most_replicas == 0 {
        return Err(wrong("--most-replicas 0: at least one is tried; give 1 or more".to_owned()));
    }
    if !args.compare.is_empty() && (args.capacity || args.skills.is_none() || options.measures.slo.is_none())
    {
        return Err(wrong("--compare needs --skills and --slo, and goes without --capacity".to_owned()));
    }
    if args.compare.is_empty() && (args.skills.is_some() || !args.loads.is_empty()) {
        return Err(wrong("--skills and --loads are for --compare; give that too".to_owned()));
    }
    if options.measures.find_max || options.measures.sweep.is_some() {
        return Err(wrong("--find-max and --sweep need --target; with --sim, --capacity asks the other way round: how many replicas for this load".to_owned()));
    }
    Ok(())
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}
