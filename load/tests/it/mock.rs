//! A server of known delays: it answers over gRPC and HTTP, and writes down when it did what.

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt as _, unfold};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::{Request, Response};
use sluice_load::prompts::Prompts;
use sluice_load::target::{Address, Manner, connect};
use sluice_load::{Clock, Ended, Gauge, Prompt, Run, Sample, drive};
use sluice_proto::v1;
use sluice_proto::v1::gateway_server::{Gateway, GatewayServer};
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tonic::Status;

/// Tokens of an answer.
pub(crate) const TOKENS: u32 = 8;

/// What the server did for one prompt, by its own clock.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Done {
    pub(crate) received: u64,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// How it answers prompt `n` that came at `at`: nanoseconds until the first token, and between tokens.
pub(crate) type Delays = fn(n: usize, at: u64) -> (u64, u64);

pub(crate) struct Mock {
    pub(crate) clock: Clock,
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    pulse: SocketAddr,
    state: Arc<State>,
    runtime: Option<tokio::runtime::Runtime>,
}

/// Its connections break, as if its process had ended.
impl Drop for Mock {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

struct State {
    clock: Clock,
    delays: Delays,
    done: Mutex<HashMap<usize, Done>>,
    messages: Mutex<HashMap<usize, Vec<(String, String)>>>,
    dropped: AtomicUsize,
}

impl Mock {
    pub(crate) fn start(delays: Delays) -> Mock {
        let clock = Clock::start();
        let state = Arc::new(State {
            clock,
            delays,
            done: Mutex::default(),
            messages: Mutex::default(),
            dropped: AtomicUsize::new(0),
        });
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (grpc, http, pulse) = (listener(), listener(), listener());
        let beat = pulse.local_addr().unwrap();
        let addresses = (grpc.local_addr().unwrap(), http.local_addr().unwrap());
        let service = GatewayServer::new(Rpc(state.clone()));
        runtime.spawn(async move {
            let sockets = TcpListener::from_std(grpc).unwrap();
            // Without it, the last token of a burst would wait 40 ms for the client's delayed ACK.
            let sockets = tonic::transport::server::TcpIncoming::from(sockets).with_nodelay(Some(true));
            let mut server = tonic::transport::Server::builder().max_concurrent_streams(1_024);
            server.add_service(service).serve_with_incoming(sockets).await.unwrap();
        });
        runtime.spawn(serve_http(http, state.clone()));
        runtime.spawn(serve_pulse(pulse, clock));
        Mock { clock, grpc: addresses.0, http: addresses.1, pulse: beat, state, runtime: Some(runtime) }
    }

    pub(crate) fn url(&self, dialect: &str) -> String {
        let address = if dialect == "grpc" { self.grpc } else { self.http };
        format!("{dialect}://{address}")
    }

    pub(crate) fn done(&self, n: usize) -> Done {
        self.state.done.lock().unwrap()[&n]
    }

    /// How long a bare message of eight bytes takes from the server's runtime to the caller's, in milliseconds, over and
    /// over until it is dropped: what this machine adds just now to whatever passes between the two.
    pub(crate) async fn feel_pulse(&self, delays: &Mutex<Vec<f64>>) {
        let mut socket = tokio::net::TcpStream::connect(self.pulse).await.unwrap();
        while let Ok(stamp) = socket.read_u64().await {
            delays.lock().unwrap().push((self.clock.now() - stamp) as f64 / 1e6);
        }
    }

    /// Requests that came.
    pub(crate) fn received(&self) -> usize {
        self.state.done.lock().unwrap().len()
    }

    /// The conversation that came with prompt `n`.
    pub(crate) fn messages(&self, n: usize) -> Vec<(String, String)> {
        self.state.messages.lock().unwrap()[&n].clone()
    }

