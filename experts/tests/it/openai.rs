//! The OpenAI dialect against a peer that misbehaves in every way of the fault matrix.

use crate::peer::{Do, Peer, chunk, response, stream_head};
use crate::{call, endpoint, engine, read};
use futures::StreamExt as _;
use sluice_experts::{Call, Endpoint, ErrorKind, Event, Finish, Usage};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const HI: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n";
const STOP: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":1}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

fn finished(usage: Option<Usage>) -> Event {
    Event::Finished(Finish { reason: "stop".into(), usage, simulated: false })
}

fn streamed(body: &str) -> Vec<Do> {
    vec![Do::Write(stream_head()), Do::Write(chunk(body))]
}

#[tokio::test]
async fn an_answer_streams_with_usage_over_one_reused_connection() {
    let mut peer = Peer::streaming(&format!("{HI}{HI}{STOP}{USAGE}{DONE}")).await;
    let engine = engine("openai", endpoint(peer.addr));
    for _ in 0..3 {
        let (text, end) = read(engine.generate(call("question", 9)).await.unwrap()).await;
        assert_eq!(text, "hihi");
        assert_eq!(end, Some(Ok(finished(Some(Usage { prompt: 4, output: 1, ..Usage::default() })))));
        let request = peer.requests.recv().await.unwrap();
        let want = [
            "POST /v1/chat/completions HTTP/1.1",
            "authorization: Bearer key-4711",
            "x-request-id: req-1",
            "x-team: law",
            "\"stream\":true",
            "\"include_usage\":true",
            "\"model\":\"engine-model\"",
            "\"max_tokens\":9",
        ];
        assert!(want.iter().all(|part| request.contains(part)), "{request}");
    }
    assert_eq!(peer.connections(), 1);
}

/// What a peer's script makes of a call: an error of `generate`, or the text and the end.
async fn outcome(script: Vec<Do>) -> (String, Result<Event, ErrorKind>) {
    let peer = Peer::start(script).await;
    match engine("openai", endpoint(peer.addr)).generate(call("question", 9)).await {
        Err(error) => (String::new(), Err(error.kind)),
        Ok(events) => {
            let (text, end) = read(events).await;
            (text, end.expect("a stream says how it ended").map_err(|error| error.kind))
        }
    }
}

async fn check(name: &str, script: Vec<Do>, text: &str, end: Result<Event, ErrorKind>) {
    assert_eq!(outcome(script).await, (text.to_owned(), end), "{name}");
}

#[tokio::test]
async fn streams_that_break_are_never_a_clean_end() {
    let cut = || Err(ErrorKind::Truncated);
    let with = |body: &str, end: Do| {
        let mut script = streamed(body);
        script.push(end);
        script
    };
    let last_chunk = || Do::Write(b"0\r\n\r\n".to_vec());
    check("clean end without a terminal signal", with(HI, last_chunk()), "hi", cut()).await;
    check("close in the middle", with(HI, Do::Close), "hi", cut()).await;
    check("reset in the middle", with(HI, Do::Reset), "hi", cut()).await;
    check("close before the first event", with(": ping\n\n", Do::Close), "", cut()).await;
    check("end before the first event", with("", last_chunk()), "", cut()).await;
    check("close without a head", vec![Do::Close], "", cut()).await;
    check("half an event", with(&format!("{HI}{}", STOP.trim_end()), last_chunk()), "hi", cut()).await;
    check("no [DONE] but a reason", with(&format!("{HI}{STOP}"), last_chunk()), "hi", Ok(finished(None)))
        .await;
    check("broken after the reason", with(&format!("{HI}{STOP}"), Do::Close), "hi", Ok(finished(None))).await;
    check("no reason but [DONE]", with(&format!("{HI}{DONE}"), Do::Hang), "hi", Ok(finished(None))).await;
    check(
        "output after the end",
        with(&format!("{HI}{STOP}{HI}{DONE}{HI}"), last_chunk()),
        "hi",
        Ok(finished(None)),
    )
    .await;
}

