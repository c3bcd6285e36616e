//! HTTP answers, byte for byte where clients depend on it.

use crate::edge_kit::*;
use serde_json::{Value, json};
use sluice_gateway::{Fault, FaultCode, Front, OutEvent, Readiness};
use sluice_router::{NanoUsd, Privacy};
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn an_answer_in_one_piece_has_the_openai_shape_and_tells_what_it_cost() {
    let server = serve(&ScriptedDoor::scripted(hello)).await;
    let answer = exchange(server.addr, &post_chat("x-request-id: mine-1\r\n", &chat(""))).await;
    assert_eq!(answer.status, 200);
    let expected = json!({
        "id": "chatcmpl-00000000000000000000000000000001",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "law-7b",
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": "Hello"},
            "logprobs": null,
            "finish_reason": "stop"
        }],
        "usage": {
            "prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 4}
        },
        "sluice": {
            "decision": "dec-1", "route": "auto", "expert": "law-7b", "pool": "law-a", "replica": 2,
            "cost_nanousd": 1500, "baseline_nanousd": 9000, "tokens": 15, "simulated": true, "floor_held": true
        }
    });
    assert_eq!(answer.json(), expected);
    for (name, value) in [
        ("x-request-id", "mine-1"),
        ("content-type", "application/json"),
        ("x-sluice-decision", "dec-1"),
        ("x-sluice-route", "auto"),
        ("x-sluice-expert", "law-7b"),
        ("x-sluice-pool", "law-a"),
        ("x-sluice-replica", "2"),
        ("x-sluice-cost-nanousd", "1500"),
        ("x-sluice-baseline-nanousd", "9000"),
        ("x-sluice-tokens", "15"),
        ("x-sluice-floor-held", ""),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    answer.header("openai-processing-ms").parse::<u64>().expect("milliseconds");
}

