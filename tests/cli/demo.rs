//! `demo`: the main job, the same every time, and what it leaves behind works.

use crate::process::{Ended, folder, run, signal, sluice};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

fn demo(folder: &Path, seed: &str) -> (Ended, Value) {
    let ended = run(folder, &["demo", "--once", "--json", "--requests", "300", "--seed", seed]);
    let result = serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {}", ended.err));
    (ended, result)
}

#[test]
fn the_same_seed_gives_the_same_decisions_and_the_same_cost_to_the_nano_dollar() {
    let (here, there) = (folder("demo-a"), folder("demo-b"));
    let (first, a) = demo(&here, "7");
    let (_, b) = demo(&there, "7");
    for key in
        ["requests", "errors", "cost_usd", "baseline_usd", "quality", "experts", "domains", "certificate"]
    {
        assert_eq!(a[key], b[key], "{key}");
    }
    assert_eq!((&a["requests"], &a["errors"], &a["simulated"]), (&300.into(), &0.into(), &true.into()));
    assert!(a["cost_usd"].as_f64() < a["baseline_usd"].as_f64(), "{a}");
    let held = a["floor_held"].as_bool().expect("a verdict");
    assert_eq!(first.code, Some(if held { 0 } else { 3 }));
    what_it_prints_works(&here, &first, &a);
}

/// The line that explains a decision, and the one that adds up the money.
fn what_it_prints_works(folder: &Path, ended: &Ended, result: &Value) {
    let line = |part: &str| {
        let line = ended
            .err
            .lines()
            .find(|line| line.contains(part))
            .unwrap_or_else(|| panic!("no {part}: {}", ended.err));
        let words = line.split("sluice ").nth(1).expect("a command").split_whitespace();
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    let explain = line("explain --config");
    let explained = run(folder, &explain.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(explained.code, Some(0), "{}", explained.err);
    assert!(explained.err.contains("bit for bit") && explained.out.contains("chosen"), "{}", explained.out);
    let mut report = line("report --ledger");
    report.push("--json".to_owned());
    let reported = run(folder, &report.iter().map(String::as_str).collect::<Vec<_>>());
    let reported: Value = serde_json::from_str(&reported.out).expect("one JSON object");
    let cost = result["cost_usd"].as_f64().expect("a number");
    let booked = reported["cost_nanousd"].as_i64().expect("a number");
    assert_eq!(booked as f64 / 1e9, cost, "what the clients were told is what the ledger says");
}

#[test]
fn a_signal_while_it_sends_drains_and_ends_with_0() {
    let folder = folder("demo-signal");
    let mut child = sluice(&folder, &["demo", "--once", "--seed", "3"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary is built");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
    assert!(lines.by_ref().any(|line| line.starts_with("sending ")), "it begins to send");
    signal(child.id(), "TERM");
    assert!(lines.any(|line| line.starts_with("draining")), "it says that it ends");
    let output = child.wait_with_output().expect("it is ours");
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.is_empty(), "no result of half a run");
}
