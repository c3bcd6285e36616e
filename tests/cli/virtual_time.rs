//! `load --sim` and `load --scenario`: the same test in virtual time, the fewest replicas, and what is refused.

use crate::process::{Served, folder, run};
use serde_json::Value;
use std::path::Path;

/// Two experts replayed from graded rows, which the words of a prompt tell apart; small pools, so that some wait.
const CONFIG: &str = r#"
[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"

[[expert]]
name = "big"
price = { input_per_mtok = "1", output_per_mtok = "2" }
  [[expert.pool]]
  name = "big-a"
  protocol = "replay"
  data = ["graded.jsonl"]
  profile = "8b-a100"
  replicas = 2
  max_concurrency = 4

[[expert]]
name = "small"
kind = "vertical"
domains = ["law"]
keywords = ["statute"]
price = { input_per_mtok = "0.1", output_per_mtok = "0.2" }
  [[expert.pool]]
  name = "small-a"
  protocol = "replay"
  data = ["graded.jsonl"]
  profile = "8b-h100"
  max_concurrency = 8

[[route]]
name = "auto"
reference = "big"
"#;

/// A graded row; every third asks about a statute.
fn row(at: usize) -> String {
    let topic = if at.is_multiple_of(3) { "Explain the statute" } else { "What is the sum" };
    let outcome = |expert: &str, score: f64| {
        let (input, output) = (40 + 17 * at % 300, 20 + 13 * at % 60);
        format!(r#"{{"expert":"{expert}","score":{score},"input_tokens":{input},"output_tokens":{output}}}"#)
    };
    let (big, small) = (outcome("big", 1.0), outcome("small", (at % 2) as f64));
    format!(r#"{{"id":"{at}","prompt":"{topic} number {at}, part by part?","outcomes":[{big},{small}]}}"#)
}

fn world(name: &str) -> std::path::PathBuf {
    let folder = folder(name);
    let rows: Vec<String> = (0..60).map(row).collect();
    std::fs::write(folder.join("graded.jsonl"), rows.join("\n")).expect("our folder");
    std::fs::write(folder.join("sluice.toml"), CONFIG).expect("our folder");
    folder
}

fn load(folder: &Path, args: &[&str]) -> Value {
    let ended = run(folder, &[&["load", "--json"], args].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    serde_json::from_str(&ended.out).expect("one JSON object")
}

const TEST: &[&str] = &["--rate", "25", "--requests", "120", "--seed", "5", "--prompts", "graded.jsonl"];

#[test]
fn virtual_time_gives_what_the_wall_clock_gives() {
    let folder = world("same");
    let virtual_run = load(&folder, &[&["--sim", "sluice.toml"], TEST].concat());
    // A busy machine adds to wall time whatever it likes, so the best of three runs is looked at; each with a gateway
    // that has learned nothing yet, as in virtual time.
    let mut last = Vec::new();
    for _ in 0..3 {
        let served = Served::start(&folder, "sluice.toml");
        let target = format!("grpc://{}", served.data);
        let wall = load(&folder, &[&["--target", &target], TEST].concat());
        for key in ["sent", "ok", "cost_usd", "baseline_usd", "quality", "input_tokens", "output_tokens"] {
            assert_eq!(wall[key], virtual_run[key], "{key}");
        }
        for expert in ["big", "small"] {
            let sent = |run: &Value| run["per_expert"][expert]["sent"].clone();
            assert_eq!(sent(&wall), sent(&virtual_run), "{expert}");
            assert!(sent(&wall).as_u64() > Some(20));
        }
        last = differences(&wall, &virtual_run);
        if last.is_empty() {
            return;
        }
    }
    panic!("{last:?}");
}

/// Times that are further apart than a tenth and what sockets, timers and the gateway itself take.
fn differences(wall: &Value, virtual_run: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (time, slack_ms) in [("ttft_ms", 8.0), ("tpot_ms", 1.0), ("e2e_ms", 20.0)] {
        for at in ["p50", "p90"] {
            let [wall, simulated] =
                [wall, virtual_run].map(|run| run[time][at].as_f64().expect("it is measured"));
            if (wall - simulated).abs() > f64::max(simulated * 0.1, slack_ms) {
                found.push(format!("{time} {at}: {wall} on the wall clock, {simulated} in virtual time"));
            }
        }
    }
    found
}

#[test]
fn the_same_seed_gives_the_same_report() {
    let folder = world("seed");
    let report = |seed: &str| {
        let mut report = load(&folder, &[&["--sim", "sluice.toml"], &TEST[..4], &["--seed", seed]].concat());
        report["run"] = Value::Null;
        report
    };
    assert_eq!(report("3"), report("3"));
    assert_ne!(report("3"), report("4"));
}

#[test]
fn the_fewest_replicas_are_found_with_their_cost() {
    let folder = world("capacity");
    let args = ["--sim", "sluice.toml", "--rate", "150", "--duration", "60", "--prompts", "graded.jsonl"];
    let found =
        load(&folder, &[&args[..], &["--slo", "ttft_p95=200ms,error_rate=1%", "--capacity"]].concat());
    let replicas: Vec<u64> =
        (0..2).map(|at| found["pools"][at]["replicas"].as_u64().expect("a number")).collect();
    assert_eq!((&found["held"], &found["run"]["ok"]), (&true.into(), &found["run"]["sent"]));
    assert!(replicas[0] > 2 && replicas[1] >= 1, "{replicas:?}");
    let hour = replicas[0] as f64 * 2.79 + replicas[1] as f64 * 3.99;
    assert!((found["usd_per_hour"].as_f64().expect("a price") - hour).abs() < 1e-6);
    // One replica less of either is not enough.
    for at in 0..2 {
        let mut fewer = replicas.clone();
        fewer[at] -= 1;
        if fewer[at] == 0 {
            continue;
        }
        let (big, small) = (format!("big-a={}", fewer[0]), format!("small-a={}", fewer[1]));
        let more = ["--replicas", &big, "--replicas", &small, "--slo", "ttft_p95=200ms,error_rate=1%"];
        let run = load(&folder, &[&args[..], &more].concat());
        let held = run["bounds"].as_array().expect("two bounds").iter().all(|bound| bound["held"] == true);
        assert!(!held, "{fewer:?} would do");
    }
    let short = run(
        &folder,
        &[&["load"], &args[..], &["--slo", "ttft_p95=1ms", "--capacity", "--most-replicas", "2"]].concat(),
    );
    assert_eq!(short.code, Some(3), "{}", short.out);
    assert!(short.out.contains("missed even so"), "{}", short.out);
}

#[test]
fn what_can_not_be_simulated_is_said() {
    let folder = world("refused");
    let real = CONFIG.replace(
        "protocol = \"replay\"\n  data = [\"graded.jsonl\"]\n  profile = \"8b-h100\"",
        "endpoints = [\"http://127.0.0.1:9\"]",
    );
    std::fs::write(folder.join("real.toml"), real).expect("our folder");
    for (args, says) in [
        (vec!["--sim", "real.toml", "--rate", "1", "--duration", "1"], "--profile small-a=NAME"),
        (vec!["--sim", "sluice.toml", "--duration", "1"], "nothing says when to send"),
        (vec!["--sim", "none.toml", "--rate", "1", "--duration", "1"], "none.toml"),
        (vec!["--sim", "sluice.toml", "--rate", "1", "--duration", "1", "--outage", "big-a/7@1"], "0 to 1"),
        (
            vec!["--sim", "sluice.toml", "--rate", "1", "--duration", "1", "--outage", "x@1"],
            "no pool is called",
        ),
        (vec!["--sim", "sluice.toml", "--rate", "1", "--duration", "1", "--model", "no"], "--model"),
        (vec!["--scenario", "sluice.toml"], "sluice.toml: "),
    ] {
        let ended = run(&folder, &[&["load"], &args[..]].concat());
        assert_eq!((ended.code, ended.err.contains(says)), (Some(2), true), "{args:?}: {}", ended.err);
    }
    let args =
        ["load", "--sim", "real.toml", "--profile", "small-a=8b-l4", "--rate", "5", "--requests", "20"];
    assert_eq!(run(&folder, &args).code, Some(0));
}

#[test]
fn every_scenario_runs_at_a_small_size() {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/scenarios");
    let folder = folder("scenarios");
    let mut count = 0;
    for entry in std::fs::read_dir(scenarios).expect("the folder is there") {
        let path = entry.expect("readable").path();
        let text = std::fs::read_to_string(&path).expect("text");
        if !text.contains("[load]") {
            continue;
        }
        count += 1;
        let path = path.to_str().expect("text");
        if text.contains("\ncompare =") {
            let small = ["load", "--scenario", path, "--requests", "300", "--loads", "0.5", "--json"];
            let ended = run(&folder, &small);
            assert_eq!(ended.code, Some(0), "{path}: {}", ended.err);
            let table: serde_json::Value = serde_json::from_str(&ended.out).expect("JSON");
            let rows = table["rows"].as_array().expect("a row for each policy");
            assert!(rows.len() >= 4 && rows.iter().all(|row| row["sent"] == 300), "{path}: {table}");
            continue;
        }
        let report = load(&folder, &["--scenario", path, "--requests", "200", "--seed", "2"]);
        assert_eq!((&report["sent"], &report["run"]["is_virtual"]), (&200.into(), &true.into()), "{path}");
        assert!(report["ok"].as_u64() > Some(150), "{path}");
        assert!(!report["bounds"].as_array().expect("its objective").is_empty(), "{path}");
    }
    assert!(count >= 9, "{count}");
}
