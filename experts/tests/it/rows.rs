//! Rows of the fault matrix that engines must meet whatever they are sent, named by their numbers.

use crate::contract::worker;
use crate::peer::{Do, Peer, chunk, stream_head};
use crate::{call, endpoint, engine, read};
use sluice_experts::{ErrorKind, SseEvent, SseParser};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const HI: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n";

/// Numbers from a seed.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }
}

/// Events, and the same as bytes with everything that the standard lets a server choose drawn at random.
fn stream(random: &mut Random) -> (Vec<SseEvent>, Vec<u8>) {
    const WORDS: &[&str] = &["", "a", "法律", "🙂", "{\"x\":[1]}", "é: b", " two", "\u{feff}", "\t"];
    let huge = "i".repeat(100_000);
    let (mut events, mut text, mut id) = (Vec::new(), String::new(), String::new());
    if random.below(3) == 0 {
        text.push('\u{feff}');
    }
    for _ in 0..random.below(6) {
        let end =
            |text: &mut String, random: &mut Random| text.push_str(["\n", "\r\n", "\r"][random.below(3)]);
        match random.below(8) {
            0 => {
                text.push_str(": a comment");
                end(&mut text, random);
            }
            1 => {
                id = if random.below(4) == 0 { huge.clone() } else { "7".to_owned() };
                text.push_str(&format!("id: {id}"));
                end(&mut text, random);
            }
            2 => {
                text.push_str("retry: 5");
                end(&mut text, random);
            }
            3 => {
                text.push_str("unknown: field");
                end(&mut text, random);
            }
            _ => {}
        }
        let lines: Vec<&str> = (0..1 + random.below(3)).map(|_| WORDS[random.below(WORDS.len())]).collect();
        for line in &lines {
            text.push_str(&format!("data: {line}"));
            end(&mut text, random);
        }
        // A line end of its own kind: CR then LF would be one end, so the pair is written as CRLF.
        if text.ends_with('\r') {
            text.push_str(["\r\n", "\r"][random.below(2)]);
        } else {
            end(&mut text, random);
        }
        events.push(SseEvent { event: String::new(), data: lines.join("\n"), id: id.clone() });
    }
    (events, text.into_bytes())
}

/// Pushes the bytes in pieces of random sizes.
fn parse(bytes: &[u8], random: &mut Random) -> Result<Vec<SseEvent>, sluice_experts::SseError> {
    let (mut parser, mut out, mut rest) = (SseParser::new(), Vec::new(), bytes);
    while !rest.is_empty() {
        let most = if random.below(2) == 0 { 3 } else { 4_096 };
        let (piece, after) = rest.split_at((1 + random.below(most)).min(rest.len()));
        parser.push(piece, &mut out)?;
        rest = after;
    }
    Ok(out)
}

#[test]
fn row_06_any_well_formed_stream_parses_to_its_events_however_it_is_written_and_split() {
    for seed in 1..=3_000 {
        let mut random = Random::new(seed);
        let (events, bytes) = stream(&mut random);
        let got = parse(&bytes, &mut random).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(got, events, "seed {seed}");
    }
}

#[test]
fn row_06_damage_anywhere_in_a_stream_harms_no_more_than_its_events() {
    for seed in 1..=3_000 {
        let mut random = Random::new(seed);
        let (_, mut bytes) = stream(&mut random);
        for _ in 0..random.below(4) {
            if let Some(at) = (!bytes.is_empty()).then(|| random.below(bytes.len())) {
                match random.below(3) {
                    0 => bytes[at] = [0, b'\n', b'\r', 0xff, 0xe4, b':', b'{'][random.below(7)],
                    1 => bytes.truncate(at),
                    _ => drop(bytes.splice(at..at, [0xf0, 0x9f])),
                }
            }
        }
        // Whatever is left of it parses, gives the same in any split, and makes no text that was not sent.
        let got = parse(&bytes, &mut random).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(got, parse(&bytes, &mut random).expect("as before"), "seed {seed}");
        let text: usize = got.iter().map(|event| event.data.len()).sum();
        // A broken byte becomes one replacement character of three bytes.
        assert!(text <= 3 * bytes.len(), "seed {seed}");
    }
}

#[tokio::test]
async fn row_06_a_frame_that_is_no_json_is_the_engines_fault_and_never_a_clean_end() {
    let bad: [&[u8]; 4] = [
        b"data: {\"choices\":[{\"delta\":{\"content\":\"x\"}\n\n",
        b"data: [1,2\n\n",
        b"data: \xff\xfe\n\n",
        b"data: NaN\n\n",
    ];
    for frame in bad {
        let mut framed = format!("{:x}\r\n", frame.len()).into_bytes();
        framed.extend_from_slice(frame);
        framed.extend_from_slice(b"\r\n0\r\n\r\n");
        let script = vec![Do::Write(stream_head()), Do::Write(chunk(HI)), Do::Write(framed)];
        let peer = Peer::start(script).await;
        let events =
            engine("openai", endpoint(peer.addr)).generate(call("question", 9)).await.expect("begun");
        let (text, end) = read(events).await;
        let kind = end.expect("it says how it ended").map_err(|error| error.kind);
        let what = String::from_utf8_lossy(frame).into_owned();
        assert_eq!((text.as_str(), kind), ("hi", Err(ErrorKind::Protocol)), "{what}");
    }
}