#[tokio::test]
async fn errors_in_odd_places_are_found() {
    let error = "{\"error\":{\"message\":\"cuda died\",\"code\":500}}";
    let close = || Do::Write(b"0\r\n\r\n".to_vec());
    let mut script = streamed(&format!("{HI}data: {error}\n\n"));
    script.push(Do::Hang);
    check("in an event", script, "hi", Err(ErrorKind::Failed)).await;
    let mut script = streamed(&format!("{HI}{error}"));
    script.push(close());
    check("as a bare tail", script, "hi", Err(ErrorKind::Failed)).await;
    let json = "content-type: application/json\r\n";
    check("as a body with 200", vec![Do::Write(response("200 OK", json, error))], "", Err(ErrorKind::Failed))
        .await;
    let whole = "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}";
    check(
        "an answer in one piece",
        vec![Do::Write(response("200 OK", json, whole))],
        "hi",
        Ok(finished(None)),
    )
    .await;
    let html = response("200 OK", "content-type: text/html\r\n", "<html>");
    check("a web page", vec![Do::Write(html)], "", Err(ErrorKind::Protocol)).await;
    check("no HTTP", vec![Do::Write(b"SSH-2.0-x\r\n\r\n".to_vec())], "", Err(ErrorKind::Protocol)).await;
    check("no JSON", streamed("data: <oops>\n\n"), "", Err(ErrorKind::Protocol)).await;
    let huge = vec![Do::Write(stream_head()), Do::Write(chunk(&"x".repeat(2 << 20))), Do::Hang];
    check("an endless line", huge, "", Err(ErrorKind::Protocol)).await;
}

#[tokio::test]
async fn refusals_are_told_apart_and_redirects_not_followed() {
    let body = "{\"error\":{\"message\":\"full\",\"code\":\"x\"}}";
    let refuse = |status: &str, headers: &str| vec![Do::Write(response(status, headers, body))];
    let busy =
        |ms: u64, is_quota| Err(ErrorKind::Busy { retry_after: Some(Duration::from_millis(ms)), is_quota });
    check("429", refuse("429 Slow", "retry-after: 7\r\n"), "", busy(7_000, true)).await;
    check("503", refuse("503 Full", "retry-after: 900\r\nretry-after-ms: 20\r\n"), "", busy(20, false)).await;
    check("400", refuse("400 Bad", ""), "", Err(ErrorKind::Rejected { status: 400 })).await;
    check("401", refuse("401 No", ""), "", Err(ErrorKind::Unauthorised)).await;
    check("500", refuse("500 Oops", ""), "", Err(ErrorKind::Failed)).await;
    let long =
        response("400 Bad", "", "{\"error\":{\"message\":\"x\",\"code\":\"context_length_exceeded\"}}");
    check("context", vec![Do::Write(long)], "", Err(ErrorKind::ContextTooLong)).await;

    let mut target = Peer::streaming(&format!("{HI}{STOP}{DONE}")).await;
    let location = format!("location: http://{}/v1/chat/completions\r\n", target.addr);
    check("307", refuse("307 Moved", &location), "", Err(ErrorKind::Protocol)).await;
    assert!(target.requests.try_recv().is_err(), "a redirect was followed");
}

#[tokio::test]
async fn an_error_never_repeats_the_prompt_or_the_key() {
    let prompt = "my secret plan is to plant tulips in May";
    let body = format!("{{\"error\":{{\"message\":\"can't parse {prompt} for key-4711\"}}}}");
    let peer = Peer::start(vec![Do::Write(response("400 Bad", "", &body))]).await;
    let error = engine("openai", endpoint(peer.addr)).generate(call(prompt, 9)).await.err().unwrap();
    assert_eq!(error.detail, "the engine answered 400");
}

#[tokio::test]
async fn silence_ends_by_the_right_timer() {
    let mut impatient = endpoint("127.0.0.1:1".parse().unwrap());
    impatient.first_token_timeout = Duration::from_millis(40);
    impatient.idle_timeout = Duration::from_millis(30);
    let check = async |script: Vec<Do>, want: ErrorKind| {
        let peer = Peer::start(script).await;
        let mut endpoint = impatient.clone();
        endpoint.url = format!("http://{}", peer.addr);
        let kind = match engine("openai", endpoint).generate(call("question", 9)).await {
            Err(error) => error.kind,
            Ok(events) => read(events).await.1.unwrap().unwrap_err().kind,
        };
        assert_eq!(kind, want);
    };
    check(vec![Do::Hang], ErrorKind::FirstTokenTimeout).await;
    check(
        vec![Do::Write(stream_head()), Do::Write(chunk(": ping\n\n")), Do::Hang],
        ErrorKind::FirstTokenTimeout,
    )
    .await;
    check(vec![Do::Write(stream_head()), Do::Write(chunk(HI)), Do::Hang], ErrorKind::IdleTimeout).await;
}

