//! The worker's HTTP face over a raw socket, and how it stops.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use sluice_sim::{Profile, Running, SimConfig, start};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn worker(scale: f64) -> Running {
    let config = SimConfig { time_scale: scale, ..SimConfig::new(Profile::named("8b-h100").unwrap()) };
    start(config).await.unwrap()
}

async fn send(addr: SocketAddr, method: &str, path: &str, body: &str) -> TcpStream {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    socket
}

/// Status and body of one exchange; a chunked body keeps its chunk sizes.
async fn ask(addr: SocketAddr, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut text = String::new();
    send(addr, method, path, body).await.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

const CHAT: &str = "/v1/chat/completions";

#[tokio::test]
async fn a_whole_answer_has_usage_and_says_that_it_is_simulated() {
    let worker = worker(100.0).await;
    let body = r#"{"model":"m","messages":[{"role":"user","content":"12345678"}],"max_tokens":6}"#;
    let (status, body) = ask(worker.addr, "POST", CHAT, body).await;
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 200);
    assert_eq!(answer["usage"]["prompt_tokens"], 2);
    assert_eq!(answer["usage"]["completion_tokens"], 6);
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    assert_eq!(answer["sluice"]["simulated"], true);
    assert_eq!(answer["model"], "m");
}

#[tokio::test]
async fn the_next_turn_of_a_conversation_is_cached_unless_its_salt_differs() {
    let mut profile = Profile::named("8b-h100").unwrap();
    profile.capacity.prefix_tokens = 100_000;
    let worker = start(SimConfig { time_scale: 100.0, ..SimConfig::new(profile) }).await.unwrap();
    let question = "What does the law say? ".repeat(40);
    let mut messages = vec![serde_json::json!({"role": "user", "content": question})];
    let mut cached = Vec::new();
    for turn in 0..3 {
        let salt = if turn < 2 { "a" } else { "b" };
        let body = serde_json::json!({
            "model": "m", "messages": messages, "max_tokens": 100, "cache_salt": salt
        });
        let (_, body) = ask(worker.addr, "POST", CHAT, &body.to_string()).await;
        let answer: Value = serde_json::from_str(&body).unwrap();
        cached.push(answer["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap());
        messages.push(answer["choices"][0]["message"].clone());
        messages.push(serde_json::json!({"role": "user", "content": "And then?"}));
    }
    assert_eq!(cached[0], 0);
    assert!((192..=330).contains(&cached[1]), "prompt and answer in whole blocks: {cached:?}");
    assert_eq!(cached[2], 0);
    let (_, metrics) = ask(worker.addr, "GET", "/metrics", "").await;
    assert!(
        metrics.contains(&format!("vllm:prefix_cache_hits_total{{model_name=\"8b-h100\"}} {}\n", cached[1]))
    );
}

#[tokio::test]
async fn a_stream_has_a_usage_chunk_only_when_asked() {
    let worker = worker(100.0).await;
    for (options, has_usage) in [("", false), (r#","stream_options":{"include_usage":true}"#, true)] {
        let body = format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],"max_tokens":6,"stream":true{options}}}"#
        );
        let (status, text) = ask(worker.addr, "POST", CHAT, &body).await;
        assert_eq!(status, 200);
        assert!(text.contains("\"role\":\"assistant\"") && text.contains("data: [DONE]\n\n"), "{text}");
        assert_eq!(text.contains("\"completion_tokens\":6"), has_usage, "{text}");
    }
}

#[tokio::test]
async fn bad_requests_get_an_error_in_the_usual_form() {
    let worker = worker(100.0).await;
    for (method, path, body, want) in [
        ("POST", CHAT, "{", 400),
        ("POST", CHAT, r#"{"model":"m","messages":[]}"#, 400),
        ("POST", CHAT, r#"{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":0}"#, 400),
        ("POST", CHAT, r#"{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":-1}"#, 400),
        ("GET", "/v1/nothing", "", 404),
    ] {
        let (status, body) = ask(worker.addr, method, path, body).await;
        let error: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(status, want, "{body}");
        assert!(error["error"]["message"].is_string() && error["error"].get("param").is_some(), "{body}");
    }
}

#[tokio::test]
async fn models_health_and_metrics_answer() {
    let worker = worker(100.0).await;
    assert!(ask(worker.addr, "GET", "/v1/models", "").await.1.contains("\"id\":\"8b-h100\""));
    assert_eq!(ask(worker.addr, "GET", "/health", "").await, (200, "{\"status\":\"ok\"}".to_owned()));
    let (_, metrics) = ask(worker.addr, "GET", "/metrics", "").await;
    for name in ["num_requests_running", "num_requests_waiting", "kv_cache_usage_perc"] {
        assert!(metrics.contains(&format!("vllm:{name}{{model_name=\"8b-h100\"}} 0\n")), "{metrics}");
    }
}

#[tokio::test]
async fn a_shutdown_lets_answers_end_and_a_drop_does_not() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":60,"stream":true}"#;
    for is_orderly in [true, false] {
        let worker = worker(1.0).await;
        let addr = worker.addr;
        let mut socket = send(addr, "POST", CHAT, body).await;
        let mut text = vec![0; 64];
        socket.read_exact(&mut text).await.unwrap();
        let rest = async {
            let mut rest = String::new();
            // A crash may end in a reset.
            let _ = socket.read_to_string(&mut rest).await;
            rest
        };
        let stop = async { if is_orderly { worker.shutdown().await } else { drop(worker) } };
        let (rest, ()) = tokio::join!(rest, stop);
        assert_eq!(rest.contains("[DONE]"), is_orderly, "{rest}");
        assert!(TcpStream::connect(addr).await.is_err());
    }
}

#[tokio::test]
async fn an_impossible_scale_is_refused() {
    for time_scale in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let config = SimConfig { time_scale, ..SimConfig::new(Profile::named("8b-h100").unwrap()) };
        assert_eq!(start(config).await.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    }
}
