//! A simulated worker of known parameters as the engine: the fit must find them again.

use super::probe::Probe;
use super::*;
use crate::sample::Sample;
use futures::FutureExt as _;
use sluice_sim::Capacity;
use sluice_sim::Profile;

const OVERHEAD_NS: u64 = 3_000_000;

fn worker(name: &str, max_seqs: usize) -> Capacity {
    Capacity { max_seqs, ..Profile::named(name).unwrap().capacity }
}

fn ask(capacity: Capacity, probe: Probe) -> Vec<Sample> {
    let job = Job { at: 0, input: probe.input, output: probe.output };
    replay::replay(capacity, OVERHEAD_NS, &vec![job; probe.users])
}

fn options(reach: Reach) -> Options {
    Options {
        reach,
        max_seqs: None,
        kv_tokens: Some(1_000_000),
        batch_tokens: 2_048,
        runs: 1,
        requests: 200,
        about: "a \"worker\"".to_owned(),
        source: "a test".to_owned(),
    }
}

fn found(capacity: Capacity) -> Report {
    let reach = Reach { input: 2_000, output: 64, users: 16, repeats: 1, seed: 1 };
    let probed = probe::probe(&reach, async |probe| Ok::<_, FitError>(ask(capacity, probe)));
    let seen = probed.now_or_never().unwrap().unwrap();
    let law = law::law(&seen.decodes, &seen.prefills).unwrap();
    Report::new(law, &seen, &options(reach)).unwrap()
}

#[test]
fn the_parameters_of_a_worker_are_found_again() {
    for name in ["8b-l4", "8b-h100", "deepseek-v3-8xh200", "cpu-7b"] {
        let capacity = worker(name, 4);
        let report = found(capacity);
        let (want, got) = (capacity.timing, report.profile.capacity.timing);
        let near = |what: &str, got: f64, want: f64| {
            assert!((got / want - 1.0).abs() < 0.03, "{name}: {what} is {got}, should be {want}");
        };
        near("base", got.base_ns as f64, want.base_ns as f64);
        near("per sequence", got.per_seq_ns as f64, want.per_seq_ns as f64);
        near("prompt token", got.prefill_ns, want.prefill_ns);
        near("half", got.prefill_half, want.prefill_half);
        // Beside the seconds that a slow worker's prompts take.
        let off = report.law.overhead_ns - OVERHEAD_NS as f64;
        assert!(off.abs() < 500_000.0, "{name}: the overhead is {off} ns off");
        // Rounded to whole nanoseconds in the profile.
        near("context", report.law.per_kv_ns, want.per_kv_ns as f64);
        assert_eq!((report.most_running, report.is_full), (4, true), "{name}");
        assert_eq!((report.profile.capacity.max_seqs, report.profile.basis.as_str()), (4, "fitted"));
    }
}

#[test]
fn a_batch_that_never_fills_is_told() {
    let report = found(worker("8b-h100", 64));
    assert_eq!((report.most_running, report.is_full), (16, false));
    assert!(report.text().contains("the limit wasn't seen"));
}

#[test]
fn the_fitted_profile_does_what_the_worker_does_near_saturation() {
    let capacity = worker("8b-l4", 4);
    let report = found(capacity);
    let mix = check::mix(3, 200, &[125, 500, 2_000], 64);
    let lengths = |at: u64, row: &crate::arrivals::TraceRow| Job {
        at,
        input: row.input_tokens,
        output: row.output_tokens,
    };
    let jobs: Vec<Job> = mix.rows.iter().map(|row| lengths(0, row)).collect();
    let gap = 1e9 / (0.8 * check::saturation(report.profile.capacity, &jobs));
    let mut random = crate::Random::new(1, 1);
    let mut at = 0.0;
    let jobs: Vec<Job> = mix
        .rows
        .iter()
        .map(|row| {
            at += gap * random.exponential();
            lengths(at as u64, row)
        })
        .collect();
    let measured = replay::replay(capacity, OVERHEAD_NS, &jobs);
    let round = Round::of(&measured, report.profile.capacity, report.overhead_ns()).unwrap();
    for row in check::rows(&[round]) {
        assert!(row.error_pct.abs() < 3.0, "{row:?}");
    }
}
