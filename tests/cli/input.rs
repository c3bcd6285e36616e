//! Bad input: each a clear error with its place and mend, and the right exit code.

use crate::process::{folder, run, run_with, sluice};
use std::process::Stdio;

/// Exit code 2 and every one of `told` on stderr, nothing on stdout.
fn refused(args: &[&str], told: &[&str]) {
    let folder = folder("input");
    std::fs::write(folder.join("unknown.toml"), "[server]\nlisen = \"127.0.0.1:0\"\n").expect("our folder");
    let profiled = "[[expert]]\nname = \"a\"\nprice = { input_per_mtok = \"1\", output_per_mtok = \"1\" }\n\
                    [[expert.pool]]\nname = \"p\"\nprotocol = \"openai\"\nendpoints = [\"http://10.0.0.11:8000\"]\n\
                    profile = \"warp-core\"\n[[route]]\nname = \"auto\"\nreference = \"a\"\n";
    std::fs::write(folder.join("profiled.toml"), profiled).expect("our folder");
    std::fs::write(folder.join("damaged.sluice"), b"SLUICE but not really").expect("our folder");
    std::fs::write(
        folder.join("prices.toml"),
        "[expert.\"a\"]\ninput_per_mtok = \"1\"\noutput_per_mtok = \"1\"\n",
    )
    .expect("our folder");
    std::fs::write(folder.join("rows.jsonl"), "{\"id\":\"1\"\nnot json\n").expect("our folder");
    std::fs::write(folder.join("empty.jsonl"), "").expect("our folder");
    let ended = run(&folder, args);
    assert_eq!(ended.code, Some(2), "{args:?}: {}{}", ended.out, ended.err);
    assert_eq!(ended.out, "", "{args:?}");
    for part in told {
        assert!(ended.err.contains(part), "{args:?} does not say {part:?}: {}", ended.err);
    }
    assert!(!ended.err.contains("panicked"), "{}", ended.err);
}

#[test]
fn configurations() {
    refused(&["config", "check", "unknown.toml"], &["unknown.toml:2:1", "lisen", "did you mean `listen`"]);
    refused(&["config", "check", "missing.toml"], &["missing.toml", "config init"]);
    refused(&["config", "check", "profiled.toml"], &["warp-core", "8b-a100"]);
    refused(&["serve", "--config", "unknown.toml"], &["unknown.toml:2:1"]);
    refused(&["explain", "--config", "missing.toml", "--prompt", "x"], &["missing.toml"]);
}

#[test]
fn models_and_data() {
    refused(&["route", "--model", "damaged.sluice", "--prices", "prices.toml"], &["damaged.sluice"]);
    refused(&["route", "--model", "missing.sluice", "--prices", "prices.toml"], &["missing.sluice"]);
    refused(
        &["eval", "--model", "damaged.sluice", "--data", "rows.jsonl", "--prices", "prices.toml"],
        &["damaged.sluice"],
    );
    refused(&["train", "--data", "rows.jsonl", "--prices", "prices.toml", "--out", "m"], &["rows.jsonl"]);
    refused(&["train", "--data", "empty.jsonl", "--prices", "prices.toml", "--out", "m"], &["empty.jsonl"]);
    refused(
        &["train", "--data", "missing.jsonl", "--prices", "prices.toml", "--out", "m"],
        &["missing.jsonl"],
    );
    refused(&["demo", "--once", "--data", "missing.jsonl"], &["missing.jsonl"]);
    refused(&["report", "--ledger", "sqlite:missing.db"], &["missing.db"]);
    refused(&["sim", "--profile", "warp-core"], &["warp-core", "8b-a100"]);
}

#[test]
fn usage() {
    refused(&["fly"], &["unrecognized subcommand"]);
    refused(&["demo", "--floor", "7"], &["above 0 and at most 1"]);
    refused(&["demo", "--requests", "0"], &["--requests"]);
}

#[test]
fn every_command_shows_an_example_in_its_help() {
    let commands =
        ["demo", "serve", "train", "eval", "tune", "route", "explain", "report", "sim", "config", "load"];
    let within = [
        vec!["config", "check"],
        vec!["config", "schema"],
        vec!["config", "init"],
        vec!["config", "import-prices"],
        vec!["ledger", "purge"],
        vec!["sim", "fit"],
        vec!["load", "compare"],
        vec!["load", "merge"],
    ];
    for mut args in commands.map(|name| vec![name]).into_iter().chain(within) {
        args.push("--help");
        let help = run(&folder("help"), &args);
        let has_example = ["Example:\n  ", "Examples:\n  "].iter().any(|begin| help.out.contains(begin));
        assert!(help.code == Some(0) && has_example, "{args:?}: {}", help.out);
    }
}

