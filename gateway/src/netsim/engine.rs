//! Scripted engines on turmoil's sockets, one core with two faces: OpenAI over HTTP/1.1, and native gRPC.

use super::script::{Act, Mood, Run, Runs, Script, script};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{BoxStream, unfold};
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use sluice_proto::v1;
use sluice_proto::v1::expert_event::Event;
use sluice_proto::v1::expert_server::{Expert, ExpertServer};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tonic::Status;
use turmoil::net::{TcpListener, TcpStream};

/// Where engines listen.
pub(super) const PORT: u16 = 8000;

/// One engine: its mood may change while it runs, and outlives a crash.
#[derive(Clone)]
pub(super) struct Engine {
    pub(super) seed: u64,
    pub(super) number: usize,
    pub(super) is_native: bool,
    pub(super) mood: Arc<Mutex<Mood>>,
    pub(super) runs: Runs,
}

/// Most bytes that an engine keeps for a connection that takes none.
const WRITE_BUFFER: usize = 16 << 10;

type Body = UnsyncBoxBody<Bytes, io::Error>;

impl Engine {
    /// Serves until the host crashes.
    pub(super) async fn serve(self) -> turmoil::Result {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            let engine = self.clone();
            // However a connection ends: its runs tell of it.
            tokio::task::spawn_local(async move {
                if engine.is_native { engine.native(stream).await } else { engine.openai(stream).await }
            });
        }
    }

    fn mood(&self) -> Mood {
        *self.mood.lock().expect("nothing panics under it")
    }

    /// Takes a request in: what becomes of it is drawn now.
    fn begin(&self, label: &str, max_tokens: u32) -> (Script, Open) {
        let mut runs = self.runs.lock().expect("nothing panics under it");
        let number = runs.len();
        let (script, tokens) = script(self.seed, number, self.mood(), max_tokens);
        let (engine, label) = (self.number, label.to_owned());
        runs.push(Run { engine, label, began: now(), tokens, said: 0, finished: None, ended: None });
        (script, Open { runs: self.runs.clone(), number })
    }

    async fn openai(self, stream: TcpStream) {
        let service = service_fn(move |request| {
            let engine = self.clone();
            async move { Ok::<_, Infallible>(engine.http(request).await) }
        });
        let _ = hyper::server::conn::http1::Builder::new()
            .max_buf_size(WRITE_BUFFER)
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    async fn http(&self, request: Request<Incoming>) -> Response<Body> {
        if request.uri().path() == "/health" {
            let is_ill = self.mood() == Mood::Storm;
            return plain(if is_ill { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK });
        }
        if request.uri().path() != "/v1/chat/completions" {
            // It reports no load.
            return plain(StatusCode::NOT_FOUND);
        }
        let label =
            request.headers().get("x-request-id").map(|value| value.to_str().expect("ASCII").to_owned());
        let Ok(body) = request.into_body().collect().await else { return plain(StatusCode::BAD_REQUEST) };
        let body: serde_json::Value =
            serde_json::from_slice(&body.to_bytes()).expect("the gateway sends JSON");
        let max_tokens = body["max_tokens"].as_u64().expect("the gateway says how many");
        let label = label.expect("the gateway sends its label");
        let (script, open) = self.begin(&label, u32::try_from(max_tokens).expect("few"));
        match script {
            Script::Refuse(status) => plain(StatusCode::from_u16(status).expect("a status")),
            Script::Play(acts) => sse(acts, open),
        }
    }

    async fn native(self, stream: TcpStream) {
        let (reporter, health) = tonic_health::server::health_reporter();
        reporter.set_serving::<ExpertServer<Engine>>().await;
        let routes = tonic::service::Routes::new(ExpertServer::new(self)).add_service(health);
        let service = TowerToHyperService::new(routes.prepare());
        let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }
}

fn plain(status: StatusCode) -> Response<Body> {
    let body = Full::new(Bytes::from_static(b"{}")).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    if status == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert("retry-after", "1".parse().expect("ASCII"));
    }
    response
}

