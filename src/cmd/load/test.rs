//! A test from its options to its report: one run, a search for the highest rate, or a sweep.

use super::once::{Once, Plan, Signals, once};
use super::options::Options;
use super::view::View;
use super::{prepare, show};
use crate::cmd::{EXIT_FAILED, EXIT_GATE, Failure, complain, runtime, say};
use anyhow::anyhow;
use sluice_load::measure::{Tally, Tenant};
use sluice_load::report::{Report, RunInfo};
use sluice_load::search::{Found, Point, Probe, Ran, SearchAsk, SearchError, Sweep, Watch, find_max, sweep};
use sluice_load::{Overhead, Run, Why};
use std::process::ExitCode;
use std::time::Duration;

/// Carries the test out and reports it.
pub(super) fn run(options: &Options) -> Result<ExitCode, Failure> {
    check(options)?;
    runtime()?.block_on(async {
        // Mistakes in the options come before the target's.
        let sets_rates = options.measures.find_max || options.measures.sweep.is_some();
        let first =
            Probe { rate_rps: options.arrivals.rate.unwrap_or(FIRST_RPS), requests: FEWEST, number: 0 };
        prepare::test(&if sets_rates { at(options, first) } else { options.clone() })?;
        prepare::reach(&options.target).await?;
        let mut test = Test::new(options)?;
        let code = test.carry_out().await;
        test.view.close();
        let code = code?;
        let judged = test.report()?;
        Ok(if code == ExitCode::SUCCESS { judged } else { code })
    })
}

fn check(options: &Options) -> Result<(), Failure> {
    let (given, arrivals) = (&options.measures, &options.arrivals);
    let sets_rates = given.find_max || given.sweep.is_some();
    let other = [
        ("--concurrency", arrivals.concurrency.is_some()),
        ("--ramp", arrivals.ramp.is_some()),
        ("--steps", !arrivals.steps.is_empty()),
    ];
    if let Some((name, _)) = other.iter().find(|(_, is_given)| sets_rates && *is_given) {
        return Err(wrong(format!(
            "{name} sets the rate, and so do --find-max and --sweep; give one of them"
        )));
    }
    if matches!(given.sweep, Some(Sweep::Points(_))) && !given.find_max {
        return Err(wrong(
            "--sweep with a number needs --find-max for the highest rate; else list the rates, for instance 5,10,20"
                .to_owned(),
        ));
    }
    Ok(())
}

/// A test under way, and what it has so far.
struct Test<'a> {
    options: &'a Options,
    view: View,
    signals: Signals,
    tally: Tally,
    overhead: Option<Overhead>,
    ended: String,
    unfinished: u64,
    search: Option<Found>,
    sweep: Vec<Point>,
}

