//! Clients that are slow, silent, gone or hostile, on a clock that the test holds.

use crate::edge_kit::*;
use sluice_gateway::OutEvent;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Waits until a timer that was not there before runs.
async fn timers_reach(door: &ScriptedDoor, n: usize) {
    within(async {
        while door.timers() < n {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

async fn held() -> (Arc<ScriptedDoor>, Server, TcpStream) {
    let door = ScriptedDoor::with_held_clock();
    let server = serve(&door).await;
    let client = connect(server.addr).await;
    (door, server, client)
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed_after_10_s() {
    let (door, _server, mut client) = held().await;
    timers_reach(&door, 1).await;
    door.advance(10_001);
    assert_eq!(read_to_end(&mut client).await, b"");
}

#[tokio::test]
async fn dripping_a_head_does_not_buy_time() {
    let (door, _server, mut client) = held().await;
    for byte in b"GET /health" {
        client.write_all(&[*byte]).await.expect("sent");
        timers_reach(&door, 1).await;
        door.advance(900);
    }
    timers_reach(&door, 1).await;
    door.advance(200);
    assert_eq!(read_to_end(&mut client).await, b"");
}

#[tokio::test]
async fn half_of_the_http2_preface_is_no_excuse() {
    let (door, _server, mut client) = held().await;
    client.write_all(b"PRI * HTTP/2").await.expect("sent");
    timers_reach(&door, 1).await;
    door.advance(10_001);
    assert_eq!(read_to_end(&mut client).await, b"");
}

#[tokio::test]
async fn an_idle_connection_lives_for_75_s_between_requests() {
    let (door, _server, mut client) = held().await;
    let ask = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n";
    client.write_all(ask).await.expect("sent");
    read_until(&mut client, "{\"status\":\"ok\"}").await;
    timers_reach(&door, 1).await;
    door.advance(70_000);
    client.write_all(ask).await.expect("sent");
    read_until(&mut client, "{\"status\":\"ok\"}").await;
    timers_reach(&door, 1).await;
    door.advance(75_001);
    assert_eq!(read_to_end(&mut client).await, b"");
}

#[tokio::test]
async fn a_body_that_is_not_complete_after_30_s_is_408() {
    let (door, _server, mut client) = held().await;
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n{\"model\"";
    client.write_all(head.as_bytes()).await.expect("sent");
    door.first_head().await;
    timers_reach(&door, 1).await;
    door.advance(30_001);
    let answer = read_until(&mut client, "}}").await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("x-should-retry: true"), "{answer}");
    assert_eq!(door.refused_codes(), ["request_timeout"]);
}

#[tokio::test]
async fn a_client_that_leaves_a_stream_is_noticed_before_the_next_token() {
    let (door, _server, mut client) = held().await;
    client.write_all(&post_chat("", &chat(r#","stream":true"#))).await.expect("sent");
    let submitted = door.next().await;
    submitted.outlet.send(started()).await.expect("wanted");
    submitted.outlet.send(text("Hel")).await.expect("wanted");
    read_until(&mut client, "Hel").await;
    drop(client);
    within(submitted.outlet.closed()).await;
}

#[tokio::test]
async fn a_client_that_leaves_while_it_waits_is_noticed() {
    for more in ["", r#","stream":true"#] {
        let (door, _server, mut client) = held().await;
        client.write_all(&post_chat("", &chat(more))).await.expect("sent");
        let submitted = door.next().await;
        door.advance(300);
        drop(client);
        within(submitted.outlet.closed()).await;
    }
}

#[tokio::test]
async fn a_client_that_only_stops_sending_still_gets_its_answer() {
    for (more, end) in [("", "\"simulated\":true"), (r#","stream":true"#, "data: [DONE]")] {
        let (door, _server, mut client) = held().await;
        client.write_all(&post_chat("", &chat(more))).await.expect("sent");
        client.shutdown().await.expect("half-closed");
        let submitted = door.next().await;
        door.advance(60);
        for event in [started(), text("Hello"), finished()] {
            submitted.outlet.send(event).await.expect("still wanted");
        }
        let all = String::from_utf8(read_to_end(&mut client).await).expect("UTF-8");
        assert!(all.starts_with("HTTP/1.1 200") && all.contains("Hello") && all.contains(end), "{all}");
    }
}

#[tokio::test]
async fn a_half_closed_connection_ends_after_its_answer_even_when_kept_alive() {
    let (door, _server, mut client) = held().await;
    let body = chat("");
    let length = body.len();
    let keep =
        format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}");
    client.write_all(keep.as_bytes()).await.expect("sent");
    client.shutdown().await.expect("half-closed");
    let submitted = door.next().await;
    for event in [started(), text("Hello"), finished()] {
        submitted.outlet.send(event).await.expect("still wanted");
    }
    let all = read_to_end(&mut client).await;
    assert_eq!(parse_answer(&all).status, 200);
}

#[tokio::test]
async fn a_client_that_reads_nothing_stops_its_stream_and_is_cut_after_30_s() {
    let (door, _server, mut client) = held().await;
    client.write_all(&post_chat("", &chat(r#","stream":true"#))).await.expect("sent");
    let submitted = door.next().await;
    let piece = "x".repeat(256 << 10);
    submitted.outlet.send(started()).await.expect("wanted");
    let mut sent = 0;
    // Full for good when nothing is taken although the reader has had many turns.
    let mut idle_turns = 0;
    while idle_turns < 2_000 {
        match submitted.outlet.try_send(text(&piece)) {
            Ok(()) => (sent, idle_turns) = (sent + 1, 0),
            Err(_) => idle_turns += 1,
        }
        tokio::task::yield_now().await;
    }
    assert!(sent < 200, "{sent} pieces of 256 KiB were taken although nobody reads");
    timers_reach(&door, 1).await;
    door.advance(30_001);
    within(submitted.outlet.closed()).await;
}

#[tokio::test]
async fn a_tls_hello_is_hung_up_on_at_once() {
    let (_door, _server, mut client) = held().await;
    client.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc]).await.expect("sent");
    assert_eq!(read_to_end(&mut client).await, b"");
}

#[tokio::test]
async fn floods_of_headers_are_431_and_others_are_served() {
    let (_door, server, _client) = held().await;
    let many: String = (0..65).map(|n| format!("x-h{n}: 1\r\n")).collect();
    let large = format!("x-large: {}\r\n", "a".repeat(40 << 10));
    for headers in [many, large] {
        let request = format!("GET /health HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
        let mut client = connect(server.addr).await;
        client.write_all(request.as_bytes()).await.expect("sent");
        let answer = read_to_end(&mut client).await;
        assert!(answer.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(exchange(server.addr, &get("/health")).await.status, 200);
}

#[tokio::test]
async fn contradictory_lengths_are_refused() {
    let (door, server, _client) = held().await;
    let smuggled = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcde";
    let answer = exchange(server.addr, smuggled.as_bytes()).await;
    assert_eq!(answer.status, 400);
    assert!(door.refused_codes().is_empty(), "it must not reach a handler");
}

#[tokio::test]
async fn hundreds_of_silent_connections_keep_nobody_from_being_served() {
    let (_door, server, _client) = held().await;
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(connect(server.addr).await);
    }
    assert_eq!(exchange(server.addr, &get("/health")).await.status, 200);
}

#[tokio::test]
async fn an_answer_without_an_end_is_a_bug_of_ours_and_says_so() {
    let script = |_: &_| -> Vec<OutEvent> { vec![started(), text("Hel")] };
    let server = serve(&ScriptedDoor::scripted(script)).await;
    let whole = exchange(server.addr, &post_chat("", &chat(""))).await;
    assert_eq!((whole.status, whole.error_code().as_str()), (500, "internal_error"));
    let streamed = exchange(server.addr, &post_chat("", &chat(r#","stream":true"#))).await;
    assert!(streamed.text().contains("internal_error") && !streamed.text().contains("[DONE]"));
}

/// A frame of HTTP/2 as it goes over the wire.
fn h2_frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
/// `POST http://x/`, compressed.
const POST_ROOT: &[u8] = &[0x83, 0x86, 0x84, 0x41, 0x01, b'x'];
/// A header `a` of 8,000 bytes follows.
const LONG_HEADER: &[u8] = &[0x00, 0x01, b'a', 0x7f, 0xc1, 0x3d];

/// Sends a flood after a proper greeting and waits until the server ends the connection rather than endure it.
async fn wait_until_hung_up(server: &Server, flood: &[u8]) {
    let mut client = connect(server.addr).await;
    let greeting = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), h2_frame(SETTINGS, 0, 0, &[])].concat();
    client.write_all(&greeting).await.expect("sent");
    let (mut reading, mut writing) = client.split();
    let write = async {
        // The server may hang up before all of it is out.
        let _ = writing.write_all(flood).await;
    };
    let mut answer = Vec::new();
    let (_, ()) = within(async { tokio::join!(reading.read_to_end(&mut answer), write) }).await;
}

#[tokio::test]
async fn floods_of_http2_frames_end_their_connection_and_no_other() {
    let (_door, server, _client) = held().await;
    let resets: Vec<u8> = (0..4_000)
        .flat_map(|n| {
            let open = h2_frame(HEADERS, 4, 2 * n + 1, POST_ROOT);
            [open, h2_frame(RST_STREAM, 0, 2 * n + 1, &[0, 0, 0, 8])].concat()
        })
        .collect();
    let more = h2_frame(CONTINUATION, 0, 1, &[LONG_HEADER, &[b'b'; 8_000]].concat());
    let endless_head = [h2_frame(HEADERS, 0, 1, POST_ROOT), more.repeat(64)].concat();
    for flood in [resets, endless_head] {
        wait_until_hung_up(&server, &flood).await;
        assert_eq!(exchange(server.addr, &get("/health")).await.status, 200);
    }
}

#[tokio::test]
async fn a_request_is_read_however_its_first_bytes_are_cut() {
    let server = serve(&ScriptedDoor::by_hand()).await;
    let ask = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n";
    for cut in [1, 2, 23, 24, 25, ask.len() - 1] {
        let mut client = connect(server.addr).await;
        for part in [&ask[..cut], &ask[cut..]] {
            client.write_all(part).await.expect("sent");
            tokio::task::yield_now().await;
        }
        let answer = read_until(&mut client, "{\"status\":\"ok\"}").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{cut}: {answer}");
    }
}
