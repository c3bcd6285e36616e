//! Clients: OpenAI streams, OpenAI answers in one piece, gRPC streams; some leave early, some are in a hurry.

use super::engine::now;
use super::random::Random;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sluice_proto::v1;
use sluice_proto::v1::gateway_client::GatewayClient;
use sluice_proto::v1::generate_event::Event;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tonic::transport::{Channel, Endpoint};
use turmoil::net::TcpStream;

/// Where the gateway listens.
pub(super) const GATEWAY: (&str, u16) = ("gateway", 8080);

/// What a client asks, and how patient it is.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) label: String,
    pub(super) client: usize,
    pub(super) at: Duration,
    pub(super) kind: Kind,
    pub(super) model: &'static str,
    pub(super) max_tokens: u32,
    pub(super) deadline_ms: Option<u64>,
    /// It leaves after so many deltas.
    pub(super) leaves_after: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Stream,
    Whole,
    Grpc,
}

/// What a client was told in the end.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum End {
    /// A whole answer: its text, and what it cost.
    Complete { text: String, cost: i64 },
    /// A clear error, and whether text came before it.
    Error { code: String, text: String },
    /// The connection ended without a word.
    Lost(String),
    /// An end that claims nothing: neither complete nor an error.
    Unclear(String),
    /// It left, as it had meant to.
    Left,
    /// It waited for longer than anybody would.
    GaveUp,
}

/// One request as its client saw it.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) wish: Wish,
    pub(super) end: End,
    pub(super) began: Duration,
    pub(super) ended: Duration,
}

/// What the clients saw, in the order of the ends.
pub(super) type Tales = Arc<Mutex<Vec<Told>>>;

/// Longest that a client waits, within the calm after the faults: for two engines, one after the other, that live and have
/// lost an answer of 100 tokens on its way, which each is given some 15 s for.
const PATIENCE: Duration = Duration::from_secs(28);

/// The wishes of one client, in the order of their times.
pub(super) fn wishes(seed: u64, client: usize, count: usize, until: Duration) -> Vec<Wish> {
    let mut random = Random::new(seed ^ (client as u64) << 40, "wishes");
    let until = u64::try_from(until.as_millis()).expect("short");
    let mut wishes: Vec<Wish> = (0..count).map(|n| wish(&mut random, client, n, until)).collect();
    wishes.sort_by_key(|wish| wish.at);
    wishes
}

fn wish(random: &mut Random, client: usize, n: usize, until: u64) -> Wish {
    Wish {
        label: format!("c{client}-{n}"),
        client,
        at: Duration::from_millis(random.between(100, until)),
        kind: random.pick(&[Kind::Stream, Kind::Stream, Kind::Whole, Kind::Grpc]),
        model: random.pick(&["auto", "auto", "big", "small"]),
        max_tokens: u32::try_from(random.pick(&[3, 10, 20, 40, 100])).expect("small"),
        deadline_ms: random.percent(20).then(|| random.between(200, 4_000)),
        leaves_after: random.percent(20).then(|| u32::try_from(random.between(1, 12)).expect("small")),
    }
}

/// Sends all wishes, each at its time, and waits for all ends.
pub(super) async fn run(wishes: Vec<Wish>, tales: Tales) -> turmoil::Result {
    let channel =
        Endpoint::from_static("http://gateway:8080").connect_with_connector_lazy(tower::service_fn(
            |_| async { Ok::<_, std::io::Error>(TokioIo::new(TcpStream::connect(GATEWAY).await?)) },
        ));
    let mut running = tokio::task::JoinSet::new();
    for wish in wishes {
        tokio::time::sleep(wish.at.saturating_sub(now())).await;
        let (channel, tales) = (channel.clone(), tales.clone());
        running.spawn_local(async move {
            let began = now();
            let asked = async {
                match wish.kind {
                    Kind::Stream | Kind::Whole => over_http(&wish).await,
                    Kind::Grpc => over_grpc(&wish, channel).await,
                }
            };
            let end = tokio::time::timeout(PATIENCE, asked).await.unwrap_or(End::GaveUp);
            let told = Told { wish, end, began, ended: now() };
            tales.lock().expect("nothing panics under it").push(told);
        });
    }
    while let Some(ended) = running.join_next().await {
        ended?;
    }
    Ok(())
}

async fn over_http(wish: &Wish) -> End {
    match send(wish).await {
        Err(error) => End::Lost(error),
        Ok(response) if response.status() != 200 => refused(response).await,
        Ok(response) if wish.kind == Kind::Whole => whole(response).await,
        Ok(response) => stream(wish, response).await,
    }
}

