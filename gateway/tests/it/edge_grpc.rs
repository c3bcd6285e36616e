//! gRPC answers, with tonic's own client where that shows enough and raw HTTP/2 where a client would hide the server.

use crate::edge_kit::*;
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use sluice_gateway::{Fault, FaultCode, Front, OutEvent, Readiness};
use sluice_proto::v1;
use sluice_proto::v1::gateway_client::GatewayClient;
use sluice_proto::v1::generate_event::Event;
use std::net::SocketAddr;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_types::StatusExt;

async fn channel(server: &Server) -> Channel {
    let endpoint = Channel::from_shared(format!("http://{}", server.addr)).expect("an address");
    within(endpoint.connect()).await.expect("connected")
}

async fn client(server: &Server) -> GatewayClient<Channel> {
    GatewayClient::new(channel(server).await)
}

fn ask() -> v1::GenerateRequest {
    let message =
        v1::Message { role: "user".to_owned(), content: "secret question".to_owned(), json: String::new() };
    v1::GenerateRequest { model: "auto".to_owned(), messages: vec![message], ..Default::default() }
}

fn value<'a>(metadata: &'a MetadataMap, name: &str) -> &'a str {
    metadata.get(name).map_or("", |value| value.to_str().expect("ASCII"))
}

/// A refused call's status, checked for what all of ours have.
fn refused<T>(answer: Result<tonic::Response<T>, Status>, code: Code, reason: &str) -> Status {
    let status = answer.err().unwrap_or_else(|| panic!("must be refused with {reason}"));
    assert_eq!(status.code(), code, "{status:?}");
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no details: {status:?}"));
    assert_eq!((info.domain.as_str(), info.reason.as_str()), ("sluice", reason));
    assert!(!info.metadata["request_id"].is_empty());
    assert_eq!(value(status.metadata(), "x-request-id"), info.metadata["request_id"]);
    assert!(!status.message().contains("secret"));
    status
}

#[tokio::test]
async fn a_stream_tells_who_answers_at_its_head_and_what_it_cost_in_its_trailers() {
    let server = serve(&ScriptedDoor::scripted(hello)).await;
    let mut request = tonic::Request::new(ask());
    request.metadata_mut().insert("x-request-id", "mine-1".parse().expect("ASCII"));
    let answer = within(client(&server).await.generate(request)).await.expect("an answer");
    for (name, expected) in
        [("x-request-id", "mine-1"), ("x-sluice-expert", "law-7b"), ("x-sluice-decision", "dec-1")]
    {
        assert_eq!(value(answer.metadata(), name), expected, "{name}");
    }
    let mut stream = answer.into_inner();
    let mut events = Vec::new();
    while let Some(message) = within(stream.message()).await.expect("no error") {
        events.push(message.event.expect("an event"));
    }
    assert!(matches!(&events[0], Event::Started(started) if started.pool == "law-a" && started.replica == 2));
    assert!(
        matches!((&events[1], &events[2]), (Event::Text(a), Event::Text(b)) if a.text == "Hel" && b.text == "lo")
    );
    assert!(matches!(&events[3], Event::Finished(end) if end.cost_nanousd == 1_500));
    assert_eq!(events.len(), 4);
    let trailers = within(stream.trailers()).await.expect("no error").expect("trailers");
    for (name, expected) in [
        ("x-sluice-decision", "dec-1"),
        ("x-sluice-cost-nanousd", "1500"),
        ("x-sluice-baseline-nanousd", "9000"),
        ("x-sluice-tokens", "15"),
    ] {
        assert_eq!(value(&trailers, name), expected, "{name}");
    }
}

