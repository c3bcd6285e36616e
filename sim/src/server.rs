//! A worker behind one listener: gRPC over HTTP/2 and the OpenAI dialect over either version.

use crate::answering::{Cut, Desk};
use crate::batches::Batches;
use crate::clock::{Task, spawn};
use crate::faults::Faults;
use crate::profile::Profile;
use crate::text::{Answers, Filler};
use crate::worker::Worker;
use crate::{grpc, http as openai};
use axum::Router;
use axum::body::{Body, Bytes};
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

/// Streams that one HTTP/2 connection may have open: more than any profile's batch and queue, so that the worker's
/// own limits are the ones that show.
const MAX_STREAMS: u32 = 8_192;

/// What to simulate, and where.
#[derive(Clone)]
pub struct SimConfig {
    /// The worker.
    pub profile: Profile,
    /// The model's name in `/v1/models` and metrics. Requests may name any.
    pub model: String,
    /// Virtual seconds per wall second, above 0.
    pub time_scale: f64,
    /// Where to listen; port 0 takes any free one.
    pub listen: SocketAddr,
    /// What to answer.
    pub answers: Arc<dyn Answers>,
    /// Requests that may wait before the next is refused as busy, at least 1.
    pub max_queue: usize,
    /// The key that requests must show; health and metrics need none.
    pub api_key: Option<String>,
    /// Failures on order.
    pub faults: Faults,
}

impl SimConfig {
    /// This profile in real time on any free loopback port, with filler for answers and no failures.
    pub fn new(profile: Profile) -> SimConfig {
        SimConfig {
            model: profile.name.clone(),
            profile,
            time_scale: 1.0,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            answers: Arc::new(Filler::default()),
            max_queue: 1_024,
            api_key: None,
            faults: Faults::none(),
        }
    }
}

/// A running worker. Dropping it is a crash: its connections break and its work is lost.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    server: Option<Task>,
}

impl Running {
    /// Takes no new connection or request, lets the answers under way end, and then returns.
    ///
    /// # Cancel safety
    /// Dropping the future is dropping the worker.
    pub async fn shutdown(mut self) {
        drop(self.stop.take());
        if let Some(server) = self.server.take() {
            server.join().await;
        }
    }
}

/// Starts a worker.
///
/// # Errors
/// When the address can't be listened on, or the time scale is not a number above 0.
pub async fn start(config: SimConfig) -> io::Result<Running> {
    if !(config.time_scale.is_finite() && config.time_scale > 0.0) {
        let message = format!("time_scale = {} must be above 0", config.time_scale);
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let listener = TcpListener::bind(config.listen).await?;
    let addr = listener.local_addr()?;
    let (close, closing) = watch::channel(());
    let app = app(config, closing).await;
    let (stop, stopped) = oneshot::channel();
    let server = spawn(serve(listener, app, stopped, close));
    Ok(Running { addr, stop: Some(stop), server: Some(server) })
}

async fn app(config: SimConfig, closing: watch::Receiver<()>) -> Router {
    let desk = Arc::new(Desk {
        worker: Worker::start(&config.profile, config.time_scale, config.max_queue),
        context: config.profile.capacity.kv_tokens,
        batches: config.profile.whole_batch.map(|law| Batches::new(law, config.time_scale)),
        caches: config.profile.capacity.prefix_tokens > 0,
        answers: config.answers,
        faults: config.faults,
        model: config.model,
        api_key: config.api_key,
        closing,
    });
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<sluice_proto::v1::expert_server::ExpertServer<grpc::Native>>().await;
    let rpc = tonic::service::Routes::new(grpc::service(desk.clone())).add_service(health);
    // tonic answers unknown paths itself, in gRPC's way; plain HTTP gets a plain answer.
    rpc.into_axum_router().reset_fallback().merge(openai::routes(desk)).fallback(openai::unknown)
}

async fn serve(
    listener: TcpListener,
    app: Router,
    mut stopped: oneshot::Receiver<()>,
    close: watch::Sender<()>,
) {
    let graceful = GracefulShutdown::new();
    // Dropped with this task, and all connections with it.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((socket, _)) => {
                connections.spawn(connection(socket, app.clone(), graceful.watcher()));
            }
            // Out of file descriptors, most likely: some will be closed soon.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
    drop((listener, close));
    graceful.shutdown().await;
}

async fn connection(socket: TcpStream, app: Router, watcher: Watcher) {
    // Without it, small writes wait for the peer's delayed ACK, 40 ms. A socket that refuses is about to break anyway.
    let _ = socket.set_nodelay(true);
    let app = TowerToHyperService::new(app);
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = hyper::service::Service::call(&app, request);
        async move {
            match answer.await {
                Ok(answer) => breakable(answer),
                Err(never) => match never {},
            }
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http2().max_concurrent_streams(MAX_STREAMS);
    let connection = builder.serve_connection(TokioIo::new(socket), service).into_owned();
    // However a connection ends, there is nobody left to tell.
    let _ = watcher.watch(connection).await;
}

/// Gives a response that carries a [`Cut`] a body that breaks when it is thrown; no response at all if it has been.
fn breakable(response: Response<Body>) -> io::Result<Response<Breakable>> {
    let cut = response.extensions().get::<Cut>().cloned();
    if cut.as_ref().is_some_and(Cut::is_thrown) {
        return Err(broken());
    }
    Ok(response.map(|inner| Breakable { inner, cut }))
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "a break that was ordered")
}

/// A body with a switch: thrown, it fails where it would have gone on or ended.
struct Breakable {
    inner: Body,
    cut: Option<Cut>,
}

impl HttpBody for Breakable {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.inner).poll_frame(cx);
        match (&frame, &self.cut) {
            (Poll::Ready(_), Some(cut)) if cut.is_thrown() => {
                Poll::Ready(Some(Err(axum::Error::new(broken()))))
            }
            _ => frame,
        }
    }
}
