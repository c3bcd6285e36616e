//! `load`: against a gateway with a simulated pool, and what it says when it can't go on.

use crate::process::{Served, folder, run, signal, sluice};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// A gateway with one simulated expert.
fn gateway(folder: &Path) -> Served {
    let config = "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n\
                  [[expert]]\nname = \"big\"\nprice = { input_per_mtok = \"1\", output_per_mtok = \"2\" }\n\
                  [[expert.pool]]\nname = \"big-a\"\nprotocol = \"sim\"\nprofile = \"8b-a100\"\ntime_scale = 20\n";
    std::fs::write(folder.join("sluice.toml"), config).expect("our folder");
    Served::start(folder, "sluice.toml")
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text:?}"))
}

#[test]
fn a_test_over_either_protocol_counts_what_was_sent_and_answered() {
    let folder = folder("load");
    let served = gateway(&folder);
    std::fs::write(
        folder.join("prompts.jsonl"),
        "{\"prompt\":\"tell me a story\"}\n{\"messages\":[{\"role\":\"user\",\"content\":\"why?\"}],\"max_tokens\":3}\n",
    )
    .expect("our folder");
    std::fs::write(
        folder.join("trace.csv"),
        "arrival_s,input_tokens,output_tokens\n0,9,4\n0.2,5,2\n0.4,3,3\n",
    )
    .expect("our folder");
    let (grpc, http) = (format!("grpc://{}", served.data), format!("http://{}/v1", served.data));
    for (target, more, sent) in [
        (&grpc, &["--rate", "50", "--requests", "20", "--output-tokens", "5"][..], 20),
        (&grpc, &["--trace", "trace.csv", "--speed", "2", "--unary"], 3),
        (&http, &["--rate", "50", "--constant", "--duration", "0.5", "--output-tokens", "5"], 25),
        (
            &http,
            &["--concurrency", "3", "--requests", "9", "--prompts", "prompts.jsonl", "--max-tokens", "4"],
            9,
        ),
        (&http, &["--rate", "20", "--requests", "6", "--turns", "2", "--tenants", "a=1,b=2", "--unary"], 6),
    ] {
        let args = [&["load", "--target", target, "--json"], more].concat();
        let ended = run(&folder, &args);
        assert_eq!(ended.code, Some(0), "{args:?}: {}", ended.err);
        let figures = json(&ended.out);
        assert_eq!((&figures["sent"], &figures["ok"]), (&sent.into(), &sent.into()), "{args:?}: {figures}");
    }
}

#[test]
fn a_target_that_goes_away_ends_the_run_with_one_and_what_there_is() {
    let folder = folder("gone");
    let mut served = gateway(&folder);
    let target = format!("http://{}", served.data);
    let args = ["load", "--target", &target, "--rate", "50", "--duration", "60", "--output-tokens", "4"];
    let mut command = sluice(&folder, &[&args[..], &["--give-up-after", "0.5", "--json"]].concat());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary is built");
    std::thread::sleep(Duration::from_secs(2));
    served.child.kill().expect("it is ours");
    let output = child.wait_with_output().expect("it gives up");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{out}{err}");
    assert!(err.contains("could not be reached for 0.5 s") && err.contains("refused"), "{err}");
    let figures = json(&out);
    let number = |name: &str| figures[name].as_u64().unwrap_or_else(|| panic!("{name}: {figures}"));
    assert!(number("ok") > 0 && number("errors") > 0, "{figures}");
}

#[test]
fn a_signal_ends_the_run_with_what_there_is() {
    for name in ["INT", "TERM"] {
        stopped_by(name);
    }
}