/// A peer that answers its first request with `head`, then writes `piece` for as long as anybody takes it. Gives back how
/// many bytes it got rid of, and its address.
async fn endless(head: Vec<u8>, piece: Vec<u8>) -> (SocketAddr, Arc<AtomicUsize>, Ended) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let (addr, written) = (listener.local_addr().expect("bound"), Arc::new(AtomicUsize::new(0)));
    let count = written.clone();
    #[allow(clippy::disallowed_methods, reason = "a test's peer lives as long as the test")]
    let ended = tokio::spawn(async move {
        let mut socket = listener.accept().await.expect("a client").0;
        let mut request = [0; 4_096];
        socket.read(&mut request).await.expect("a request");
        socket.write_all(&head).await.expect("the head is taken");
        while socket.write_all(&piece).await.is_ok() {
            count.fetch_add(piece.len(), Ordering::SeqCst);
        }
    });
    (addr, written, ended)
}

type Ended = tokio::task::JoinHandle<()>;

#[tokio::test]
async fn row_07_a_line_or_event_beyond_a_mebibyte_ends_the_call_and_the_reading() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n".to_vec();
    let pieces: [&[u8]; 3] =
        [b"data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", b"data: one line of many\n", b": x"];
    for piece in pieces {
        let many = piece.repeat(1_000);
        let (addr, written, ended) = endless(head.clone(), many).await;
        let error = engine("openai", endpoint(addr)).generate(call("question", 9)).await.err();
        assert_eq!(error.map(|error| error.kind), Some(ErrorKind::Protocol));
        ended.await.expect("its connection was closed");
        // One event's worth, and what sockets hold.
        let written = written.load(Ordering::SeqCst);
        assert!(written < 16 << 20, "{written} bytes were taken");
    }
}

#[tokio::test]
async fn row_07_a_native_message_beyond_a_mebibyte_ends_the_call() {
    for announced in [(1 << 20) + 1, u32::MAX] {
        let peer = H2::start(vec![Act::Announce(announced)]).await;
        let error = engine("native", endpoint(peer.addr)).generate(call("question", 9)).await.err();
        assert_eq!(error.map(|error| error.kind), Some(ErrorKind::Protocol), "{announced}");
        assert_eq!(peer.calls(), 1);
    }
}

#[tokio::test]
async fn row_16_an_engine_that_speaks_http1_where_http2_was_agreed_is_ill_and_asked_anew_when_it_is_back() {
    let peer = H2::start(vec![Act::Http1, Act::Answer]).await;
    let engine = engine("native", endpoint(peer.addr));
    let error = engine.generate(call("question", 9)).await.err().expect("that is no answer");
    assert!(error.is_ill_health() && error.may_succeed_elsewhere(), "{error:?}");
    assert_eq!(peer.calls(), 0);
    assert!(matches!(read(engine.generate(call("question", 9)).await.expect("begun")).await.1, Some(Ok(_))));
    assert_eq!((peer.calls(), peer.connections()), (1, 2));
}

#[tokio::test]
async fn row_16_after_a_goaway_the_next_call_takes_a_new_connection_and_none_is_sent_twice() {
    let peer = H2::start(vec![Act::GoAway, Act::Answer]).await;
    let engine = engine("native", endpoint(peer.addr));
    let error = engine.generate(call("question", 9)).await.err().expect("it was turned away");
    assert_eq!(error.kind, ErrorKind::Truncated, "{error:?}");
    assert_eq!(peer.calls(), 1);
    assert!(matches!(read(engine.generate(call("question", 9)).await.expect("begun")).await.1, Some(Ok(_))));
    assert_eq!((peer.calls(), peer.connections()), (2, 2));
}

