//! Whose fault a failure is, a target that goes away, and a run that is told to stop.

use crate::mock::{Mock, carry_out, run};
use sluice_load::arrivals::Asked;
use sluice_load::{End, FaultKind, Sample, Why, drive};
use std::io::Write as _;
use std::net::TcpListener;
use std::time::Duration;

const MS: u64 = 1_000_000;

/// A server that reads a request and gives this as its answer, byte for byte.
fn canned(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let _ = std::io::Read::read(&mut socket, &mut [0; 65_536]);
            let _ = socket.write_all(answer.as_bytes());
        }
    });
    format!("http://{address}")
}

fn one() -> Asked {
    Asked { rate: Some(1_000.0), requests: Some(1), ..Asked::default() }
}

async fn failure(url: &str) -> (FaultKind, String) {
    let mut test = run(url, &one(), true);
    test.timeout = Duration::from_millis(300);
    let (samples, ..) = carry_out(test).await;
    match &samples[0].end {
        End::Failed { kind, code } => (*kind, code.clone()),
        other => panic!("{url}: {other:?}"),
    }
}

macro_rules! http {
    ($status:literal, $type:literal, $body:literal) => {
        concat!("HTTP/1.1 ", $status, "\r\ncontent-type: ", $type, "\r\nconnection: close\r\n\r\n", $body)
    };
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_says_whose_fault_it_is() {
    for (answer, kind, code) in [
        (
            http!("429 Too Many", "application/json", r#"{"error":{"code":"rate_limited"}}"#),
            FaultKind::Refused,
            "rate_limited",
        ),
        (http!("503 Busy", "text/plain", "busy"), FaultKind::Refused, "503"),
        (
            http!("400 Bad", "application/json", r#"{"error":{"message":"x","code":null}}"#),
            FaultKind::Request,
            "400",
        ),
        (http!("500 Oops", "text/html", "<html>"), FaultKind::Target, "500"),
        (
            http!("502 Bad", "application/json", r#"{"error":{"code":"upstream_error"}}"#),
            FaultKind::Target,
            "upstream_error",
        ),
        (
            http!("504 Late", "application/json", r#"{"error":{"code":"upstream_timeout"}}"#),
            FaultKind::Target,
            "upstream_timeout",
        ),
        (http!("504 Late", "text/plain", "late"), FaultKind::Timeout, "504"),
        (http!("200 OK", "text/html", "<html>"), FaultKind::Target, "bad_body"),
        (
            http!("200 OK", "text/event-stream", "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"),
            FaultKind::Broken,
            "truncated",
        ),
        (
            http!("200 OK", "text/event-stream", "data: {\"error\":{\"code\":\"upstream_error\"}}\n\n"),
            FaultKind::Target,
            "upstream_error",
        ),
        ("", FaultKind::Target, "connection_lost"),
    ] {
        assert_eq!(failure(&canned(answer)).await, (kind, code.to_owned()), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_there_and_nothing_in_time_are_told_apart() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for scheme in ["http", "grpc"] {
        let got = failure(&format!("{scheme}://{closed}")).await;
        assert_eq!(got, (FaultKind::Connect, "connection_refused".to_owned()), "{scheme}");
    }
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for scheme in ["http", "grpc"] {
        let url = format!("{scheme}://{}", silent.local_addr().unwrap());
        assert_eq!(failure(&url).await, (FaultKind::Timeout, "tester_timeout".to_owned()), "{scheme}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_target_is_gone_ends_early_with_what_it_has() {
    for dialect in ["grpc", "http"] {
        let mock = Mock::start(|_, _| (MS, MS));
        let asked = Asked { rate: Some(100.0), duration_s: Some(30.0), ..Asked::default() };
        let mut test = run(&mock.url(dialect), &asked, true);
        test.give_up_after = Duration::from_millis(400);
        let mut samples: Vec<Sample> = Vec::new();
        let mut mock = Some(mock);
        let mut sink = |sample: Sample| {
            samples.push(sample);
            // It dies after some answers.
            if samples.len() == 30 {
                mock = None;
            }
        };
        let driven = drive(test, std::future::pending(), &mut sink);
        let ended = tokio::time::timeout(Duration::from_secs(20), driven).await.expect("it gives up");
        assert!(matches!(&ended.why, Why::TargetGone(why) if why.contains("refused")), "{:?}", ended.why);
        assert!(samples.iter().filter(|sample| sample.is_ok()).count() >= 20, "{dialect}");
        let connect = |sample: &&Sample| matches!(sample.end, End::Failed { kind: FaultKind::Connect, .. });
        assert!(samples.iter().filter(connect).count() > 10, "{dialect}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_told_to_stop_says_what_was_unfinished() {
    let mock = Mock::start(|n, _| (if n < 10 { MS } else { 60_000 * MS }, MS));
    let asked = Asked { rate: Some(200.0), duration_s: Some(600.0), ..Asked::default() };
    let test = run(&mock.url("grpc"), &asked, true);
    let gauge = test.gauge.clone();
    let stop = async {
        while gauge.open() < 20 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let mut count = 0;
    let mut sink = |_| count += 1;
    let driven = drive(test, stop, &mut sink);
    let ended = tokio::time::timeout(Duration::from_secs(20), driven).await.expect("it stops");
    assert_eq!((ended.why, count), (Why::Stopped, 10));
    assert!(ended.unfinished >= 20);
}
