//! What every dialect promises, checked over each row of `PROTOCOLS` against a worker that fails on order.

use crate::{call, endpoint, engine, read};
use futures::StreamExt as _;
use sluice_experts::{Call, Endpoint, Engine, ErrorKind, Event, ExpertError, PROTOCOLS};
use sluice_sim::{Answer, Answers, Fault, Faults, Profile, Running, SimConfig, count_tokens, start};
use std::sync::Arc;
use std::time::Duration;

/// Says `word word word ...`, as many as the prompt asks for.
struct Parrot;

impl Answers for Parrot {
    fn answer(&self, prompt: &str, _: u32) -> Answer {
        let tokens = prompt.split(' ').next().and_then(|count| count.parse().ok()).unwrap_or(5);
        Answer { output_tokens: tokens, input_tokens: None, text: Some("word ".repeat(tokens as usize)) }
    }
}

pub(crate) async fn worker(faults: &Faults, scale: f64) -> Running {
    let profile = Profile::named("8b-h100").unwrap();
    let config = SimConfig {
        time_scale: scale,
        answers: Arc::new(Parrot),
        api_key: Some("key-4711".to_owned()),
        faults: faults.clone(),
        ..SimConfig::new(profile)
    };
    start(config).await.unwrap()
}

/// Every dialect against a worker of its own.
async fn each(scale: f64, check: impl AsyncFn(&'static str, Endpoint, Faults)) {
    assert!(PROTOCOLS.len() >= 2);
    for row in PROTOCOLS {
        let faults = Faults::none();
        let running = worker(&faults, scale).await;
        check(row.name, endpoint(running.addr), faults).await;
    }
}

/// How a call ends, whether it was refused, broke or finished.
async fn end(engine: &Arc<dyn Engine>, call: Call) -> (String, Result<Event, ExpertError>) {
    match engine.generate(call).await {
        Err(error) => (String::new(), Err(error)),
        Ok(events) => {
            let (text, end) = read(events).await;
            (text, end.expect("a stream says how it ended"))
        }
    }
}

/// Reads the worker's gauge until it shows `want`: its view of a cancelled call, not ours.
async fn running_is(endpoint: &Endpoint, want: u32) {
    let address = endpoint.url.trim_start_matches("http://");
    loop {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
        socket.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).await.unwrap();
        if text
            .lines()
            .any(|line| line.starts_with("vllm:num_requests_running") && line.ends_with(&format!(" {want}")))
        {
            return;
        }
    }
}

#[tokio::test]
async fn an_answer_arrives_whole_with_its_usage() {
    each(100.0, async |name, endpoint, _| {
        let engine = engine(name, endpoint);
        engine.probe().await.unwrap();
        let (text, end) = end(&engine, call("40 words please", 100)).await;
        assert_eq!(text, "word ".repeat(40), "{name}");
        let Ok(Event::Finished(finish)) = end else { panic!("{name}: {end:?}") };
        assert_eq!((finish.reason.as_str(), finish.simulated), ("stop", false), "{name}");
        let usage = finish.usage.unwrap();
        assert_eq!((usage.prompt, usage.output), (count_tokens("40 words please"), 40), "{name}");
    })
    .await;
}

#[tokio::test]
async fn a_limit_ends_the_answer_with_length() {
    each(100.0, async |name, endpoint, _| {
        let (_, end) = end(&engine(name, endpoint), call("40 words please", 7)).await;
        let Ok(Event::Finished(finish)) = end else { panic!("{name}: {end:?}") };
        assert_eq!((finish.reason.as_str(), finish.usage.unwrap().output), ("length", 7), "{name}");
    })
    .await;
}

#[tokio::test]
async fn each_failure_has_its_kind() {
    each(100.0, async |name, endpoint, faults| {
        let engine = engine(name, endpoint);
        let wait = Duration::from_millis(2_500);
        // Over HTTP a 429 is about the account; a native engine speaks of itself.
        let is_quota = name == "openai";
        let table = [
            (
                Fault::Busy { retry_after: Some(wait) },
                "",
                ErrorKind::Busy { retry_after: Some(wait), is_quota },
            ),
            (
                Fault::Busy { retry_after: Some(wait * 1_000) },
                "",
                ErrorKind::Busy { retry_after: Some(Duration::from_secs(60)), is_quota },
            ),
            (Fault::Busy { retry_after: None }, "", ErrorKind::Busy { retry_after: None, is_quota }),
            (Fault::Status(500), "", ErrorKind::Failed),
            (Fault::Status(400), "", ErrorKind::Rejected { status: 400 }),
            (Fault::Status(404), "", ErrorKind::Rejected { status: 404 }),
            (Fault::Status(403), "", ErrorKind::Unauthorised),
            (Fault::HangUp, "", ErrorKind::Truncated),
            (Fault::BreakAfter { tokens: 0 }, "", ErrorKind::Truncated),
            (Fault::BreakAfter { tokens: 2 }, "word word ", ErrorKind::Truncated),
            (Fault::EndAfter { tokens: 0 }, "", ErrorKind::Truncated),
            (Fault::EndAfter { tokens: 3 }, "word word word ", ErrorKind::Truncated),
        ];
        for (fault, text, kind) in table {
            faults.push(fault);
            let (got, end) = end(&engine, call("5 words", 100)).await;
            assert_eq!(
                (got.as_str(), end.map_err(|error| error.kind)),
                (text, Err(kind)),
                "{name}: {fault:?}"
            );
        }
        // None of that has spoilt the engine for the next call.
        assert!(end(&engine, call("5 words", 100)).await.1.is_ok(), "{name}");
    })
    .await;
}