    /// Answers that were given up before their end.
    pub(crate) fn dropped(&self) -> usize {
        self.state.dropped.load(Ordering::SeqCst)
    }
}

fn listener() -> std::net::TcpListener {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    listener
}

/// Prompts that say their number, so that the server can write down what it did for which.
pub(crate) struct Numbered;

impl Prompts for Numbered {
    fn get(&self, number: usize) -> Prompt {
        let messages = vec![("user".to_owned(), number.to_string())];
        Prompt { id: number.to_string(), messages, max_tokens: Some(TOKENS), grades: Arc::default() }
    }
}

/// A run of numbered prompts against `url`.
pub(crate) fn run(url: &str, asked: &sluice_load::arrivals::Asked, streams: bool) -> Run {
    let manner = Manner { streams, ..Manner::default() };
    Run {
        arrivals: sluice_load::arrivals::plan(asked).unwrap(),
        prompts: Arc::new(Numbered),
        target: connect(&Address::parse(url).unwrap(), manner).unwrap(),
        tenants: Vec::new(),
        reference: None,
        is_conversational: asked.turns.is_some(),
        max_open: 20_000,
        timeout: Duration::from_secs(30),
        give_up_after: Duration::from_secs(5),
        gauge: Arc::new(Gauge::default()),
    }
}

/// Carries it out; samples are in the order of sending.
pub(crate) async fn carry_out(run: Run) -> (Vec<Sample>, Ended, Arc<Gauge>) {
    let gauge = run.gauge.clone();
    let mut samples = Vec::new();
    let never = std::future::pending();
    let mut sink = |sample| samples.push(sample);
    let driven = drive(run, never, &mut sink);
    let ended = tokio::time::timeout(Duration::from_secs(60), driven).await.expect("the run ends");
    samples.sort_by_key(|sample| sample.n);
    (samples, ended, gauge)
}

/// An answer under way. Dropped before its end, it counts as given up.
struct Answer {
    state: Arc<State>,
    n: usize,
    sent: u32,
    gap: u64,
}

impl Answer {
    /// Notes the request and waits until its first token is due.
    async fn begin(state: Arc<State>, messages: Vec<(String, String)>) -> Answer {
        let received = state.clock.now();
        let n: usize = messages.last().unwrap().1.parse().unwrap();
        state.messages.lock().unwrap().insert(n, messages);
        state.done.lock().unwrap().insert(n, Done { received, ..Done::default() });
        let (first, gap) = (state.delays)(n, received);
        let answer = Answer { state: state.clone(), n, sent: 0, gap };
        state.clock.until(received + first).await;
        answer
    }

    /// The next token, or `None` at the end.
    async fn next(&mut self) -> Option<String> {
        if self.sent == TOKENS {
            return None;
        }
        if self.sent > 0 {
            self.state.clock.until(self.state.clock.now() + self.gap).await;
        }
        self.sent += 1;
        let now = self.state.clock.now();
        let mut done = self.state.done.lock().unwrap();
        let done = done.get_mut(&self.n).unwrap();
        if self.sent == 1 {
            done.first = now;
        }
        done.last = now;
        Some(format!("t{} ", self.sent))
    }

    async fn whole(mut self) -> String {
        let mut text = String::new();
        while let Some(token) = self.next().await {
            text.push_str(&token);
        }
        text
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if self.sent < TOKENS {
            self.state.dropped.fetch_add(1, Ordering::SeqCst);
        }
    }
}

struct Rpc(Arc<State>);

fn started() -> v1::Started {
    v1::Started {
        expert: "mock".to_owned(),
        pool: "pool".to_owned(),
        route: "auto".to_owned(),
        replica: 1,
        ..Default::default()
    }
}

fn finished() -> v1::Finished {
    let usage = v1::Usage { prompt_tokens: 5, output_tokens: TOKENS, ..Default::default() };
    v1::Finished { usage: Some(usage), cost_nanousd: 70, baseline_nanousd: 900, ..Default::default() }
}

fn texts(request: v1::GenerateRequest) -> Vec<(String, String)> {
    request.messages.into_iter().map(|message| (message.role, message.content)).collect()
}

#[tonic::async_trait]
impl Gateway for Rpc {
    type GenerateStream = BoxStream<'static, Result<v1::GenerateEvent, Status>>;

