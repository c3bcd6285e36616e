//! `explain` as a person meets it: with a model, without one, and a new expert added to it.

use crate::process::{folder, run};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Graded rows of some experts: `small` is right where a sum is asked, `big` always, `new` where a statute is.
fn rows(from: usize, to: usize, experts: &[&str]) -> String {
    let row = |at: usize| {
        let is_sum = at.is_multiple_of(2);
        let prompt = if is_sum { "What is the sum" } else { "Explain the statute" };
        let score = |name: &str| match name {
            "small" => u8::from(is_sum),
            "new" => u8::from(!is_sum),
            _ => 1,
        };
        let outcomes: Vec<Value> = experts
            .iter()
            .map(|name| serde_json::json!({ "expert": name, "score": score(name), "output_tokens": 90 }))
            .collect();
        let subject = if is_sum { "sums" } else { "statutes" };
        let prompt = format!("{prompt} number {at}, part {}?", at * 7 % 13);
        serde_json::json!({ "id": at.to_string(), "source": "made-up", "subject": subject, "domain": subject,
                            "prompt": prompt, "outcomes": outcomes })
    };
    (from..to).map(|at| format!("{}\n", row(at))).collect()
}

/// A folder with data, prices, a model of `big` and `small`, and a configuration; its expert `new` has no grades yet.
fn world() -> PathBuf {
    let folder = folder("explain");
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("our folder");
    write("rows.jsonl", &rows(0, 600, &["big", "small"]));
    write("new.jsonl", &rows(100, 250, &["new"]));
    let price =
        |name, usd| format!("[expert.{name}]\ninput_per_mtok = \"{usd}\"\noutput_per_mtok = \"{usd}\"\n");
    write("prices.toml", &format!("{}{}{}", price("big", 10), price("small", 1), price("new", 2)));
    let expert = |name: &str, usd: u32, more: &str| {
        format!(
            "[[expert]]\nname = \"{name}\"\n{more}price = {{ input_per_mtok = \"{usd}\", output_per_mtok = \"{usd}\" }}\n\
             [[expert.pool]]\nname = \"{name}-pool\"\nendpoints = [\"http://127.0.0.1:1\"]\n"
        )
    };
    let experts = [
        expert("big", 10, ""),
        expert("small", 1, ""),
        expert("new", 2, "kind = \"vertical\"\ndomains = [\"statutes\"]\nkeywords = [\"codicil\"]\n"),
    ];
    let route = "[[route]]\nname = \"auto\"\nexperts = [\"*\"]\nreference = \"big\"\n";
    write("bare.toml", &format!("{}{route}", experts.concat()));
    write("sluice.toml", &format!("[router]\nmodel = \"m.sluice\"\n{}{route}", experts.concat()));
    let trained = run(&folder, &["train", "--data", "rows.jsonl", "--out", "m.sluice"]);
    assert_eq!(trained.code, Some(0), "{}", trained.err);
    folder
}

