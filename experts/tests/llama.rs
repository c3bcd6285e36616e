//! The OpenAI dialect against a real engine, llama.cpp's `llama-server`, when one is at hand:
//! `SLUICE_LLAMA_SERVER` names the binary and `SLUICE_LLAMA_MODEL` a GGUF file. Else the test says loudly that it skips.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use futures::StreamExt as _;
use sluice_experts::{Call, Endpoint, Engine, ErrorKind, Event, Finish, protocol};
use sluice_proto::v1::{GenerateRequest, Message};
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A running llama-server with one slot of 16,384 tokens. Dropping it kills it.
struct Llama {
    child: Child,
    addr: SocketAddr,
}

impl Llama {
    /// `None`, said loudly, without a binary and a model.
    async fn start() -> Option<Llama> {
        let (Ok(binary), Ok(model)) =
            (std::env::var("SLUICE_LLAMA_SERVER"), std::env::var("SLUICE_LLAMA_MODEL"))
        else {
            // Not `eprintln!`, which the test runner would keep to itself.
            let line =
                "SKIPPED: set SLUICE_LLAMA_SERVER and SLUICE_LLAMA_MODEL to test against a real llama-server";
            let _ = writeln!(std::io::stderr(), "{line}");
            return None;
        };
        let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let port = addr.port().to_string();
        let args = [
            "-m",
            &model,
            "--host",
            "127.0.0.1",
            "--port",
            &port,
            "--parallel",
            "1",
            "-c",
            "16384",
            "-t",
            "1",
        ];
        let mut command = Command::new(binary);
        command.args(args).args(["--metrics", "--no-ui", "--api-key", "key-4711"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let llama = Llama { child, addr };
        let engine = llama.engine();
        until("it to be up", async || engine.probe().await.is_ok()).await;
        Some(llama)
    }

    fn engine(&self) -> Arc<dyn Engine> {
        let endpoint = Endpoint {
            url: format!("http://{}", self.addr),
            model: "tiny".to_owned(),
            api_key: Some(sluice_experts::Secret::new("key-4711")),
            headers: Vec::new(),
            dial: sluice_experts::Tcp::shared(),
            connect_timeout: Duration::from_secs(2),
            first_token_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(30),
        };
        (protocol("openai").unwrap().connect)(endpoint).unwrap_or_else(|error| panic!("{error}"))
    }

    async fn metric(&self, name: &str) -> f64 {
        let mut socket = TcpStream::connect(self.addr).await.unwrap();
        let head =
            "GET /metrics HTTP/1.1\r\nhost: x\r\nauthorization: Bearer key-4711\r\nconnection: close\r\n\r\n";
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).await.unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.unwrap_or_else(|| panic!("no {name} in {text}"))
    }
}

impl Drop for Llama {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks a foreign process again and again, for half a minute at most.
async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let asking = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), asking)
        .await
        .unwrap_or_else(|_| panic!("waited in vain for {what}"));
}

fn call(prompt: &str, max_tokens: u32) -> Call {
    let message = Message { role: "user".into(), content: prompt.into(), json: String::new() };
    let body = GenerateRequest { messages: vec![message], ..GenerateRequest::default() };
    Call { request_id: "req-1".into(), body: Arc::new(body), max_tokens, ..Call::default() }
}

#[tokio::test]
async fn a_real_engine_streams_with_its_own_usage_again_and_again() {
    let Some(llama) = Llama::start().await else { return };
    let engine = llama.engine();
    for _ in 0..3 {
        let events: Vec<_> = engine.generate(call("Say hi", 16)).await.unwrap().collect().await;
        let (last, deltas) = events.split_last().unwrap();
        let Ok(Event::Finished(Finish { reason, usage: Some(usage), simulated: false })) = last else {
            panic!("{last:?}")
        };
        assert_eq!((reason.as_str(), usage.output), ("length", 16));
        // About a token a character, and the template.
        assert!((10..60).contains(&usage.prompt), "{usage:?}");
        assert!(!deltas.is_empty() && deltas.iter().all(Result::is_ok));
    }
    assert!(llama.metric("llamacpp:tokens_predicted_total").await >= 48.0);
}

#[tokio::test]
async fn a_prompt_beyond_a_real_context_is_told_as_such() {
    let Some(llama) = Llama::start().await else { return };
    let error = llama.engine().generate(call(&"long ".repeat(8_000), 16)).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::ContextTooLong, "{error}");
}

#[tokio::test]
async fn dropping_a_stream_frees_a_real_slot() {
    let Some(llama) = Llama::start().await else { return };
    let mut events = llama.engine().generate(call("Tell me all", 15_000)).await.unwrap();
    assert!(matches!(events.next().await, Some(Ok(Event::Delta { .. }))));
    drop(events);
    until("a free slot", async || llama.metric("llamacpp:requests_processing").await == 0.0).await;
    let made = llama.metric("llamacpp:tokens_predicted_total").await;
    assert!(made < 10_000.0, "it went on for {made} tokens");
}

#[tokio::test]
async fn a_real_engine_that_is_killed_truncates_and_then_is_unreachable() {
    let Some(mut llama) = Llama::start().await else { return };
    let engine = llama.engine();
    let mut events = engine.generate(call("Tell me all", 15_000)).await.unwrap();
    assert!(matches!(events.next().await, Some(Ok(Event::Delta { .. }))));
    llama.child.kill().unwrap();
    llama.child.wait().unwrap();
    let error = loop {
        match events.next().await.expect("a killed engine is an error, not an end") {
            Ok(Event::Delta { .. }) => {}
            Ok(Event::Finished(finish)) => panic!("finished: {finish:?}"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind, ErrorKind::Truncated, "{error}");
    assert_eq!(engine.generate(call("Say hi", 16)).await.err().unwrap().kind, ErrorKind::Unreachable);
}