#[tokio::test]
async fn a_deadline_ends_the_call_and_one_that_has_passed_sends_nothing() {
    let mut peer = Peer::start(vec![Do::Write(stream_head()), Do::Write(chunk(HI)), Do::AwaitClose]).await;
    let engine = engine("openai", endpoint(peer.addr));
    let mut late = call("question", 9);
    late.time_left = Some(Duration::ZERO);
    assert_eq!(engine.generate(late.clone()).await.err().unwrap().kind, ErrorKind::Deadline);
    assert_eq!(peer.connections(), 0);
    late.time_left = Some(Duration::from_millis(50));
    let (_, end) = read(engine.generate(late).await.unwrap()).await;
    assert_eq!(end.unwrap().unwrap_err().kind, ErrorKind::Deadline);
    peer.closes.recv().await.unwrap();
}

#[tokio::test]
async fn dropping_the_call_or_the_stream_closes_the_connection() {
    // While the head is awaited.
    let mut peer = Peer::start(vec![Do::AwaitClose]).await;
    let engine_a = engine("openai", endpoint(peer.addr));
    let pending = engine_a.generate(call("question", 9));
    tokio::select! {
        _ = pending => panic!("nothing was answered"),
        request = peer.requests.recv() => assert!(request.is_some()),
    }
    peer.closes.recv().await.unwrap();

    // In the middle of the stream.
    let mut peer = Peer::start(vec![Do::Write(stream_head()), Do::Write(chunk(HI)), Do::AwaitClose]).await;
    let engine_b = engine("openai", endpoint(peer.addr));
    let mut events = engine_b.generate(call("question", 9)).await.unwrap();
    assert!(matches!(events.next().await, Some(Ok(Event::Delta { .. }))));
    drop(events);
    peer.closes.recv().await.unwrap();
}

#[tokio::test]
async fn a_request_is_sent_once_even_when_a_kept_alive_connection_dies_under_it() {
    let mut script = streamed(&format!("{HI}{STOP}{DONE}"));
    script.extend([Do::Write(b"0\r\n\r\n".to_vec()), Do::NextRequest, Do::Reset]);
    let mut peer = Peer::start(script).await;
    let engine = engine("openai", endpoint(peer.addr));
    read(engine.generate(call("first", 9)).await.unwrap()).await;
    let error = engine.generate(call("second", 9)).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Truncated);
    peer.requests.recv().await.unwrap();
    assert!(peer.requests.recv().await.unwrap().contains("second"));
    assert!(peer.requests.try_recv().is_err(), "the request was sent again");
    assert_eq!(peer.connections(), 1);
    // Warned, it uses no connection twice.
    for connections in 2..5 {
        read(engine.generate(call("next", 9)).await.unwrap()).await;
        assert_eq!(peer.connections(), connections);
    }
}

#[tokio::test]
async fn an_engine_may_refuse_before_it_has_the_whole_request() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let engine = engine("openai", endpoint(listener.local_addr().unwrap()));
    // More than the sockets hold on their way.
    let long = "x".repeat(32 << 20);
    for _ in 0..2 {
        let refusing = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            socket.read_exact(&mut [0; 64]).await.unwrap();
            socket.write_all(&response("413 Too Large", "", "{}")).await.unwrap();
            socket
        };
        // The second call doesn't go on where the first one broke off.
        let (answer, _socket) = tokio::join!(engine.generate(call(&long, 9)), refusing);
        assert_eq!(answer.err().unwrap().kind, ErrorKind::Rejected { status: 413 });
    }
}

