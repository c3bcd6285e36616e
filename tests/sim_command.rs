//! `sluice sim` as a process: its ready line, an answer, its signals and its refusals.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

fn sluice(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    command.arg("sim").args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn it_says_where_it_listens_answers_and_ends_with_zero_on_a_signal() {
    let mut child =
        sluice(&["--profile", "8b-h100", "--time-scale", "100", "--model", "tiny"]).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let addr = line.split_whitespace().find_map(|word| word.strip_prefix("addr=")).unwrap();
    assert!(line.starts_with("sluice sim ready addr=") && line.contains("profile=8b-h100"), "{line}");
    assert!(line.contains("simulated"), "{line}");

    let mut socket = TcpStream::connect(addr).unwrap();
    socket.write_all(b"GET /v1/models HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    assert!(text.contains("\"id\":\"tiny\""), "{text}");

    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn what_it_cannot_use_ends_with_two_and_the_mend() {
    for (args, part) in [
        (&["--profile", "9b-tpu"][..], "neither a GPU profile (8b-l4, 8b-fp8-l4"),
        (&["--profile", "Cargo.toml"], "Cargo.toml: TOML parse error at line"),
        (&["--profile", "8b-l4", "--time-scale", "-1"], "must be above 0"),
        (&["--profile", "8b-l4", "--listen", "here"], "--listen"),
    ] {
        let output = sluice(args).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
        assert!(text.contains(part), "{args:?}: {text}");
    }
}

#[test]
fn a_profile_is_fitted_to_a_worker_over_http() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("mine.toml");
    let mut worker = sluice(&["--profile", "8b-h100", "--model", "tiny"]).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(worker.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let addr = line.split_whitespace().find_map(|word| word.strip_prefix("addr=")).unwrap();
    let target = format!("http://{addr}/v1");
    let mut fit = sluice(&["fit", "--target", &target, "--model", "tiny", "--input-tokens", "1024"]);
    fit.args(["--output-tokens", "16", "--most-users", "2", "--repeats", "1", "--runs", "1"]);
    let fitted = fit.args(["--requests", "10", "--json", "--out"]).arg(&out).output().unwrap();
    worker.kill().unwrap();
    worker.wait().unwrap();

    let text = String::from_utf8_lossy(&fitted.stderr);
    assert_eq!(fitted.status.code(), Some(0), "{text}");
    let json: serde_json::Value = serde_json::from_slice(&fitted.stdout).unwrap();
    // 7 ms for the weights; the rest is what a busy machine adds.
    let base = json["profile"]["decode_base_ms"].as_f64().unwrap();
    assert!((5.0..14.0).contains(&base), "{json}");
    assert_eq!(json["loads"].as_array().unwrap().len(), 3, "{json}");
    let profile = std::fs::read_to_string(&out).unwrap();
    assert!(profile.contains("basis = \"fitted\"") && profile.contains(&target), "{profile}");
}

#[test]
fn a_fit_that_cannot_begin_says_why() {
    for (args, code, part) in [
        (&["--target", "grpc://127.0.0.1:1", "--model", "m"][..], 2, "give one engine's http://HOST:PORT"),
        (&["--target", "http://127.0.0.1:1", "--model", "m", "--runs", "0"], 2, "--runs 0"),
        (&["--target", "http://127.0.0.1:1", "--model", "m", "--extra", "{"], 2, "--extra"),
        (&["--target", "http://127.0.0.1:1"], 2, "--model"),
        (&["--target", "http://127.0.0.1:1", "--model", "m"], 1, "the engine"),
    ] {
        let output = sluice(&["fit"]).args(args).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
        assert!(text.contains(part), "{args:?}: {text}");
    }
}