#[tokio::test]
async fn a_prompt_beyond_the_context_and_a_wrong_key_are_told_apart() {
    each(100.0, async |name, endpoint, _| {
        let long = "x".repeat(4 * 445_000);
        let (_, got) = end(&engine(name, endpoint.clone()), call(&long, 9)).await;
        assert_eq!(got.unwrap_err().kind, ErrorKind::ContextTooLong, "{name}");
        let stranger = Endpoint { api_key: Some(sluice_experts::Secret::new("wrong")), ..endpoint };
        let (_, got) = end(&engine(name, stranger), call("5 words", 9)).await;
        let error = got.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unauthorised, "{name}");
        assert!(!error.detail.contains("wrong"), "{name}: {error}");
    })
    .await;
}

#[tokio::test]
async fn silence_ends_by_the_right_timer_and_reaches_the_worker() {
    each(100.0, async |name, endpoint, faults| {
        let impatient = Endpoint {
            first_token_timeout: Duration::from_millis(400),
            idle_timeout: Duration::from_millis(100),
            connect_timeout: Duration::from_millis(50),
            ..endpoint.clone()
        };
        let engine = engine(name, impatient);
        faults.push(Fault::StallAfter { tokens: 0 });
        let (_, got) = end(&engine, call("5 words", 9)).await;
        assert_eq!(got.unwrap_err().kind, ErrorKind::FirstTokenTimeout, "{name}");
        faults.push(Fault::StallAfter { tokens: 1 });
        let (text, got) = end(&engine, call("2000 words", 9_000)).await;
        assert_eq!((text.as_str(), got.unwrap_err().kind), ("word ", ErrorKind::IdleTimeout), "{name}");
        running_is(&endpoint, 0).await;
    })
    .await;
}

#[tokio::test]
async fn a_deadline_binds_the_whole_answer() {
    each(1.0, async |name, endpoint, _| {
        let engine = engine(name, endpoint.clone());
        let late = Call { time_left: Some(Duration::from_millis(500)), ..call("5000 words", 9_000) };
        let (text, got) = end(&engine, late).await;
        assert_eq!(got.unwrap_err().kind, ErrorKind::Deadline, "{name}");
        assert!(!text.is_empty(), "{name}: some of it came in time");
        running_is(&endpoint, 0).await;
    })
    .await;
}

#[tokio::test]
async fn a_deadline_beyond_all_bounds_is_none() {
    each(100.0, async |name, endpoint, _| {
        let engine = engine(name, endpoint);
        let patient = Call { time_left: Some(Duration::from_micros(u64::MAX)), ..call("5 words", 9) };
        let (text, got) = end(&engine, patient).await;
        assert!(matches!(got, Ok(Event::Finished(_))) && !text.is_empty(), "{name}: {got:?}");
    })
    .await;
}

#[tokio::test]
async fn dropping_the_stream_or_the_call_frees_the_worker() {
    each(1.0, async |name, endpoint, _| {
        let engine = engine(name, endpoint.clone());
        let mut events = engine.generate(call("5000 words", 9_000)).await.unwrap();
        assert!(matches!(events.next().await, Some(Ok(Event::Delta { .. }))), "{name}");
        running_is(&endpoint, 1).await;
        drop(events);
        running_is(&endpoint, 0).await;

        // A prompt that takes seconds: dropped before the first token.
        let long = "x".repeat(4 * 300_000);
        tokio::select! {
            _ = engine.generate(call(&long, 9)) => panic!("{name}: answered too soon"),
            () = running_is(&endpoint, 1) => {}
        }
        running_is(&endpoint, 0).await;
    })
    .await;
}

#[tokio::test]
async fn nobody_there_is_unreachable_and_a_worker_that_dies_truncates() {
    for row in PROTOCOLS {
        let running = worker(&Faults::none(), 1.0).await;
        let engine = engine(row.name, endpoint(running.addr));
        let mut events = engine.generate(call("5000 words", 9_000)).await.unwrap();
        events.next().await.unwrap().unwrap();
        drop(running);
        let (_, end) = read(events).await;
        assert_eq!(end.unwrap().unwrap_err().kind, ErrorKind::Truncated, "{}", row.name);
        let error = engine.generate(call("5 words", 9)).await.err().unwrap();
        assert_eq!(error.kind, ErrorKind::Unreachable, "{}: {error}", row.name);
        assert_eq!(engine.probe().await.unwrap_err().kind, ErrorKind::Unreachable, "{}", row.name);
    }
}

#[tokio::test]
async fn many_at_once_all_end() {
    each(100.0, async |name, endpoint, _| {
        let engine = engine(name, endpoint);
        let calls = (0..200).map(|i| {
            let engine = engine.clone();
            async move { end(&engine, call(&format!("{} words", 1 + i % 50), 100)).await }
        });
        for (i, (text, end)) in futures::future::join_all(calls).await.into_iter().enumerate() {
            assert_eq!(text.split_whitespace().count(), 1 + i % 50, "{name}");
            assert!(end.is_ok(), "{name}: {end:?}");
        }
    })
    .await;
}

/// With Nagle's algorithm at either end, small writes on a connection in use wait 40 ms for an acknowledgement.
#[tokio::test]
async fn calls_on_a_reused_connection_wait_for_no_delayed_acknowledgement() {
    each(1_000.0, async |name, endpoint, _| {
        let engine = engine(name, endpoint);
        let mut slow = 0;
        for _ in 0..20 {
            let answered = end(&engine, call("30 words", 100));
            slow += usize::from(tokio::time::timeout(Duration::from_millis(35), answered).await.is_err());
        }
        assert!(slow < 5, "{name}: {slow} of 20 calls took 35 ms or more");
    })
    .await;
}