impl<'a> Test<'a> {
    fn new(options: &'a Options) -> Result<Test<'a>, Failure> {
        Ok(Test {
            options,
            view: View::new(options.measures.quiet, options.json),
            signals: Signals::new()?,
            tally: Tally::new(options.measures.slo.clone(), Vec::new()),
            overhead: None,
            ended: "complete".to_owned(),
            unfinished: 0,
            search: None,
            sweep: Vec::new(),
        })
    }

    async fn carry_out(&mut self) -> Result<ExitCode, Failure> {
        let given = &self.options.measures;
        if !given.find_max && given.sweep.is_none() {
            return self.single().await;
        }
        let mut most = 0.0;
        if given.find_max {
            self.find_max().await?;
            most = self.search.as_ref().and_then(|found| found.rate_rps).unwrap_or_default();
        }
        if let Some(sweep) = &given.sweep
            && !(matches!(sweep, Sweep::Points(_)) && most <= 0.0)
        {
            self.sweep(&sweep.rates(most)).await?;
        }
        Ok(if given.find_max && most <= 0.0 { ExitCode::from(EXIT_GATE) } else { ExitCode::SUCCESS })
    }

    async fn single(&mut self) -> Result<ExitCode, Failure> {
        let run = prepare::test(self.options)?;
        let title = self.options.target.clone();
        let ran = self.once(self.options, run, None, title).await;
        self.view.close();
        ran.ended.overhead.warnings.iter().for_each(|warning| say(&format!("warning: {warning}")));
        let code = self.told(&ran);
        self.tally = ran.tally;
        self.overhead = Some(ran.ended.overhead);
        self.unfinished = ran.ended.unfinished;
        Ok(code)
    }

    /// Says why a run ended early, and the exit code for it.
    fn told(&mut self, ran: &Once) -> ExitCode {
        match &ran.ended.why {
            Why::Complete => ExitCode::SUCCESS,
            Why::Stopped => {
                self.ended = "stopped".to_owned();
                say(&format!(
                    "stopped; {} requests under way were cancelled and are not counted",
                    ran.ended.unfinished
                ));
                ExitCode::SUCCESS
            }
            Why::TargetGone(detail) => {
                self.ended = gone(self.options, detail);
                complain(&format!("{}; the figures are of what came before", self.ended));
                ExitCode::from(EXIT_FAILED)
            }
        }
    }

    async fn once(&mut self, options: &Options, run: Run, watch: Option<Watch>, title: String) -> Once {
        let plan = Plan {
            title,
            requests: options.arrivals.requests,
            seconds: options.arrivals.duration,
            has_colour: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        };
        let tally = Tally::new(options.measures.slo.clone(), tenants(options, &run.tenants));
        once(run, tally, watch, &plan, &mut self.view, &mut self.signals).await
    }

    async fn find_max(&mut self) -> Result<(), Failure> {
        let options = self.options;
        let Some(slo) = options.measures.slo.clone() else { return Ok(()) };
        let ask = SearchAsk {
            slo,
            start_rps: options.arrivals.rate.unwrap_or(FIRST_RPS),
            most_rps: MOST_RPS,
            tolerance: TOLERANCE,
            requests: options.arrivals.requests.unwrap_or_default(),
            coarse_s: options.arrivals.duration.unwrap_or(COARSE_S),
        };
        let mut kept: Vec<(f64, Tally)> = Vec::new();
        let found = find_max(&ask, async |probe: Probe| {
            let ran = self.probe(probe, true).await?;
            kept.push((probe.rate_rps, ran.tally.clone()));
            Ok(ran)
        });
        let found = found.await.map_err(|error| match error {
            SearchError::Probe(failure) => failure,
            unseen @ SearchError::Unseen(_) => Failure::input(anyhow!("{unseen}")),
        })?;
        // The report is of the highest rate that held; where none did, of the last one tried.
        let rate = found.rate_rps.or(kept.last().map(|(rate, _)| *rate));
        let mut of_rate = kept.into_iter().filter(|(at, _)| Some(*at) == rate).map(|(_, tally)| tally);
        // Full probes only: the coarse one at the same rate came first and is short.
        if let Some(tally) = of_rate.by_ref().max_by_key(Tally::sent) {
            self.tally = tally;
        }
        self.search = Some(found);
        Ok(())
    }

    async fn sweep(&mut self, rates: &[f64]) -> Result<(), Failure> {
        let given = &self.options.arrivals;
        let (fixed, seconds) = (given.requests, given.duration.unwrap_or(COARSE_S));
        let mut last = None;
        let points = sweep(rates, fixed.unwrap_or_default(), async |probe: Probe| {
            let requests = fixed.unwrap_or((probe.rate_rps * seconds).ceil() as u64).max(FEWEST);
            let ran = self.probe(Probe { requests, ..probe }, false).await?;
            last = Some(ran.tally.clone());
            Ok::<_, Failure>(ran)
        });
        let points = points.await?;
        if self.search.is_none()
            && let Some(tally) = last
        {
            self.tally = tally;
        }
        self.sweep = points;
        Ok(())
    }

    /// One test at one rate.
    async fn probe(&mut self, probe: Probe, is_watched: bool) -> Result<Ran, Failure> {
        let options = at(self.options, probe);
        let slo = options.measures.slo.clone().filter(|_| is_watched);
        let watch = slo.map(|slo| Watch::new(slo, probe.requests));
        let run = prepare::test(&options)?;
        let title = format!("{}, test {} at {:.4}/s", options.target, probe.number + 1, probe.rate_rps);
        let ran = self.once(&options, run, watch, title).await;
        if let Why::TargetGone(detail) = &ran.ended.why {
            return Err(anyhow!("{}, at {:.4}/s", gone(&options, detail), probe.rate_rps).into());
        }
        // What an overload left behind must not count for the next one.
        if ran.is_interrupted || self.signals.within(REST).await {
            return Err(anyhow!("stopped before all rates were tried").into());
        }
        self.overhead = Some(ran.ended.overhead);
        if matches!(self.view, View::Lines(_)) {
            say(&show::probe_line(&Point::of(probe.rate_rps, &ran.tally), ran.stop.as_ref()));
        }
        Ok(Ran { tally: ran.tally, stop: ran.stop })
    }

    fn report(self) -> Result<ExitCode, Failure> {
        let options = self.options;
        let run = RunInfo {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            target: options.target.clone(),
            seed: options.seed,
            inputs: show::inputs(std::env::args().skip(2)),
            ended: self.ended,
            unfinished: self.unfinished,
            ..RunInfo::default()
        };
        let mut report = Report::of(&self.tally, &options.measures.fail_if, run);
        report.search = self.search;
        report.sweep = self.sweep;
        report.overhead = self.overhead;
        show::write(&report, &self.tally, &options.measures, options.json)
    }
}

/// The same test at the probe's rate, with its number of requests and a seed of its own.
fn at(options: &Options, probe: Probe) -> Options {
    let mut options = options.clone();
    options.arrivals.rate = Some(probe.rate_rps);
    options.arrivals.requests = Some(probe.requests);
    options.arrivals.duration = None;
    options.seed = options.seed.wrapping_add(u64::from(probe.number));
    options
}

fn gone(options: &Options, detail: &str) -> String {
    format!(
        "{} could not be reached for {} s, so the run ended early: {detail}",
        options.target, options.give_up_after
    )
}

fn tenants(options: &Options, names: &[String]) -> Vec<Tenant> {
    let weight = |name: &str| {
        let given = options.measures.weights.iter().find(|(other, _)| other == name);
        given.map_or(1.0, |(_, weight)| *weight)
    };
    names.iter().map(|name| Tenant { name: name.clone(), weight: weight(name) }).collect()
}

fn wrong(what: String) -> Failure {
    Failure::input(anyhow!(what))
}

/// The first rate that a search tries.
const FIRST_RPS: f64 = 8.0;
const MOST_RPS: f64 = 100_000.0;
/// How far the highest rate that holds and the lowest that misses may be apart at the end.
const TOLERANCE: f64 = 0.03;
/// Seconds of a probe on the way up, and of a test of a sweep.
const COARSE_S: f64 = 10.0;
/// Requests of the shortest test of a sweep.
const FEWEST: u64 = 50;
const REST: Duration = Duration::from_millis(500);
