//! What is refused: each with its status, its form, its request id, nothing of the prompt, and a server that lives on.

use crate::edge_kit::*;
use tokio::io::AsyncWriteExt;

/// A refused request's answer, checked for what all of them have.
async fn refused(server: &Server, bytes: &[u8]) -> RawAnswer {
    let answer = exchange(server.addr, bytes).await;
    assert!(!answer.header("x-request-id").is_empty(), "no request id on {}", answer.text());
    assert!(!answer.header("openai-processing-ms").is_empty());
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("x-should-retry"), "false");
    assert!(!answer.text().contains("secret"), "{}", answer.text());
    answer
}

async fn assert_alive(server: &Server) {
    let answer = exchange(server.addr, &post_chat("", &chat(""))).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn bodies_that_make_no_sense_are_400_with_the_place_or_the_field() {
    let door = ScriptedDoor::scripted(hello);
    let server = serve(&door).await;
    let with = |more: &str| chat(more).into_bytes();
    let mut bad_utf8 = chat("").into_bytes();
    let secret = bad_utf8.windows(6).position(|six| six == b"secret").expect("there");
    bad_utf8[secret] = 0xff;
    let nested = |n: usize| format!(r#","x":{}{}"#, "[".repeat(n), "]".repeat(n));
    let cases: Vec<(Vec<u8>, &str, Option<&str>)> = vec![
        (Vec::new(), "the body is empty", None),
        (b"{".to_vec(), "line 1 column 1", None),
        (b"[]".to_vec(), "the body is an array", None),
        (with(r#","x":NaN"#), "line 1 column", None),
        (with(r#","x":1e999"#), "number out of range", None),
        (with(r#","x":"\ud800""#), "line 1 column", None),
        (with("}"), "trailing characters", None),
        (with(r#","model":"auto""#), "the same key twice", None),
        (bad_utf8, "line 1 column", None),
        (with(&nested(10_000)), "nested deeper than 64", None),
        (with(r#","max_tokens":-1"#), "max_tokens is -1", Some("max_tokens")),
        (with(r#","max_tokens":0.5"#), "max_tokens is 0.5", Some("max_tokens")),
        (with(r#","max_tokens":1e300"#), "max_tokens is 1e+300", Some("max_tokens")),
        (with(r#","n":2"#), "n is above 1", Some("n")),
        (with(r#","temperature":3"#), "outside 0 to 2", Some("temperature")),
        (br#"{"model":"auto","messages":[]}"#.to_vec(), "messages is empty", Some("messages")),
        (br#"{"model":"auto"}"#.to_vec(), "messages is missing", Some("messages")),
        (
            br#"{"model":"auto","messages":[{"content":"secret"}]}"#.to_vec(),
            "role is missing",
            Some("messages[0].role"),
        ),
        (
            br#"{"model":"auto","messages":[{"role":"user","content":5}]}"#.to_vec(),
            "content is a number",
            Some("messages[0].content"),
        ),
    ];
    let count = cases.len();
    for (body, expected, param) in cases {
        let length = body.len();
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
        );
        let answer = refused(&server, &[head.as_bytes(), &body].concat()).await;
        assert_eq!(answer.status, 400, "{expected}");
        let error = &answer.json()["error"];
        assert!(error["message"].as_str().expect("text").contains(expected), "{error} lacks {expected:?}");
        assert_eq!(error["type"], "invalid_request_error");
        assert_eq!(error["param"].as_str(), param, "{error}");
        assert_eq!(
            answer.error_code(),
            if param == Some("n") { "unsupported_parameter" } else { "invalid_value" }
        );
    }
    assert_eq!(door.refused_codes().len(), count);
    assert_alive(&server).await;
}

#[tokio::test]
async fn sixty_four_levels_in_a_field_that_is_passed_through_are_fine() {
    let server = serve(&ScriptedDoor::scripted(hello)).await;
    let deep = format!(r#","x":{}{}"#, "[".repeat(64), "]".repeat(64));
    assert_eq!(exchange(server.addr, &post_chat("", &chat(&deep))).await.status, 200);
}

#[tokio::test]
async fn content_types_other_than_json_are_refused_and_json_with_any_charset_is_read() {
    let server = serve(&ScriptedDoor::scripted(hello)).await;
    let body = chat("");
    let with = |header: &str| {
        let length = body.len();
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{header}\
             content-length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    };
    for header in
        ["", "content-type: application/json\r\n", "content-type: Application/JSON; charset=latin-1\r\n"]
    {
        assert_eq!(exchange(server.addr, &with(header)).await.status, 200, "{header}");
    }
    for (header, param) in [
        ("content-type: text/plain\r\n", "content-type"),
        ("content-type: application/x-www-form-urlencoded\r\n", "content-type"),
        ("content-encoding: gzip\r\n", "content-encoding"),
    ] {
        let answer = refused(&server, &with(header)).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.json()["error"]["param"], param);
    }
}

#[tokio::test]
async fn a_bad_hint_is_refused_by_the_name_of_its_header() {
    let server = serve(&ScriptedDoor::scripted(hello)).await;
    let answer = refused(&server, &post_chat("x-sluice-floor: 1.5\r\n", &chat(""))).await;
    assert_eq!((answer.status, &answer.json()["error"]["param"]), (400, &"x-sluice-floor".into()));
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_answer_in_the_error_form() {
    let door = ScriptedDoor::scripted(hello);
    let server = serve(&door).await;
    for path in ["/", "/v1/embeddings", "/v1/chat/completions/", "/sluice.v1.Gateway/Generate", "/metrics"] {
        let answer = refused(&server, &get(path)).await;
        assert_eq!((answer.status, answer.error_code().as_str()), (404, "unknown_url"), "{path}");
    }
    for (path, code) in
        [("/v1/models/%ff", "model_not_found"), ("/v1/decisions/%c3%28", "decision_not_found")]
    {
        let answer = refused(&server, &get(path)).await;
        assert_eq!((answer.status, answer.error_code().as_str()), (404, code), "{path}");
    }
    for (request, allow) in [
        (get("/v1/chat/completions"), "POST"),
        (post("/v1/models", "", ""), "GET,HEAD"),
        (post("/health", "", "{}"), "GET,HEAD"),
    ] {
        let answer = refused(&server, &request).await;
        assert_eq!((answer.status, answer.error_code().as_str()), (405, "method_not_allowed"));
        assert_eq!(answer.header("allow"), allow);
    }
    assert_alive(&server).await;
}

#[tokio::test]
async fn a_request_id_is_echoed_when_well_formed_and_made_when_not() {
    let server = serve(&ScriptedDoor::scripted(hello)).await;
    for (sent, expected) in [("Ok_1.2:3-4", "Ok_1.2:3-4"), ("not ok", "00000000-0000-0000-0000-000000000002")]
    {
        let request =
            format!("GET /nope HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-request-id: {sent}\r\n\r\n");
        let answer = refused(&server, request.as_bytes()).await;
        assert_eq!(answer.header("x-request-id"), expected);
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_before_it_is_read() {
    let server = serve(&ScriptedDoor::scripted(hello)).await;
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 10000000\r\n\r\n";
    let mut client = connect(server.addr).await;
    client.write_all(head.as_bytes()).await.expect("sent");
    let answer = read_until(&mut client, "}}").await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("request_too_large"), "{answer}");
    assert!(answer.contains(&format!("the limit of {LIMIT} bytes")), "{answer}");
}

#[tokio::test]
async fn a_client_that_sends_ten_megabytes_all_the_same_reads_the_refusal() {
    let server = serve(&ScriptedDoor::scripted(hello)).await;
    let body = chat(&format!(r#","x":"{}""#, "a".repeat(10 << 20)));
    let answer = refused(&server, &post_chat("", &body)).await;
    assert_eq!((answer.status, answer.error_code().as_str()), (413, "request_too_large"));
    assert_alive(&server).await;
}

#[tokio::test]
async fn a_chunked_body_is_cut_at_the_limit() {
    let server = serve(&ScriptedDoor::scripted(hello)).await;
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = format!("4000\r\n{}\r\n", "a".repeat(0x4000));
    let bytes = [head.to_owned(), chunk.repeat(5), "0\r\n\r\n".to_owned()].concat();
    let answer = refused(&server, bytes.as_bytes()).await;
    assert_eq!((answer.status, answer.error_code().as_str()), (413, "request_too_large"));
    let small = chat("");
    let fits = format!("{head}{:x}\r\n{small}\r\n0\r\n\r\n", small.len());
    assert_eq!(exchange(server.addr, fits.as_bytes()).await.status, 200);
}

#[tokio::test]
async fn a_panic_in_a_handler_is_a_500_in_the_error_form_and_harms_nobody_else() {
    let door = ScriptedDoor::scripted(hello);
    let server = serve(&door).await;
    let body = chat("").replace("auto", "panic");
    let answer = refused(&server, &post_chat("", &body)).await;
    assert_eq!((answer.status, answer.error_code().as_str()), (500, "internal_error"));
    assert_eq!(door.refused_codes(), ["internal_error"]);
    assert_alive(&server).await;
}
