//! Rows of the fault matrix that need a network which misbehaves to the letter, named by their numbers.

use super::client::{End, GATEWAY, Kind, Told, Wish};
use super::engine::now;
use super::faults::{self, Fault, Target};
use super::script::{LARGE, Mood};
use super::world::{self, Outcome, Plan, World};
use bytes::Bytes;
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sluice_proto::v1;
use std::convert::Infallible;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use turmoil::net::TcpStream;

/// A quiet world: one pool of two replicas for `big`, one of one for `small`, and one client with these wishes.
fn plan(is_native: bool, wishes: Vec<Wish>, faults: Vec<Fault>) -> Plan {
    Plan {
        seed: 1,
        pools: [(is_native, 2), (is_native, 1)],
        max_concurrency: 4,
        learns: false,
        max_queue: 8,
        hedges: false,
        owns_gpus: false,
        tcp_capacity: 4_096,
        rough: faults.iter().map(|fault| fault.until).max().unwrap_or_default(),
        wishes: vec![wishes],
        faults,
    }
}

fn wish(at_ms: u64) -> Wish {
    Wish {
        label: format!("at-{at_ms}"),
        client: 0,
        at: Duration::from_millis(at_ms),
        kind: Kind::Stream,
        model: "big",
        max_tokens: 5,
        deadline_ms: None,
        leaves_after: None,
    }
}

fn fault(kind: faults::Kind, from_ms: u64, until_ms: u64) -> Fault {
    let (from, until) = (Duration::from_millis(from_ms), Duration::from_millis(until_ms));
    Fault { kind, at: Target::Engine(0), from, until }
}

/// How long each try at the first replica took, in milliseconds.
fn tries_at_first(outcome: &Outcome) -> Vec<f64> {
    let tries = outcome.settled.iter().flat_map(|settled| &settled.attempts);
    tries
        .filter(|attempt| attempt.replica.contains("engine-0") && attempt.end != "done")
        .map(|attempt| attempt.total_ms)
        .collect()
}

fn assert_all_complete(told: &[Told]) {
    for told in told {
        assert!(matches!(told.end, End::Complete { .. }), "{}: {:?}", told.wish.label, told.end);
    }
}

#[test]
fn row_02_a_black_hole_is_given_up_after_a_second_and_ejected_within_three_tries() {
    for is_native in [false, true] {
        let wishes: Vec<Wish> = (0..20).map(|n| wish(500 + n * 300)).collect();
        let outcome = world::run(plan(is_native, wishes, vec![fault(faults::Kind::Hold, 0, 8_000)]));
        assert_all_complete(&outcome.told);
        let tries = tries_at_first(&outcome);
        assert!((1..=3).contains(&tries.len()), "{tries:?}");
        // A native channel that a probe has set out to connect lets that end before it sets out for the request.
        let most = if is_native { 2_100.0 } else { 1_100.0 };
        assert!(tries.iter().all(|ms| (990.0..most).contains(ms)), "{tries:?}");
        assert_eq!(outcome.unfinished, [""; 0]);
    }
}

#[test]
fn row_02_a_replica_that_accepts_and_says_nothing_is_ejected_within_three_tries() {
    for is_native in [false, true] {
        let wishes: Vec<Wish> = (0..6).map(|n| wish(500 + n * 3_400)).collect();
        let outcome = world::run(plan(is_native, wishes, vec![fault(faults::Kind::OneWay, 0, 21_000)]));
        assert_all_complete(&outcome.told);
        let tries = tries_at_first(&outcome);
        assert!((1..=3).contains(&tries.len()), "{tries:?}");
        // The patience for the first token, and for a connection where that is the channel's affair.
        assert!(tries.iter().all(|ms| (2_990.0..4_100.0).contains(ms)), "{tries:?}");
        assert_eq!(outcome.unfinished, [""; 0]);
    }
}

/// More tokens than anybody reads here.
const LONG: u32 = 900_000;