fn sse(acts: VecDeque<Act>, open: Open) -> Response<Body> {
    let frames = unfold((acts, open), |(mut acts, open)| async move {
        let frame = loop {
            match acts.pop_front()? {
                Act::Wait(time) => tokio::time::sleep(time).await,
                Act::Token(text) => {
                    open.say();
                    break Ok(chunk(&json!({"choices": [{"delta": {"content": text}}]})));
                }
                Act::Finish(tokens) => break Ok(finish(&open, tokens)),
                Act::Break => break Err(io::Error::other("it breaks")),
                Act::Garbage => break Ok(Bytes::from_static(b"data: {\"choices\": [{]}\n\n")),
            }
        };
        Some((frame.map(Frame::data), (acts, open)))
    });
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    response.headers_mut().insert("content-type", "text/event-stream".parse().expect("ASCII"));
    response
}

fn chunk(value: &serde_json::Value) -> Bytes {
    Bytes::from(format!("data: {value}\n\n"))
}

fn finish(open: &Open, tokens: u32) -> Bytes {
    open.finish();
    let end = chunk(&json!({"choices": [{"delta": {}, "finish_reason": "stop"}]}));
    let usage = json!({"choices": [], "usage": {"prompt_tokens": PROMPT, "completion_tokens": tokens}});
    [&end[..], &chunk(&usage)[..], b"data: [DONE]\n\n"].concat().into()
}

/// Tokens that every prompt has.
const PROMPT: u32 = 11;

#[tonic::async_trait]
impl Expert for Engine {
    type GenerateStream = BoxStream<'static, Result<v1::ExpertEvent, Status>>;

    async fn generate(
        &self,
        request: tonic::Request<v1::ExpertRequest>,
    ) -> Result<tonic::Response<Self::GenerateStream>, Status> {
        let request = request.into_inner();
        let (script, open) = self.begin(&request.request_id, request.max_tokens);
        match script {
            Script::Refuse(429) => Err(Status::resource_exhausted("full")),
            Script::Refuse(_) => Err(Status::internal("ill")),
            Script::Play(acts) => Ok(tonic::Response::new(events(acts, open))),
        }
    }

    type StatusStream = BoxStream<'static, Result<v1::ExpertStatus, Status>>;

    /// It keeps its load to itself.
    async fn status(
        &self,
        _: tonic::Request<v1::StatusRequest>,
    ) -> Result<tonic::Response<Self::StatusStream>, Status> {
        Err(Status::unimplemented("tells nothing"))
    }
}

fn events(acts: VecDeque<Act>, open: Open) -> BoxStream<'static, Result<v1::ExpertEvent, Status>> {
    let events = unfold((acts, open), |(mut acts, open)| async move {
        let event = loop {
            match acts.pop_front()? {
                Act::Wait(time) => tokio::time::sleep(time).await,
                Act::Token(text) => {
                    open.say();
                    break Ok(Event::Text(v1::TextDelta { text, delta_json: String::new() }));
                }
                Act::Finish(tokens) => break Ok(finished(&open, tokens)),
                Act::Break => break Err(Status::data_loss("it breaks")),
                Act::Garbage => break Err(Status::unknown("?")),
            }
        };
        Some((event.map(|event| v1::ExpertEvent { event: Some(event) }), (acts, open)))
    });
    events.boxed()
}

fn finished(open: &Open, tokens: u32) -> Event {
    open.finish();
    let usage = v1::Usage { prompt_tokens: PROMPT, output_tokens: tokens, ..v1::Usage::default() };
    Event::Finished(v1::ExpertFinished {
        finish_reason: "stop".to_owned(),
        usage: Some(usage),
        simulated: false,
    })
}

/// A request that an engine works on; dropped when it lets go of it.
struct Open {
    runs: Runs,
    number: usize,
}

impl Open {
    fn say(&self) {
        self.note(|run| run.said += 1);
    }

    fn finish(&self) {
        self.note(|run| run.finished = Some(now()));
    }

    fn note(&self, note: impl FnOnce(&mut Run)) {
        note(&mut self.runs.lock().expect("nothing panics under it")[self.number]);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.note(|run| run.ended = Some(now()));
    }
}

/// Simulated time; at the end of the world, when no host runs, the latest there is.
pub(super) fn now() -> Duration {
    turmoil::sim_elapsed().unwrap_or(Duration::MAX)
}