async fn send(wish: &Wish) -> Result<Response<Incoming>, String> {
    let stream = TcpStream::connect(GATEWAY).await.map_err(|error| error.to_string())?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    tokio::task::spawn_local(connection);
    let body = json!({
        "model": wish.model, "max_tokens": wish.max_tokens, "stream": wish.kind == Kind::Stream,
        "messages": [{"role": "user", "content": format!("tell me of {}", wish.label)}],
    });
    let mut request = Request::builder()
        .method(Method::POST)
        .uri("/v1/chat/completions")
        .header("host", "gateway")
        .header("content-type", "application/json")
        .header("x-request-id", &wish.label);
    if let Some(deadline) = wish.deadline_ms {
        request = request.header("x-sluice-deadline-ms", deadline);
    }
    let request = request.body(Full::new(Bytes::from(body.to_string()))).expect("it is whole");
    sender.send_request(request).await.map_err(|error| error.to_string())
}

async fn refused(response: Response<Incoming>) -> End {
    match response.into_body().collect().await {
        Ok(body) => error(&json_of(&body.to_bytes()), String::new()),
        Err(error) => End::Lost(error.to_string()),
    }
}

fn error(body: &Value, text: String) -> End {
    match body["error"]["code"].as_str() {
        Some(code) => End::Error { code: code.to_owned(), text },
        None => End::Unclear(body.to_string()),
    }
}

fn json_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_default()
}

async fn whole(response: Response<Incoming>) -> End {
    let body = match response.into_body().collect().await {
        Ok(body) => json_of(&body.to_bytes()),
        Err(error) => return End::Lost(error.to_string()),
    };
    let text = body["choices"][0]["message"]["content"].as_str();
    match (text, body["sluice"]["cost_nanousd"].as_i64()) {
        (Some(text), Some(cost)) => End::Complete { text: text.to_owned(), cost },
        _ => End::Unclear(body.to_string()),
    }
}

async fn stream(wish: &Wish, response: Response<Incoming>) -> End {
    let mut body = response.into_body();
    let (mut unread, mut text, mut cost, mut deltas) = (Vec::new(), String::new(), None, 0);
    loop {
        let frame = match body.frame().await {
            None => return End::Unclear(format!("it ended after {text:?}")),
            Some(Err(error)) => return End::Lost(error.to_string()),
            Some(Ok(frame)) => frame,
        };
        unread.extend_from_slice(&frame.into_data().unwrap_or_default());
        while let Some(end) = unread.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = unread.drain(..end + 2).collect();
            let data = String::from_utf8_lossy(&event);
            let Some(data) = data.strip_prefix("data: ").map(str::trim) else { continue };
            match (data, cost) {
                ("[DONE]", Some(cost)) => return End::Complete { text, cost },
                ("[DONE]", None) => return End::Unclear("done without a cost".to_owned()),
                _ => {}
            }
            let chunk = json_of(data.as_bytes());
            if !chunk["error"].is_null() {
                return error(&chunk, text);
            }
            cost = cost.or(chunk["sluice"]["cost_nanousd"].as_i64());
            if let Some(more) =
                chunk["choices"][0]["delta"]["content"].as_str().filter(|more| !more.is_empty())
            {
                text.push_str(more);
                deltas += 1;
            }
            if wish.leaves_after.is_some_and(|most| deltas >= most) {
                return End::Left;
            }
        }
    }
}

async fn over_grpc(wish: &Wish, channel: Channel) -> End {
    let message = v1::Message {
        role: "user".to_owned(),
        content: format!("tell me of {}", wish.label),
        json: String::new(),
    };
    let mut request = tonic::Request::new(v1::GenerateRequest {
        model: wish.model.to_owned(),
        messages: vec![message],
        max_tokens: wish.max_tokens,
        ..v1::GenerateRequest::default()
    });
    request.metadata_mut().insert("x-request-id", wish.label.parse().expect("ASCII"));
    if let Some(deadline) = wish.deadline_ms {
        request.metadata_mut().insert("x-sluice-deadline-ms", deadline.into());
    }
    let mut events = match GatewayClient::new(channel).generate(request).await {
        Ok(response) => response.into_inner(),
        Err(status) => return failed(&status, String::new()),
    };
    let (mut text, mut deltas) = (String::new(), 0);
    loop {
        match events.message().await.map(|event| event.and_then(|event| event.event)) {
            Ok(None) => return End::Unclear(format!("it ended after {text:?}")),
            Ok(Some(Event::Started(_))) => {}
            Ok(Some(Event::Text(delta))) => {
                text.push_str(&delta.text);
                deltas += 1;
            }
            Ok(Some(Event::Finished(end))) => return End::Complete { text, cost: end.cost_nanousd },
            Err(status) => return failed(&status, text),
        }
        if wish.leaves_after.is_some_and(|most| deltas >= most) {
            return End::Left;
        }
    }
}

/// A status that the gateway sent, or that stands for a connection which was lost.
fn failed(status: &tonic::Status, text: String) -> End {
    match std::error::Error::source(status) {
        Some(source) => End::Lost(source.to_string()),
        None => End::Error { code: format!("{:?}", status.code()), text },
    }
}