#[tokio::test]
async fn an_engine_known_to_close_without_a_word_gets_a_new_connection_each_time() {
    let head = "HTTP/1.1 200 OK\r\nserver: llama.cpp\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let body = chunk(&format!("{HI}{STOP}{DONE}"));
    let peer = Peer::start(vec![
        Do::Write(head.into()),
        Do::Write(body),
        Do::Write(b"0\r\n\r\n".to_vec()),
        Do::Close,
    ])
    .await;
    let engine = engine("openai", endpoint(peer.addr));
    for _ in 0..20 {
        assert!(read(engine.generate(call("question", 9)).await.unwrap()).await.1.unwrap().is_ok());
    }
    assert_eq!(peer.connections(), 20);
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_replaced() {
    let mut script = streamed(&format!("{HI}{STOP}{DONE}"));
    script.extend([Do::Write(b"0\r\n\r\n".to_vec()), Do::Close]);
    let peer = Peer::start(script).await;
    let engine = engine("openai", endpoint(peer.addr));
    for _ in 0..3 {
        let (_, end) = read(engine.generate(call("question", 9)).await.unwrap()).await;
        assert!(end.unwrap().is_ok());
        // The close is on its way through the loopback; a probe of the readiness queue lets it arrive.
        tokio::task::yield_now().await;
        tokio::time::timeout(Duration::from_millis(5), std::future::pending::<()>()).await.unwrap_err();
    }
    assert_eq!(peer.connections(), 3);
}

#[tokio::test]
async fn an_idle_connection_is_closed_before_engines_close_theirs() {
    let mut script = streamed(&format!("{HI}{STOP}{DONE}"));
    script.extend([Do::Write(b"0\r\n\r\n".to_vec()), Do::AwaitClose]);
    let mut peer = Peer::start(script).await;
    let engine = engine("openai", endpoint(peer.addr));
    read(engine.generate(call("question", 9)).await.unwrap()).await;
    // Nobody uses the engine meanwhile.
    let closed = tokio::time::timeout(Duration::from_millis(4_900), peer.closes.recv()).await;
    assert_eq!(closed, Ok(Some(())));
    drop(engine);
}

#[tokio::test]
async fn probes_ask_health_and_else_the_model_list() {
    let not_found = response("404 Not Found", "", "");
    let ok = response("200 OK", "", "{}");
    let check = async |first: &[u8], second: &[u8], want: Option<ErrorKind>| {
        let script = vec![Do::Write(first.to_vec()), Do::NextRequest, Do::Write(second.to_vec())];
        let peer = Peer::start(script).await;
        let got = engine("openai", endpoint(peer.addr)).probe().await.err().map(|error| error.kind);
        assert_eq!(got, want);
    };
    check(&ok, b"", None).await;
    check(&not_found, &ok, None).await;
    check(&response("503 Loading", "", ""), b"", Some(ErrorKind::Failed)).await;
    check(&not_found, &response("401 No", "", ""), Some(ErrorKind::Unauthorised)).await;
}

#[tokio::test]
async fn a_tls_address_never_falls_back_to_plain_text() {
    let mut peer = Peer::streaming(&format!("{HI}{STOP}{DONE}")).await;
    let mut secure = endpoint(peer.addr);
    secure.url = format!("https://{}", peer.addr);
    secure.connect_timeout = Duration::from_millis(200);
    let error = engine("openai", secure).generate(call("question", 9)).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(peer.requests.try_recv().is_err());
}

const WHOLE: &str = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"all of it"},"finish_reason":"stop"}],
    "usage":{"prompt_tokens":4,"completion_tokens":1}}"#;

fn whole() -> Call {
    Call { whole: Some(Duration::from_secs(1)), ..call("question", 9) }
}

#[tokio::test]
async fn an_answer_in_one_piece_is_asked_for_as_one() {
    let mut peer =
        Peer::start(vec![Do::Write(response("200 OK", "content-type: application/json\r\n", WHOLE))]).await;
    let (text, end) = read(engine("openai", endpoint(peer.addr)).generate(whole()).await.unwrap()).await;
    assert_eq!(text, "all of it");
    assert_eq!(end, Some(Ok(finished(Some(Usage { prompt: 4, output: 1, ..Usage::default() })))));
    let request = peer.requests.recv().await.unwrap();
    assert!(!request.contains("\"stream\"") && request.contains("\"max_tokens\":9"), "{request}");
}

#[tokio::test]
async fn an_engine_that_lives_may_take_its_time_for_a_whole_answer_and_a_dead_one_may_not() {
    let patient =
        |peer: &Peer| Endpoint { first_token_timeout: Duration::from_millis(200), ..endpoint(peer.addr) };
    let answer = response("200 OK", "content-type: application/json\r\n", WHOLE);
    let mut works = Peer::start(vec![Do::Work(Duration::from_millis(700)), Do::Write(answer)]).await;
    let (text, _) = read(engine("openai", patient(&works)).generate(whole()).await.unwrap()).await;
    assert_eq!(text, "all of it");
    assert!(works.requests.recv().await.unwrap().starts_with("POST "));
    assert!(
        works.requests.recv().await.unwrap().starts_with("GET /health "),
        "it was asked whether it lives"
    );

    let stuck = Peer::start(vec![Do::Work(Duration::from_secs(60)), Do::Close]).await;
    let soon = Call { whole: Some(Duration::from_millis(300)), ..whole() };
    let error = engine("openai", patient(&stuck)).generate(soon).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::FirstTokenTimeout, "it lives, and yet takes too long");

    let hangs = Peer::start(vec![Do::Hang]).await;
    let error = engine("openai", patient(&hangs)).generate(whole()).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::FirstTokenTimeout);
    assert!(error.detail.contains("whether it lives"), "{error}");
}
