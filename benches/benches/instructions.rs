//! Instructions of the hot path, a case a run, for `.ci/instructions`, which runs them under callgrind.
//!
//! `list` prints names and how often each works; `prepare FOLDER` makes what they read; `run CASE FOLDER [TIMES]` runs one.
//! With `SLUICE_PLANTED=CASE` that case does a tenth more than it says. Without arguments each runs once, uncounted.

use sluice_benches::{Bench, CASES, case, prepare};
use std::path::Path;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["list"] => list(),
        ["prepare", folder] => prepare(Path::new(folder)).expect("the folder can be written to"),
        ["run", name, folder] => run(name, folder, None),
        ["run", name, folder, times] => run(name, folder, Some(times.parse().expect("a number"))),
        _ => run_all(),
    }
}

#[allow(clippy::print_stdout, reason = "a benchmark talks to its user")]
fn list() {
    for case in CASES {
        println!("{} {}", case.name, case.times);
    }
}

fn run(name: &str, folder: &str, times: Option<u64>) {
    let case = case(name).expect("`list` has the names");
    let is_planted = std::env::var("SLUICE_PLANTED").is_ok_and(|planted| planted == name);
    (case.run)(&Bench::new(Path::new(folder), times.unwrap_or(case.times), is_planted));
}

#[allow(clippy::print_stdout, reason = "a benchmark talks to its user")]
fn run_all() {
    let folder = tempfile::TempDir::new().expect("a folder");
    prepare(folder.path()).expect("written");
    for case in CASES {
        (case.run)(&Bench::new(folder.path(), 1, false));
        println!("{}: runs; .ci/instructions counts it", case.name);
    }
}
