//! The listeners: many streams, prompt chunks, the drain, and the admin port.

use crate::edge_kit::*;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sluice_gateway::{Fault, FaultCode, OutEvent, Readiness};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

fn chat_request(more: &str) -> Request<Full<Bytes>> {
    Request::post("/v1/chat/completions")
        .header("host", "x")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(chat(more))))
        .expect("a request")
}

/// The same request with the whole address, as HTTP/2 wants it.
fn on_http2(server: &Server, mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    let uri = format!("http://{}{}", server.addr, request.uri());
    *request.uri_mut() = uri.parse().expect("a URI");
    request
}

async fn text_of(response: Response<Incoming>) -> String {
    let bytes = within(response.into_body().collect()).await.expect("a whole body").to_bytes();
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

async fn http1_client(server: &Server) -> http1::SendRequest<Full<Bytes>> {
    let stream = connect(server.addr).await;
    stream.set_nodelay(true).expect("a socket");
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1");
    spawn_now(async {
        let _ = connection.await;
    });
    sender
}

async fn http2_client(server: &Server) -> http2::SendRequest<Full<Bytes>> {
    let stream = TokioIo::new(connect(server.addr).await);
    let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.expect("HTTP/2");
    spawn_now(async {
        let _ = connection.await;
    });
    sender
}

#[tokio::test]
async fn streams_on_a_reused_connection_never_wait_for_a_delayed_ack() {
    let door = ScriptedDoor::by_hand();
    let server = serve(&door).await;
    let mut client = http1_client(&server).await;
    const STREAMS: usize = 20;
    let run = async {
        let mut took = Vec::new();
        for _ in 0..STREAMS {
            let start = tokio::time::Instant::now();
            let response = client.send_request(chat_request(r#","stream":true"#));
            let write = async {
                let submitted = door.next().await;
                for event in hello(&submitted.request) {
                    submitted.outlet.send(event).await.expect("wanted");
                    // Each chunk is written by itself, as an engine's tokens are.
                    while submitted.outlet.capacity() < submitted.outlet.max_capacity() {
                        tokio::task::yield_now().await;
                    }
                }
            };
            let (response, ()) = tokio::join!(response, write);
            assert!(text_of(response.expect("answered")).await.contains("[DONE]"));
            took.push(start.elapsed());
            client.ready().await.expect("kept alive");
        }
        took
    };
    let took = within(run).await;
    // With Nagle's algorithm a stream's second small write waits for an acknowledgement that is delayed by 40 ms and more.
    let waited = took.iter().filter(|took| **took >= Duration::from_millis(35)).count();
    assert!(waited < STREAMS / 2, "{waited} of {STREAMS} streams waited: {took:?}");
}

#[tokio::test]
async fn a_hundred_streams_run_side_by_side_on_one_connection_and_on_many() {
    let door = ScriptedDoor::by_hand();
    let server = serve(&door).await;
    let mut calls = Vec::new();
    let shared = http2_client(&server).await;
    for n in 0..100 {
        let request = chat_request(r#","stream":true"#);
        if n % 2 == 0 {
            let request = on_http2(&server, request);
            let mut sender = shared.clone();
            calls.push(futures::future::Either::Left(async move { sender.send_request(request).await }));
        } else {
            let mut sender = http1_client(&server).await;
            calls.push(futures::future::Either::Right(async move {
                let response = sender.send_request(request).await;
                // The connection lives as long as its sender.
                std::mem::forget(sender);
                response
            }));
        }
    }
    let answered = futures::future::join_all(calls.into_iter().map(|call| async {
        let response = call.await.expect("answered");
        assert_eq!(response.status(), 200);
        text_of(response).await
    }));
    let write = async {
        let mut open = Vec::new();
        for _ in 0..100 {
            open.push(door.next().await);
        }
        // All hundred are under way before the first gets anything.
        for step in 0..4 {
            for submitted in &open {
                let event = hello(&submitted.request).swap_remove(step);
                submitted.outlet.send(event).await.expect("wanted");
            }
        }
    };
    let (texts, ()) = within(async { tokio::join!(answered, write) }).await;
    assert!(texts.iter().all(|text| text.ends_with("data: [DONE]\n\n") && text.contains("Hel")));
}

#[tokio::test]
async fn a_stream_that_breaks_on_http2_leaves_the_others_of_its_connection_alone() {
    let door = ScriptedDoor::scripted(|request| match request.streams {
        true => {
            vec![
                started(),
                OutEvent::Failed(Box::new(Fault::new(FaultCode::UpstreamError, "the engine broke off"))),
            ]
        }
        false => hello(request),
    });
    let server = serve(&door).await;
    let mut client = http2_client(&server).await;
    for _ in 0..3 {
        let broken = client.send_request(on_http2(&server, chat_request(r#","stream":true"#)));
        assert!(text_of(within(broken).await.expect("begun")).await.contains("upstream_error"));
        let whole = client.send_request(on_http2(&server, chat_request("")));
        assert_eq!(within(whole).await.expect("the connection lives").status(), 200);
    }
}

#[tokio::test]
async fn a_drain_finishes_what_is_under_way_refuses_the_rest_and_then_closes_the_port() {
    let door = ScriptedDoor::by_hand();
    let mut server = serve(&door).await;
    let mut streaming = connect(server.addr).await;
    streaming.write_all(&post_chat("", &chat(r#","stream":true"#))).await.expect("sent");
    let submitted = door.next().await;
    submitted.outlet.send(started()).await.expect("wanted");
    read_until(&mut streaming, "assistant").await;
    let mut idle = http1_client(&server).await;
    assert_eq!(idle.send_request(chat_get("/health")).await.expect("answered").status(), 200);

    door.set_readiness(Readiness::Draining);
    server.stop();
    // An idle connection is closed at once; a new one is still answered.
    within(async {
        while !idle.is_closed() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let keep = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
        chat("").len()
    );
    let refused = exchange(server.addr, (keep + &chat("")).as_bytes()).await;
    assert_eq!((refused.status, refused.error_code().as_str()), (503, "draining"));
    assert_eq!((refused.header("connection"), refused.header("x-should-retry")), ("close", "true"));
    assert!(!refused.header("x-request-id").is_empty() && !refused.header("retry-after").is_empty());

    for event in [text("Hello"), finished()] {
        submitted.outlet.send(event).await.expect("wanted");
    }
    let rest = String::from_utf8(read_to_end(&mut streaming).await).expect("UTF-8");
    assert!(rest.contains("Hello") && rest.contains("data: [DONE]"), "{rest}");
    server.ended().await;
    assert!(TcpStream::connect(server.addr).await.is_err(), "the port is closed");
}

fn chat_get(path: &str) -> Request<Full<Bytes>> {
    Request::get(path).header("host", "x").body(Full::default()).expect("a request")
}

#[tokio::test]
async fn a_drain_lets_streams_of_http2_finish_and_takes_no_new_ones_there() {
    let door = ScriptedDoor::by_hand();
    let mut server = serve(&door).await;
    let mut client = http2_client(&server).await;
    let request = on_http2(&server, chat_request(r#","stream":true"#));
    let (response, submitted) = tokio::join!(client.send_request(request), async {
        let submitted = door.next().await;
        submitted.outlet.send(started()).await.expect("wanted");
        submitted
    });
    door.set_readiness(Readiness::Draining);
    server.stop();
    // What comes before the goodbye has reached the client is refused, what comes after is not even sent.
    within(async {
        while let Ok(refused) = client.send_request(on_http2(&server, chat_request(""))).await {
            assert_eq!(refused.status(), 503);
        }
    })
    .await;
    submitted.outlet.send(finished()).await.expect("wanted");
    assert!(text_of(response.expect("begun")).await.ends_with("data: [DONE]\n\n"));
    server.ended().await;
}

#[tokio::test]
async fn a_drain_does_not_wait_for_connections_that_say_nothing() {
    let door = ScriptedDoor::by_hand();
    let mut server = serve(&door).await;
    let mut silent = connect(server.addr).await;
    assert_eq!(exchange(server.addr, &get("/health")).await.status, 200);
    server.stop();
    server.ended().await;
    assert_eq!(read_to_end(&mut silent).await, b"");
}

#[tokio::test]
async fn the_admin_port_serves_metrics_and_probes() {
    let door = ScriptedDoor::by_hand();
    let server = serve_admin(&door).await;
    let metrics = exchange(server.addr, &get("/metrics")).await;
    assert_eq!(metrics.status, 200);
    assert_eq!(metrics.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert!(metrics.text().contains("sluice_requests_total 1"));
    assert!(exchange(server.addr, &get("/")).await.text().contains("/readyz"));
    for readiness in [Readiness::Ready, Readiness::NotReady("no pool is up".to_owned()), Readiness::Draining]
    {
        door.set_readiness(readiness.clone());
        assert_eq!(exchange(server.addr, &get("/healthz")).await.status, 200, "{readiness:?}");
        let ready = exchange(server.addr, &get("/readyz")).await;
        let (status, why) = match readiness {
            Readiness::Ready => (200, "ready\n"),
            Readiness::NotReady(_) => (503, "not ready: no pool is up\n"),
            Readiness::Draining => (503, "draining\n"),
        };
        assert_eq!((ready.status, ready.text().as_str()), (status, why));
    }
    let missing = exchange(server.addr, &get("/v1/models")).await;
    assert_eq!((missing.status, missing.error_code().as_str()), (404, "unknown_url"));
    assert!(!missing.header("x-request-id").is_empty());
    assert_eq!(exchange(server.addr, &post("/metrics", "", "")).await.status, 405);
}