#[test]
fn what_config_init_writes_is_valid_and_so_are_the_examples() {
    let folder = folder("init");
    let starter = run(&folder, &["config", "init"]);
    assert_eq!(starter.code, Some(0));
    std::fs::write(folder.join("sluice.toml"), &starter.out).expect("our folder");
    let checked = run(&folder, &["config", "check", "sluice.toml"]);
    assert_eq!(checked.code, Some(0), "{}", checked.err);
    assert!(checked.out.contains("everything goes to general-70b"), "{}", checked.out);
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/two-engines.toml");
    let checked = run(&folder, &["config", "check", example]);
    assert_eq!(checked.code, Some(0), "{}", checked.err);
    std::fs::write(folder.join("deployed.toml"), deployed()).expect("our folder");
    let checked = run(&folder, &["config", "check", "deployed.toml"]);
    assert_eq!(checked.code, Some(0), "{}", checked.err);
    let schema = run(&folder, &["config", "schema"]);
    serde_json::from_str::<serde_json::Value>(&schema.out).expect("the schema is JSON");
}

/// The configuration inside the Kubernetes manifest.
fn deployed() -> String {
    let manifest = include_str!("../../deploy/kubernetes/configmap.yaml");
    let (_, block) = manifest.split_once("sluice.toml: |\n").expect("the manifest holds it");
    let lines = block.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    lines.map(|line| format!("{}\n", line.trim_start())).collect()
}

#[test]
fn every_command_has_help_with_an_example() {
    let folder = folder("help");
    let all = run(&folder, &["--help"]);
    let commands = all.out.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let names: Vec<&str> =
        commands.map_while(|line| line.split_whitespace().next()).filter(|&name| name != "help").collect();
    assert!(names.len() >= 8, "{names:?}");
    for name in names {
        let help = run_with(&folder, &[name, "--help"], b"");
        assert_eq!(help.code, Some(0));
        assert!(help.out.contains("Example"), "{name}: {}", help.out);
    }
}

#[test]
fn a_cause_is_said_once() {
    let folder = folder("once");
    let text = "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n\
                [store]\njournal = \"sqlite:nowhere/l.db\"\n\
                [[expert]]\nname = \"a\"\nprice = { input_per_mtok = \"1\", output_per_mtok = \"2\" }\n\
                [[expert.pool]]\nname = \"p\"\nendpoints = [\"http://127.0.0.1:1\"]\n";
    std::fs::write(folder.join("sluice.toml"), text).expect("our folder");
    let ended = run(&folder, &["serve", "--config", "sluice.toml"]);
    assert_eq!(ended.code, Some(2), "{}", ended.err);
    let error = ended.err.lines().find(|line| line.starts_with("error:")).expect("it complains");
    assert_eq!(error.matches("make it first").count(), 1, "{error}");
}

#[test]
fn output_that_nobody_reads_is_no_error_to_complain_of() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut schema = sluice(&folder("head"), &["config", "schema"]);
    let ended = schema.stdin(Stdio::null()).stdout(writer).output().expect("the binary is built");
    assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(1), &b""[..]));
}

#[test]
fn a_model_that_could_not_be_written_is_refused_before_the_training() {
    let folder = folder("out");
    let prices = "[expert.\"a\"]\ninput_per_mtok = \"1\"\noutput_per_mtok = \"1\"\n";
    std::fs::write(folder.join("prices.toml"), prices).expect("our folder");
    std::fs::write(folder.join("rows.jsonl"), "not read").expect("our folder");
    for out in ["nowhere/m", "."] {
        let args = ["train", "--data", "rows.jsonl", "--prices", "prices.toml", "--out", out];
        let ended = run(&folder, &args);
        assert_eq!(ended.code, Some(2), "{}", ended.err);
        assert!(
            !ended.err.contains("rows.jsonl") && ended.err.contains(&format!("{out}: ")),
            "{}",
            ended.err
        );
    }
    assert_eq!(std::fs::read_dir(&folder).expect("our folder").count(), 2, "nothing is left behind");
}