    async fn generate(
        &self,
        request: tonic::Request<v1::GenerateRequest>,
    ) -> Result<tonic::Response<Self::GenerateStream>, Status> {
        use v1::generate_event::Event;
        let answer = Answer::begin(self.0.clone(), texts(request.into_inner())).await;
        let event = |event| Ok(v1::GenerateEvent { event: Some(event) });
        let head = futures::stream::iter([event(Event::Started(started()))]);
        let rest = unfold(Some(answer), move |answer| async move {
            let mut answer = answer?;
            match answer.next().await {
                Some(text) => {
                    Some((event(Event::Text(v1::TextDelta { text, ..Default::default() })), Some(answer)))
                }
                None => Some((event(Event::Finished(finished())), None)),
            }
        });
        Ok(tonic::Response::new(head.chain(rest).boxed()))
    }

    async fn generate_once(
        &self,
        request: tonic::Request<v1::GenerateRequest>,
    ) -> Result<tonic::Response<v1::GenerateResponse>, Status> {
        let text = Answer::begin(self.0.clone(), texts(request.into_inner())).await.whole().await;
        let (finished, started) = (Some(finished()), Some(started()));
        Ok(tonic::Response::new(v1::GenerateResponse { text, finished, started, ..Default::default() }))
    }

    async fn explain(
        &self,
        _: tonic::Request<v1::ExplainRequest>,
    ) -> Result<tonic::Response<v1::ExplainResponse>, Status> {
        Err(Status::unimplemented("no"))
    }

    async fn list_models(
        &self,
        _: tonic::Request<v1::ListModelsRequest>,
    ) -> Result<tonic::Response<v1::ListModelsResponse>, Status> {
        Err(Status::unimplemented("no"))
    }
}

async fn serve_pulse(listener: std::net::TcpListener, clock: Clock) {
    let (mut socket, _) = TcpListener::from_std(listener).unwrap().accept().await.unwrap();
    socket.set_nodelay(true).unwrap();
    loop {
        clock.until(clock.now() + 5_000_000).await;
        if socket.write_u64(clock.now()).await.is_err() {
            return;
        }
    }
}

async fn serve_http(listener: std::net::TcpListener, state: Arc<State>) {
    let listener = TcpListener::from_std(listener).unwrap();
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        socket.set_nodelay(true).unwrap();
        let state = state.clone();
        let service = hyper::service::service_fn(move |request| chat(request, state.clone()));
        connections.spawn(async move {
            let socket = hyper_util::rt::TokioIo::new(socket);
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(socket, service).await;
        });
    }
}

async fn chat(
    request: Request<Incoming>,
    state: Arc<State>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
    let bytes = request.into_body().collect().await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let text = |message: &serde_json::Value, name: &str| message[name].as_str().unwrap().to_owned();
    let messages = body["messages"].as_array().unwrap();
    let messages = messages.iter().map(|message| (text(message, "role"), text(message, "content"))).collect();
    let answer = Answer::begin(state, messages).await;
    let usage = serde_json::json!({ "prompt_tokens": 5, "completion_tokens": TOKENS });
    if body["stream"] != true {
        let text = answer.whole().await;
        let whole = serde_json::json!({ "choices": [{ "message": { "content": text } }], "usage": usage });
        return Ok(Response::new(Full::new(Bytes::from(whole.to_string())).boxed()));
    }
    let frames = unfold(Some(answer), move |answer| {
        let usage = usage.clone();
        async move {
            let mut answer = answer?;
            let (data, rest) = match answer.next().await {
                Some(text) => {
                    let delta = serde_json::json!({ "choices": [{ "delta": { "content": text } }] });
                    (format!("data: {delta}\n\n"), Some(answer))
                }
                None => {
                    let end = serde_json::json!({ "choices": [], "usage": usage });
                    (format!("data: {end}\n\ndata: [DONE]\n\n"), None)
                }
            };
            Some((Ok(Frame::data(Bytes::from(data))), rest))
        }
    });
    let response = Response::builder().header("content-type", "text/event-stream");
    Ok(response.body(BodyExt::boxed(StreamBody::new(frames))).unwrap())
}
