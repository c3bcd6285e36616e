//! The listeners: one port each for HTTP/1.1 and HTTP/2, with every limit set here and the drain in order.

use crate::door::Door;
use crate::edge::conn::Conn;
use crate::edge::count::Count;
use crate::edge::front::Front;
use crate::edge::grpc::Grpc;
use crate::edge::socket::Socket;
use crate::edge::{Spawn, admin, openai};
use crate::machine::{Accepted, Port, Ports, TcpPorts};
use axum::Router;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use sluice_experts::Duplex;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Connections that one listener holds. Further ones wait in the kernel's queue until one ends.
const MAX_CONNECTIONS: usize = 16_384;
/// How long to wait after a failed accept (no file descriptors left), in milliseconds, instead of spinning.
const ACCEPT_PAUSE_MS: u64 = 100;
/// How long the last bytes may take to leave after the last answer is complete, in milliseconds.
const FLUSH_MS: u64 = 1_000;

/// The name of a connection's task.
pub(crate) const CONNECTION: &str = "edge_connection";

/// A listener that holds its port but serves nobody yet.
pub struct Bound {
    port: Box<dyn Port>,
    addr: SocketAddr,
}

/// Takes a port; port 0 takes any free one.
///
/// # Errors
/// The port is taken or not ours to take.
pub async fn listen(addr: SocketAddr) -> io::Result<Bound> {
    listen_on(&TcpPorts, addr).await
}

/// Takes a port of this network.
///
/// # Errors
/// As [`listen`].
pub(crate) async fn listen_on(ports: &dyn Ports, addr: SocketAddr) -> io::Result<Bound> {
    let port = ports.take(addr).await?;
    let addr = port.addr()?;
    Ok(Bound { port, addr })
}

impl Bound {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves the data port: gRPC and the OpenAI paths. Every connection and HTTP/2 stream runs in `spawn`.
    ///
    /// When `stop` resolves, open connections are told to go away once they are answered, but the port stays open until
    /// nothing is under way: a client that comes meanwhile gets a 503 that says "try again", with a request id, rather
    /// than a refused connection, which many clients don't try again. Then the port closes and the future resolves.
    ///
    /// # Cancel safety
    /// Dropping the future closes the port and every connection at once.
    pub async fn serve(self, door: Arc<dyn Door>, spawn: Spawn, stop: impl Future<Output = ()> + Send) {
        let http = openai::router(door.clone(), spawn.clone());
        let grpc = Some(Grpc::new(door.clone()));
        self.run(door, http, grpc, spawn, stop).await;
    }

    /// Serves the admin port: metrics and probes. Drains like [`Bound::serve`].
    pub async fn serve_admin(self, door: Arc<dyn Door>, spawn: Spawn, stop: impl Future<Output = ()> + Send) {
        let http = admin::router(door.clone());
        self.run(door, http, None, spawn, stop).await;
    }

    async fn run(
        self,
        door: Arc<dyn Door>,
        http: Router,
        grpc: Option<Grpc>,
        spawn: Spawn,
        stop: impl Future<Output = ()> + Send,
    ) {
        let draining = CancellationToken::new();
        let kill = CancellationToken::new();
        let _end_all = kill.clone().drop_guard();
        let open = Arc::new(Count::default());
        let connections = Arc::new(Count::default());
        let front = Arc::new(Front {
            door: door.clone(),
            http,
            grpc,
            open: open.clone(),
            draining: draining.clone(),
        });
        let server =
            Arc::new(Server { front, http1: http1(), http2: http2(spawn.clone()), kill: kill.clone() });

        let drained = async {
            stop.await;
            draining.cancel();
            open.empty().await;
        };
        let mut drained = pin!(drained);
        let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let stream = tokio::select! {
                biased;
                () = &mut drained => break,
                accepted = accept(&*self.port, &room, &*door) => accepted,
            };
            let (server, member) = (server.clone(), connections.join());
            let connection = async move {
                let (open, place) = stream;
                // A client that has left meanwhile leaves nothing to be served.
                if let Ok(stream) = open() {
                    server.connection(stream).await;
                }
                drop((place, member));
            };
            spawn(CONNECTION, Box::pin(connection));
        }
        drop(self.port);
        tokio::select! {
            biased;
            () = connections.empty() => {}
            () = door.sleep_until(door.now().plus_ms(FLUSH_MS)) => {}
        }
        kill.cancel();
        connections.empty().await;
    }
}