#[tokio::test]
async fn an_answer_in_one_message_has_the_same_and_its_tool_calls_put_together() {
    let script = |_: &_| {
        vec![
            started(),
            text("Hello"),
            delta(r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{"}}]}"#),
            delta(r#"{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}"#),
            finished(),
        ]
    };
    let server = serve(&ScriptedDoor::scripted(script)).await;
    let answer = within(client(&server).await.generate_once(ask())).await.expect("an answer");
    // tonic's client merges the trailers into the metadata of a unary answer.
    for (name, expected) in [("x-sluice-route", "auto"), ("x-sluice-cost-nanousd", "1500")] {
        assert_eq!(value(answer.metadata(), name), expected, "{name}");
    }
    let answer = answer.into_inner();
    assert_eq!(answer.text, "Hello");
    assert_eq!(
        answer.message_json,
        r#"{"role":"assistant","content":"Hello","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]}"#
    );
    assert_eq!(answer.started.expect("who").expert, "law-7b");
    assert_eq!(answer.finished.expect("the end").usage.expect("usage").cached_tokens, 4);
}

#[tokio::test]
async fn the_door_gets_metadata_as_hints_and_the_earlier_deadline() {
    let door = ScriptedDoor::with_held_clock();
    let server = serve(&door).await;
    for (timeout, deadline_ms, expected_ms) in
        [("9S", Some("500"), 500), ("250m", Some("500"), 250), ("2S", None, 2_000)]
    {
        let mut headers =
            vec![("grpc-timeout", timeout), ("x-sluice-floor", "0.9"), ("x-sluice-domain", "law")];
        headers.extend(deadline_ms.map(|ms| ("x-sluice-deadline-ms", ms)));
        let call = raw_call(server.addr, "Generate", &headers, frame(&ask()));
        let taken = async {
            let submitted = door.next().await;
            for event in hello(&submitted.request) {
                submitted.outlet.send(event).await.expect("wanted");
            }
            submitted.request
        };
        let (_, request) = tokio::join!(call, taken);
        assert_eq!((request.front, request.streams), (Front::Grpc, true));
        assert_eq!((request.hints.floor, request.hints.domain.as_deref()), (Some(0.9), Some("law")));
        assert_eq!(request.deadline.expect("a deadline").since_ms(request.received), f64::from(expected_ms));
    }
}

#[tokio::test]
async fn bad_requests_are_invalid_argument_with_the_field() {
    let door = ScriptedDoor::scripted(hello);
    let server = serve(&door).await;
    let mut client = client(&server).await;
    let no_messages = v1::GenerateRequest::default();
    let status = refused(client.generate(no_messages).await, Code::InvalidArgument, "invalid_value");
    assert_eq!(
        status.get_error_details().bad_request().expect("field").field_violations[0].field,
        "messages"
    );
    let nan = v1::GenerateRequest { temperature: Some(f32::NAN), ..ask() };
    refused(client.generate_once(nan).await, Code::InvalidArgument, "invalid_value");
    let two = v1::GenerateRequest { extra_json: r#"{"n":2}"#.to_owned(), ..ask() };
    refused(client.generate_once(two).await, Code::InvalidArgument, "unsupported_parameter");
    let mut hinted = tonic::Request::new(ask());
    hinted.metadata_mut().insert("x-sluice-floor", "high".parse().expect("ASCII"));
    let status = refused(client.generate(hinted).await, Code::InvalidArgument, "invalid_value");
    assert_eq!(
        status.get_error_details().bad_request().expect("field").field_violations[0].field,
        "x-sluice-floor"
    );
    let mut dry = tonic::Request::new(ask());
    dry.metadata_mut().insert("x-sluice-dry-run", "true".parse().expect("ASCII"));
    let status = refused(client.generate_once(dry).await, Code::InvalidArgument, "invalid_value");
    assert!(status.message().contains("call Explain"), "{status}");
    refused(client.explain(v1::ExplainRequest::default()).await, Code::InvalidArgument, "invalid_value");
    assert_eq!(door.refused_codes().len(), 6);
}

#[tokio::test]
async fn a_failure_before_the_first_event_is_the_calls_status_with_retry_advice() {
    let script = |_: &_| {
        vec![OutEvent::Failed(Box::new(Fault::passing(FaultCode::NoCapacity, 1_500, "every line is full")))]
    };
    let server = serve(&ScriptedDoor::scripted(script)).await;
    let mut client = client(&server).await;
    let status = refused(client.generate_once(ask()).await, Code::Unavailable, "no_capacity");
    assert_eq!(value(status.metadata(), "grpc-retry-pushback-ms"), "1500");
    let status = refused(client.generate(ask()).await, Code::Unavailable, "no_capacity");
    assert!(status.get_error_details().retry_info().is_some());
}

#[tokio::test]
async fn a_failure_in_a_stream_is_its_status() {
    let script = |_: &_| {
        vec![
            started(),
            text("Hel"),
            OutEvent::Failed(Box::new(Fault::new(FaultCode::UpstreamError, "broke off"))),
        ]
    };
    let server = serve(&ScriptedDoor::scripted(script)).await;
    let mut stream = client(&server).await.generate(ask()).await.expect("begun").into_inner();
    let mut texts = 0;
    let status = loop {
        match within(stream.message()).await {
            Ok(message) => texts += usize::from(message.is_some()),
            Err(status) => break status,
        }
    };
    assert_eq!((texts, status.code()), (2, Code::Unavailable));
    assert_eq!(status.get_error_details().error_info().expect("details").reason, "upstream_error");
}

#[tokio::test]
async fn a_deadline_ends_a_silent_stream_although_no_client_enforces_it() {
    for begins in [false, true] {
        let door = ScriptedDoor::with_held_clock();
        let server = serve(&door).await;
        let call = raw_call(server.addr, "Generate", &[("grpc-timeout", "500m")], frame(&ask()));
        let silence = async {
            let submitted = door.next().await;
            if begins {
                submitted.outlet.send(started()).await.expect("wanted");
            }
            while submitted.outlet.capacity() < submitted.outlet.max_capacity() || door.timers() == 0 {
                tokio::task::yield_now().await;
            }
            door.advance(601);
            within(submitted.outlet.closed()).await;
        };
        let ((_, trailers), ()) = within(async { tokio::join!(call, silence) }).await;
        assert_eq!(trailers["grpc-status"], "4", "begun: {begins}");
    }
}

#[tokio::test]
async fn a_deadline_that_can_not_be_meant_is_refused() {
    let server = serve(&ScriptedDoor::scripted(hello)).await;
    for timeout in ["1s", "123456789S", "abc"] {
        let (_, trailers) =
            raw_call(server.addr, "Generate", &[("grpc-timeout", timeout)], frame(&ask())).await;
        assert_eq!(trailers["grpc-status"], "3", "{timeout}");
    }
}

#[tokio::test]
async fn messages_that_can_not_be_read_are_the_callers_fault() {
    let door = ScriptedDoor::scripted(hello);
    let server = serve(&door).await;
    let framed = |flag: u8, length: u32, body: &[u8]| {
        let mut bytes = BytesMut::new();
        bytes.put_u8(flag);
        bytes.put_u32(length);
        bytes.put_slice(body);
        bytes.freeze()
    };
    let big = v1::GenerateRequest { extra_json: "x".repeat(LIMIT), ..ask() };
    let cases = [
        ("not protobuf", framed(0, 4, &[0xff; 4]), "3"),
        ("a string that is not UTF-8", framed(0, 3, &[0x0a, 0x01, 0xff]), "3"),
        ("a length that lies", framed(0, 50, b"abc"), "3"),
        ("four gigabytes announced", framed(0, u32::MAX, b"abc"), "8"),
        ("over the limit", frame(&big), "8"),
        ("a compressed flag without compression", framed(1, 3, b"abc"), "3"),
        ("a flag that does not exist", framed(7, 3, b"abc"), "3"),
        ("nothing at all", Bytes::new(), "3"),
    ];
    let count = cases.len();
    for (what, bytes, status) in cases {
        for method in ["Generate", "GenerateOnce"] {
            let (_, trailers) = raw_call(server.addr, method, &[], bytes.clone()).await;
            assert_eq!(trailers["grpc-status"], status, "{what}: {trailers:?}");
            assert!(
                trailers.contains_key("grpc-status-details-bin") && trailers.contains_key("x-request-id")
            );
        }
    }
    assert_eq!(door.refused_codes().len(), 2 * count);
    let unknown_fields = framed(0, 3, &[0xfa, 0x3f, 0x00]);
    let known = frame(&ask());
    let mut both = BytesMut::new();
    both.put_u8(0);
    both.put_u32((known.len() - 5 + unknown_fields.len() - 5) as u32);
    both.put_slice(&known[5..]);
    both.put_slice(&unknown_fields[5..]);
    let (_, trailers) = raw_call(server.addr, "GenerateOnce", &[], both.freeze()).await;
    assert_eq!(trailers["grpc-status"], "0", "fields of a newer client are no mistake");
}

#[tokio::test]
async fn a_message_that_never_ends_is_given_up_after_30_s() {
    let door = ScriptedDoor::with_held_clock();
    let server = serve(&door).await;
    let (sender, body) = tokio::sync::mpsc::channel::<Result<http_body::Frame<Bytes>, std::io::Error>>(1);
    let start = frame(&ask()).slice(..7);
    sender.send(Ok(http_body::Frame::data(start))).await.expect("room");
    let body = http_body_util::StreamBody::new(tokio_stream::wrappers::ReceiverStream::new(body));
    let call = raw_request(server.addr, "Generate", &[], body);
    let patience = async {
        door.first_head().await;
        door.advance(30_001);
    };
    let ((_, trailers), ()) = within(async { tokio::join!(call, patience) }).await;
    assert_eq!(trailers["grpc-status"], "4", "{trailers:?}");
    assert!(trailers.contains_key("grpc-status-details-bin"));
}

#[tokio::test]
async fn dropping_a_stream_tells_the_door_at_once() {
    let door = ScriptedDoor::by_hand();
    let server = serve(&door).await;
    let mut client = client(&server).await;
    let (answer, submitted) = tokio::join!(client.generate(ask()), async {
        let submitted = door.next().await;
        submitted.outlet.send(started()).await.expect("wanted");
        submitted
    });
    drop(answer.expect("begun"));
    within(submitted.outlet.closed()).await;
    let mut waiting = Box::pin(client.generate_once(ask()));
    let submitted = tokio::select! {
        _ = &mut waiting => panic!("nothing was answered"),
        submitted = door.next() => submitted,
    };
    drop(waiting);
    within(submitted.outlet.closed()).await;
}

#[tokio::test]
async fn explain_and_models_ask_the_door() {
    let server = serve(&ScriptedDoor::by_hand()).await;
    let mut client = client(&server).await;
    let what = |what| v1::ExplainRequest { what: Some(what) };
    let now = client.explain(what(v1::explain_request::What::Request(ask()))).await.expect("explained");
    assert_eq!(now.into_inner().receipt_json, r#"{"model":"auto","floor":null}"#);
    let known = v1::explain_request::What::DecisionId("known".to_owned());
    assert_eq!(
        client.explain(what(known)).await.expect("stored").into_inner().receipt_json,
        r#"{"id":"known"}"#
    );
    let other = v1::explain_request::What::DecisionId("other".to_owned());
    refused(client.explain(what(other)).await, Code::NotFound, "decision_not_found");
    let models = client.list_models(v1::ListModelsRequest {}).await.expect("listed").into_inner().models;
    let names: Vec<&str> = models.iter().map(|model| model.id.as_str()).collect();
    assert_eq!(names, ["auto", "meta/llama-3"]);
}

#[tokio::test]
async fn health_follows_readiness_for_checks_and_watches() {
    let door = ScriptedDoor::by_hand();
    let server = serve(&door).await;
    let mut health = HealthClient::new(channel(&server).await);
    let ask = |service: &str| HealthCheckRequest { service: service.to_owned() };
    for service in ["", "sluice.v1.Gateway", "grpc.health.v1.Health"] {
        let status = health.check(ask(service)).await.expect("known").into_inner().status();
        assert_eq!(status, ServingStatus::Serving, "{service}");
    }
    assert_eq!(health.check(ask("nope")).await.expect_err("unknown").code(), Code::NotFound);
    let mut unknown = health.watch(ask("nope")).await.expect("a stream").into_inner();
    let first = within(unknown.message()).await.expect("fine").expect("a status");
    assert_eq!(first.status(), ServingStatus::ServiceUnknown);
    let mut watch = health.watch(ask("sluice.v1.Gateway")).await.expect("a stream").into_inner();
    let status = within(watch.message()).await.expect("fine").expect("a status").status();
    assert_eq!(status, ServingStatus::Serving);
    door.set_readiness(Readiness::Draining);
    let status = within(watch.message()).await.expect("fine").expect("a status").status();
    assert_eq!(status, ServingStatus::NotServing);
    assert_eq!(health.check(ask("")).await.expect("known").into_inner().status(), ServingStatus::NotServing);
}

#[tokio::test]
async fn reflection_lists_what_is_served_in_both_versions() {
    let server = serve(&ScriptedDoor::by_hand()).await;
    let expected = ["grpc.health.v1.Health", "sluice.v1.Gateway"];
    {
        use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
        use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
        use tonic_reflection::pb::v1::{
            ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        };
        let mut client = ServerReflectionClient::new(channel(&server).await);
        let list = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let answer = client.server_reflection_info(tokio_stream::iter([list])).await.expect("answered");
        let message = within(answer.into_inner().message()).await.expect("fine").expect("one");
        let Some(MessageResponse::ListServicesResponse(list)) = message.message_response else {
            panic!("not a list")
        };
        let mut names: Vec<String> = list.service.into_iter().map(|service| service.name).collect();
        names.sort();
        assert_eq!(names, expected);
    }
    {
        use tonic_reflection::pb::v1alpha::server_reflection_request::MessageRequest;
        use tonic_reflection::pb::v1alpha::server_reflection_response::MessageResponse;
        use tonic_reflection::pb::v1alpha::{
            ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        };
        let mut client = ServerReflectionClient::new(channel(&server).await);
        let symbol = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::FileContainingSymbol("sluice.v1.Gateway".to_owned())),
        };
        let answer = client.server_reflection_info(tokio_stream::iter([symbol])).await.expect("answered");
        let message = within(answer.into_inner().message()).await.expect("fine").expect("one");
        assert!(matches!(message.message_response, Some(MessageResponse::FileDescriptorResponse(_))));
    }
}

#[tokio::test]
async fn an_unknown_method_is_unimplemented_and_a_panic_internal() {
    let door = ScriptedDoor::scripted(hello);
    let server = serve(&door).await;
    let (_, trailers) = raw_call(server.addr, "Embed", &[], frame(&ask())).await;
    assert_eq!(trailers["grpc-status"], "12");
    let bug = v1::GenerateRequest { model: "panic".to_owned(), ..ask() };
    refused(client(&server).await.generate_once(bug).await, Code::Internal, "internal_error");
    assert_eq!(door.refused_codes(), ["internal_error"]);
    client(&server).await.generate_once(ask()).await.expect("the server lives on");
}

/// A message with gRPC's five bytes before it.
pub(crate) fn frame(message: &impl Message) -> Bytes {
    let body = message.encode_to_vec();
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(body.len() as u32);
    bytes.put_slice(&body);
    bytes.freeze()
}

/// One call without a gRPC client: the bytes of its messages and its trailers, or its headers when it has no more.
pub(crate) async fn raw_call(
    addr: SocketAddr,
    method: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> (Bytes, HeaderMap) {
    raw_request(addr, method, headers, Full::new(body)).await
}

async fn raw_request<B>(
    addr: SocketAddr,
    method: &str,
    headers: &[(&str, &str)],
    body: B,
) -> (Bytes, HeaderMap)
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let io = TokioIo::new(connect(addr).await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.expect("HTTP/2");
    spawn_now(async {
        let _ = connection.await;
    });
    let mut request = Request::post(format!("http://{addr}/sluice.v1.Gateway/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response: Response<_> =
        within(sender.send_request(request.body(body).expect("a request"))).await.expect("answered");
    let (head, body) = response.into_parts();
    let collected = within(body.collect()).await.expect("a whole body");
    let mut trailers = head.headers;
    trailers.extend(collected.trailers().cloned().unwrap_or_default());
    (collected.to_bytes(), trailers)
}
