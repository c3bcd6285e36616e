//! A peer that does as told: each connection gets the next script, each request on it the next answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// What to do once a request has been read.
#[derive(Clone)]
pub(crate) enum Do {
    /// Write these bytes.
    Write(Vec<u8>),
    /// Wait until the other side closes, and report it.
    AwaitClose,
    /// Close, orderly.
    Close,
    /// Close with a reset.
    Reset,
    /// Read the next request on this connection.
    NextRequest,
    /// Never do anything again.
    Hang,
    /// Take so long for a POST; a probe is answered at once.
    Work(Duration),
}

/// A running peer. Dropping it ends it.
pub(crate) struct Peer {
    pub(crate) addr: SocketAddr,
    /// Requests as text, in the order of arrival.
    pub(crate) requests: mpsc::Receiver<String>,
    /// One message each time an awaited close came.
    pub(crate) closes: mpsc::Receiver<()>,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Peer {
    /// Each connection runs the same script, from its start.
    pub(crate) async fn start(script: Vec<Do>) -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (told, requests) = mpsc::channel(64);
        let (closed, closes) = mpsc::channel(64);
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        let accept = async move {
            let mut tasks = tokio::task::JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tasks.spawn(run(socket, script.clone(), told.clone(), closed.clone()));
            }
        };
        #[allow(clippy::disallowed_methods, reason = "a test's peer lives as long as the test")]
        let task = tokio::spawn(accept);
        Peer { addr, requests, closes, connections, task }
    }

    /// A peer that answers every request, on any connection, with this body as an event stream.
    pub(crate) async fn streaming(body: &str) -> Peer {
        let mut script = Vec::new();
        for _ in 0..8 {
            script.push(Do::Write(stream_head()));
            script.push(Do::Write(chunk(body)));
            script.push(Do::Write(b"0\r\n\r\n".to_vec()));
            script.push(Do::NextRequest);
        }
        Peer::start(script).await
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(mut socket: TcpStream, script: Vec<Do>, told: mpsc::Sender<String>, closed: mpsc::Sender<()>) {
    let mut read = Vec::new();
    let Some(request) = request(&mut socket, &mut read).await else { return };
    let is_probe = request.starts_with("GET ");
    told.send(request).await.unwrap();
    for act in script {
        match act {
            Do::Write(bytes) => {
                if socket.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Do::AwaitClose => {
                let mut byte = [0_u8; 64];
                while socket.read(&mut byte).await.is_ok_and(|n| n > 0) {}
                closed.send(()).await.unwrap();
                return;
            }
            Do::Close => return,
            Do::Reset => {
                socket.set_zero_linger().unwrap();
                return;
            }
            Do::NextRequest => match self::request(&mut socket, &mut read).await {
                Some(request) => told.send(request).await.unwrap(),
                None => return,
            },
            Do::Hang => std::future::pending().await,
            Do::Work(time) if !is_probe => tokio::time::sleep(time).await,
            Do::Work(_) => {}
        }
    }
}

/// Reads one request with a content-length; `None` when the connection ends.
async fn request(socket: &mut TcpStream, read: &mut Vec<u8>) -> Option<String> {
    loop {
        let text = String::from_utf8_lossy(read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                read.clear();
                return Some(text);
            }
        }
        let mut buffer = [0_u8; 4096];
        match socket.read(&mut buffer).await {
            Ok(n) if n > 0 => read.extend_from_slice(&buffer[..n]),
            _ => return None,
        }
    }
}

/// The head of a chunked event stream.
pub(crate) fn stream_head() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_vec()
}

/// One chunk of it.
pub(crate) fn chunk(body: &str) -> Vec<u8> {
    format!("{:x}\r\n{body}\r\n", body.len()).into_bytes()
}

/// A whole response.
pub(crate) fn response(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes()
}
