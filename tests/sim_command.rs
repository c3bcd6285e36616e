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