/// A request for a stream of up to so many tokens.
fn request(label: &str, max_tokens: u32) -> String {
    let messages = r#"[{"role":"user","content":"x"}]"#;
    let body =
        format!(r#"{{"model":"small","max_tokens":{max_tokens},"stream":true,"messages":{messages}}}"#);
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-request-id: {label}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn row_20_a_reader_of_a_byte_a_second_holds_its_engine_back_and_is_cut_after_30_s() {
    for is_native in [false, true] {
        let mut world = World::new(Plan { tcp_capacity: 2, ..plan(is_native, vec![], vec![]) });
        let mood = faults::Kind::Mood(Mood::Floods);
        world.begin(Fault { at: Target::Engine(2), ..fault(mood, 0, 0) });
        world.sim.client("dawdler", async {
            let mut stream = TcpStream::connect(GATEWAY).await?;
            stream.write_all(request("slow", LONG).as_bytes()).await?;
            let mut byte = [0];
            while now() < Duration::from_secs(60) && stream.read(&mut byte).await.is_ok_and(|n| n == 1) {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Ok(())
        });
        let mut ended = None;
        while ended.is_none() && world.sim.elapsed() < Duration::from_secs(50) {
            world.step();
            ended = world.runs.lock().expect("nothing panics under it").first().and_then(|run| run.ended);
        }
        let run = world.runs.lock().expect("nothing panics under it")[0].clone();
        let cut = ended.expect("the engine is let go").as_secs();
        let settled = world.settled();
        assert!((29..35).contains(&cut), "cut after {cut} s: {run:?} {settled:?}");
        assert!(run.finished.is_none());
        // What fits: the outlet, both connections, and the write buffers of both servers.
        let most = crate::OUTLET_EVENTS + (512 << 10) / LARGE;
        assert!((8..most).contains(&(run.said as usize)), "the engine said {} tokens", run.said);
    }
}

#[test]
fn row_20_readers_that_do_not_read_keep_no_other_answer_of_their_engine_waiting() {
    for is_native in [false, true] {
        let other = Wish { model: "small", max_tokens: 20, ..wish(5_000) };
        let mut world =
            World::new(Plan { tcp_capacity: 2, max_concurrency: 8, ..plan(is_native, vec![other], vec![]) });
        let mood = faults::Kind::Mood(Mood::Floods);
        world.begin(Fault { at: Target::Engine(2), ..fault(mood, 0, 0) });
        world.sim.client("statues", async {
            let mut streams = Vec::new();
            for n in 0..6 {
                let mut stream = TcpStream::connect(GATEWAY).await?;
                stream.write_all(request(&format!("statue-{n}"), LONG).as_bytes()).await?;
                streams.push(stream);
            }
            tokio::time::sleep(Duration::from_secs(10)).await;
            Ok(())
        });
        while world.sim.elapsed() < Duration::from_secs(9) {
            world.step();
        }
        let ends: Vec<(String, bool)> =
            world.settled().iter().map(|settled| (settled.label.clone(), settled.status == "ok")).collect();
        assert_eq!(ends, [("at-5000".to_owned(), true)]);
    }
}

#[test]
fn row_21_a_client_that_only_stops_sending_is_still_served_over_http1() {
    let mut world = World::new(plan(false, vec![], vec![]));
    world.sim.client("half", async {
        let mut stream = TcpStream::connect(GATEWAY).await?;
        stream.write_all(request("half", 20).as_bytes()).await?;
        stream.shutdown().await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("data: [DONE]"), "{answer}");
        Ok(())
    });
    until_served(world);
}

#[test]
fn row_21_a_call_whose_stream_is_half_closed_late_is_still_served_over_grpc() {
    let mut world = World::new(plan(true, vec![], vec![]));
    world.sim.client("half", async {
        let stream = TcpStream::connect(GATEWAY).await?;
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        tokio::task::spawn_local(connection);
        let pieces = futures::stream::unfold(0, |at| async move {
            match at {
                0 => Some((Ok::<_, Infallible>(Frame::data(message())), 1)),
                _ => {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    None
                }
            }
        });
        let call = Request::post("http://gateway:8080/sluice.v1.Gateway/Generate")
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(StreamBody::new(pieces).boxed_unsync())?;
        let answer = sender.send_request(call).await?.into_body().collect().await?;
        let status = answer.trailers().and_then(|trailers| trailers.get("grpc-status")).cloned();
        assert_eq!(status.as_ref().map(|status| status.as_bytes()), Some(&b"0"[..]));
        Ok(())
    });
    until_served(world);
}

/// A gRPC message that asks for a short answer.
fn message() -> Bytes {
    let question = v1::Message { role: "user".to_owned(), content: "x".to_owned(), json: String::new() };
    let ask = v1::GenerateRequest {
        model: "big".to_owned(),
        max_tokens: 5,
        messages: vec![question],
        ..v1::GenerateRequest::default()
    };
    let ask = prost::Message::encode_to_vec(&ask);
    let length = u32::try_from(ask.len()).expect("short").to_be_bytes();
    [&[0][..], &length, &ask].concat().into()
}

/// Steps until the client is done, and sees that its one request was served to its end and nothing is left.
fn until_served(mut world: World) {
    loop {
        world.step();
        if world.sim.elapsed() > Duration::from_millis(500) && world.unfinished().is_empty() {
            break;
        }
        assert!(
            world.sim.elapsed() < Duration::from_secs(30),
            "it is never served: {:?}",
            world.unfinished()
        );
    }
    let outcome = world.close();
    let statuses: Vec<&str> = outcome.settled.iter().map(|settled| settled.status).collect();
    assert_eq!(statuses, ["ok"]);
    assert!(outcome.runs[0].finished.is_some() && outcome.unfinished.is_empty());
}