fn stopped_by(name: &str) {
    let folder = folder("interrupt");
    let served = gateway(&folder);
    let target = format!("grpc://{}", served.data);
    let args =
        ["load", "--target", &target, "--rate", "50", "--duration", "60", "--output-tokens", "4", "--json"];
    let child = sluice(&folder, &args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary is built");
    std::thread::sleep(Duration::from_secs(2));
    signal(child.id(), name);
    let output = child.wait_with_output().expect("it stops");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    assert!(err.contains("stopped"), "{err}");
    assert!(json(&out)["ok"].as_u64() > Some(0), "{out}");
}

#[test]
fn what_it_cannot_do_is_said_with_its_mend() {
    let folder = folder("load-input");
    std::fs::write(folder.join("bad.csv"), "arrival_s,input_tokens,output_tokens\n0,1,2\n1,many,2\n")
        .expect("our folder");
    std::fs::write(folder.join("bad.jsonl"), "{\"prompt\":\"a\"}\n{\"text\":1}\n").expect("our folder");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("free").local_addr().expect("bound");
    let (closed, target) = (format!("http://{closed}"), "http://127.0.0.1:1");
    let rate = ["--rate", "1", "--duration", "1"];
    for (target, more, code, part) in [
        (closed.as_str(), &rate[..], 1, "can't be reached: Connection refused"),
        ("127.0.0.1:8080", &rate, 2, "no scheme; write grpc://HOST:PORT"),
        (target, &["--rate", "1"], 2, "give --duration or --requests"),
        (target, &["--duration", "1"], 2, "nothing says when to send"),
        (target, &["--ramp", "5", "--duration", "1"], 2, "10:100"),
        (target, &["--trace", "bad.csv"], 2, "bad.csv:3: input_tokens \"many\""),
        (target, &["--trace", "none.csv"], 2, "none.csv"),
        (
            target,
            &[&rate[..], &["--prompts", "bad.jsonl"]].concat(),
            2,
            "bad.jsonl:2: neither prompt nor messages",
        ),
        (target, &[&rate[..], &["--prompts", "none.jsonl"]].concat(), 2, "none.jsonl"),
        (
            target,
            &[&rate[..], &["--key-env", "NO_SUCH_KEY"]].concat(),
            2,
            "NO_SUCH_KEY: that variable is not set",
        ),
        (target, &[&rate[..], &["--header", "x"]].concat(), 2, "write NAME=VALUE"),
        (target, &[&rate[..], &["--header", "host=x"]].concat(), 2, "\"host\" can't be sent"),
        (target, &[&rate[..], &["--extra", "[1]"]].concat(), 2, "write a JSON object"),
        (target, &[&rate[..], &["--tenants", "a b"]].concat(), 2, "NAME=SHARE"),
        (target, &[&rate[..], &["--max-open", "0"]].concat(), 2, "--max-open 0"),
        (target, &[&rate[..], &["--connections", "0"]].concat(), 2, "--connections 0: give 1 to"),
        (target, &[&rate[..], &["--timeout", "0"]].concat(), 2, "--timeout 0: must be above 0"),
    ] {
        let args = [&["load", "--target", target], more].concat();
        let ended = run(&folder, &args);
        assert_eq!((ended.code, ended.out.as_str()), (Some(code), ""), "{args:?}: {}", ended.err);
        assert!(ended.err.contains(part), "{args:?} does not say {part:?}: {}", ended.err);
    }
}

#[test]
fn a_gate_ends_with_three_and_names_the_figure_and_an_unknown_one_is_no_pass() {
    let folder = folder("load-gates");
    let served = gateway(&folder);
    let target = format!("grpc://{}", served.data);
    let args =
        ["load", "--target", &target, "--rate", "50", "--requests", "20", "--output-tokens", "4", "--json"];
    for (gate, code, part) in [
        ("cost_per_1k>1000", 0, ""),
        ("ttft_p50>0.001ms", 3, "ttft_p50>0.001ms: ttft_p50 is "),
        ("quality<0.5", 1, "this run doesn't know quality"),
        ("speed<1", 2, "known: ttft_p50"),
    ] {
        let ended = run(&folder, &[&args[..], &["--fail-if", gate]].concat());
        assert_eq!(ended.code, Some(code), "{gate}: {}", ended.err);
        assert!(ended.err.contains(part), "{gate}: {}", ended.err);
        if code != 2 {
            let gates = &json(&ended.out)["gates"][0];
            assert_eq!((&gates["expr"], &gates["held"]), (&gate.into(), &(code == 0).into()), "{gates}");
        }
    }
}

#[test]
fn saved_runs_are_merged_and_compared_and_the_page_needs_nothing_else() {
    let folder = folder("load-merge");
    let served = gateway(&folder);
    let target = format!("grpc://{}", served.data);
    for (seed, file) in [("1", "a.json"), ("2", "b.json")] {
        let args = ["load", "--target", &target, "--rate", "60", "--requests", "30", "--output-tokens", "4"];
        let ended = run(&folder, &[&args[..], &["--seed", seed, "--save", file]].concat());
        assert_eq!(ended.code, Some(0), "{}", ended.err);
    }
    let merged = run(&folder, &["load", "merge", "a.json", "b.json", "--json", "--report", "all.html"]);
    assert_eq!(json(&merged.out)["sent"], 60, "{}", merged.err);
    let page = std::fs::read_to_string(folder.join("all.html")).expect("it was written");
    assert!(page.contains("60 of 60 answered") && !page.contains("http://") && !page.contains("<script"));
    let compared = run(&folder, &["load", "compare", "a.json", "b.json"]);
    assert_eq!(compared.code, Some(0), "{}", compared.err);
    assert!(compared.out.contains("ttft_p50"), "{}", compared.out);
    let foreign = run(&folder, &["load", "compare", "a.json", "all.html"]);
    assert_eq!(foreign.code, Some(2), "{}", foreign.err);
    assert!(foreign.err.contains("all.html: neither a file of"), "{}", foreign.err);
}

#[test]
fn a_search_and_a_sweep_tell_every_rate() {
    let folder = folder("load-search");
    let served = gateway(&folder);
    let target = format!("grpc://{}", served.data);
    let args = ["load", "--target", &target, "--output-tokens", "4", "--json", "--duration", "0.5"];
    let impossible = ["--slo", "e2e_p50=1us", "--rate", "800", "--requests", "50", "--find-max"];
    let none = run(&folder, &[&args[..], &impossible].concat());
    assert_eq!(none.code, Some(3), "{}", none.err);
    let search = &json(&none.out)["search"];
    assert!(
        search["rate_rps"].is_null() && search["probes"].as_array().is_some_and(|all| all.len() > 5),
        "{search}"
    );
    let swept = run(&folder, &[&args[..], &["--sweep", "100,200"]].concat());
    assert_eq!(swept.code, Some(0), "{}", swept.err);
    assert_eq!(json(&swept.out)["sweep"].as_array().map(Vec::len), Some(2), "{}", swept.out);
    let alone = run(&folder, &[&args[..], &["--sweep", "4"]].concat());
    assert_eq!(alone.code, Some(2), "{}", alone.err);
}