#[tokio::test]
async fn a_stream_has_the_openai_chunks_and_its_last_one_the_cost() {
    let server = serve(&ScriptedDoor::scripted(hello)).await;
    let answer = exchange(server.addr, &post_chat("", &chat(r#","stream":true"#))).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/event-stream; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "no-cache");
    assert_eq!(answer.header("x-accel-buffering"), "no");
    assert_eq!(answer.header("x-sluice-expert"), "law-7b");
    let head = r#"{"id":"chatcmpl-00000000000000000000000000000001","object":"chat.completion.chunk","created":1700000000,"model":"law-7b","choices":[{"index":0,"delta":"#;
    let about = r#""sluice":{"decision":"dec-1","route":"auto","expert":"law-7b","pool":"law-a","replica":2,"cost_nanousd":1500,"baseline_nanousd":9000,"tokens":15,"simulated":true,"floor_held":true}}"#;
    let expected = [
        format!(
            r#"data: {head}{{"role":"assistant","content":""}},"logprobs":null,"finish_reason":null}}]}}"#
        ),
        format!(r#"data: {head}{{"content":"Hel"}},"logprobs":null,"finish_reason":null}}]}}"#),
        format!(r#"data: {head}{{"content":"lo"}},"logprobs":null,"finish_reason":null}}]}}"#),
        format!(r#"data: {head}{{}},"logprobs":null,"finish_reason":"stop"}}],{about}"#),
        "data: [DONE]".to_owned(),
        String::new(),
    ];
    assert_eq!(answer.text().split("\n\n").collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_usage_chunk_comes_only_when_asked_for_and_every_earlier_one_then_has_null() {
    let server = serve(&ScriptedDoor::scripted(hello)).await;
    let body = chat(r#","stream":true,"stream_options":{"include_usage":true}"#);
    let chunks = chunks(&exchange(server.addr, &post_chat("", &body)).await.text());
    let (last, earlier) = chunks.split_last().expect("chunks");
    assert_eq!(earlier.len(), 4);
    for chunk in earlier {
        assert!(chunk.as_object().expect("an object").contains_key("usage"), "{chunk}");
        assert!(chunk["usage"].is_null() && chunk.get("sluice").is_none(), "{chunk}");
    }
    assert_eq!(last["choices"], json!([]));
    let usage = json!({"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 4}});
    assert_eq!(last["usage"], usage);
    assert_eq!(last["sluice"]["cost_nanousd"], 1500);
}

/// The chunks of a stream that ends as it should.
fn chunks(text: &str) -> Vec<Value> {
    let frames = text.strip_suffix("data: [DONE]\n\n").unwrap_or_else(|| panic!("no end: {text}"));
    let frames = frames.split_terminator("\n\n");
    frames
        .map(|frame| serde_json::from_str(frame.strip_prefix("data: ").expect("data")).expect("JSON"))
        .collect()
}

#[tokio::test]
async fn tool_calls_pass_through_streams_and_are_put_together_without() {
    let script = |_: &_| {
        vec![
            started(),
            delta(
                r#"{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{\"a"}}]}"#,
            ),
            delta(r#"{"tool_calls":[{"index":0,"function":{"arguments":"\":1}"}}]}"#),
            finished(),
        ]
    };
    let server = serve(&ScriptedDoor::scripted(script)).await;
    let streamed = exchange(server.addr, &post_chat("", &chat(r#","stream":true"#))).await;
    let chunks = chunks(&streamed.text());
    assert_eq!(chunks[2]["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"], "\":1}");
    let whole = exchange(server.addr, &post_chat("", &chat(""))).await.json();
    let message = &whole["choices"][0]["message"];
    assert_eq!(message["content"], Value::Null);
    let call = json!([{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]);
    assert_eq!(message["tool_calls"], call);
}

#[tokio::test]
async fn the_door_gets_the_request_as_it_was_meant() {
    let door = ScriptedDoor::by_hand();
    let server = serve(&door).await;
    let headers = "x-request-id: abc\r\nx-sluice-floor: 0.9\r\nx-sluice-max-cost-usd: 0.01\r\n\
        x-sluice-deadline-ms: 60000\r\nx-sluice-tags: team=a\r\nx-sluice-privacy: device\r\nx-session-id: s\r\n";
    let mut client = connect(server.addr).await;
    let body = chat(r#","max_tokens":9,"tools":[{"type":"function"}]"#);
    client.write_all(&post_chat(headers, &body)).await.expect("sent");
    let submitted = door.next().await;
    let request = &submitted.request;
    assert_eq!((request.label.as_str(), request.front, request.streams), ("abc", Front::OpenAi, false));
    assert_eq!((request.body.model.as_str(), request.body.max_tokens), ("auto", 9));
    assert_eq!(request.body.messages[0].content, "secret question");
    assert_eq!(request.body.extra_json, r#"{"tools":[{"type":"function"}]}"#);
    let hints = &request.hints;
    assert_eq!((hints.floor, hints.max_cost), (Some(0.9), Some(NanoUsd(10_000_000))));
    assert_eq!((hints.tags.len(), hints.privacy), (1, Privacy::Device));
    let allowed_us = request.deadline.expect("a deadline").0 - request.received.0;
    assert!((50_000_000..=60_000_000).contains(&allowed_us), "{allowed_us} us");
}

#[tokio::test]
async fn a_failure_before_the_first_event_has_its_own_status_and_retry_advice() {
    for (is_stream, more) in [(true, r#","stream":true"#), (false, "")] {
        let script = |_: &_| {
            let busy = Fault::passing(FaultCode::NoCapacity, 1_200, "every line of pool law-a is full");
            vec![OutEvent::Failed(Box::new(busy))]
        };
        let door = ScriptedDoor::scripted(script);
        let server = serve(&door).await;
        let answer = exchange(server.addr, &post_chat("", &chat(more))).await;
        assert_eq!(answer.status, 503, "stream: {is_stream}");
        assert_eq!(answer.error_code(), "no_capacity");
        assert_eq!(answer.header("retry-after"), "2");
        assert_eq!(answer.header("retry-after-ms"), "1200");
        assert_eq!(answer.header("x-should-retry"), "true");
        assert_eq!(answer.header("x-request-id"), "00000000-0000-0000-0000-000000000001");
        assert!(door.refused_codes().is_empty(), "the door knows its own faults");
    }
}

#[tokio::test]
async fn a_failure_in_a_stream_is_its_last_line_and_the_connection_closes() {
    let script = |_: &_| {
        let fault = Fault::new(FaultCode::UpstreamError, "the engine broke off");
        vec![started(), text("Hel"), OutEvent::Failed(Box::new(fault))]
    };
    let server = serve(&ScriptedDoor::scripted(script)).await;
    let body = chat(r#","stream":true"#);
    let length = body.len();
    let keep =
        format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}");
    let answer = exchange(server.addr, keep.as_bytes()).await;
    assert_eq!(answer.status, 200);
    let body = answer.text();
    let last = body.trim_end().rsplit("\n\n").next().expect("a frame");
    let error: Value = serde_json::from_str(last.strip_prefix("data: ").expect("data")).expect("JSON");
    assert_eq!(error["error"]["code"], "upstream_error");
    assert_eq!(error["error"]["type"], "server_error");
    assert!(!body.contains("[DONE]") && body.contains("Hel"));
}

#[tokio::test]
async fn a_silent_stream_gets_its_status_after_15_s_and_then_comments() {
    let door = ScriptedDoor::with_held_clock();
    let server = serve(&door).await;
    let mut client = connect(server.addr).await;
    client.write_all(&post_chat("", &chat(r#","stream":true"#))).await.expect("sent");
    let submitted = door.next().await;
    advance_when_waited_for(&door, 15_000).await;
    let head = read_until(&mut client, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200") && !head.contains("x-sluice-expert"), "{head}");
    advance_when_waited_for(&door, 15_000).await;
    read_until(&mut client, ": keep-alive\n\n").await;
    advance_when_waited_for(&door, 15_000).await;
    read_until(&mut client, ": keep-alive\n\n").await;
    for event in [started(), text("late"), finished()] {
        submitted.outlet.send(event).await.expect("still wanted");
    }
    let rest = String::from_utf8(read_to_end(&mut client).await).expect("UTF-8");
    assert!(rest.contains("late") && rest.contains(r#""expert":"law-7b""#), "{rest}");
    assert!(rest.contains("data: [DONE]"), "{rest}");
}

/// Lets time pass once somebody waits for it.
async fn advance_when_waited_for(door: &ScriptedDoor, ms: u64) {
    within(async {
        while door.timers() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    door.advance(ms);
}

#[tokio::test]
async fn a_deadline_ends_an_answer_that_the_spine_forgot() {
    for (more, expected) in [("", "HTTP/1.1 504"), (r#","stream":true"#, "HTTP/1.1 504")] {
        let door = ScriptedDoor::with_held_clock();
        let server = serve(&door).await;
        let mut client = connect(server.addr).await;
        client.write_all(&post_chat("x-sluice-deadline-ms: 500\r\n", &chat(more))).await.expect("sent");
        let submitted = door.next().await;
        advance_when_waited_for(&door, 700).await;
        within(submitted.outlet.closed()).await;
        let all = String::from_utf8(read_to_end(&mut client).await).expect("UTF-8");
        assert!(all.starts_with(expected), "{all}");
        assert!(all.contains("deadline_exceeded") && all.contains("x-should-retry: false"), "{all}");
    }
}

#[tokio::test]
async fn a_dry_run_shows_the_decision_and_sends_nothing() {
    let server = serve(&ScriptedDoor::by_hand()).await;
    let headers = "x-sluice-dry-run: true\r\nx-sluice-floor: 0.5\r\n";
    let answer = exchange(server.addr, &post_chat(headers, &chat(r#","stream":true"#))).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), json!({"model": "auto", "floor": 0.5}));
}

#[tokio::test]
async fn models_and_decisions_are_listed_by_name() {
    let server = serve(&ScriptedDoor::by_hand()).await;
    let models = exchange(server.addr, &get("/v1/models")).await.json();
    let model = |id: &str, kind: &str| json!({"id": id, "object": "model", "created": 0, "owned_by": "sluice", "kind": kind});
    let expected =
        json!({"object": "list", "data": [model("auto", "route"), model("meta/llama-3", "expert")]});
    assert_eq!(models, expected);
    for path in ["/v1/models/meta/llama-3", "/v1/models/meta%2Fllama-3"] {
        let one = exchange(server.addr, &get(path)).await;
        assert_eq!(one.json(), model("meta/llama-3", "expert"), "{path}");
    }
    let missing = exchange(server.addr, &get("/v1/models/gpt-9")).await;
    assert_eq!((missing.status, missing.error_code().as_str()), (404, "model_not_found"));
    let known = exchange(server.addr, &get("/v1/decisions/known")).await;
    assert_eq!((known.status, known.json()), (200, json!({"id": "known"})));
    let unknown = exchange(server.addr, &get("/v1/decisions/other")).await;
    assert_eq!((unknown.status, unknown.error_code().as_str()), (404, "decision_not_found"));
}

#[tokio::test]
async fn health_says_whether_new_requests_are_taken() {
    let door = ScriptedDoor::by_hand();
    let server = serve(&door).await;
    let ok = exchange(server.addr, &get("/health")).await;
    assert_eq!((ok.status, ok.json()), (200, json!({"status": "ok"})));
    door.set_readiness(Readiness::NotReady("no replica of any pool is up".to_owned()));
    let not_yet = exchange(server.addr, &get("/health")).await;
    assert_eq!(not_yet.status, 503);
    assert!(not_yet.text().contains("no replica of any pool is up"));
    door.set_readiness(Readiness::Draining);
    assert_eq!(exchange(server.addr, &get("/health")).await.error_code(), "draining");
}