fn explain(folder: &Path, config: &str, prompt: &str, more: &[&str]) -> String {
    let ended = run(folder, &[&["explain", "--config", config, "--prompt", prompt], more].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    ended.out
}

const SUM: &str = "What is the sum number 7, part 3?";
const STATUTE: &str = "Explain the statute number 8, part 2?";

#[test]
fn a_decision_says_what_moved_it_and_which_floor_would_have_flipped_it() {
    let folder = world();
    let told = explain(&folder, "sluice.toml", SUM, &[]);
    for part in [
        "chosen: small (the cheapest that the certificate allows)",
        "looks like made-up (1.00; 600 rows of 2 experts), there sums",
        "certificate: at least 0.95 of big's quality with confidence 0.95",
        "may, no grades",
        "what moved small from its usual",
        "what moved big from its usual",
        "subject sums",
        "\"sum\"",
        "no floor from 0.80 to 0.95 would choose another",
        "or higher would choose big (nothing is certified there, so the reference answers)",
    ] {
        assert!(told.contains(part), "{part:?} is missing:\n{told}");
    }
    assert!(told.lines().all(|line| line.chars().count() <= 100), "{told}");
    assert!(explain(&folder, "sluice.toml", STATUTE, &[]).contains("chosen: big"));
    let json: Value = serde_json::from_str(&explain(&folder, "sluice.toml", SUM, &["--json"])).expect("JSON");
    assert_eq!((&json["expert"], &json["reference"]), (&"small".into(), &"big".into()));
    assert_eq!(json["certificate"]["floor"], 0.95);
    assert_eq!(json["placed"][0]["subjects"][0]["subject"], "sums");
    assert_eq!(json["flips"]["from"], 0.8);
    let moves = json["moves"].as_array().expect("a list");
    let small = moves.iter().find(|of| of["expert"] == "small").expect("it is explained");
    let sum: f64 = small["moves"].as_array().expect("a list").iter().filter_map(|m| m["by"].as_f64()).sum();
    let whole = small["usual"].as_f64().expect("a number") + small["cut"].as_f64().expect("a number") + sum;
    let quotes = json["decision"]["quotes"].as_array().expect("a list");
    let quoted = quotes[1]["p_capable"].as_f64().expect("a number");
    assert!((whole - quoted).abs() < 0.01, "{whole} is not {quoted}");
}

#[test]
fn without_a_model_rules_decide_and_nothing_is_made_up() {
    let folder = world();
    let told = explain(&folder, "bare.toml", SUM, &[]);
    assert!(told.contains("chosen: big (the reference") && told.contains("no certificate"), "{told}");
    assert!(
        !told.contains("what moved") && !told.contains("looks like") && !told.contains("floor of"),
        "{told}"
    );
    assert!(
        explain(&folder, "bare.toml", "What is a codicil?", &[]).contains("chosen: new (the client's domain")
    );
    let json: Value = serde_json::from_str(&explain(&folder, "bare.toml", SUM, &["--json"])).expect("JSON");
    assert_eq!((&json["flips"], &json["certificate"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_new_expert_is_added_in_place_and_then_graded() {
    let folder = world();
    let before = std::fs::read(folder.join("m.sluice")).expect("trained");
    let add = |more: &[&str]| {
        let args =
            ["train", "--add", "new", "--data", "new.jsonl", "--prices", "prices.toml", "--out", "m.sluice"];
        run(&folder, &[&args, more].concat())
    };
    let added = add(&["--json"]);
    assert_eq!(added.code, Some(0), "{}", added.err);
    let report: Value = serde_json::from_str(&added.out).expect("JSON");
    assert_eq!((&report["rows"], &report["known_prompts"]), (&150.into(), &150.into()), "{report}");
    assert_eq!(report["admission"]["without"]["rows"], 600);
    assert!(!explain(&folder, "sluice.toml", SUM, &[]).contains("no grades"));
    let again = add(&[]);
    assert_eq!(again.code, Some(2));
    assert!(again.err.contains("new is in the model already, with 150 grades"), "{}", again.err);
    std::fs::write(folder.join("old.sluice"), &before).expect("our folder");
    let elsewhere = add(&["--model", "old.sluice"]);
    assert!(
        elsewhere.code == Some(0) && elsewhere.out.contains("new joins made-up (2 experts)"),
        "{}",
        elsewhere.err
    );
    let few = run(
        &folder,
        &["train", "--add", "nobody", "--data", "new.jsonl", "--model", "old.sluice", "--out", "x"],
    );
    assert!(
        few.code == Some(2) && few.err.contains("no row grades nobody; the data grades new"),
        "{}",
        few.err
    );
    assert!(!folder.join("x").exists(), "nothing is written");
    let usage = run(&folder, &["train", "--model", "m.sluice", "--data", "new.jsonl", "--out", "x"]);
    assert!(usage.code == Some(2) && usage.err.contains("--add"), "{}", usage.err);
}