/// The next connection, with its place.
async fn accept(
    port: &dyn Port,
    room: &Arc<Semaphore>,
    door: &dyn Door,
) -> (Accepted, tokio::sync::OwnedSemaphorePermit) {
    let place = room.clone().acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match port.accept().await {
            Ok(stream) => return (stream, place),
            // The client gave up while it waited.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(_) => door.sleep_until(door.now().plus_ms(ACCEPT_PAUSE_MS)).await,
        }
    }
}

/// What all connections of a listener share.
struct Server {
    front: Arc<Front>,
    http1: http1::Builder,
    http2: http2::Builder<SpawnExecutor>,
    kill: CancellationToken,
}

impl Server {
    async fn connection(&self, stream: Box<dyn Duplex>) {
        let conn = Arc::new(Conn::default());
        let mut socket = Socket::new(stream, conn.clone(), self.front.door.clone());
        let is_http2 = tokio::select! {
            biased;
            is_http2 = socket.speaks_http2() => is_http2,
            () = self.kill.cancelled() => return,
        };
        let (front, of_request) = (self.front.clone(), conn.clone());
        let service = service_fn(move |request| {
            let (front, conn) = (front.clone(), of_request.clone());
            // In a box: its connection keeps room for what makes an answer until the last byte is out.
            async move { Ok::<_, Infallible>(Box::pin(front.answer(&conn, request)).await) }
        });
        let io = TokioIo::new(socket);
        match is_http2 {
            Ok(true) => self.drive(pin!(self.http2.serve_connection(io, service)), &conn).await,
            Ok(false) => self.drive(pin!(self.http1.serve_connection(io, service)), &conn).await,
            Err(_) => {}
        }
    }

    async fn drive(&self, mut serving: Pin<&mut impl GracefulConnection>, conn: &Conn) {
        let goodbye = async {
            tokio::select! {
                biased;
                () = self.front.draining.cancelled() => conn.has_begun().await,
                () = conn.close_asked() => {}
            }
        };
        // How a connection ends is of no interest: the answers that it carried have told their own end.
        tokio::select! {
            biased;
            _ = &mut serving => return,
            () = goodbye => {}
            () = self.kill.cancelled() => return,
        }
        serving.as_mut().graceful_shutdown();
        tokio::select! {
            biased;
            _ = serving => {}
            () = self.kill.cancelled() => {}
        }
    }
}

// Every limit is set by ourselves: some defaults are far too generous for an open port.

fn http1() -> http1::Builder {
    let mut builder = http1::Builder::new();
    // Slow heads and idle connections are the socket's business, which can tell the two apart. A buffer may take in more
    // than it is asked to, so the head has a bound of its own.
    builder.header_read_timeout(None).max_headers(64);
    builder.max_buf_size(HEAD_BYTES as usize).max_header_size(HEAD_BYTES as usize);
    builder
}

fn http2(spawn: Spawn) -> http2::Builder<SpawnExecutor> {
    let mut builder = http2::Builder::new(SpawnExecutor(spawn));
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10))
        .max_concurrent_streams(1_024)
        .max_header_list_size(HEAD_BYTES)
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(128)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .max_send_buf_size(64 << 10);
    builder
}

/// Most bytes of a request's head.
const HEAD_BYTES: u32 = 32 << 10;

/// Runs HTTP/2 streams where the gateway runs its tasks.
#[derive(Clone)]
struct SpawnExecutor(Spawn);

impl<F> hyper::rt::Executor<F> for SpawnExecutor
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        (self.0)("edge_stream", Box::pin(stream));
    }
}