#[tokio::test]
async fn row_16_a_call_beyond_the_streams_that_an_engine_takes_is_not_sent_and_times_out() {
    let peer = H2::start(vec![Act::AnswerAndTakeNoMore]).await;
    let mut impatient = endpoint(peer.addr);
    (impatient.connect_timeout, impatient.first_token_timeout) = (ms(1_000), ms(300));
    let engine = engine("native", impatient);
    assert!(matches!(read(engine.generate(call("question", 9)).await.expect("begun")).await.1, Some(Ok(_))));
    let error = engine.generate(call("question", 9)).await.err().expect("there is no stream for it");
    assert_eq!(error.kind, ErrorKind::FirstTokenTimeout);
    assert_eq!(peer.calls(), 1);
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// What an [`H2`] does with each call of one connection.
#[derive(Clone, Copy)]
enum Act {
    /// It answers the connection's first bytes in HTTP/1.1.
    Http1,
    /// It answers.
    Answer,
    /// It answers, and takes no stream from then on.
    AnswerAndTakeNoMore,
    /// It sends a head and the beginning of a message of so many bytes.
    Announce(u32),
    /// It says that it has processed nothing, and goes.
    GoAway,
}

/// A peer that speaks HTTP/2 frame by frame, as far as these tests need it. The connections get the acts in their order.
struct H2 {
    addr: SocketAddr,
    calls: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
    task: Ended,
}

impl H2 {
    async fn start(acts: Vec<Act>) -> H2 {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let addr = listener.local_addr().expect("bound");
        let (calls, connections) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (called, connected) = (calls.clone(), connections.clone());
        #[allow(clippy::disallowed_methods, reason = "a test's peer lives as long as the test")]
        let task = tokio::spawn(async move {
            let mut held = Vec::new();
            for act in acts {
                let mut socket = listener.accept().await.expect("a client").0;
                connected.fetch_add(1, Ordering::SeqCst);
                if act_on(&mut socket, act, &called).await.is_ok() {
                    held.push(socket);
                }
            }
        });
        H2 { addr, calls, connections, task }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for H2 {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Carries one connection to its end, which an `Err` tells of.
async fn act_on(socket: &mut TcpStream, act: Act, calls: &AtomicUsize) -> std::io::Result<()> {
    let mut preface = [0; 24];
    socket.read_exact(&mut preface).await?;
    if matches!(act, Act::Http1) {
        return socket.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
    }
    socket.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
    loop {
        let mut head = [0; 9];
        socket.read_exact(&mut head).await?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        socket.read_exact(&mut vec![0; length]).await?;
        match head[3] {
            SETTINGS if head[4] & ACK == 0 => socket.write_all(&frame(SETTINGS, ACK, 0, &[])).await?,
            HEADERS => {
                calls.fetch_add(1, Ordering::SeqCst);
                socket.write_all(&answer(act, stream)).await?;
                if matches!(act, Act::GoAway) {
                    return Err(std::io::ErrorKind::ConnectionAborted.into());
                }
            }
            _ => {}
        }
    }
}

fn answer(act: Act, stream: u32) -> Vec<u8> {
    // `:status: 200` is an entry of HPACK's table.
    let head = [&[0x88][..], &header("content-type", "application/grpc")].concat();
    let begun = frame(HEADERS, END_HEADERS, stream, &head);
    match act {
        Act::GoAway => frame(GOAWAY, 0, 0, &[0; 8]),
        Act::Announce(bytes) => {
            let message = [&[0][..], &bytes.to_be_bytes()].concat();
            [begun, frame(DATA, 0, stream, &message)].concat()
        }
        Act::Answer | Act::AnswerAndTakeNoMore | Act::Http1 => {
            // An `ExpertEvent` that holds an `ExpertFinished` with the reason "stop".
            let message = b"\0\0\0\0\x08\x12\x06\x0a\x04stop";
            let trailers = header("grpc-status", "0");
            let end = frame(HEADERS, END_HEADERS | END_STREAM, stream, &trailers);
            let no_more = match act {
                Act::AnswerAndTakeNoMore => frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 0]),
                _ => Vec::new(),
            };
            [begun, frame(DATA, 0, stream, message), no_more, end].concat()
        }
    }
}

/// A header as HPACK writes one that is in no table.
fn header(name: &str, value: &str) -> Vec<u8> {
    let short = |text: &str| u8::try_from(text.len()).expect("short");
    [&[0, short(name)][..], name.as_bytes(), &[short(value)], value.as_bytes()].concat()
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

#[tokio::test]
async fn row_02_a_connection_that_has_fallen_silent_is_left_for_a_new_one() {
    let sim = worker(&sluice_sim::Faults::none(), 100.0).await;
    let engine_at = sim.addr;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let (_black_hole, _) = listener.accept().await.expect("the first connection");
        loop {
            let (mut client, _) = listener.accept().await.expect("another connection");
            let mut engine = TcpStream::connect(engine_at).await.expect("it listens");
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut engine).await });
        }
    });
    let mut endpoint = endpoint(addr);
    endpoint.first_token_timeout = ms(200);
    endpoint.connect_timeout = ms(200);
    let engine = engine("native", endpoint);
    let first = engine.generate(call("hello", 4)).await.map(drop).expect_err("a black hole");
    assert_eq!(first.kind, ErrorKind::FirstTokenTimeout);
    let (text, end) = read(engine.generate(call("hello", 4)).await.expect("a new connection")).await;
    assert!(!text.is_empty() && matches!(end, Some(Ok(_))), "{text} {end:?}");
}
